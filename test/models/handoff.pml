/*
 * handoff.pml: a futex word, its bucket, and a thread's park and unpark (kernel/sync/futex.c,
 * kernel/sched/sched.c): no wake-up is lost.
 *
 * Two waiters sleep while the word is 0; a waker sets it and wakes both. Every interleaving must
 * end with all of them done: a waiter that sleeps for ever is an invalid end state.
 *
 * Bugs planted on purpose, each of which must be found:
 *   BUG == 1  unpark forgets a thread that is not parked yet (no wake_pending)
 *   BUG == 2  the word is tested before the bucket is locked
 */
#ifndef BUG
#define BUG 0
#endif

#define WAITERS 2

byte word = 0;
bool bucket = false; /* spinlock */
bool queue[WAITERS]; /* waiter is linked in the bucket */
bool rq[WAITERS]; /* run-queue lock of the CPU of each waiter */
bool parked[WAITERS];
bool wake_pending[WAITERS];

inline lock(l) { atomic { !l -> l = true } }
inline unlock(l) { l = false }

proctype waiter(byte me)
{
	bool zero;

again:
#if BUG == 2
	zero = (word == 0);
	lock(bucket);
#else
	lock(bucket);
	zero = (word == 0);
#endif
	if
	:: !zero -> unlock(bucket); goto done
	:: else -> skip
	fi;
	queue[me] = true;
	unlock(bucket);

	/* sched_park */
	lock(rq[me]);
	if
	:: wake_pending[me] -> wake_pending[me] = false; unlock(rq[me])
	:: else ->
		parked[me] = true;
		unlock(rq[me]); /* released by the thread that the CPU runs next */
		!parked[me] /* runs again when unparked */
	fi;

	lock(bucket);
	if
	:: queue[me] -> queue[me] = false; unlock(bucket); goto again /* spurious */
	:: else -> unlock(bucket)
	fi;
done:
	skip
}

inline unpark(t)
{
	lock(rq[t]);
	if
	:: parked[t] -> parked[t] = false
	:: else ->
#if BUG == 1
		skip
#else
		wake_pending[t] = true
#endif
	fi;
	unlock(rq[t])
}

proctype waker()
{
	byte i = 0;

	word = 1;
	lock(bucket);
	do
	:: i < WAITERS ->
		if
		:: queue[i] -> queue[i] = false; unpark(i)
		:: else -> skip
		fi;
		i++
	:: else -> break
	od;
	unlock(bucket)
}

init {
	atomic {
		byte i = 0;
		do
		:: i < WAITERS -> run waiter(i); i++
		:: else -> break
		od;
		run waker()
	}
}
