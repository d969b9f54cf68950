/*
 * path.c: from a path to a node.
 *
 * What:       goes through the path one name at a time under the tree's lock. A symbolic link is
 *             replaced by its target in front of what is left of the path.
 * Invariants: (1) at most VFS_LINKS_MAX links are followed, so the walk ends. (2) every node that
 *             is remembered has a reference; they are put without the lock, in walk_end.
 * Locking:    the tree's, held by the caller of walk_locked.
 * Failure:    -ENOENT -ENOTDIR -EACCES -ELOOP -EXDEV -ENAMETOOLONG -ENOMEM.
 * Source:     path_resolution(7), openat2(2).
 */

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/perm.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"

struct progress {
	struct inode *at; /* where we are, with a reference */
	const char *rest; /* of the path */
	char *buffer; /* that rest points into; NULL: the caller's path */
	unsigned links;
	struct inode *top; /* BENEATH, IN_ROOT: no way leads above it; NULL: the tree's root */
	uint32_t resolve; /* enum vfs_resolve */
	bool may_search; /* every directory */
};

static void move_to(struct progress *p, struct inode *to)
{
	inode_get(to);
	inode_put(p->at);
	p->at = to;
}

/* Where a path that begins with a slash goes on. */
static int go_to_root(struct progress *p)
{
	struct inode *to = p->top ? p->top : tree_root();

	if (p->resolve & VFS_RESOLVE_BENEATH)
		return -EXDEV;
	if (p->resolve & VFS_RESOLVE_NO_XDEV && p->at->device != to->device)
		return -EXDEV;
	move_to(p, to);
	return 0;
}

static const char *skip_slashes(const char *p)
{
	while (*p == '/')
		p++;
	return p;
}

/* rest, which is empty or begins with a slash, becomes target + rest. */
static int push_target(struct progress *p, const char *target, size_t len)
{
	size_t rest = strlen(p->rest);
	char *joined = kmem_alloc(len + rest + 1);

	if (!joined)
		return -ENOMEM;
	memcpy(joined, target, len);
	memcpy(joined + len, p->rest, rest + 1);
	kmem_free(p->buffer);
	p->buffer = joined;
	p->rest = joined;
	return joined[0] == '/' ? go_to_root(p) : 0;
}

static int follow_text(struct progress *p, struct inode *link)
{
	char *made;
	long len;
	int r;

	if (link->target)
		return link->target_bytes ? push_target(p, link->target, link->target_bytes)
					  : -ENOENT;
	ASSERT(link->ops && link->ops->readlink);
	made = kmem_alloc(VFS_PATH_MAX);
	if (!made)
		return -ENOMEM;
	len = link->ops->readlink(link, made, VFS_PATH_MAX);
	r = len <= 0 ? -ENOENT : push_target(p, made, (size_t)len);
	kmem_free(made);
	return r;
}

static int follow_magic(struct progress *p, struct inode *link, struct inode **to,
	struct file **file)
{
	int r;

	if (p->resolve & VFS_RESOLVE_NO_MAGIC)
		return -ELOOP;
	if (p->top)
		return -EXDEV;
	r = link->ops->follow(link, to, file);
	if (r == 0 && *to && p->resolve & VFS_RESOLVE_NO_XDEV && (*to)->device != p->at->device) {
		inode_put(*to);
		return -EXDEV;
	}
	return r;
}

/* Consumes the link: either rest has its target in front, or *to is where it leads. */
static int follow_link(struct progress *p, struct inode *link, struct inode **to,
	struct file **file)
{
	*to = NULL;
	if (++p->links > VFS_LINKS_MAX || p->resolve & VFS_RESOLVE_NO_LINKS)
		return -ELOOP; /* (1) */
	return link->ops && link->ops->follow ? follow_magic(p, link, to, file)
					      : follow_text(p, link);
}

/* One up; not above the top. *out with a reference. */
static int find_parent(struct progress *p, struct inode **out)
{
	if (p->at == p->top && p->resolve & VFS_RESOLVE_BENEATH)
		return -EXDEV;
	*out = p->at == p->top ? p->at : dir_parent_locked(p->at);
	inode_get(*out);
	return 0;
}

static int find(struct progress *p, const char *name, size_t len, struct inode **out)
{
	int r;

	if (!inode_is_dir(p->at))
		return -ENOTDIR;
	r = p->may_search ? 0 : perm_check(p->at, PERM_EXEC);
	if (r < 0)
		return r;
	if (len > VFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (len == 1 && name[0] == '.') {
		*out = p->at;
		inode_get(*out);
		return 0;
	}
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return find_parent(p, out);
	return dir_find_locked(p->at, name, len, out);
}

static bool is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/* The walk is over at name (found, or NULL when it does not exist). Takes the reference. */
static void finish(struct progress *p, struct walk *w, const char *name, size_t len,
	struct inode *found)
{
	w->slash = name[len] == '/';
	if (is_dots(name, len)) {
		w->last = WALK_DOT;
		w->dotdot = len == 2;
	} else {
		w->last = WALK_NAME;
		w->dir = p->at;
		inode_get(w->dir);
		w->name = name;
		w->len = len;
	}
	w->inode = found;
}

/* The link is followed. 1: the walk is over; 0: go on with p->rest; 2: go on at *found. */
static int step_over_link(struct progress *p, struct walk *w, const char *end, struct inode **found)
{
	struct inode *link = *found, *to;
	bool is_last = *skip_slashes(end) == 0;
	int r;

	p->rest = end;
	r = follow_link(p, link, &to, &w->file);
	inode_put(link);
	if (r < 0)
		return r;
	if (w->file)
		return is_last ? 1 : -ENOTDIR;
	if (!to)
		return 0;
	*found = to;
	if (!is_last)
		return 2;
	w->inode = to;
	w->last = WALK_DOT;
	w->slash = *end == '/';
	return 1;
}

/* The path has come to its end where we are: it is "/", or a link's target was. */
static int step_nowhere(struct progress *p, struct walk *w)
{
	w->inode = p->at;
	inode_get(p->at);
	w->last = WALK_DOT;
	return inode_is_dir(p->at) ? 1 : -ENOTDIR;
}

/* A link that is the path's last name. */
static bool is_followed(enum vfs_follow follow, bool slash)
{
	return follow == VFS_FOLLOW || (follow == VFS_NO_FOLLOW && slash);
}

/* 1: over; 0: go on; -errno. */
static int step(struct progress *p, enum vfs_follow follow, struct walk *w)
{
	const char *name = skip_slashes(p->rest), *end = name, *after;
	struct inode *found = NULL;
	int r;

	if (*name == 0)
		return step_nowhere(p, w);
	while (*end && *end != '/')
		end++;
	after = skip_slashes(end);
	r = find(p, name, (size_t)(end - name), &found);
	if (r == 0 && p->resolve & VFS_RESOLVE_NO_XDEV && found->device != p->at->device) {
		inode_put(found);
		return -EXDEV;
	}
	if (r == -ENOENT && *after == 0) {
		finish(p, w, name, (size_t)(end - name), NULL);
		return 1;
	}
	if (r < 0)
		return r;
	if (inode_is_link(found) && (*after || is_followed(follow, *end == '/'))) {
		r = step_over_link(p, w, end, &found);
		if (r != 2)
			return r;
	} else if (*after == 0) {
		finish(p, w, name, (size_t)(end - name), found);
		return 1;
	}
	inode_put(p->at);
	p->at = found;
	p->rest = after;
	return 0;
}

int walk_locked(const struct vfs_at *at, enum vfs_follow follow, struct walk *w)
{
	struct progress p = { .rest = at->path, .resolve = at->resolve };
	int r = 0;

	tree_assert_locked();
	*w = (struct walk){ .by_kernel = at->by_kernel };
	if (at->path[0] == 0)
		return -ENOENT;
	p.may_search = at->by_kernel || perm_may_search_all();
	p.at = at->base ? at->base : tree_cwd_locked();
	ASSERT(p.at);
	if (p.resolve & (VFS_RESOLVE_BENEATH | VFS_RESOLVE_IN_ROOT))
		p.top = p.at;
	inode_get(p.at);
	if (at->path[0] == '/')
		r = go_to_root(&p);
	while (r == 0)
		r = step(&p, follow, w);
	inode_put(p.at);
	w->buffer = p.buffer;
	if (r > 0 && follow != VFS_LAST_NAME && w->slash && w->inode && !inode_is_dir(w->inode))
		r = -ENOTDIR;
	return MIN(r, 0);
}

void walk_end(struct walk *w)
{
	if (w->dir)
		inode_put(w->dir);
	if (w->inode)
		inode_put(w->inode);
	if (w->file)
		file_put(w->file);
	kmem_free(w->buffer);
}
