/*
 * unix.c: UNIX sockets: names and connections.
 *
 * What:       a name is a node of the file tree, or abstract (begins with NUL). Listeners and
 *             datagram sockets are found by it; a connection joins two sockets as each other's
 *             peer.
 * Invariants: (1) a socket that has a peer holds a reference to it and is on its list of senders.
 *             (2) of a stream's two ends each is the other's peer, until one closes.
 * Locking:    LOCK_NET; the file tree is asked before it is taken. May sleep: accept, connect.
 * Failure:    Linux's errors.
 * Source:     Linux unix(7), net/unix/af_unix.c.
 */
#include <linux/eventpoll.h>

#include "base/errno.h"
#include "fs/inode.h"
#include "fs/stat.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
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

static const struct socket_ops unix_ops;

static struct unix_socket *new_unix(unsigned type)
{
	struct unix_socket *u = kmem_zalloc(sizeof(*u));

	if (u == NULL)
		return NULL;
	socket_init(&u->base, &unix_ops, SOCKET_UNIX, type, 0);
	u->name.family = SOCKET_UNIX;
	LIST_INIT(&u->senders);
	TAILQ_INIT(&u->accept_queue);
	STAILQ_INIT(&u->messages);
	return u;
}

int unix_socket_new(unsigned type, struct socket **out)
{
	struct unix_socket *u;

	if (type == SOCKET_RAW)
		type = SOCKET_DATAGRAM; /* as Linux */
	if (type != SOCKET_STREAM && type != SOCKET_DATAGRAM && type != SOCKET_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = new_unix(type);
	if (u == NULL)
		return -ENOMEM;
	*out = &u->base;
	return 0;
}

void unix_set_peer_locked(struct unix_socket *u, struct unix_socket *peer)
{
	if (u->peer != NULL) {
		LIST_REMOVE(u, peer_link);
		socket_put_locked(&u->peer->base);
	}
	u->peer = peer;
	if (peer != NULL) {
		u->peer_closed = false;
		LIST_INSERT_HEAD(&peer->senders, u, peer_link);
		socket_get_locked(&peer->base);
	}
}

static void join(struct unix_socket *a, struct unix_socket *b)
{
	unix_set_peer_locked(a, b);
	unix_set_peer_locked(b, a);
	a->phase = b->phase = UNIX_CONNECTED;
}

int unix_socket_pair(unsigned type, struct socket *out[2])
{
	int error = unix_socket_new(type, &out[0]);

	if (error != 0)
		return error;
	error = unix_socket_new(type, &out[1]);
	net_lock();
	if (error == 0)
		join(unix_of(out[0]), unix_of(out[1]));
	else
		socket_put_locked(out[0]);
	net_unlock();
	return error;
}

/* ------------------------------------------------------------------ names */
static bool is_same_name(const struct socket_address *a, const struct socket_address *b)
{
	return a->path_bytes == b->path_bytes && memcmp(a->path, b->path, a->path_bytes) == 0;
}

static struct unix_socket *find_named(const struct socket_address *a, const struct inode *inode)
{
	struct unix_socket *u;

	LIST_FOREACH(u, &unix_sockets.named, named_link)
		if (inode != NULL ? u->inode == inode
				  : u->inode == NULL && is_same_name(&u->name, a))
			return u;
	return NULL;
}

static void path_of(const struct socket_address *a, char path[SOCKET_PATH_MAX + 1])
{
	memcpy(path, a->path, a->path_bytes);
	path[a->path_bytes] = 0;
}

int unix_find(const struct socket_address *a, struct unix_socket **out)
{
	char path[SOCKET_PATH_MAX + 1];
	struct vfs_at at = { .path = path };
	struct inode *inode = NULL;
	int error;

	if (a->family != SOCKET_UNIX || a->path_bytes == 0)
		return -EINVAL;
	if (a->path[0] != 0) {
		path_of(a, path);
		error = vfs_resolve(&at, VFS_FOLLOW, &inode);
		if (error != 0)
			return error;
	}
	net_lock();
	*out = find_named(a, inode);
	if (*out != NULL)
		socket_get_locked(&(*out)->base);
	net_unlock();
	if (inode != NULL)
		inode_put(inode);
	return *out == NULL ? -ECONNREFUSED : 0;
}

static void choose_abstract(struct unix_socket *u)
{
	char text[ABSTRACT_DIGITS + 1];

	do {
		fmt_snprintf(text, sizeof(text), "%05x", unix_sockets.next_abstract++ & 0xfffffu);
		u->name.path_bytes = 1 + ABSTRACT_DIGITS;
		u->name.path[0] = 0;
		memcpy(u->name.path + 1, text, ABSTRACT_DIGITS);
	} while (find_named(&u->name, NULL) != NULL);
}

/* inode: the path's, its reference is taken; NULL: abstract. */
static int take_name(struct unix_socket *u, const struct socket_address *a, struct inode *inode)
{
	if (u->has_name)
		return -EINVAL;
	if (a->path_bytes != 0 && inode == NULL && find_named(a, NULL) != NULL)
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

static int unix_bind(struct socket *s, const struct socket_address *a)
{
	char path[SOCKET_PATH_MAX + 1];
	struct vfs_at at = { .path = path };
	struct inode *inode = NULL;
	int error = 0;

	if (a->family != SOCKET_UNIX)
		return -EINVAL;
	if (unix_of(s)->has_name)
		return -EINVAL;
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

static int unix_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct unix_socket *u = unix_of(s);
	int error = 0;

	net_lock();
	if (!peer)
		*out = u->name;
	else if (u->peer != NULL)
		*out = u->peer->name;
	else
		error = -ENOTCONN;
	net_unlock_batch();
	return error;
}

/* ------------------------------------------------------------------ connections */
static int unix_listen(struct socket *s, int backlog)
{
	struct unix_socket *u = unix_of(s);
	int error = 0;

	net_lock();
	if (s->type == SOCKET_DATAGRAM)
		error = -EOPNOTSUPP;
	else if (!u->has_name || u->phase == UNIX_CONNECTED)
		error = -EINVAL;
	if (error == 0) {
		u->phase = UNIX_LISTENING;
		u->backlog = backlog;
		waitq_wake_all(&s->waitq);
	}
	net_unlock();
	return error;
}

/* The queue's reference goes to the caller. */
static struct unix_socket *take_child(struct unix_socket *u)
{
	struct unix_socket *child = TAILQ_FIRST(&u->accept_queue);

	if (child == NULL)
		return NULL;
	TAILQ_REMOVE(&u->accept_queue, child, accept_link);
	u->accept_count--;
	return child;
}

static int unix_accept(struct socket *s, bool nonblock, struct socket **out,
	struct socket_address *peer)
{
	struct unix_socket *u = unix_of(s), *child = NULL;
	uint64_t deadline_ns;
	int error = s->type == SOCKET_DATAGRAM ? -EOPNOTSUPP : 0;

	net_lock();
	deadline_ns = socket_deadline_ns(s->receive_timeout_ns);
	while (error == 0 && (child = take_child(u)) == NULL) {
		if (u->phase != UNIX_LISTENING)
			error = -EINVAL;
		else
			error = nonblock ? -EAGAIN : socket_wait_locked(s, deadline_ns);
	}
	if (error == 0) {
		peer->family = SOCKET_UNIX;
		if (child->peer != NULL)
			*peer = child->peer->name;
		*out = &child->base;
		waitq_wake_all(&s->waitq); /* those who wait to connect */
	}
	net_unlock();
	return error;
}

/* Until the listener has room: the new server's end is queued and joined. */
static int connect_stream(struct unix_socket *u, struct unix_socket *listener,
	struct unix_socket *server, bool nonblock)
{
	uint64_t deadline_ns = socket_deadline_ns(u->base.send_timeout_ns);
	int error;

	for (;;) {
		if (u->phase != UNIX_FRESH)
			return u->phase == UNIX_CONNECTED ? -EISCONN : -EINVAL;
		if (listener->phase != UNIX_LISTENING)
			return -ECONNREFUSED;
		if (listener->accept_count <= listener->backlog)
			break;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_locked(&listener->base, deadline_ns);
		if (error != 0)
			return error;
	}
	server->name = listener->name;
	join(u, server);
	TAILQ_INSERT_TAIL(&listener->accept_queue, server, accept_link);
	listener->accept_count++;
	socket_get_locked(&server->base);
	socket_notify_locked(&listener->base, EPOLLIN);
	return 0;
}

static int connect_to(struct unix_socket *u, struct unix_socket *other, bool nonblock)
{
	struct unix_socket *server = NULL;
	int error = other->base.type == u->base.type ? 0 : -EPROTOTYPE;

	if (error == 0 && u->base.type != SOCKET_DATAGRAM) {
		server = new_unix(u->base.type);
		error = server == NULL ? -ENOMEM : 0;
	}
	net_lock();
	if (error == 0 && server != NULL)
		error = connect_stream(u, other, server, nonblock);
	else if (error == 0)
		unix_set_peer_locked(u, other);
	if (server != NULL)
		socket_put_locked(&server->base);
	socket_put_locked(&other->base); /* unix_find's */
	net_unlock();
	return error;
}

static int unix_connect(struct socket *s, const struct socket_address *a, bool nonblock)
{
	struct unix_socket *u = unix_of(s), *other;
	int error;

	if (a->family != SOCKET_UNSPEC) {
		error = unix_find(a, &other);
		return error != 0 ? error : connect_to(u, other, nonblock);
	}
	if (s->type != SOCKET_DATAGRAM)
		return -EINVAL;
	net_lock();
	unix_set_peer_locked(u, NULL);
	net_unlock();
	return 0;
}

static int unix_shut_down(struct socket *s, enum socket_shutdown how)
{
	struct unix_socket *u = unix_of(s);
	int error = 0;

	net_lock();
	if (u->peer == NULL && !u->peer_closed) {
		error = -ENOTCONN;
	} else {
		s->write_shut |= how != SOCKET_SHUT_READ;
		s->read_shut |= how != SOCKET_SHUT_WRITE;
		socket_notify_locked(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
	/* The other end of a connection sees the same from its side. */
	if (error == 0 && u->peer != NULL && s->type != SOCKET_DATAGRAM) {
		u->peer->base.read_shut |= how != SOCKET_SHUT_READ;
		u->peer->base.write_shut |= how != SOCKET_SHUT_WRITE;
		socket_notify_locked(&u->peer->base, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
	net_unlock();
	return error;
}

/* ------------------------------------------------------------------ ending */
/* Everybody who has u as peer has none any more. */
static void leave_senders(struct unix_socket *u)
{
	bool unread = !STAILQ_EMPTY(&u->messages);
	struct unix_socket *other;

	while ((other = LIST_FIRST(&u->senders)) != NULL) {
		other->peer_closed = true;
		if (other->base.type != SOCKET_DATAGRAM) {
			other->base.read_shut = other->base.write_shut = true;
			if (unread)
				other->base.error = -ECONNRESET;
		}
		unix_set_peer_locked(other, NULL);
		socket_notify_locked(&other->base, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
}

static void close_locked(struct unix_socket *u)
{
	struct unix_socket *child;

	while ((child = take_child(u)) != NULL) {
		leave_senders(child);
		unix_set_peer_locked(child, NULL);
		unix_drop_messages_locked(child);
		socket_put_locked(&child->base);
	}
	if (u->has_name)
		LIST_REMOVE(u, named_link);
	u->has_name = false;
	u->phase = UNIX_FRESH;
	leave_senders(u);
	unix_set_peer_locked(u, NULL);
	unix_drop_messages_locked(u);
	waitq_wake_all(&u->base.waitq);
	socket_put_locked(&u->base);
}

static void unix_close(struct socket *s)
{
	net_lock();
	close_locked(unix_of(s));
	net_unlock();
}

static void unix_free(struct socket *s)
{
	struct unix_socket *u = unix_of(s);

	if (u->inode != NULL)
		inode_put(u->inode);
	kmem_free(u);
}

static int unix_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	struct unix_socket *u = unix_of(s);

	switch (o) {
	case SOCKET_OPT_ACCEPTCONN:
		*value = u->phase == UNIX_LISTENING;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.get_name = unix_get_name,
	.shut_down = unix_shut_down,
	.send = unix_send,
	.receive = unix_receive,
	.poll_locked = unix_poll_locked,
	.get_option_locked = unix_get_option_locked,
	.close = unix_close,
	.free = unix_free,
};
