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
/* One line "NAME COUNT" for every system call that was made, by number. */
void syscalls_report(void (*line)(const char *text, void *arg), void *arg);
