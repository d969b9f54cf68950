/*
 * pmm_single.c: single frames, from and to a few that each CPU keeps.
 *
 * What:       so most calls take no lock and merge nothing. A CPU has two caches: one for the
 *             program's frames and file contents, and one for the kernel's, which is filled with
 *             frames that lie side by side. What the kernel keeps (a page table for each 2 MiB that
 *             the program touches) would else lie scattered among the program's frames, and when
 *             those are freed, no large block would be.
 *               free block -> cached [refill] <-> allocated; -> free block [spill]
 * Invariants: (1) owner == PMM_CACHED exactly for the frames in a cache. (2) no frame is refused
 *             while this CPU has one in either cache.
 * Locking:    a cache belongs to its CPU, whose kernel code is not interrupted; LOCK_PMM inside
 *             pmm_fill and pmm_spill. Any context.
 * Failure:    PFN_NONE: no memory.
 * Source:     Linux mm/page_alloc.c (per-CPU lists, grouping by mobility) for the idea.
 */
#include "kernel/mm/pmm_priv.h"

#include "base/assert.h"
#include "kernel/sched/cpu.h"
#include "kernel/stats.h"
#include "lib/string.h"

#define CACHE_FRAMES (2 * PMM_BATCH)

enum kind { KIND_PROGRAM, KIND_KERNEL, KINDS };

struct frame_cache {
	_Atomic uint32_t count; /* [c] for writing; others may read it */
	uint32_t frames[CACHE_FRAMES]; /* [c] the last one was freed last */
};

static struct {
	_Atomic uint32_t cpu_count; /* [a] caches that were ever used belong to CPUs below */
	struct frame_cache caches[CPUS_MAX][KINDS]; /* [c] */
} single;

static enum kind kind_of(unsigned owner)
{
	return owner == PMM_PROGRAM || owner == PMM_CACHE ? KIND_PROGRAM : KIND_KERNEL;
}

static struct frame_cache *this_cache(enum kind k)
{
	return &single.caches[this_cpu()->arch.id][k];
}

static uint32_t cache_count(const struct frame_cache *c)
{
	return atomic_load_explicit(&c->count, memory_order_relaxed);
}

static void set_cache_count(struct frame_cache *c, uint32_t n)
{
	atomic_store_explicit(&c->count, n, memory_order_relaxed);
}

/* An empty cache of this CPU is about to be filled: it counts from now on. */
static void note_use(void)
{
	uint32_t used = this_cpu()->arch.id + 1;
	uint32_t old = atomic_load_explicit(&single.cpu_count, memory_order_relaxed);

	while (old < used &&
		!atomic_compare_exchange_weak_explicit(&single.cpu_count, &old, used,
			memory_order_relaxed, memory_order_relaxed))
		;
}

/* Gives the n frames that have been in the cache longest back to the lists. */
static void spill(struct frame_cache *c, uint32_t n)
{
	uint32_t left = cache_count(c) - n;

	pmm_spill(c->frames, n);
	for (uint32_t i = 0; i < left; i++)
		c->frames[i] = c->frames[n + i];
	set_cache_count(c, left);
}

/* A cache with a frame in it; NULL: no memory. */
static struct frame_cache *find_cache(enum kind k)
{
	struct frame_cache *c = this_cache(k);

	if (cache_count(c) != 0)
		return c;
	note_use();
	set_cache_count(c, pmm_fill(c->frames, k == KIND_KERNEL));
	if (cache_count(c) == 0)
		c = this_cache(k == KIND_KERNEL ? KIND_PROGRAM : KIND_KERNEL); /* (2) */
	return cache_count(c) != 0 ? c : NULL;
}

pfn_t pmm_single_take(enum pmm_owner owner)
{
	struct frame_cache *c = find_cache(kind_of(owner));
	struct frame *f;
	pfn_t pfn;

	if (c == NULL)
		return PFN_NONE;
	set_cache_count(c, cache_count(c) - 1);
	pfn = c->frames[cache_count(c)];
	f = pmm_frame(pfn);
	ASSERT(f->owner == PMM_CACHED); /* (1) */
	f->owner = (uint8_t)owner;
	atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
	return pfn;
}

pfn_t pmm_alloc_zeroed(enum pmm_owner owner)
{
	pfn_t pfn = pmm_alloc(0, owner);

	if (pfn != PFN_NONE && !pmm_take_zero(pfn)) {
		page_zero(pfn_to_virt(pfn));
		stat_inc(STAT_pages_zeroed);
	}
	return pfn;
}

void pmm_single_give(pfn_t pfn)
{
	struct frame *f = pmm_frame(pfn);
	struct frame_cache *c = this_cache(kind_of(f->owner));
	uint32_t n = cache_count(c);

	if (n == 0)
		note_use();
	f->owner = PMM_CACHED;
	c->frames[n] = (uint32_t)pfn;
	set_cache_count(c, n + 1);
	if (n + 1 == CACHE_FRAMES)
		spill(c, PMM_BATCH);
}

bool pmm_single_spill(void)
{
	bool had_some = false;

	for (unsigned k = 0; k < KINDS; k++) {
		struct frame_cache *c = this_cache((enum kind)k);

		if (cache_count(c) == 0)
			continue;
		had_some = true;
		spill(c, cache_count(c));
	}
	return had_some;
}

uint64_t pmm_single_count(void)
{
	uint32_t used = atomic_load_explicit(&single.cpu_count, memory_order_relaxed);
	uint64_t n = 0;

	for (uint32_t i = 0; i < used; i++)
		for (unsigned k = 0; k < KINDS; k++)
			n += cache_count(&single.caches[i][k]);
	return n;
}
