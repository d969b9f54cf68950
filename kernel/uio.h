/*
 * uio.h: a read's or write's memory: one or more ranges of the program's, or one of the kernel's.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

struct uio_range {
	uaddr_t base;
	uint64_t bytes;
};

struct uio {
	const struct uio_range *ranges; /* current range first; NULL: kernel memory */
	uint32_t range_count; /* ranges left, the current one included */
	uint64_t range_done; /* bytes already used of the current range */
	char *kernel; /* next byte of kernel memory, when ranges is NULL */
	uint64_t left_bytes; /* in all; may be made less: the rest is not touched */
};

void uio_init_range(struct uio *u, const struct uio_range *one); /* one must outlive u */
void uio_init_ranges(struct uio *u, const struct uio_range *ranges, uint32_t count);
void uio_init_kernel(struct uio *u, void *buf, uint64_t bytes);
/* Copy min(n, left) bytes; -EFAULT when one of them is bad, and what was copied is not told: for
 * what is transferred as one, a message or a page of a pipe. May sleep; no lock. */
long uio_copy_all_to(struct uio *u, const void *src, uint64_t n) must_check;
long uio_copy_all_from(struct uio *u, void *dst, uint64_t n) must_check;
/* Copy min(n, left) bytes and advance. May sleep; no lock. Return the bytes copied, which are fewer
 * when a range is bad; -EFAULT when not one byte could be copied. */
long uio_copy_to(struct uio *u, const void *src, uint64_t n) must_check; /* read */
long uio_copy_from(struct uio *u, void *dst, uint64_t n) must_check; /* write */
long uio_zero(struct uio *u, uint64_t n) must_check;
