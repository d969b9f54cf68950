/*
 * unix.c: UNIX sockets: connections, from their beginning to their end.
 *
 * What:       a connection joins two sockets as each other's peer: a pair, or a client and what
 *             a listener accepts. A datagram socket's peer need not know of it.
 * Invariants: (1) a socket that has a peer holds a reference to it and is on its list of senders.
 *             (2) of a stream's two ends each is the other's peer, until one closes.
 * Locking:    LOCK_NET. May sleep: accept, connect.
 * Failure:    Linux's errors.
 * Source:     Linux unix(7), net/unix/af_unix.c.
 */
#include <linux/eventpoll.h>

#include "base/errno.h"
#include "fs/inode.h"
#include "kernel/mm/kmem.h"
#include "net/net_priv.h"
#include "net/unix_priv.h"

static const struct socket_ops unix_ops;

static struct {
	struct unix_list all; /* [n] */
} unixes = { .all = LIST_HEAD_INITIALIZER(unixes.all) };

struct unix_list *unix_all(void)
{
	return &unixes.all;
}

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
	net_lock();
	LIST_INSERT_HEAD(&unixes.all, u, all_link);
	net_unlock_batch();
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

/* SO_PEERCRED: what it was when the connection was made. */
static void note_peer(struct unix_socket *u, struct socket_credentials credentials)
{
	u->has_peer_credentials = true;
	u->peer_credentials = credentials;
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
	if (error == 0) {
		join(unix_of(out[0]), unix_of(out[1]));
		note_peer(unix_of(out[0]), unix_own_credentials());
		note_peer(unix_of(out[1]), unix_own_credentials());
	} else {
		socket_put_locked(out[0]);
	}
	net_unlock();
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
		note_peer(u, unix_own_credentials()); /* what its clients will see */
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
		if (listener->phase != UNIX_LISTENING || listener->base.read_shut)
			return -ECONNREFUSED;
		if (u->phase != UNIX_FRESH)
			return u->phase == UNIX_CONNECTED ? -EISCONN : -EINVAL;
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
	note_peer(server, unix_own_credentials());
	note_peer(u, listener->peer_credentials);
	server->base.want_credentials = listener->base.want_credentials;
	TAILQ_INSERT_TAIL(&listener->accept_queue, server, accept_link);
	listener->accept_count++;
	socket_get_locked(&server->base);
	socket_notify_locked(&listener->base, EPOLLIN);
	return 0;
}

/* other NULL: none any more. What the old peer sent is not for reading any longer. */
static int connect_datagram(struct unix_socket *u, struct unix_socket *other)
{
	struct unix_socket *old = u->peer;
	bool loses = !STAILQ_EMPTY(&u->messages);

	if (other != NULL && !unix_may_send_locked(u, other))
		return -EPERM;
	if (old != NULL && old != other) {
		unix_drop_messages_locked(u);
		if (loses && old->peer == u) {
			old->base.error = -ECONNRESET;
			socket_notify_locked(&old->base, EPOLLERR | EPOLLIN | EPOLLOUT);
		}
	}
	unix_set_peer_locked(u, other);
	return 0;
}

static int connect_to(struct unix_socket *u, struct unix_socket *other, bool nonblock)
{
	struct unix_socket *server = NULL;
	int error = 0;

	if (u->base.type != SOCKET_DATAGRAM) {
		server = new_unix(u->base.type);
		error = server == NULL ? -ENOMEM : 0;
	}
	net_lock();
	if (error == 0 && u->base.want_credentials)
		unix_bind_any_locked(u); /* so that the peer can tell who is meant */
	if (error == 0 && server != NULL)
		error = connect_stream(u, other, server, nonblock);
	else if (error == 0)
		error = connect_datagram(u, other);
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
		error = unix_find(a, s->type, &other);
		if (error == 0)
			error = connect_to(u, other, nonblock);
	} else if (s->type == SOCKET_DATAGRAM) {
		net_lock();
		error = connect_datagram(u, NULL);
		net_unlock();
	} else {
		error = -EINVAL;
	}
	unix_rights_settle();
	return error;
}

static int unix_shut_down(struct socket *s, enum socket_shutdown how)
{
	struct unix_socket *u = unix_of(s);

	net_lock();
	s->write_shut |= how != SOCKET_SHUT_READ;
	s->read_shut |= how != SOCKET_SHUT_WRITE;
	socket_notify_locked(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	/* The other end of a connection sees the same from its side. */
	if (u->peer != NULL && s->type != SOCKET_DATAGRAM) {
		u->peer->base.read_shut |= how != SOCKET_SHUT_READ;
		u->peer->base.write_shut |= how != SOCKET_SHUT_WRITE;
		socket_notify_locked(&u->peer->base, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
	net_unlock();
	return 0;
}

/* ------------------------------------------------------------------ ending */
/* Everybody who has u as peer has none any more. reset: what was sent here is lost. */
static void leave_senders(struct unix_socket *u, bool reset)
{
	struct unix_socket *other;

	while ((other = LIST_FIRST(&u->senders)) != NULL) {
		other->peer_closed = true;
		if (other->base.type != SOCKET_DATAGRAM) {
			other->base.read_shut = other->base.write_shut = true;
			if (reset)
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
		leave_senders(child, true);
		unix_set_peer_locked(child, NULL);
		unix_drop_messages_locked(child);
		socket_put_locked(&child->base);
	}
	unix_forget_name_locked(u);
	u->closed = true;
	u->phase = UNIX_FRESH;
	leave_senders(u, !STAILQ_EMPTY(&u->messages));
	unix_set_peer_locked(u, NULL);
	unix_drop_messages_locked(u);
	waitq_wake_all(&u->base.waitq);
	socket_put_locked(&u->base);
}

static void unix_close(struct socket *s)
{
	net_lock();
	close_locked(unix_of(s));
	unix_rights_collect_locked();
	net_unlock();
	unix_rights_settle();
}

static void unix_release(struct socket *s)
{
	struct unix_socket *u = unix_of(s);

	net_lock();
	LIST_REMOVE(u, all_link);
	net_unlock_batch();
	if (u->inode != NULL)
		inode_put(u->inode);
}

static int unix_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	struct unix_socket *u = unix_of(s);

	switch (o) {
	case SOCKET_OPT_ACCEPTCONN:
		*value = u->phase == UNIX_LISTENING;
		return 0;
	case SOCKET_OPT_PASSCRED:
		*value = s->want_credentials;
		return 0;
	case SOCKET_OPT_QUEUED:
		*value = unix_inbound_bytes_locked(u);
		return u->phase == UNIX_LISTENING ? -EINVAL : 0;
	case SOCKET_OPT_UNSENT:
		*value = (int64_t)u->outbound_bytes;
		return u->phase == UNIX_LISTENING ? -EINVAL : 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int unix_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	if (o != SOCKET_OPT_PASSCRED)
		return -ENOPROTOOPT;
	s->want_credentials = value != 0;
	return 0;
}

int socket_get_peer_credentials(struct file *f, struct socket_credentials *out)
{
	const struct unix_socket *u;

	*out = (struct socket_credentials){ 0, UINT32_MAX, UINT32_MAX };
	if (!socket_is(f))
		return -ENOTSOCK;
	if (socket_family(f) != SOCKET_UNIX)
		return 0;
	u = unix_of(socket_of(f));
	net_lock();
	if (u->has_peer_credentials)
		*out = u->peer_credentials;
	net_unlock_batch();
	return 0;
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
	.set_option_locked = unix_set_option_locked,
	.get_option_locked = unix_get_option_locked,
	.close = unix_close,
	.release = unix_release,
	.has_peek_offset = true,
	.urgent_error = -EOPNOTSUPP,
};
