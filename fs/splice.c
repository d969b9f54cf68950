/*
 * splice.c: bytes between pipes and other files.
 *
 * What:       the other file reads into the pipe's pages, or writes from them: one copy less than
 *             the program would need, and none through its memory.
 * Invariants: (1) nothing is lost: what the receiver does not take stays where it was. A file is
 *             read only when the pipe has room for what comes.
 * Locking:    none of its own. While a file is read or written, the pipe has a busy writer or
 *             reader: others of its kind wait, as on Linux.
 * Failure:    -EAGAIN, -EPIPE, what the file says.
 * Source:     splice(2), tee(2), vmsplice(2); Linux fs/splice.c for when a call stops early.
 */
#include "fs/splice.h"

#include <linux/eventpoll.h>

#include "base/errno.h"
#include "base/units.h"
#include "lib/string.h"

struct file_end {
	struct file *file;
	int64_t *at;
	bool again; /* not the first piece */
};

static void move_along(struct file_end *e, long n)
{
	if (n > 0 && *e->at != FILE_AT_POSITION)
		*e->at += n;
	e->again = true;
}

/* After the first piece only what is there at once: a stream that waits would hold back what the
 * pipe already has. */
static long read_piece(void *buf, uint64_t bytes, void *arg)
{
	struct file_end *e = arg;
	struct uio u;
	long n;

	if (e->again && e->file->ops->poll && !(e->file->ops->poll(e->file) & EPOLLIN))
		return 0;
	uio_init_kernel(&u, buf, bytes);
	n = file_read(e->file, &u, *e->at);
	move_along(e, n);
	return n;
}

static long write_piece(void *buf, uint64_t bytes, void *arg)
{
	struct file_end *e = arg;
	struct uio u;
	long n;

	uio_init_kernel(&u, buf, bytes);
	n = file_write(e->file, &u, *e->at);
	move_along(e, n);
	return n;
}

long splice_from_file(struct file *in, int64_t *at, struct pipe *out, uint64_t bytes, bool nonblock)
{
	struct file_end e = { .file = in, .at = at };

	return pipe_fill(out, bytes, nonblock, read_piece, &e);
}

long splice_to_file(struct pipe *in, struct file *out, int64_t *at, uint64_t bytes, bool nonblock)
{
	struct file_end e = { .file = out, .at = at };

	return pipe_drain(in, bytes, nonblock, false, write_piece, &e);
}

/* ------------------------------------------------------------------ from pipe to pipe */

/* Where the next byte comes from. */
struct source {
	const char *from;
};

static long copy_piece(void *buf, uint64_t bytes, void *arg)
{
	struct source *s = arg;

	memcpy(buf, s->from, bytes);
	s->from += bytes;
	return (long)bytes;
}

/* (1): what fits at once; the rest stays. */
static long push_piece(void *buf, uint64_t bytes, void *arg)
{
	struct source s = { buf };
	uint64_t done = 0;

	while (done < bytes) {
		/* One byte at least has to fit, not all of a small piece. */
		long n = pipe_fill(arg, MIN(bytes - done, pipe_room(arg)), true, copy_piece, &s);

		if (n <= 0)
			return done ? (long)done : n;
		done += (uint64_t)n;
	}
	return (long)done;
}

long splice_between_pipes(struct pipe *in, struct pipe *out, uint64_t bytes, bool nonblock,
	bool keep)
{
	for (;;) {
		long n = pipe_drain(in, bytes, nonblock, keep, push_piece, out);

		/* The second pipe was full, and the first is not held while it is waited for. */
		if (n != -EAGAIN || nonblock)
			return n;
		n = pipe_wait_room(out);
		if (n < 0)
			return n;
	}
}

/* ------------------------------------------------------------------ the program's memory */

static long piece_from_uio(void *buf, uint64_t bytes, void *arg)
{
	return uio_copy_from(arg, buf, bytes);
}

static long piece_to_uio(void *buf, uint64_t bytes, void *arg)
{
	return uio_copy_to(arg, buf, bytes);
}

long splice_memory(struct pipe *p, struct uio *u, bool to_pipe, bool nonblock)
{
	long done = 0;

	while (u->left_bytes > 0) {
		long n = to_pipe
			? pipe_fill(p, u->left_bytes, nonblock || done, piece_from_uio, u)
			: pipe_drain(p, u->left_bytes, nonblock || done, false, piece_to_uio, u);

		if (n <= 0)
			return done ? done : n;
		done += n;
	}
	return done;
}
