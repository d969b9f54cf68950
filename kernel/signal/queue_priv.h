/*
 * queue_priv.h: pending signals of one thread, or of the process: a set and the details.
 *
 * The details are an array on the kernel heap, in order of arrival, ended by a free slot or by the
 * array's end; it is made and grown when needed. Each timer has at most one entry, and so have
 * all other senders of a standard signal together.
 * Locking: the caller holds LOCK_SIGNAL.
 */
#pragma once

#include "kernel/signal/signal.h"

/* False: pending, but its details found no memory. */
bool signal_queue_add(uint64_t *pending, struct signal_info **list, const struct signal_info *info);
/* Takes the oldest of that number; it stays pending while there are more. */
void signal_queue_take(uint64_t *pending, struct signal_info *list, int signo,
	struct signal_info *out);
void signal_queue_free(struct signal_info *list); /* may be NULL */
/* A place that counts against the limit; false: there is none left. */
bool signal_queue_reserve(void) must_check;
void signal_queue_unreserve(void);
void signal_queue_drop(uint64_t *pending, struct signal_info *list, int signo); /* all of it */
