/*
 * pmm.h: physical page frames.
 *
 * Buddy allocator over frames of 4 KiB, orders 0 … PMM_ORDER_MAX. At boot a range of RAM costs
 * nothing: it is carved into the free lists in pieces when it is first needed.
 * Locking: LOCK_PMM inside. Any context. Never sleeps.
 */
#pragma once

#include "arch/arch.h"
#include "base/compiler.h"
#include "base/types.h"

#define PMM_ORDER_MAX 10u /* 4 MiB */
#define PFN_NONE 0ul

enum pmm_owner {
	PMM_FREE,
	PMM_KERNEL, /* kernel stacks, buffers */
	PMM_TABLE, /* page tables */
	PMM_SLAB, /* kmem */
	PMM_PIPE, /* what was written to pipes and not yet read */
	PMM_PROGRAM, /* anonymous memory of the program */
	PMM_CACHE, /* file contents */
	PMM_OWNERS,
};

/* One per frame of RAM. Fields are the owner's while it holds the frame. */
struct frame {
	uint32_t link_next, link_prev; /* [pmm lock] while free; kmem's while it is a slab */
	union {
		_Atomic uint32_t refs; /* [a] mappings and holders; 1 after allocation */
		struct {
			uint16_t slab_used; /* [kmem lock] objects handed out */
			uint16_t slab_first; /* [kmem lock] first free object */
		};
	};
	uint8_t order; /* [pmm lock] of the block that begins here */
	uint8_t owner; /* [pmm lock] enum pmm_owner */
	union {
		uint8_t slab_class; /* kmem */
		uint8_t is_reported; /* [pmm lock] while free: see pmm_report_take */
	};
	bool is_zero; /* [pmm lock] while free: nobody has written to it since a zeroing boot */
};

/* Once, at boot: where RAM ends and where the table of frames may lie (bytes at table_pa, as
 * pmm_table_bytes says). */
size_t pmm_table_bytes(paddr_t ram_end);
void pmm_init(paddr_t ram_end, paddr_t table_pa);
void pmm_add_range(paddr_t start, paddr_t end); /* free RAM; whole pages inside are taken */
/* The platform promises that RAM reads as zero where nobody has written: what has not been handed
 * out by now is not cleared again. */
void pmm_trust_zero(void);
/* The last pages are kept from the program and its files; the kernel may take them. 0 at first. */
void pmm_set_reserve(uint64_t pages);
void pmm_release_reserve(void);

/* First frame of 2^order frames, aligned to its size; contents undefined. PFN_NONE: no memory. */
pfn_t pmm_alloc(unsigned order, enum pmm_owner owner) must_check;
/* One frame that reads as zero. */
pfn_t pmm_alloc_zeroed(enum pmm_owner owner) must_check;
/* Of a frame just allocated, once: whether it reads as zero already. */
bool pmm_take_zero(pfn_t pfn);
/* An allocated block becomes single frames of the same owner, with one reference each. */
void pmm_split(pfn_t pfn, unsigned order);
void pmm_free(pfn_t pfn, unsigned order);
/* Gives back the single frames that this CPU keeps for later; false: none. */
bool pmm_single_spill(void);
/* References to single frames: a frame is freed when the last one is put. Frames that were never
 * given to pmm may be named too (the image's, device memory): PMM_KERNEL, and never freed. */
void pmm_get(pfn_t pfn);
void pmm_put(pfn_t pfn);
/* Of a frame below ram_end. */
struct frame *pmm_frame(pfn_t pfn);
/* Whether the frame is the program's own anonymous page, not an object's. */
bool pmm_is_program(pfn_t pfn);

uint64_t pmm_total_pages(void);
uint64_t pmm_free_pages(void);
/* How many pages each owner has, by a walk over the table: exact while nobody allocates or frees.
 * What never was pmm's (the image) is not counted where RAM is untouched, else PMM_KERNEL's. */
void pmm_count_pages(uint64_t counts[PMM_OWNERS]);
uint64_t pmm_peak_pages(void); /* most that were ever in use, with what CPUs kept in reserve */

/* ---- free memory that the host may take back (kernel/dev/pagereport.h). A free block is reported
 * when nobody has used any of it since the host was told, or since the boot.
 * A free block of at least PMM_REPORT_ORDER that is not reported, now the caller's, and its order.
 * PFN_NONE: none, or there is so little free memory that it will be needed again. */
#define PMM_REPORT_ORDER 9u
pfn_t pmm_report_take(unsigned *order) must_check;
void pmm_report_give(pfn_t pfn, bool is_reported); /* free again; false: the host did not hear */
/* Has such a block come into being since the last call that said so? A hint. */
bool pmm_report_has_news(void);

static inline void *pfn_to_virt(pfn_t pfn)
{
	return phys_to_virt((paddr_t)pfn << PAGE_SHIFT);
}
