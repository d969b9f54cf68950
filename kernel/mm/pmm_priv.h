/*
 * pmm_priv.h: between the allocator of blocks (pmm.c), the caches of single frames
 * (pmm_single.c) and what counts them (pmm_count.c).
 */
#pragma once

#include "kernel/mm/pmm.h"

#define PMM_CACHED 0xffu /* a frame's owner while it lies in a cache */
#define PMM_BATCH_ORDER 4u
#define PMM_BATCH (1u << PMM_BATCH_ORDER) /* frames that move between a cache and the lists */

/* Up to PMM_BATCH free frames, now PMM_CACHED; together: side by side, if that can be had. */
uint32_t pmm_fill(uint32_t *frames, bool together) must_check;
void pmm_spill(const uint32_t *frames, uint32_t n);

pfn_t pmm_end(void); /* first frame number behind the table */
bool pmm_is_ready(pfn_t pfn); /* of a frame below pmm_end: whether its chunk's are written */

pfn_t pmm_single_take(enum pmm_owner owner) must_check;
void pmm_single_give(pfn_t pfn);
uint64_t pmm_single_count(void); /* frames in all caches; a moment's view */
