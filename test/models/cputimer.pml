/*
 * cputimer.pml: who waits until the process has had some CPU time, while all CPUs are idle
 * (kernel/sched/cputimer.c): when one goes on, the look is armed; and nothing waits or ticks once it
 * is cancelled.
 *
 * CPU 0 is idle, and runs the callback of the timer, which arms the cputimer again. CPU 1 perhaps
 * leaves idleness, which here means that it runs what is counted, and perhaps cancels the cputimer
 * and frees it.
 *
 * Bugs planted on purpose, each of which must be found:
 *   BUG == 1  who waits does not look at the CPUs again after it has said so
 *   BUG == 2  a CPU looks for who waits before it leaves idleness
 *   BUG == 3  a callback that runs while its cputimer is being cancelled may wait again
 *   BUG == 4  a callback that runs while its cputimer is being cancelled is not waited for
 */
#ifndef BUG
#define BUG 0
#endif

bool mutex = false; /* cputimers.lock */
bool idle[2] = true;
bool awaited = false; /* cputimer_process_waits */
bool waits = false; /* on the list */
bool ticks = false; /* its timer is armed */
bool stopped = false;
bool firing = true; /* CPU 0 runs its callback */
bool freed = false;
bool done0 = false, done1 = false;

inline lock() { atomic { !mutex -> mutex = true } }
inline unlock() { mutex = false }

inline resume()
{
	awaited = false;
	if
	:: waits -> waits = false; ticks = true
	:: else -> skip
	fi
}

inline arm()
{
	lock();
	assert(!freed);
	if
	:: stopped -> skip
	:: else ->
		if
		:: !idle[0] || !idle[1] -> ticks = true
		:: else ->
			waits = true;
			awaited = true;
#if BUG != 1
			if
			:: !idle[0] || !idle[1] -> resume()
			:: else -> skip
			fi
#endif
		fi
	fi;
	unlock()
}

inline go_on()
{
#if BUG == 2
	bool seen = awaited;
	idle[1] = false;
#else
	idle[1] = false;
	bool seen = awaited;
#endif
	if
	:: seen -> lock(); resume(); unlock()
	:: else -> skip
	fi
}

inline cancel()
{
	lock();
	waits = false;
#if BUG != 3
	stopped = true;
#endif
	unlock();
#if BUG != 4
	!firing; /* timer_cancel */
#endif
	ticks = false
}

active proctype cpu0()
{
	arm();
	firing = false;
	done0 = true
}

active proctype cpu1()
{
	if
	:: true -> go_on()
	:: true -> skip /* it runs a thread whose time is not what counts */
	fi;
	if
	:: true ->
		cancel();
		freed = true;
		assert(!waits && !ticks)
	:: true -> skip
	fi;
	done1 = true
}

active proctype judge()
{
	done0 && done1;
	if
	:: freed -> assert(!waits && !ticks)
	:: !freed && !idle[1] -> assert(ticks && !waits)
	:: else -> assert(waits && !ticks)
	fi
}
