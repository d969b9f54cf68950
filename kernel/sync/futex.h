/*
 * futex.h: wait queues keyed by a program address.
 *
 * One address space, so private and shared futexes are the same; keys are addresses.
 * May sleep: futex_wait. Locking: LOCK_FUTEX inside.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"
#include "kernel/time/clock.h"

void futex_init(void);
/* Sleeps while *addr == expected. -EAGAIN: it was not. -ETIMEDOUT. -ERESTARTSYS. -EFAULT.
 * A wake between the test and the sleep is never lost. bitset: 0xffffffff for all. */
int futex_wait(uaddr_t addr, uint32_t expected, struct clock_deadline deadline,
	uint32_t bitset) must_check;
/* Wakes up to count waiters; returns how many. */
long futex_wake(uaddr_t addr, uint32_t count, uint32_t bitset);
/* Wakes wake_count, moves up to requeue_count to addr2. -EAGAIN when check and *addr !=
 * expected. */
long futex_requeue(uaddr_t addr, uint32_t wake_count, uint32_t requeue_count, uaddr_t addr2,
	bool check, uint32_t expected) must_check;
