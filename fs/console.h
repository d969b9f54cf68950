/*
 * console.h: the program's standard input, output and error as files.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

/* One of the three host channels (0, 1, 2). -ENOMEM. */
int console_open(unsigned stream, uint32_t flags, struct file **out) must_check;
/* Another description of the same stream. */
int console_reopen(const struct file *f, uint32_t flags, struct file **out) must_check;
bool file_is_console(const struct file *f);
/* /dev/tty: the first standard file that is a terminal; -ENXIO when none is. */
int console_open_tty(uint32_t flags, struct file **out) must_check;
