/*
 * io.c: writing whole pieces to files.
 *
 * What:       a gathering writer: hundreds of small files of an archive become a few pwritev
 *             calls, and what lies between distant pieces is never written at all.
 * Invariants: (1) pieces in the batch are contiguous: begin + their sizes = end.
 * Locking:    none; the command has one thread.
 * Failure:    the first errno is kept; io_batch_finish reports it as 125.
 * Source:     pwritev(2).
 */
#include "cli/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/mem.h"
#include "include/gosolo_abi.h"

enum { GAP_BYTES_MAX = 4096 };

static const uint8_t zeros[GAP_BYTES_MAX];

static void flush(struct io_batch *batch)
{
	struct iovec vec[sizeof(batch->pieces) / sizeof(batch->pieces[0])];
	size_t first = 0;

	for (size_t i = 0; i < batch->count; i++)
		vec[i] = (struct iovec){ (void *)(uintptr_t)batch->pieces[i].data,
			batch->pieces[i].bytes };
	while (first < batch->count && !batch->error) {
		ssize_t n = pwritev(batch->fd, vec + first, (int)(batch->count - first),
			(off_t)batch->begin);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			batch->error = n < 0 ? errno : EIO;
			break;
		}
		batch->begin += (uint64_t)n;
		while (first < batch->count && (size_t)n >= vec[first].iov_len)
			n -= (ssize_t)vec[first++].iov_len;
		if (first < batch->count) {
			vec[first].iov_base = (uint8_t *)vec[first].iov_base + n;
			vec[first].iov_len -= (size_t)n;
		}
	}
	batch->count = 0;
}

static void append(struct io_batch *batch, const void *data, size_t bytes)
{
	batch->pieces[batch->count].data = data;
	batch->pieces[batch->count++].bytes = bytes;
	batch->end += bytes;
}

void io_batch_add(struct io_batch *batch, const void *data, size_t bytes, uint64_t offset)
{
	const size_t room = sizeof(batch->pieces) / sizeof(batch->pieces[0]);

	if (bytes == 0)
		return;
	if (batch->count + 2 > room ||
		(batch->count && (offset < batch->end || offset - batch->end > GAP_BYTES_MAX)))
		flush(batch);
	if (batch->count == 0)
		batch->begin = batch->end = offset;
	if (offset > batch->end)
		append(batch, zeros, offset - batch->end);
	append(batch, data, bytes);
}

int io_batch_finish(struct io_batch *batch)
{
	flush(batch);
	if (batch->error)
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be written: %s", batch->path,
			strerror(batch->error));
	return 0;
}

char *io_read_text(const char *path, size_t limit, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	char *text;

	if (fd < 0)
		return NULL;
	text = mem_alloc(limit + 1);
	while (done < limit) {
		ssize_t n = read(fd, text + done, limit - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int error = errno;

			free(text);
			close(fd);
			errno = error;
			return NULL;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	close(fd);
	text[done] = 0;
	if (bytes)
		*bytes = done;
	return text;
}
