/*
 * inotify.h: queues of what happens to watched nodes. Masks are Linux's IN_* bits.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"

int inotify_create(uint32_t flags, struct file **out) must_check; /* -ENOMEM */
bool file_is_inotify(const struct file *f);
/* Watches i, or changes its mask. The watch's number. -EEXIST (IN_MASK_CREATE), -ENOMEM. */
int inotify_add(struct file *f, struct inode *i, uint32_t mask) must_check;
int inotify_remove(struct file *f, int watch) must_check; /* -EINVAL: no such watch */

/* ------------------------------------------------------------------ for those who change things
 *
 * They cost one test while nothing is watched. The first two: under the tree's lock. */
/* A name of dir: IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO. i is what it names. */
void inotify_name_locked(struct inode *dir, const char *name, size_t len, const struct inode *i,
	uint32_t mask, uint32_t cookie);
/* The node itself, for its own watches: IN_MOVE_SELF, IN_ATTRIB. */
void inotify_self_locked(struct inode *i, uint32_t mask);
/* The node, for its own watches and for those of the directories it has names in. No lock. */
void inotify_touch(struct inode *i, uint32_t mask);
uint32_t inotify_next_cookie(void);
void inotify_inode_freed(struct inode *i); /* the last reference went: IN_DELETE_SELF */
