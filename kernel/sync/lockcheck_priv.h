/*
 * lockcheck_priv.h: the checks that a debug build makes at every lock: rank, interrupts, hold time.
 *
 * Kernel context. A broken rule is a panic. In a release build all of it is nothing.
 */
#pragma once

#include "kernel/sync/spinlock.h"

#ifdef GOSOLO_DEBUG
enum { LOCKCHECK_IS_ON = true };
void lockcheck_acquire(const struct spinlock *l); /* before waiting for it */
void lockcheck_acquired(void); /* the lock that was checked last is held from now on */
void lockcheck_release(const struct spinlock *l, uint64_t return_address);
void lockcheck_none_held(void); /* panics when a lock is held; logs a lock that was held too long */
#else
enum { LOCKCHECK_IS_ON = false };
static inline void lockcheck_acquire(const struct spinlock *l)
{
	(void)l;
}
static inline void lockcheck_acquired(void)
{
}
static inline void lockcheck_release(const struct spinlock *l, uint64_t return_address)
{
	(void)l;
	(void)return_address;
}
static inline void lockcheck_none_held(void)
{
}
#endif
