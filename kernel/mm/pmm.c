/*
 * pmm.c: physical page frames: a buddy allocator that boots in constant time.
 *
 * What:       free blocks of 2^order frames on one list per order. RAM that nobody needed yet stays
 *             in `uncarved` ranges; when the lists run dry, the next piece of at most one chunk
 *             (4 MiB, the largest block) is carved off and freed into the lists. The table of
 *             frames is written one chunk at a time, too; until then it holds garbage. Each CPU
 *             keeps a few single frames, so that most calls take no lock and merge nothing.
 *               uncarved -> free block [carve_next] -> allocated [take_block] -> free [give_block]
 *               single frames: free block -> cached [refill] <-> allocated; -> free block [spill]
 * Invariants: (1) owner == PMM_FREE exactly for the first frame of a block on a free list.
 *             (2) two free buddies never exist: they have been merged. Buddies share a chunk, so
 *             merging never reads an unprepared part of the table.
 *             (3) a frame outside all ranges is PMM_KERNEL with one reference nobody puts.
 *             (4) owner == OWNER_CACHED exactly for the frames in a CPU's cache.
 * Locking:    LOCK_PMM inside; refs are atomic; a chunk's ready bit is set once (release), after
 *             its frames are written. A cache belongs to its CPU, whose kernel code is not
 *             interrupted. Never sleeps. Any context.
 * Failure:    PFN_NONE when there is no block of that order. Wrong frees are bugs: ASSERT.
 * Source:     Knuth, TAOCP 1, 2.5 (buddy system).
 */
#include "kernel/mm/pmm.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "kernel/sched/cpu.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"
#include "lib/string.h"

#define CHUNK_PAGES (1ul << PMM_ORDER_MAX)
#define RANGES_MAX 192u
#define READY_BITS 64u
#define CACHE_FRAMES 32u
#define CACHE_BATCH 16u /* frames that move between a cache and the lists at a time */
#define OWNER_CACHED 0xffu

struct uncarved {
	pfn_t next, end;
};

struct frame_cache {
	_Atomic uint32_t count; /* [c] for writing; others may read it */
	uint32_t frames[CACHE_FRAMES]; /* [c] the last one was freed last */
};

static struct {
	struct spinlock lock;
	_Atomic uint64_t *ready; /* [a] bit per chunk: its frames are written */
	struct frame *frames; /* [I] the table; contents see above */
	pfn_t frame_count; /* [I] whole chunks */
	uint32_t heads[PMM_ORDER_MAX + 1]; /* [pmm lock] first free block of each order; 0: none */
	uint32_t nonempty; /* [pmm lock] bit per order */
	uint32_t range_count; /* [pmm lock] */
	struct uncarved ranges[RANGES_MAX]; /* [pmm lock] the last one is carved first */
	uint64_t total_pages; /* [pmm lock] */
	_Atomic uint64_t free_pages; /* [pmm lock] for writing; without those in caches */
	_Atomic uint64_t most_used_pages; /* [pmm lock] for writing; ever, caches included */
	_Atomic uint32_t cache_count; /* [a] caches that were ever used are below */
	struct frame_cache caches[CPUS_MAX]; /* [c] */
} pmm = { .lock = SPINLOCK_INIT(LOCK_PMM) };

STATIC_ASSERT(sizeof(struct frame) == 16, "0.4 % of RAM, and a shift to index it");

static pfn_t count_frames(paddr_t ram_end)
{
	return ROUND_UP((ram_end + PAGE_MASK) >> PAGE_SHIFT, CHUNK_PAGES);
}

static size_t count_ready_bytes(pfn_t frames)
{
	return ROUND_UP(frames / CHUNK_PAGES, 8 * READY_BITS) / 8;
}

size_t pmm_table_bytes(paddr_t ram_end)
{
	pfn_t frames = count_frames(ram_end);

	return ROUND_UP(count_ready_bytes(frames) + frames * sizeof(struct frame), PAGE_SIZE);
}

void pmm_init(paddr_t ram_end, paddr_t table_pa)
{
	size_t ready_bytes = count_ready_bytes(count_frames(ram_end));
	char *table = phys_to_virt(table_pa);

	ASSERT((table_pa & PAGE_MASK) == 0);
	ASSERT(count_frames(ram_end) <= UINT32_MAX); /* links are 32 bits wide: 16 TiB */
	pmm.frame_count = count_frames(ram_end);
	pmm.ready = (_Atomic uint64_t *)(void *)table;
	pmm.frames = (struct frame *)(void *)(table + ready_bytes);
	memset(table, 0, ready_bytes);
}

/* ------------------------------------------------------------------ free lists */
static void push_block_locked(pfn_t pfn, unsigned order)
{
	struct frame *f = &pmm.frames[pfn];

	f->owner = PMM_FREE;
	f->order = (uint8_t)order;
	f->link_prev = 0;
	f->link_next = pmm.heads[order];
	if (f->link_next)
		pmm.frames[f->link_next].link_prev = (uint32_t)pfn;
	pmm.heads[order] = (uint32_t)pfn;
	pmm.nonempty |= 1u << order;
}

static void unlink_block_locked(pfn_t pfn)
{
	struct frame *f = &pmm.frames[pfn];

	DASSERT(f->owner == PMM_FREE);
	if (f->link_next)
		pmm.frames[f->link_next].link_prev = f->link_prev;
	if (f->link_prev)
		pmm.frames[f->link_prev].link_next = f->link_next;
	else
		pmm.heads[f->order] = f->link_next;
	if (!pmm.heads[f->order])
		pmm.nonempty &= ~(1u << f->order);
	f->owner = PMM_KERNEL; /* (1) */
}

/* Frees a block and merges it with its buddies as far as they are free. */
static void give_block_locked(pfn_t pfn, unsigned order)
{
	lock_assert_held(&pmm.lock);
	for (; order < PMM_ORDER_MAX; order++) {
		pfn_t buddy = pfn ^ (1ul << order);
		struct frame *b = &pmm.frames[buddy];

		if (b->owner != PMM_FREE || b->order != order)
			break;
		unlink_block_locked(buddy);
		pfn &= ~(1ul << order);
	}
	push_block_locked(pfn, order);
}

/* ------------------------------------------------------------------ carving */
static bool chunk_is_ready(pfn_t pfn)
{
	uint64_t chunk = pfn / CHUNK_PAGES, word;

	/* Pairs with the release in prepare_chunk_locked. */
	word = atomic_load_explicit(&pmm.ready[chunk / READY_BITS], memory_order_acquire);
	return word >> (chunk % READY_BITS) & 1;
}

/* Writes the frames of pfn's chunk: nobody's, for ever (3). */
static void prepare_chunk_locked(pfn_t pfn)
{
	uint64_t chunk = pfn / CHUNK_PAGES;
	struct frame *f = &pmm.frames[chunk * CHUNK_PAGES];

	lock_assert_held(&pmm.lock);
	if (chunk_is_ready(pfn))
		return;
	for (struct frame *end = f + CHUNK_PAGES; f < end; f++) {
		f->link_next = f->link_prev = 0;
		atomic_init(&f->refs, 1);
		f->order = 0;
		f->owner = PMM_KERNEL;
		f->slab_class = 0;
	}
	atomic_fetch_or_explicit(&pmm.ready[chunk / READY_BITS], 1ull << (chunk % READY_BITS),
		memory_order_release);
}

/* Gives [pfn, end), inside one chunk, to the lists in the largest aligned blocks. */
static void carve_piece_locked(pfn_t pfn, pfn_t end)
{
	prepare_chunk_locked(pfn);
	while (pfn < end) {
		unsigned order = MIN((unsigned)__builtin_ctzl(pfn), PMM_ORDER_MAX);

		while (pfn + (1ul << order) > end)
			order--;
		give_block_locked(pfn, order);
		pfn += 1ul << order;
	}
}

/* Turns the next piece of untouched RAM into free blocks; false when there is none left. */
static bool carve_next_locked(void)
{
	struct uncarved *r;
	pfn_t start, end;

	if (!pmm.range_count)
		return false;
	r = &pmm.ranges[pmm.range_count - 1];
	start = r->next;
	end = MIN(r->end, ROUND_DOWN(start, CHUNK_PAGES) + CHUNK_PAGES);
	r->next = end;
	if (r->next == r->end)
		pmm.range_count--;
	carve_piece_locked(start, end);
	return true;
}

void pmm_add_range(paddr_t start, paddr_t end)
{
	pfn_t first = MAX((start + PAGE_MASK) >> PAGE_SHIFT, 1ul); /* frame 0 is PFN_NONE */
	pfn_t last = MIN(end >> PAGE_SHIFT, pmm.frame_count);
	pfn_t piece_end;

	if (start >= end || first >= last)
		return;
	spin_lock(&pmm.lock);
	pmm.total_pages += last - first;
	atomic_fetch_add_explicit(&pmm.free_pages, last - first, memory_order_relaxed);
	if (pmm.range_count < RANGES_MAX) {
		/* Kept in descending order, so that low memory is used first. */
		uint32_t i = pmm.range_count++;

		for (; i > 0 && pmm.ranges[i - 1].next < first; i--)
			pmm.ranges[i] = pmm.ranges[i - 1];
		pmm.ranges[i] = (struct uncarved){ first, last };
	} else {
		for (; first < last; first = piece_end) {
			piece_end = MIN(last, ROUND_DOWN(first, CHUNK_PAGES) + CHUNK_PAGES);
			carve_piece_locked(first, piece_end);
		}
	}
	spin_unlock(&pmm.lock);
}

/* ------------------------------------------------------------------ blocks */
static pfn_t take_block_locked(unsigned order, enum pmm_owner owner)
{
	unsigned have;
	uint64_t used;
	pfn_t pfn;
	struct frame *f;

	lock_assert_held(&pmm.lock);
	while (!(pmm.nonempty >> order))
		if (!carve_next_locked())
			return PFN_NONE;
	have = order + (unsigned)__builtin_ctz(pmm.nonempty >> order);
	pfn = pmm.heads[have];
	unlink_block_locked(pfn);
	while (have > order) { /* the upper half stays free */
		have--;
		push_block_locked(pfn + (1ul << have), have);
	}
	f = &pmm.frames[pfn];
	f->owner = (uint8_t)owner;
	f->order = (uint8_t)order;
	atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
	used = pmm.total_pages + (1ul << order) -
		atomic_fetch_sub_explicit(&pmm.free_pages, 1ul << order, memory_order_relaxed);
	if (used > atomic_load_explicit(&pmm.most_used_pages, memory_order_relaxed))
		atomic_store_explicit(&pmm.most_used_pages, used, memory_order_relaxed);
	return pfn;
}

static void return_block_locked(pfn_t pfn, unsigned order)
{
	give_block_locked(pfn, order);
	atomic_fetch_add_explicit(&pmm.free_pages, 1ul << order, memory_order_relaxed);
}

/* ------------------------------------------------------------------ this CPU's single frames */
static struct frame_cache *this_cache(void)
{
	return &pmm.caches[this_cpu()->arch.id];
}

static uint32_t cache_count(const struct frame_cache *c)
{
	return atomic_load_explicit(&c->count, memory_order_relaxed);
}

static void set_cache_count(struct frame_cache *c, uint32_t n)
{
	atomic_store_explicit(&c->count, n, memory_order_relaxed);
}

/* An empty cache is about to be filled: it counts from now on. */
static void note_use(const struct frame_cache *c)
{
	uint32_t used = (uint32_t)(c - pmm.caches) + 1;
	uint32_t old = atomic_load_explicit(&pmm.cache_count, memory_order_relaxed);

	while (old < used &&
		!atomic_compare_exchange_weak_explicit(&pmm.cache_count, &old, used,
			memory_order_relaxed, memory_order_relaxed))
		;
}

/* Fills an empty cache as far as there is memory. */
static void refill(struct frame_cache *c)
{
	uint32_t n;

	note_use(c);
	spin_lock(&pmm.lock);
	for (n = 0; n < CACHE_BATCH; n++) {
		pfn_t pfn = take_block_locked(0, PMM_KERNEL);

		if (pfn == PFN_NONE)
			break;
		pmm.frames[pfn].owner = OWNER_CACHED;
		c->frames[n] = (uint32_t)pfn;
	}
	set_cache_count(c, n);
	spin_unlock(&pmm.lock);
}

/* Gives the n frames that have been in the cache longest back to the lists. */
static void spill_locked(struct frame_cache *c, uint32_t n)
{
	uint32_t left = cache_count(c) - n;

	lock_assert_held(&pmm.lock);
	for (uint32_t i = 0; i < n; i++)
		return_block_locked(c->frames[i], 0);
	for (uint32_t i = 0; i < left; i++)
		c->frames[i] = c->frames[n + i];
	set_cache_count(c, left);
}

static pfn_t take_single(enum pmm_owner owner)
{
	struct frame_cache *c = this_cache();
	uint32_t n = cache_count(c);
	struct frame *f;

	if (n == 0) {
		refill(c);
		n = cache_count(c);
		if (n == 0)
			return PFN_NONE;
	}
	set_cache_count(c, n - 1);
	f = &pmm.frames[c->frames[n - 1]];
	ASSERT(f->owner == OWNER_CACHED); /* (4) */
	f->owner = (uint8_t)owner;
	atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
	return c->frames[n - 1];
}

static void give_single(pfn_t pfn)
{
	struct frame_cache *c = this_cache();
	uint32_t n = cache_count(c);

	if (n == 0)
		note_use(c);
	pmm.frames[pfn].owner = OWNER_CACHED;
	c->frames[n] = (uint32_t)pfn;
	set_cache_count(c, n + 1);
	if (n + 1 < CACHE_FRAMES)
		return;
	spin_lock(&pmm.lock);
	spill_locked(c, CACHE_BATCH);
	spin_unlock(&pmm.lock);
}

/* ------------------------------------------------------------------ allocation */
pfn_t pmm_alloc(unsigned order, enum pmm_owner owner)
{
	struct frame_cache *c = this_cache();
	pfn_t pfn;

	ASSERT(order <= PMM_ORDER_MAX);
	ASSERT(owner != PMM_FREE);
	if (order == 0)
		return take_single(owner);
	spin_lock(&pmm.lock);
	pfn = take_block_locked(order, owner);
	if (pfn == PFN_NONE && cache_count(c) != 0) { /* single frames may be what is missing */
		spill_locked(c, cache_count(c));
		pfn = take_block_locked(order, owner);
	}
	spin_unlock(&pmm.lock);
	DASSERT((pfn & ((1ul << order) - 1)) == 0);
	return pfn;
}

pfn_t pmm_alloc_zeroed(enum pmm_owner owner)
{
	pfn_t pfn = pmm_alloc(0, owner);

	if (pfn != PFN_NONE) {
		page_zero(pfn_to_virt(pfn));
		stat_inc(STAT_pages_zeroed);
	}
	return pfn;
}

void pmm_free(pfn_t pfn, unsigned order)
{
	struct frame *f = pmm_frame(pfn);

	ASSERT(f->owner != PMM_FREE && f->owner != OWNER_CACHED); /* else: freed twice */
	ASSERT(f->order == order);
	if (order == 0) {
		give_single(pfn);
		return;
	}
	spin_lock(&pmm.lock);
	return_block_locked(pfn, order);
	spin_unlock(&pmm.lock);
}

/* ------------------------------------------------------------------ single frames */
struct frame *pmm_frame(pfn_t pfn)
{
	ASSERT(pfn != PFN_NONE && pfn < pmm.frame_count);
	if (unlikely(!chunk_is_ready(pfn))) {
		spin_lock(&pmm.lock);
		prepare_chunk_locked(pfn);
		spin_unlock(&pmm.lock);
	}
	return &pmm.frames[pfn];
}

void pmm_get(pfn_t pfn)
{
	if (pfn < pmm.frame_count)
		atomic_fetch_add_explicit(&pmm_frame(pfn)->refs, 1, memory_order_relaxed);
}

void pmm_put(pfn_t pfn)
{
	uint32_t old;

	if (pfn >= pmm.frame_count)
		return; /* device memory */
	/* The last holder sees all that the others did to the frame's fields. */
	old = atomic_fetch_sub_explicit(&pmm_frame(pfn)->refs, 1, memory_order_acq_rel);
	ASSERT(old != 0);
	if (old == 1)
		pmm_free(pfn, 0);
}

bool pmm_is_program(pfn_t pfn)
{
	return pfn < pmm.frame_count && pmm_frame(pfn)->owner == PMM_PROGRAM;
}

uint64_t pmm_total_pages(void)
{
	return pmm.total_pages;
}

uint64_t pmm_peak_pages(void)
{
	return atomic_load_explicit(&pmm.most_used_pages, memory_order_relaxed);
}

uint64_t pmm_free_pages(void)
{
	uint32_t used = atomic_load_explicit(&pmm.cache_count, memory_order_relaxed);
	uint64_t n = atomic_load_explicit(&pmm.free_pages, memory_order_relaxed);

	for (uint32_t i = 0; i < used; i++)
		n += cache_count(&pmm.caches[i]);
	return n;
}
