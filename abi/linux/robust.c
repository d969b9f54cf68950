/*
 * robust.c: locks whose owner ends without giving them back.
 *
 * What:       a C library lists the futexes that a thread owns, in the thread's own memory. When
 *             the thread ends, each of them that still carries its number is marked
 *             FUTEX_OWNER_DIED, and one waiter is woken. Go has no such list, so the ends of its
 *             threads do not come here.
 * Invariants: (1) the list is the program's and may be anything: every access may fail, and it ends
 *             after ROBUST_LIST_LIMIT entries.
 * Locking:    none held; touching the program's memory may sleep.
 * Failure:    a bad pointer ends the walk, as on Linux.
 * Source:     get_robust_list(2); Linux Documentation/locking/robust-futexes.rst.
 */
#include <linux/futex.h>

#include "abi/linux/sysargs.h"
#include "abi/linux/thread_priv.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/futex.h"

STATIC_ASSERT(sizeof(struct robust_list_head) == 24, "robust_list_head");

#define PI_BIT 1ul /* of an entry's address: a lock with priority inheritance */

long sys_set_robust_list(const struct sysargs *a)
{
	if (a->arg[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	thread_current()->robust_ua = a->arg[0];
	return 0;
}

struct robust_look {
	int32_t tid;
	uint64_t head_ua;
};

static bool read_head(struct thread *t, void *arg)
{
	struct robust_look *l = arg;

	if (t->tid != l->tid)
		return false;
	l->head_ua = t->robust_ua;
	return true;
}

long sys_get_robust_list(const struct sysargs *a)
{
	struct robust_look l = { .tid = sysarg_int(a, 0) };

	if (!l.tid)
		l.tid = thread_current()->tid;
	if (!thread_find(read_head, &l))
		return -ESRCH;
	if (user_store_u64(a->arg[2], sizeof(struct robust_list_head)) ||
		user_store_u64(a->arg[1], l.head_ua))
		return -EFAULT;
	return 0;
}

/* The lock whose word is at ua, if it is tid's. pending: it was being taken or given back. */
static int owner_died(uaddr_t ua, int32_t tid, bool pi, bool pending)
{
	uint32_t word, seen;

	if (ua & 3)
		return -EINVAL;
	if (user_load_u32(&seen, ua))
		return -EFAULT;
	if (pending && !pi && !(seen & FUTEX_TID_MASK)) {
		/* given back already, but the waiter not woken yet */
		futex_wake(ua, 1, FUTEX_BITSET_MATCH_ANY);
		return 0;
	}
	do {
		word = seen;
		if ((word & FUTEX_TID_MASK) != (uint32_t)tid)
			return 0;
		if (user_cas_u32(ua, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return -EFAULT;
	} while (seen != word);
	if (!pi && (word & FUTEX_WAITERS))
		futex_wake(ua, 1, FUTEX_BITSET_MATCH_ANY);
	return 0;
}

static void walk(uaddr_t head_ua, int32_t tid)
{
	struct robust_list_head head;
	uint64_t entry, next, pending;

	if (user_copy_in(&head, head_ua, sizeof(head)))
		return;
	entry = (uint64_t)head.list.next;
	pending = (uint64_t)head.list_op_pending;
	for (unsigned i = 0; i < ROBUST_LIST_LIMIT && (entry & ~PI_BIT) != head_ua; i++) { /* (1) */
		/* before the lock is given away: the next owner may change it */
		bool last = user_load_u64(&next, entry & ~PI_BIT);

		if (entry != pending &&
			owner_died((entry & ~PI_BIT) + (uint64_t)head.futex_offset, tid,
				entry & PI_BIT, false))
			return;
		if (last)
			return;
		entry = next;
	}
	if (pending)
		(void)owner_died((pending & ~PI_BIT) + (uint64_t)head.futex_offset, tid,
			pending & PI_BIT, true);
}

void linux_robust_exit(struct thread *t)
{
	if (t->robust_ua)
		walk(t->robust_ua, t->tid);
	t->robust_ua = 0;
}
