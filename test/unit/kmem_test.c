/* sources: kernel/mm/kmem.c test/unit/shim/host.c test/unit/shim/host_ram.c
 * test/unit/shim/host_pmm.c */
/*
 * kmem_test.c: the kernel heap: sizes, alignment, contents, reuse, failure.
 *
 * What:       every size class and its borders, large blocks, realloc, random churn with contents
 *             checked, failure of every n-th page, misuse.
 * Invariants: (1) objects never overlap and keep what was written to them.
 *             (2) after all is freed at most one page per class is kept.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/kmem.h.
 */
#include "kernel/mm/kmem.h"

#include <string.h>

#include "host.h"
#include "kernel/mm/pmm.h"

#define RAM_BYTES (64 * MIB)
#define CLASSES_MAX 16u
#define OBJECTS 3000u

static struct {
	unsigned char *p;
	size_t bytes;
	unsigned char mark;
} objects[OBJECTS];

static void fill(unsigned i, size_t bytes)
{
	static unsigned char mark;

	objects[i].p = kmem_alloc(bytes);
	CHECK(objects[i].p);
	objects[i].bytes = bytes;
	objects[i].mark = ++mark;
	CHECK(((uintptr_t)objects[i].p & (bytes >= 64 ? 63 : 15)) == 0);
	CHECK(kmem_usable_bytes(objects[i].p) >= bytes);
	memset(objects[i].p, mark, bytes);
}

static void verify(unsigned i)
{
	for (size_t k = 0; k < objects[i].bytes; k++)
		CHECK(objects[i].p[k] == objects[i].mark); /* (1) */
}

static void release(unsigned i)
{
	verify(i);
	kmem_free(objects[i].p);
	objects[i].p = NULL;
}

static void test_sizes(void)
{
	uint64_t used = kmem_used_bytes();

	for (size_t bytes = 1; bytes <= 5000; bytes++) {
		for (unsigned i = 0; i < 4; i++)
			fill(i, bytes);
		CHECK(kmem_used_bytes() >= used + 4 * bytes);
		for (unsigned i = 0; i < 4; i++)
			release(i);
		CHECK_EQ(kmem_used_bytes(), used);
	}
}

static void test_large(void)
{
	uint64_t free = pmm_free_pages();

	fill(0, 4 * MIB);
	CHECK_EQ(pmm_free_pages(), free - 1024);
	CHECK(kmem_alloc(4 * MIB + 1) == NULL);
	release(0);
	fill(0, 3 * PAGE_SIZE);
	CHECK_EQ(pmm_free_pages(), free - 4);
	release(0);
	CHECK_EQ(pmm_free_pages(), free);
}

static void test_realloc(void)
{
	unsigned char *p = kmem_realloc(NULL, 10), *q;

	CHECK(p);
	memset(p, 7, 10);
	for (size_t bytes = 11; bytes < 100000; bytes += bytes / 3) {
		q = kmem_realloc(p, bytes);
		CHECK(q && kmem_usable_bytes(q) >= bytes);
		for (unsigned i = 0; i < 10; i++)
			CHECK(q[i] == 7);
		p = q;
	}
	p = kmem_realloc(p, 10);
	CHECK(p && kmem_usable_bytes(p) < 100);
	CHECK(p[9] == 7);
	host_fail_alloc(1);
	CHECK(kmem_realloc(p, 8000) == NULL);
	CHECK(p[0] == 7 && p[9] == 7); /* the old one stays */
	kmem_free(p);
	kmem_free(NULL);
}

static void test_zalloc(void)
{
	for (size_t bytes = 1; bytes < 9000; bytes = bytes * 2 + 1) {
		unsigned char *p = kmem_zalloc(bytes);

		CHECK(p);
		for (size_t i = 0; i < bytes; i++)
			CHECK(p[i] == 0);
		kmem_free(p);
	}
}

static void test_random(uint64_t seed)
{
	for (unsigned step = 0; step < 60000; step++) {
		uint64_t r = host_random(&seed);
		unsigned i = (unsigned)(r % OBJECTS);

		if (objects[i].p)
			release(i);
		else
			fill(i, 1 + (r >> 32) % (r >> 60 ? 700 : 20000));
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		if (objects[i].p)
			release(i);
	CHECK_EQ(kmem_used_bytes(), 0);
}

static void test_failures(void)
{
	for (unsigned long n = 1; n < 40; n++) {
		unsigned got = 0;

		host_fail_alloc(n);
		while (got < 1000 && (objects[got].p = kmem_alloc(200 + got % 3 * 800))) {
			objects[got].bytes = 0;
			got++;
		}
		CHECK(host_failed_alloc() || got == 1000);
		CHECK(objects[got].p == NULL || got == 1000);
		while (got > 0)
			release(--got);
	}
	host_fail_alloc(0);
}

static void test_exhaustion(void)
{
	unsigned long n = 0;
	void **chain = NULL, **p;

	while ((p = kmem_alloc(1024)) != NULL) {
		*p = chain;
		chain = p;
		n++;
	}
	CHECK_EQ(pmm_free_pages(), 0);
	CHECK(n >= RAM_BYTES / 1024 / 2);
	while (chain) {
		p = *chain;
		kmem_free(chain);
		chain = p;
	}
}

static void free_it(void *p)
{
	kmem_free(p);
}

static void use_after_free(void *p)
{
	kmem_free(p);
	((char *)p)[20] = 1;
	(void)!kmem_alloc(40);
}

static void test_misuse(void)
{
	pfn_t pfn = pmm_alloc(0, PMM_PROGRAM);
	char *p = kmem_alloc(48);

	CHECK(host_stops(free_it, pfn_to_virt(pfn)));
	pmm_free(pfn, 0);
	CHECK(host_stops(free_it, p + 16));
	CHECK(host_stops(use_after_free, p)); /* last: the heap is torn now */
}

int main(void)
{
	uint64_t free;

	host_ram_init(RAM_BYTES);
	pmm_init(RAM_BYTES, PAGE_SIZE);
	pmm_add_range(MIB, RAM_BYTES - 8 * MIB);
	free = pmm_free_pages();
	test_sizes();
	test_large();
	test_realloc();
	test_zalloc();
	test_random(1);
	test_random(2);
	test_failures();
	test_exhaustion();
	CHECK(free - pmm_free_pages() <= CLASSES_MAX); /* (2) */
	CHECK_EQ(kmem_used_bytes(), 0);
	test_misuse();
	return 0;
}
