/*
 * pipe.h: pipes, and the pipes behind named FIFOs.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

#define PIPE_ATOMIC_BYTES 4096u /* PIPE_BUF: writes up to this are never interleaved */

struct pipe;

/* Two ends with one reference each. flags: O_NONBLOCK and the like for both. -ENOMEM. */
int pipe_create(uint32_t flags, struct file **read_end, struct file **write_end) must_check;
/* Another description of the same pipe, as opening a FIFO or /proc/self/fd/N gives; flags hold the
 * access mode. Without O_NONBLOCK it waits for the other side when wait_peer. -ENXIO: write-only,
 * O_NONBLOCK, no reader. -ERESTARTSYS. */
int pipe_open(struct pipe *p, uint32_t flags, bool wait_peer, struct file **out) must_check;
int pipe_alloc(struct pipe **out) must_check; /* for a FIFO: no ends yet, one reference */
void pipe_put(struct pipe *p);

bool file_is_pipe(const struct file *f);
struct pipe *file_pipe(const struct file *f); /* file_is_pipe(f) only; no reference */
uint32_t pipe_capacity_bytes(struct pipe *p);
/* Moves bytes to or from buf: how many, which may be fewer, or -errno. May sleep. */
typedef long pipe_mover(void *buf, uint64_t bytes, void *arg);
/* At most max bytes into the pipe, straight from where fill gets them, piece by piece, until it has
 * no more. Waits for room unless nonblock. -EAGAIN; -EPIPE, with the signal; -ERESTARTSYS; -ENOMEM;
 * what fill says when nothing was moved. */
long pipe_fill(struct pipe *p, uint64_t max, bool nonblock, pipe_mover *fill, void *arg) must_check;
/* At most max bytes out of the pipe, straight to where drain puts them; what it does not take
 * stays. 0: the writers are gone. keep: all stays (tee). Otherwise as pipe_fill. */
long pipe_drain(struct pipe *p, uint64_t max, bool nonblock, bool keep, pipe_mover *drain,
	void *arg) must_check;
uint64_t pipe_room(struct pipe *p); /* bytes that fit now, but 1 at least */
int pipe_wait_room(struct pipe *p) must_check; /* for one byte, or no reader; -ERESTARTSYS */
/* Rounded up to a power of two of pages. -EBUSY: holds more; -EINVAL; -ENOMEM. */
long pipe_set_capacity(struct pipe *p, uint64_t bytes) must_check;
