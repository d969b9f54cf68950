/*
 * tcp.c: the life of a TCP socket: bind, connect; its end is in tcp_end.c.
 *
 * What:       FRESH -> LISTENING [tcp_listen.c]; FRESH -> CONNECTING [connect] -> CONNECTED
 *             [connected] or FAILED [failed] -> FRESH [next connect]; a listener's child starts as
 *             CONNECTED [accepted]. After close the socket lives on without a file until lwIP has
 *             delivered its bytes and its FIN, and through TIME_WAIT.
 * Invariants: (1) t->pcb is valid or NULL: pcb_gone, called by lwIP for every pcb's end, clears
 *             it. (2) a pcb holds one reference to its socket. (3) the bucket of a pcb is selected
 *             before lwIP may change its lists.
 * Locking:    LOCK_NET. May sleep: connect.
 * Failure:    Linux's errors for each phase.
 * Source:     RFC 9293; Linux net/ipv4/{tcp,af_inet,inet_connection_sock}.c; lwIP 2.1.3 tcp.c.
 */
#include <linux/eventpoll.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/lwip_port/hooks.h"
#include "net/net_priv.h"
#include "net/tcp_recovery.h"
#include "net/tcp_socket_priv.h"
#include "net/tcp_table.h"

#include <lwip/priv/tcp_priv.h>

#define EPOLL_RESET (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP)

static struct {
	struct port_table ports; /* [n] */
} tcp;

static const struct socket_ops tcp_ops;

void tcp_socket_init(void)
{
	port_table_init(&tcp.ports, inet_random);
}

struct port_table *tcp_ports(void)
{
	return &tcp.ports;
}

struct tcp_socket *tcp_alloc_socket(unsigned family)
{
	struct tcp_socket *t = kmem_zalloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	socket_init(&t->inet.base, &tcp_ops, family, SOCKET_STREAM, IP_PROTO_TCP);
	inet_init(&t->inet);
	TAILQ_INIT(&t->accept_queue);
	TAILQ_INIT(&t->deferred_queue);
	STAILQ_INIT(&t->tx_chunks);
	tcp_option_defaults(t);
	return t;
}

int tcp_socket_new(unsigned family, struct socket **out)
{
	struct tcp_socket *t = tcp_alloc_socket(family);

	if (t == NULL)
		return -ENOMEM;
	*out = &t->inet.base;
	return 0;
}

void tcp_select_locked(const struct tcp_socket *t)
{
	tcp_table_select_pcb_locked(t->pcb);
}

bool tcp_can_send_locked(const struct tcp_socket *t)
{
	return t->pcb != NULL && !t->reset && !t->fin_sent &&
		(t->pcb->state == ESTABLISHED || t->pcb->state == CLOSE_WAIT);
}

/* ------------------------------------------------------------------ lwIP's calls */
/* The pcb is about to be freed, for whatever reason: (1). */
static void pcb_gone(uint8_t id, void *data)
{
	struct tcp_socket *t = data;

	(void)id;
	counters_see_tcp_end_locked(t->pcb);
	t->pcb = NULL;
	t->reset = true;
	tcp_drop_unsent_locked(t);
	port_release(&t->inet.port);
	socket_notify_locked(&t->inet.base, EPOLL_RESET & ~(uint32_t)EPOLLERR);
	if (t->deferred_by != NULL)
		tcp_listen_forget_locked(t);
	socket_put_locked(&t->inet.base);
}

static const struct tcp_ext_arg_callbacks connection_callbacks = { pcb_gone, NULL };

static int errno_of_end(const struct tcp_socket *t, err_t lwip_error)
{
	if (t->aborting || lwip_error == ERR_CLSD)
		return 0;
	if (lwip_error != ERR_RST)
		return -ETIMEDOUT;
	if (t->phase == TCP_CONNECTING)
		return -ECONNREFUSED;
	return t->peer_fin ? -EPIPE : -ECONNRESET;
}

/* The connection ended by an error; pcb is freed, or will be at once. */
static void failed(void *arg, err_t lwip_error)
{
	struct tcp_socket *t = arg;
	struct socket *s = &t->inet.base;
	int error = errno_of_end(t, lwip_error);

	counters_see_tcp_end_locked(t->pcb);
	net_counters.tcp.failed_attempts += t->phase == TCP_CONNECTING;
	net_counters.tcp.aborts_on_timeout += error == -ETIMEDOUT;
	if (t->phase == TCP_CONNECTING)
		t->phase = TCP_FAILED;
	t->reset = true;
	if (error == 0)
		return;
	s->error = error;
	socket_notify_locked(s, EPOLL_RESET);
}

void tcp_attach_locked(struct tcp_socket *t, struct tcp_pcb *pcb)
{
	t->pcb = pcb;
	socket_get_locked(&t->inet.base);
	tcp_arg(pcb, t);
	tcp_err(pcb, failed);
	tcp_ext_arg_set(pcb, 0, t);
	tcp_ext_arg_set_callbacks(pcb, 0, &connection_callbacks);
	tcp_io_attach_locked(t);
	tcp_receive_attach_locked(t);
	tcp_option_apply_locked(t);
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t lwip_error)
{
	struct tcp_socket *t = arg;

	(void)lwip_error; /* always ERR_OK */
	tcp_mtu_attach_locked(pcb);
	pcb->mss = MIN(pcb->mss, pcb->mss_max);
	tcp_recovery_start_locked(pcb);
	t->phase = TCP_CONNECTED;
	socket_notify_locked(&t->inet.base, EPOLLOUT);
	return ERR_OK;
}

/* As on Linux the last segment of a handshake may come from anywhere: the first has not. */
err_t net_lwip_tcp_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *header,
	const struct pbuf *p)
{
	struct tcp_socket *t = pcb->callback_arg;

	if (t == NULL || pcb->state == SYN_RCVD || pcb->state == TIME_WAIT)
		return ERR_OK;
	if (tcp_option_is_far_locked(t)) {
		net_counters.tcp.far_segments++;
		return ERR_VAL;
	}
	if (t->phase == TCP_CONNECTED && t->pcb == pcb &&
		(t->urgent == TCP_URGENT_COMING || (TCPH_FLAGS(header) & TCP_URG) != 0))
		tcp_urgent_see_locked(t, header, p);
	return ERR_OK;
}

uint32_t *net_lwip_tcp_out(const struct pbuf *p, struct tcp_hdr *header, const struct tcp_pcb *pcb,
	uint32_t *options)
{
	struct tcp_socket *t = pcb == NULL ? NULL : tcp_socket_of_pcb(pcb);

	if (t != NULL && t->urgent_sent)
		tcp_urgent_stamp_locked(t, header);
	counters_see_tcp_out_locked(p, header, pcb);
	return options;
}

void tcp_unreachable_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, uint32_t seq, int error)
{
	struct tcp_pcb *pcb = tcp_table_find_locked(local_ip, local_port, remote_ip, remote_port);
	struct tcp_socket *t;

	/* Only of the SYN itself: anything else may be forged, and may pass. */
	if (pcb == NULL || pcb->state != SYN_SENT || seq != pcb->lastack)
		return;
	t = pcb->callback_arg;
	t->aborting = true;
	t->inet.base.error = error;
	t->phase = TCP_FAILED;
	net_counters.tcp.failed_attempts++;
	tcp_abandon(pcb, 0);
	socket_notify_locked(&t->inet.base, EPOLL_RESET);
}

/* ------------------------------------------------------------------ connecting */
static int tcp_bind_to(struct socket *s, const struct socket_address *a)
{
	struct tcp_socket *t = tcp_of(s);
	struct net_ip ip;
	int error;

	net_lock();
	error = inet_check_bind_locked(&t->inet, a, &ip);
	if (error == 0)
		error = inet_check_port(a->port);
	if (error == 0 && (t->inet.port.bound || t->phase != TCP_FRESH))
		error = -EINVAL;
	if (error == 0)
		error = port_bind(&tcp.ports, &t->inet.port, &ip, a->port);
	if (error == 0)
		inet_note_bound(&t->inet, &ip);
	net_unlock();
	return error;
}

/* Chooses local address and port for a connection to remote. */
static int bind_for(struct tcp_socket *t, const struct net_ip *remote_ip, uint16_t remote_port)
{
	struct port_binding *port = &t->inet.port;
	struct net_ip source;
	struct netif *netif;
	int error;

	if (net_ip_is_scoped(remote_ip) && remote_ip->scope == 0)
		return -EINVAL; /* by which interface? */
	error = net_route_locked(remote_ip, port->interface_index, &netif, &source);
	if (error != 0)
		return error;
	if (!port->bound) {
		error = port_bind_for(&tcp.ports, port, &source, remote_ip, remote_port);
	} else {
		if (!net_ip_is_any(&port->local_ip))
			source = port->local_ip;
		if (net_ip_is_v4(&source) != net_ip_is_v4(remote_ip))
			return -ENETUNREACH;
		if (!port_is_tuple_free(&tcp.ports, port, &source, remote_ip, remote_port))
			error = -EADDRNOTAVAIL;
		else
			port->local_ip = source;
	}
	if (error != 0)
		return error;
	port->remote_ip = *remote_ip;
	port->remote_port = remote_port;
	return 0;
}

static int start_connecting(struct tcp_socket *t, const struct net_ip *remote_ip,
	uint16_t remote_port)
{
	struct port_binding *port = &t->inet.port;
	ip_addr_t remote;
	struct tcp_pcb *pcb;
	int error;

	if (net_is_broadcast_locked(remote_ip) || net_ip_is_multicast(remote_ip))
		return -ENETUNREACH;
	net_ip_to_lwip(remote_ip, &remote);
	error = bind_for(t, remote_ip, remote_port);
	if (error != 0)
		return error;
	pcb = tcp_new();
	if (pcb == NULL) {
		port_release(port);
		return -ENOMEM;
	}
	net_ip_to_lwip(&port->local_ip, &pcb->local_ip);
	pcb->local_port = port->local_port;
	pcb->rto = TCP_FIRST_RTO_TICKS;
	pcb->sv = TCP_FIRST_RTO_TICKS;
	tcp_option_limit_locked(t, pcb);
	tcp_table_select_locked(&port->local_ip, port->local_port, remote_ip, remote_port);
	t->reset = t->aborting = t->fin_sent = t->peer_fin = t->connect_told = false;
	t->phase = TCP_CONNECTING;
	t->inet.base.error = 0;
	t->stalled = t->held = t->more = t->urgent_sent = false;
	tcp_attach_locked(t, pcb);
	error = net_errno(tcp_connect(pcb, &remote, remote_port, connected));
	if (error == 0)
		return 0;
	t->phase = TCP_FRESH;
	pcb->local_port = 0; /* it is on no list */
	tcp_close(pcb);
	return error;
}

/* What connect says when nothing is to be started. */
static int judge_connect(struct tcp_socket *t)
{
	int error;

	switch (t->phase) {
	case TCP_LISTENING:
		return -EISCONN;
	case TCP_CONNECTING:
		return -EALREADY;
	case TCP_FRESH: /* another thread ended it */
	case TCP_FAILED:
		t->phase = TCP_FRESH;
		error = socket_take_error_locked(&t->inet.base);
		return error != 0 ? error : -ECONNABORTED;
	default:
		/* The connect that was in progress is over: said once. */
		error = t->connect_told ? -EISCONN : 0;
		t->connect_told = true;
		return error;
	}
}

static int wait_connected(struct tcp_socket *t, bool nonblock)
{
	struct socket *s = &t->inet.base;
	uint64_t deadline_ns = socket_deadline_ns(s->send_timeout_ns);
	int error = 0;

	while (t->phase == TCP_CONNECTING) {
		if (nonblock)
			return -EINPROGRESS;
		error = socket_wait_locked(s, deadline_ns);
		if (error != 0)
			return error == -EAGAIN ? -EINPROGRESS : error;
	}
	return judge_connect(t);
}

static int disconnect(struct tcp_socket *t)
{
	if (t->phase == TCP_LISTENING)
		tcp_stop_listening_locked(t);
	else
		tcp_disconnect_locked(t);
	return 0;
}

static int tcp_connect_to(struct socket *s, const struct socket_address *a, bool nonblock)
{
	struct tcp_socket *t = tcp_of(s);
	struct net_ip remote_ip;
	int error;

	net_lock();
	if (a->family == SOCKET_UNSPEC) {
		error = disconnect(t);
	} else if (t->phase == TCP_FRESH) {
		error = inet_check_peer_locked(&t->inet, a, &remote_ip);
		if (error == 0)
			error = start_connecting(t, &remote_ip, a->port);
		if (error == 0)
			error = wait_connected(t, nonblock);
	} else {
		error = judge_connect(t);
		if (error == -EALREADY && !nonblock)
			error = wait_connected(t, false);
	}
	net_unlock();
	return error;
}

static int tcp_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct tcp_socket *t = tcp_of(s);
	int error = 0;

	net_lock();
	if (!peer)
		inet_address(&t->inet, out, &t->inet.port.local_ip, t->inet.port.local_port);
	else if (t->phase != TCP_CONNECTED || t->pcb == NULL)
		error = -ENOTCONN;
	else
		inet_address(&t->inet, out, &t->inet.port.remote_ip, t->inet.port.remote_port);
	net_unlock();
	return error;
}

/* ------------------------------------------------------------------ the rest */
static uint32_t tcp_poll_locked(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);
	bool no_reads = s->read_shut || t->peer_fin || t->reset;
	bool no_writes = s->write_shut || t->reset;
	uint32_t events = 0;

	if (t->phase == TCP_LISTENING)
		return t->accept_count != 0 ? EPOLLIN | EPOLLRDNORM : 0;
	if (s->error != 0)
		events |= EPOLLERR;
	if (t->phase == TCP_FRESH)
		return events | EPOLLOUT | EPOLLWRNORM | EPOLLHUP;
	if (no_reads && no_writes)
		events |= EPOLLHUP;
	if (no_reads)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (t->phase == TCP_CONNECTING)
		return events;
	if (tcp_is_readable_locked(t))
		events |= EPOLLIN | EPOLLRDNORM;
	if (t->urgent == TCP_URGENT_HERE)
		events |= EPOLLPRI;
	if (no_writes || tcp_has_space_locked(t))
		events |= EPOLLOUT | EPOLLWRNORM;
	else
		t->want_space = true;
	return events;
}

static const struct socket_ops tcp_ops = {
	.bind = tcp_bind_to,
	.connect = tcp_connect_to,
	.listen = tcp_listen_on,
	.accept = tcp_accept_from,
	.get_name = tcp_get_name,
	.shut_down = tcp_shut_down,
	.send = tcp_send,
	.receive = tcp_receive,
	.poll_locked = tcp_poll_locked,
	.set_option_locked = tcp_set_option_locked,
	.get_option_locked = tcp_get_option_locked,
	.close = tcp_close_file,
	.has_peek_offset = true,
	.has_urgent = true,
};
