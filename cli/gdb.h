/*
 * gdb.h: tells how to attach gdb to the machine that is about to start.
 */
#pragma once

#include <stdint.h>

/* One line on standard error: a command for the shell that loads the symbols of program and kernel
 * and our commands (tools/gdb/gosolo.py). It holds while this process runs. kernel: the file given
 * by --kernel, or NULL. */
void gdb_announce(int image_fd, const char *kernel, uint32_t port);
