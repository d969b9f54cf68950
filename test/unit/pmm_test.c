/* sources: kernel/mm/pmm.c kernel/mm/pmm_single.c test/unit/shim/host.c
 * test/unit/shim/host_ram.c */
/*
 * pmm_test.c: the frame allocator against a map of who owns what.
 *
 * What:       edges of ranges, every order, exhaustion, merging back, references, random churn.
 * Invariants: (1) blocks never overlap, are aligned and lie in the given ranges.
 *             (2) when all is freed, all is free, and the largest blocks can be had again.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/pmm.h.
 */
#include "kernel/mm/pmm.h"

#include <string.h>

#include "host.h"

#define RAM_BYTES (64 * MIB)
#define RAM_PAGES (RAM_BYTES / PAGE_SIZE)

static uint8_t owned[RAM_PAGES]; /* 0: not ours; 1: free RAM; 2: allocated */

static void add(paddr_t start, paddr_t end)
{
	pmm_add_range(start, end);
	for (pfn_t i = (start + PAGE_MASK) / PAGE_SIZE; i < MIN(end / PAGE_SIZE, RAM_PAGES); i++)
		owned[i] = i != PFN_NONE;
}

/* There is one allocator in a process, and it can't be emptied: RAM is set up once. */
static void setup(void)
{
	size_t table = pmm_table_bytes(RAM_BYTES);

	host_ram_init(RAM_BYTES);
	CHECK(table >= RAM_PAGES * sizeof(struct frame) && table % PAGE_SIZE == 0);
	pmm_init(RAM_BYTES, 2 * MIB);
	add(0, 0x9f400); /* frame 0 is never given; a page that is only partly RAM neither */
	add(2 * MIB + table, 9 * MIB + 12345);
	add(9 * MIB + 12345, 9 * MIB + 12346); /* nothing whole */
	for (unsigned i = 0; i < 300; i++) /* more than there are slots, single pages */
		add(10 * MIB + i * 8192ul, 10 * MIB + i * 8192ul + PAGE_SIZE);
	add(17 * MIB, RAM_BYTES + 16 * MIB); /* beyond the end */
}

static uint64_t count_owned(uint8_t what)
{
	uint64_t n = 0;

	for (pfn_t i = 0; i < RAM_PAGES; i++)
		n += owned[i] == what;
	return n;
}

static pfn_t alloc(unsigned order)
{
	pfn_t pfn = pmm_alloc(order, PMM_KERNEL);

	if (pfn == PFN_NONE)
		return pfn;
	CHECK((pfn & ((1ul << order) - 1)) == 0);
	CHECK(pfn + (1ul << order) <= RAM_PAGES);
	for (pfn_t i = pfn; i < pfn + (1ul << order); i++) {
		CHECK(owned[i] == 1); /* (1) */
		owned[i] = 2;
		memset(pfn_to_virt(i), 0xee, PAGE_SIZE);
	}
	CHECK_EQ(pmm_frame(pfn)->refs, 1);
	CHECK_EQ(pmm_frame(pfn)->owner, PMM_KERNEL);
	return pfn;
}

static void give(pfn_t pfn, unsigned order)
{
	for (pfn_t i = pfn; i < pfn + (1ul << order); i++) {
		CHECK(owned[i] == 2);
		owned[i] = 1;
	}
	pmm_free(pfn, order);
}

static void check_counts(void)
{
	CHECK_EQ(pmm_free_pages(), count_owned(1));
	CHECK_EQ(pmm_total_pages(), count_owned(1) + count_owned(2));
}

static pfn_t blocks[RAM_PAGES];

/* Takes everything there is of one order. */
static unsigned long drain(unsigned order)
{
	unsigned long n = 0;

	while ((blocks[n] = alloc(order)) != PFN_NONE)
		n++;
	return n;
}

static void test_drain_all_orders(void)
{
	unsigned long first[PMM_ORDER_MAX + 1], n;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned order = 0; order <= PMM_ORDER_MAX; order++) {
			n = drain(order);
			check_counts();
			if (order == 0)
				CHECK_EQ(count_owned(1), 0);
			if (round == 0)
				first[order] = n;
			CHECK_EQ(n, first[order]); /* (2) */
			while (n > 0)
				give(blocks[--n], order);
			check_counts();
		}
	}
	CHECK(first[PMM_ORDER_MAX] >= 11); /* 20 … 64 MiB */
}

/* What CPU 1 has kept would be missing from blocks: a failed allocation gives it back. */
static void empty_cache_of_other(void)
{
	unsigned long n;

	host_cpu = 1;
	for (n = 0; (blocks[n] = alloc(PMM_ORDER_MAX)) != PFN_NONE; n++)
		;
	while (n > 0)
		give(blocks[--n], PMM_ORDER_MAX);
	host_cpu = 0;
}

static void test_random(void)
{
	uint64_t seed = 1;
	static unsigned orders[RAM_PAGES];
	unsigned long n = 0;

	for (unsigned step = 0; step < 20000; step++) {
		uint64_t r = host_random(&seed);

		host_cpu = (r >> 61) & 1;
		if (r % 5 < 3) {
			orders[n] = (unsigned)(r >> 32) % 12 % (PMM_ORDER_MAX + 1);
			blocks[n] = alloc(orders[n]);
			if (blocks[n] != PFN_NONE)
				n++;
		} else if (n > 0) {
			unsigned long i = (r >> 32) % n;

			give(blocks[i], orders[i]);
			blocks[i] = blocks[--n];
			orders[i] = orders[n];
		}
		if (step % 1000 == 0)
			check_counts();
	}
	while (n--)
		give(blocks[n], orders[n]);
	empty_cache_of_other();
	check_counts();
}

static void test_zeroed(void)
{
	for (unsigned i = 0; i < 100; i++) {
		pfn_t pfn = pmm_alloc_zeroed(PMM_PROGRAM);
		const char *p = pfn_to_virt(pfn);

		CHECK(pmm_is_program(pfn));
		for (unsigned k = 0; k < PAGE_SIZE; k++)
			CHECK(p[k] == 0);
		memset(pfn_to_virt(pfn), 0xdd, PAGE_SIZE);
		pmm_put(pfn);
	}
	check_counts();
}

static void test_references(void)
{
	pfn_t image = 1 * MIB / PAGE_SIZE, pfn = alloc(0);
	uint64_t free = pmm_free_pages();

	pmm_get(pfn);
	pmm_put(pfn);
	CHECK_EQ(pmm_free_pages(), free);
	owned[pfn] = 1;
	pmm_put(pfn);
	CHECK_EQ(pmm_free_pages(), free + 1);
	/* Frames that are nobody's, and what is no RAM at all. */
	for (unsigned i = 0; i < 3; i++)
		pmm_get(image);
	for (unsigned i = 0; i < 3; i++)
		pmm_put(image);
	CHECK_EQ(pmm_frame(image)->owner, PMM_KERNEL);
	CHECK(!pmm_is_program(image));
	pmm_get(0xfebc0000 / PAGE_SIZE);
	pmm_put(0xfebc0000 / PAGE_SIZE);
	CHECK(!pmm_is_program(0xfebc0000 / PAGE_SIZE));
	check_counts();
}

static void free_twice(void *arg)
{
	pmm_free(*(pfn_t *)arg, 0);
}

static void free_both(void *arg)
{
	pmm_free(*(pfn_t *)arg, 0);
	pmm_free(*(pfn_t *)arg, 0);
}

static void free_other_order(void *arg)
{
	pmm_free(*(pfn_t *)arg, 1);
}

static void test_wrong_frees(void)
{
	pfn_t a = alloc(1);

	CHECK(host_stops(free_twice, &a)); /* order 0 of an order-1 block */
	give(a, 1);
	a = alloc(0);
	CHECK(host_stops(free_other_order, &a));
	give(a, 0);
	check_counts();
	a = alloc(0);
	CHECK(host_stops(free_both, &a));
	owned[a] = 1;
	check_counts();
}

/* Merging goes through every neighbour order: free single pages in a shuffled order. */
static void test_shuffled_merge(void)
{
	unsigned long n = drain(0), big;
	uint64_t seed = 7;

	for (unsigned long i = n; i > 1; i--) {
		unsigned long k = host_random(&seed) % i;
		pfn_t t = blocks[i - 1];

		blocks[i - 1] = blocks[k];
		blocks[k] = t;
	}
	while (n > 0)
		give(blocks[--n], 0);
	big = drain(PMM_ORDER_MAX);
	CHECK(big >= 11); /* (2) */
	while (big > 0)
		give(blocks[--big], PMM_ORDER_MAX);
	check_counts();
}

int main(void)
{
	setup();
	check_counts();
	test_zeroed();
	test_references();
	test_drain_all_orders();
	test_random();
	test_shuffled_merge();
	test_wrong_frees();
	test_zeroed();
	CHECK_EQ(host_locks_held(), 0);
	return 0;
}
