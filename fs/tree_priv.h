/*
 * tree_priv.h: what the files of the tree share: its lock, directories, the walk.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"
#include "fs/vfs.h"

/* ------------------------------------------------------------------ fs/vfs.c */
void tree_lock(void);
void tree_unlock(void);
void tree_assert_locked(void);
struct inode *tree_root(void); /* no reference */
struct inode *tree_cwd_locked(void); /* no reference; the tree's lock keeps it */
uint32_t tree_umask_locked(void);
/* As vfs_inode_path. */
long tree_path_locked(struct inode *i, char *buf, size_t size) must_check;

/* Every open file has it on 64-bit Linux; <linux/fcntl.h> defines it as 0 only for user space. */
#define O_LARGEFILE_BIT 0100000u

struct walk;
/* ------------------------------------------------------------------ fs/vfs_names.c */
/* A new node of the mode's type at w's name; *out with a reference. */
int tree_make_locked(struct walk *w, uint32_t mode, struct inode **out) must_check;

/* ------------------------------------------------------------------ fs/dir.c: under the lock */
/* *out with a reference; -ENOENT, -ENOMEM. */
int dir_find_locked(struct inode *dir, const char *name, size_t len, struct inode **out) must_check;
/* The name must be free. Adds a reference and a link. */
int dir_add_locked(struct inode *dir, const char *name, size_t len, struct inode *i) must_check;
/* Entry of a name that dir_find_locked found; makes the rest of an archive directory first. */
int dir_entry_locked(struct inode *dir, const char *name, size_t len,
	struct dir_entry **out) must_check;
/* Takes the name away; its reference goes to the caller. The last name is remembered. */
struct inode *dir_take_locked(struct dir_entry *e);
int dir_is_empty_locked(struct inode *dir, bool *empty) must_check;
void dir_swap_locked(struct dir_entry *a, struct dir_entry *b);
/* First item with order > after; . is 1, .. is 2. -ENOENT: no more; -ENOMEM. Takes the lock. */
int dir_list(struct inode *dir, uint64_t after, struct dir_item *out) must_check;
void dir_init(struct inode *dir);
/* What a node without names is called in /proc: name in parent, which gets a reference. -ENOMEM. */
int dir_call_locked(struct inode *i, struct inode *parent, const char *name, size_t len) must_check;
/* The one that ".." means; itself for the root. No reference. */
struct inode *dir_parent_locked(struct inode *dir);

/* ------------------------------------------------------------------ fs/path.c */
enum walk_last {
	WALK_NAME, /* dir and name are set; inode too when the name exists */
	WALK_DOT, /* the path ends in ".", ".." or is "/": only inode is set */
};

struct walk {
	struct inode *dir; /* with a reference */
	struct inode *inode; /* with a reference; NULL: no such name */
	struct file *file; /* magic link to a file without node; with a reference */
	const char *name; /* not NUL-terminated */
	size_t len;
	enum walk_last last;
	bool dotdot; /* it was ".." */
	bool by_kernel; /* as struct vfs_at says */
	bool slash; /* the path ended in a slash: it must be a directory */
	char *buffer; /* holds name when links were followed */
};

/* Under the tree's lock. The caller calls walk_end, unlocked, whatever the result. */
int walk_locked(const struct vfs_at *at, enum vfs_follow follow, struct walk *w) must_check;
void walk_end(struct walk *w);

/* ------------------------------------------------------------------ fs/data.c, fs/node_file.c */
extern const struct vm_object_ops data_object_ops;
void data_init(struct inode *i);
void data_free(struct inode *i);
void data_empty(struct inode *i); /* before data_free, for who holds no lock: opens windows */
int data_truncate(struct inode *i, int64_t bytes) must_check; /* sleeps */
/* The file's own frame of a page, made if need be; with a reference. -ENOSPC, -ENOMEM. */
int data_get_own_page(struct inode *i, uint64_t index, pfn_t *pfn) must_check;
/* All of the pages [first, last). The caller holds write_mutex. -ENOSPC, -ENOMEM: none, most often;
 * some, when others took the memory meanwhile. */
int data_make_pages(struct inode *i, uint64_t first, uint64_t last) must_check;
bool data_is_mapped(struct inode *i); /* or was once */
int node_open(struct inode *i, uint32_t flags, struct file **out) must_check;
