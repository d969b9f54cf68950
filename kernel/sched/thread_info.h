/*
 * thread_info.h: the program's threads as others see them, and how busy they are on average.
 *
 * A moment's view. Locking: LOCK_THREADS inside; never sleeps.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

struct thread_info {
	char name[16]; /* empty: it was never given one */
	bool runs; /* or could; false: it sleeps */
	uint64_t user_ns, system_ns; /* CPU time */
	uint64_t sleeps, preemptions; /* switches away from it, by its own will and not */
	uint64_t faults; /* page faults */
	uint32_t cpu; /* where it runs, or ran last */
	int32_t nice;
};

bool thread_get_info(int32_t tid, struct thread_info *out); /* false: no such thread */
int32_t thread_next_tid(int32_t after); /* the smallest number above; 0: none */

/* Load averages as Linux has them: threads that run or could, over 1, 5 and 15 minutes. */
#define LOAD_SHIFT 11u /* of the fixed point that they are in */
struct load {
	uint64_t average[3];
	uint32_t running; /* now */
};
void load_get(struct load *out);
void load_init(void); /* begins to sample: every 5 s */
