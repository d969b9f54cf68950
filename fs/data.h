/*
 * data.h: the contents of regular files: one page cache per file, shared by read, write and mmap.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"

#ifndef F_SEAL_EXEC /* younger than some copies of the headers: Linux include/uapi/linux/fcntl.h */
#define F_SEAL_EXEC 0x0020
#endif

/* Bytes moved, 0 at the end; -EFAULT. Sleeps. */
long data_read(struct inode *i, struct uio *u, uint64_t offset_bytes) must_check;
/* append: at the end, whatever offset says; *end is where it stopped. -ENOSPC, -EFBIG, -EPERM
 * (seals). */
long data_write(struct inode *i, struct uio *u, uint64_t offset_bytes, bool append,
	uint64_t *end) must_check;
int data_truncate(struct inode *i, int64_t bytes) must_check;
/* fallocate: makes pages; keep_size: the size stays. -ENOSPC. */
int data_allocate(struct inode *i, uint64_t offset_bytes, uint64_t bytes,
	bool keep_size) must_check;
/* Zeroes; whole pages are given back, wherever they are mapped. -EPERM (seals), -ENOSPC. */
int data_make_hole(struct inode *i, uint64_t offset_bytes, uint64_t bytes) must_check;
uint64_t data_size(struct inode *i);
/* A mapping is going to be made; somebody opens the file to write: see enum data_mapping. */
void data_note_mapping(struct inode *i, bool shared);
void data_note_writer(struct inode *i);
/* SEEK_DATA (data true) and SEEK_HOLE; -ENXIO beyond the end. */
int64_t data_seek(struct inode *i, uint64_t from, bool data);
/* -EPERM: sealed against it; -EBUSY: F_SEAL_WRITE while a mapping can write. */
int data_add_seals(struct inode *i, uint32_t seals) must_check;
