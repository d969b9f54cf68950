/*
 * vm_ops.c: changes to mappings that exist: protection, contents, advice.
 *
 * What:       the calls behind mprotect, madvise and mlock. Protection changes the mappings first
 *             and then the pages in batches; until it returns, a page may still have the old
 *             rights, and a fault in between is judged by the new ones.
 * Invariants: vm.c's, vm_tree.c's and vm_pages.c's; none of its own.
 * Locking:    vm.lock inside. Callers hold no lock: windows.
 * Failure:    as in vm.h: as on Linux, what lies before the mapping that is at fault has changed.
 * Source:     mprotect(2), madvise(2), mlock(2); Linux 6.18, by running there.
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/sched/sched.h"

/* ------------------------------------------------------------------ protection */
static int check_protect(const struct vma *v, uint64_t bytes, unsigned prot)
{
	bool more = prot & ~v->prot & VM_PROT_WRITE;

	if (v->flags & VM_KERNEL)
		return -EINVAL;
	if (prot & VM_PROT_WRITE && v->flags & VM_NEVER_WRITE)
		return -EACCES;
	if (more && !v->object && !(v->flags & VM_UNCOUNTED) && vm_is_impossible(bytes))
		return -ENOMEM;
	return 0;
}

/* How far [start, end) may change, into *stop; why no further. */
static int find_protect_stop_locked(uint64_t start, uint64_t end, unsigned prot, uint64_t *stop)
{
	struct vma *v = vma_find_locked(start);
	uint64_t bytes, more_data_bytes = 0;
	int err;

	for (*stop = start; *stop < end; v = vma_next_locked(v)) {
		if (!v || v->start > *stop)
			return -ENOMEM;
		bytes = MIN(v->end, end) - *stop;
		err = check_protect(v, bytes, prot);
		if (err)
			return err;
		if (vm_is_data(prot, v->flags) && !vm_is_data(v->prot, v->flags))
			more_data_bytes += bytes;
		if (!vm_may_become_data_locked(more_data_bytes))
			return -ENOMEM;
		*stop += bytes;
	}
	return 0;
}

static int change_prot_locked(uint64_t start, uint64_t end, unsigned prot)
{
	int err = vma_split_locked(start, end);

	if (err)
		return err;
	for (struct vma *v = vma_find_locked(start); v && v->start < end; v = vma_next_locked(v)) {
		vma_set_prot_locked(v, prot);
		if (prot & VM_PROT_WRITE && v->flags & VMA_IMAGE)
			v->flags |= VMA_WRITTEN;
	}
	return 0;
}

int vm_protect(uint64_t addr, uint64_t bytes, unsigned prot)
{
	struct vma *dead = NULL;
	uint64_t end;
	int err, change_err = 0;

	if (!vm_check_range(addr, &bytes) ||
		prot & ~(unsigned)(VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC))
		return -EINVAL;
	spin_lock(&vm.lock);
	err = find_protect_stop_locked(addr, addr + bytes, prot, &end);
	if (addr < end)
		change_err = change_prot_locked(addr, end, prot);
	/* At the limit the first of two splits stays, as on Linux. */
	if (!change_err || vm.count < VM_MAPPINGS_MAX)
		vma_merge_locked(addr, end, &dead);
	DASSERT(vm.count > 64 || vma_tree_is_sane_locked());
	spin_unlock(&vm.lock);
	vma_bury(dead);
	if (!change_err && addr < end)
		vm_apply_prot(addr, end);
	return change_err ? change_err : err;
}

/* ------------------------------------------------------------------ contents */
/* Whether v's pages may be dropped; *has_pages: whether there are any to drop. */
static bool can_discard(const struct vma *v, bool own_only, bool *has_pages)
{
	bool own = !v->object && !(v->flags & VMA_IMAGE);

	*has_pages = !(v->flags & VMA_IMAGE); /* the image's are as the file has them */
	if (v->flags & (VM_KERNEL | VM_LOCKED | VMA_WRITTEN))
		return false;
	return own || !own_only;
}

/* One step of vm_discard at *at: a batch of pages, a mapping without any, or a hole. */
static int discard_step_locked(uint64_t *at, uint64_t end, bool own_only, bool *hole)
{
	struct vma *v = vma_find_locked(*at);
	bool has_pages;

	if (!v || v->start > *at) {
		*hole = true;
		*at = v ? MIN(v->start, end) : end;
		return 0;
	}
	if (!can_discard(v, own_only, &has_pages))
		return -EINVAL;
	end = MIN(v->end, end);
	*at = has_pages ? vm_drop_batch_locked(*at, end) : end;
	return 0;
}

int vm_discard(uint64_t addr, uint64_t bytes, bool own_only)
{
	uint64_t end;
	bool hole = false;
	int err = 0;

	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	end = addr + bytes;
	while (addr < end && !err) {
		spin_lock(&vm.lock);
		err = discard_step_locked(&addr, end, own_only, &hole);
		spin_unlock(&vm.lock);
		if (addr < end)
			sched_relax();
	}
	return err ? err : hole ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------ advice */
int vm_advise(uint64_t addr, uint64_t bytes, unsigned set, unsigned clear)
{
	struct vma *v, *dead = NULL;
	uint64_t end;
	int err;

	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	end = addr + bytes;
	if (addr == end)
		return 0;
	spin_lock(&vm.lock);
	err = vma_split_locked(addr, end);
	if (!err) {
		err = vm_is_covered_locked(addr, end) ? 0 : -ENOMEM;
		for (v = vma_find_locked(addr); v && v->start < end; v = vma_next_locked(v))
			if (!(v->flags & VM_KERNEL))
				v->flags = (v->flags & ~clear) | set;
	}
	if (!err || vm.count < VM_MAPPINGS_MAX)
		vma_merge_locked(addr, end, &dead);
	spin_unlock(&vm.lock);
	vma_bury(dead);
	return err;
}

void vm_set_future(unsigned flags, bool fill)
{
	spin_lock(&vm.lock);
	vm.future_flags = flags & VM_LOCKED;
	vm.fills_future = fill;
	spin_unlock(&vm.lock);
}

unsigned vm_get_future(void)
{
	unsigned flags;

	spin_lock(&vm.lock);
	flags = vm.future_flags;
	spin_unlock(&vm.lock);
	return flags;
}

bool vm_has_flags(uint64_t addr, unsigned flags)
{
	struct vma *v;
	bool has;

	spin_lock(&vm.lock);
	v = vma_at_locked(addr);
	has = v && (v->flags & flags) == flags;
	spin_unlock(&vm.lock);
	return has;
}
