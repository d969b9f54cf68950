/*
 * dir.c: directories: names in two orders, and the archive's names made as they are asked for.
 *
 * What:       one tree by name for look-ups, one by order of creation for getdents: an order
 *             number is never used again, so positions stay good while names come and go.
 * Invariants: (1) an entry is in both trees, and in its inode's list of names. (2) while
 *             dir.in_archive, a name that has no entry may still be in the archive; before any
 *             name is taken away or listed, all are made and in_archive is cleared, so a removed
 *             name can't come back. (3) a directory has at most one name.
 * Locking:    the tree's lock, but for dir_list, which takes it.
 * Failure:    -ENOENT, -ENOMEM.
 * Source:     go-linux-abi.md's getdents64 rules: stable d_off, nothing skipped or shown twice.
 */

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/archive.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"

#define FIRST_ORDER 3u /* 1 and 2 are . and .. */

static int compare_names(const struct dir_entry *a, const struct dir_entry *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->name, b->name, a->len);
}

static int compare_orders(const struct dir_entry *a, const struct dir_entry *b)
{
	return (a->order > b->order) - (a->order < b->order);
}

TREE_GENERATE(dir_names, dir_entry, by_name, compare_names)
TREE_GENERATE(dir_orders, dir_entry, by_order, compare_orders)

void dir_init(struct inode *dir)
{
	RB_INIT(&dir->dir.names);
	RB_INIT(&dir->dir.orders);
	dir->dir.next_order = FIRST_ORDER;
}

/* RB_FIND wants an entry to compare with; the name of ours is somebody else's. */
static struct dir_entry *find_made(struct inode *dir, const char *name, size_t len)
{
	struct dir_entry *e = RB_ROOT(&dir->dir.names);

	while (e) {
		int c = e->len == len ? memcmp(name, e->name, len) : len < e->len ? -1 : 1;

		if (c == 0)
			return e;
		e = c < 0 ? RB_LEFT(e, by_name) : RB_RIGHT(e, by_name);
	}
	return NULL;
}

static void drop_gone(struct inode *i)
{
	if (!i->gone)
		return;
	inode_put(i->gone->parent);
	kmem_free(i->gone);
	i->gone = NULL;
}

int dir_add_locked(struct inode *dir, const char *name, size_t len, struct inode *i)
{
	struct dir_entry *e;

	tree_assert_locked();
	e = kmem_alloc(sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	*e = (struct dir_entry){
		.parent = dir,
		.inode = i,
		.order = dir->dir.next_order++,
		.len = (uint32_t)len,
	};
	memcpy(e->name, name, len);
	e->name[len] = 0;
	RB_INSERT(dir_names, &dir->dir.names, e);
	RB_INSERT(dir_orders, &dir->dir.orders, e);
	LIST_INSERT_HEAD(&i->names, e, of_inode);
	dir->dir.count++;
	inode_get(i);
	inode_change_links(i, 1);
	i->linkable = false;
	drop_gone(i);
	if (inode_is_dir(i)) {
		inode_change_links(i, 1); /* its own "." */
		inode_change_links(dir, 1); /* its ".." */
	}
	return 0;
}

/* e was taken off. The last one is kept, until the node goes or its next last one does. */
static void forget_or_keep(struct inode *i, struct dir_entry *e)
{
	ASSERT(!i->gone);
	if (!LIST_EMPTY(&i->names)) {
		kmem_free(e);
		return;
	}
	e->inode = NULL;
	inode_get(e->parent);
	i->gone = e;
}

struct inode *dir_take_locked(struct dir_entry *e)
{
	struct inode *dir = e->parent, *i = e->inode;

	tree_assert_locked();
	ASSERT(!dir->dir.in_archive); /* (2) */
	RB_REMOVE(dir_names, &dir->dir.names, e);
	RB_REMOVE(dir_orders, &dir->dir.orders, e);
	LIST_REMOVE(e, of_inode);
	dir->dir.count--;
	inode_change_links(i, -1);
	if (inode_is_dir(i)) {
		inode_change_links(i, -1);
		inode_change_links(dir, -1);
	}
	forget_or_keep(i, e);
	return i;
}

void dir_swap_locked(struct dir_entry *a, struct dir_entry *b)
{
	struct inode *i = a->inode;
	int dirs = inode_is_dir(b->inode) - inode_is_dir(a->inode);

	tree_assert_locked();
	LIST_REMOVE(a, of_inode);
	LIST_REMOVE(b, of_inode);
	a->inode = b->inode;
	b->inode = i;
	LIST_INSERT_HEAD(&a->inode->names, a, of_inode);
	LIST_INSERT_HEAD(&b->inode->names, b, of_inode);
	inode_change_links(a->parent, dirs);
	inode_change_links(b->parent, -dirs);
}

struct inode *dir_parent_locked(struct inode *dir)
{
	tree_assert_locked();
	if (!LIST_EMPTY(&dir->names))
		return LIST_FIRST(&dir->names)->parent;
	return dir->gone ? dir->gone->parent : dir;
}

int dir_call_locked(struct inode *i, struct inode *parent, const char *name, size_t len)
{
	struct dir_entry *e = kmem_zalloc(sizeof(*e) + len + 1);

	tree_assert_locked();
	if (!e)
		return -ENOMEM;
	drop_gone(i);
	e->len = (uint32_t)len;
	memcpy(e->name, name, len);
	e->parent = parent;
	inode_get(parent);
	i->gone = e;
	return 0;
}

/* ------------------------------------------------------------------ names of the archive */

static int set_target(struct inode *i, const uint8_t *target, size_t bytes)
{
	i->target = kmem_alloc(bytes + 1);
	if (!i->target)
		return -ENOMEM;
	memcpy(i->target, target, bytes);
	i->target[bytes] = 0;
	i->target_bytes = strlen(i->target);
	return 0;
}

static int make_from_archive(struct inode *dir, uint32_t index, const struct archive_entry *e)
{
	struct inode *i;
	int r = inode_alloc(e->mode, &i);

	if (r < 0)
		return r;
	i->uid = e->uid;
	i->gid = e->gid;
	i->atime_ns = i->mtime_ns = i->ctime_ns = i->btime_ns = e->mtime_ns;
	if (S_ISDIR(e->mode)) {
		i->dir.archive_index = index;
		i->dir.in_archive = e->child_count > 0;
	} else if (S_ISREG(e->mode)) {
		i->data.archive = e->data;
		i->data.archive_bytes = e->size_bytes;
		i->data.size_bytes = e->size_bytes;
	} else {
		r = set_target(i, e->data, e->size_bytes);
	}
	if (r == 0)
		r = dir_add_locked(dir, e->name, e->name_len, i);
	i->ctime_ns = e->mtime_ns;
	inode_put(i);
	return r;
}

static int make_one(struct inode *dir, const char *name, size_t len)
{
	struct archive_entry e;
	uint32_t index;

	if (archive_find(dir->dir.archive_index, name, len, &index) < 0 ||
		archive_get(index, &e) < 0)
		return -ENOENT;
	return make_from_archive(dir, index, &e);
}

static int fill_from_archive(struct inode *dir)
{
	struct archive_entry self, e;

	if (archive_get(dir->dir.archive_index, &self) < 0)
		self.child_count = 0;
	for (uint32_t n = 0; n < self.child_count; n++) {
		int r = 0;

		if (archive_get(self.first_child + n, &e) == 0 &&
			!find_made(dir, e.name, e.name_len))
			r = make_from_archive(dir, self.first_child + n, &e);
		if (r < 0)
			return r;
	}
	dir->dir.in_archive = false;
	return 0;
}

/* (2) */
static int make_all_locked(struct inode *dir)
{
	int r = 0;

	tree_assert_locked();
	if (dir->dir.in_archive)
		r = fill_from_archive(dir);
	if (r < 0 || dir->dir.is_filled || !dir->ops || !dir->ops->fill)
		return r;
	r = dir->ops->fill(dir);
	dir->dir.is_filled = r == 0;
	return r;
}

/* ------------------------------------------------------------------ look-up and listing */

int dir_find_locked(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct dir_entry *e;

	tree_assert_locked();
	e = find_made(dir, name, len);
	if (!e && dir->dir.in_archive) {
		int r = make_one(dir, name, len);

		if (r < 0 && r != -ENOENT)
			return r;
		e = find_made(dir, name, len);
	}
	if (e) {
		inode_get(e->inode);
		*out = e->inode;
		return 0;
	}
	if (!dir->ops || !dir->ops->lookup || dir->dir.is_filled)
		return -ENOENT;
	return dir->ops->lookup(dir, name, len, out);
}

int dir_entry_locked(struct inode *dir, const char *name, size_t len, struct dir_entry **out)
{
	int r = make_all_locked(dir);

	if (r < 0)
		return r;
	*out = find_made(dir, name, len);
	return *out ? 0 : -EPERM; /* a generated name: it can't be changed */
}

int dir_is_empty_locked(struct inode *dir, bool *empty)
{
	int r = make_all_locked(dir);

	*empty = dir->dir.count == 0 && !(dir->ops && dir->ops->list);
	return r;
}

static void fill_item(const struct dir_entry *e, struct dir_item *out)
{
	out->order = e->order;
	out->inode = e->inode->number;
	out->mode = inode_type(e->inode);
	out->len = e->len;
	memcpy(out->name, e->name, e->len + 1);
}

static struct dir_entry *find_after(struct inode *dir, uint64_t after)
{
	struct dir_entry *e = RB_ROOT(&dir->dir.orders), *best = NULL;

	while (e) {
		if (e->order > after) {
			best = e;
			e = RB_LEFT(e, by_order);
		} else {
			e = RB_RIGHT(e, by_order);
		}
	}
	return best;
}

static void fill_dots_locked(struct inode *dir, uint64_t after, struct dir_item *out)
{
	struct inode *i = after == 0 ? dir : dir_parent_locked(dir);

	*out = (struct dir_item){
		.order = after + 1,
		.inode = i->number,
		.mode = S_IFDIR,
		.len = (uint32_t)after + 1,
		.name = "..",
	};
	out->name[out->len] = 0;
}

int dir_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	struct dir_entry *e = NULL;
	int r;

	tree_lock();
	if (after + 1 < FIRST_ORDER) {
		fill_dots_locked(dir, after, out);
		tree_unlock();
		return 0;
	}
	r = make_all_locked(dir);
	if (r == 0)
		e = find_after(dir, after);
	if (e)
		fill_item(e, out);
	tree_unlock();
	if (r < 0 || e)
		return r;
	/* Generated names come after the others: their orders begin far above. */
	return dir->ops && dir->ops->list ? dir->ops->list(dir, after, out) : -ENOENT;
}
