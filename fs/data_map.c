/*
 * data_map.c: regular files as sources of pages for mappings.
 *
 * What:       a mapping gets the file's own frames, those that read and write use. As long as no
 *             mapping could tell, pages that are still in the archive are mapped where they lie in
 *             the image, so that a large file costs no memory.
 *               UNMAPPED -> PRIVATE, SHARED [data_note_mapping]   SHARED -> OWN [data_note_writer]
 *               PRIVATE, SHARED -> OWN [data_note_mapping of the other kind]
 * Invariants: (1) with shared mappings of archive frames nobody can write to the file. (2) no page
 *             is given to a mapping while a hole is made where it lies.
 * Locking:    inode.lock; mappings are changed without it; write_mutex to wait for a hole.
 * Failure:    -EFAULT beyond the end, -ENOSPC (both SIGBUS), -ENOMEM.
 * Source:     mmap(2).
 */
#include "fs/data.h"

#include "base/errno.h"
#include "base/units.h"
#include "fs/tree_priv.h"
#include "kernel/mm/pmm.h"

static struct inode *inode_of(struct vm_object *o)
{
	return container_of(o, struct inode, vm_object);
}

static void object_get(struct vm_object *o)
{
	inode_get(inode_of(o));
}

static void object_put(struct vm_object *o)
{
	inode_put_relaxed(inode_of(o));
}

static enum data_mapping next_mapping(const struct inode_data *d, bool shared)
{
	enum data_mapping same = shared ? DATA_MAPPED_SHARED : DATA_MAPPED_PRIVATE;

	if (shared && d->opened_to_write)
		return DATA_MAPPED_OWN;
	return d->mapping == DATA_UNMAPPED || d->mapping == same ? same : DATA_MAPPED_OWN;
}

/* Shared mappings have the archive's frames and must see what is written from now on. They hold no
 * copies, so their pages can simply go. */
static void leave_archive_frames(struct inode *i, enum data_mapping from, enum data_mapping to)
{
	if (from == DATA_MAPPED_SHARED && to == DATA_MAPPED_OWN)
		vm_object_drop(&i->vm_object, 0, UINT64_MAX >> PAGE_SHIFT);
}

void data_note_mapping(struct inode *i, bool shared)
{
	enum data_mapping old, now;

	spin_lock(&i->lock);
	old = i->data.mapping;
	now = i->data.mapping = next_mapping(&i->data, shared);
	spin_unlock(&i->lock);
	leave_archive_frames(i, old, now);
}

void data_note_writer(struct inode *i)
{
	enum data_mapping old, now;

	spin_lock(&i->lock);
	i->data.opened_to_write = true;
	old = now = i->data.mapping;
	if (old == DATA_MAPPED_SHARED)
		now = i->data.mapping = DATA_MAPPED_OWN;
	spin_unlock(&i->lock);
	leave_archive_frames(i, old, now);
}

/* The archive's frame of a whole page, with a reference; PFN_NONE: it must be the file's own. */
static pfn_t get_archive_frame(struct inode *i, uint64_t index)
{
	const struct inode_data *d = &i->data;
	pfn_t pfn = PFN_NONE;

	spin_lock(&i->lock);
	if (d->mapping != DATA_MAPPED_OWN && ((uintptr_t)d->archive & PAGE_MASK) == 0 &&
		index < d->archive_bytes >> PAGE_SHIFT &&
		page_tree_get(&d->pages, index) == PFN_NONE) {
		pfn = (virt_to_phys(d->archive) >> PAGE_SHIFT) + index;
		pmm_get(pfn);
	}
	spin_unlock(&i->lock);
	return pfn;
}

/* -EAGAIN: a hole is being made there. */
static int check_index(struct inode *i, uint64_t index)
{
	int r = 0;

	spin_lock(&i->lock);
	if (index >= ROUND_UP(i->data.size_bytes, PAGE_SIZE) >> PAGE_SHIFT)
		r = -EFAULT;
	else if (index >= i->data.hole_first && index < i->data.hole_end)
		r = -EAGAIN;
	spin_unlock(&i->lock);
	return r;
}

static int object_page(struct vm_object *o, uint64_t index, bool write, pfn_t *pfn)
{
	struct inode *i = inode_of(o);
	int r;

	while ((r = check_index(i, index)) == -EAGAIN) {
		/* Whoever makes the hole has it, touches no program memory, and waits for nobody
		 * that could wait here. */
		fs_mutex_lock(&i->data.write_mutex);
		fs_mutex_unlock(&i->data.write_mutex);
	}
	if (r < 0)
		return r;
	if (write)
		inode_touch_write(i);
	else
		*pfn = get_archive_frame(i, index);
	if (!write && *pfn != PFN_NONE)
		return 0;
	return data_get_own_page(i, index, pfn);
}

static int object_sync(struct vm_object *o, uint64_t first, uint64_t last)
{
	(void)o;
	(void)first;
	(void)last;
	return 0; /* memory is where these files live */
}

/* In the file's pages or in the archive, which is in memory as a whole; a hole is nowhere. */
static bool object_has(struct vm_object *o, uint64_t index)
{
	struct inode *i = inode_of(o);
	bool has;

	spin_lock(&i->lock);
	has = page_tree_get(&i->data.pages, index) != PFN_NONE ||
		index << PAGE_SHIFT < i->data.archive_bytes;
	spin_unlock(&i->lock);
	return has;
}

const struct vm_object_ops data_object_ops = {
	.get = object_get,
	.put = object_put,
	.page = object_page,
	.sync = object_sync,
	.has = object_has,
};

bool data_is_mapped(struct inode *i)
{
	bool mapped;

	spin_lock(&i->lock);
	mapped = i->data.mapping != DATA_UNMAPPED;
	spin_unlock(&i->lock);
	return mapped;
}
