/*
 * io.h: writing whole pieces to files.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/report.h"

/* Collects pieces at ascending offsets and writes neighbours with one call. Gaps of less than a
 * page are filled with zeros, longer ones become holes. The pieces stay the caller's and must
 * live until io_batch_finish. The first error sticks and is reported by io_batch_finish. */
struct io_batch {
	int fd;
	const char *path; /* for reports */
	int error; /* errno of the first failure */
	size_t count;
	uint64_t begin; /* file offset of the first collected piece */
	uint64_t end; /* file offset past the last collected piece */
	struct io_piece {
		const void *data;
		size_t bytes;
	} pieces[256];
};

void io_batch_add(struct io_batch *batch, const void *data, size_t bytes, uint64_t offset);
int io_batch_finish(struct io_batch *batch) must_check;

/* Reads a whole small file (at most `limit` bytes) as a NUL-terminated string; NULL with errno. */
char *io_read_text(const char *path, size_t limit, size_t *bytes);
