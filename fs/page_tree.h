/*
 * page_tree.h: page index -> frame, for sparse files: a radix tree as high as it needs to be.
 *
 * Holds one reference of each frame it contains. No lock of its own: the owner's guards it.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

struct page_tree {
	uint64_t root; /* height 0: the frame of page 0; else a struct page_node's address */
	unsigned height;
	uint64_t pages; /* frames held */
};

pfn_t page_tree_get(const struct page_tree *t, uint64_t index); /* PFN_NONE: hole */
/* There must be a hole at index. -ENOMEM. */
int page_tree_set(struct page_tree *t, uint64_t index, pfn_t pfn) must_check;
/* Removes one page and hands its reference to the caller; PFN_NONE. */
pfn_t page_tree_take(struct page_tree *t, uint64_t index);
/* First index >= from that has a page; UINT64_MAX: none. */
uint64_t page_tree_next(const struct page_tree *t, uint64_t from);
/* Puts all pages and frees the nodes. */
void page_tree_clear(struct page_tree *t);
