/*
 * report.c: the command's own lines on standard error.
 *
 * What:       formats a line into one buffer and writes it with one write, so that it is not
 *             torn by what else uses the same terminal or pipe. Others may have set the file to
 *             O_NONBLOCK.
 * Invariants: (1) a report is exactly one line: control characters in it become '?'.
 * Locking:    none; the command has one thread.
 * Failure:    a line that cannot be written is lost; the exit code still tells.
 * Source:     none.
 */
#include "cli/report.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 8192 }; /* a path and what is said of it */

void report_text(const void *text, size_t bytes)
{
	struct pollfd file = { .fd = STDERR_FILENO, .events = POLLOUT };
	const char *at = text;

	while (bytes) {
		ssize_t n = write(STDERR_FILENO, at, bytes);

		if (n < 0 && errno == EAGAIN && poll(&file, 1, -1) < 0 && errno != EINTR)
			return;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		at += n > 0 ? n : 0;
		bytes -= n > 0 ? (size_t)n : 0;
	}
}

static void print_line(const char *fmt, va_list args)
{
	char line[LINE_BYTES] = "gosolo: ";
	size_t len = strlen(line);
	int n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);

	if (n < 0)
		return;
	len += (size_t)n < sizeof(line) - len - 1 ? (size_t)n : sizeof(line) - len - 2;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len++] = '\n';
	report_text(line, len);
}

int report_fail(int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(fmt, args);
	va_end(args);
	return code;
}

void report_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(fmt, args);
	va_end(args);
}

bool report_is_terminal(void)
{
	return isatty(STDERR_FILENO) == 1;
}

void report_progress(const char *fmt, ...)
{
	va_list args;

	if (!report_is_terminal())
		return;
	va_start(args, fmt);
	print_line(fmt, args);
	va_end(args);
}
