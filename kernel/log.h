/*
 * log.h: the kernel's messages: a ring that is kept, and sinks that see each line.
 */
#pragma once

#include <stdarg.h>

#include "base/compiler.h"
#include "gosolo_abi.h"

/* One line, without newline. Any context, any lock held. Levels: enum gosolo_log_level. */
void klog(enum gosolo_log_level level, const char *format, ...) printf_like(2, 3);
#define log_error(...) klog(GOSOLO_LOG_ERROR, __VA_ARGS__)
#define log_warn(...) klog(GOSOLO_LOG_WARN, __VA_ARGS__)
#define log_info(...) klog(GOSOLO_LOG_INFO, __VA_ARGS__)
#define log_debug(...) klog(GOSOLO_LOG_DEBUG, __VA_ARGS__)

void log_set_level(enum gosolo_log_level level);
/* The sink gets every line that passes the level, and at once all lines of the ring that nobody has
 * seen; NULL: the platform's debug output. Called under LOCK_LOG: it must not log, sleep or take a
 * lock but LOCK_OUTBOX. Before the first call lines wait in the ring, until a warning or an error
 * (or level debug) shows them all on the debug output. */
void log_set_sink(void (*sink)(enum gosolo_log_level level, const char *line, uint32_t bytes));
/* The lines that the ring still has, each with a newline; the oldest are left out when they do not
 * fit. Bytes written. LOG_TEXT_BYTES has room for all. No lock held; out is the kernel's. */
#define LOG_TEXT_BYTES (32u << 10) /* a power of two */
uint32_t log_copy(char *out, uint32_t room);

/* The ring, for the host to find in our memory: log.c only. */
struct log_memory {
	struct gosolo_log_ring head;
	char ring[LOG_TEXT_BYTES];
};
extern struct log_memory log_memory;
