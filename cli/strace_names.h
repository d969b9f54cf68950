/*
 * strace_names.h: what --strace=NAMES may name: calls and classes of calls.
 */
#pragma once

#include "cli/report.h"

/*
 * 0 when each word of the list (commas between, perhaps "!" in front) is "all", a class, a class
 * with "%" in front, or a system call that the kernel knows; otherwise one line that names the
 * word, and 125. An empty list is all calls. What the words mean is the kernel's affair
 * (abi/linux/strace_filter.c).
 */
int strace_check_names(const char *list) must_check;
