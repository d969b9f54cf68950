/*
 * vfs.h: the tree of names: paths to nodes, and the operations on names.
 *
 * All functions take the tree's lock inside; callers hold none. They may sleep only where said.
 * The calling thread's credentials decide what it may do (fs/perm.h).
 * Common errors: -ENOENT -ENOTDIR -EACCES -ELOOP (more than 40 links) -ENAMETOOLONG -ENOMEM
 * -ENOSPC.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"
#include "fs/file.h"
#include "fs/inode.h"

#define VFS_NAME_MAX 255u
#define VFS_PATH_MAX 4096u /* with the NUL */
#define VFS_LINKS_MAX 40u

enum vfs_device { /* st_dev */
	VFS_DEVICE_ROOT = 0x15,
	VFS_DEVICE_PROC = 0x16,
	VFS_DEVICE_PIPE = 0x0e,
	VFS_DEVICE_ANON = 0x0f,
	VFS_DEVICE_MEMFD = 0x01,
};

/* A link that is the path's last name: kept unless a slash is behind it; followed; kept anyway. */
enum vfs_follow { VFS_NO_FOLLOW, VFS_FOLLOW, VFS_LAST_NAME };

/* What a path may not do: openat2(2), same values. BENEATH and IN_ROOT: base is its top. */
enum vfs_resolve {
	VFS_RESOLVE_NO_XDEV = 1, /* -EXDEV: into /proc or out of it */
	VFS_RESOLVE_NO_MAGIC = 2, /* -ELOOP: links of /proc that lead somewhere without a path */
	VFS_RESOLVE_NO_LINKS = 4, /* -ELOOP */
	VFS_RESOLVE_BENEATH = 8, /* -EXDEV: above its top, or absolute */
	VFS_RESOLVE_IN_ROOT = 16, /* its top is "/", and its own ".." */
};

/* A path and where it starts when it is relative: NULL is the working directory. */
struct vfs_at {
	struct inode *base;
	const char *path; /* NUL-terminated, shorter than VFS_PATH_MAX */
	bool by_kernel; /* may make names in /proc and /sys; permissions are not asked for */
	uint32_t resolve; /* enum vfs_resolve bits */
};

/* *out with a reference. A magic link to a file without node (/proc/self/fd/0) gives -ENOENT here;
 * vfs_stat and vfs_open know better. */
int vfs_resolve(const struct vfs_at *at, enum vfs_follow follow, struct inode **out) must_check;
int vfs_stat(const struct vfs_at *at, enum vfs_follow follow, struct file_stat *out) must_check;
/* flags and mode as open(2), Linux values, umask applied here. May sleep (FIFOs). */
int vfs_open(const struct vfs_at *at, uint32_t flags, uint32_t mode, struct file **out) must_check;
/* Opens a node that the caller has. */
int vfs_open_inode(struct inode *i, uint32_t flags, struct file **out) must_check;
int vfs_make_dir(const struct vfs_at *at, uint32_t mode) must_check;
/* mode has the type: S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK. -EEXIST. out (or NULL) gets the
 * node with a reference: a socket that was bound there, for example. */
int vfs_make_node(const struct vfs_at *at, uint32_t mode, uint64_t special_device,
	struct inode **out) must_check;
int vfs_symlink(const char *target, const struct vfs_at *at) must_check;
int vfs_link(struct inode *i, const struct vfs_at *to) must_check; /* a further name */
int vfs_unlink(const struct vfs_at *at, bool remove_dir) must_check; /* remove_dir: rmdir */
enum vfs_rename { VFS_RENAME_NOREPLACE = 1, VFS_RENAME_EXCHANGE = 2 };
int vfs_rename(const struct vfs_at *from, const struct vfs_at *to, unsigned flags) must_check;
long vfs_readlink(const struct vfs_at *at, char *buf, size_t size) must_check; /* bytes, no NUL */
long vfs_readlink_inode(struct inode *i, char *buf, size_t size) must_check; /* -EINVAL: no link */
int vfs_truncate(const struct vfs_at *at, int64_t bytes) must_check; /* sleeps */
int vfs_set_cwd(struct inode *dir) must_check; /* -ENOTDIR */
long vfs_get_cwd(char *buf, size_t size) must_check; /* bytes with NUL; -ERANGE, -ENOENT */
/* Path of a node by one of its names; " (deleted)" is added when it has none. Bytes, no NUL. */
long vfs_inode_path(struct inode *i, char *buf, size_t size) must_check;
uint32_t vfs_swap_umask(uint32_t mask);
/* Goes through an open directory from its position; emit says false when it has no room for the
 * item, which is then the next one. emit may sleep. -ENOTDIR. */
int vfs_read_dir(struct file *f, bool (*emit)(const struct dir_item *item, void *arg),
	void *arg) must_check;

/* A file of no directory (memfd_create); name is what /proc shows. seals: F_SEAL_*. */
int vfs_make_memfd(const char *name, uint32_t mode, uint32_t seals, struct file **out) must_check;

/* The pages of a file without a name, for shared memory; one reference. -ENOMEM. */
struct vm_object;
int vfs_make_shared_memory(uint64_t bytes, struct vm_object **out) must_check;

struct vfs_usage {
	uint64_t total_bytes, free_bytes, nodes;
};
void vfs_get_usage(struct vfs_usage *out);
/* Pages that may still be kept in memory: what is left is for the program's own. */
uint64_t vfs_room_pages(void);
bool vfs_is_full(void); /* there are none */

uint64_t vfs_next_inode_number(void);
int64_t vfs_now_ns(void); /* since 1970 */
int64_t vfs_boot_time_ns(void); /* since 1970: of files that nobody wrote */
void vfs_stat_anonymous(struct file_stat *out); /* of epoll, eventfd and the like */

/* ------------------------------------------------------------------ for fs_init and its helpers */
void vfs_init(void);
/* Makes a directory and those above it; existing ones are fine. Absolute path. */
int vfs_make_dirs(const char *path, uint32_t mode) must_check;
/* A node of a special kind; -EEXIST is an error. *out without a reference of its own. */
int vfs_make_special(const char *path, uint32_t mode, uint64_t special_device,
	const struct inode_ops *ops, void *private, struct inode **out) must_check;
/* A small file with given contents, replaced if it is there and is ours. */
int vfs_write_file(const char *path, const void *data, size_t bytes, uint32_t mode) must_check;
