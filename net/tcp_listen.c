/*
 * tcp_listen.c: listening TCP sockets: half-open connections, the accept queue.
 *
 * What:       lwIP calls half_open for each SYN and accepted when its handshake is complete; the
 *             new connection waits in the listener's queue as a socket of its own.
 * Invariants: (1) a listener's queue and its half-open connections exceed backlog + 1 only by those
 *             whose cookie came back: a SYN too many gets a cookie (net/tcp_cookie.c), or none when
 *             the queue itself is full. (2) a half-open pcb holds one reference to its listener.
 * Locking:    LOCK_NET. May sleep: accept.
 * Failure:    -EADDRINUSE, -EINVAL, -ENOMEM; accept: -EAGAIN.
 * Source:     Linux listen(2), accept(2), net/ipv4/inet_connection_sock.c; lwIP 2.1.3 tcp.h.
 */
#include <linux/eventpoll.h>

#include "base/errno.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/net_priv.h"
#include "net/tcp_cookie.h"
#include "net/tcp_recovery.h"
#include "net/tcp_socket_priv.h"
#include "net/tcp_table.h"

static void half_open_gone(uint8_t id, void *data)
{
	struct tcp_socket *listener = data;

	(void)id;
	listener->half_open--;
	socket_put_locked(&listener->inet.base);
}

static const struct tcp_ext_arg_callbacks half_open_callbacks = { half_open_gone, NULL };

/* A SYN came; pcb is its half-open connection. When nobody accepts, it is dropped without a word:
 * the peer will try again. */
static err_t half_open(uint8_t id, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb)
{
	struct tcp_socket *listener = listening->callback_arg;

	(void)id;
	if (listener->accept_count > listener->backlog) {
		net_counters.tcp.listen_overflows++;
		return ERR_MEM;
	}
	pcb->rto = TCP_FIRST_RTO_TICKS;
	pcb->sv = TCP_FIRST_RTO_TICKS;
	tcp_option_limit_locked(listener, pcb);
	pcb->rcv_wnd = pcb->rcv_ann_wnd = TCP_WND_MAX(pcb);
	if (!tcp_cookie_redeem_locked(pcb) &&
		listener->accept_count + listener->half_open > listener->backlog) {
		tcp_cookie_offer_locked(pcb);
		return ERR_OK;
	}
	listener->half_open++;
	socket_get_locked(&listener->inet.base);
	tcp_ext_arg_set(pcb, 0, listener);
	tcp_ext_arg_set_callbacks(pcb, 0, &half_open_callbacks);
	return ERR_OK;
}

static const struct tcp_ext_arg_callbacks listener_callbacks = { NULL, half_open };

/* Several listeners may share one port: one of those where the fewest wait, by chance. */
static struct tcp_socket *choose_listener(struct tcp_socket *first)
{
	const struct port_binding *own = &first->inet.port;
	struct port_binding *b = NULL;
	struct tcp_socket *best = NULL, *other;
	uint32_t equals = 0;

	if (!own->reuse_port)
		return first;
	while ((b = port_next(tcp_ports(), b, own->local_port)) != NULL) {
		if (!b->listening || !net_ip_is_equal(&b->local_ip, &own->local_ip))
			continue;
		other = tcp_of(&container_of(b, struct inet_socket, port)->base);
		if (best != NULL && other->accept_count > best->accept_count)
			continue;
		if (best == NULL || other->accept_count < best->accept_count)
			equals = 0;
		if (inet_random() % ++equals == 0)
			best = other;
	}
	return best != NULL ? best : first;
}

static void enqueue(struct tcp_socket *t, struct tcp_socket *listener)
{
	TAILQ_INSERT_TAIL(&listener->accept_queue, t, accept_link);
	listener->accept_count++;
	socket_notify_locked(&listener->inet.base, EPOLLIN);
}

/* ------------------------------------------------------------------ TCP_DEFER_ACCEPT */
static void defer(struct tcp_socket *t, struct tcp_socket *listener)
{
	TAILQ_INSERT_TAIL(&listener->deferred_queue, t, accept_link);
	listener->half_open++; /* (1) */
	socket_get_locked(&listener->inet.base);
	t->deferred_by = listener;
	t->deferred_until = tcp_ticks + listener->defer_s * (1000 / TCP_SLOW_INTERVAL);
}

/* The listener, which is no longer held. */
static struct tcp_socket *end_deferral(struct tcp_socket *t)
{
	struct tcp_socket *listener = t->deferred_by;

	TAILQ_REMOVE(&listener->deferred_queue, t, accept_link);
	t->deferred_by = NULL;
	half_open_gone(0, listener);
	return listener;
}

void tcp_listen_deliver_locked(struct tcp_socket *t)
{
	enqueue(t, end_deferral(t));
}

void tcp_listen_forget_locked(struct tcp_socket *t)
{
	(void)end_deferral(t);
	socket_put_locked(&t->inet.base); /* the queue's */
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t lwip_error)
{
	struct tcp_socket *listener = choose_listener(arg), *t;
	struct net_ip local = net_ip_of_lwip(&pcb->local_ip);
	struct port_binding *port;

	if (lwip_error != ERR_OK || pcb == NULL)
		return ERR_VAL;
	t = tcp_alloc_socket(listener->inet.base.family);
	if (t == NULL)
		return ERR_MEM;
	half_open_gone(0, arg);
	net_counters.tcp.accepted++;
	tcp_option_inherit_locked(t, listener);
	tcp_attach_locked(t, pcb);
	tcp_mtu_attach_locked(pcb);
	pcb->mss = MIN(pcb->mss, pcb->mss_max);
	tcp_recovery_start_locked(pcb);
	t->phase = TCP_CONNECTED;
	t->connect_told = true;
	t->inet.base.uid = listener->inet.base.uid;
	port = &t->inet.port;
	port->reuse_addr = listener->inet.port.reuse_addr;
	port->reuse_port = listener->inet.port.reuse_port;
	port->v6only = listener->inet.port.v6only;
	port->remote_ip = net_ip_of_lwip(&pcb->remote_ip);
	port->remote_port = pcb->remote_port;
	port_adopt(tcp_ports(), port, &local, pcb->local_port);
	if (listener->defer_s != 0)
		defer(t, listener);
	else
		enqueue(t, listener);
	return ERR_OK;
}

static int start_listening(struct tcp_socket *t, int backlog)
{
	struct port_binding *port = &t->inet.port;
	struct tcp_pcb *pcb, *listening;
	int error;

	port->listening = true;
	error = port->bound ? port_check_listen(tcp_ports(), port)
			    : port_bind(tcp_ports(), port, inet_any(&t->inet), 0);
	pcb = error == 0 ? tcp_new() : NULL;
	if (pcb == NULL) {
		port->listening = false;
		return error != 0 ? error : -ENOMEM;
	}
	net_ip_to_lwip(&port->local_ip, &pcb->local_ip);
	if (net_ip_is_any(&port->local_ip) && !net_ip_is_v4(&port->local_ip) && !port->v6only)
		IP_SET_TYPE(&pcb->local_ip, IPADDR_TYPE_ANY);
	pcb->local_port = port->local_port;
	pcb->netif_idx = (uint8_t)port->interface_index;
	listening = tcp_listen_with_backlog(pcb, 0xff);
	if (listening == NULL) {
		pcb->local_port = 0; /* it is on no list */
		tcp_close(pcb);
		port->listening = false;
		return -ENOMEM;
	}
	t->pcb = listening;
	t->phase = TCP_LISTENING;
	t->backlog = backlog;
	tcp_arg(listening, t);
	tcp_accept(listening, accepted);
	tcp_ext_arg_set_callbacks(listening, 0, &listener_callbacks);
	return 0;
}

int tcp_listen_on(struct socket *s, int backlog)
{
	struct tcp_socket *t = tcp_of(s);
	int error = 0;

	net_lock();
	if (t->phase == TCP_LISTENING)
		t->backlog = backlog;
	else if (t->phase == TCP_FRESH)
		error = start_listening(t, backlog);
	else
		error = -EINVAL;
	net_unlock();
	return error;
}

/* The queue's reference goes to the caller. */
static struct tcp_socket *take_child(struct tcp_socket *t)
{
	struct tcp_socket *child = TAILQ_FIRST(&t->accept_queue);

	if (child == NULL)
		return NULL;
	TAILQ_REMOVE(&t->accept_queue, child, accept_link);
	t->accept_count--;
	return child;
}

int tcp_accept_from(struct socket *s, bool nonblock, struct socket **out,
	struct socket_address *peer)
{
	struct tcp_socket *t = tcp_of(s), *child = NULL;
	uint64_t deadline_ns;
	int error = 0;

	net_lock();
	deadline_ns = socket_deadline_ns(s->receive_timeout_ns);
	while (error == 0 && child == NULL) {
		if (t->phase != TCP_LISTENING)
			error = -EINVAL;
		else if ((child = take_child(t)) == NULL)
			error = nonblock ? -EAGAIN : socket_wait_locked(s, deadline_ns);
	}
	if (child != NULL) {
		inet_address(&child->inet, peer, &child->inet.port.remote_ip,
			child->inet.port.remote_port);
		*out = &child->inet.base;
	}
	net_unlock();
	return error;
}

void tcp_stop_listening_locked(struct tcp_socket *t)
{
	struct tcp_socket *child;

	tcp_table_forget_listener_locked((struct tcp_pcb_listen *)(void *)t->pcb);
	tcp_close(t->pcb);
	t->pcb = NULL;
	t->phase = TCP_FRESH;
	t->reset = true;
	port_release(&t->inet.port);
	t->inet.port.listening = false;
	while ((child = TAILQ_FIRST(&t->deferred_queue)) != NULL)
		tcp_listen_deliver_locked(child);
	while ((child = take_child(t)) != NULL) {
		child->inet.base.linger_s = 0; /* nobody will ever read: reset */
		tcp_stop_locked(child);
		socket_put_locked(&child->inet.base);
	}
}
