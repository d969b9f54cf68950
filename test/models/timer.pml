/*
 * timer.pml: a timer that one CPU arms and cancels while its callback may run on another
 * (kernel/time/timer.c): no CPU waits for ever, and no callback runs once the timer is gone.
 *
 * The owner's lock is taken by the callback, which may arm the timer again, and by CPU 1, which arms
 * it under that lock (as the network does), then closes: no more arming, cancel, free.
 *
 * Bugs planted on purpose, each of which must be found:
 *   BUG == 1  arming waits for the callback to end, as cancelling does
 *   BUG == 2  cancelling does not wait
 *   BUG == 3  a timer whose callback runs moves to the queue of the CPU that arms it
 */
#ifndef BUG
#define BUG 0
#endif

bool owner = false; /* the owner's lock */
bool queue[2]; /* queue locks */
bool firing[2]; /* this CPU runs the callback */
bool armed = true;
byte cpu = 0; /* whose queue the timer is in, or was last */
bool closing = false;
bool freed = false;
bool finished = false;

inline lock(l) { atomic { !l -> l = true } }
inline unlock(l) { l = false }

/* The queue of the timer's CPU, locked: its number in q. */
inline lock_home()
{
	do
	:: q = cpu;
		lock(queue[q]);
		if
		:: q == cpu -> break
		:: else -> unlock(queue[q])
		fi
	od
}

inline arm(me)
{
	lock_home();
#if BUG == 1
	do
	:: firing[q] && q != me -> unlock(queue[q]); !firing[q]; lock_home()
	:: else -> break
	od;
#endif
	armed = false;
	if
#if BUG == 3
	:: q != me ->
#else
	:: q != me && !firing[q] ->
#endif
		cpu = me;
		unlock(queue[q]);
		q = me;
		lock(queue[q])
	:: else -> skip
	fi;
	armed = true;
	unlock(queue[q])
}

/* What is due on this CPU. */
inline run_due(me)
{
	lock(queue[me]);
	if
	:: armed && cpu == me ->
		armed = false;
		firing[me] = true;
		unlock(queue[me]);
		assert(!freed);
		lock(owner);
		if
		:: !closing && again -> again = false; arm(me)
		:: else -> skip
		fi;
		unlock(owner);
		assert(!freed);
		lock(queue[me]);
		firing[me] = false
	:: else -> skip
	fi;
	unlock(queue[me])
}

active proctype cpu_0()
{
	byte q;
	bool again = true;

	do
	:: finished -> break
	:: armed && cpu == 0 -> run_due(0)
	od
}

active proctype cpu_1()
{
	byte q;
	bool again = true;

	lock(owner);
	arm(1);
	unlock(owner);
	if
	:: true -> run_due(1)
	:: true -> skip
	fi;
	lock(owner);
	closing = true;
	unlock(owner);
	/* cancel */
	lock_home();
#if BUG != 2
	do
	:: firing[q] && q != 1 -> unlock(queue[q]); !firing[q]; lock_home()
	:: else -> break
	od;
#endif
	armed = false;
	unlock(queue[q]);
	freed = true;
	finished = true
}
