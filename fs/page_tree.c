/*
 * page_tree.c: page index -> frame.
 *
 * What:       nodes of 64 slots; height h covers 64^h pages. A file of one page needs no node.
 * Invariants: (1) a slot is 0 or, at height 1, a frame, above it a node. (2) pages counts frames.
 * Locking:    the owner's.
 * Failure:    -ENOMEM leaves the tree as it was, possibly higher.
 * Source:     Linux's radix tree, without tags.
 */
#include "fs/page_tree.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"

#define NODE_BITS 6u
#define NODE_SLOTS (1u << NODE_BITS)

struct page_node {
	uint64_t slots[NODE_SLOTS]; /* (1) */
};

static struct page_node *node_at(uint64_t slot)
{
	return (struct page_node *)(uintptr_t)slot;
}

static bool covers(unsigned height, uint64_t index)
{
	unsigned bits = height * NODE_BITS;

	return bits >= 64 || index >> bits == 0;
}

static unsigned slot_index(unsigned height, uint64_t index)
{
	return (index >> ((height - 1) * NODE_BITS)) & (NODE_SLOTS - 1);
}

static const uint64_t *find(const struct page_tree *t, uint64_t index)
{
	const uint64_t *slot = &t->root;

	if (!covers(t->height, index))
		return NULL;
	for (unsigned h = t->height; h > 0 && *slot; h--)
		slot = &node_at(*slot)->slots[slot_index(h, index)];
	return *slot ? slot : NULL;
}

pfn_t page_tree_get(const struct page_tree *t, uint64_t index)
{
	const uint64_t *slot = find(t, index);

	return slot ? *slot : PFN_NONE;
}

static int grow(struct page_tree *t, uint64_t index)
{
	while (!covers(t->height, index)) {
		struct page_node *n;

		if (t->root) {
			n = kmem_zalloc(sizeof(*n));
			if (!n)
				return -ENOMEM;
			n->slots[0] = t->root;
			t->root = (uintptr_t)n;
		}
		t->height++;
	}
	return 0;
}

int page_tree_set(struct page_tree *t, uint64_t index, pfn_t pfn)
{
	uint64_t *slot = &t->root;
	int r = grow(t, index);

	if (r < 0)
		return r;
	for (unsigned h = t->height; h > 0; h--) {
		if (!*slot)
			*slot = (uintptr_t)kmem_zalloc(sizeof(struct page_node));
		if (!*slot)
			return -ENOMEM;
		slot = &node_at(*slot)->slots[slot_index(h, index)];
	}
	ASSERT(*slot == PFN_NONE);
	*slot = pfn;
	t->pages++;
	return 0;
}

pfn_t page_tree_take(struct page_tree *t, uint64_t index)
{
	/* The tree is ours to change; find only looks. */
	uint64_t *slot = (uint64_t *)(uintptr_t)find(t, index);
	pfn_t pfn = PFN_NONE;

	if (slot) {
		pfn = *slot;
		*slot = PFN_NONE;
		t->pages--;
	}
	return pfn;
}

static uint64_t next_below(uint64_t slot, unsigned height, uint64_t base, uint64_t from)
{
	uint64_t step;

	if (!slot)
		return UINT64_MAX;
	if (height == 0)
		return base;
	step = 1ull << ((height - 1) * NODE_BITS);
	for (unsigned i = 0; i < NODE_SLOTS; i++) {
		uint64_t start = base + i * step, found;

		if (from > start && from - start >= step)
			continue;
		found = next_below(node_at(slot)->slots[i], height - 1, start, from);
		if (found != UINT64_MAX)
			return found;
	}
	return UINT64_MAX;
}

uint64_t page_tree_next(const struct page_tree *t, uint64_t from)
{
	if (!covers(t->height, from))
		return UINT64_MAX;
	return next_below(t->root, t->height, 0, from);
}

static void clear_below(uint64_t slot, unsigned height)
{
	if (!slot)
		return;
	if (height == 0) {
		pmm_put(slot);
		return;
	}
	for (unsigned i = 0; i < NODE_SLOTS; i++)
		clear_below(node_at(slot)->slots[i], height - 1);
	kmem_free(node_at(slot));
}

void page_tree_clear(struct page_tree *t)
{
	clear_below(t->root, t->height);
	*t = (struct page_tree){ 0 };
}
