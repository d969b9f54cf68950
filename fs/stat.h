/*
 * stat.h: what stat(2) tells about a file, in neutral form.
 */
#pragma once

#include "base/types.h"

struct file_stat {
	uint64_t device, inode;
	uint32_t mode; /* S_IF* and 07777, Linux values */
	uint32_t links, uid, gid;
	uint64_t special_device; /* rdev */
	uint64_t size_bytes, allocated_bytes;
	uint32_t block_bytes;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
};
