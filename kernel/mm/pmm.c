/*
 * pmm.c: physical page frames: a buddy allocator that boots in constant time.
 *
 * What:       free blocks of 2^order frames on one list per order. RAM that nobody needed yet stays
 *             in `uncarved` ranges; when the lists run dry, the next piece of at most one chunk
 *             (4 MiB, the largest block) is carved off and freed into the lists. The table of
 *             frames is written one chunk at a time, too; until then it holds garbage.
 *             Where RAM is known to be zero at the start, every frame remembers whether it still
 *             is, so that nothing is cleared twice, and the host need not provide it at all before
 *             the program stores something.
 *               uncarved -> free block [carve_next] -> allocated [take_block] -> free [give_block]
 *             Single frames come from the caches of pmm_single.c.
 * Invariants: (1) owner == PMM_FREE exactly for the first frame of a block on a free list.
 *             (2) two free buddies never exist: they have been merged. Buddies share a chunk, so
 *             merging never reads an unprepared part of the table.
 *             (3) a frame outside all ranges is PMM_KERNEL with one reference nobody puts.
 *             (4) in each list the blocks that the host does not know to be free come first: they
 *             are used first, having memory behind them, and found without a search.
 *             (5) is_zero of a frame that is free, or was just allocated: it reads as zero.
 * Locking:    LOCK_PMM inside; refs are atomic; a chunk's ready bit is set once (release), after
 *             its frames are written. Never sleeps. Any context.
 * Failure:    PFN_NONE when there is no block of that order. Wrong frees are bugs: ASSERT.
 * Source:     Knuth, TAOCP 1, 2.5 (buddy system).
 */
#include "kernel/mm/pmm.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "kernel/mm/pmm_priv.h"
#include "kernel/sync/spinlock.h"
#include "lib/string.h"

#define CHUNK_PAGES (1ul << PMM_ORDER_MAX)
#define RANGES_MAX 192u
#define READY_BITS 64u
#define REPORT_SPARE 8u /* this part of RAM is kept from the host: it will be needed */

struct uncarved {
	pfn_t next, end;
};

static struct {
	struct spinlock lock;
	_Atomic uint64_t *ready; /* [a] bit per chunk: its frames are written */
	struct frame *frames; /* [I] the table; contents see above */
	pfn_t frame_count; /* [I] whole chunks */
	uint32_t heads[PMM_ORDER_MAX + 1]; /* [pmm lock] first free block of each order; 0: none */
	uint32_t tails[PMM_ORDER_MAX + 1]; /* [pmm lock] last one */
	uint32_t nonempty; /* [pmm lock] bit per order */
	uint32_t range_count; /* [pmm lock] */
	struct uncarved ranges[RANGES_MAX]; /* [pmm lock] the last one is carved first */
	uint64_t total_pages; /* [pmm lock] */
	uint64_t reserve_pages; /* [pmm lock] not for the program */
	bool is_zeroed; /* [pmm lock] what is carved from now on reads as zero */
	_Atomic uint64_t free_pages; /* [pmm lock] for writing; without those in caches */
	_Atomic uint64_t most_used_pages; /* [pmm lock] for writing; ever, caches included */
	_Atomic bool has_news; /* [a] see pmm_report_has_news */
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
static void push_block_locked(pfn_t pfn, unsigned order, bool is_reported)
{
	struct frame *f = &pmm.frames[pfn];

	f->owner = PMM_FREE;
	f->order = (uint8_t)order;
	f->is_reported = is_reported;
	f->link_prev = is_reported ? pmm.tails[order] : 0; /* (4) */
	f->link_next = is_reported ? 0 : pmm.heads[order];
	*(f->link_prev ? &pmm.frames[f->link_prev].link_next : &pmm.heads[order]) = (uint32_t)pfn;
	*(f->link_next ? &pmm.frames[f->link_next].link_prev : &pmm.tails[order]) = (uint32_t)pfn;
	pmm.nonempty |= 1u << order;
}

static void unlink_block_locked(pfn_t pfn)
{
	struct frame *f = &pmm.frames[pfn];
	unsigned order = f->order;

	DASSERT(f->owner == PMM_FREE);
	*(f->link_prev ? &pmm.frames[f->link_prev].link_next : &pmm.heads[order]) = f->link_next;
	*(f->link_next ? &pmm.frames[f->link_next].link_prev : &pmm.tails[order]) = f->link_prev;
	if (!pmm.heads[order])
		pmm.nonempty &= ~(1u << order);
	f->owner = PMM_KERNEL; /* (1) */
}

/* Frees a block and merges it with its buddies as far as they are free. */
static void give_block_locked(pfn_t pfn, unsigned order, bool is_reported)
{
	lock_assert_held(&pmm.lock);
	for (; order < PMM_ORDER_MAX; order++) {
		pfn_t buddy = pfn ^ (1ul << order);
		struct frame *b = &pmm.frames[buddy];

		if (b->owner != PMM_FREE || b->order != order)
			break;
		is_reported = is_reported && b->is_reported;
		unlink_block_locked(buddy);
		pfn &= ~(1ul << order);
	}
	push_block_locked(pfn, order, is_reported);
	if (!is_reported && order >= PMM_REPORT_ORDER)
		atomic_store_explicit(&pmm.has_news, true, memory_order_relaxed);
}

/* ------------------------------------------------------------------ carving */
bool pmm_is_ready(pfn_t pfn)
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
	if (pmm_is_ready(pfn))
		return;
	for (struct frame *end = f + CHUNK_PAGES; f < end; f++) {
		*f = (struct frame){ .owner = PMM_KERNEL };
		atomic_init(&f->refs, 1);
	}
	atomic_fetch_or_explicit(&pmm.ready[chunk / READY_BITS], 1ull << (chunk % READY_BITS),
		memory_order_release);
}

/* Gives [pfn, end), inside one chunk, to the lists in the largest aligned blocks. */
static void carve_piece_locked(pfn_t pfn, pfn_t end)
{
	prepare_chunk_locked(pfn);
	for (pfn_t i = pfn; pmm.is_zeroed && i < end; i++)
		pmm.frames[i].is_zero = true;
	while (pfn < end) {
		unsigned order = MIN((unsigned)__builtin_ctzl(pfn), PMM_ORDER_MAX);

		while (pfn + (1ul << order) > end)
			order--;
		give_block_locked(pfn, order, true); /* never used: there is nothing behind it */
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

void pmm_trust_zero(void)
{
	spin_lock(&pmm.lock);
	pmm.is_zeroed = true;
	spin_unlock(&pmm.lock);
}

/* ------------------------------------------------------------------ the reserve */
void pmm_set_reserve(uint64_t pages)
{
	spin_lock(&pmm.lock);
	pmm.reserve_pages = pages;
	spin_unlock(&pmm.lock);
}

void pmm_release_reserve(void)
{
	pmm_set_reserve(0);
}

static bool may_take_locked(uint64_t pages, bool for_kernel)
{
	uint64_t left = atomic_load_explicit(&pmm.free_pages, memory_order_relaxed);

	lock_assert_held(&pmm.lock);
	return for_kernel || left >= pmm.reserve_pages + pages;
}

/* ------------------------------------------------------------------ blocks */
static pfn_t take_block_locked(unsigned order, enum pmm_owner owner)
{
	unsigned have;
	bool is_reported;
	uint64_t used;
	pfn_t pfn;
	struct frame *f;

	lock_assert_held(&pmm.lock);
	while (!(pmm.nonempty >> order))
		if (!carve_next_locked())
			return PFN_NONE;
	have = order + (unsigned)__builtin_ctz(pmm.nonempty >> order);
	pfn = pmm.heads[have];
	f = &pmm.frames[pfn];
	is_reported = f->is_reported;
	unlink_block_locked(pfn);
	while (have > order) { /* the upper half stays free */
		have--;
		push_block_locked(pfn + (1ul << have), have, is_reported);
	}
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
	give_block_locked(pfn, order, false);
	atomic_fetch_add_explicit(&pmm.free_pages, 1ul << order, memory_order_relaxed);
}

/* ------------------------------------------------------------------ for pmm_single.c */
uint32_t pmm_fill(uint32_t *frames, bool together)
{
	pfn_t block = PFN_NONE, pfn;
	uint32_t n;

	spin_lock(&pmm.lock);
	if (together)
		block = take_block_locked(PMM_BATCH_ORDER, PMM_KERNEL);
	for (n = 0; n < PMM_BATCH && may_take_locked(1, together); n++) {
		pfn = block != PFN_NONE ? block + n : take_block_locked(0, PMM_KERNEL);
		if (pfn == PFN_NONE)
			break;
		pmm.frames[pfn].order = 0;
		pmm.frames[pfn].owner = PMM_CACHED;
		frames[n] = (uint32_t)pfn;
	}
	spin_unlock(&pmm.lock);
	return n;
}

void pmm_spill(const uint32_t *frames, uint32_t n)
{
	spin_lock(&pmm.lock);
	for (uint32_t i = 0; i < n; i++)
		return_block_locked(frames[i], 0);
	spin_unlock(&pmm.lock);
}

/* ------------------------------------------------------------------ allocation */
static pfn_t take_block(unsigned order, enum pmm_owner owner)
{
	bool for_kernel = owner != PMM_PROGRAM && owner != PMM_CACHE;
	pfn_t pfn = PFN_NONE;

	spin_lock(&pmm.lock);
	if (may_take_locked(1ul << order, for_kernel))
		pfn = take_block_locked(order, owner);
	spin_unlock(&pmm.lock);
	return pfn;
}

pfn_t pmm_alloc(unsigned order, enum pmm_owner owner)
{
	pfn_t pfn;

	ASSERT(order <= PMM_ORDER_MAX);
	ASSERT(owner != PMM_FREE);
	if (order == 0)
		return pmm_single_take(owner);
	pfn = take_block(order, owner);
	if (pfn == PFN_NONE && pmm_single_spill()) /* single frames may be what is missing */
		pfn = take_block(order, owner);
	DASSERT((pfn & ((1ul << order) - 1)) == 0);
	return pfn;
}

static unused_arg bool reads_as_zero(pfn_t pfn)
{
	const uint64_t *word = pfn_to_virt(pfn);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		if (word[i])
			return false;
	return true;
}

bool pmm_take_zero(pfn_t pfn)
{
	struct frame *f = &pmm.frames[pfn];
	bool is = f->is_zero;

	f->is_zero = false;
	DASSERT(!is || reads_as_zero(pfn)); /* (5); else: the platform's promise does not hold */
	return is;
}

void pmm_split(pfn_t pfn, unsigned order)
{
	struct frame *f = pmm_frame(pfn);

	ASSERT(f->order == order);
	for (pfn_t i = 0; i < 1ul << order; i++) {
		f[i].order = 0;
		f[i].owner = f->owner;
		atomic_store_explicit(&f[i].refs, 1, memory_order_relaxed);
	}
}

void pmm_free(pfn_t pfn, unsigned order)
{
	struct frame *f = pmm_frame(pfn);

	ASSERT(f->owner != PMM_FREE && f->owner != PMM_CACHED); /* else: freed twice */
	ASSERT(f->order == order);
	for (pfn_t i = 0; i < 1ul << order; i++)
		f[i].is_zero = false; /* (5) */
	if (order == 0) {
		pmm_single_give(pfn);
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
	if (unlikely(!pmm_is_ready(pfn))) {
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

pfn_t pmm_end(void)
{
	return pmm.frame_count;
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
	return atomic_load_explicit(&pmm.free_pages, memory_order_relaxed) + pmm_single_count();
}

/* ------------------------------------------------------------------ for the host */
pfn_t pmm_report_take(unsigned *order)
{
	pfn_t pfn = PFN_NONE;

	spin_lock(&pmm.lock);
	for (*order = PMM_ORDER_MAX; *order >= PMM_REPORT_ORDER; --*order) {
		pfn = pmm.heads[*order];
		if (pfn != PFN_NONE && !pmm.frames[pfn].is_reported) /* (4) */
			break;
		pfn = PFN_NONE;
	}
	if (pmm.free_pages < pmm.total_pages / REPORT_SPARE + (1ul << *order))
		pfn = PFN_NONE;
	if (pfn != PFN_NONE) {
		unlink_block_locked(pfn);
		atomic_fetch_sub_explicit(&pmm.free_pages, 1ul << *order, memory_order_relaxed);
	}
	spin_unlock(&pmm.lock);
	return pfn;
}

void pmm_report_give(pfn_t pfn, bool is_reported)
{
	unsigned order = pmm_frame(pfn)->order;

	spin_lock(&pmm.lock);
	give_block_locked(pfn, order, is_reported);
	atomic_fetch_add_explicit(&pmm.free_pages, 1ul << order, memory_order_relaxed);
	spin_unlock(&pmm.lock);
}

bool pmm_report_has_news(void)
{
	return atomic_load_explicit(&pmm.has_news, memory_order_relaxed) &&
		atomic_exchange_explicit(&pmm.has_news, false, memory_order_relaxed);
}
