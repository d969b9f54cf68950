/*
 * sched_priv.h: what the files of the scheduler share. Names with _locked: the caller holds the
 * rq_lock of the CPU in question.
 */
#pragma once

#include "kernel/sched/sched.h"

/* Switches to the thread whose turn it is, or the idle one. The caller has given the current thread
 * its new state, and has queued it if it is RUNNABLE; on return the lock is released. */
void sched_switch_locked(struct cpu *c, uint64_t now_ns);
/* What the current thread has run goes into its times. */
void sched_account_locked(struct cpu *c, uint64_t now_ns);
/* This CPU's current thread runs on until others have waited long enough. */
void sched_limit_turn_locked(struct cpu *c, uint64_t now_ns);
/* When the current thread's turn is over, now that somebody waits. */
uint64_t sched_turn_end_locked(struct cpu *c);

/* place.c. The CPU that t runs on, waits for or ran on last, locked. */
struct cpu *sched_lock_home(const struct thread *t);
/* Caller holds t's queue lock and has taken t off everything: it goes to the CPU returned. */
struct cpu *sched_send_away_locked(struct thread *t);
void sched_place(struct cpu *c,
	struct thread *t); /* queues one that was sent to c; no queue lock */
void sched_enqueue_locked(struct cpu *c, struct thread *t); /* its virtual time is c's */
uint32_t sched_choose_cpu(const struct thread *t); /* where t should run next */
struct thread *sched_steal(struct cpu *self); /* from another CPU, on its way here; NULL */
bool sched_can_steal(const struct cpu *self); /* a hint */

static inline bool sched_may_run_on(const struct thread *t, uint32_t cpu)
{
	return t->affinity >> cpu & 1;
}
