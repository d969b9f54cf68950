/*
 * vm.h: the program's address space: mappings, and the pages behind them.
 *
 * A mapping (VMA) is a range with one protection and one source: zero pages (anonymous), or a
 * memory object (a file's cache, or the image's own bytes). Pages are filled at the first touch.
 * Reservations (VM_PROT_NONE) cost one tree node, whatever their size.
 *
 * Locking: LOCK_VM inside. Functions may walk long ranges and then open interrupt windows:
 * callers hold no lock. Addresses and lengths are page-aligned unless said otherwise; violations
 * are -EINVAL. Nothing below VM_LOWEST is ever mapped.
 */
#pragma once

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/types.h"
#include "base/units.h"

#define VM_LOWEST 0x10000ul /* vm.mmap_min_addr */
/* vm.max_map_count. No mapping is split when there are so many; one more may be added. */
#define VM_MAPPINGS_MAX 65530u
/* A writable mapping may be this much larger than RAM: Go's heap index alone is 32 MiB. */
#define VM_OVERCOMMIT_BYTES (64 * MIB)
/* A mapping that grows down becomes no larger, if nobody says otherwise, and keeps this distance to
 * what lies below it. */
#define VM_STACK_MAX_BYTES (8 * MIB)
#define VM_STACK_GAP_BYTES (256 * PAGE_SIZE)
/* At the upper end of the address space only what asks for its address is mapped: so the main
 * thread's stack can grow. Linux keeps as much at least. */
#define VM_STACK_ROOM_BYTES (128 * MIB)

enum vm_prot {
	VM_PROT_NONE = 0,
	VM_PROT_READ = 1,
	VM_PROT_WRITE = 2,
	VM_PROT_EXEC = 4,
};

enum vm_flag {
	VM_FIXED = 1u, /* exactly there; what was mapped goes */
	VM_FIXED_NOREPLACE = 2u, /* exactly there, else -EEXIST */
	VM_SHARED = 4u, /* writes reach the object */
	VM_POPULATE = 8u, /* fill now */
	/* The kernel's and the vDSO's: nothing may unmap, protect, move, replace or discard any
	 * page of it (-EINVAL). */
	VM_KERNEL = 16u,
	/* Shared mapping of a file that is not open for writing: no VM_PROT_WRITE (-EACCES). */
	VM_NEVER_WRITE = 32u,
	VM_GROWS_DOWN = 64u, /* a touch below its start makes it longer */
	VM_LOCKED = 128u, /* its pages may not be discarded; a new mapping is filled */
	VM_HUGE = 256u, /* advice: 2 MiB pages are wanted */
	VM_NO_HUGE = 512u, /* … are not */
	VM_UNCOUNTED = 1024u, /* may be larger than RAM (vm_is_impossible) */
	VM_LOW = 2048u, /* of a request: below 2 GiB, unless there is a hint or VM_FIXED */
};

/* A source of pages, reference-counted by its owner. Its frames are never PMM_PROGRAM: that is how
 * a private mapping tells the program's copy from the object's page. */
struct vm_object {
	const struct vm_object_ops *ops; /* [I] */
	uint32_t drops; /* [vm lock] times pages were dropped: those got before are not believed */
	uint32_t writers; /* [vm lock] shared mappings that may write */
	_Atomic bool no_new_writers; /* [a] changes under the vm lock: vm_object_deny_write */
};
struct vm_object_ops {
	void (*get)(struct vm_object *o); /* called under LOCK_VM; put is called without locks */
	void (*put)(struct vm_object *o);
	/* Frame of page index, with a reference for the caller. write: it is going to be modified
	 * (asked again after each sync). -EFAULT (SIGBUS): beyond the end. -ENOMEM. May sleep. */
	int (*page)(struct vm_object *o, uint64_t index, bool write, pfn_t *pfn);
	/* Write back pages [first, last]; may sleep. An owner that keeps track of what is dirty
	 * marks them clean, then calls vm_object_clean, then writes. NULL: nothing to write to. */
	int (*sync)(struct vm_object *o, uint64_t first, uint64_t last);
	/* Whether the page is in memory, mapped or not. NULL: only what is mapped is known. */
	bool (*has)(struct vm_object *o, uint64_t index);
};

struct vm_request {
	uint64_t addr; /* hint, or the address when VM_FIXED */
	uint64_t bytes; /* rounded up to pages; 0 is -EINVAL */
	unsigned prot; /* enum vm_prot bits */
	unsigned flags; /* enum vm_flag bits */
	struct vm_object *object; /* NULL: anonymous; a reference is taken */
	uint64_t offset_bytes; /* in the object */
};

void vm_init(void);
/* A free hint is honoured exactly (after rounding down); an occupied one gives another address.
 * -ENOMEM: no address space, too many mappings. -EINVAL. -EPERM: fixed below VM_LOWEST. Memory
 * itself is never refused here unless it cannot possibly exist: one writable private mapping larger
 * than all RAM (and VM_OVERCOMMIT_BYTES) is -ENOMEM. -EPERM also: vm_object_deny_write. */
int vm_map(const struct vm_request *r, uint64_t *addr) must_check;
/* Holes are no error. bytes are rounded up to pages in all of these; 0 is -EINVAL in vm_unmap and
 * vm_remap and does nothing elsewhere. */
int vm_unmap(uint64_t addr, uint64_t bytes) must_check;
/* -ENOMEM: a hole; -EACCES: VM_NEVER_WRITE. What lies before it has changed. */
int vm_protect(uint64_t addr, uint64_t bytes, unsigned prot) must_check;
/* Pages of the range are dropped; next touch reads zero (anonymous) or the object. -ENOMEM: there
 * was a hole; what lies around it was dropped. -EINVAL: VM_LOCKED, or the image's data, whose first
 * contents exist nowhere else; what lies before it was dropped. own_only: -EINVAL for pages that
 * are not the program's own, too. */
int vm_discard(uint64_t addr, uint64_t bytes, bool own_only) must_check;
/* Sets and clears advice: VM_LOCKED, VM_HUGE, VM_NO_HUGE. -ENOMEM: there was a hole; what lies
 * around it has changed. */
int vm_advise(uint64_t addr, uint64_t bytes, unsigned set, unsigned clear) must_check;
/* Makes 2 MiB pages of what is there, where they fit into [addr, addr + bytes). -EINVAL: cannot be;
 * -ENOMEM: a hole, or no such block of memory is free. */
int vm_collapse(uint64_t addr, uint64_t bytes) must_check;
/* What all mappings, and the private writable ones, may have in all; UINT64_MAX: no limit. Beyond
 * it vm_map, vm_remap and vm_protect are -ENOMEM. */
void vm_set_limits(uint64_t total_bytes, uint64_t data_bytes);
/* How large mappings with VM_GROWS_DOWN may become by growing; UINT64_MAX: no limit. */
void vm_set_stack_limit(uint64_t bytes);
/* For mappings to come (VM_LOCKED, or 0). fill: they are populated. */
void vm_set_future(unsigned flags, bool fill);
unsigned vm_get_future(void); /* the flags */
/* Whether the mapping that contains addr has these flags, of enum vm_flag that outlive the request;
 * false also: there is none. */
bool vm_has_flags(uint64_t addr, unsigned flags);
/* Where the mapping with VM_GROWS_DOWN that contains addr begins; false: there is none. */
bool vm_find_stack(uint64_t addr, uint64_t *start);
/* Fills what is not present, as if touched (write: by a store). -ENOMEM: a hole or no memory;
 * -EFAULT: beyond the end of an object, or not allowed by the protection. May sleep. */
int vm_populate(uint64_t addr, uint64_t bytes, bool write) must_check;
/* Fills [addr, addr + bytes) as far as memory is plentiful and the mappings allow: a wish. May
 * sleep. */
void vm_fill(uint64_t addr, uint64_t bytes);
enum vm_remap_how {
	VM_REMAP_MAY_MOVE = 1u,
	VM_REMAP_KEEP_OLD = 2u, /* moves the pages; the old mapping stays, empty. Same size */
};
/* As mremap: the old range lies in one mapping (else -EFAULT), unless it only gets shorter. It
 * shrinks or grows where it is, or moves: to fixed when that is not 0 (what is there goes), else
 * anywhere when it may. old_bytes 0: of a shared mapping, a second one of the same pages. -ENOMEM:
 * cannot grow here, no address space, no memory. -EINVAL: also the image, and what mremap(2)
 * says. */
int vm_remap(uint64_t old, uint64_t old_bytes, uint64_t new_bytes, unsigned how, uint64_t fixed,
	uint64_t *addr) must_check;
/* One byte a page into resident[]: in memory, be it only in the object. -ENOMEM for a hole. May
 * sleep. */
int vm_resident(uint64_t addr, uint64_t bytes, uint8_t *resident) must_check;
/* msync: sync of the objects that are mapped shared. -ENOMEM: there was a hole. May sleep. */
int vm_sync(uint64_t addr, uint64_t bytes) must_check;

/* For the owner of an object, who holds no lock. Pages [first, last] of o, in all mappings: */
/* … become read-only, so that page(write = true) is asked before the next store; */
void vm_object_clean(struct vm_object *o, uint64_t first, uint64_t last);
/* … are dropped, private copies too (the file was truncated): the next touch asks page() again. */
void vm_object_drop(struct vm_object *o, uint64_t first, uint64_t last);
/* … are dropped, but for private copies (the file got a hole there). */
void vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t last);
/* From now on new shared mappings of o may not write: with VM_PROT_WRITE vm_map says -EPERM, others
 * are made VM_NEVER_WRITE. keep_old: those that may write already keep that; else they are -EBUSY,
 * and nothing has changed. */
int vm_object_deny_write(struct vm_object *o, bool keep_old) must_check;

/* Whether the whole range is mapped (any protection): for madvise's -ENOMEM. */
bool vm_is_mapped(uint64_t addr, uint64_t bytes);
/* Whether it is mapped and its protection allows loads (write: stores). */
bool vm_is_readable(uint64_t addr, uint64_t bytes, bool write);

/* Whether one more writable private mapping of that size may exist at all. */
bool vm_is_impossible(uint64_t bytes);

/* Pages that are in place at boot (frame = address): the kernel's (flags: VM_KERNEL) or the
 * program's (0), which may be protected, but not unmapped, moved or replaced (-EINVAL). */
int vm_map_image(uint64_t addr, uint64_t bytes, unsigned prot, unsigned flags) must_check;

enum vm_fault_result {
	VM_FAULT_OK,
	VM_FAULT_MAPERR, /* no mapping: SIGSEGV, SEGV_MAPERR */
	VM_FAULT_ACCERR, /* protection: SIGSEGV, SEGV_ACCERR */
	VM_FAULT_BUS, /* beyond the end of the object: SIGBUS, BUS_ADRERR */
	VM_FAULT_NO_MEMORY,
};
/* access: VM_PROT_READ, _WRITE or _EXEC. May sleep (objects). */
enum vm_fault_result vm_fault(uint64_t addr, unsigned access);

struct vm_stats {
	uint64_t mappings, reserved_bytes;
	uint64_t resident_pages, resident_peak_pages; /* filled by faults; without the image's */
	uint64_t object_pages; /* of the resident ones: objects', not the program's own */
};
void vm_get_stats(struct vm_stats *s);
/* Calls fn for each mapping in order (for /proc/self/maps); fn runs without the vm lock; stops when
 * it does not return 0. */
struct vm_region {
	uint64_t start, end, offset_bytes;
	unsigned prot, flags; /* flags: enum vm_flag bits that outlive the request */
	struct vm_object *object; /* borrowed: valid only inside fn */
};
void vm_each(int (*fn)(const struct vm_region *r, void *arg), void *arg);
