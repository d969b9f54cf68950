/*
 * vm_fault.c: fills a page at its first touch.
 *
 * What:       a fault is resolved in rounds. Each round looks at the mapping under the lock and
 *             makes a wish: the frame it takes. If that is not what it has got already, it lets go
 *             of the lock, gets the frame (zeroing, copying and asking an object take time) and
 *             looks again. Nothing seen in an earlier round is believed.
 *               look -> done | failed | get what is wished for -> look
 * Invariants: (1) a frame is complete before it is mapped: no CPU sees it half filled.
 *             (2) a page of an object is never mapped writable in a private mapping.
 *             (3) a shared page becomes writable only after page(write = true) of its object.
 * Locking:    vm.lock inside, not held while frames are zeroed or copied, or objects asked.
 *             May sleep (objects).
 * Failure:    enum vm_fault_result; the caller makes signals or a report of them.
 * Source:     Linux's private and shared mappings, as mmap(2) and POSIX describe them.
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/stats.h"
#include "lib/string.h"

enum round {
	ROUND_DONE,
	ROUND_FAILED, /* fault.result says how */
	ROUND_GET, /* fault.next says what */
};

/* Which frame a page takes. */
struct wish {
	struct vm_object *object; /* a reference is held; NULL: a zeroed frame */
	uint64_t index;
	bool write; /* for page(): it is going to be modified */
	bool copy; /* not the object's page but a copy */
	bool huge; /* 2 MiB of zeroed memory */
	uint32_t drops; /* of the object, when this was wished: a truncation in between shows */
};

struct fault {
	uint64_t va; /* page */
	unsigned access;
	bool no_huge; /* could not be had */
	enum vm_fault_result result;
	struct wish next; /* to get */
	struct wish got; /* what frame is */
	pfn_t frame; /* with a reference; PFN_NONE: nothing was got yet */
};

static bool is_allowed(unsigned prot, unsigned access)
{
	/* Whatever may be touched may be read: the CPU has it so, and Linux too. */
	return access == VM_PROT_READ ? prot != VM_PROT_NONE : (prot & access) == access;
}

static enum round fail(struct fault *f, enum vm_fault_result why)
{
	f->result = why;
	return ROUND_FAILED;
}

/* ------------------------------------------------------------------ with the lock */
/* The page is there: its rights may lag behind the mapping's (vm_protect, another CPU's fault). */
static bool raise_rights_locked(struct fault *f, const struct vma *v, pfn_t pfn, unsigned have)
{
	unsigned need = vm_paging_flags(f->access), want = vm_page_flags(v, pfn, have);

	if (need & ~want)
		return false;
	if (want & ~have)
		paging_protect(f->va, want);
	return true;
}

/* What the mapping needs for this access. No reference is taken. */
static struct wish make_wish(const struct fault *f, const struct vma *v)
{
	bool store = f->access == VM_PROT_WRITE, shared = (v->flags & VM_SHARED) != 0;
	bool has_block = f->got.huge && f->frame != PFN_NONE;
	struct wish w = { 0 };

	w.huge = store && !f->no_huge && vm_wants_huge_locked(v, f->va, has_block);
	if (v->object) {
		w.object = v->object;
		w.drops = v->object->drops;
		w.index = (f->va - v->start + v->offset_bytes) >> PAGE_SHIFT;
		w.write = store && shared;
		w.copy = store && !shared;
	}
	return w;
}

static bool is_same_wish(const struct wish *a, const struct wish *b)
{
	return a->object == b->object && a->index == b->index && a->write == b->write &&
		a->copy == b->copy && a->huge == b->huge && a->drops == b->drops;
}

static void unmap_old_locked(struct fault *f)
{
	paddr_t old_pa;
	uint64_t bytes;
	bool was_present = paging_unmap(f->va, &old_pa, &bytes);

	ASSERT(was_present);
	ASSERT(bytes == PAGE_SIZE);
	paging_flush(f->va, f->va + PAGE_SIZE);
	vm.resident_pages--;
	vm.object_pages -= !pmm_is_program(old_pa >> PAGE_SHIFT);
	pmm_put(old_pa >> PAGE_SHIFT);
}

static enum round install_huge_locked(struct fault *f, const struct vma *v)
{
	uint64_t start = ROUND_DOWN(f->va, HUGE_PAGE_SIZE);

	if (vm_map_huge_locked(start, f->frame, vm_paging_flags(v->prot)) != 0) {
		f->no_huge = true;
		f->next = make_wish(f, v);
		return ROUND_GET;
	}
	f->frame = PFN_NONE;
	stat_inc(STAT_page_faults_zero);
	return ROUND_DONE;
}

/* present: the frame that is mapped without the right that is needed, or PFN_NONE. */
static enum round install_locked(struct fault *f, const struct vma *v, pfn_t present)
{
	unsigned flags = vm_paging_flags(v->prot);

	if (f->got.huge)
		return install_huge_locked(f, v);
	if (f->got.object && !f->got.write && !f->got.copy)
		flags &= ~(unsigned)PAGING_WRITE; /* (2), (3) */
	if (present == f->frame) { /* shared, and its object has heard of the write */
		paging_protect(f->va, flags);
		return ROUND_DONE;
	}
	if (present != PFN_NONE)
		unmap_old_locked(f);
	if (paging_map(f->va, f->frame << PAGE_SHIFT, flags) != 0)
		return fail(f, VM_FAULT_NO_MEMORY);
	vm.resident_pages++;
	vm.resident_peak_pages = MAX(vm.resident_peak_pages, vm.resident_pages);
	vm.object_pages += !pmm_is_program(f->frame);
	f->frame = PFN_NONE; /* the entry has the reference now */
	stat_inc(v->object ? STAT_page_faults_file : STAT_page_faults_zero);
	return ROUND_DONE;
}

/* A touch below a mapping that grows down: it then contains va. NULL: it may not. */
static struct vma *grow_down_locked(uint64_t va)
{
	struct vma *v = vma_find_locked(va), *below = vma_before_locked(v);

	if (!v || !(v->flags & VM_GROWS_DOWN) || va < VM_LOWEST ||
		v->end - va > vm.limit_stack_bytes)
		return NULL;
	if (below && below->prot != VM_PROT_NONE && !(below->flags & VM_GROWS_DOWN) &&
		va - below->end < VM_STACK_GAP_BYTES)
		return NULL;
	if (!vm_may_add_locked(v->start - va, false))
		return NULL;
	vma_grow_down_locked(v, va);
	return v;
}

static enum round look_locked(struct fault *f)
{
	struct vma *v = vma_at_locked(f->va);
	pfn_t present = PFN_NONE;
	uint64_t bytes;
	unsigned have;
	paddr_t pa;

	if (!v)
		v = grow_down_locked(f->va);
	if (!v)
		return fail(f, VM_FAULT_MAPERR);
	if (!is_allowed(v->prot, f->access))
		return fail(f, VM_FAULT_ACCERR);
	if (paging_lookup(f->va, &pa, &have, &bytes)) {
		if (v->flags & VM_KERNEL)
			return ROUND_DONE; /* a stale translation: boot gave it all its rights */
		present = pa >> PAGE_SHIFT;
		if (raise_rights_locked(f, v, present, have))
			return ROUND_DONE;
	}
	if (NEVER(v->flags & VMA_IMAGE))
		return fail(f, VM_FAULT_MAPERR); /* the image's pages are always there */
	f->next = make_wish(f, v);
	if (f->frame != PFN_NONE && is_same_wish(&f->next, &f->got))
		return install_locked(f, v, present);
	if (f->next.object)
		f->next.object->ops->get(f->next.object);
	return ROUND_GET;
}

/* ------------------------------------------------------------------ without the lock */
static void put_got(struct fault *f)
{
	if (f->frame != PFN_NONE && f->got.huge)
		vm_free_huge(f->frame);
	else if (f->frame != PFN_NONE)
		pmm_put(f->frame);
	if (f->got.object)
		f->got.object->ops->put(f->got.object);
	f->frame = PFN_NONE;
	f->got.object = NULL;
}

static int get_copy(pfn_t page, pfn_t *out)
{
	*out = pmm_alloc(0, PMM_PROGRAM);
	if (*out == PFN_NONE)
		return -ENOMEM;
	page_copy(pfn_to_virt(*out), pfn_to_virt(page));
	return 0;
}

static int get_object_page(const struct wish *w, pfn_t *out)
{
	pfn_t page;
	int err = w->object->ops->page(w->object, w->index, w->write, &page);

	if (err)
		return err;
	if (!w->copy) {
		*out = page;
		return 0;
	}
	err = get_copy(page, out);
	pmm_put(page);
	return err;
}

/* What f->next says into f->got; false: f->result says why not. */
static bool get_next(struct fault *f)
{
	int err = 0;

	put_got(f);
	f->got = f->next;
	if (f->got.object) {
		err = get_object_page(&f->got, &f->frame);
	} else if (f->got.huge) {
		f->frame = vm_alloc_huge();
		f->no_huge = f->frame == PFN_NONE; /* then the next look wishes for less */
	} else {
		f->frame = pmm_alloc_zeroed(PMM_PROGRAM);
		if (f->frame == PFN_NONE)
			err = -ENOMEM;
	}
	if (!err)
		return true;
	f->frame = PFN_NONE;
	f->result = err == -ENOMEM ? VM_FAULT_NO_MEMORY : VM_FAULT_BUS;
	return false;
}

enum vm_fault_result vm_fault(uint64_t addr, unsigned access)
{
	struct fault f = { .va = ROUND_DOWN(addr, PAGE_SIZE), .access = access, .frame = PFN_NONE };
	enum round r;

	lock_assert_none();
	if (addr >= VM_HIGHEST)
		return VM_FAULT_MAPERR;
	do {
		spin_lock(&vm.lock);
		r = look_locked(&f);
		spin_unlock(&vm.lock);
	} while (r == ROUND_GET && get_next(&f));
	put_got(&f);
	return r == ROUND_DONE ? VM_FAULT_OK : f.result;
}
