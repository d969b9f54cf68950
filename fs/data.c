/*
 * data.c: the contents of regular files.
 *
 * What:       a page is in the file's tree of frames, or, where there is none, in the image's
 *             archive, or a hole that reads as zero. The first write copies an archive page.
 *             read, write and mappings use the same frames, so they always agree.
 * Invariants: (1) bytes of a page beyond the size are zero when the size grows over them.
 *             (2) pages beyond the size do not exist, but for fallocate with keep_size.
 *             (3) archive_bytes never grows, and never exceeds the size.
 * Locking:    write_mutex serialises writes, truncation and allocation; inode.lock guards the
 *             tree and the size; frames are copied to and from with a reference and no lock.
 * Failure:    -ENOSPC when free memory is down to the reserve, -ENOMEM, -EFBIG, -EFAULT.
 * Source:     POSIX read, write, ftruncate; mmap(2) for coherence.
 */
#include "fs/data.h"

#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/inotify.h"
#include "fs/perm.h"
#include "fs/size_limit.h"
#include "fs/tree_priv.h"
#include "kernel/mm/pmm.h"
#include "kernel/sched/sched.h"
#include "lib/string.h"

#define RELAX_PAGES 256u /* of a long read or write between two looks at the scheduler */

void data_init(struct inode *i)
{
	i->vm_object.ops = &data_object_ops;
	fs_mutex_init(&i->data.write_mutex);
}

void data_free(struct inode *i)
{
	page_tree_clear(&i->data.pages);
}

uint64_t data_size(struct inode *i)
{
	uint64_t size;

	spin_lock(&i->lock);
	size = i->data.size_bytes;
	spin_unlock(&i->lock);
	return size;
}

/* ------------------------------------------------------------------ reading */

/* What lies behind one page at one moment. */
struct page_view {
	pfn_t pfn; /* with a reference; PFN_NONE: see archive */
	const uint8_t *archive; /* of the page's first byte; NULL: hole */
	uint64_t archive_bytes; /* that count, at most a page */
	uint64_t size_bytes; /* of the file */
};

static void look_at_page(struct inode *i, uint64_t index, struct page_view *v)
{
	uint64_t start = index << PAGE_SHIFT;

	*v = (struct page_view){ 0 };
	spin_lock(&i->lock);
	v->size_bytes = i->data.size_bytes;
	v->pfn = page_tree_get(&i->data.pages, index);
	if (v->pfn != PFN_NONE) {
		pmm_get(v->pfn);
	} else if (start < i->data.archive_bytes) {
		v->archive = i->data.archive + start;
		v->archive_bytes = MIN(i->data.archive_bytes - start, PAGE_SIZE);
	}
	spin_unlock(&i->lock);
}

static long read_piece(struct inode *i, struct uio *u, uint64_t offset)
{
	uint64_t in_page = offset & PAGE_MASK, n;
	struct page_view v;
	long r;

	look_at_page(i, offset >> PAGE_SHIFT, &v);
	n = offset < v.size_bytes ? MIN(v.size_bytes - offset, PAGE_SIZE - in_page) : 0;
	if (v.pfn != PFN_NONE) {
		r = uio_copy_to(u, (char *)pfn_to_virt(v.pfn) + in_page, n);
		pmm_put(v.pfn);
	} else if (in_page < v.archive_bytes) {
		r = uio_copy_to(u, v.archive + in_page, MIN(n, v.archive_bytes - in_page));
	} else {
		r = uio_zero(u, n);
	}
	return r;
}

long data_read(struct inode *i, struct uio *u, uint64_t offset_bytes)
{
	uint64_t done = 0;

	for (unsigned pieces = 1; u->left_bytes > 0; pieces++) {
		long n = read_piece(i, u, offset_bytes + done);

		if (n < 0)
			return done ? (long)done : n;
		if (n == 0)
			break;
		done += (uint64_t)n;
		if (pieces % RELAX_PAGES == 0)
			sched_relax();
	}
	return (long)done;
}

/* ------------------------------------------------------------------ pages to write into */

static int new_page(const struct page_view *v, pfn_t *pfn)
{
	if (vfs_is_full())
		return -ENOSPC;
	*pfn = pmm_alloc_zeroed(PMM_CACHE);
	if (*pfn == PFN_NONE)
		return -ENOSPC;
	if (v->archive)
		memcpy(pfn_to_virt(*pfn), v->archive, v->archive_bytes);
	return 0;
}

/* Of an archive page that was copied: what a truncation or a hole has taken away meanwhile. Only a
 * fault can come late; writers wait for each other. */
static void hide_cut_locked(struct inode *i, uint64_t index, pfn_t made, uint64_t copied_bytes)
{
	uint64_t start = index << PAGE_SHIFT, end = i->data.archive_bytes;
	uint64_t left = end > start ? MIN(end - start, copied_bytes) : 0;

	lock_assert_held(&i->lock);
	memset((char *)pfn_to_virt(made) + left, 0, copied_bytes - left);
}

int data_get_own_page(struct inode *i, uint64_t index, pfn_t *pfn)
{
	struct page_view v;
	pfn_t made, other;
	int r = 0;

	look_at_page(i, index, &v);
	*pfn = v.pfn;
	if (v.pfn != PFN_NONE)
		return 0;
	r = new_page(&v, &made);
	if (r < 0)
		return r;
	spin_lock(&i->lock);
	if (v.archive)
		hide_cut_locked(i, index, made, v.archive_bytes);
	other = page_tree_get(&i->data.pages, index);
	if (other == PFN_NONE)
		r = page_tree_set(&i->data.pages, index, made);
	*pfn = other == PFN_NONE ? made : other;
	if (r == 0)
		pmm_get(*pfn);
	spin_unlock(&i->lock);
	if (r < 0 || other != PFN_NONE)
		pmm_put(made);
	return r;
}

/* ------------------------------------------------------------------ writing */

static void note_changed(struct inode *i)
{
	perm_contents_changed(i);
	inode_touch_write(i);
	inotify_touch(i, IN_MODIFY);
}

static void grow_to(struct inode *i, uint64_t end)
{
	spin_lock(&i->lock);
	i->data.size_bytes = MAX(i->data.size_bytes, end);
	spin_unlock(&i->lock);
}

static long write_piece(struct inode *i, struct uio *u, uint64_t offset)
{
	uint64_t in_page = offset & PAGE_MASK;
	pfn_t pfn;
	long n;
	int r = data_get_own_page(i, offset >> PAGE_SHIFT, &pfn);

	if (r < 0)
		return r;
	n = uio_copy_from(u, (char *)pfn_to_virt(pfn) + in_page, PAGE_SIZE - in_page);
	pmm_put(pfn);
	if (n > 0)
		grow_to(i, offset + (uint64_t)n);
	return n;
}

static int check_seals(struct inode *i, uint64_t end)
{
	uint32_t seals = i->data.seals;

	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return seals & F_SEAL_GROW && end > data_size(i) ? -EPERM : 0;
}

/* The write ends at the limit of sizes. */
static int cut_off(struct inode *i, struct uio *u, uint64_t offset_bytes)
{
	uint64_t room = size_limit_room(offset_bytes, u->left_bytes);

	if (!room)
		return size_limit_refuse();
	u->left_bytes = room;
	return check_seals(i, offset_bytes + room);
}

long data_write(struct inode *i, struct uio *u, uint64_t offset_bytes, bool append, uint64_t *end)
{
	uint64_t done = 0;
	long n = 0;

	if (u->left_bytes == 0)
		return 0;
	fs_mutex_lock(&i->data.write_mutex);
	if (append)
		offset_bytes = data_size(i);
	if (append) /* what else would end there was refused: node_file.c */
		u->left_bytes = MIN(u->left_bytes, INT64_MAX - offset_bytes);
	if (u->left_bytes == 0 || offset_bytes > INT64_MAX - u->left_bytes)
		n = -EFBIG;
	else if (likely(size_limit_allows(offset_bytes + u->left_bytes)))
		n = check_seals(i, offset_bytes + u->left_bytes);
	else
		n = cut_off(i, u, offset_bytes);
	for (unsigned pieces = 1; n >= 0 && u->left_bytes > 0; pieces++) {
		n = write_piece(i, u, offset_bytes + done);
		if (n > 0)
			done += (uint64_t)n;
		if (pieces % RELAX_PAGES == 0)
			sched_relax();
	}
	if (done)
		note_changed(i);
	fs_mutex_unlock(&i->data.write_mutex);
	*end = offset_bytes + done;
	return done ? (long)done : n;
}

/* ------------------------------------------------------------------ size and holes */

/* (1) Zeroes [from, to) inside one page, if the file has a frame for it. */
static void zero_part(struct inode *i, uint64_t from, uint64_t to)
{
	struct page_view v;

	if (from >= to)
		return;
	look_at_page(i, from >> PAGE_SHIFT, &v);
	if (v.pfn == PFN_NONE)
		return;
	memset((char *)pfn_to_virt(v.pfn) + (from & PAGE_MASK), 0, to - from);
	pmm_put(v.pfn);
}

/* Gives back the pages [first, last). */
static void drop_pages(struct inode *i, uint64_t first, uint64_t last)
{
	for (;;) {
		pfn_t pfn = PFN_NONE;
		uint64_t index;

		spin_lock(&i->lock);
		index = page_tree_next(&i->data.pages, first);
		if (index < last)
			pfn = page_tree_take(&i->data.pages, index);
		spin_unlock(&i->lock);
		if (pfn == PFN_NONE)
			return;
		pmm_put(pfn);
		first = index + 1;
		if (first % RELAX_PAGES == 0)
			sched_relax();
	}
}

void data_empty(struct inode *i)
{
	if (i->data.pages.pages > RELAX_PAGES)
		drop_pages(i, 0, UINT64_MAX);
}

static void shrink(struct inode *i, uint64_t bytes)
{
	uint64_t end = ROUND_UP(bytes, PAGE_SIZE);

	spin_lock(&i->lock);
	i->data.size_bytes = bytes;
	i->data.archive_bytes = MIN(i->data.archive_bytes, bytes); /* (3) */
	spin_unlock(&i->lock);
	drop_pages(i, end >> PAGE_SHIFT, UINT64_MAX);
	if (data_is_mapped(i))
		vm_object_drop(&i->vm_object, end >> PAGE_SHIFT, UINT64_MAX >> PAGE_SHIFT);
	zero_part(i, bytes, end); /* an archive page needs none: archive_bytes ends it */
}

int data_truncate(struct inode *i, int64_t bytes)
{
	uint64_t to = (uint64_t)bytes, size;
	int r = 0;

	data_note_writer(i);
	fs_mutex_lock(&i->data.write_mutex);
	size = data_size(i);
	if ((to < size && i->data.seals & F_SEAL_SHRINK) ||
		(to > size && i->data.seals & F_SEAL_GROW))
		r = -EPERM;
	else if (to > size && !size_limit_allows(to))
		r = size_limit_refuse();
	else if (to > size)
		grow_to(i, to);
	else /* also to the same size: what was allocated behind it goes (2) */
		shrink(i, to);
	if (r == 0)
		note_changed(i);
	fs_mutex_unlock(&i->data.write_mutex);
	return r;
}

int data_allocate(struct inode *i, uint64_t offset_bytes, uint64_t bytes, bool keep_size)
{
	uint64_t end = offset_bytes + bytes, first = offset_bytes >> PAGE_SHIFT;
	uint64_t last = ROUND_UP(end, PAGE_SIZE) >> PAGE_SHIFT;
	int r = 0;

	fs_mutex_lock(&i->data.write_mutex);
	if (end > data_size(i) && i->data.seals & F_SEAL_GROW)
		r = -EPERM;
	else if (end > data_size(i) && !size_limit_allows(end))
		r = size_limit_refuse();
	if (r == 0) {
		r = data_make_pages(i, first, last);
		first = MAX(first, ROUND_UP(data_size(i), PAGE_SIZE) >> PAGE_SHIFT);
		if (r < 0 && first < last) /* (2) others were faster to take the room */
			drop_pages(i, first, last);
	}
	if (r == 0 && !keep_size)
		grow_to(i, end);
	if (r == 0)
		note_changed(i);
	fs_mutex_unlock(&i->data.write_mutex);
	return r;
}

/* Nothing of the archive is seen in [from, to) any more. */
static int hide_archive(struct inode *i, uint64_t from, uint64_t to)
{
	uint64_t covered = MIN(ROUND_UP(i->data.archive_bytes, PAGE_SIZE), to);
	int r = 0;

	if (to >= i->data.archive_bytes) {
		spin_lock(&i->lock);
		i->data.archive_bytes = MIN(i->data.archive_bytes, from); /* (3) */
		spin_unlock(&i->lock);
		return 0;
	}
	for (uint64_t at = ROUND_DOWN(from, PAGE_SIZE); r == 0 && at < covered; at += PAGE_SIZE) {
		pfn_t pfn;

		r = data_get_own_page(i, at >> PAGE_SHIFT, &pfn);
		if (r == 0)
			pmm_put(pfn);
	}
	return r;
}

static void set_hole(struct inode *i, uint64_t first, uint64_t end)
{
	spin_lock(&i->lock);
	i->data.hole_first = first;
	i->data.hole_end = end;
	spin_unlock(&i->lock);
}

/* Gives back the pages [first, end), wherever they are mapped. In between nobody may map them
 * (data_map.c): a store through a mapping would come after the hole for who reads the file, and
 * then be lost. */
static void empty_pages(struct inode *i, uint64_t first, uint64_t end)
{
	set_hole(i, first, end);
	if (data_is_mapped(i))
		vm_object_unmap(&i->vm_object, first, end - 1);
	drop_pages(i, first, end);
	set_hole(i, 0, 0);
}

static void zero_range(struct inode *i, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t page_end = ROUND_DOWN(from, PAGE_SIZE) + PAGE_SIZE;

		zero_part(i, from, MIN(page_end, to));
		from = page_end;
		if ((from >> PAGE_SHIFT) % RELAX_PAGES == 0)
			sched_relax();
	}
}

int data_make_hole(struct inode *i, uint64_t offset_bytes, uint64_t bytes)
{
	uint64_t end = offset_bytes + bytes, first, rest;
	int r;

	fs_mutex_lock(&i->data.write_mutex);
	r = check_seals(i, 0);
	if (r == 0)
		r = hide_archive(i, offset_bytes, end);
	if (r == 0) {
		/* Whole pages behind the archive go; what lies in it stays, as zeroes. */
		first = ROUND_UP(MAX(offset_bytes, i->data.archive_bytes), PAGE_SIZE);
		first = MIN(first, end);
		rest = MAX(first, ROUND_DOWN(end, PAGE_SIZE));
		zero_range(i, offset_bytes, first);
		if (first < rest)
			empty_pages(i, first >> PAGE_SHIFT, rest >> PAGE_SHIFT);
		zero_range(i, rest, end);
		note_changed(i);
	}
	fs_mutex_unlock(&i->data.write_mutex);
	return r;
}

int64_t data_seek(struct inode *i, uint64_t from, bool data)
{
	uint64_t size, at = from;

	spin_lock(&i->lock);
	size = i->data.size_bytes;
	if (data && from >= i->data.archive_bytes) {
		uint64_t page = page_tree_next(&i->data.pages, from >> PAGE_SHIFT);

		at = page == UINT64_MAX ? size : MAX(from, page << PAGE_SHIFT);
	} else if (!data) {
		while (at < size &&
			(at < i->data.archive_bytes ||
				page_tree_get(&i->data.pages, at >> PAGE_SHIFT) != PFN_NONE))
			at = ROUND_DOWN(at, PAGE_SIZE) + PAGE_SIZE;
		at = MIN(at, size);
	}
	spin_unlock(&i->lock);
	if (from >= size || (data && at >= size))
		return -ENXIO;
	return (int64_t)at;
}

int data_add_seals(struct inode *i, uint32_t seals)
{
	uint32_t implied = 0;
	int r = 0;

	/* What may be executed is not written any more: Linux mm/memfd.c. */
	if (seals & F_SEAL_EXEC && i->mode & 0111)
		implied = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	fs_mutex_lock(&i->data.write_mutex);
	if (i->data.seals & F_SEAL_SEAL)
		r = -EPERM;
	else if ((seals | implied) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		r = vm_object_deny_write(&i->vm_object, !(seals & F_SEAL_WRITE));
	if (r == 0)
		i->data.seals |= seals | implied;
	fs_mutex_unlock(&i->data.write_mutex);
	return r;
}
