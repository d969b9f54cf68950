/*
 * pipe_priv.h: a pipe, for fs/pipe.c and fs/pipe_ring.c.
 */
#pragma once

#include "base/units.h"
#include "fs/pipe.h"
#include "kernel/sched/waitq.h"

/* Letters: [I] immutable; [a] atomic; [lock] the pipe's, LOCK_PIPE. (2): see fs/pipe_ring.c. */
struct pipe {
	struct spinlock lock;
	_Atomic uint32_t refs; /* [a] open ends, and the FIFO's inode */
	uint32_t readers, writers; /* [lock] open ends */
	uint64_t opened_read,
		opened_write; /* [lock] ends ever opened: for those who wait in open */
	uint32_t slots; /* [lock] a power of two; changes only while nobody is busy */
	pfn_t *pages; /* (2) PFN_NONE: empty slot */
	uint64_t read_pos, write_pos; /* [lock] */
	bool reader_busy, writer_busy; /* [lock] (2) */
	struct waitq wait_read, wait_write, wait_open; /* [lock] */
	/* As on Linux each end has its own, so that a read is no edge for a reader. Ends that do
	 * both are on the first, which then hears everything. */
	struct pollq pollq_read, pollq_write;
	uint32_t both; /* [lock] open ends that read and write */
	uint64_t inode_number; /* [I] */
	int64_t created_ns; /* [I] */
};

/* What a writer may fill: up to the slot that read_pos is in (1). Caller holds the lock. */
static inline uint64_t pipe_free_bytes(const struct pipe *p)
{
	uint64_t end = ROUND_DOWN(p->read_pos, PAGE_SIZE) + ((uint64_t)p->slots << PAGE_SHIFT);

	return end - p->write_pos;
}

static inline bool pipe_is_writable(const struct pipe *p)
{
	return pipe_free_bytes(p) >= PIPE_ATOMIC_BYTES;
}

long pipe_read(struct file *f, struct uio *u, int64_t offset_bytes);
long pipe_write(struct file *f, struct uio *u, int64_t offset_bytes);
