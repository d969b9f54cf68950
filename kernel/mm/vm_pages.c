/*
 * vm_pages.c: the pages behind mappings: dropping, re-protecting, moving them in bulk.
 *
 * What:       walks over the present pages of a range. Empty page tables are skipped, so the cost
 *             is that of the pages that exist, not of the range: a reservation of GiBs is nothing.
 * Invariants: (1) a frame is put only after no CPU can reach it: clear entries, flush, then put.
 *             (2) every present page outside image mappings holds one reference to its frame and
 *             is counted in vm.resident_pages.
 *             (3) an entry never allows more than its mapping does, save between a change of the
 *             mapping and the end of vm_apply_prot, which the changing call waits for.
 * Locking:    vm.lock; long walks go in batches, and functions without _locked open windows for
 *             interrupts between them. LOCK_PMM inside. May be interrupted, never sleeps.
 * Failure:    -ENOMEM: no frame for a page table, from vm_move_pages_locked only.
 * Source:     Intel SDM 3A, 4.10.4 (invalidation), 4.10.4.3 (adding rights needs none).
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/sched/sched.h"

#define DROP_BATCH_PAGES 128u /* their frames lie on the kernel stack: 1 KiB */
#define DROPPED_HUGE 1ul /* marks one of 2 MiB among them */

#define RIGHTS (PAGING_READ | PAGING_WRITE | PAGING_EXEC)

unsigned vm_paging_flags(unsigned prot)
{
	unsigned flags = 0;

	if (prot != VM_PROT_NONE)
		flags |= PAGING_READ; /* the CPU knows no page that is only written or executed */
	if (prot & VM_PROT_WRITE)
		flags |= PAGING_WRITE;
	if (prot & VM_PROT_EXEC)
		flags |= PAGING_EXEC;
	return flags;
}

unsigned vm_page_flags(const struct vma *v, pfn_t pfn, unsigned have)
{
	unsigned flags = vm_paging_flags(v->prot);

	if (!v->object)
		return flags;
	if (v->flags & VM_SHARED) /* the object must hear of the first write */
		return have & PAGING_WRITE ? flags : flags & ~(unsigned)PAGING_WRITE;
	return pmm_is_program(pfn) ? flags : flags & ~(unsigned)PAGING_WRITE;
}

/* ------------------------------------------------------------------ drop */
static void put_dropped(pfn_t marked)
{
	if (marked & DROPPED_HUGE) {
		vm_free_mapped_huge(marked >> 1);
		return;
	}
	vm.object_pages -= !pmm_is_program(marked >> 1);
	pmm_put(marked >> 1);
}

static void put_all_dropped(pfn_t *dropped, unsigned n, uint64_t pages)
{
	ASSERT(vm.resident_pages >= pages);
	vm.resident_pages -= pages;
	while (n > 0)
		put_dropped(dropped[--n]);
}

uint64_t vm_drop_batch_locked(uint64_t start, uint64_t end)
{
	pfn_t dropped[DROP_BATCH_PAGES];
	unsigned n = 0;
	uint64_t va, first, last = start, bytes, pages = 0;
	paddr_t pa;

	lock_assert_held(&vm.lock);
	vm_split_huge_locked(start);
	vm_split_huge_locked(end);
	first = va = paging_next_present(start, end);
	while (va < end && n < DROP_BATCH_PAGES) {
		bool was_present = paging_unmap(va, &pa, &bytes);

		ASSERT(was_present);
		dropped[n++] = pa >> PAGE_SHIFT << 1 | (bytes == PAGE_SIZE ? 0 : DROPPED_HUGE);
		pages += bytes >> PAGE_SHIFT;
		last = va + bytes;
		va = paging_next_present(last, end);
	}
	if (n == 0)
		return end;
	paging_flush(first, last); /* (1) */
	put_all_dropped(dropped, n, pages);
	return va;
}

uint64_t vm_drop_foreign_batch_locked(uint64_t start, uint64_t end)
{
	pfn_t dropped[DROP_BATCH_PAGES];
	unsigned n = 0;
	uint64_t va = paging_next_present(start, end), first = end, last = start, bytes;
	unsigned flags;
	paddr_t pa;

	lock_assert_held(&vm.lock);
	for (unsigned seen = 0; va < end && seen < DROP_BATCH_PAGES; seen++) {
		bool present = paging_lookup(va, &pa, &flags, &bytes);

		ASSERT(present && bytes == PAGE_SIZE); /* only anonymous memory has others */
		if (!pmm_is_program(pa >> PAGE_SHIFT)) {
			present = paging_unmap(va, &pa, &bytes);
			ASSERT(present);
			dropped[n++] = pa >> PAGE_SHIFT << 1;
			first = MIN(first, va);
			last = va + PAGE_SIZE;
		}
		va = paging_next_present(va + PAGE_SIZE, end);
	}
	if (n > 0)
		paging_flush(first, last); /* (1) */
	put_all_dropped(dropped, n, n);
	return va;
}

void vm_drop_locked(uint64_t start, uint64_t end)
{
	while (start < end)
		start = vm_drop_batch_locked(start, end);
}

/* A table covers 2 MiB or more: only where the hole covers as much can one be empty for good. */
void vm_prune_locked(uint64_t start, uint64_t end)
{
	struct vma *next = vma_find_locked(start);
	struct vma *prev = vma_before_locked(next);
	uint64_t low = ROUND_DOWN(start, HUGE_PAGE_SIZE), high = ROUND_UP(end, HUGE_PAGE_SIZE);

	if (prev && prev->end > low)
		low += HUGE_PAGE_SIZE;
	if (next && next->start < high)
		high -= HUGE_PAGE_SIZE;
	if (low < high)
		paging_prune(low, high);
}

/* ------------------------------------------------------------------ protect */
/* Returns whether rights were taken away; *bytes: the page's size. */
static bool apply_page_locked(const struct vma *v, uint64_t va, uint64_t *bytes)
{
	unsigned have, want;
	paddr_t pa;
	bool present = paging_lookup(va, &pa, &have, bytes);

	ASSERT(present);
	have &= RIGHTS;
	want = vm_page_flags(v, pa >> PAGE_SHIFT, have);
	if (want != have)
		paging_protect(va, want);
	return (have & ~want) != 0;
}

/* One batch; returns where to go on, or end. */
static uint64_t apply_batch_locked(uint64_t start, uint64_t end)
{
	uint64_t first = end, last = start, va, bytes;

	lock_assert_held(&vm.lock);
	va = paging_next_present(start, end);
	for (unsigned n = 0; va < end && n < VM_PROT_BATCH_PAGES; n++) {
		struct vma *v = vma_at_locked(va);

		bytes = PAGE_SIZE;
		/* The window may have let the mapping change again: it is asked, not the caller. */
		if (v && !(v->flags & VM_KERNEL) && apply_page_locked(v, va, &bytes)) {
			first = MIN(first, va);
			last = va + bytes;
		}
		va = paging_next_present(ROUND_DOWN(va, bytes) + bytes, end);
	}
	if (first < last)
		paging_flush(first, last);
	return va;
}

void vm_apply_prot(uint64_t start, uint64_t end)
{
	for (;;) {
		spin_lock(&vm.lock);
		start = apply_batch_locked(start, end);
		spin_unlock(&vm.lock);
		if (start >= end)
			return;
		sched_relax();
	}
}

/* ------------------------------------------------------------------ move */
static bool is_huge_border(uint64_t va)
{
	return (va & (HUGE_PAGE_SIZE - 1)) == 0;
}

/* One page that is present at va. */
static int move_page_locked(uint64_t va, uint64_t to)
{
	uint64_t bytes;
	unsigned flags;
	paddr_t pa;
	bool present;

	if (paging_lookup(va, &pa, &flags, &bytes) && bytes != PAGE_SIZE) {
		/* It will lie otherwise within 2 MiB: its border is in its middle, so to speak. */
		vm_split_huge_locked(va + PAGE_SIZE);
		present = paging_lookup(va, &pa, &flags, &bytes);
		ASSERT(present);
	}
	/* The old entry goes only when the new one is there; the caller flushes. */
	if (paging_map(to, pa, flags & RIGHTS) != 0)
		return -ENOMEM;
	present = paging_unmap(va, &pa, &bytes);
	ASSERT(present && bytes == PAGE_SIZE);
	return 0;
}

/* Moves present pages of [from, from + bytes) to the same offsets at to, by whole tables where both
 * lie alike, until a page table is wanting. Returns how far it came. */
static uint64_t move_range_locked(uint64_t from, uint64_t bytes, uint64_t to)
{
	uint64_t end = from + bytes, va = from, next, distance = to - from;
	bool alike = is_huge_border(distance);

	lock_assert_held(&vm.lock);
	while (va < end) {
		next = ROUND_DOWN(va, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE;
		if (alike && is_huge_border(va) && next <= end) {
			if (paging_next_present(va, next) < next &&
				paging_swap(va, va + distance) != 0)
				return va - from;
			va = next;
			continue;
		}
		next = MIN(next, end);
		va = paging_next_present(va, next);
		if (va == next)
			continue;
		if (move_page_locked(va, va + distance) != 0)
			return va - from;
		va += PAGE_SIZE;
	}
	return bytes;
}

int vm_move_pages_locked(uint64_t from, uint64_t bytes, uint64_t to)
{
	uint64_t moved, back;

	vm_split_huge_locked(from);
	vm_split_huge_locked(from + bytes);
	moved = move_range_locked(from, bytes, to);
	if (moved < bytes) {
		back = move_range_locked(to, moved, from);
		ASSERT(back == moved); /* the old tables are still there */
	}
	paging_flush(from, from + bytes);
	paging_flush(to, to + bytes); /* tables that were empty may have been seen there */
	if (moved == bytes)
		return 0;
	vm_prune_locked(to, to + bytes);
	return -ENOMEM;
}
