/* sources: kernel/mm/pmm.c kernel/mm/pmm_single.c kernel/mm/pmm_count.c
 * test/unit/shim/host.c test/unit/shim/host_ram.c */
/*
 * pmm_kinds_test.c: frames that were never used, the reserve, blocks in pieces, fragmentation.
 *
 * What:       case by case; pmm_test.c has who owns what.
 * Invariants: none of its own.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/pmm.h.
 */
#include <string.h>

#include "host.h"
#include "kernel/mm/pmm.h"

#define RAM_BYTES (32 * MIB)
#define RAM_PAGES (RAM_BYTES / PAGE_SIZE)
#define HUGE_ORDER 9u
#define CACHED_MAX 64u /* single frames that one CPU may keep */

static pfn_t frames[RAM_PAGES];

static bool is_all(pfn_t pfn, int byte)
{
	const char *p = pfn_to_virt(pfn);

	return p[0] == byte && memcmp(p, p + 1, PAGE_SIZE - 1) == 0;
}

/* Memory is zero at the start here; a debug allocator looks whether what it believes is true. */
static void test_fresh_frames(void)
{
	uint64_t zeroed = 0;
	pfn_t pfn, huge;

	for (unsigned i = 0; i < 300; i++) {
		pfn = pmm_alloc(0, PMM_PROGRAM);
		zeroed += pmm_take_zero(pfn);
		CHECK(!pmm_take_zero(pfn)); /* once */
		memset(pfn_to_virt(pfn), 7, PAGE_SIZE);
		pmm_put(pfn);
	}
	CHECK(zeroed > 0 && zeroed < 300); /* some came back */
	for (unsigned i = 0; i < 300; i++) {
		pfn = pmm_alloc_zeroed(PMM_PROGRAM);
		CHECK(is_all(pfn, 0));
		memset(pfn_to_virt(pfn), 7, PAGE_SIZE);
		pmm_put(pfn);
	}
	huge = pmm_alloc(HUGE_ORDER, PMM_PROGRAM);
	CHECK(huge != PFN_NONE);
	for (unsigned i = 0; i < 512; i++)
		CHECK(!pmm_take_zero(huge + i) || is_all(huge + i, 0));
	memset(pfn_to_virt(huge), 9, HUGE_PAGE_SIZE);
	pmm_free(huge, HUGE_ORDER);
	huge = pmm_alloc(HUGE_ORDER, PMM_PROGRAM);
	for (unsigned i = 0; i < 512; i++)
		CHECK(!pmm_take_zero(huge + i)); /* the same block: written to */
	pmm_free(huge, HUGE_ORDER);
}

static void test_split(void)
{
	uint64_t free_pages = pmm_free_pages();
	pfn_t huge = pmm_alloc(HUGE_ORDER, PMM_PROGRAM);

	pmm_split(huge, HUGE_ORDER);
	for (unsigned i = 0; i < 512; i++) {
		CHECK(pmm_is_program(huge + i));
		CHECK_EQ(pmm_frame(huge + i)->refs, 1);
		pmm_put(huge + i);
	}
	CHECK_EQ(pmm_free_pages(), free_pages);
}

/* Counted by owner, frames in pieces and in caches too. */
static void test_counts(void)
{
	static const unsigned orders[] = { 0, 3, 0, HUGE_ORDER, 1 };
	uint64_t before[PMM_OWNERS], now[PMM_OWNERS];
	pfn_t taken[ARRAY_LEN(orders)], piece;

	pmm_put(pmm_alloc_zeroed(PMM_CACHE)); /* one in a cache */
	pmm_count_pages(before);
	for (unsigned i = 0; i < ARRAY_LEN(orders); i++)
		taken[i] = pmm_alloc(orders[i], i % 2 ? PMM_SLAB : PMM_TABLE);
	piece = pmm_alloc(4, PMM_PROGRAM);
	pmm_split(piece, 4);
	for (unsigned i = 0; i < 5; i++)
		pmm_put(piece + i);
	pmm_count_pages(now);
	CHECK_EQ(now[PMM_TABLE] - before[PMM_TABLE], 4);
	CHECK_EQ(now[PMM_SLAB] - before[PMM_SLAB], 8 + 512);
	CHECK_EQ(now[PMM_PROGRAM] - before[PMM_PROGRAM], 11);
	CHECK_EQ(now[PMM_CACHE], before[PMM_CACHE]);
	for (unsigned i = 0; i < ARRAY_LEN(orders); i++)
		pmm_free(taken[i], orders[i]);
	for (unsigned i = 5; i < 16; i++)
		pmm_put(piece + i);
	pmm_count_pages(now);
	for (unsigned i = PMM_KERNEL; i < PMM_OWNERS; i++)
		CHECK_EQ(now[i], before[i]);
}

static uint64_t take_all(enum pmm_owner owner)
{
	uint64_t n = 0;

	while ((frames[n] = pmm_alloc(0, owner)) != PFN_NONE)
		n++;
	return n;
}

static void give_all(uint64_t n)
{
	while (n > 0)
		pmm_put(frames[--n]);
}

/* The program stops where the reserve begins; the kernel goes on; then the reserve is given up. */
static void test_reserve(void)
{
	uint64_t all = pmm_free_pages(), n;
	pfn_t pfn;

	pmm_set_reserve(100);
	n = take_all(PMM_PROGRAM);
	CHECK(n <= all - 100 + CACHED_MAX && n >= all - 100 - CACHED_MAX);
	CHECK_EQ(pmm_alloc(0, PMM_CACHE), PFN_NONE);
	CHECK_EQ(pmm_alloc(3, PMM_PROGRAM), PFN_NONE);
	pfn = pmm_alloc(2, PMM_KERNEL);
	CHECK(pfn != PFN_NONE);
	pmm_free(pfn, 2);
	pmm_release_reserve();
	pfn = pmm_alloc(0, PMM_PROGRAM);
	CHECK(pfn != PFN_NONE);
	pmm_put(pfn);
	give_all(n);
	CHECK_EQ(pmm_free_pages(), all);
}

/* Every other frame is free: there is no block of two. When the rest comes back, in whatever order,
 * so do the largest blocks. */
static void test_fragmentation(void)
{
	uint64_t all = pmm_free_pages(), n = take_all(PMM_PROGRAM), state = 5, blocks = 0;
	pfn_t pfn, list = PFN_NONE;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t j = host_random(&state) % n;

		pfn = frames[i];
		frames[i] = frames[j];
		frames[j] = pfn;
	}
	for (uint64_t i = 0; i < n; i++)
		if (frames[i] % 2 == 0)
			pmm_put(frames[i]);
	CHECK(pmm_free_pages() > all / 2 - CACHED_MAX);
	CHECK_EQ(pmm_alloc(1, PMM_KERNEL), PFN_NONE);
	for (uint64_t i = 0; i < n; i++)
		if (frames[i] % 2 != 0)
			pmm_put(frames[i]);
	CHECK_EQ(pmm_free_pages(), all);
	while ((pfn = pmm_alloc(PMM_ORDER_MAX, PMM_KERNEL)) != PFN_NONE) {
		pmm_frame(pfn)->link_next = (uint32_t)list;
		list = pfn;
		blocks++;
	}
	CHECK(blocks >= RAM_PAGES / (1ul << PMM_ORDER_MAX) - 2); /* but the first and the table's */
	while (list != PFN_NONE) {
		pfn = list;
		list = pmm_frame(pfn)->link_next;
		pmm_free(pfn, PMM_ORDER_MAX);
	}
	CHECK_EQ(pmm_free_pages(), all);
}

int main(void)
{
	size_t table = pmm_table_bytes(RAM_BYTES);

	host_ram_init(RAM_BYTES);
	for (pfn_t i = 1; i < RAM_PAGES; i++)
		memset(pfn_to_virt(i), 0, PAGE_SIZE);
	pmm_trust_zero();
	pmm_init(RAM_BYTES, MIB);
	pmm_add_range(MIB + ROUND_UP(table, PAGE_SIZE), RAM_BYTES);
	test_fresh_frames();
	test_split();
	test_counts();
	test_reserve();
	test_fragmentation();
	return 0;
}
