/*
 * fdtable.h: the process's file descriptors: small integers to open files.
 *
 * Locking: LOCK_FDTABLE inside. Lowest free number first (POSIX).
 */
#pragma once

#include "fs/file.h"

#define FDTABLE_LIMIT 1048576u /* the most there can be: /proc/sys/fs/nr_open */

/* RLIMIT_NOFILE: new descriptors are below soft. Both start as FDTABLE_LIMIT, which they never
 * exceed. */
struct fdtable_limits {
	uint32_t soft, hard;
};

void fdtable_init(void);
struct fdtable_limits fdtable_limits(void);
void fdtable_set_limits(struct fdtable_limits l);
/* Takes the caller's reference of f on success. min: lowest number allowed. -EMFILE, -ENOMEM. */
int fdtable_install(struct file *f, uint32_t min, bool close_on_exec, int *fd) must_check;
/* A number that nobody else gets, for what may not be begun without; -EMFILE, -ENOMEM. */
int fdtable_reserve(bool close_on_exec, int *fd) must_check;
/* Opens it: takes the caller's reference of f. NULL: gives it back. */
void fdtable_settle(int fd, struct file *f);
/* dup2: old one is closed; -EBUSY: reserved */
int fdtable_install_at(struct file *f, uint32_t fd, bool close_on_exec) must_check;
/* The file with a reference for the caller; -EBADF. */
int fdtable_get(int fd, struct file **out) must_check;
int fdtable_get_open(int fd, struct file **out) must_check; /* the same; -EBADF for O_PATH too */
/* What is behind fd: the node of the tree, or, when it has none, the file; with a reference, the
 * other is NULL. So nobody who holds the tree's lock gets the last reference of a file that has a
 * node. */
int fdtable_get_node(int fd, struct inode **node, struct file **file) must_check;
int fdtable_close(int fd) must_check; /* -EBADF */
/* dup2, dup3: new_fd refers to old_fd's file; what was open there is closed. -EBADF, -ENOMEM,
 * -EBUSY. */
int fdtable_dup_at(int old_fd, uint32_t new_fd, bool close_on_exec) must_check;
int fdtable_get_flags(int fd) must_check; /* FD_CLOEXEC or 0; -EBADF */
int fdtable_set_flags(int fd, bool close_on_exec) must_check;
/* Numbers that the table has room for, as Linux's table grows (fs/file.c: alloc_fdtable): select
 * looks at no more, and /proc/self/status tells it as FDSize. */
uint32_t fdtable_size(void);
/* Smallest open fd >= from, or -1: for /proc/self/fd and close_range. */
int fdtable_next(int from);
