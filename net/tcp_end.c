/*
 * tcp_end.c: how a TCP socket ends: shutdown, close, disconnect.
 *
 * What:       after close the socket lives on without a file until lwIP has delivered its bytes and
 *             its FIN, and through TIME_WAIT.
 * Invariants: (1) bytes that nobody read are told to the peer, with a reset. (2) what a thread
 *             copies, unlocked, stays until it is done (net/tcp_io.c, net/tcp_receive.c).
 * Locking:    LOCK_NET. May sleep: close, with SO_LINGER.
 * Failure:    -ENOTCONN.
 * Source:     RFC 9293, RFC 2525 2.17; Linux net/ipv4/{tcp,af_inet}.c (tcp_close, tcp_disconnect,
 *             inet_shutdown).
 */
#include <linux/eventpoll.h>

#include "base/errno.h"
#include "base/units.h"
#include "kernel/process.h"
#include "net/counters.h"
#include "net/net_priv.h"
#include "net/tcp_socket_priv.h"

#include <lwip/priv/tcp_priv.h>

static int shut_write(struct tcp_socket *t)
{
	struct socket *s = &t->inet.base;

	if (s->write_shut)
		return 0;
	s->write_shut = true;
	if (!tcp_can_send_locked(t))
		return 0;
	t->fin_sent = true;
	tcp_select_locked(t);
	return net_errno(tcp_shutdown(t->pcb, 0, 1));
}

/* At once and for good, so that nothing of the connection is left when the next one begins: (2). */
void tcp_disconnect_locked(struct tcp_socket *t)
{
	struct socket *s = &t->inet.base;
	bool was_open = t->pcb != NULL && t->pcb->state != TIME_WAIT;

	t->aborting = true;
	tcp_drop_received_locked(t);
	if (t->pcb != NULL) {
		tcp_select_locked(t);
		tcp_abandon(t->pcb, was_open && t->pcb->state != SYN_SENT);
	}
	port_release(&t->inet.port);
	t->phase = TCP_FRESH;
	s->error = was_open ? -ECONNRESET : 0; /* as Linux: its user may not know */
	s->read_shut = s->write_shut = false;
	socket_notify_locked(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
}

int tcp_shut_down(struct socket *s, enum socket_shutdown how)
{
	struct tcp_socket *t = tcp_of(s);
	int error = 0;

	net_lock();
	if (t->phase == TCP_LISTENING) {
		if (how != SOCKET_SHUT_WRITE) {
			tcp_stop_listening_locked(t);
			socket_notify_locked(s, EPOLLIN | EPOLLHUP);
		}
	} else if (t->phase == TCP_CONNECTING) {
		tcp_disconnect_locked(t);
	} else if (t->phase != TCP_CONNECTED || t->pcb == NULL) {
		error = -ENOTCONN;
	} else {
		if (how != SOCKET_SHUT_READ)
			error = shut_write(t);
		if (how != SOCKET_SHUT_WRITE)
			s->read_shut = true;
		socket_notify_locked(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
	net_unlock();
	return error;
}

/* No user any more. Bytes that were not read: the peer is told (RFC 2525 2.17). */
void tcp_stop_locked(struct tcp_socket *t)
{
	bool unread = t->rx_bytes != 0;

	t->aborting = true;
	tcp_drop_received_locked(t);
	if (t->pcb == NULL) {
		port_release(&t->inet.port);
		return;
	}
	tcp_select_locked(t);
	t->pcb->rcv_wnd = TCP_WND_MAX(t->pcb); /* all was read: lwIP goes by this */
	t->pcb->tmr = tcp_ticks; /* or a connection that was idle would not wait for its last ACK */
	if (t->pcb->state != TIME_WAIT && (unread || t->inet.base.linger_s == 0)) {
		counters_see_tcp_abort_locked(t->pcb, unread);
		tcp_abort(t->pcb);
	} else {
		tcp_close(t->pcb);
	}
	t->aborting = t->pcb == NULL;
}

/* Are bytes or the FIN still to be acknowledged? */
static bool is_lingering(const struct tcp_socket *t)
{
	return t->pcb != NULL &&
		(t->pcb->state == FIN_WAIT_1 || t->pcb->state == CLOSING ||
			t->pcb->state == LAST_ACK || t->pcb->unsent != NULL ||
			t->pcb->unacked != NULL);
}

/* SO_LINGER with a time: until all is acknowledged. A signal or the time's end leaves the rest to
 * the background, as without the option. */
static void linger(struct tcp_socket *t)
{
	struct socket *s = &t->inet.base;
	uint64_t deadline_ns = net_now_ns() + (uint64_t)s->linger_s * NS_PER_S;

	while (is_lingering(t) && !process_is_ending())
		if (socket_wait_locked(s, deadline_ns) != 0)
			return;
}

void tcp_acked_after_close_locked(struct tcp_pcb *pcb)
{
	struct tcp_socket *t = pcb->callback_arg;

	if (t != NULL && t->pcb == pcb && t->closed)
		socket_notify_locked(&t->inet.base, 0);
}

void tcp_close_file(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);

	net_lock();
	t->closed = true;
	if (t->phase == TCP_LISTENING)
		tcp_stop_listening_locked(t);
	else
		tcp_stop_locked(t);
	if (s->linger_s > 0)
		linger(t);
	socket_put_locked(s);
	net_unlock();
}
