/*
 * lock.c: advisory locks on nodes.
 *
 * What:       a list of ranges per node. The owner of a flock or OFD lock is the description, of
 *             a POSIX lock the process (NULL): with one process those only meet OFD locks.
 * Invariants: (1) ranges of one owner and kind do not overlap. (2) ranges of different owners
 *             overlap only when both are shared.
 * Locking:    locks.lock, LOCK_FS, one for all nodes. Waiting sleeps with WAIT_SIGNALS.
 * Failure:    -EAGAIN, -ENOMEM, -ERESTARTSYS. No deadlock detection: one process can't deadlock
 *             with itself through POSIX locks, and Linux detects none for the other kinds.
 * Source:     flock(2), fcntl(2) "Advisory record locking" and "Open file description locks".
 */
#include "fs/lock.h"

#include "base/errno.h"
#include "base/units.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/waitq.h"

struct held_lock {
	LIST_ENTRY(held_lock) link; /* [locks.lock] */
	const struct file *owner; /* NULL: the process */
	uint64_t first, last;
	enum lock_kind kind;
	bool exclusive;
};

struct lock_list {
	LIST_HEAD(held_locks, held_lock) held; /* [locks.lock] */
};

static struct {
	struct spinlock lock;
	struct waitq waiters; /* [lock] of all nodes: locks are rare */
} locks = { SPINLOCK_INIT(LOCK_FS), { TAILQ_HEAD_INITIALIZER(locks.waiters.waiters) } };

static const struct file *owner_of(const struct file *f, const struct lock_range *r)
{
	return r->of_process ? NULL : f;
}

static struct held_lock *find_conflict_locked(struct inode *i, enum lock_kind kind,
	const struct file *owner, const struct lock_range *r)
{
	struct held_lock *h;

	lock_assert_held(&locks.lock);
	if (!i->locks)
		return NULL;
	LIST_FOREACH(h, &i->locks->held, link) {
		if (h->kind == kind && h->owner != owner && (h->exclusive || r->exclusive) &&
			h->first <= r->last && r->first <= h->last)
			return h;
	}
	return NULL;
}

/* Takes the range out of one lock. spare becomes the end of a lock that is cut in two. */
static void cut_one(struct inode *i, struct held_lock *h, const struct lock_range *r,
	struct held_lock **spare)
{
	if (h->first < r->first && h->last > r->last) {
		struct held_lock *end = *spare;

		*spare = NULL; /* (1): this happens once */
		*end = *h;
		end->first = r->last + 1;
		h->last = r->first - 1;
		LIST_INSERT_HEAD(&i->locks->held, end, link);
	} else if (h->first < r->first) {
		h->last = r->first - 1;
	} else if (h->last > r->last) {
		h->first = r->last + 1;
	} else {
		LIST_REMOVE(h, link);
		kmem_free(h);
	}
}

/* Takes the range out of what owner holds. */
static void cut_locked(struct inode *i, enum lock_kind kind, const struct file *owner,
	const struct lock_range *r, struct held_lock **spare)
{
	struct held_lock *h, *next;

	lock_assert_held(&locks.lock);
	LIST_FOREACH_SAFE(h, &i->locks->held, link, next) {
		if (h->kind == kind && h->owner == owner && h->last >= r->first &&
			r->last >= h->first)
			cut_one(i, h, r, spare);
	}
}

static int make_list_locked(struct inode *i)
{
	if (i->locks)
		return 0;
	i->locks = kmem_zalloc(sizeof(*i->locks));
	return i->locks ? 0 : -ENOMEM;
}

static int wait_free_locked(struct file *f, enum lock_kind kind, const struct lock_range *r,
	bool wait)
{
	while (find_conflict_locked(f->inode, kind, owner_of(f, r), r)) {
		int err = -EAGAIN;

		if (wait)
			err = waitq_wait(&locks.waiters, &locks.lock, TIME_NEVER_NS, WAIT_SIGNALS);
		if (err < 0)
			return err;
	}
	return make_list_locked(f->inode);
}

int lock_set(struct file *f, enum lock_kind kind, const struct lock_range *r, bool wait)
{
	struct held_lock *made = kmem_alloc(sizeof(*made)), *spare = kmem_alloc(sizeof(*spare));
	int err = -ENOMEM;

	if (made && spare) {
		spin_lock(&locks.lock);
		/* An older flock goes first, as on Linux: a conversion is not atomic. */
		if (kind == LOCK_KIND_FLOCK && f->inode->locks)
			cut_locked(f->inode, kind, owner_of(f, r), r, &spare);
		err = wait_free_locked(f, kind, r, wait);
		if (err == 0) {
			cut_locked(f->inode, kind, owner_of(f, r), r, &spare);
			*made = (struct held_lock){ .owner = owner_of(f, r),
				.first = r->first,
				.last = r->last,
				.kind = kind,
				.exclusive = r->exclusive };
			LIST_INSERT_HEAD(&f->inode->locks->held, made, link);
			made = NULL;
		}
		waitq_wake_all(&locks.waiters); /* a conversion to shared may let others in */
		spin_unlock(&locks.lock);
	}
	kmem_free(made);
	kmem_free(spare);
	return err;
}

int lock_clear(struct file *f, enum lock_kind kind, const struct lock_range *r)
{
	struct held_lock *spare = kmem_alloc(sizeof(*spare));

	if (!spare)
		return -ENOMEM;
	spin_lock(&locks.lock);
	if (f->inode->locks) {
		cut_locked(f->inode, kind, owner_of(f, r), r, &spare);
		waitq_wake_all(&locks.waiters);
	}
	spin_unlock(&locks.lock);
	kmem_free(spare);
	return 0;
}

bool lock_test(struct file *f, struct lock_range *r)
{
	const struct held_lock *h;

	spin_lock(&locks.lock);
	h = find_conflict_locked(f->inode, LOCK_KIND_RECORD, owner_of(f, r), r);
	if (h)
		*r = (struct lock_range){ h->first, h->last, h->exclusive, !h->owner };
	spin_unlock(&locks.lock);
	return h != NULL;
}

/* All locks of one owner, of both kinds. */
static void drop_owner(struct inode *i, const struct file *owner)
{
	struct lock_range all = { .last = UINT64_MAX };
	struct held_lock *spare = NULL; /* nothing is cut in two by everything */

	if (!i->locks)
		return; /* set only by somebody who still holds a description: not by us any more */
	spin_lock(&locks.lock);
	cut_locked(i, LOCK_KIND_FLOCK, owner, &all, &spare);
	cut_locked(i, LOCK_KIND_RECORD, owner, &all, &spare);
	waitq_wake_all(&locks.waiters);
	spin_unlock(&locks.lock);
}

void lock_file_closed(struct file *f)
{
	drop_owner(f->inode, f);
}

void lock_descriptor_closed(struct file *f)
{
	drop_owner(f->inode, NULL);
}

void lock_inode_freed(struct inode *i)
{
	kmem_free(i->locks); /* descriptions are gone, and their locks with them */
}
