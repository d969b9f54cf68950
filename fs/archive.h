/*
 * archive.h: reads the image's archive (gosolo_abi.h) in place.
 *
 * Every number in it is checked when it is used: a bad one makes the entry not exist.
 * No lock, no allocation, never sleeps.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

struct archive_entry {
	const char *name; /* not NUL-terminated */
	uint32_t name_len;
	uint32_t mode; /* S_IFDIR, S_IFREG or S_IFLNK, and 07777 */
	uint32_t uid, gid;
	uint32_t first_child, child_count; /* directories */
	const uint8_t *data; /* files and links */
	uint64_t size_bytes;
	int64_t mtime_ns;
};

/* Remembers the archive. -EINVAL: header is wrong. NULL or 0 bytes: there is none. */
int archive_init(const void *archive, uint64_t bytes) must_check;
/* -ENOENT: none, or bad. Node 0 is the root directory. */
int archive_get(uint32_t index, struct archive_entry *out) must_check;
/* Child of directory dir by name; -ENOENT. */
int archive_find(uint32_t dir, const char *name, size_t len, uint32_t *index) must_check;
