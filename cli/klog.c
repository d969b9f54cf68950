/*
 * klog.c: the kernel's log on the host.
 *
 * What:       appends lines to the file and to a bounded tail in memory. Text that the kernel
 *             wrote to the debug port before its channel was up goes the same way.
 * Invariants: (1) the tail never exceeds TAIL_BYTES and begins at the start of a line.
 * Locking:    none; the command has one thread.
 * Failure:    a log file that cannot be written loses lines, never the run.
 * Source:     include/gosolo_abi.h: GOSOLO_MSG_LOG, GOSOLO_DEBUG_PORT.
 */
#include "cli/klog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/mem.h"
#include "include/gosolo_abi.h"

enum { TAIL_BYTES = 128 * 1024, LINE_BYTES = 4400 };

int klog_open(struct klog *log, const char *path)
{
	*log = (struct klog){ .fd = -1 };
	log->tail = mem_alloc(TAIL_BYTES);
	if (!path)
		return 0;
	log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (log->fd < 0)
		return report_fail(GOSOLO_CODE_FAILED, "--log %s: %s", path, strerror(errno));
	return 0;
}

static void keep(struct klog *log, const char *text, size_t bytes)
{
	if (bytes > TAIL_BYTES / 2) {
		text += bytes - TAIL_BYTES / 2;
		bytes = TAIL_BYTES / 2;
	}
	if (log->tail_len + bytes > TAIL_BYTES) {
		size_t drop = log->tail_len + bytes - TAIL_BYTES / 2;
		char *line = drop < log->tail_len
			? memchr(log->tail + drop, '\n', log->tail_len - drop)
			: NULL;

		drop = line ? (size_t)(line + 1 - log->tail) : log->tail_len;
		memmove(log->tail, log->tail + drop, log->tail_len - drop);
		log->tail_len -= drop;
	}
	memcpy(log->tail + log->tail_len, text, bytes);
	log->tail_len += bytes;
}

static void emit(struct klog *log, const char *text, size_t bytes)
{
	if (log->fd >= 0 && write(log->fd, text, bytes) < 0)
		return;
	if (log->copies_to_stderr)
		bytebuf_add(&log->copy, text, bytes);
}

void klog_add_line(struct klog *log, uint32_t level, const char *text, size_t bytes)
{
	static const char *const prefix[] = { "error: ", "warning: ", "", "debug: " };
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line), "%s%s%.*s\n", log->is_mid_line ? "\n" : "",
		level < 4 ? prefix[level] : "", (int)bytes, text);

	log->is_mid_line = false;
	if (n <= 0)
		return;
	bytes = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
	keep(log, line, bytes);
	emit(log, line, bytes);
}

void klog_add_early(struct klog *log, const char *text, size_t bytes)
{
	if (bytes == 0)
		return;
	keep(log, text, bytes);
	emit(log, text, bytes);
	log->is_mid_line = text[bytes - 1] != '\n';
}

bool klog_has(const struct klog *log, const char *text, size_t bytes)
{
	return log->tail_len && memmem(log->tail, log->tail_len, text, bytes);
}

void klog_note(struct klog *log, const char *fmt, ...)
{
	char *text, *line;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (!text)
		return;
	line = mem_format("gosolo: %s\n", text);
	emit(log, line, strlen(line));
	free(line);
	free(text);
}

void klog_flush_copy(struct klog *log)
{
	report_text(log->copy.data, log->copy.len);
	log->copy.len = 0;
}

void klog_print_tail(const struct klog *log)
{
	static const char heading[] = "--- the kernel's log, last lines:\n";

	if (log->tail_len == 0 || log->copies_to_stderr)
		return;
	report_text(heading, sizeof(heading) - 1);
	report_text(log->tail, log->tail_len);
	if (log->tail[log->tail_len - 1] != '\n')
		report_text("\n", 1);
}
