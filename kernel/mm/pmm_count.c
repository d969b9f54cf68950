/*
 * pmm_count.c: how many page frames each owner has.
 *
 * What:       a walk over the table of frames, from block to block. Nothing is counted where frames
 *             are allocated, which is done far more often than anybody asks.
 * Invariants: (1) a chunk begins with a block, and its blocks lie side by side: so from the first
 *             one the orders lead to all. A frame in a CPU's cache is a free block of one.
 * Locking:    none: while others allocate, a step may go wrong, and the rest of that chunk with it;
 *             never outside the chunk. Any context.
 * Failure:    none.
 * Source:     none.
 */
#include "base/units.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/pmm_priv.h"
#include "lib/string.h"

#define CHUNK_PAGES (1ul << PMM_ORDER_MAX)

static void count_chunk(pfn_t start, uint64_t counts[PMM_OWNERS])
{
	for (pfn_t pfn = MAX(start, 1ul); pfn < start + CHUNK_PAGES;) { /* 0 is PFN_NONE */
		const struct frame *f = pmm_frame(pfn);
		uint64_t pages = 1ul << MIN(f->order, PMM_ORDER_MAX);

		counts[f->owner == PMM_CACHED ? PMM_FREE : f->owner] += pages;
		pfn += pages;
	}
}

void pmm_count_pages(uint64_t counts[PMM_OWNERS])
{
	memset(counts, 0, PMM_OWNERS * sizeof(counts[0]));
	for (pfn_t pfn = 0; pfn < pmm_end(); pfn += CHUNK_PAGES)
		if (pmm_is_ready(pfn))
			count_chunk(pfn, counts);
}
