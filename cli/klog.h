/*
 * klog.h: the kernel's log on the host: into a file when one is wanted, and its tail kept for the
 * report of a failure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/mem.h"
#include "cli/report.h"

struct klog {
	int fd; /* -1: no file */
	bool copies_to_stderr; /* --strace without --log */
	bool is_mid_line; /* early text has not ended its line */
	struct bytebuf copy; /* for standard error: whoever owns that takes it */
	char *tail; /* what was logged last */
	size_t tail_len;
};

int klog_open(struct klog *log, const char *path) must_check; /* NULL: no file; reports 125 */
void klog_add_line(struct klog *log, uint32_t level, const char *text, size_t bytes);
void klog_add_early(struct klog *log, const char *text, size_t bytes);
bool klog_has(const struct klog *log, const char *text, size_t bytes); /* in the tail */
void klog_note(struct klog *log, const char *fmt, ...) printf_like(2, 3); /* the command's own */
void klog_flush_copy(struct klog *log); /* to standard error, what nobody has taken */
void klog_print_tail(const struct klog *log); /* to standard error, with a heading */
