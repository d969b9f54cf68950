/* sources: kernel/mm/vm.c kernel/mm/vm_tree.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c
 * kernel/mm/vm_ops.c kernel/mm/vm_limit.c kernel/mm/vm_remap.c kernel/mm/vm_huge.c
 * kernel/mm/vm_object.c test/unit/vm_steps.c test/unit/shim/host.c
 * test/unit/shim/host_ram.c test/unit/shim/host_pmm.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_paging.c */
/*
 * vm_test.c: the address space, case by case. (vm_file_test.c: objects; vm_fuzz_test.c: the rest.)
 *
 * What:       wrong arguments, where mappings land, what Go's runtime does at its start, image
 *             pages, remapping, huge reservations, windows, every n-th allocation failing.
 * Invariants: none of its own.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/vm.h; Go's runtime/mem_linux.go, malloc.go.
 */
#include "vm_steps.h"

/* ------------------------------------------------------------------ arguments */
static void test_map_arguments(void)
{
	struct vm_request r = { .bytes = PAGE_SIZE, .prot = 8 };
	uint64_t a = 0;

	CHECK_EQ(map(&a, 0, RW, 0), -EINVAL);
	CHECK_EQ(vm_map(&r, &a), -EINVAL);
	r = (struct vm_request){ .bytes = PAGE_SIZE, .prot = R, .offset_bytes = 1 };
	CHECK_EQ(vm_map(&r, &a), -EINVAL);
	a = GIB + 1;
	CHECK_EQ(map(&a, PAGE_SIZE, RW, VM_FIXED), -EINVAL);
	a = VM_LOWEST - PAGE_SIZE;
	CHECK_EQ(map(&a, PAGE_SIZE, RW, VM_FIXED), -EPERM);
	a = TOP;
	CHECK_EQ(map(&a, PAGE_SIZE, RW, VM_FIXED), -ENOMEM);
	a = 1ul << 62;
	CHECK_EQ(map(&a, PAGE_SIZE, RW, VM_FIXED_NOREPLACE), -ENOMEM);
	a = 0;
	CHECK_EQ(map(&a, UINT64_MAX, 0, 0), -ENOMEM);
	CHECK_EQ(map(&a, ARCH_USER_END, 0, 0), -ENOMEM);
	CHECK_EQ(map(&a, STEPS_RAM_BYTES + VM_OVERCOMMIT_BYTES, RW, 0), -ENOMEM); /* cannot exist */
	r = (struct vm_request){ .bytes = PAGES(2),
		.prot = R,
		.object = &file.base,
		.offset_bytes = ROUND_DOWN(UINT64_MAX, PAGE_SIZE) };
	CHECK_EQ(vm_map(&r, &a), -EOVERFLOW);
	CHECK_EQ(mappings(), 0);
}

static void test_other_arguments(void)
{
	uint64_t a = map_any(PAGES(4), RW), b;
	uint8_t *byte;

	CHECK_EQ(vm_unmap(a + 1, PAGE_SIZE), -EINVAL);
	CHECK_EQ(vm_unmap(a, 0), -EINVAL);
	CHECK_EQ(vm_unmap(a, UINT64_MAX - PAGE_SIZE), -EINVAL);
	CHECK_EQ(vm_protect(a + 8, PAGE_SIZE, R), -EINVAL);
	CHECK_EQ(vm_protect(a, PAGE_SIZE, 16), -EINVAL);
	CHECK_EQ(vm_protect(a, 0, R), 0);
	CHECK_EQ(vm_protect(a, PAGES(5), R), -ENOMEM);
	CHECK_EQ(touch(a + PAGES(3), true, &byte),
		VM_FAULT_ACCERR); /* what lies before has changed */
	CHECK_EQ(vm_protect(a, PAGES(4), RW), 0);
	CHECK_EQ(vm_discard(a + 1, PAGE_SIZE, false), -EINVAL);
	CHECK_EQ(vm_discard(a, 0, false), 0);
	CHECK_EQ(vm_populate(a + 1, 1, true), -EINVAL);
	CHECK_EQ(vm_sync(a + 1, 1), -EINVAL);
	CHECK_EQ(vm_sync(a, PAGES(5)), -ENOMEM);
	CHECK_EQ(vm_remap(a + 1, PAGE_SIZE, PAGE_SIZE, true, 0, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, 0, PAGE_SIZE, true, 0, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGE_SIZE, 0, true, 0, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGES(4), UINT64_MAX, true, 0, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGE_SIZE, PAGE_SIZE, false, GIB, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGE_SIZE, PAGE_SIZE, true, GIB + 1, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGE_SIZE, PAGE_SIZE, true, PAGE_SIZE, &b), -EPERM);
	CHECK_EQ(vm_remap(a, PAGE_SIZE, PAGE_SIZE, true, ARCH_USER_END, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGES(4), GIB, true, 0, &b), -ENOMEM); /* cannot exist */
	CHECK(!vm_is_mapped(1ul << 60, 1));
	CHECK(vm_is_mapped(a, PAGES(4)) && !vm_is_mapped(a, PAGES(5)));
	CHECK_EQ(vm_fault(1ul << 50, R), VM_FAULT_MAPERR);
	CHECK_EQ(vm_fault(TOP, R), VM_FAULT_MAPERR);
	unmap(a, PAGES(4));
}

/* ------------------------------------------------------------------ where mappings land */
static void test_hints(void)
{
	uint64_t a = 0xc000000000, b = a, c = a + 64 * MIB, d = PAGE_SIZE, e = a + 5;

	CHECK_EQ(map(&a, 64 * MIB, 0, 0), 0);
	CHECK_EQ(a, 0xc000000000);
	CHECK_EQ(map(&b, 64 * MIB, 0, 0), 0); /* taken: another */
	CHECK(b != a && b + 64 * MIB <= TOP);
	CHECK_EQ(map(&c, 64 * MIB, 0, 0), 0); /* right behind: grows the first */
	CHECK_EQ(c, a + 64 * MIB);
	CHECK_EQ(mappings(), 2);
	CHECK_EQ(map(&d, PAGE_SIZE, 0, 0), 0); /* below the lowest: no hint */
	CHECK(d >= VM_LOWEST);
	b = a;
	CHECK_EQ(map(&b, PAGE_SIZE, 0, VM_FIXED_NOREPLACE), -EEXIST);
	e = GIB + 5;
	CHECK_EQ(map(&e, PAGE_SIZE, 0, 0), 0);
	CHECK_EQ(e, GIB);
	b = ARCH_USER_END + 5;
	CHECK_EQ(map(&b, PAGE_SIZE, 0, 0), 0);
	CHECK(b < TOP);
	unmap(VM_LOWEST, TOP - VM_LOWEST);
}

static void test_random_hints(void)
{
	uint64_t seed = 3, n = 0;

	/* Go 1.26: any multiple of 64 MiB below 2^46. */
	for (unsigned i = 0; i < 500; i++) {
		uint64_t hint = (host_random(&seed) & ((1ul << 46) - 1)) & ~(64 * MIB - 1),
			 a = hint;
		bool low = hint < VM_LOWEST, taken = vm_is_mapped(hint, 1);

		CHECK_EQ(map(&a, 64 * MIB, 0, 0), 0);
		CHECK((a == hint) == (!low && !taken));
		n += a == hint;
	}
	CHECK(n > 490);
	CHECK_EQ(resident(), 0);
	CHECK_EQ(host_paging_tables(), 0); /* reservations cost nodes only */
	unmap(VM_LOWEST, TOP - VM_LOWEST);
}

static void test_full(void)
{
	uint64_t a = VM_LOWEST, b = 0;

	CHECK_EQ(map(&a, TOP - VM_LOWEST, 0, 0), 0);
	CHECK_EQ(a, VM_LOWEST);
	CHECK_EQ(map(&b, 1, 0, 0), -ENOMEM);
	unmap(GIB, PAGES(3));
	b = 0;
	CHECK_EQ(map(&b, PAGES(4), 0, 0), -ENOMEM);
	CHECK_EQ(map(&b, PAGES(3), R, 0), 0);
	CHECK_EQ(b, GIB);
	CHECK_EQ(mappings(), 3);
	CHECK_EQ(vm_protect(GIB, PAGES(3), 0), 0);
	CHECK_EQ(mappings(), 1);
	unmap(VM_LOWEST, TOP - VM_LOWEST);
}

static void test_too_many(void)
{
	uint64_t a = GIB;
	unsigned i;
	int err = 0;

	CHECK_EQ(map(&a, PAGES(2 * VM_MAPPINGS_MAX), 0, 0), 0);
	for (i = 1; !err; i += 2)
		err = vm_protect(a + PAGES(i), PAGE_SIZE, R);
	CHECK_EQ(err, -ENOMEM);
	CHECK_EQ(mappings(), VM_MAPPINGS_MAX);
	a = 0;
	CHECK_EQ(map(&a, PAGE_SIZE, R, 0), 0);
	CHECK_EQ(mappings(), VM_MAPPINGS_MAX + 1);
	a = 0;
	CHECK_EQ(map(&a, PAGE_SIZE, RW, 0), -ENOMEM);
	a = GIB;
	CHECK_EQ(map(&a, PAGE_SIZE, RW, VM_FIXED), -ENOMEM);
	unmap(VM_LOWEST, TOP - VM_LOWEST);
}

/* ------------------------------------------------------------------ what Go does */
static void test_go_start(void)
{
	static const uint64_t reserve[] = { 128 * KIB, MIB, 8 * MIB, 64 * MIB, 512 * MIB,
		512 * MIB };
	uint64_t heap = 0xc000000000, summary[6], a;

	map_any(32 * MIB, RW); /* the arena index: as large as all RAM */
	for (unsigned i = 0; i < 6; i++)
		summary[i] = map_any(reserve[i], 0);
	CHECK_EQ(map(&heap, 64 * MIB, 0, 0), 0);
	for (unsigned i = 0; i < 6; i++) {
		a = summary[i] + PAGES(3);
		CHECK_EQ(map(&a, PAGE_SIZE, RW, VM_FIXED), 0);
		CHECK_EQ(a, summary[i] + PAGES(3));
		CHECK_EQ(load(a), 0);
		store(a + 77, 5);
		CHECK_EQ(vm_fault(a - 1, R), VM_FAULT_ACCERR);
	}
	for (uint64_t off = 0; off < 64 * MIB; off += 4 * MIB) {
		a = heap + off;
		CHECK_EQ(map(&a, 4 * MIB, RW, VM_FIXED), 0); /* the heap grows */
		store(a, 1);
	}
	CHECK_EQ(load(summary[2] + PAGES(3) + 77), 5);
	CHECK_EQ(vm_discard(heap, 64 * MIB, false), 0);
	CHECK_EQ(load(heap), 0);
	CHECK_EQ(vm_protect(heap, PAGES(2), 0), 0); /* sysFault */
	CHECK_EQ(vm_fault(heap, R), VM_FAULT_ACCERR);
	CHECK(mappings() < 24);
	unmap(VM_LOWEST, TOP - VM_LOWEST);
}

static void test_fixed_zeroes(void)
{
	uint64_t a = map_any(PAGES(300), RW), b = a + PAGES(10);

	for (unsigned i = 0; i < 300; i++)
		store(a + PAGES(i), (uint8_t)(i + 1));
	CHECK_EQ(map(&b, PAGES(280), RW, VM_FIXED), 0);
	CHECK_EQ(resident(), 20);
	CHECK_EQ(mappings(), 1); /* the same kind: one again */
	for (unsigned i = 0; i < 300; i++)
		CHECK_EQ(load(a + PAGES(i)), i < 10 || i >= 290 ? (uint8_t)(i + 1) : 0);
	unmap(a, PAGES(300));
}

/* ------------------------------------------------------------------ the image */
static void test_image(void)
{
	uint64_t a = 4 * MIB, b;
	unsigned flags;
	uint8_t in[1];

	CHECK_EQ(vm_map_image(VM_LOWEST - PAGE_SIZE, PAGE_SIZE, R, VM_KERNEL), -EINVAL);
	CHECK_EQ(vm_map_image(a, 0, R, VM_KERNEL), -EINVAL);
	CHECK_EQ(vm_map_image(a, PAGES(2), RW, VM_KERNEL), 0);
	CHECK_EQ(vm_map_image(a, PAGES(2), RW, VM_KERNEL), -EEXIST);
	put_image_page(a, PAGING_READ | PAGING_WRITE);
	CHECK_EQ(vm_unmap(a, PAGE_SIZE), -EINVAL);
	CHECK_EQ(vm_unmap(a - PAGES(8), PAGES(20)), -EINVAL);
	CHECK_EQ(vm_protect(a, PAGES(2), R), -EINVAL);
	CHECK_EQ(vm_discard(a, PAGES(2), false), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGE_SIZE, PAGES(2), true, 0, &b), -EINVAL);
	b = a + PAGE_SIZE;
	CHECK_EQ(map(&b, PAGE_SIZE, RW, VM_FIXED), -EINVAL);
	b = map_any(PAGE_SIZE, RW);
	CHECK_EQ(vm_remap(b, PAGE_SIZE, PAGE_SIZE, true, a, &b), -EINVAL);
	unmap(b, PAGE_SIZE);
	CHECK_EQ(vm_fault(a, VM_PROT_WRITE), VM_FAULT_OK); /* a stale translation */
	CHECK_EQ(vm_fault(a, VM_PROT_EXEC), VM_FAULT_ACCERR);
	CHECK_EQ(vm_resident(a, PAGE_SIZE, in), 0);
	CHECK_EQ(in[0], 1);
	CHECK_EQ(frame_at(a, &flags), a / PAGE_SIZE);
	b = a; /* the hint goes elsewhere */
	CHECK_EQ(map(&b, PAGE_SIZE, RW, 0), 0);
	CHECK(b != a);
	unmap(b, PAGE_SIZE);
}

/* ------------------------------------------------------------------ remap */
static void test_remap(void)
{
	uint64_t a = map_any(PAGES(4), RW), b, c;

	for (unsigned i = 0; i < 4; i++)
		store(a + PAGES(i), (uint8_t)(10 + i));
	CHECK_EQ(vm_remap(a, PAGES(4), PAGES(2), false, 0, &b), 0);
	CHECK_EQ(b, a);
	CHECK_EQ(resident(), 2);
	CHECK_EQ(vm_remap(a, PAGES(2), PAGES(4), false, 0, &b), 0); /* in place */
	CHECK_EQ(load(a + PAGES(2)), 0);
	c = map_any(PAGE_SIZE, R);
	b = ARCH_USER_END - PAGE_SIZE;
	CHECK_EQ(map(&b, PAGE_SIZE, R, VM_FIXED), -ENOMEM); /* the last page stays free */
	b = a + PAGES(4);
	CHECK_EQ(map(&b, PAGE_SIZE, R, VM_FIXED), 0);
	CHECK_EQ(vm_remap(a, PAGES(4), PAGES(5), false, 0, &b), -ENOMEM);
	CHECK_EQ(vm_remap(a, PAGES(4), PAGES(600), true, 0, &b), 0);
	unmap(a + PAGES(4), PAGE_SIZE);
	CHECK(b != a && !vm_is_mapped(a, PAGE_SIZE));
	CHECK_EQ(load(b + PAGE_SIZE), 11);
	CHECK_EQ(vm_remap(b, PAGES(600), PAGES(2), true, GIB, &a), 0); /* shrinks and moves */
	CHECK_EQ(a, GIB);
	CHECK_EQ(load(GIB + PAGE_SIZE), 11);
	CHECK(!vm_is_mapped(b, PAGE_SIZE));
	CHECK_EQ(vm_remap(GIB, PAGES(2), PAGES(2), true, GIB + PAGE_SIZE, &a), -EINVAL);
	CHECK_EQ(vm_remap(GIB, PAGES(3), PAGES(4), true, 0, &a), -EFAULT);
	CHECK_EQ(vm_remap(GIB, PAGES(3), PAGES(2), true, 0, &a), 0); /* nothing is there */
	unmap(GIB, PAGES(2));
	unmap(c, PAGE_SIZE);
}

/* Page tables run out in the middle of a move: everything is where it was. */
static void test_remap_failures(void)
{
	uint64_t a = 4 * GIB - PAGES(2), to = 8 * GIB - PAGES(2), b, tables;
	int err = -ENOMEM;

	CHECK_EQ(map(&a, PAGES(4), RW, VM_FIXED), 0);
	for (unsigned i = 0; i < 4; i++)
		store(a + PAGES(i), (uint8_t)(20 + i));
	tables = host_paging_tables();
	for (unsigned n = 1; err; n++) {
		CHECK(n < 20);
		host_fail_alloc(n);
		err = vm_remap(a, PAGES(4), PAGES(4), true, to, &b);
		host_fail_alloc(0);
		if (!err)
			break;
		CHECK_EQ(err, -ENOMEM);
		CHECK_EQ(host_paging_tables(), tables);
		CHECK_EQ(resident(), 4);
		for (unsigned i = 0; i < 4; i++)
			CHECK_EQ(load(a + PAGES(i)), 20 + i);
	}
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(load(to + PAGES(i)), 20 + i);
	unmap(to, PAGES(4));
}

/* ------------------------------------------------------------------ failures, windows */
static int many_calls(void)
{
	uint64_t a = GIB, b = GIB + PAGES(2), c;
	uint8_t *byte = NULL;
	int err = map(&a, PAGES(8), RW, VM_FIXED);

	if (!err)
		err = map(&b, PAGES(2), 0, VM_FIXED);
	if (!err)
		err = vm_protect(GIB + PAGES(5), PAGE_SIZE, R);
	if (!err && touch(GIB, true, &byte) != VM_FAULT_OK)
		err = -ENOMEM;
	if (!err && touch(GIB + PAGES(5), false, &byte) != VM_FAULT_OK)
		err = -ENOMEM;
	if (!err)
		err = vm_populate(GIB + PAGES(6), PAGES(2), true);
	if (!err)
		err = vm_remap(GIB + PAGES(6), PAGES(2), PAGES(3), true, 0, &c);
	if (!err)
		err = vm_unmap(GIB + PAGE_SIZE, PAGES(3));
	return err;
}

static void test_every_allocation_fails(void)
{
	uint64_t frames = pmm_free_pages(), objects = host_kmem_objects();
	int err = -ENOMEM;
	unsigned n;

	for (n = 1; err; n++) {
		CHECK(n < 100);
		host_fail_alloc(n);
		err = many_calls();
		CHECK(err == 0 || err == -ENOMEM);
		CHECK_EQ(host_failed_alloc(), err != 0);
		host_fail_alloc(0);
		unmap(VM_LOWEST, TOP - VM_LOWEST);
		CHECK_EQ(resident(), 0);
		CHECK_EQ(host_paging_tables(), 0);
		CHECK_EQ(host_kmem_objects(), objects);
		CHECK_EQ(pmm_free_pages(), frames);
	}
	CHECK(n > 15);
}

static void test_exhaustion(void)
{
	uint64_t a = map_any(60 * MIB, RW), i = 0;
	uint8_t *byte = NULL;

	while (touch(a + PAGES(i), true, &byte) == VM_FAULT_OK)
		i++;
	CHECK_EQ(vm_fault(a + PAGES(i), VM_PROT_WRITE), VM_FAULT_NO_MEMORY);
	CHECK_EQ(vm_populate(a, 60 * MIB, true), -ENOMEM);
	CHECK_EQ(pmm_free_pages(), 0);
	host_relax_count = 0;
	CHECK_EQ(vm_protect(a, 60 * MIB, R), 0);
	CHECK(host_relax_count >= i / 512 - 1);
	host_relax_count = 0;
	CHECK_EQ(vm_discard(a, 60 * MIB, false), 0);
	CHECK(host_relax_count >= i / 128 - 1);
	CHECK_EQ(resident(), 0);
	unmap(a, 60 * MIB);
}

static void test_populate_and_resident(void)
{
	uint64_t a = 0;
	uint8_t in[6];

	CHECK_EQ(map(&a, PAGES(5), RW, VM_POPULATE), 0);
	CHECK_EQ(resident(), 5);
	CHECK_EQ(vm_discard(a + PAGE_SIZE, PAGE_SIZE, false), 0);
	CHECK_EQ(vm_resident(a, PAGES(5), in), 0);
	CHECK(in[0] == 1 && in[1] == 0 && in[4] == 1);
	CHECK_EQ(vm_resident(a, PAGES(6), in), -ENOMEM);
	CHECK_EQ(vm_protect(a, PAGE_SIZE, 0), 0);
	CHECK_EQ(vm_populate(a, PAGE_SIZE, false), -EFAULT);
	CHECK_EQ(vm_discard(a - PAGES(2), PAGES(7), false),
		-ENOMEM); /* with a hole: dropped all the same */
	CHECK_EQ(resident(), 0);
	unmap(a, PAGES(5));
}

/* ------------------------------------------------------------------ all */
int main(void)
{
	setup_machine();
	RUN(test_map_arguments);
	RUN(test_other_arguments);
	RUN(test_hints);
	RUN(test_random_hints);
	RUN(test_full);
	RUN(test_too_many);
	RUN(test_go_start);
	RUN(test_fixed_zeroes);
	RUN(test_remap);
	RUN(test_remap_failures);
	RUN(test_every_allocation_fails);
	RUN(test_exhaustion);
	RUN(test_populate_and_resident);
	run_test("test_image", test_image, true); /* last: it stays */
	return 0;
}
