/*
 * splice.h: bytes between pipes and other files without a detour through the program.
 *
 * nonblock is about the pipes; other files go by their own flags. All sleep. Results as read(2) and
 * write(2): bytes, 0 at the end of what is read, -errno when nothing was moved.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"
#include "fs/pipe.h"

/* *at: where in the file, moved along; FILE_AT_POSITION: its own position. */
long splice_from_file(struct file *in, int64_t *at, struct pipe *out, uint64_t bytes,
	bool nonblock) must_check;
long splice_to_file(struct pipe *in, struct file *out, int64_t *at, uint64_t bytes,
	bool nonblock) must_check;
/* keep: the bytes stay in the first pipe, too. */
long splice_between_pipes(struct pipe *in, struct pipe *out, uint64_t bytes, bool nonblock,
	bool keep) must_check;
/* The program's memory into a pipe, or a pipe's bytes there. */
long splice_memory(struct pipe *p, struct uio *u, bool to_pipe, bool nonblock) must_check;
