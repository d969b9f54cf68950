/*
 * lock.h: advisory locks: flock (whole file) and record locks (POSIX and OFD ones).
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"

enum lock_kind { LOCK_KIND_FLOCK, LOCK_KIND_RECORD };

struct lock_range {
	uint64_t first, last; /* bytes; last is included */
	bool exclusive;
	bool of_process; /* a POSIX lock, owned by the process: never in its own way */
};

/* Sets a lock of f on its node; an older one of the same owner is replaced where they overlap.
 * wait: until it can be had (-ERESTARTSYS); else -EAGAIN. -ENOMEM. */
int lock_set(struct file *f, enum lock_kind kind, const struct lock_range *r, bool wait) must_check;
int lock_clear(struct file *f, enum lock_kind kind, const struct lock_range *r) must_check;
/* The first lock that is in the way of r: true and *r is that lock. */
bool lock_test(struct file *f, struct lock_range *r);

void lock_file_closed(struct file *f); /* last close of the description */
void lock_descriptor_closed(struct file *f); /* any descriptor of the node: POSIX locks go */
void lock_inode_freed(struct inode *i);
