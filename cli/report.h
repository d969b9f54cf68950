/*
 * report.h: how the command speaks: one line that says what happened, to what, and what to do.
 *
 * Convention of this room: a function that can fail returns 0 or an enum gosolo_exit_code, and
 * whoever returns a code first has already reported the one line. Nobody reports it again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* "gosolo: " and the line, to standard error. Returns `code`, so that callers can return it. */
int report_fail(int code, const char *fmt, ...) printf_like(2, 3);

/* A warning or a fact; goes to standard error always. */
void report_line(const char *fmt, ...) printf_like(1, 2);

/* Text as it is, to standard error; all of it, if need be after waiting for room. */
void report_text(const void *text, size_t bytes);

/* Progress: only when standard error is a terminal. */
void report_progress(const char *fmt, ...) printf_like(1, 2);

/* Whether standard error is a terminal. */
bool report_is_terminal(void);
