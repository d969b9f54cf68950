/*
 * panic.h: the end of the machine by our own fault, or for want of memory.
 */
#pragma once

#include "base/compiler.h"

/* Report (program, Go version, registers, both stacks), exit record, reset. Any context. */
noreturn_fn void panic(const char *format, ...) printf_like(1, 2);
/* The machine has no memory left for a page that the program was promised. */
noreturn_fn void panic_no_memory(const char *what);
/* This image cannot run on this machine; one clear line. Boot only. */
noreturn_fn void panic_bad_image(const char *format, ...) printf_like(1, 2);
