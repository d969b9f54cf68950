/*
 * fsargs.h: path and vector arguments of system calls.
 */
#pragma once

#include "abi/linux/sysargs.h"
#include "fs/vfs.h"

/* A path from the program and where it starts. Ends with fsargs_path_put. */
struct fsargs_path {
	struct vfs_at at;
	char *text; /* VFS_PATH_MAX bytes */
};

/* dirfd: AT_FDCWD or a directory. empty_ok (AT_EMPTY_PATH): the empty path is dirfd itself, which
 * may be any file: at.path is then "" and the caller uses the descriptor.
 * -EFAULT -ENAMETOOLONG -ENOENT (empty) -EBADF -ENOTDIR -ENOMEM; nothing is held on an error. */
int fsargs_path_get(int dirfd, uaddr_t path_ua, bool empty_ok, struct fsargs_path *p) must_check;
/* The node of dirfd, with a reference; NULL for AT_FDCWD. any_file: it need not be a directory. */
int fsargs_base_get(int dirfd, bool any_file, struct inode **base) must_check;
void fsargs_path_put(struct fsargs_path *p);

/* The node that a call with (dirfd, path, AT_* flags) means, with a reference. */
int fsargs_inode_get(int dirfd, uaddr_t path_ua, uint32_t at_flags, bool follow,
	struct inode **out) must_check;

/* The node of a descriptor that is not O_PATH's (-EBADF), with a reference; no_node: the error for
 * pipes, sockets and the like. */
int fsargs_fd_inode_get(int fd, int no_node, struct inode **out) must_check;

/* One system call's data: Linux moves at most this much in a call. */
#define FSARGS_BYTES_MAX 0x7ffff000ul

/* A struct iovec[] of the program, cut to FSARGS_BYTES_MAX in all. Ends with fsargs_vector_put. */
#define FSARGS_RANGES_ON_STACK 16u
struct fsargs_vector {
	struct uio_range on_stack[FSARGS_RANGES_ON_STACK], *ranges;
	uint32_t count;
};
/* -EINVAL: too many, or a negative length; -EFAULT; -ENOMEM. */
int fsargs_vector_get(uaddr_t iov_ua, uint64_t count, struct fsargs_vector *v) must_check;
void fsargs_vector_put(struct fsargs_vector *v);
