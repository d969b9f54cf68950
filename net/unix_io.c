/*
 * unix_io.c: the bytes of UNIX sockets.
 *
 * What:       a write becomes a message in the receiver's queue. Streams are written in pieces and
 *             read across them; datagrams and records are whole.
 * Invariants: (1) messages are taken by one reader at a time ("in read"), so the first one stays
 *             while it is copied. (2) what is queued counts against the sender's buffer.
 * Locking:    LOCK_NET, never while copying. May sleep: both.
 * Failure:    -EAGAIN, -EPIPE, -ECONNRESET, -ENOTCONN, -EMSGSIZE; a partial count goes first.
 * Source:     Linux net/unix/af_unix.c.
 */
#include <linux/eventpoll.h>

#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "net/net_priv.h"
#include "net/unix_priv.h"

#define PIECE_BYTES 32000u
#define COST_BYTES 256u /* of a message besides its bytes */

void unix_drop_messages_locked(struct unix_socket *u)
{
	struct unix_message *m;

	while ((m = STAILQ_FIRST(&u->messages)) != NULL) {
		STAILQ_REMOVE_HEAD(&u->messages, link);
		kmem_free(m);
	}
	u->queued_bytes = 0;
}

/* ------------------------------------------------------------------ sending */
static uint64_t limit_bytes(const struct unix_socket *u)
{
	return 2 * (uint64_t)u->base.send_buffer_bytes;
}

static uint64_t space_bytes(const struct unix_socket *u, const struct unix_socket *to)
{
	uint64_t used = to->queued_bytes + COST_BYTES;

	return used >= limit_bytes(u) ? 0 : limit_bytes(u) - used;
}

static bool has_space(const struct unix_socket *u, const struct unix_socket *to)
{
	return 3 * space_bytes(u, to) >= limit_bytes(u);
}

static int judge_send(struct unix_socket *u, const struct unix_socket *to)
{
	struct socket *s = &u->base;

	if (s->error != 0 && s->type == SOCKET_DATAGRAM)
		return socket_take_error_locked(s);
	if (s->write_shut || u->peer_closed)
		return -EPIPE;
	if (to == NULL)
		return -ENOTCONN;
	return to->base.type == SOCKET_DATAGRAM && to->base.read_shut ? -EPIPE : 0;
}

/* Until bytes (0: any number) fit: how many do, or -errno. */
static long wait_space(struct unix_socket *u, struct unix_socket *to, uint64_t bytes, bool nonblock,
	uint64_t deadline_ns)
{
	uint64_t space;
	int error;

	for (;;) {
		/* A connection that ended while this slept has no peer any more. */
		error = judge_send(u, u->base.type == SOCKET_DATAGRAM ? to : u->peer);
		if (error != 0)
			return error;
		space = space_bytes(u, to);
		if (space >= MAX(bytes, 1u) || (bytes != 0 && to->queued_bytes == 0))
			return (long)MAX(space, bytes);
		u->want_space = true;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_locked(&to->base, deadline_ns);
		if (error != 0)
			return error;
	}
}

static int load_message(struct socket_message *m, uint64_t bytes, struct unix_message **out)
{
	struct unix_message *message = kmem_alloc(sizeof(*message) + bytes);
	long copied;

	if (message == NULL)
		return -ENOBUFS;
	copied = bytes == 0 ? 0 : uio_copy_from(m->data, message->data, bytes);
	if (copied < 0 || (copied == 0 && bytes != 0)) {
		kmem_free(message);
		return -EFAULT;
	}
	message->bytes = (uint32_t)copied;
	message->done_bytes = 0;
	*out = message;
	return 0;
}

static void deliver(struct unix_socket *u, struct unix_socket *to, struct unix_message *message)
{
	message->from = u->name;
	STAILQ_INSERT_TAIL(&to->messages, message, link);
	to->queued_bytes += message->bytes + (uint64_t)COST_BYTES;
	socket_notify_locked(&to->base, EPOLLIN);
}

/* One message, of at most bytes: entered and left with the lock held, which is given up to copy. */
static long send_piece(struct unix_socket *u, struct unix_socket *to, struct socket_message *m,
	uint64_t bytes)
{
	struct unix_message *message = NULL;
	int error;

	net_unlock();
	error = load_message(m, MIN(bytes, m->data->left_bytes), &message);
	net_lock();
	if (error == 0)
		error = judge_send(u, u->base.type == SOCKET_DATAGRAM ? to : u->peer);
	if (error != 0) {
		kmem_free(message);
		return error;
	}
	deliver(u, to, message);
	return message->bytes;
}

static long send_stream(struct unix_socket *u, struct socket_message *m, bool nonblock)
{
	uint64_t deadline_ns = socket_deadline_ns(u->base.send_timeout_ns);
	struct unix_socket *to = u->peer;
	long total = 0, n = judge_send(u, to);

	if (n != 0)
		return n;
	socket_get_locked(&to->base);
	while (m->data->left_bytes != 0) {
		n = wait_space(u, to, 0, nonblock, deadline_ns);
		if (n > 0)
			n = send_piece(u, to, m, MIN((uint64_t)n, PIECE_BYTES));
		if (n < 0)
			break;
		total += n;
	}
	socket_put_locked(&to->base);
	return total != 0 || n >= 0 ? total : n;
}

static long send_whole(struct unix_socket *u, struct unix_socket *to, struct socket_message *m,
	bool nonblock)
{
	uint64_t deadline_ns = socket_deadline_ns(u->base.send_timeout_ns);
	uint64_t bytes = m->data->left_bytes;
	long n;

	if (bytes + COST_BYTES > limit_bytes(u))
		return -EMSGSIZE;
	n = wait_space(u, to, bytes, nonblock, deadline_ns);
	return n < 0 ? n : send_piece(u, to, m, bytes);
}

/* Where a datagram or record goes, with a reference. */
static int find_receiver(struct unix_socket *u, const struct socket_message *m,
	struct unix_socket **out)
{
	int error = 0;

	if (m->has_address && u->base.type == SOCKET_DATAGRAM) {
		error = unix_find(&m->address, out);
		if (error == 0 && (*out)->base.type != SOCKET_DATAGRAM) {
			net_lock();
			socket_put_locked(&(*out)->base);
			net_unlock();
			error = -EPROTOTYPE;
		}
		return error;
	}
	net_lock();
	*out = u->peer;
	if (*out != NULL)
		socket_get_locked(&(*out)->base);
	else if (!u->peer_closed)
		error = -ENOTCONN;
	else
		error = u->base.type == SOCKET_DATAGRAM ? -ECONNREFUSED : -EPIPE;
	if (u->base.type == SOCKET_DATAGRAM)
		u->peer_closed = false; /* said once */
	net_unlock();
	return error;
}

long unix_send(struct socket *s, struct socket_message *m, bool nonblock)
{
	struct unix_socket *u = unix_of(s), *to = NULL;
	long result = 0;

	if (s->type == SOCKET_STREAM && m->has_address)
		return u->peer != NULL ? -EISCONN : -EOPNOTSUPP;
	if (s->type == SOCKET_STREAM && m->data->left_bytes == 0)
		return 0;
	if (s->type != SOCKET_STREAM)
		result = find_receiver(u, m, &to);
	if (result != 0)
		return result;
	net_lock();
	result = socket_enter_write_locked(s);
	if (result == 0) {
		result = to == NULL ? send_stream(u, m, nonblock) : send_whole(u, to, m, nonblock);
		socket_leave_write_locked(s);
	}
	if (to != NULL)
		socket_put_locked(&to->base);
	net_unlock();
	return result;
}

/* ------------------------------------------------------------------ receiving */
/* Room came: those who send here and were told to wait. */
static void tell_senders(struct unix_socket *u)
{
	struct unix_socket *other;

	waitq_wake_all(&u->base.waitq);
	LIST_FOREACH(other, &u->senders, peer_link) {
		if (!other->want_space || !has_space(other, u))
			continue;
		other->want_space = false;
		socket_notify_locked(&other->base, EPOLLOUT);
	}
}

static void drop_first(struct unix_socket *u)
{
	struct unix_message *message = STAILQ_FIRST(&u->messages);

	STAILQ_REMOVE_HEAD(&u->messages, link);
	u->queued_bytes -= message->bytes + (uint64_t)COST_BYTES;
	kmem_free(message);
	tell_senders(u);
}

/* *out is NULL at the end. */
static int wait_message(struct unix_socket *u, bool nonblock, uint64_t deadline_ns,
	struct unix_message **out)
{
	struct socket *s = &u->base;
	int error;

	while ((*out = STAILQ_FIRST(&u->messages)) == NULL) {
		if (s->error != 0)
			return socket_take_error_locked(s);
		if (s->read_shut)
			return 0;
		if (s->type != SOCKET_DATAGRAM && u->phase != UNIX_CONNECTED)
			return -EINVAL;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_locked(s, deadline_ns);
		if (error != 0)
			return error;
	}
	return 0;
}

static long copy_message(struct socket_message *m, const struct unix_message *message)
{
	uint64_t bytes = MIN((uint64_t)message->bytes - message->done_bytes, m->data->left_bytes);
	long copied;

	net_unlock();
	copied = bytes == 0 ? 0 : uio_copy_to(m->data, message->data + message->done_bytes, bytes);
	net_lock();
	return copied;
}

static long receive_whole(struct unix_socket *u, struct socket_message *m, bool nonblock)
{
	struct unix_message *message;
	long copied = wait_message(u, nonblock, socket_deadline_ns(u->base.receive_timeout_ns),
		&message);

	if (copied != 0 || message == NULL)
		return copied;
	m->datagram_bytes = message->bytes;
	m->truncated = message->bytes > m->data->left_bytes;
	m->has_address = u->base.type == SOCKET_DATAGRAM && message->from.path_bytes != 0;
	m->address = message->from;
	copied = copy_message(m, message);
	if ((m->flags & SOCKET_MSG_PEEK) == 0)
		drop_first(u);
	return copied;
}

static long receive_stream(struct unix_socket *u, struct socket_message *m, bool nonblock)
{
	uint64_t deadline_ns = socket_deadline_ns(u->base.receive_timeout_ns);
	bool peek = (m->flags & SOCKET_MSG_PEEK) != 0;
	bool all = (m->flags & SOCKET_MSG_WAITALL) != 0 && !peek;
	struct unix_message *message;
	long total = 0, n = 0;

	do {
		if (total != 0 && !all && STAILQ_EMPTY(&u->messages))
			break;
		n = wait_message(u, nonblock, deadline_ns, &message);
		if (n == 0 && message != NULL)
			n = copy_message(m, message);
		if (n <= 0)
			break;
		total += n;
		if (peek)
			break;
		message->done_bytes += (uint32_t)n;
		if (message->done_bytes == message->bytes)
			drop_first(u);
	} while (m->data->left_bytes != 0);
	return total != 0 ? total : n;
}

long unix_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	struct unix_socket *u = unix_of(s);
	long result;

	m->has_address = false;
	if (s->type == SOCKET_STREAM && m->data->left_bytes == 0)
		return 0;
	net_lock();
	result = socket_enter_read_locked(s);
	if (result == 0) {
		result = s->type == SOCKET_STREAM ? receive_stream(u, m, nonblock)
						  : receive_whole(u, m, nonblock);
		socket_leave_read_locked(s);
	}
	net_unlock();
	return result;
}

uint32_t unix_poll_locked(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	uint32_t events = 0;

	if (u->phase == UNIX_LISTENING)
		return u->accept_count != 0 ? EPOLLIN | EPOLLRDNORM : 0;
	if (s->error != 0)
		events |= EPOLLERR;
	if ((s->read_shut && s->write_shut) ||
		(s->type != SOCKET_DATAGRAM && u->phase != UNIX_CONNECTED))
		events |= EPOLLHUP;
	if (s->read_shut)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (!STAILQ_EMPTY(&u->messages))
		events |= EPOLLIN | EPOLLRDNORM;
	if (u->peer == NULL || has_space(u, u->peer))
		events |= EPOLLOUT | EPOLLWRNORM;
	else
		u->want_space = true;
	return events;
}
