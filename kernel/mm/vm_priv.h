/*
 * vm_priv.h: what the files of the address space share: the mappings, their tree, their pages.
 *
 * vm_tree.c keeps mappings apart, in order and merged; vm_limit.c says how many bytes they may
 * have; vm_pages.c drops and re-protects pages; vm_fault.c fills them; vm.c, vm_ops.c and
 * vm_object.c are the calls. All _locked functions need vm.lock.
 */
#pragma once

#include "base/tree.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "kernel/sync/spinlock.h"

/* The last page stays free: code at its end would continue at a non-canonical address. */
#define VM_HIGHEST (ARCH_USER_END - PAGE_SIZE)
/* Below it lies what does not ask for its address. */
#define VM_CHOSEN_END (VM_HIGHEST - VM_STACK_ROOM_BYTES)
#define VM_PROT_BATCH_PAGES 512u /* pages re-protected before a window */
/* In vma.flags, beside enum vm_flag: */
#define VMA_IMAGE 0x10000u /* pages are the image's own */
#define VMA_WRITTEN 0x20000u /* the image's, and may differ from the file */
#define VMA_KEPT_FLAGS \
	(VM_SHARED | VM_KERNEL | VM_NEVER_WRITE | VM_GROWS_DOWN | VM_LOCKED | VM_HUGE | \
		VM_NO_HUGE | VM_UNCOUNTED)

/* One mapping. All fields: [vm lock]. */
struct vma {
	RB_ENTRY(vma) node;
	struct vma *next_dead; /* list of those to free once the lock is released */
	uint64_t start, end;
	/* Of the subtree: where it begins and ends, and its longest hole, below VM_CHOSEN_END. */
	uint64_t tree_start, tree_end, tree_hole_bytes;
	struct vm_object *object; /* a reference is held; NULL: anonymous */
	uint64_t offset_bytes; /* of start in the object; 0 when anonymous */
	uint32_t prot, flags;
};
RB_HEAD(vma_tree, vma);

struct vm_space {
	struct spinlock lock;
	struct vma_tree tree; /* [vm lock] */
	struct vma *last_found; /* [vm lock] cache of vma_find_locked */
	uint64_t count; /* [vm lock] mappings */
	uint64_t reserved_bytes, data_bytes; /* [vm lock] their size; of data: vm_is_data */
	uint64_t limit_bytes, limit_data_bytes; /* [vm lock] of those */
	uint64_t limit_stack_bytes; /* [vm lock] of one that grows down */
	uint64_t resident_pages; /* [vm lock] filled by faults; without the image's */
	uint64_t resident_peak_pages; /* [vm lock] */
	uint64_t object_pages; /* [vm lock] of them objects', not the program's own */
	uint32_t future_flags; /* [vm lock] of mappings to come */
	bool fills_future; /* [vm lock] … and they are populated */
};
extern struct vm_space vm; /* vm.c */

/* Takes bytes rounded up; false when [addr, addr + *bytes) is not pages of the program's half. */
bool vm_check_range(uint64_t addr, uint64_t *bytes);
/* A mapping overlaps that may not be unmapped. */
bool vm_has_image_locked(uint64_t start, uint64_t end);
bool vm_is_covered_locked(uint64_t start, uint64_t end);
/* Prot bits to what the page tables take. */
unsigned vm_paging_flags(unsigned prot);
/* Empties [start, end), opening windows, and returns with the lock held and no mapping in it; those
 * that were there are on dead. On error (-EINVAL: the image; -ENOMEM) the lock is not held.
 * adds_one: the caller will add a mapping, so there may not be more than VM_MAPPINGS_MAX yet. */
int vm_clear_range_lock(uint64_t start, uint64_t end, bool adds_one, struct vma **dead) must_check;
/* An address for bytes of new mapping; hint 0: anywhere. -ENOMEM. */
int vm_choose_locked(uint64_t hint, uint64_t bytes, uint64_t *addr) must_check;

/* ------------------------------------------------------------------ vm_tree.c */
/* First mapping that ends above addr: the one that contains addr, or the next. NULL: none. */
struct vma *vma_find_locked(uint64_t addr);
/* The mapping that contains addr, or NULL. */
struct vma *vma_at_locked(uint64_t addr);
struct vma *vma_next_locked(struct vma *v);
struct vma *vma_before_locked(struct vma *v); /* v NULL: the last one */
/* Puts v, whose range is free, into the tree; or merges it with its neighbours (then onto dead). */
void vma_add_locked(struct vma *v, struct vma **dead);
/* Takes v out of the tree, onto dead. */
void vma_take_locked(struct vma *v, struct vma **dead);
/* Grows into free space above, or below. */
void vma_grow_locked(struct vma *v, uint64_t end);
void vma_grow_down_locked(struct vma *v, uint64_t start);
void vma_set_prot_locked(struct vma *v, unsigned prot);
/* Makes start and end borders of mappings. -ENOMEM. */
int vma_split_locked(uint64_t start, uint64_t end) must_check;
/* Undoes needless borders in and at the ends of [start, end]. */
void vma_merge_locked(uint64_t start, uint64_t end, struct vma **dead);
/* Highest free address range of that size below VM_CHOSEN_END: its start; 0: none. */
uint64_t vma_find_hole_locked(uint64_t bytes);
/* Lowest one in [from, end); 0: none. Looks at every mapping there. */
uint64_t vma_find_low_hole_locked(uint64_t bytes, uint64_t from, uint64_t end);
/* Without locks: puts objects, frees nodes. */
void vma_bury(struct vma *dead);
/* Order, gaps, sums: for tests and debug builds. */
bool vma_tree_is_sane_locked(void);

/* ------------------------------------------------------------------ vm_limit.c */
/* Whether a mapping counts as data: prot and flags of enum vm_prot and enum vm_flag. */
bool vm_is_data(unsigned prot, unsigned flags);
/* Whether there may be so many bytes more. */
bool vm_may_add_locked(uint64_t bytes, bool is_data);
/* Of mappings that are there: more of them may be data. */
bool vm_may_become_data_locked(uint64_t bytes);
/* A mapping of [start, end) instead of what is there; no lock held. */
bool vm_may_replace(uint64_t start, uint64_t end, bool is_data);

/* ------------------------------------------------------------------ vm_huge.c */
/* Whether a store to va shall be answered with 2 MiB; has_block: the memory is there already. */
bool vm_wants_huge_locked(const struct vma *v, uint64_t va, bool has_block);
/* A block of 2 MiB that reads as zero: its first frame, PFN_NONE. Opens windows; no lock held. */
pfn_t vm_alloc_huge(void);
void vm_free_huge(pfn_t pfn); /* one that is not mapped */
/* -ENOMEM, and nothing has changed. */
int vm_map_huge_locked(uint64_t va, pfn_t pfn, unsigned flags) must_check;
/* After the flush, what paging_unmap gave. */
void vm_free_mapped_huge(pfn_t pfn);
/* Nothing of 2 MiB reaches over va any more. */
void vm_split_huge_locked(uint64_t va);

/* ------------------------------------------------------------------ vm_pages.c */
/* Drops present pages, at most one batch; returns where to go on, or end. */
uint64_t vm_drop_batch_locked(uint64_t start, uint64_t end);
/* The same without the program's own: of a private mapping of an object, its copies stay. */
uint64_t vm_drop_foreign_batch_locked(uint64_t start, uint64_t end);
/* Drops all, in one go. */
void vm_drop_locked(uint64_t start, uint64_t end);
/* Frees page tables that a removed mapping may have left empty. */
void vm_prune_locked(uint64_t start, uint64_t end);
/* What a present page of v may have, given its frame and its flags now. */
unsigned vm_page_flags(const struct vma *v, pfn_t pfn, unsigned have);
/* Gives present pages what their mappings allow now. Opens windows; no lock held. */
void vm_apply_prot(uint64_t start, uint64_t end);
/* Moves present pages. 0, or -ENOMEM and nothing has moved. */
int vm_move_pages_locked(uint64_t from, uint64_t bytes, uint64_t to) must_check;
