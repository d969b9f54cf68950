/*
 * mutex.c: a flag, a queue and the spinlock that guards both.
 *
 * What:       serialises long operations on one file or one inode.
 * Invariants: (1) busy is true exactly between lock and unlock.
 * Locking:    m->lock, LOCK_FS, never held by the caller's work. lock sleeps, unlock does not.
 * Failure:    none.
 * Source:     none.
 */
#include "fs/mutex.h"

#include "base/assert.h"
#include "base/units.h"

void fs_mutex_init(struct fs_mutex *m)
{
	spinlock_init(&m->lock, LOCK_FS);
	waitq_init(&m->waiters);
	m->busy = false;
}

void fs_mutex_lock(struct fs_mutex *m)
{
	spin_lock(&m->lock);
	while (m->busy) {
		int r = waitq_wait(&m->waiters, &m->lock, TIME_NEVER_NS, 0);

		ASSERT(r == 0); /* neither a deadline nor signals were asked for */
	}
	m->busy = true;
	spin_unlock(&m->lock);
}

void fs_mutex_unlock(struct fs_mutex *m)
{
	spin_lock(&m->lock);
	ASSERT(m->busy);
	m->busy = false;
	waitq_wake_one(&m->waiters);
	spin_unlock(&m->lock);
}
