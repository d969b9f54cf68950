/*
 * runq.h: the threads that wait for one CPU, and whose turn it is.
 *
 * Whoever has had the least of the CPU goes first. What a thread has had is its virtual time, in
 * nanoseconds of CPU: it grows while the thread runs, the faster the nicer it is. Each queue has
 * a floor, which rises with the least of those that want its CPU; a thread that comes, after a
 * sleep or from another CPU, is never put further below the floor than a sleeper's credit. So a
 * sleeper runs soon, and no number of wake-ups gives it more than its share.
 *
 * Nothing here sleeps, allocates or fails. The caller holds the run-queue lock of the CPU.
 */
#pragma once

#include "base/tree.h"
#include "base/types.h"

struct thread;

/* How much a thread leaves to others: with each step up it gets 4/5 of the CPU beside the same
 * others. */
enum { RUNQ_NICE_MIN = -20, RUNQ_NICE_MAX = 19 };

enum {
	RUNQ_TURN_NS = 4000000, /* the longest turn while others wait */
	RUNQ_GRANULE_NS = 500000, /* the shortest: a wake-up cuts no turn below it */
	RUNQ_CREDIT_NS = 2000000, /* how far behind the others a sleeper may come back */
	/* How far ahead a new thread begins: as far as one whose turn is over. */
	RUNQ_DEBIT_NS = RUNQ_TURN_NS / 2 + RUNQ_GRANULE_NS,
};

struct runq {
	RB_HEAD(runq_tree, thread) tree; /* least virtual time first, equal ones as they came */
	struct thread *first; /* in the tree; NULL: nobody waits */
	uint32_t count;
	int64_t floor_ns; /* never falls */
};

void runq_init(struct runq *q);
/* By its virtual time, which must be this queue's (runq_arrive). */
void runq_insert(struct runq *q, struct thread *t);
void runq_remove(struct runq *q, struct thread *t);
static inline struct thread *runq_first(const struct runq *q) /* NULL: nobody waits */
{
	return q->first;
}
/* That may run on that CPU; or NULL. Looks at those before it. */
struct thread *runq_first_for(const struct runq *q, uint32_t cpu);
/* For one who yields: gives t, which is not queued, the virtual time of the last that waits. */
void runq_fall_behind(const struct runq *q, struct thread *t);
/* How much virtual time a thread of its niceness has for so much of the CPU. */
int64_t runq_virtual_ns(const struct thread *t, int64_t ran_ns);
/* The least of those that want the CPU has advanced. running: NULL when the CPU is idle; ran_ns:
 * how long it has run that its virtual time does not say yet. */
void runq_raise_floor(struct runq *q, const struct thread *running, int64_t ran_ns);
/* On the way between two queues a virtual time is what the thread is ahead of the floor. */
void runq_leave(const struct runq *q, struct thread *t);
void runq_arrive(const struct runq *q, struct thread *t);
/* How long running may run, from when its virtual time was brought up to date: until it is half a
 * turn ahead of the first that waits. Somebody must wait. */
int64_t runq_turn_ns(const struct runq *q, const struct thread *running);
