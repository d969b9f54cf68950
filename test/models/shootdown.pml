/*
 * shootdown.pml: making other CPUs forget a translation (arch/x86_64/shootdown.c, paging.c): nobody
 * runs the program with a stale one after the shootdown has returned, nobody waits for ever, and no
 * page table is freed that a CPU may still walk.
 *
 * Each CPU, with interrupts off in the kernel, may take the vm lock, being away while it spins, then
 * change the mapping of one of two pages (its generation grows) and flush the others, perhaps wait
 * until all have answered, who is away as well, and perhaps unlink a page table; or take the lock for
 * nothing; or go idle, which is being away, where interrupts are taken, and leave; or run the program,
 * where they are taken, too. tlb is the generation of each page that a CPU's TLB
 * holds, walks says that it has cached the table. Flushes are numbered; a CPU answers up to the
 * number it saw before it flushed. One flush behind it forgets the named page, else everything.
 *
 * Bugs planted on purpose, each of which must be found:
 *   BUG == 1  a CPU that spins for the lock neither answers requests nor is away
 *   BUG == 2  a CPU leaves idle without looking at its requests
 *   BUG == 3  away is looked at before the request is made
 *   BUG == 4  a CPU answers all requests that there are after it has flushed
 *   BUG == 5  a CPU forgets the named page only, though it has missed more than one flush
 *   BUG == 6  a CPU that has spun for the lock comes back without looking at its requests
 *   BUG == 7  the number is not looked at again after the page was read
 *   BUG == 8  a table is freed when the flush before it was unlinked is done
 *   BUG == 9  a CPU that spins for the lock is away, but answers nobody who waits for all
 */
#ifndef BUG
#define BUG 0
#endif

#define CPUS 2
#define ROUNDS 2

bool vm_lock = false;
byte generation[2], flushed[2]; /* per page: now; below which no translation may be used */
bool away[CPUS];
byte last = 0; /* number of the last flush */
byte named = 0, page; /* the flush that page is for */
byte requested[CPUS], done[CPUS];
byte tlb[4]; /* CPU * 2 + page */
bool walks[CPUS];
bool linked = true, freed = false;
byte unlinked_before;

inline forget(me, p)
{
	tlb[me * 2 + p] = generation[p];
	walks[me] = false
}

inline poll(me)
{
	asked = requested[me];
	if
	:: asked != done[me] ->
		known = false;
		if
#if BUG == 5
		:: named == asked ->
#else
		:: asked == done[me] + 1 && named == asked ->
#endif
			pg = page;
#if BUG == 7
			known = true
#else
			known = (named == asked)
#endif
		:: else -> skip
		fi;
		if
		:: known -> forget(me, pg)
		:: else -> forget(me, 0); forget(me, 1)
		fi;
#if BUG == 4
		done[me] = requested[me]
#else
		done[me] = asked
#endif
	:: else -> skip
	fi
}

inline spin_lock(me)
{
	do
	:: atomic { !vm_lock -> vm_lock = true }; break
#if BUG != 1
	:: vm_lock ->
		away[me] = true;
		do
		:: !vm_lock -> break
#if BUG != 9
		:: requested[me] != done[me] -> poll(me)
#endif
		od;
		away[me] = false;
#if BUG != 6
		poll(me)
#endif
#endif
	od
}

inline shootdown(me, other, p)
{
	generation[p]++;
	forget(me, p);
	last++;
	poll(me);
	requested[me] = last;
	done[me] = last;
	named = 0;
	page = p;
	named = last;
#if BUG == 3
	was_away = away[other];
	requested[other] = last;
#else
	requested[other] = last;
	was_away = away[other];
#endif
	if
	:: was_away -> skip
	:: else -> (done[other] == last || away[other])
	fi;
	flushed[p] = generation[p];
	/* finish */
	if
	:: skip -> done[other] == last
	:: skip
	fi;
	/* reclaim */
	if
	:: !linked && !freed && done[other] >= unlinked_before && last >= unlinked_before ->
		freed = true;
		assert(!walks[0] && !walks[1])
	:: else -> skip
	fi;
	/* prune */
	if
	:: linked ->
		linked = false;
#if BUG == 8
		unlinked_before = last
#else
		unlinked_before = last + 1
#endif
	:: skip
	fi
}

/* A walk of the page tables, speculative perhaps, finds the table while it is linked. */
inline walk(me)
{
	if
	:: atomic { linked -> walks[me] = true }
	:: skip
	fi
}

#define current(me) (tlb[me * 2] >= flushed[0] && tlb[me * 2 + 1] >= flushed[1])

proctype cpu(byte me)
{
	byte other = 1 - me, n = 0, asked, pg;
	bool was_away, known;

	do
	:: n == ROUNDS -> break
	:: n < ROUNDS -> /* a call that changes the mapping */
		spin_lock(me);
		if
		:: shootdown(me, other, 0)
		:: shootdown(me, other, 1)
		fi;
		vm_lock = false;
		n++
	:: n < ROUNDS -> /* a fault, which only needs the lock */
		spin_lock(me);
		vm_lock = false;
		n++
	:: n < ROUNDS -> /* idle, then the program */
		away[me] = true;
		walk(me);
		do
		:: requested[me] != done[me] -> poll(me) /* the interrupt */
		:: break
		od;
		away[me] = false;
#if BUG != 2
		poll(me);
#endif
		n++
	:: n < ROUNDS -> /* the program: interrupts are taken, also before its first access */
		walk(me);
		do
		:: poll(me) /* the interrupt */
		:: atomic { requested[me] == done[me] -> assert(current(me)) }; break
		:: atomic { requested[me] != done[me] -> /* not interrupted yet: the other one waits */
			assert(current(me)) }; poll(me); break
		od;
		n++
	od;
	/* Afterwards the CPU halts: idle for ever. */
	away[me] = true;
end:	do
	:: requested[me] != done[me] -> poll(me)
	od
}

init { atomic { run cpu(0); run cpu(1) } }
