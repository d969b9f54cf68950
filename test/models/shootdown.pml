/*
 * shootdown.pml: making other CPUs forget a translation (arch/x86_64/smp.c): nobody runs the
 * program with a stale one after the shootdown has returned, and nobody waits for ever.
 *
 * Each CPU, with interrupts off in the kernel, may take the vm lock, change the mapping (generation
 * grows) and flush the others; or go idle and leave; or run the program, where interrupts are taken.
 * tlb is the generation a CPU's TLB holds. A CPU answers up to the request it saw before it flushed:
 * with one flag that it clears afterwards, a request that comes in between would be lost.
 *
 * Bugs planted on purpose, each of which must be found:
 *   BUG == 1  a CPU that spins for the lock does not answer requests
 *   BUG == 2  a CPU leaves idle without looking at its requests
 *   BUG == 3  idle is looked at before the request is made
 *   BUG == 4  a CPU answers all requests that there are after it has flushed
 */
#ifndef BUG
#define BUG 0
#endif

#define CPUS 2
#define ROUNDS 2

bool vm_lock = false;
byte flushed = 0; /* generation below which no translation may be used */
byte generation = 0;
bool idle[CPUS];
byte requested[CPUS], done[CPUS];
byte tlb[CPUS];

inline poll(me)
{
	if
	:: requested[me] != done[me] ->
		seen = requested[me];
		tlb[me] = generation;
#if BUG == 4
		done[me] = requested[me]
#else
		done[me] = seen
#endif
	:: else -> skip
	fi
}

inline spin_lock(me)
{
	do
	:: atomic { !vm_lock -> vm_lock = true }; break
#if BUG != 1
	:: vm_lock && requested[me] != done[me] -> poll(me)
#endif
	od
}

inline shootdown(me, other)
{
	generation++;
	tlb[me] = generation;
#if BUG == 3
	was_idle = idle[other];
	requested[other]++;
#else
	requested[other]++;
	was_idle = idle[other];
#endif
	if
	:: was_idle -> skip
	:: else ->
		do
		:: requested[other] == done[other] || idle[other] -> break
		:: requested[me] != done[me] -> poll(me)
		od
	fi;
	flushed = generation
}

proctype cpu(byte me)
{
	byte other = 1 - me, n = 0, seen;
	bool was_idle;

	do
	:: n == ROUNDS -> break
	:: n < ROUNDS -> /* a call that changes the mapping */
		spin_lock(me);
		shootdown(me, other);
		vm_lock = false;
		n++
	:: n < ROUNDS -> /* idle, then the program */
		idle[me] = true;
		idle[me] = false;
#if BUG != 2
		poll(me);
#endif
		n++
	:: n < ROUNDS -> /* the program: interrupts are taken, also before its first access */
		do
		:: poll(me) /* the interrupt */
		:: atomic { requested[me] == done[me] -> assert(tlb[me] >= flushed) }; break
		:: atomic { requested[me] != done[me] -> /* not interrupted yet: the other one waits */
			assert(tlb[me] >= flushed) }; poll(me); break
		od;
		n++
	od;
	/* Afterwards the CPU halts: idle for ever, and so never waited for. */
	idle[me] = true
}

init { atomic { run cpu(0); run cpu(1) } }
