/*
 * vm_model.h: what the address space should look like, page by page.
 *
 * Pages are numbered from 0 to WINDOW_PAGES - 1. The window is 2 MiB on both sides of a 1 GiB
 * border: page tables of all levels come and go, and none is shared with what lies outside.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"
#include "base/units.h"
#include "test/fuzz/vm_objects.h"

#define WINDOW_PAGES 1024u

struct model_page {
	bool mapped, shared, never_write;
	unsigned prot;
	unsigned advice; /* VM_LOCKED, VM_HUGE, VM_NO_HUGE */
	unsigned object; /* 0: anonymous; else number of the object */
	unsigned index; /* page of the object */
	bool own; /* private page of an object that was written to: value is its own */
	unsigned value; /* anonymous or own: what its bytes are */
};

struct model_remap {
	unsigned first, old_count, new_count, to; /* old_count 0: a second mapping */
	bool may_move, is_fixed, keeps_old;
};

static inline uint64_t model_addr(unsigned page)
{
	return GIB - WINDOW_PAGES / 2 * PAGE_SIZE + page * PAGE_SIZE;
}

void model_begin(void);
void model_end(void);

/* Everything the kernel shows against the model. */
void model_check(void);

/* Where a mapping must land: *first is changed. 0, or the error. */
int model_place(unsigned *first, unsigned count, bool anywhere, unsigned flags);
void model_map(unsigned first, unsigned count, const struct model_page *as);
void model_unmap(unsigned first, unsigned count);
int model_can_protect(unsigned first, unsigned *count, unsigned prot); /* count: that change */
void model_protect(unsigned first, unsigned count, unsigned prot);
bool model_is_covered(unsigned first, unsigned count);
void model_advise(unsigned first, unsigned count, unsigned set, unsigned clear);
/* 0 or the error; *count: of pages before the mapping that is at fault. */
int model_can_discard(unsigned first, unsigned *count, bool own_only);
/* disturbed: others may have written meanwhile: the present pages say what is there. */
void model_discard(unsigned first, unsigned count, bool disturbed);
int model_populate(unsigned first, unsigned count, bool write);
void model_note_copies(unsigned first, unsigned count, bool disturbed);
int model_can_remap(struct model_remap *m); /* sets to */
void model_remap(const struct model_remap *m);
void model_remap_failed(const struct model_remap *m); /* memory ran out somewhere on the way */
void model_truncate(unsigned number, unsigned pages);
void model_check_hole(unsigned number, unsigned first, unsigned count); /* nobody maps it */
void model_deny_write(unsigned number, bool keep_old);

bool model_is_present(unsigned page); /* or in the object's memory */
int model_fault(unsigned page, unsigned access); /* enum vm_fault_result */
/* What the CPU does: false when the page tables do not allow it; else reads and compares, or
 * writes value. is_unsure: contents may have been dropped by a call that has not returned. */
bool model_try_access(unsigned page, unsigned access, unsigned value, bool is_unsure);
/* No shared mapping in the range may write without its object being asked again. */
void model_check_clean(unsigned first, unsigned count);
