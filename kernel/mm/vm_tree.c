/*
 * vm_tree.c: the mappings in order: a red-black tree that knows its holes.
 *
 * What:       every node carries the start, the end and the longest hole of its subtree, so the
 *             mapping of an address and a free range of a size are both found in O(log n).
 *             Adjacent mappings that could be one are one (Linux merges, and Go relies on it: its
 *             heap grows by thousands of small maps).
 * Invariants: (1) mappings are page-aligned, not empty, inside [VM_LOWEST, VM_HIGHEST), disjoint.
 *             (2) the tree_ fields of every node follow from its own range and its children's.
 *             (3) vm.last_found is NULL or in the tree.
 *             (4) a 2 MiB page lies in one mapping.
 *             (5) an object's writers are the mappings in the tree that are shared and may write.
 * Locking:    vm.lock held by the caller, save vma_bury, which needs no lock held: put may sleep.
 * Failure:    -ENOMEM from a split, or when there would be more than VM_MAPPINGS_MAX.
 * Source:     the augmentation is Cormen et al., 14.2; the macros are the BSDs'.
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"

/* What lies above VM_CHOSEN_END has no holes: all of it is as if it were there. */
static uint64_t low(uint64_t addr)
{
	return MIN(addr, VM_CHOSEN_END);
}

static void update_node(struct vma *v)
{
	struct vma *l = RB_LEFT(v, node), *r = RB_RIGHT(v, node);
	uint64_t hole = 0;

	v->tree_start = low(v->start);
	v->tree_end = low(v->end);
	if (l) {
		hole = MAX(l->tree_hole_bytes, low(v->start) - l->tree_end);
		v->tree_start = l->tree_start;
	}
	if (r) {
		hole = MAX(hole, MAX(r->tree_hole_bytes, r->tree_start - low(v->end)));
		v->tree_end = r->tree_end;
	}
	v->tree_hole_bytes = hole;
}

static int compare(const struct vma *a, const struct vma *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

/* The macros update a node after a rotation; everything on the way to the root is ours. */
#undef RB_AUGMENT
#define RB_AUGMENT(v) update_node(v)
RB_PROTOTYPE_INTERNAL(vma_tree, vma, node, compare, static unused_arg)
RB_GENERATE_INTERNAL(vma_tree, vma, node, compare, static unused_arg)

static void update_path(struct vma *v)
{
	for (; v; v = RB_PARENT(v, node))
		update_node(v);
}

static void count_writer(const struct vma *v, uint32_t by)
{
	if (v->object && (v->flags & (VM_SHARED | VM_NEVER_WRITE)) == VM_SHARED)
		v->object->writers += by;
}

/* v has so many bytes more, or fewer (two's complement). */
static void count_bytes(const struct vma *v, uint64_t by)
{
	vm.reserved_bytes += by;
	if (vm_is_data(v->prot, v->flags))
		vm.data_bytes += by;
}

static void insert_node(struct vma *v)
{
	struct vma *clash;

	/* A leaf by its own until rotations give it children. */
	v->tree_start = low(v->start);
	v->tree_end = low(v->end);
	v->tree_hole_bytes = 0;
	clash = RB_INSERT(vma_tree, &vm.tree, v);
	ASSERT(!clash);
	update_path(v);
	vm.count++;
	count_bytes(v, v->end - v->start);
	count_writer(v, 1); /* (5) */
}

static void remove_node(struct vma *v)
{
	struct vma *deepest = RB_PARENT(v, node);

	/* With two children the successor takes its place, and its old parent loses a child. */
	if (RB_LEFT(v, node) && RB_RIGHT(v, node)) {
		struct vma *successor = RB_NEXT(vma_tree, &vm.tree, v);

		deepest = RB_PARENT(successor, node);
		if (deepest == v)
			deepest = successor;
	}
	RB_REMOVE(vma_tree, &vm.tree, v);
	update_path(deepest);
	vm.count--;
	count_bytes(v, v->start - v->end);
	count_writer(v, -1u);
	vm.last_found = NULL; /* (3) */
}

static void resize_node(struct vma *v, uint64_t end)
{
	count_bytes(v, end - v->end);
	v->end = end;
	update_path(v);
}

static void bury_later(struct vma *v, struct vma **dead)
{
	v->next_dead = *dead;
	*dead = v;
}

/* ------------------------------------------------------------------ look-up */
struct vma *vma_find_locked(uint64_t addr)
{
	struct vma *v = vm.last_found, *best = NULL;

	lock_assert_held(&vm.lock);
	if (v && addr >= v->start && addr < v->end)
		return v;
	for (v = RB_ROOT(&vm.tree); v;) {
		if (v->end > addr) {
			best = v;
			if (v->start <= addr)
				break;
			v = RB_LEFT(v, node);
		} else {
			v = RB_RIGHT(v, node);
		}
	}
	if (best)
		vm.last_found = best;
	return best;
}

struct vma *vma_at_locked(uint64_t addr)
{
	struct vma *v = vma_find_locked(addr);

	return v && v->start <= addr ? v : NULL;
}

struct vma *vma_next_locked(struct vma *v)
{
	return RB_NEXT(vma_tree, &vm.tree, v);
}

struct vma *vma_before_locked(struct vma *v)
{
	return v ? RB_PREV(vma_tree, &vm.tree, v) : RB_MAX(vma_tree, &vm.tree);
}

uint64_t vma_find_hole_locked(uint64_t bytes)
{
	struct vma *v = RB_ROOT(&vm.tree), *l, *r;

	lock_assert_held(&vm.lock);
	if (bytes > VM_CHOSEN_END - VM_LOWEST)
		return 0;
	if (!v || VM_CHOSEN_END - v->tree_end >= bytes)
		return VM_CHOSEN_END - bytes;
	if (v->tree_hole_bytes < bytes)
		return v->tree_start - VM_LOWEST >= bytes ? v->tree_start - bytes : 0;
	for (;;) { /* the subtree of v has such a hole (2); take the highest */
		l = RB_LEFT(v, node);
		r = RB_RIGHT(v, node);
		if (r && r->tree_hole_bytes >= bytes) {
			v = r;
			continue;
		}
		if (r && r->tree_start - low(v->end) >= bytes)
			return r->tree_start - bytes;
		ASSERT(l);
		if (low(v->start) - l->tree_end >= bytes)
			return low(v->start) - bytes;
		v = l;
	}
}

uint64_t vma_find_low_hole_locked(uint64_t bytes, uint64_t from, uint64_t end)
{
	struct vma *v = vma_find_locked(from);

	for (; from + bytes <= end; v = vma_next_locked(v)) {
		if (!v || v->start >= from + bytes)
			return from;
		from = v->end;
	}
	return 0;
}

/* ------------------------------------------------------------------ changes */
static bool can_merge(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
		a->object == b->object &&
		(!a->object || a->offset_bytes + (a->end - a->start) == b->offset_bytes);
}

/* Merges v with the next mapping if that is possible. */
static bool merge_next(struct vma *v, struct vma **dead)
{
	struct vma *next = vma_next_locked(v);
	uint64_t end;

	if (!next || !can_merge(v, next))
		return false;
	end = next->end;
	vma_take_locked(next, dead);
	resize_node(v, end);
	return true;
}

void vma_add_locked(struct vma *v, struct vma **dead)
{
	struct vma *next = vma_find_locked(v->start);
	struct vma *prev = vma_before_locked(next);

	ASSERT(v->start >= VM_LOWEST && v->start < v->end && v->end <= VM_HIGHEST); /* (1) */
	ASSERT(!next || next->start >= v->end);
	if (prev && can_merge(prev, v)) {
		resize_node(prev, v->end);
		bury_later(v, dead);
		v = prev;
	} else {
		insert_node(v);
	}
	(void)merge_next(v, dead);
}

void vma_take_locked(struct vma *v, struct vma **dead)
{
	lock_assert_held(&vm.lock);
	remove_node(v);
	bury_later(v, dead);
}

void vma_grow_locked(struct vma *v, uint64_t end)
{
	struct vma *next = vma_next_locked(v);

	lock_assert_held(&vm.lock);
	ASSERT(end > v->end && end <= VM_HIGHEST);
	ASSERT(!next || next->start >= end);
	resize_node(v, end);
}

void vma_grow_down_locked(struct vma *v, uint64_t start)
{
	struct vma *prev = vma_before_locked(v);

	lock_assert_held(&vm.lock);
	ASSERT(start < v->start && start >= VM_LOWEST && !v->object);
	ASSERT(!prev || prev->end <= start); /* so that the order stays */
	count_bytes(v, v->start - start);
	v->start = start;
	update_path(v);
}

void vma_set_prot_locked(struct vma *v, unsigned prot)
{
	lock_assert_held(&vm.lock);
	count_bytes(v, v->start - v->end);
	v->prot = prot;
	count_bytes(v, v->end - v->start);
}

static int split_at(uint64_t addr)
{
	struct vma *v = vma_at_locked(addr), *upper;

	if (!v || v->start == addr)
		return 0;
	vm_split_huge_locked(addr); /* (4) */
	if (vm.count >= VM_MAPPINGS_MAX)
		return -ENOMEM;
	upper = kmem_alloc(sizeof(*upper));
	if (!upper)
		return -ENOMEM;
	*upper = *v;
	upper->start = addr;
	if (v->object) {
		upper->offset_bytes += addr - v->start;
		v->object->ops->get(v->object);
	}
	resize_node(v, addr);
	insert_node(upper);
	return 0;
}

int vma_split_locked(uint64_t start, uint64_t end)
{
	int err;

	lock_assert_held(&vm.lock);
	err = split_at(start);
	return err ? err : split_at(end);
}

void vma_merge_locked(uint64_t start, uint64_t end, struct vma **dead)
{
	struct vma *v = vma_find_locked(start), *prev;

	if (!v)
		return;
	prev = vma_before_locked(v);
	if (prev)
		v = prev;
	while (v && v->start <= end)
		if (!merge_next(v, dead))
			v = vma_next_locked(v);
}

void vma_bury(struct vma *dead)
{
	lock_assert_none();
	while (dead) {
		struct vma *v = dead;

		dead = v->next_dead;
		if (v->object)
			v->object->ops->put(v->object);
		kmem_free(v);
	}
}

/* ------------------------------------------------------------------ self-check */
static bool is_node_sane(struct vma *v, uint64_t floor)
{
	uint64_t start = v->tree_start, end = v->tree_end, hole = v->tree_hole_bytes;

	update_node(v);
	return v->tree_start == start && v->tree_end == end && v->tree_hole_bytes == hole &&
		v->start >= floor && v->start < v->end && v->end <= VM_HIGHEST &&
		((v->start | v->end | v->offset_bytes) & PAGE_MASK) == 0;
}

bool vma_tree_is_sane_locked(void)
{
	uint64_t floor = VM_LOWEST, count = 0, bytes = 0, data_bytes = 0;
	struct vma *v;

	lock_assert_held(&vm.lock);
	RB_FOREACH(v, vma_tree, &vm.tree) {
		if (!is_node_sane(v, floor))
			return false;
		floor = v->end;
		count++;
		bytes += v->end - v->start;
		data_bytes += vm_is_data(v->prot, v->flags) ? v->end - v->start : 0;
	}
	return count == vm.count && bytes == vm.reserved_bytes && data_bytes == vm.data_bytes;
}
