/*
 * process.h: the one process: its identity, its start and its end.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

#define PROCESS_PID 1
#define PROCESS_PPID 0

/* Ends the program: output is drained, the exit record sent, the machine reset. Any thread; may
 * sleep. */
noreturn_fn void process_exit(int code);
noreturn_fn void process_exit_signal(int signo);
/* Once true no thread may return to the program: it waits for the end instead. */
bool process_is_ending(void);
noreturn_fn void process_wait_for_end(void);
uint64_t process_start_ns(void); /* monotonic time at which the program was entered */
void process_set_started(void); /* boot: the program is about to be entered */
/* The step that began at the mark before has ended. */
void boot_mark(const char *step);
/* One line per step, "boot.NAME N ns". */
void boot_report(void (*line)(const char *text, void *arg), void *arg);
