/*
 * host_pmm.c: frames for tests: simple enough to be right, strict, and failing on demand.
 *
 * What:       a bit of state per frame, searched from where the last search ended, so that a freed
 *             frame comes back late. Free frames are poisoned for ASan.
 * Invariants: (1) only whole blocks are freed, as they were allocated, and once.
 * Locking:    as the real one, LOCK_PMM, so that ranks are checked.
 * Failure:    PFN_NONE when full or when host_fail_alloc says so.
 * Source:     kernel/mm/pmm.h.
 */
#include <sanitizer/asan_interface.h>
#include <string.h>

#include "base/assert.h"
#include "host.h"
#include "kernel/mm/pmm.h"

static struct {
	struct spinlock lock;
	struct frame *frames;
	pfn_t count, next;
	uint64_t total, free;
} pmm = { .lock = SPINLOCK_INIT(LOCK_PMM) };

size_t pmm_table_bytes(paddr_t ram_end)
{
	(void)ram_end;
	return PAGE_SIZE;
}

void pmm_init(paddr_t ram_end, paddr_t table_pa)
{
	(void)table_pa;
	free(pmm.frames);
	pmm.count = pmm.next = ram_end >> PAGE_SHIFT;
	pmm.total = pmm.free = 0;
	pmm.frames = calloc(pmm.count, sizeof(*pmm.frames));
	CHECK(pmm.frames);
	for (pfn_t i = 0; i < pmm.count; i++) {
		pmm.frames[i].refs = 1;
		pmm.frames[i].owner = PMM_KERNEL;
	}
}

static void give(pfn_t pfn)
{
	pmm.frames[pfn].owner = PMM_FREE;
	pmm.frames[pfn].refs = 0;
	pmm.free++;
	memset(pfn_to_virt(pfn), 0x5c, PAGE_SIZE);
	ASAN_POISON_MEMORY_REGION(pfn_to_virt(pfn), PAGE_SIZE);
}

void pmm_add_range(paddr_t start, paddr_t end)
{
	for (pfn_t i = start >> PAGE_SHIFT; i < end >> PAGE_SHIFT; i++) {
		give(i);
		pmm.total++;
	}
}

static bool is_free_block(pfn_t pfn, pfn_t n)
{
	for (pfn_t i = pfn; i < pfn + n; i++)
		if (i >= pmm.count || pmm.frames[i].owner != PMM_FREE)
			return false;
	return true;
}

static pfn_t take(unsigned order, enum pmm_owner owner)
{
	pfn_t n = 1ul << order, pfn = ROUND_UP(pmm.next, n);

	for (pfn_t tries = 0; tries <= pmm.count / n + 1; tries++, pfn += n) {
		if (pfn >= pmm.count)
			pfn = 0;
		if (!is_free_block(pfn, n))
			continue;
		for (pfn_t i = pfn; i < pfn + n; i++) {
			pmm.frames[i] = (struct frame){ .refs = 1, .owner = (uint8_t)owner };
			ASAN_UNPOISON_MEMORY_REGION(pfn_to_virt(i), PAGE_SIZE);
		}
		pmm.frames[pfn].order = (uint8_t)order;
		pmm.next = pfn + n;
		pmm.free -= n;
		return pfn;
	}
	return PFN_NONE;
}

pfn_t pmm_alloc(unsigned order, enum pmm_owner owner)
{
	pfn_t pfn = PFN_NONE;

	spin_lock(&pmm.lock);
	if (!host_alloc_fails())
		pfn = take(order, owner);
	spin_unlock(&pmm.lock);
	return pfn;
}

pfn_t pmm_alloc_zeroed(enum pmm_owner owner)
{
	pfn_t pfn = pmm_alloc(0, owner);

	if (pfn != PFN_NONE)
		memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
	return pfn;
}

bool pmm_take_zero(pfn_t pfn)
{
	CHECK(pmm_frame(pfn)->owner != PMM_FREE);
	return false;
}

void pmm_split(pfn_t pfn, unsigned order)
{
	spin_lock(&pmm.lock);
	CHECK_EQ(pmm_frame(pfn)->order, order);
	for (pfn_t i = pfn; i < pfn + (1ul << order); i++) {
		CHECK_EQ(pmm.frames[i].refs, 1);
		pmm.frames[i].order = 0;
	}
	spin_unlock(&pmm.lock);
}

void pmm_free(pfn_t pfn, unsigned order)
{
	spin_lock(&pmm.lock);
	CHECK(pfn != PFN_NONE && pfn + (1ul << order) <= pmm.count);
	CHECK(pmm.frames[pfn].owner != PMM_FREE);
	CHECK_EQ(pmm.frames[pfn].order, order); /* (1) */
	for (pfn_t i = pfn; i < pfn + (1ul << order); i++)
		give(i);
	spin_unlock(&pmm.lock);
}

struct frame *pmm_frame(pfn_t pfn)
{
	CHECK(pfn != PFN_NONE && pfn < pmm.count);
	return &pmm.frames[pfn];
}

void pmm_get(pfn_t pfn)
{
	CHECK(pmm_frame(pfn)->owner != PMM_FREE);
	pmm_frame(pfn)->refs++;
}

void pmm_put(pfn_t pfn)
{
	CHECK(pmm_frame(pfn)->refs != 0);
	if (--pmm_frame(pfn)->refs == 0)
		pmm_free(pfn, 0);
}

bool pmm_is_program(pfn_t pfn)
{
	return pmm_frame(pfn)->owner == PMM_PROGRAM;
}

uint64_t pmm_total_pages(void)
{
	return pmm.total;
}

uint64_t pmm_free_pages(void)
{
	return pmm.free;
}

uint64_t pmm_peak_pages(void)
{
	return pmm_total_pages() - pmm_free_pages();
}
