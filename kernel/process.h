/*
 * process.h: the one process: its identity, its start and its end.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

#define PROCESS_PID 1
#define PROCESS_PPID 0

/* Ends the program: output is drained, the exit record sent, the machine reset. Any thread; may sleep. */
noreturn_fn void process_exit(int code);
noreturn_fn void process_exit_signal(int signo);
uint64_t process_start_ns(void); /* monotonic time at which the program was entered */
/* Names of boot steps with their time, for the statistics. */
void boot_mark(const char *step);
void boot_report(void (*line)(const char *text, void *arg), void *arg);
