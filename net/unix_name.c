/*
 * unix_name.c: the names of UNIX sockets.
 *
 * What:       a name is a node of the file tree, or abstract (begins with NUL, each type of socket
 *             has its own). Listeners and datagram sockets are found by it.
 * Invariants: (1) a socket is on the list of named ones from bind to close. (2) a node stays in
 *             the tree when its socket is closed: nobody answers there any more.
 * Locking:    LOCK_NET; the file tree is asked before it is taken. May sleep: all but _locked.
 * Failure:    -EADDRINUSE -EINVAL -ECONNREFUSED -EPROTOTYPE, -EACCES: the node may not be
 *             written; and the tree's.
 * Source:     Linux unix(7), net/unix/af_unix.c.
 */
#include "base/errno.h"
#include "fs/inode.h"
#include "fs/perm.h"
#include "fs/stat.h"
#include "fs/vfs.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/unix_priv.h"

#define SOCKET_MODE (S_IFSOCK | 0777u)
#define ABSTRACT_DIGITS 5u

static struct {
	struct unix_list named; /* [n] */
	uint32_t next_abstract; /* [n] */
} unix_sockets = { .named = LIST_HEAD_INITIALIZER(unix_sockets.named) };

static bool is_same_name(const struct socket_address *a, const struct socket_address *b)
{
	return a->path_bytes == b->path_bytes && memcmp(a->path, b->path, a->path_bytes) == 0;
}

/* Each type has abstract names of its own. */
static struct unix_socket *find_abstract(const struct socket_address *a, unsigned type)
{
	struct unix_socket *u;

	LIST_FOREACH(u, &unix_sockets.named, named_link)
		if (u->inode == NULL && u->base.type == type && is_same_name(&u->name, a))
			return u;
	return NULL;
}

static struct unix_socket *find_bound(const struct inode *inode)
{
	struct unix_socket *u;

	LIST_FOREACH(u, &unix_sockets.named, named_link)
		if (u->inode == inode)
			return u;
	return NULL;
}

static void path_of(const struct socket_address *a, char path[SOCKET_PATH_MAX + 1])
{
	memcpy(path, a->path, a->path_bytes);
	path[a->path_bytes] = 0;
}

int unix_find(const struct socket_address *a, unsigned type, struct unix_socket **out)
{
	char path[SOCKET_PATH_MAX + 1];
	struct vfs_at at = { .path = path };
	struct inode *inode = NULL;
	int error = 0;

	if (a->family != SOCKET_UNIX || a->path_bytes == 0)
		return -EINVAL;
	if (a->path[0] != 0) {
		path_of(a, path);
		error = vfs_resolve(&at, VFS_FOLLOW, &inode);
		if (error != 0)
			return error;
		error = perm_check(inode, PERM_WRITE);
		if (error != 0) {
			inode_put(inode);
			return error;
		}
	}
	net_lock();
	*out = inode != NULL ? find_bound(inode) : find_abstract(a, type);
	if (*out == NULL)
		error = -ECONNREFUSED;
	else if ((*out)->base.type != type)
		error = -EPROTOTYPE;
	else
		socket_get_locked(&(*out)->base);
	net_unlock();
	if (inode != NULL)
		inode_put(inode);
	return error;
}

static void choose_abstract(struct unix_socket *u)
{
	char text[ABSTRACT_DIGITS + 1];

	do {
		fmt_snprintf(text, sizeof(text), "%05x", unix_sockets.next_abstract++ & 0xfffffu);
		u->name.path_bytes = 1 + ABSTRACT_DIGITS;
		u->name.path[0] = 0;
		memcpy(u->name.path + 1, text, ABSTRACT_DIGITS);
	} while (find_abstract(&u->name, u->base.type) != NULL);
}

/* inode: the path's, its reference is taken; NULL: abstract. */
static int take_name(struct unix_socket *u, const struct socket_address *a, struct inode *inode)
{
	if (u->has_name)
		return -EINVAL;
	if (a->path_bytes != 0 && inode == NULL && find_abstract(a, u->base.type) != NULL)
		return -EADDRINUSE;
	if (a->path_bytes == 0)
		choose_abstract(u);
	else
		u->name = *a;
	u->inode = inode;
	u->has_name = true;
	LIST_INSERT_HEAD(&unix_sockets.named, u, named_link);
	return 0;
}

int unix_bind(struct socket *s, const struct socket_address *a)
{
	char path[SOCKET_PATH_MAX + 1];
	struct vfs_at at = { .path = path };
	struct inode *inode = NULL;
	int error = 0;

	if (a->family != SOCKET_UNIX)
		return -EINVAL;
	if (unix_of(s)->has_name)
		return a->path_bytes == 0 ? 0 : -EINVAL; /* any will do */
	if (a->path_bytes != 0 && a->path[0] != 0) {
		path_of(a, path);
		error = vfs_make_node(&at, SOCKET_MODE, 0, &inode);
		if (error != 0)
			return error == -EEXIST ? -EADDRINUSE : error;
	}
	net_lock();
	error = take_name(unix_of(s), a, inode);
	net_unlock();
	if (error != 0 && inode != NULL)
		inode_put(inode);
	return error;
}

void unix_bind_any_locked(struct unix_socket *u)
{
	static const struct socket_address any = { .family = SOCKET_UNIX };

	net_assert_locked();
	if (!u->has_name && u->name.path_bytes == 0)
		(void)!take_name(u, &any, NULL);
}

void unix_forget_name_locked(struct unix_socket *u)
{
	net_assert_locked();
	if (u->has_name)
		LIST_REMOVE(u, named_link);
	u->has_name = false;
}
