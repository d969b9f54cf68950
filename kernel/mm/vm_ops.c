/*
 * vm_ops.c: changes to mappings that exist: protection, contents, size and place.
 *
 * What:       the calls behind mprotect, madvise, mremap and mincore. Protection changes
 *             the mappings first and then the pages in batches; until it returns, a page may still
 *             have the old rights, and a fault in between is judged by the new ones.
 * Invariants: vm.c's, vm_tree.c's and vm_pages.c's; none of its own.
 * Locking:    vm.lock inside. Callers hold no lock: windows.
 * Failure:    as in vm.h; checked before anything changes, save where vm.h says otherwise.
 * Source:     mprotect(2), madvise(2), mremap(2), mincore(2).
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/sched.h"

/* ------------------------------------------------------------------ protection */
static int check_protect_locked(uint64_t start, uint64_t end, unsigned prot)
{
	if (!vm_is_covered_locked(start, end))
		return -ENOMEM;
	for (struct vma *v = vma_find_locked(start); v && v->start < end; v = vma_next_locked(v)) {
		uint64_t bytes = MIN(v->end, end) - MAX(v->start, start);
		bool more = prot & ~v->prot & VM_PROT_WRITE;

		if (v->flags & VM_KERNEL)
			return -EINVAL;
		if (prot & VM_PROT_WRITE && v->flags & VM_NEVER_WRITE)
			return -EACCES;
		if (more && !v->object && vm_is_impossible(bytes))
			return -ENOMEM;
	}
	return 0;
}

int vm_protect(uint64_t addr, uint64_t bytes, unsigned prot)
{
	uint64_t end;
	struct vma *v, *dead = NULL;
	int err;

	if (!vm_check_range(addr, &bytes) ||
		prot & ~(unsigned)(VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC))
		return -EINVAL;
	if (bytes == 0)
		return 0;
	end = addr + bytes;
	spin_lock(&vm.lock);
	err = check_protect_locked(addr, end, prot);
	if (!err)
		err = vma_split_locked(addr, end);
	if (!err)
		for (v = vma_find_locked(addr); v && v->start < end; v = vma_next_locked(v))
			v->prot = prot;
	vma_merge_locked(addr, end, &dead);
	DASSERT(vm.count > 64 || vma_tree_is_sane_locked());
	spin_unlock(&vm.lock);
	vma_bury(dead);
	if (!err)
		vm_apply_prot(addr, end);
	return err;
}

/* ------------------------------------------------------------------ contents */
int vm_discard(uint64_t addr, uint64_t bytes)
{
	uint64_t at = addr, end;
	bool covered;

	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	end = addr + bytes;
	do {
		spin_lock(&vm.lock);
		if (vm_has_kernel_locked(at, end)) {
			spin_unlock(&vm.lock);
			return -EINVAL;
		}
		covered = vm_is_covered_locked(addr, end);
		at = vm_drop_batch_locked(at, end);
		spin_unlock(&vm.lock);
		if (at < end)
			sched_relax();
	} while (at < end);
	return covered ? 0 : -ENOMEM;
}

int vm_resident(uint64_t addr, uint64_t bytes, uint8_t *resident)
{
	uint64_t va, end;
	bool covered;

	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	for (uint64_t i = 0; i < bytes / PAGE_SIZE; i++)
		resident[i] = 0;
	end = addr + bytes;
	spin_lock(&vm.lock);
	covered = vm_is_covered_locked(addr, end);
	/* Image pages too: they are present. */
	for (va = paging_next_present(addr, end); covered && va < end;
		va = paging_next_present(va + PAGE_SIZE, end))
		resident[(va - addr) / PAGE_SIZE] = 1;
	spin_unlock(&vm.lock);
	return covered ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ size and place */
struct remap {
	uint64_t old, old_bytes, new_bytes, fixed;
	bool may_move;
};

/* The old range must lie in one mapping that may be changed. */
static int check_remap_locked(const struct remap *m, struct vma **out)
{
	struct vma *v = *out = vma_at_locked(m->old);

	if (!v || m->old_bytes > v->end - m->old)
		return -EFAULT;
	if (v->flags & VM_KERNEL)
		return -EINVAL;
	if (m->new_bytes > m->old_bytes && v->prot & VM_PROT_WRITE && !v->object &&
		vm_is_impossible(m->new_bytes))
		return -ENOMEM;
	return 0;
}

/* Grows in place when the space above is free. */
static bool grow_locked(const struct remap *m, struct vma *v, struct vma **dead)
{
	struct vma *next = vma_next_locked(v);
	uint64_t end = m->old + m->new_bytes;

	if (m->old + m->old_bytes != v->end || end > VM_HIGHEST || (next && next->start < end))
		return false;
	vma_grow_locked(v, end);
	vma_merge_locked(m->old, end, dead);
	return true;
}

/* Moves to [to, to + new_bytes), which is free; node is for the new mapping. */
static int move_locked(const struct remap *m, uint64_t to, struct vma *node, struct vma **dead)
{
	uint64_t end = m->old + m->old_bytes;
	struct vma *v;
	int err = vma_split_locked(m->old, end);

	/* A longer old range than new was shortened before. */
	if (!err)
		err = vm_move_pages_locked(m->old, m->old_bytes, to);
	if (err) {
		vma_merge_locked(m->old, end, dead);
		return err;
	}
	v = vma_at_locked(m->old);
	*node = *v; /* the object's reference is carried over */
	node->start = to;
	node->end = to + m->new_bytes;
	v->object = NULL;
	vma_take_locked(v, dead);
	vma_add_locked(node, dead);
	vm_prune_locked(m->old, end);
	return 0;
}

/* Grows here or moves anywhere. */
static int remap_anywhere(const struct remap *m, uint64_t *addr)
{
	struct vma *v, *dead = NULL, *node = kmem_alloc(sizeof(*node));
	bool moved = false;
	int err;

	if (!node)
		return -ENOMEM;
	spin_lock(&vm.lock);
	err = check_remap_locked(m, &v);
	*addr = m->old;
	if (!err && !grow_locked(m, v, &dead)) {
		err = -ENOMEM;
		if (m->may_move && vm.count < VM_MAPPINGS_MAX) /* adds one, then takes one */
			err = vm_choose_locked(0, m->new_bytes, addr);
		if (!err)
			err = move_locked(m, *addr, node, &dead);
		moved = !err;
	}
	spin_unlock(&vm.lock);
	vma_bury(dead);
	if (!moved)
		kmem_free(node);
	return err;
}

static int remap_fixed(const struct remap *m, uint64_t *addr)
{
	struct vma *v, *dead = NULL, *node = kmem_alloc(sizeof(*node));
	int err;

	if (!node)
		return -ENOMEM;
	err = vm_clear_range_lock(m->fixed, m->fixed + m->new_bytes, true, &dead);
	if (!err) {
		err = check_remap_locked(m, &v);
		if (!err)
			err = move_locked(m, m->fixed, node, &dead);
		spin_unlock(&vm.lock);
	}
	vma_bury(dead);
	if (err)
		kmem_free(node);
	*addr = m->fixed;
	return err;
}

static int check_remap(const struct remap *m)
{
	struct vma *v;
	int err;

	spin_lock(&vm.lock);
	err = check_remap_locked(m, &v);
	if (!err && m->fixed && m->fixed <= VM_HIGHEST &&
		vm_has_kernel_locked(m->fixed, m->fixed + m->new_bytes))
		err = -EINVAL;
	spin_unlock(&vm.lock);
	if (err || m->fixed == 0)
		return err;
	if (m->fixed < VM_LOWEST)
		return -EPERM;
	if (m->fixed > VM_HIGHEST || m->new_bytes > VM_HIGHEST - m->fixed)
		return -EINVAL;
	if (m->fixed < m->old + m->old_bytes && m->old < m->fixed + m->new_bytes)
		return -EINVAL; /* overlap */
	return 0;
}

int vm_remap(uint64_t old, uint64_t old_bytes, uint64_t new_bytes, bool may_move, uint64_t fixed,
	uint64_t *addr)
{
	struct remap m = { old, old_bytes, new_bytes, fixed, may_move };
	int err;

	if (old_bytes == 0 || new_bytes == 0 || new_bytes > ARCH_USER_END ||
		!vm_check_range(old, &m.old_bytes))
		return -EINVAL;
	m.new_bytes = ROUND_UP(new_bytes, PAGE_SIZE);
	if (fixed && (!may_move || fixed & PAGE_MASK))
		return -EINVAL;
	err = check_remap(&m);
	if (err)
		return err;
	if (m.new_bytes < m.old_bytes) {
		err = vm_unmap(old + m.new_bytes, m.old_bytes - m.new_bytes);
		if (err)
			return err;
		m.old_bytes = m.new_bytes;
	}
	*addr = old;
	if (fixed)
		return remap_fixed(&m, addr);
	return m.new_bytes == m.old_bytes ? 0 : remap_anywhere(&m, addr);
}
