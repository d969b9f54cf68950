/*
 * vm_remap.c: changes of a mapping's size and place.
 *
 * What:       mremap. Whole page tables change hands where old and new address lie alike within
 *             2 MiB, and a new place is chosen so that they do: a gigabyte moves by 512 exchanges.
 * Invariants: vm.c's, vm_tree.c's and vm_pages.c's; none of its own.
 * Locking:    vm.lock inside. Callers hold no lock: windows.
 * Failure:    as in vm.h; checked before anything changes, save that what lies at a fixed new place
 *             may be gone when memory runs out.
 * Source:     mremap(2); Linux 6.18, by running there.
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"

struct remap {
	uint64_t old, old_bytes, new_bytes, fixed;
	bool may_move, keeps_old;
	bool is_copy; /* old size 0: a second mapping of the same pages */
};

/* Stays where it is, and gets no longer: whatever lies behind its start. */
static bool stays(const struct remap *m)
{
	return !m->fixed && !m->keeps_old && m->new_bytes <= m->old_bytes;
}

/* How much more there will be. */
static uint64_t more_bytes(const struct remap *m)
{
	if (m->is_copy || m->keeps_old)
		return m->new_bytes;
	return m->new_bytes > m->old_bytes ? m->new_bytes - m->old_bytes : 0;
}

/* The old range must lie in one mapping that may be changed. */
static int check_remap_locked(const struct remap *m, struct vma **out)
{
	struct vma *v = *out = vma_at_locked(m->old);

	if (!v)
		return -EFAULT;
	if (v->flags & (VM_KERNEL | VMA_IMAGE))
		return -EINVAL;
	if (m->is_copy && !(v->object && v->flags & VM_SHARED))
		return -EINVAL;
	if (m->old_bytes > v->end - m->old)
		return stays(m) ? 0 : -EFAULT;
	if (m->new_bytes > m->old_bytes && v->prot & VM_PROT_WRITE && !v->object &&
		!(v->flags & VM_UNCOUNTED) && vm_is_impossible(m->new_bytes))
		return -ENOMEM;
	return vm_may_add_locked(more_bytes(m), vm_is_data(v->prot, v->flags)) ? 0 : -ENOMEM;
}

/* Grows in place when the space above is free. */
static bool grow_locked(const struct remap *m, struct vma *v, struct vma **dead)
{
	uint64_t end = m->old + m->new_bytes;
	struct vma *next;

	if (m->is_copy || m->keeps_old || m->old + m->old_bytes != v->end || end > VM_HIGHEST)
		return false;
	next = vma_next_locked(v);
	if (next && next->start < end)
		return false;
	vma_grow_locked(v, end);
	vma_merge_locked(m->old, end, dead);
	return true;
}

/* node becomes the mapping at to: as v, from m->old on. */
static void init_node(const struct remap *m, uint64_t to, const struct vma *v, struct vma *node)
{
	*node = *v;
	node->start = to;
	node->end = to + m->new_bytes;
	if (!v->object)
		return;
	node->offset_bytes += m->old - v->start;
	v->object->ops->get(v->object);
}

/* Moves to [to, to + new_bytes), which is free; node is for the new mapping. */
static int move_locked(const struct remap *m, uint64_t to, struct vma *node, struct vma **dead)
{
	uint64_t end = m->old + m->old_bytes;
	struct vma *v;
	int err = 0;

	if (!m->is_copy && !m->keeps_old)
		err = vma_split_locked(m->old, end);
	/* A longer old range than new was shortened before. */
	if (!err && !m->is_copy)
		err = vm_move_pages_locked(m->old, m->old_bytes, to);
	if (err) {
		vma_merge_locked(m->old, end, dead);
		return err;
	}
	v = vma_at_locked(m->old);
	init_node(m, to, v, node);
	if (!m->is_copy && !m->keeps_old)
		vma_take_locked(v, dead);
	vma_add_locked(node, dead);
	if (!m->is_copy)
		vm_prune_locked(m->old, end);
	return 0;
}

/* A new place, at the same offset within 2 MiB as the old one where that may help. */
static int choose_locked(const struct remap *m, uint64_t *addr)
{
	uint64_t alike = m->old & (HUGE_PAGE_SIZE - 1), hole = 0;

	if (vm.count >= VM_MAPPINGS_MAX) /* adds one, then takes one */
		return -ENOMEM;
	if (m->old_bytes >= HUGE_PAGE_SIZE)
		hole = vma_find_hole_locked(m->new_bytes + HUGE_PAGE_SIZE - PAGE_SIZE);
	if (!hole)
		return vm_choose_locked(0, m->new_bytes, addr);
	*addr = ROUND_DOWN(hole, HUGE_PAGE_SIZE) + alike;
	if (*addr < hole)
		*addr += HUGE_PAGE_SIZE;
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
		err = m->may_move ? choose_locked(m, addr) : -ENOMEM;
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
		vm_has_image_locked(m->fixed, m->fixed + m->new_bytes))
		err = -EINVAL;
	spin_unlock(&vm.lock);
	if (err || m->fixed == 0)
		return err;
	if (m->fixed < VM_LOWEST)
		return -EPERM;
	if (m->fixed > VM_HIGHEST || m->new_bytes > VM_HIGHEST - m->fixed)
		return -EINVAL;
	if (m->fixed < m->old + MAX(m->old_bytes, PAGE_SIZE) && m->old < m->fixed + m->new_bytes)
		return -EINVAL; /* overlap */
	return 0;
}

/* Checks the arguments by themselves. */
static int decode(struct remap *m, unsigned how)
{
	uint64_t new_bytes = m->new_bytes;

	m->may_move = how & VM_REMAP_MAY_MOVE;
	m->keeps_old = how & VM_REMAP_KEEP_OLD;
	m->is_copy = m->old_bytes == 0;
	if (new_bytes == 0 || new_bytes > ARCH_USER_END || !vm_check_range(m->old, &m->old_bytes))
		return -EINVAL;
	m->new_bytes = ROUND_UP(new_bytes, PAGE_SIZE);
	if (m->fixed && (!m->may_move || m->fixed & PAGE_MASK))
		return -EINVAL;
	if (m->keeps_old && (!m->may_move || m->old_bytes != m->new_bytes))
		return -EINVAL;
	return 0;
}

int vm_remap(uint64_t old, uint64_t old_bytes, uint64_t new_bytes, unsigned how, uint64_t fixed,
	uint64_t *addr)
{
	struct remap m = {
		.old = old, .old_bytes = old_bytes, .new_bytes = new_bytes, .fixed = fixed
	};
	int err = decode(&m, how);

	if (!err)
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
	return m.new_bytes == m.old_bytes && !m.keeps_old ? 0 : remap_anywhere(&m, addr);
}
