/*
 * vm_huge.c: pages of 2 MiB.
 *
 * What:       a store to untouched anonymous memory is answered with 2 MiB at once where a mapping
 *             covers them, memory is plentiful and the program is large, or asked for it. A small
 *             program gets 4 KiB pages: it would otherwise pay for memory it never touches. What
 *             changes a part of such a page splits it first; the table for that is set aside when
 *             the page is mapped, so that a split never fails.
 *               nothing -> huge [fault, vm_collapse] -> 512 pages [vm_split_huge_locked] -> huge
 * Invariants: (1) a 2 MiB page lies in one mapping, which has no object. (2) its frames are one
 *             block of pmm until it is split; frame.link_next of the first names the table set
 *             aside.
 * Locking:    vm.lock; blocks are cleared without it.
 * Failure:    no block: 4 KiB pages do. vm_collapse: as in vm.h.
 * Source:     madvise(2); Linux Documentation/admin-guide/mm/transhuge.rst; MADV_COLLAPSE by
 *             running Linux 6.18.
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/sched/sched.h"
#include "kernel/stats.h"
#include "lib/string.h"

#define HUGE_ORDER 9u
#define HUGE_PAGES (1u << HUGE_ORDER)
#define CLEAR_BATCH_PAGES 64u
/* Without VM_HUGE: programs smaller than this have pages of 4 KiB (docs/design.md). */
#define LARGE_PROGRAM_PAGES (16 * MIB / PAGE_SIZE)
#define PLENTY_PART 4u /* of RAM must be free */

STATIC_ASSERT(HUGE_PAGES *PAGE_SIZE == HUGE_PAGE_SIZE, "order of a block");

/* The whole 2 MiB around va belong to v, and v's pages are the program's own. */
static bool can_be_huge(const struct vma *v, uint64_t va)
{
	uint64_t start = ROUND_DOWN(va, HUGE_PAGE_SIZE);

	return !v->object && !(v->flags & (VM_KERNEL | VMA_IMAGE | VM_GROWS_DOWN | VM_NO_HUGE)) &&
		start >= v->start && start + HUGE_PAGE_SIZE <= v->end;
}

static bool is_worth_it_locked(const struct vma *v)
{
	if (!(v->flags & VM_HUGE) && vm.resident_pages < LARGE_PROGRAM_PAGES)
		return false;
	return pmm_free_pages() >= pmm_total_pages() / PLENTY_PART + HUGE_PAGES;
}

bool vm_wants_huge_locked(const struct vma *v, uint64_t va, bool has_block)
{
	uint64_t start = ROUND_DOWN(va, HUGE_PAGE_SIZE), end = start + HUGE_PAGE_SIZE;

	if (!can_be_huge(v, va) || !(v->prot & VM_PROT_WRITE))
		return false;
	if (!has_block && !is_worth_it_locked(v))
		return false;
	return paging_next_present(start, end) == end;
}

pfn_t vm_alloc_huge(void)
{
	pfn_t pfn = pmm_alloc(HUGE_ORDER, PMM_PROGRAM);

	for (pfn_t i = 0; pfn != PFN_NONE && i < HUGE_PAGES; i++) {
		if (!pmm_take_zero(pfn + i)) {
			page_zero(pfn_to_virt(pfn + i));
			stat_inc(STAT_pages_zeroed);
		}
		if (i % CLEAR_BATCH_PAGES == CLEAR_BATCH_PAGES - 1)
			sched_relax();
	}
	return pfn;
}

void vm_free_huge(pfn_t pfn)
{
	pmm_free(pfn, HUGE_ORDER);
}

int vm_map_huge_locked(uint64_t va, pfn_t pfn, unsigned flags)
{
	paddr_t table;

	lock_assert_held(&vm.lock);
	if (paging_map_huge(va, pfn << PAGE_SHIFT, flags, &table) != 0)
		return -ENOMEM;
	pmm_frame(pfn)->link_next = (uint32_t)(table >> PAGE_SHIFT); /* (2) */
	vm.resident_pages += HUGE_PAGES;
	vm.resident_peak_pages = MAX(vm.resident_peak_pages, vm.resident_pages);
	stat_inc(STAT_pages_huge);
	return 0;
}

void vm_free_mapped_huge(pfn_t pfn)
{
	pmm_free(pmm_frame(pfn)->link_next, 0);
	vm_free_huge(pfn);
}

void vm_split_huge_locked(uint64_t va)
{
	uint64_t bytes;
	unsigned flags;
	paddr_t pa;
	pfn_t pfn;

	lock_assert_held(&vm.lock);
	if ((va & (HUGE_PAGE_SIZE - 1)) == 0 || va >= ARCH_USER_END)
		return;
	if (!paging_lookup(va, &pa, &flags, &bytes) || bytes == PAGE_SIZE)
		return;
	pfn = ROUND_DOWN(pa >> PAGE_SHIFT, (pfn_t)HUGE_PAGES);
	if (!pmm_is_program(pfn))
		return; /* not one of ours: the kernel's slot */
	paging_split(va, (paddr_t)pmm_frame(pfn)->link_next << PAGE_SHIFT);
	pmm_split(pfn, HUGE_ORDER);
	stat_inc(STAT_pages_split);
}

/* ------------------------------------------------------------------ collapse */
/* Takes the pages of 2 MiB out; old[i]: which frame was there, PFN_NONE. Their number. */
static unsigned take_pages_locked(uint64_t start, uint64_t *old)
{
	unsigned count = 0;
	uint64_t bytes;
	paddr_t pa;

	for (unsigned i = 0; i < HUGE_PAGES; i++) {
		old[i] = PFN_NONE;
		if (!paging_unmap(start + i * PAGE_SIZE, &pa, &bytes))
			continue;
		ASSERT(bytes == PAGE_SIZE);
		old[i] = pa >> PAGE_SHIFT;
		count++;
	}
	paging_flush(start, start + HUGE_PAGE_SIZE); /* before they are copied, and put */
	return count;
}

/* Copies 2 MiB under the lock: between the unmapping and the new entry nobody may see them. */
static void fill_block(pfn_t block, const uint64_t *old)
{
	for (unsigned i = 0; i < HUGE_PAGES; i++) {
		if (old[i] == PFN_NONE)
			continue;
		page_copy(pfn_to_virt(block + i), pfn_to_virt(old[i]));
		pmm_put(old[i]);
	}
}

/* *block is PFN_NONE when it is used. */
static int collapse_locked(uint64_t start, pfn_t *block, uint64_t *old)
{
	struct vma *v = vma_at_locked(start);
	uint64_t bytes, end = start + HUGE_PAGE_SIZE;
	unsigned flags;
	paddr_t pa;
	int err;

	if (!v || !can_be_huge(v, start) || paging_next_present(start, end) == end)
		return -EINVAL;
	if (paging_lookup(start, &pa, &flags, &bytes) && bytes != PAGE_SIZE)
		return 0;
	vm.resident_pages -= take_pages_locked(start, old);
	fill_block(*block, old);
	err = vm_map_huge_locked(start, *block, vm_paging_flags(v->prot));
	ASSERT(!err); /* the table that is there serves */
	*block = PFN_NONE;
	return 0;
}

static int collapse_one(uint64_t start)
{
	pfn_t block = vm_alloc_huge(), scratch = pmm_alloc(0, PMM_KERNEL);
	int err = -ENOMEM;

	if (block != PFN_NONE && scratch != PFN_NONE) {
		spin_lock(&vm.lock);
		err = collapse_locked(start, &block, pfn_to_virt(scratch));
		spin_unlock(&vm.lock);
	}
	if (block != PFN_NONE)
		vm_free_huge(block);
	if (scratch != PFN_NONE)
		pmm_free(scratch, 0);
	return err;
}

int vm_collapse(uint64_t addr, uint64_t bytes)
{
	uint64_t start = ROUND_UP(addr, HUGE_PAGE_SIZE), end;
	int err = 0, one;

	lock_assert_none();
	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	if (!vm_is_mapped(addr, bytes))
		return -ENOMEM;
	end = ROUND_DOWN(addr + bytes, HUGE_PAGE_SIZE);
	for (; start < end; start += HUGE_PAGE_SIZE) {
		one = collapse_one(start);
		err = err ? err : one;
		sched_relax();
	}
	return err;
}
