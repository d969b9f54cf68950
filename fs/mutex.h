/*
 * mutex.h: a lock that may be held while program memory is copied and while a thread sleeps.
 *
 * Waiters sleep; no signal ends the wait, so holders must not wait for the outside world.
 * Locking: inside, LOCK_FS; caller of fs_mutex_lock holds no spinlock.
 */
#pragma once

#include "base/types.h"
#include "kernel/sched/waitq.h"
#include "kernel/sync/spinlock.h"

struct fs_mutex {
	struct spinlock lock;
	bool busy; /* [lock] */
	struct waitq waiters; /* [lock] */
};

void fs_mutex_init(struct fs_mutex *m);
void fs_mutex_lock(struct fs_mutex *m);
void fs_mutex_unlock(struct fs_mutex *m);
