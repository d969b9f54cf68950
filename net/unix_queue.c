/*
 * unix_queue.c: the queues of UNIX sockets: what fits, what goes, who hears of it.
 *
 * What:       two bounds: what is on its way from a socket counts against its own buffer, and a
 *             datagram socket takes so many messages from those that are not its peer.
 * Invariants: (1) messages are taken by one reader at a time ("in read"), so the first one stays
 *             while it is copied. (2) what is queued counts against the sender's buffer.
 *             (3) who was refused for want of room hears of it when there is some.
 * Locking:    LOCK_NET.
 * Failure:    none.
 * Source:     Linux net/unix/af_unix.c (unix_recvq_full, unix_dgram_poll, unix_write_space),
 *             net.unix.max_dgram_qlen in ip-sysctl.rst.
 */
#include <linux/eventpoll.h>

#include "net/net_priv.h"
#include "net/unix_priv.h"

#define QUEUE_MESSAGES 10u /* one more fits; told in /proc/sys/net/unix/max_dgram_qlen */

uint64_t unix_limit_bytes_locked(const struct unix_socket *u)
{
	return 2 * (uint64_t)u->base.send_buffer_bytes;
}

static bool has_space(const struct unix_socket *u)
{
	return 4 * u->outbound_bytes <= unix_limit_bytes_locked(u);
}

bool unix_is_full_locked(const struct unix_socket *u, const struct unix_socket *to)
{
	return to->base.type == SOCKET_DATAGRAM && to != u && to->peer != u &&
		to->message_count > QUEUE_MESSAGES;
}

/* ------------------------------------------------------------------ a message's end */
uint64_t unix_cost_bytes(const struct unix_message *message)
{
	return message->bytes + (uint64_t)UNIX_COST_BYTES;
}

/* (3): those that sleep in a send to u, and those that have u for peer and poll. */
static void tell_senders(struct unix_socket *u)
{
	struct unix_socket *sender;

	waitq_wake_all(&u->base.waitq);
	LIST_FOREACH(sender, &u->senders, peer_link) {
		if (!sender->was_full)
			continue;
		sender->was_full = false;
		socket_notify_locked(&sender->base, EPOLLOUT);
	}
}

/* It is in no queue any more. The sender has more room: who waits there hears of it when there is
 * enough. */
static void drop_message(struct unix_socket *u, struct unix_message *message)
{
	struct unix_socket *sender = message->sender;
	bool notify = !has_space(sender) || sender->was_full;

	u->message_count--;
	sender->outbound_bytes -= unix_cost_bytes(message);
	if (notify && has_space(sender)) {
		sender->was_full = false;
		socket_notify_locked(&sender->base, EPOLLOUT);
	}
	socket_put_locked(&sender->base);
	unix_rights_drop_locked(message);
	if (u->base.type == SOCKET_DATAGRAM && u->message_count == QUEUE_MESSAGES)
		tell_senders(u);
}

void unix_drop_first_locked(struct unix_socket *u)
{
	struct unix_message *message = STAILQ_FIRST(&u->messages);

	STAILQ_REMOVE_HEAD(&u->messages, link);
	drop_message(u, message);
}

void unix_drop_messages_locked(struct unix_socket *u)
{
	struct unix_message *first = STAILQ_FIRST(&u->messages), *message;

	/* (1): the one that is being copied stays for its reader. */
	while (first != NULL && (message = STAILQ_NEXT(first, link)) != NULL) {
		STAILQ_REMOVE_AFTER(&u->messages, first, link);
		drop_message(u, message);
	}
	if (first != NULL && !u->base.read_busy)
		unix_drop_first_locked(u);
}

uint32_t unix_inbound_bytes_locked(const struct unix_socket *u)
{
	const struct unix_message *message;
	uint32_t bytes = 0;

	STAILQ_FOREACH(message, &u->messages, link) {
		bytes += message->bytes - message->done_bytes;
		if (u->base.type == SOCKET_DATAGRAM)
			break;
	}
	return bytes;
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
	if (u->peer != NULL && unix_is_full_locked(u, u->peer))
		u->was_full = true;
	else if (has_space(u))
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return events;
}
