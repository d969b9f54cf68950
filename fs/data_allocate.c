/*
 * data_allocate.c: pages of files that are made before anybody writes to them.
 *
 * What:       counts what is wanting, and makes it if memory has room for all of it.
 * Invariants: none; data.c's.
 * Locking:    inode.lock; the caller holds write_mutex.
 * Failure:    -ENOSPC before anything is made; or midway, when others took the room meanwhile.
 * Source:     fallocate(2).
 */
#include "base/errno.h"
#include "base/units.h"
#include "fs/tree_priv.h"
#include "kernel/mm/pmm.h"
#include "kernel/sched/sched.h"

#define RELAX_PAGES 256u /* between two looks at the scheduler */

/* How many of the pages [first, last) the file has. */
static uint64_t count_pages(struct inode *i, uint64_t first, uint64_t last)
{
	uint64_t count = 0;

	for (;;) {
		spin_lock(&i->lock);
		first = page_tree_next(&i->data.pages, first);
		spin_unlock(&i->lock);
		if (first >= last)
			return count;
		first++;
		if (++count % RELAX_PAGES == 0)
			sched_relax();
	}
}

/* Whether memory has room for what is not there yet of [first, last): who asks for too much gets
 * nothing, and takes nothing from others meanwhile. */
static bool has_room(struct inode *i, uint64_t first, uint64_t last)
{
	uint64_t room = vfs_room_pages(), have;

	if (last - first <= room)
		return true;
	spin_lock(&i->lock);
	have = i->data.pages.pages;
	spin_unlock(&i->lock);
	return last - first - MIN(have, last - first) <= room &&
		last - first - count_pages(i, first, last) <= room;
}

int data_make_pages(struct inode *i, uint64_t first, uint64_t last)
{
	int r = has_room(i, first, last) ? 0 : -ENOSPC;

	for (uint64_t p = first; r == 0 && p < last; p++) {
		pfn_t pfn;

		r = data_get_own_page(i, p, &pfn);
		if (r == 0)
			pmm_put(pfn);
		if (p % RELAX_PAGES == 0)
			sched_relax();
	}
	return r;
}
