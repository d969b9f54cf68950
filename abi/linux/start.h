/*
 * start.h: from the image to the program's first instruction, and what Linux would tell about it.
 */
#pragma once

#include "arch/arch.h"
#include "base/compiler.h"
#include "gosolo_abi.h"

/* Maps the program's segments and its stack, fills the stack (argc, argv, envp, auxv) and gives the
 * registers it begins with. Boot only. -ENOMEM. */
int linux_start_program(const struct gosolo_image *image, struct trapframe *tf) must_check;
/* The auxiliary vector as the program got it: bytes, for /proc/self/auxv. */
const void *linux_auxv(size_t *bytes);
/* Boot, when the options are known: what is traced, what is counted. */
void syscalls_init(void);
/* NULL: there is none of that number. Any context. */
const char *syscalls_name(uint64_t number);
/* One line "call.NAME N calls" for every system call that was made, by number; when calls are
 * traced or statistics wanted "call.NAME N calls E errors T ns". */
void syscalls_report(void (*line)(const char *text, void *arg), void *arg);
