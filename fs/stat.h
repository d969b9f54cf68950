/*
 * stat.h: what stat(2) tells about a file, in neutral form.
 */
#pragma once

#include "base/types.h"

/* Linux's values; <linux/stat.h> gives them only when no libc header has been seen before. */
#ifndef S_IFMT
#define S_IFMT 0170000u
#define S_IFSOCK 0140000u
#define S_IFLNK 0120000u
#define S_IFREG 0100000u
#define S_IFBLK 0060000u
#define S_IFDIR 0040000u
#define S_IFCHR 0020000u
#define S_IFIFO 0010000u
#define S_ISUID 04000u
#define S_ISGID 02000u
#define S_ISVTX 01000u
#define S_ISLNK(m) (((m)&S_IFMT) == S_IFLNK)
#define S_ISREG(m) (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m) (((m)&S_IFMT) == S_IFDIR)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#endif

struct file_stat {
	uint64_t device, inode;
	uint32_t mode; /* S_IF* and 07777, Linux values */
	uint32_t links, uid, gid;
	uint64_t special_device; /* rdev */
	uint64_t size_bytes, allocated_bytes;
	uint32_t block_bytes;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
};
