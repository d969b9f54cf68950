/* sources: kernel/mm/vm.c kernel/mm/vm_tree.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c
 * kernel/mm/vm_ops.c kernel/mm/vm_limit.c kernel/mm/vm_remap.c kernel/mm/vm_huge.c
 * kernel/mm/vm_object.c test/unit/vm_steps.c
 * test/unit/shim/host.c test/unit/shim/host_ram.c test/unit/shim/host_pmm.c
 * test/unit/shim/host_kmem.c test/unit/shim/host_paging.c */
/*
 * vm_kinds_test.c: kinds of mappings: the image's, locked, growing, low, moved in unusual ways.
 *
 * What:       case by case, as vm_test.c.
 * Invariants: none of its own.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     mmap(2), mlock(2), mremap(2).
 */
#include "vm_steps.h"

/* The program's own pages may be protected, and discarded as long as they are the file's. */
static void test_program_image(void)
{
	uint64_t a = 4 * MIB, b;
	unsigned flags;

	CHECK_EQ(vm_map_image(a, PAGES(2), R | VM_PROT_EXEC, 0), 0);
	put_image_page(a, PAGING_READ | PAGING_EXEC);
	put_image_page(a + PAGE_SIZE, PAGING_READ | PAGING_EXEC);
	CHECK_EQ(vm_fault(a, VM_PROT_WRITE), VM_FAULT_ACCERR);
	CHECK_EQ(vm_discard(a, PAGES(2), false), 0);
	CHECK_EQ(vm_discard(a, PAGES(2), true), -EINVAL);
	CHECK_EQ(frame_at(a, &flags), a / PAGE_SIZE);
	CHECK_EQ(vm_protect(a, PAGE_SIZE, RW), 0);
	CHECK_EQ(mappings(), 2);
	CHECK_EQ(vm_fault(a, VM_PROT_WRITE), VM_FAULT_OK);
	frame_at(a, &flags);
	CHECK_EQ(flags, PAGING_READ | PAGING_WRITE);
	CHECK_EQ(vm_protect(a, PAGE_SIZE, VM_PROT_NONE), 0);
	CHECK_EQ(vm_fault(a, R), VM_FAULT_ACCERR);
	CHECK_EQ(vm_protect(a, PAGE_SIZE, R | VM_PROT_EXEC), 0);
	CHECK_EQ(vm_discard(a, PAGE_SIZE, false), -EINVAL); /* may have been written to */
	CHECK_EQ(vm_discard(a + PAGE_SIZE, PAGE_SIZE, false), 0);
	CHECK_EQ(vm_unmap(a, PAGES(2)), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGES(2), PAGE_SIZE, 0, 0, &b), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGE_SIZE, PAGE_SIZE, VM_REMAP_MAY_MOVE, GIB, &b), -EINVAL);
	b = a + PAGE_SIZE;
	CHECK_EQ(map(&b, PAGE_SIZE, RW, VM_FIXED), -EINVAL);
}

/* ------------------------------------------------------------------ advice, stacks, old size 0 */
static void test_locked(void)
{
	uint64_t a = map_any(PAGES(6), RW), b;

	store(a + PAGES(4), 1);
	CHECK_EQ(vm_advise(a + PAGES(3), PAGES(2), VM_LOCKED, 0), 0);
	CHECK_EQ(mappings(), 3);
	CHECK_EQ(vm_discard(a + PAGES(4), PAGE_SIZE, false), -EINVAL);
	CHECK_EQ(vm_advise(a + PAGES(3), PAGES(2), 0, VM_LOCKED), 0);
	CHECK_EQ(mappings(), 1);
	CHECK_EQ(vm_discard(a + PAGES(4), PAGE_SIZE, false), 0);
	CHECK_EQ(vm_advise(a, PAGES(7), VM_LOCKED, 0), -ENOMEM); /* a hole; the rest is locked */
	CHECK_EQ(vm_discard(a, PAGE_SIZE, false), -EINVAL);
	unmap(a, PAGES(6));
	vm_set_future(VM_LOCKED, true);
	b = map_any(PAGES(5), RW);
	CHECK_EQ(resident(), 5);
	vm_set_future(0, false);
	unmap(b, PAGES(5));
}

static void test_stack(void)
{
	uint64_t a = GIB, below = GIB - PAGES(600), low;

	CHECK_EQ(map(&a, PAGES(2), RW, VM_FIXED | VM_GROWS_DOWN), 0);
	CHECK(vm_find_stack(a + PAGE_SIZE, &low) && low == GIB);
	store(GIB - 1, 7);
	store(GIB - PAGES(20), 8);
	CHECK_EQ(load(GIB - PAGES(10)), 0);
	CHECK_EQ(mappings(), 1);
	CHECK(vm_find_stack(a, &low) && low == GIB - PAGES(20));
	CHECK_EQ(vm_fault(GIB - VM_STACK_MAX_BYTES, RW), VM_FAULT_MAPERR);
	vm_set_stack_limit(PAGES(30));
	CHECK_EQ(vm_fault(GIB - PAGES(29), RW), VM_FAULT_MAPERR);
	store(GIB - PAGES(28), 1);
	vm_set_stack_limit(PAGES(10)); /* what there is stays */
	CHECK_EQ(load(GIB - PAGES(27)), 0);
	CHECK_EQ(vm_fault(GIB - PAGES(29), RW), VM_FAULT_MAPERR);
	vm_set_stack_limit(UINT64_MAX);
	store(GIB - VM_STACK_MAX_BYTES - PAGE_SIZE, 1);
	CHECK_EQ(vm_unmap(GIB - VM_STACK_MAX_BYTES - PAGE_SIZE, VM_STACK_MAX_BYTES - PAGES(27)), 0);
	vm_set_stack_limit(VM_STACK_MAX_BYTES);
	CHECK_EQ(map(&below, PAGE_SIZE, R, VM_FIXED), 0);
	CHECK_EQ(vm_fault(below + VM_STACK_GAP_BYTES, VM_PROT_WRITE), VM_FAULT_MAPERR);
	store(below + PAGE_SIZE + VM_STACK_GAP_BYTES, 9);
	unmap(below, GIB + PAGES(2) - below);
}

/* Nothing comes by itself where the main thread's stack may grow, wherever something lies there. */
static void test_stack_room(void)
{
	const uint64_t top = ARCH_USER_END - PAGE_SIZE, end = top - VM_STACK_ROOM_BYTES;
	uint64_t stack = top - PAGES(2), across = end - PAGE_SIZE, a = map_any(PAGES(3), RW), b;

	CHECK_EQ(a, end - PAGES(3));
	CHECK_EQ(map(&stack, PAGES(2), RW, VM_FIXED | VM_GROWS_DOWN), 0);
	b = map_any(PAGES(4), R);
	CHECK_EQ(b, a - PAGES(4));
	store(top - MIB, 1);
	unmap(a, PAGES(3));
	CHECK_EQ(map(&across, PAGES(2), RW, VM_FIXED), 0);
	a = map_any(PAGES(2), RW);
	CHECK_EQ(a, end - PAGES(3));
	CHECK_EQ(map_any(PAGE_SIZE, VM_PROT_NONE), b - PAGE_SIZE);
	unmap(b - PAGE_SIZE, end + PAGE_SIZE - (b - PAGE_SIZE));
	unmap(top - MIB, MIB);
}

static void test_low(void)
{
	uint64_t a = 0, b = 0, c = 3 * GIB;

	CHECK_EQ(map(&a, GIB / 2, VM_PROT_NONE, VM_LOW), 0);
	CHECK_EQ(a, GIB);
	CHECK_EQ(map(&b, GIB / 2, VM_PROT_NONE, VM_LOW), 0);
	CHECK_EQ(b, GIB + GIB / 2);
	CHECK_EQ(map(&c, PAGE_SIZE, VM_PROT_NONE, VM_LOW), -ENOMEM);
	unmap(a, GIB);
	CHECK_EQ(map(&c, PAGE_SIZE, VM_PROT_NONE, VM_LOW), 0);
	CHECK_EQ(c, GIB);
	unmap(c, PAGE_SIZE);
}

static void test_remap_kinds(void)
{
	uint64_t a = map_any(PAGES(4), RW), b, c;

	store(a + PAGE_SIZE, 5);
	CHECK_EQ(vm_remap(a, PAGES(3), PAGES(3), VM_REMAP_MAY_MOVE | VM_REMAP_KEEP_OLD, 0, &b), 0);
	CHECK(b != a);
	CHECK_EQ(load(b + PAGE_SIZE), 5);
	CHECK_EQ(load(a + PAGE_SIZE), 0);
	CHECK_EQ(vm_remap(a, PAGES(3), PAGES(3), VM_REMAP_KEEP_OLD, 0, &c), -EINVAL);
	CHECK_EQ(vm_remap(a, PAGES(3), PAGES(4), VM_REMAP_MAY_MOVE | VM_REMAP_KEEP_OLD, 0, &c),
		-EINVAL);
	CHECK_EQ(vm_remap(a, 0, PAGES(4), VM_REMAP_MAY_MOVE, 0, &c), -EINVAL); /* private */
	unmap(b, PAGES(3));
	unmap(a, PAGES(4));
	a = map_file(4, RW, VM_SHARED, 1);
	CHECK_EQ(vm_remap(a + PAGE_SIZE, 0, PAGES(2), VM_REMAP_MAY_MOVE, 0, &b), 0);
	CHECK_EQ(load(b), 'a' + 2);
	store(b, 'Z');
	CHECK_EQ(load(a + PAGE_SIZE), 'Z');
	unmap(a, PAGES(4));
	CHECK_EQ(load(b + PAGE_SIZE), 'a' + 3);
	unmap(b, PAGES(2));
}

/* ------------------------------------------------------------------ 2 MiB */
#define HUGE_COUNT 512u

static bool is_huge(uint64_t addr)
{
	uint64_t bytes;
	unsigned flags;
	paddr_t pa;
	static struct spinlock peek = SPINLOCK_INIT(LOCK_VM);
	bool present;

	spin_lock(&peek);
	present = paging_lookup(ROUND_DOWN(addr, PAGE_SIZE), &pa, &flags, &bytes);
	spin_unlock(&peek);
	return present && bytes == HUGE_PAGE_SIZE;
}

/* 4 MiB at GIB, of which the program asked for 2 MiB pages. */
static uint64_t map_huge(void)
{
	uint64_t a = GIB;

	CHECK_EQ(map(&a, 2 * HUGE_PAGE_SIZE, RW, VM_FIXED), 0);
	CHECK_EQ(vm_advise(a, 2 * HUGE_PAGE_SIZE, VM_HUGE, 0), 0);
	store(a + PAGES(3), 3);
	CHECK(is_huge(a));
	CHECK_EQ(resident(), HUGE_COUNT);
	return a;
}

static void test_huge(void)
{
	uint64_t a = map_huge(), free_pages = pmm_free_pages();

	CHECK_EQ(load(a + PAGES(511)), 0);
	CHECK_EQ(vm_discard(a, HUGE_PAGE_SIZE, false), 0);
	CHECK_EQ(resident(), 0);
	CHECK_EQ(pmm_free_pages(), free_pages + HUGE_COUNT + 1); /* and the table */
	store(a, 1);
	CHECK_EQ(vm_discard(a + PAGES(7), PAGE_SIZE, false), 0);
	CHECK(!is_huge(a));
	CHECK_EQ(resident(), HUGE_COUNT - 1);
	CHECK_EQ(load(a), 1);
	CHECK_EQ(vm_collapse(a, HUGE_PAGE_SIZE), 0);
	CHECK(is_huge(a));
	CHECK_EQ(load(a), 1);
	CHECK_EQ(load(a + PAGES(7)), 0);
	CHECK_EQ(vm_collapse(a + HUGE_PAGE_SIZE, HUGE_PAGE_SIZE), -EINVAL); /* nothing is there */
	unmap(a, 2 * HUGE_PAGE_SIZE);
	CHECK_EQ(resident(), 0);
}

static void test_huge_protect_and_unmap(void)
{
	uint64_t a = map_huge();
	unsigned flags;

	CHECK_EQ(vm_protect(a, HUGE_PAGE_SIZE, R), 0);
	CHECK(is_huge(a)); /* as a whole */
	CHECK_EQ(vm_fault(a + PAGES(9), VM_PROT_WRITE), VM_FAULT_ACCERR);
	CHECK_EQ(vm_protect(a, HUGE_PAGE_SIZE, RW), 0);
	store(a + PAGES(9), 9);
	CHECK_EQ(vm_protect(a + PAGES(100), PAGES(2), R), 0);
	CHECK(!is_huge(a));
	frame_at(a + PAGES(101), &flags);
	CHECK_EQ(flags, PAGING_READ);
	frame_at(a + PAGES(102), &flags);
	CHECK_EQ(flags, PAGING_READ | PAGING_WRITE);
	unmap(a + PAGES(200), PAGES(10));
	CHECK_EQ(resident(), HUGE_COUNT - 10);
	CHECK_EQ(load(a + PAGES(9)), 9);
	unmap(a, 2 * HUGE_PAGE_SIZE);
}

static void test_huge_moves(void)
{
	uint64_t a = map_huge(), b;

	CHECK_EQ(vm_remap(a, HUGE_PAGE_SIZE, HUGE_PAGE_SIZE, VM_REMAP_MAY_MOVE, 2 * GIB, &b), 0);
	CHECK(is_huge(b)); /* exchanged */
	CHECK_EQ(load(b + PAGES(3)), 3);
	CHECK_EQ(vm_remap(b, HUGE_PAGE_SIZE, 2 * HUGE_PAGE_SIZE, VM_REMAP_MAY_MOVE,
			 3 * GIB + PAGE_SIZE, &b),
		0);
	CHECK(!is_huge(b)); /* lies otherwise now */
	CHECK_EQ(load(b + PAGES(3)), 3);
	unmap(b, 2 * HUGE_PAGE_SIZE);
	unmap(a, 2 * HUGE_PAGE_SIZE);
	CHECK_EQ(resident(), 0);
}

/* Small programs, programs that do not want it, and a machine that is nearly full get 4 KiB. */
static void test_not_huge(void)
{
	uint64_t a = GIB, b = 2 * GIB;

	CHECK_EQ(map(&a, 2 * HUGE_PAGE_SIZE, RW, VM_FIXED), 0);
	store(a, 1);
	CHECK_EQ(resident(), 1);
	CHECK_EQ(vm_advise(a, HUGE_PAGE_SIZE, VM_HUGE, 0), 0);
	store(a + PAGES(4), 1); /* some of it is there already */
	CHECK_EQ(resident(), 2);
	CHECK_EQ(vm_populate(a + HUGE_PAGE_SIZE, HUGE_PAGE_SIZE, true), 0);
	CHECK_EQ(map(&b, 18 * MIB, RW, VM_FIXED), 0);
	CHECK_EQ(vm_populate(b, 16 * MIB, true), 0); /* a quarter is left: no more of it */
	CHECK_EQ(vm_advise(b, 18 * MIB, VM_HUGE, 0), 0);
	store(b + 17 * MIB, 1);
	CHECK(!is_huge(b + 17 * MIB));
	unmap(a, 2 * HUGE_PAGE_SIZE);
	unmap(b, 18 * MIB);
}

int main(void)
{
	setup_machine();
	RUN(test_locked);
	RUN(test_stack);
	RUN(test_stack_room);
	RUN(test_low);
	RUN(test_remap_kinds);
	RUN(test_huge);
	RUN(test_huge_protect_and_unmap);
	RUN(test_huge_moves);
	RUN(test_not_huge);
	run_test("test_program_image", test_program_image, true); /* last: it stays */
	return 0;
}
