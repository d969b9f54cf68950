/*
 * unix_io.c: the bytes of UNIX sockets.
 *
 * What:       a write becomes a message in the receiver's queue. Streams are written in pieces and
 *             read across them; datagrams and records are whole.
 * Invariants: (1) messages are taken by one reader at a time ("in read"), so the first one stays
 *             while it is copied. (2) what is queued counts against the sender's buffer.
 *             (3) files in a queue are counted (unix_rights.c) from deliver to their reader.
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
#define OVERFLOW_ID 65534u /* Linux's overflowuid: who a message without credentials is from */

/* ------------------------------------------------------------------ sending */
static int judge_send(struct unix_socket *u, const struct unix_socket *to)
{
	struct socket *s = &u->base;

	if (s->type != SOCKET_DATAGRAM && to == NULL && !u->peer_closed)
		return -ENOTCONN;
	if (s->error != 0 && s->type == SOCKET_DATAGRAM)
		return socket_take_error_locked(s);
	if (s->write_shut || u->peer_closed)
		return -EPIPE;
	if (to == NULL)
		return -ENOTCONN;
	if (s->type != SOCKET_DATAGRAM)
		return 0;
	if (to->closed)
		return -ECONNREFUSED;
	if (!unix_may_send_locked(u, to))
		return -EPERM;
	return to->base.read_shut ? -EPIPE : 0;
}

/* Until less is on the way than the buffer holds: then one more message may go. */
static int wait_space(struct unix_socket *u, struct unix_socket *to, bool nonblock,
	uint64_t deadline_ns)
{
	bool full;
	int error;

	for (;;) {
		/* A connection that ended while this slept has no peer any more. */
		error = judge_send(u, u->base.type == SOCKET_DATAGRAM ? to : u->peer);
		full = unix_is_full_locked(u, to);
		if (error != 0 || (!full && u->outbound_bytes < unix_limit_bytes_locked(u)))
			return error;
		u->was_full |= full;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_outside_locked(&u->base, &u->base.write_busy,
			full ? &to->base : &u->base, deadline_ns);
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
	copied = uio_copy_all_from(m->data, message->data, bytes);
	if (copied < 0) {
		kmem_free(message);
		return (int)copied;
	}
	message->bytes = (uint32_t)copied;
	message->done_bytes = 0;
	*out = message;
	return 0;
}

/* Credentials go along when either end asked for them, or they were given. */
static struct socket_credentials choose_credentials(const struct unix_socket *u,
	const struct unix_socket *to, const struct socket_message *m)
{
	if (m->has_credentials)
		return m->credentials;
	if (u->base.want_credentials || to->base.want_credentials)
		return unix_own_credentials();
	return (struct socket_credentials){ 0, OVERFLOW_ID, OVERFLOW_ID };
}

/* Files go with the first message of a call. */
static void deliver(struct unix_socket *u, struct unix_socket *to, struct socket_message *m,
	struct unix_message *message)
{
	message->from = u->name;
	message->arrived_ns = net_now_ns();
	message->credentials = choose_credentials(u, to, m);
	message->files = m->files;
	m->files = NULL;
	unix_rights_depart_locked(message);
	message->sender = u;
	socket_get_locked(&u->base);
	u->outbound_bytes += unix_cost_bytes(message);
	STAILQ_INSERT_TAIL(&to->messages, message, link);
	to->message_count++;
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
	if (error == 0)
		error = unix_rights_check_locked(m->files);
	if (error != 0) {
		kmem_free(message);
		return error;
	}
	deliver(u, to, m, message);
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
		n = wait_space(u, to, nonblock, deadline_ns);
		if (n == 0)
			n = send_piece(u, to, m, MIN(unix_limit_bytes_locked(u) / 2, PIECE_BYTES));
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
	uint64_t bytes = m->data->left_bytes;
	int error;

	if (bytes + UNIX_COST_BYTES > unix_limit_bytes_locked(u))
		return -EMSGSIZE;
	error = wait_space(u, to, nonblock, socket_deadline_ns(u->base.send_timeout_ns));
	return error != 0 ? error : send_piece(u, to, m, bytes);
}

/* Who may not send at all hears of it before anybody is looked for. */
static int judge_sender(struct unix_socket *u)
{
	int error;

	net_lock();
	error = socket_take_error_locked(&u->base);
	if (error == 0 && u->base.write_shut)
		error = -EPIPE;
	net_unlock_batch();
	return error;
}

/* Where a datagram or record goes, with a reference. */
static int find_receiver(struct unix_socket *u, const struct socket_message *m,
	struct unix_socket **out)
{
	bool datagram = u->base.type == SOCKET_DATAGRAM;
	int error = datagram ? judge_sender(u) : 0;

	if (error != 0)
		return error;
	if (m->has_address && datagram)
		return unix_find(&m->address, SOCKET_DATAGRAM, out);
	net_lock();
	*out = u->peer;
	if (*out != NULL)
		socket_get_locked(&(*out)->base);
	else if (!u->peer_closed)
		error = -ENOTCONN;
	else
		error = datagram ? -ECONNREFUSED : -EPIPE;
	if (datagram)
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
	if (s->type != SOCKET_STREAM)
		result = find_receiver(u, m, &to);
	if (result != 0)
		return result;
	net_lock();
	if (s->want_credentials)
		unix_bind_any_locked(u);
	socket_enter_locked(s, &s->write_busy);
	result = to == NULL ? send_stream(u, m, nonblock) : send_whole(u, to, m, nonblock);
	socket_leave_locked(s, &s->write_busy);
	if (to != NULL)
		socket_put_locked(&to->base);
	net_unlock();
	return result;
}

/* ------------------------------------------------------------------ receiving */
struct reader {
	unsigned flags; /* enum socket_message_flag */
	bool nonblock;
	uint64_t deadline_ns;
	uint64_t skip_bytes; /* of what is found: SO_PEEK_OFF */
};

static struct reader make_reader(struct unix_socket *u, const struct socket_message *m,
	bool nonblock)
{
	return (struct reader){ m->flags, nonblock, socket_deadline_ns(u->base.receive_timeout_ns),
		0 };
}

/* Who peeks with an offset looks beyond what it has seen. */
static struct unix_message *find_message(struct unix_socket *u, struct reader *r)
{
	uint64_t skip = socket_peek_offset_locked(&u->base, r->flags), bytes;
	struct unix_message *message;

	STAILQ_FOREACH(message, &u->messages, link) {
		bytes = message->bytes - message->done_bytes;
		if (skip == 0 || skip < bytes)
			break;
		skip -= bytes;
	}
	r->skip_bytes = skip;
	return message;
}

/* *out is NULL at the end. */
static int wait_message(struct unix_socket *u, struct reader *r, struct unix_message **out)
{
	struct socket *s = &u->base;
	int error;

	while ((*out = find_message(u, r)) == NULL) {
		if (s->type != SOCKET_DATAGRAM && u->phase != UNIX_CONNECTED)
			return s->type == SOCKET_STREAM ? -EINVAL : -ENOTCONN;
		if (s->error != 0)
			return socket_take_error_locked(s);
		if (s->read_shut && !(s->type == SOCKET_DATAGRAM && r->nonblock))
			return 0; /* datagrams as Linux: who does not wait is not told */
		if (r->nonblock)
			return -EAGAIN;
		error = socket_wait_outside_locked(s, &s->read_busy, s, r->deadline_ns);
		if (error != 0)
			return error;
	}
	return 0;
}

static long copy_message(struct socket_message *m, const struct unix_message *message,
	uint32_t offset_bytes)
{
	uint64_t bytes = MIN((uint64_t)message->bytes - offset_bytes, m->data->left_bytes);
	long copied;

	net_unlock();
	copied = uio_copy_all_to(m->data, message->data + offset_bytes, bytes);
	net_lock();
	return copied;
}

static void tell_sender(struct socket_message *m, const struct unix_message *message)
{
	m->has_address = message->from.path_bytes != 0;
	m->address = message->from;
}

/* What goes with a message goes to its first reader; who peeks gets references of his own. */
static int take_along(const struct unix_socket *u, struct socket_message *m,
	struct unix_message *message, bool peek)
{
	m->has_credentials = u->base.want_credentials;
	m->credentials = message->credentials;
	if (message->files == NULL)
		return 0;
	m->files = peek ? unix_rights_copy_locked(message->files)
			: unix_rights_arrive_locked(message);
	return m->files == NULL ? -ENOMEM : 0;
}

static long receive_whole(struct unix_socket *u, struct socket_message *m, bool nonblock)
{
	bool peek = (m->flags & SOCKET_MSG_PEEK) != 0;
	struct reader r = make_reader(u, m, nonblock);
	struct unix_message *message;
	long copied = wait_message(u, &r, &message);
	int error;

	if (copied != 0 || message == NULL)
		return copied;
	m->datagram_bytes = message->bytes - r.skip_bytes;
	m->truncated = m->datagram_bytes > m->data->left_bytes;
	tell_sender(m, message);
	m->has_timestamp = u->base.want_timestamp;
	m->timestamp_in_ns = u->base.want_timestamp_ns;
	m->arrived_ns = message->arrived_ns;
	copied = copy_message(m, message, (uint32_t)r.skip_bytes);
	error = copied < 0 ? 0 : take_along(u, m, message, peek);
	if (copied >= 0)
		socket_move_peek_offset_locked(&u->base, m->flags,
			peek ? (uint64_t)copied : message->bytes);
	if (!peek)
		unix_drop_first_locked(u);
	return error != 0 ? error : copied;
}

static bool is_same_sender(const struct socket_message *m, const struct unix_message *message)
{
	return m->credentials.pid == message->credentials.pid &&
		m->credentials.uid == message->credentials.uid &&
		m->credentials.gid == message->credentials.gid;
}

struct stream_reader {
	struct reader r;
	struct unix_message *at; /* the message to read; NULL: none yet */
	long total; /* bytes read */
	long enough; /* with so many it waits for no more */
};

/* Reads from one message. 0: it is the end, or what follows may not be joined to what was read. */
static long read_piece(struct unix_socket *u, struct socket_message *m, struct stream_reader *r)
{
	bool peek = (m->flags & SOCKET_MSG_PEEK) != 0;
	struct unix_message *message = r->at;
	long n = 0;
	int error;

	if (message == NULL && r->total < r->enough)
		n = wait_message(u, &r->r, &message);
	if (n != 0 || message == NULL)
		return n;
	if (r->total != 0 && m->has_credentials && !is_same_sender(m, message))
		return 0;
	if (r->total == 0)
		tell_sender(m, message);
	n = copy_message(m, message, message->done_bytes + (uint32_t)r->r.skip_bytes);
	if (n <= 0)
		return n;
	error = take_along(u, m, message, peek);
	if (error != 0)
		return error;
	socket_move_peek_offset_locked(&u->base, m->flags, (uint64_t)n);
	r->at = STAILQ_NEXT(message, link);
	r->r.skip_bytes = 0;
	if (peek)
		return n;
	message->done_bytes += (uint32_t)n;
	if (message->done_bytes == message->bytes)
		unix_drop_first_locked(u);
	return n;
}

static long receive_stream(struct unix_socket *u, struct socket_message *m, bool nonblock)
{
	struct stream_reader r = { .r = make_reader(u, m, nonblock) };
	uint64_t room = m->data->left_bytes;
	long n;

	/* SO_RCVLOWAT and MSG_WAITALL; who peeks takes what there is. */
	r.enough = (long)MAX(room, 1ul);
	if ((m->flags & SOCKET_MSG_WAITALL) == 0)
		r.enough = MIN((long)u->base.receive_lowat_bytes, r.enough);
	if ((m->flags & SOCKET_MSG_PEEK) != 0)
		r.enough = 1;
	do {
		n = read_piece(u, m, &r);
		if (n <= 0)
			break;
		r.total += n;
	} while (m->data->left_bytes != 0 && m->files == NULL); /* nothing joins behind files */
	return r.total != 0 ? r.total : n;
}

long unix_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	struct unix_socket *u = unix_of(s);
	long result;

	m->has_address = false;
	net_lock();
	socket_enter_locked(s, &s->read_busy);
	result = s->type == SOCKET_STREAM ? receive_stream(u, m, nonblock)
					  : receive_whole(u, m, nonblock);
	socket_leave_locked(s, &s->read_busy);
	net_unlock();
	unix_rights_settle();
	return result;
}
