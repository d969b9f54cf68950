/*
 * inode.h: a node of the tree, apart from its names: file, directory, link, device, generated file.
 *
 * Letters: [I] immutable; [a] atomic; [o] the inode's own lock (LOCK_OBJECT); [t] the tree's lock
 * (LOCK_FS, fs/tree_priv.h); [w] the data's write mutex.
 */
#pragma once

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/tree.h"
#include "base/types.h"
#include "fs/file.h"
#include "fs/page_tree.h"
#include "fs/stat.h"
#include "kernel/mm/vm.h"

struct inode;
struct inotify_watch; /* fs/inotify.c */
struct lock_list; /* fs/lock.c */
struct xattr_list; /* fs/xattr.c */
struct pipe;

/* One item of a directory, for getdents. */
struct dir_item {
	uint64_t order; /* > 2, grows along the directory; the position to go on from */
	uint64_t inode;
	uint32_t mode; /* S_IFMT bits */
	uint32_t len;
	char name[256]; /* NUL-terminated */
};

/* What a special node does differently; every op may be NULL. */
struct inode_ops {
	/* Opens without the tree's lock: may sleep. NULL: by type. */
	int (*open)(struct inode *i, uint32_t flags, struct file **out);
	/* Dynamic directories. lookup: under the tree's lock, *out with a reference; -ENOENT. list:
	 * the first item with order > after, without a lock; -ENOENT: no more. */
	int (*lookup)(struct inode *dir, const char *name, size_t len, struct inode **out);
	int (*list)(struct inode *dir, uint64_t after, struct dir_item *out);
	/* lookup adds what it finds to dir; this adds all that is left, before names are listed.
	 * Under the tree's lock. Once, unless -ENOMEM. */
	int (*fill)(struct inode *dir);
	/* Symbolic links whose target is made up. Length. Under the tree's lock. */
	long (*readlink)(struct inode *i, char *buf, size_t size);
	/* Links that lead somewhere without a path: *to with a reference, or *file with one. Under
	 * the tree's lock. */
	int (*follow)(struct inode *i, struct inode **to, struct file **file);
	/* What a stat says of a dynamic directory; without a lock. NULL: 0. */
	uint64_t (*size)(void);
	void (*free)(struct inode *i); /* private */
};

struct dir_entry {
	RB_ENTRY(dir_entry) by_name; /* [t] */
	RB_ENTRY(dir_entry) by_order; /* [t] */
	LIST_ENTRY(dir_entry) of_inode; /* [t] */
	struct inode *parent; /* [t] no reference: a directory with entries stays */
	struct inode *inode; /* [t] with a reference */
	uint64_t order; /* [I] see struct dir_item */
	uint32_t len; /* [I] */
	char name[]; /* [I] NUL-terminated */
};
RB_HEAD(dir_names, dir_entry);
RB_HEAD(dir_orders, dir_entry);
LIST_HEAD(dir_entry_list, dir_entry);

struct inode_dir {
	struct dir_names names; /* [t] */
	struct dir_orders orders; /* [t] */
	uint64_t next_order; /* [t] */
	uint64_t count; /* [t] entries made */
	uint32_t archive_index; /* [I] node of the archive, when in_archive */
	bool in_archive; /* [t] some of the archive's entries are not made yet */
	bool is_filled; /* [t] by ops->fill: lookup is not asked any more */
};

/* Which frames mappings get for pages that are in the archive. A file's own frame would cost
 * memory; the archive's serves as long as no mapping could see a difference. */
enum data_mapping {
	DATA_UNMAPPED,
	DATA_MAPPED_PRIVATE, /* only private mappings so far: the archive's; need not see writes */
	DATA_MAPPED_SHARED, /* only shared ones, and nobody can write yet: the archive's */
	DATA_MAPPED_OWN, /* the file's own */
};

struct inode_data {
	struct page_tree pages; /* [o] */
	uint64_t size_bytes; /* [o] changes under [w] */
	const uint8_t *archive; /* [I] contents in the image; NULL: none */
	uint64_t archive_bytes; /* [o] how much of it still counts where there is no page */
	enum data_mapping mapping; /* [o] */
	bool opened_to_write; /* [o] once */
	/* [o] pages of which a hole is being made, under [w]: mappings do not get them */
	uint64_t hole_first, hole_end;
	uint32_t seals; /* [o] memfd: F_SEAL_* */
	struct fs_mutex write_mutex; /* writes, truncation */
};

struct inode {
	struct vm_object vm_object; /* regular files */
	_Atomic uint32_t refs; /* [a] names, descriptions, mappings, walks */
	struct spinlock lock; /* LOCK_OBJECT */
	uint64_t number; /* [I] */
	uint32_t mode; /* [o]; the type is [I] */
	uint32_t uid, gid, links; /* [o] */
	uint64_t special_device; /* [I] */
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns; /* [o] since 1970 */
	uint64_t device; /* [I] VFS_DEVICE_*: the parent's */
	const struct inode_ops *ops; /* [I] NULL: plain */
	void *private; /* [I] ops' */
	struct dir_entry_list names; /* [t] */
	/* [t] the last name, when it has none any more; its parent then has a reference: for ".."
	 * of a removed directory, and for /proc */
	struct dir_entry *gone;
	bool is_running; /* [I] the program's own file */
	bool linkable; /* [t] never had a name, but may get one: O_TMPFILE */
	struct lock_list *locks; /* fs/lock.c's lock */
	struct xattr_list *xattrs; /* fs/xattr.c's lock; NULL: none */
	LIST_HEAD(inotify_watches, inotify_watch) watches; /* fs/inotify.c's lock */
	union {
		struct inode_dir dir;
		struct inode_data data;
		struct {
			char *target; /* [I] symbolic link; NULL with ops->readlink */
			uint64_t target_bytes; /* [I] without NUL */
		};
		struct pipe *pipe; /* [o] FIFO */
	};
};

/* One reference. mode has the type. -ENOMEM. */
int inode_alloc(uint32_t mode, struct inode **out) must_check;
void inode_get(struct inode *i);
void inode_put(struct inode *i); /* caller holds no lock but the tree's */
/* The same, for who holds no lock at all: a large file goes piece by piece, with windows. */
void inode_put_relaxed(struct inode *i);
void inode_get_stat(struct inode *i, struct file_stat *out);
void inode_set_mode(struct inode *i, uint32_t mode); /* 07777 */
void inode_set_owner(struct inode *i, uint32_t uid, uint32_t gid); /* UINT32_MAX: as it is */
/* INT64_MIN: as it is. */
void inode_set_times(struct inode *i, int64_t atime_ns, int64_t mtime_ns);
void inode_touch_read(struct inode *i); /* relatime */
void inode_touch_write(struct inode *i); /* mtime, ctime: now */
void inode_change_links(struct inode *i, int delta); /* and ctime */

static inline uint32_t inode_type(const struct inode *i)
{
	return i->mode & 0170000u;
}
static inline bool inode_is_dir(const struct inode *i)
{
	return inode_type(i) == 0040000u;
}
static inline bool inode_is_regular(const struct inode *i)
{
	return inode_type(i) == 0100000u;
}
static inline bool inode_is_link(const struct inode *i)
{
	return inode_type(i) == 0120000u;
}
