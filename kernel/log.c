/*
 * log.c: the kernel's messages.
 *
 * What:       each line is stamped, stored in a ring that forgets the oldest, and given to the
 *             sink. While there is none lines wait, for the debug output is slow (an exit of the
 *             machine for each byte); a warning or an error shows there, with all before it.
 * Invariants: (1) records lie back to back from first to end (indices run on, modulo the ring);
 *             none is ever cut. (2) first <= unseen <= end.
 * Locking:    LOCK_LOG around ring and sink. Taken by trying for a bounded time: a line logged by
 *             the sink itself, or after a CPU died with the lock, goes to the debug output.
 * Failure:    none; long lines are cut, old ones forgotten.
 * Source:     none.
 */
#include "kernel/log.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "base/assert.h"
#include "base/types.h"
#include "base/units.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "platform/platform.h"

#define RING_BYTES ((uint64_t)LOG_TEXT_BYTES)
#define LINE_MAX 480u
#define TRIES_MAX (1u << 20)

typedef void sink_fn(enum gosolo_log_level level, const char *line, uint32_t bytes);

static struct {
	struct spinlock lock;
	_Atomic int level; /* [a] lines above it vanish */
	sink_fn *sink; /* [lock] */
	uint64_t unseen; /* [lock] bytes ever: first record that no sink has seen */
} logger = { .lock = SPINLOCK_INIT(LOCK_LOG), .level = GOSOLO_LOG_INFO };

struct log_memory log_memory; /* logger's lock; the host may look at any time */

static void ring_write(uint64_t at, const void *data, uint32_t bytes)
{
	uint64_t start = at & (RING_BYTES - 1), first = MIN(bytes, RING_BYTES - start);

	memcpy(log_memory.ring + start, data, first);
	memcpy(log_memory.ring, (const char *)data + first, bytes - first);
}

static void ring_read(uint64_t at, void *out, uint32_t bytes)
{
	uint64_t start = at & (RING_BYTES - 1), first = MIN(bytes, RING_BYTES - start);

	memcpy(out, log_memory.ring + start, first);
	memcpy((char *)out + first, log_memory.ring, bytes - first);
}

static void prepare_memory_locked(void)
{
	lock_assert_held(&logger.lock);
	log_memory.head.ring_bytes = RING_BYTES;
	memcpy(log_memory.head.magic, GOSOLO_LOG_MAGIC, sizeof(log_memory.head.magic));
}

static void store_locked(enum gosolo_log_level level, const char *line, uint32_t bytes)
{
	struct gosolo_log_record r = { .bytes = (uint16_t)bytes, .level = (uint8_t)level }, old;

	lock_assert_held(&logger.lock);
	if (!log_memory.head.ring_bytes)
		prepare_memory_locked();
	while (log_memory.head.end + sizeof(r) + bytes - log_memory.head.first > RING_BYTES) {
		ring_read(log_memory.head.first, &old, sizeof(old));
		log_memory.head.first += sizeof(old) + old.bytes;
	}
	if (logger.unseen < log_memory.head.first)
		logger.unseen = log_memory.head.first; /* (2) */
	ring_write(log_memory.head.end, &r, sizeof(r));
	ring_write(log_memory.head.end + sizeof(r), line, bytes);
	__asm__ volatile("" ::: "memory"); /* the host sees whole records only */
	log_memory.head.end += sizeof(r) + bytes;
}

static void show_debug(enum gosolo_log_level level unused_arg, const char *line, uint32_t bytes)
{
	platform_debug_write(line, bytes);
	platform_debug_write("\n", 1);
}

static void show_locked(sink_fn *sink)
{
	char line[LINE_MAX];
	struct gosolo_log_record r;

	lock_assert_held(&logger.lock);
	while (logger.unseen < log_memory.head.end) {
		ring_read(logger.unseen, &r, sizeof(r));
		ring_read(logger.unseen + sizeof(r), line, MIN(r.bytes, LINE_MAX));
		logger.unseen += sizeof(r) + r.bytes;
		sink((enum gosolo_log_level)r.level, line, r.bytes);
	}
}

/* line holds LINE_MAX bytes. */
static uint32_t format_line(char *line, const char *format, va_list ap)
{
	uint64_t now_us = clock_now_ns() / NS_PER_US;
	uint32_t stamp, bytes;
	int text;

	stamp = (uint32_t)fmt_snprintf(line, LINE_MAX, "[%5llu.%06llu] ",
		(unsigned long long)(now_us / 1000000), (unsigned long long)(now_us % 1000000));
	text = fmt_vsnprintf(line + stamp, LINE_MAX - stamp, format, ap);
	bytes = text < 0 ? stamp : MIN(stamp + (uint32_t)text, LINE_MAX - 1);
	for (uint32_t i = stamp; i < bytes; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' '; /* a line is a line, whatever a device or file was called */
	return bytes;
}

static bool lock_in_time(void)
{
	for (uint32_t i = 0; i < TRIES_MAX; i++) {
		if (spin_trylock(&logger.lock))
			return true;
		arch_pause();
	}
	return false;
}

void klog(enum gosolo_log_level level, const char *format, ...)
{
	int limit = atomic_load_explicit(&logger.level, memory_order_relaxed);
	char line[LINE_MAX];
	uint32_t bytes;
	va_list ap;

	if ((int)level > limit)
		return;
	va_start(ap, format);
	bytes = format_line(line, format, ap);
	va_end(ap);
	if (!lock_in_time()) {
		show_debug(level, line, bytes);
		return;
	}
	store_locked(level, line, bytes);
	if (logger.sink)
		show_locked(logger.sink);
	else if (level <= GOSOLO_LOG_WARN || limit >= GOSOLO_LOG_DEBUG)
		show_locked(show_debug);
	spin_unlock(&logger.lock);
}

/* A record has a header longer than the newline that it becomes: all of the ring fits its size. */
STATIC_ASSERT(sizeof(struct gosolo_log_record) > 1, "log_copy");

uint32_t log_copy(char *out, uint32_t room)
{
	uint32_t bytes = 0;
	struct gosolo_log_record r;
	uint64_t at;

	spin_lock(&logger.lock);
	at = log_memory.head.first;
	while (at < log_memory.head.end && log_memory.head.end - at > room) {
		ring_read(at, &r, sizeof(r));
		at += sizeof(r) + r.bytes;
	}
	while (at < log_memory.head.end) {
		ring_read(at, &r, sizeof(r));
		ring_read(at + sizeof(r), out + bytes, r.bytes);
		bytes += r.bytes;
		out[bytes++] = '\n';
		at += sizeof(r) + r.bytes;
	}
	spin_unlock(&logger.lock);
	return bytes;
}

void log_set_level(enum gosolo_log_level level)
{
	atomic_store_explicit(&logger.level, (int)level, memory_order_relaxed);
}

void log_set_sink(sink_fn *sink)
{
	spin_lock(&logger.lock);
	logger.sink = sink ? sink : show_debug;
	show_locked(logger.sink);
	spin_unlock(&logger.lock);
}
