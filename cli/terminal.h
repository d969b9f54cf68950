/*
 * terminal.h: the terminal that the command was started from, as far as the program sets it.
 */
#pragma once

#include <stdbool.h>
#include <sys/ioctl.h>

#include "include/gosolo_abi.h"

/* Remembers what it is set to; false: no standard file is a terminal. */
bool terminal_begin(struct gosolo_terminal *now);
/* Whether reading and setting it does not stop us: we are in its foreground, or it is not the one
 * that controls us. */
bool terminal_is_ours(int fd);
/* Its size, as the first standard file tells that is a terminal: output before input. */
bool terminal_window(struct winsize *size);
void terminal_set(const struct gosolo_terminal *wanted); /* what the program asks for */
void terminal_leave(void); /* as it was; before we stop or end */
void terminal_enter(void); /* what the program asked for last; we go on */
