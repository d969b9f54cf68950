/* sources: kernel/mm/vm.c kernel/mm/vm_tree.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c
 * kernel/mm/vm_ops.c kernel/mm/vm_limit.c kernel/mm/vm_remap.c kernel/mm/vm_huge.c
 * kernel/mm/vm_object.c test/unit/vm_steps.c test/unit/shim/host.c
 * test/unit/shim/host_ram.c test/unit/shim/host_pmm.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_paging.c */
/*
 * vm_file_test.c: mappings of objects: copy on write, sharing, write-back, truncation.
 *
 * What:       a file of eight pages, mapped privately and shared; others change mappings while a
 *             page is asked for.
 * Invariants: none of its own.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/vm.h; mmap(2), msync(2).
 */
#include "vm_steps.h"

static void test_private_file(void)
{
	uint64_t a = map_file(10, RW, 0, 0), b = map_file(4, R, 0, 2);
	unsigned flags;

	CHECK_EQ(load(a), 'a');
	CHECK_EQ(load(b), 'c');
	CHECK_EQ(frame_at(a, &flags), file.frames[0]);
	CHECK(!(flags & PAGING_WRITE));
	store(a, 'X'); /* after a load: replaced */
	store(a + PAGES(2), 'Y'); /* first touch */
	CHECK_EQ(*(char *)pfn_to_virt(file.frames[0]), 'a');
	CHECK_EQ(load(b), 'c');
	CHECK_EQ(load(a), 'X');
	CHECK_EQ(vm_protect(a, PAGES(10), R), 0);
	CHECK_EQ(vm_fault(a, VM_PROT_WRITE), VM_FAULT_ACCERR);
	CHECK_EQ(vm_protect(a, PAGES(10), RW), 0);
	frame_at(a, &flags);
	CHECK(flags & PAGING_WRITE); /* its own copy */
	store(a, 'Z');
	CHECK_EQ(vm_discard(a, PAGES(10), false), 0);
	CHECK_EQ(load(a), 'a'); /* the file's contents again */
	CHECK_EQ(vm_fault(a + PAGES(8), R), VM_FAULT_BUS);
	CHECK_EQ(vm_populate(a, PAGES(10), false), -EFAULT);
	CHECK_EQ(file.writes, 0);
	CHECK_EQ(vm_sync(a, PAGES(10)), 0);
	CHECK_EQ(file.syncs, 0); /* nothing shared */
	CHECK_EQ(vm_discard(a, PAGES(10), false), 0);
	file.error = -ENOMEM;
	CHECK_EQ(vm_fault(a + PAGES(7), R), VM_FAULT_NO_MEMORY);
	file.error = -EIO;
	CHECK_EQ(vm_fault(a + PAGES(7), R), VM_FAULT_BUS);
	unmap(a, PAGES(10));
	unmap(b, PAGES(4));
}

static void test_shared_file(void)
{
	uint64_t a = map_file(8, RW, VM_SHARED, 0),
		 b = map_file(8, R, VM_SHARED | VM_NEVER_WRITE, 0);

	CHECK_EQ(load(a + PAGE_SIZE), 'b');
	CHECK_EQ(file.writes, 0);
	store(a + PAGE_SIZE, 'B');
	CHECK_EQ(file.writes, 1);
	CHECK_EQ(load(b + PAGE_SIZE), 'B');
	store(a + PAGE_SIZE, 'C');
	CHECK_EQ(file.writes, 1);
	CHECK_EQ(vm_sync(a, PAGES(8)), 0);
	CHECK_EQ(file.syncs, 1);
	store(a + PAGE_SIZE, 'D'); /* is announced again */
	CHECK_EQ(file.writes, 2);
	CHECK_EQ(vm_protect(b, PAGE_SIZE, RW), -EACCES);
	CHECK_EQ(vm_discard(a, PAGES(8), false), 0); /* nothing is lost */
	CHECK_EQ(load(a + PAGE_SIZE), 'D');
	vm_object_drop(&file.base, 1, 1);
	CHECK_EQ(resident(), 0);
	unmap(a, PAGES(8));
	unmap(b, PAGES(8));
}

static void test_hole(void)
{
	uint64_t a = map_file(8, RW, VM_SHARED, 0), b = map_file(8, RW, 0, 0);
	unsigned flags;

	store(a + PAGES(1), 'B');
	CHECK_EQ(load(b + PAGES(1)), 'B');
	store(b + PAGES(2), 'X');
	CHECK_EQ(load(a + PAGES(2)), 'c');
	CHECK_EQ(load(a + PAGES(3)), 'd');
	vm_object_unmap(&file.base, 1, 2);
	CHECK_EQ(frame_at(a + PAGES(1), &flags), PFN_NONE);
	CHECK_EQ(frame_at(b + PAGES(1), &flags), PFN_NONE);
	CHECK_EQ(frame_at(a + PAGES(2), &flags), PFN_NONE);
	CHECK(frame_at(a + PAGES(3), &flags) != PFN_NONE);
	CHECK_EQ(load(b + PAGES(2)), 'X'); /* a copy is the program's */
	CHECK_EQ(resident(), 2);
	CHECK_EQ(resident_of_objects(), 1);
	unmap(a, PAGES(8));
	unmap(b, PAGES(8));
}

/* More pages than one batch, every second one a copy. */
static void test_hole_among_copies(void)
{
	uint64_t a[64];

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = map_file(8, RW, 0, 0);
		for (unsigned page = 0; page < 8; page++)
			if (page % 2)
				store(a[i] + PAGES(page), 'X');
			else
				load(a[i] + PAGES(page));
	}
	vm_object_unmap(&file.base, 0, UINT64_MAX >> PAGE_SHIFT);
	CHECK_EQ(resident(), ARRAY_LEN(a) * 4);
	CHECK_EQ(resident_of_objects(), 0);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		CHECK_EQ(load(a[i] + PAGES(7)), 'X');
		unmap(a[i], PAGES(8));
	}
}

static int map_shared(uint64_t *addr, unsigned prot, unsigned flags)
{
	struct vm_request r = { .addr = *addr,
		.bytes = PAGES(2),
		.prot = prot,
		.flags = VM_SHARED | flags,
		.object = &file.base };

	return vm_map(&r, addr);
}

static void test_denied_writers(void)
{
	uint64_t a = map_file(8, R, VM_SHARED, 0), b = map_file(8, RW, 0, 0), c = 0;

	CHECK_EQ(vm_object_deny_write(&file.base, false), -EBUSY); /* it may become writable */
	CHECK_EQ(vm_protect(a + PAGES(3), PAGES(2), RW), 0); /* three mappings */
	unmap(a, PAGES(3));
	unmap(a + PAGES(5), PAGES(3));
	CHECK_EQ(vm_object_deny_write(&file.base, false), -EBUSY);
	CHECK_EQ(vm_object_deny_write(&file.base, true), 0);
	store(a + PAGES(3), 'D');
	CHECK_EQ(map_shared(&c, RW, 0), -EPERM);
	CHECK_EQ(vm_object_deny_write(&file.base, false), -EBUSY);
	CHECK_EQ(vm_remap(a + PAGES(3), PAGES(2), PAGES(9), VM_REMAP_MAY_MOVE, 0, &a), 0);
	CHECK_EQ(vm_object_deny_write(&file.base, false), -EBUSY);
	unmap(a, PAGES(9));
	CHECK_EQ(vm_object_deny_write(&file.base, false), 0);
	CHECK_EQ(map_shared(&c, R, 0), 0);
	CHECK_EQ(vm_protect(c, PAGE_SIZE, RW), -EACCES);
	CHECK_EQ(vm_object_deny_write(&file.base, false), 0); /* that one cannot */
	CHECK_EQ(map_shared(&c, RW, VM_FIXED), -EPERM);
	CHECK_EQ(load(c), 'a'); /* what was to be replaced is there */
	store(b, 'X'); /* private ones as before */
	unmap(b, PAGES(8));
	unmap(c, PAGES(2));
	file.base.no_new_writers = false;
	CHECK_EQ(file.base.writers, 0);
}

static uint64_t moving;

static void deny(void)
{
	CHECK_EQ(vm_object_deny_write(&file.base, true), 0);
}

static int map_file_fixed(uint64_t addr, uint64_t pages)
{
	struct vm_request r = { .addr = addr,
		.bytes = PAGES(pages),
		.prot = RW,
		.flags = VM_SHARED | VM_FIXED,
		.object = &file.base };

	return vm_map(&r, &addr);
}

/* Denied while what lies at the fixed address is being emptied. */
static void test_denied_meanwhile(void)
{
	uint64_t a = map_any(PAGES(300), RW);

	for (unsigned i = 0; i < 300; i++)
		store(a + PAGES(i), 1);
	host_relax = deny;
	CHECK_EQ(map_file_fixed(a, 300), -EPERM);
	host_relax = NULL;
	CHECK(file.base.no_new_writers);
	file.base.no_new_writers = false;
	CHECK_EQ(file.base.writers, 0);
	CHECK(!vm_is_mapped(a, PAGE_SIZE));
}

static void take_it_away(void)
{
	uint64_t a = moving;

	file.on_page = NULL;
	CHECK_EQ(map(&a, PAGES(2), RW, VM_FIXED), 0); /* another thread: anonymous now */
}

static void test_changed_while_asked(void)
{
	moving = map_file(2, RW, 0, 0);
	file.on_page = take_it_away;
	CHECK_EQ(load(moving), 0); /* judged by what is mapped when it is filled */
	unmap(moving, PAGES(2));
	moving = map_file(2, RW, VM_SHARED, 0);
	file.on_page = take_it_away;
	store(moving, 7);
	CHECK_EQ(*(char *)pfn_to_virt(file.frames[0]), 'a');
	unmap(moving, PAGES(2));
}

int main(void)
{
	setup_machine();
	RUN(test_private_file);
	RUN(test_shared_file);
	RUN(test_hole);
	RUN(test_hole_among_copies);
	RUN(test_denied_writers);
	RUN(test_denied_meanwhile);
	RUN(test_changed_while_asked);
	return 0;
}
