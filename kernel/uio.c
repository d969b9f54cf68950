/*
 * uio.c: walks the ranges of a read or write.
 *
 * What:       one cursor over the program's ranges, or over kernel memory; each copy advances it
 *             by what was really moved.
 * Invariants: (1) left_bytes is at most what the ranges still hold, less range_done.
 * Locking:    none; the uio belongs to one call. May sleep (page faults).
 * Failure:    -EFAULT only when nothing could be moved; else the short count.
 * Source:     the contract in uio.h; Linux's iov_iter for the short counts.
 */
#include "kernel/uio.h"

#include "arch/arch.h"
#include "base/errno.h"
#include "base/units.h"
#include "lib/string.h"

enum uio_direction { UIO_TO, UIO_FROM, UIO_ZERO };

void uio_init_range(struct uio *u, const struct uio_range *one)
{
	uio_init_ranges(u, one, 1);
}

void uio_init_ranges(struct uio *u, const struct uio_range *ranges, uint32_t count)
{
	*u = (struct uio){ .ranges = ranges, .range_count = count };
	for (uint32_t i = 0; i < count; i++)
		u->left_bytes += ranges[i].bytes;
}

void uio_init_kernel(struct uio *u, void *buf, uint64_t bytes)
{
	*u = (struct uio){ .kernel = buf, .left_bytes = bytes };
}

static int move(uaddr_t ua, char *kernel, uint64_t n, enum uio_direction dir)
{
	if (dir == UIO_TO)
		return user_copy_out(ua, kernel, n);
	if (dir == UIO_FROM)
		return user_copy_in(kernel, ua, n);
	return user_zero(ua, n);
}

/* The piece as a whole; when that faults, page by page to learn how far it is good. */
static uint64_t move_piece(uaddr_t ua, char *kernel, uint64_t n, enum uio_direction dir)
{
	uint64_t done = 0;

	if (move(ua, kernel, n, dir) == 0)
		return n;
	while (done < n) {
		uint64_t step = MIN(n - done, PAGE_SIZE - ((ua + done) & PAGE_MASK));

		if (move(ua + done, kernel ? kernel + done : NULL, step, dir) != 0)
			break;
		done += step;
	}
	return done;
}

static long kernel_copy(struct uio *u, char *kernel, uint64_t n, enum uio_direction dir)
{
	if (dir == UIO_TO)
		memcpy(u->kernel, kernel, n);
	else if (dir == UIO_FROM)
		memcpy(kernel, u->kernel, n);
	else
		memset(u->kernel, 0, n);
	u->kernel += n;
	u->left_bytes -= n;
	return (long)n;
}

static void skip_full_ranges(struct uio *u)
{
	while (u->range_count > 0 && u->range_done == u->ranges->bytes) {
		u->ranges++;
		u->range_count--;
		u->range_done = 0;
	}
}

static long copy(struct uio *u, char *kernel, uint64_t n, enum uio_direction dir)
{
	uint64_t done = 0;

	n = MIN(n, u->left_bytes);
	if (!u->ranges)
		return kernel_copy(u, kernel, n, dir);
	while (done < n) {
		uint64_t want, got;

		skip_full_ranges(u);
		want = MIN(n - done, u->ranges->bytes - u->range_done);
		got = move_piece(u->ranges->base + u->range_done, kernel ? kernel + done : NULL,
			want, dir);
		u->range_done += got;
		u->left_bytes -= got;
		done += got;
		if (got < want)
			return done ? (long)done : -EFAULT;
	}
	return (long)done;
}

long uio_copy_to(struct uio *u, const void *src, uint64_t n)
{
	/* The same walk serves both directions; UIO_TO only reads through the pointer. */
	return copy(u, (char *)(uintptr_t)src, n, UIO_TO);
}

long uio_copy_from(struct uio *u, void *dst, uint64_t n)
{
	return copy(u, dst, n, UIO_FROM);
}

long uio_copy_all_to(struct uio *u, const void *src, uint64_t n)
{
	n = MIN(n, u->left_bytes);
	return uio_copy_to(u, src, n) == (long)n ? (long)n : -EFAULT;
}

long uio_copy_all_from(struct uio *u, void *dst, uint64_t n)
{
	n = MIN(n, u->left_bytes);
	return uio_copy_from(u, dst, n) == (long)n ? (long)n : -EFAULT;
}

long uio_zero(struct uio *u, uint64_t n)
{
	return copy(u, NULL, n, UIO_ZERO);
}
