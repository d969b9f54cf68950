/*
 * logring.c: the guest's log ring, as it lay in its memory when the machine was lost.
 *
 * What:       the guest may have died while it wrote: what is not whole ends the reading. A line
 *             carries its time, so one that the tail holds already came through the channel.
 * Invariants: (1) no read outside data.
 * Locking:    none; the command has one thread.
 * Failure:    no lines.
 * Source:     include/gosolo_abi.h, struct gosolo_log_ring.
 */
#include "cli/logring.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/gosolo_abi.h"

enum { LINE_MAX_BYTES = 1024 };

struct ring {
	struct gosolo_log_ring head;
	const uint8_t *bytes;
};

static void ring_read(const struct ring *r, uint64_t at, void *out, size_t n)
{
	uint8_t *to = out;

	for (size_t i = 0; i < n; i++)
		to[i] = r->bytes[(at + i) % r->head.ring_bytes]; /* (1) */
}

static bool is_ring(const struct ring *r, size_t bytes)
{
	const struct gosolo_log_ring *h = &r->head;

	return memcmp(h->magic, GOSOLO_LOG_MAGIC, sizeof(h->magic)) == 0 && h->ring_bytes &&
		h->ring_bytes <= bytes - sizeof(*h) && h->first <= h->end &&
		h->end - h->first <= h->ring_bytes;
}

size_t logring_take(struct klog *log, const uint8_t *data, size_t bytes)
{
	struct ring r = { .bytes = data + sizeof(r.head) };
	struct gosolo_log_record record;
	char line[LINE_MAX_BYTES];
	size_t count = 0;

	if (bytes <= sizeof(r.head))
		return 0;
	memcpy(&r.head, data, sizeof(r.head));
	if (!is_ring(&r, bytes))
		return 0;
	for (uint64_t at = r.head.first; r.head.end - at > sizeof(record);) {
		ring_read(&r, at, &record, sizeof(record));
		at += sizeof(record);
		if (record.bytes > r.head.end - at || record.bytes > sizeof(line))
			break;
		ring_read(&r, at, line, record.bytes);
		at += record.bytes;
		if (record.bytes && !klog_has(log, line, record.bytes)) {
			klog_add_line(log, record.level, line, record.bytes);
			count++;
		}
	}
	return count;
}

void logring_take_file(struct klog *log, int fd, size_t bytes)
{
	uint8_t *data = mem_alloc(bytes);
	ssize_t n = pread(fd, data, bytes, 0);

	if (n > 0)
		(void)logring_take(log, data, (size_t)n);
	free(data);
}
