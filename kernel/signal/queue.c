/*
 * queue.c: pending signals and their details.
 *
 * What:       see queue_priv.h. A standard signal that is already pending stays one; real-time
 *             signals queue up, and so do those of timers: what a timer sends again only counts,
 *             or, when it was set meanwhile, is as if it had sent the first one now.
 * Invariants: (1) entries are dense: the first free slot ends the list. (2) an entry's bit is set
 *             in the pending set; a bit without entry means no details. (3) the limit holds for
 *             all lists together, and what the kernel sends goes beyond it.
 * Locking:    LOCK_SIGNAL, the caller's; LOCK_KMEM inside.
 * Failure:    no memory, or QUEUE_MAX entries, or (3): the signal is pending without details.
 * Source:     signal(7), timer_getoverrun(2).
 */
#include <asm/signal.h>

#include <stdatomic.h>

#include "base/assert.h"
#include "kernel/mm/kmem.h"
#include "kernel/signal/queue_priv.h"
#include "lib/string.h"

enum { QUEUE_FIRST = 4, QUEUE_MAX = 1024 };

/* (3) */
static struct {
	uint32_t used; /* LOCK_SIGNAL: entries of all lists, and what is reserved */
	_Atomic uint32_t limit; /* [a] */
} queue = { .limit = SIGNALS_QUEUED_MAX };

static bool is_full(void)
{
	return queue.used >= atomic_load_explicit(&queue.limit, memory_order_relaxed);
}

static size_t capacity(const struct signal_info *list)
{
	return list ? kmem_usable_bytes(list) / sizeof(*list) : 0;
}

static size_t length(const struct signal_info *list)
{
	size_t n = 0, max = capacity(list);

	while (n < max && list[n].signo)
		n++;
	return n;
}

/* Standard signals of the kernel and of kill; a timer has its place since it was made. */
static bool ignores_limit(const struct signal_info *info)
{
	return info->timer_setting || (info->signo < SIGRTMIN && info->code >= 0);
}

static bool append(struct signal_info **list, const struct signal_info *info)
{
	size_t used = length(*list), had = capacity(*list), want = had ? had * 2 : QUEUE_FIRST;
	struct signal_info *bigger;

	if (!ignores_limit(info) && is_full())
		return false;
	if (used == had) {
		if (want > QUEUE_MAX)
			return false;
		bigger = kmem_realloc(*list, want * sizeof(*bigger));
		if (!bigger)
			return false;
		*list = bigger;
		had = capacity(bigger);
		memset(bigger + used, 0, (had - used) * sizeof(*bigger)); /* (1) */
	}
	if (NEVER(!*list))
		return false;
	(*list)[used] = *info;
	queue.used++;
	return true;
}

/* False: the timer's signal is not pending. */
static bool merge_timer(struct signal_info *list, const struct signal_info *info)
{
	size_t n = length(list), i = 0;

	while (i < n &&
		(list[i].signo != info->signo || !list[i].timer_setting ||
			list[i].timer_id != info->timer_id))
		i++;
	if (i == n)
		return false;
	if (list[i].timer_setting == info->timer_setting)
		list[i].overrun = (int32_t)MIN((int64_t)list[i].overrun + 1 + info->overrun,
			(int64_t)INT32_MAX);
	else
		list[i] = *info;
	return true;
}

bool signal_queue_add(uint64_t *pending, struct signal_info **list, const struct signal_info *info)
{
	uint64_t bit = SIGNAL_BIT(info->signo);

	if (*pending & bit &&
		(info->timer_setting ? merge_timer(*list, info) : info->signo < SIGRTMIN))
		return true;
	*pending |= bit;
	return append(list, info);
}

static void remove_at(struct signal_info *list, size_t i, size_t n)
{
	memmove(&list[i], &list[i + 1], (n - i - 1) * sizeof(*list));
	queue.used--;
	memset(&list[n - 1], 0, sizeof(*list));
}

void signal_queue_take(uint64_t *pending, struct signal_info *list, int signo,
	struct signal_info *out)
{
	size_t n = length(list), i = 0;

	*out = (struct signal_info){ .signo = signo };
	*pending &= ~SIGNAL_BIT(signo);
	while (i < n && list[i].signo != signo)
		i++;
	if (i == n)
		return;
	*out = list[i];
	remove_at(list, i, n--);
	for (; i < n; i++)
		if (list[i].signo == signo)
			*pending |= SIGNAL_BIT(signo);
}

void signal_queue_free(struct signal_info *list)
{
	queue.used -= (uint32_t)length(list);
	kmem_free(list);
}

bool signal_queue_reserve(void)
{
	if (is_full())
		return false;
	queue.used++;
	return true;
}

void signal_queue_unreserve(void)
{
	queue.used--;
}

void signal_set_queue_limit(uint32_t limit)
{
	atomic_store_explicit(&queue.limit, limit, memory_order_relaxed);
}

void signal_queue_drop(uint64_t *pending, struct signal_info *list, int signo)
{
	struct signal_info unused;

	while (*pending & SIGNAL_BIT(signo))
		signal_queue_take(pending, list, signo, &unused);
}
