/*
 * udp.c: UDP sockets.
 *
 * What:       datagrams out through lwIP, datagrams in into a queue bounded by the receive buffer.
 *             connect only notes the peer and chooses the source address: nothing is sent.
 * Invariants: (1) a datagram is read whole or cut, never joined with another; an empty one is one
 *             too. (2) the pcb is bound whenever the socket's port is.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    Linux's errors; -ECONNREFUSED and the like, from ICMP, on connected sockets only.
 * Source:     Linux udp(7), ip(7), net/ipv4/udp.c; lwIP 2.1.3 udp.c.
 */
#include <linux/eventpoll.h>
#include <lwip/ip4.h>

#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/stats.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

#define PAYLOAD_MAX 65507u
#define DATAGRAM_COST_BYTES 512u /* what a datagram costs besides its bytes */

struct datagram {
	TAILQ_ENTRY(datagram) link;
	struct pbuf *p;
	uint32_t source_ip, local_ip, interface_index;
	uint16_t source_port;
	uint8_t ttl, tos;
};

TAILQ_HEAD(datagrams, datagram);

/* All fields [n]. */
struct udp_socket {
	struct inet_socket inet;
	struct udp_pcb *pcb;
	uint32_t bound_ip; /* what bind said; connect may have chosen another since */
	struct datagrams queue;
	uint64_t queue_bytes; /* with costs */
};

static struct {
	struct port_table ports; /* [n] */
} udp;

static const struct socket_ops udp_ops;

void udp_socket_init(void)
{
	port_table_init(&udp.ports, inet_random);
}

static struct udp_socket *udp_of(struct socket *s)
{
	return (struct udp_socket *)(void *)s;
}

/* lwIP hands one over. */
static void received(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *ip,
	uint16_t port)
{
	struct udp_socket *u = arg;
	uint64_t cost = p->tot_len + (uint64_t)DATAGRAM_COST_BYTES;
	struct datagram *d;

	(void)pcb;
	d = u->queue_bytes + cost > 2 * (uint64_t)u->inet.base.receive_buffer_bytes
		? NULL
		: kmem_alloc(sizeof(*d));
	if (d == NULL) {
		stat_inc(STAT_net_rx_dropped);
		pbuf_free(p);
		return;
	}
	d->p = p;
	d->source_ip = ip_addr_get_ip4_u32(ip);
	d->source_port = port;
	d->local_ip = ip4_addr_get_u32(ip4_current_dest_addr());
	d->interface_index = netif_get_index(ip_current_input_netif());
	d->ttl = IPH_TTL(ip4_current_header());
	d->tos = IPH_TOS(ip4_current_header());
	TAILQ_INSERT_TAIL(&u->queue, d, link);
	u->queue_bytes += cost;
	socket_notify_locked(&u->inet.base, EPOLLIN);
}

int udp_socket_new(struct socket **out)
{
	struct udp_socket *u = kmem_zalloc(sizeof(*u));

	if (u == NULL)
		return -ENOMEM;
	net_lock();
	u->pcb = udp_new();
	net_unlock_batch();
	if (u->pcb == NULL) {
		kmem_free(u);
		return -ENOMEM;
	}
	socket_init(&u->inet.base, &udp_ops, SOCKET_INET, SOCKET_DATAGRAM, IP_PROTO_UDP);
	TAILQ_INIT(&u->queue);
	/* Conflicts are judged in net/port.c alone; this also lets broadcasts reach everybody. */
	ip_set_option(u->pcb, SOF_REUSEADDR | SOF_BROADCAST);
	udp_recv(u->pcb, received, u);
	*out = &u->inet.base;
	return 0;
}

void udp_unreachable_locked(uint32_t local_ip, uint16_t local_port, uint32_t remote_ip,
	uint16_t remote_port, int error)
{
	struct port_binding *b = port_find(&udp.ports, local_ip, local_port, remote_ip,
		remote_port);
	struct socket *s;

	/* Only a connected socket knows that it is its own, and only these two are for good. */
	if (b == NULL || b->remote_port == 0 || (error != -ECONNREFUSED && error != -ENOPROTOOPT))
		return;
	s = &container_of(b, struct inet_socket, port)->base;
	s->error = error;
	socket_notify_locked(s, EPOLLERR | EPOLLIN | EPOLLOUT);
}

/* ------------------------------------------------------------------ addresses */
static int bind_to(struct udp_socket *u, uint32_t ip, uint16_t port)
{
	struct port_binding *b = &u->inet.port;
	ip_addr_t local = IPADDR4_INIT(ip);
	int error = port_bind(&udp.ports, b, ip, port);

	if (error != 0)
		return error;
	u->bound_ip = ip;
	error = net_errno(udp_bind(u->pcb, &local, b->local_port));
	if (error != 0)
		port_release(b);
	return error;
}

static int udp_bind_to(struct socket *s, const struct socket_address *a)
{
	struct udp_socket *u = udp_of(s);
	int error;

	net_lock();
	error = inet_check_bind_locked(a);
	if (error == 0 && u->inet.port.bound)
		error = -EINVAL;
	if (error == 0)
		error = bind_to(u, a->ip, a->port);
	net_unlock();
	return error;
}

static void set_local_ip(struct udp_socket *u, uint32_t ip)
{
	u->inet.port.local_ip = ip;
	ip_addr_set_ip4_u32(&u->pcb->local_ip, ip);
}

static int disconnect(struct udp_socket *u)
{
	udp_disconnect(u->pcb);
	u->inet.port.remote_ip = 0;
	u->inet.port.remote_port = 0;
	set_local_ip(u, u->bound_ip);
	return 0;
}

static int connect_to(struct udp_socket *u, uint32_t ip, uint16_t port)
{
	ip_addr_t remote = IPADDR4_INIT(ip);
	struct netif *netif;
	uint32_t source;
	int error = net_route_locked(ip, &netif, &source);

	if (error == 0 && net_is_broadcast_ip_locked(ip) && !u->inet.base.broadcast)
		error = -EACCES;
	if (error == 0 && !u->inet.port.bound)
		error = bind_to(u, 0, 0);
	if (error != 0)
		return error;
	set_local_ip(u, u->bound_ip != 0 ? u->bound_ip : source);
	u->inet.port.remote_ip = ip;
	u->inet.port.remote_port = port;
	return net_errno(udp_connect(u->pcb, &remote, port));
}

static int udp_connect_to(struct socket *s, const struct socket_address *a, bool nonblock)
{
	struct udp_socket *u = udp_of(s);
	uint32_t ip = a->ip != 0 ? a->ip : lwip_htonl(IPADDR_LOOPBACK);
	int error;

	(void)nonblock;
	net_lock();
	if (a->family == SOCKET_UNSPEC)
		error = disconnect(u);
	else if (a->family != SOCKET_INET)
		error = -EAFNOSUPPORT;
	else
		error = connect_to(u, ip, a->port);
	net_unlock();
	return error;
}

static int udp_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	const struct port_binding *b = &udp_of(s)->inet.port;
	int error = 0;

	net_lock();
	if (!peer)
		inet_address(out, b->local_ip, b->bound ? b->local_port : 0);
	else if (b->remote_port == 0)
		error = -ENOTCONN;
	else
		inet_address(out, b->remote_ip, b->remote_port);
	net_unlock_batch();
	return error;
}

/* ------------------------------------------------------------------ sending */
static int send_datagram(struct udp_socket *u, struct pbuf *p, const struct socket_message *m)
{
	struct port_binding *b = &u->inet.port;
	uint32_t ip = m->has_address ? m->address.ip : b->remote_ip, source;
	uint16_t port = m->has_address ? m->address.port : b->remote_port;
	ip_addr_t dest, from;
	struct netif *netif;
	int error;

	if (ip == 0)
		ip = lwip_htonl(IPADDR_LOOPBACK);
	if (net_is_broadcast_ip_locked(ip) && !u->inet.base.broadcast)
		return -EACCES;
	error = net_route_locked(ip, &netif, &source);
	if (error == 0 && !b->bound)
		error = bind_to(u, 0, 0);
	if (error != 0)
		return error;
	if (m->has_pktinfo && m->local_ip != 0)
		source = m->local_ip;
	else if (b->local_ip != 0)
		source = b->local_ip;
	if (!net_is_local_ip_locked(source))
		return -EINVAL;
	ip_addr_set_ip4_u32(&dest, ip);
	ip_addr_set_ip4_u32(&from, source);
	error = udp_sendto_if_src(u->pcb, p, &dest, port, netif, &from);
	/* A full ring, an unanswered question: datagrams may be lost, and Linux says nothing. */
	return error == ERR_MEM || error == ERR_OK ? 0 : net_errno(error);
}

static int judge_send(struct udp_socket *u, const struct socket_message *m)
{
	if (u->inet.base.write_shut)
		return -EPIPE;
	if (m->has_address && m->address.family != SOCKET_INET)
		return m->address.family == SOCKET_UNSPEC ? -EINVAL : -EAFNOSUPPORT;
	if (m->has_address && m->address.port == 0)
		return -EINVAL;
	if (!m->has_address && u->inet.port.remote_port == 0)
		return -EDESTADDRREQ;
	return socket_take_error_locked(&u->inet.base);
}

static long udp_send_to(struct socket *s, struct socket_message *m, bool nonblock)
{
	uint64_t bytes = m->data->left_bytes;
	struct pbuf *p;
	long copied;
	int error;

	(void)nonblock;
	if (bytes > PAYLOAD_MAX)
		return -EMSGSIZE;
	p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)bytes, PBUF_RAM);
	if (p == NULL)
		return -ENOBUFS;
	copied = bytes == 0 ? 0 : uio_copy_from(m->data, p->payload, bytes);
	error = copied == (long)bytes ? 0 : -EFAULT;
	if (error == 0) {
		net_lock();
		error = judge_send(udp_of(s), m);
		if (error == 0)
			error = send_datagram(udp_of(s), p, m);
		net_unlock();
	}
	pbuf_free(p);
	return error != 0 ? error : (long)bytes;
}

/* ------------------------------------------------------------------ receiving */
static int wait_datagram(struct udp_socket *u, bool nonblock, struct datagram **out)
{
	struct socket *s = &u->inet.base;
	uint64_t deadline_ns = socket_deadline_ns(s->receive_timeout_ns);
	int error;

	while ((*out = TAILQ_FIRST(&u->queue)) == NULL) {
		error = socket_take_error_locked(s);
		if (error != 0 || s->read_shut)
			return error;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_locked(s, deadline_ns);
		if (error != 0)
			return error;
	}
	return socket_take_error_locked(s);
}

static void describe(const struct udp_socket *u, const struct datagram *d, struct socket_message *m)
{
	m->has_address = true;
	inet_address(&m->address, d->source_ip, d->source_port);
	m->datagram_bytes = d->p->tot_len;
	m->truncated = d->p->tot_len > m->data->left_bytes;
	m->has_pktinfo = u->inet.base.want_pktinfo;
	m->interface_index = d->interface_index;
	m->local_ip = d->local_ip;
	m->has_ttl = u->inet.base.want_ttl;
	m->ttl = d->ttl;
	m->has_tos = u->inet.base.want_tos;
	m->tos = d->tos;
}

static void drop_datagram(struct udp_socket *u, struct datagram *d)
{
	TAILQ_REMOVE(&u->queue, d, link);
	u->queue_bytes -= d->p->tot_len + (uint64_t)DATAGRAM_COST_BYTES;
	pbuf_free(d->p);
	kmem_free(d);
}

/* In "read": nobody else takes d away while it is copied. */
static long receive_one(struct udp_socket *u, struct socket_message *m, bool nonblock)
{
	struct datagram *d;
	uint64_t bytes;
	long copied;
	int error = wait_datagram(u, nonblock, &d);

	if (error != 0 || d == NULL)
		return error;
	describe(u, d, m);
	bytes = MIN((uint64_t)d->p->tot_len, m->data->left_bytes);
	net_unlock();
	copied = bytes == 0 ? 0 : socket_copy_chain(m->data, d->p, 0, bytes);
	net_lock();
	if ((m->flags & SOCKET_MSG_PEEK) == 0)
		drop_datagram(u, d);
	return copied == (long)bytes ? copied : -EFAULT;
}

static long udp_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	long result;

	m->has_address = false;
	net_lock();
	result = socket_enter_read_locked(s);
	if (result == 0) {
		result = receive_one(udp_of(s), m, nonblock);
		socket_leave_read_locked(s);
	}
	net_unlock();
	return result;
}

/* ------------------------------------------------------------------ the rest */
static int udp_shut_down(struct socket *s, enum socket_shutdown how)
{
	struct udp_socket *u = udp_of(s);

	net_lock();
	if (how != SOCKET_SHUT_READ)
		s->write_shut = true;
	if (how != SOCKET_SHUT_WRITE)
		s->read_shut = true;
	socket_notify_locked(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	net_unlock();
	return u->inet.port.remote_port == 0 ? -ENOTCONN : 0;
}

static uint32_t udp_poll_locked(struct socket *s)
{
	struct udp_socket *u = udp_of(s);
	uint32_t events = EPOLLOUT | EPOLLWRNORM;

	if (!TAILQ_EMPTY(&u->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	if (s->error != 0)
		events |= EPOLLERR;
	if (s->read_shut)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (s->read_shut && s->write_shut)
		events |= EPOLLHUP;
	return events;
}

static int udp_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	struct udp_socket *u = udp_of(s);

	switch (o) {
	case SOCKET_OPT_REUSEADDR:
		s->reuse_addr = u->inet.port.reuse_addr = value != 0;
		return 0;
	case SOCKET_OPT_REUSEPORT:
		s->reuse_port = u->inet.port.reuse_port = value != 0;
		return 0;
	case SOCKET_OPT_TOS:
		s->tos = u->pcb->tos = (uint8_t)value;
		return 0;
	case SOCKET_OPT_TTL:
		if (value != -1 && (value < 1 || value > 255))
			return -EINVAL;
		s->ttl = u->pcb->ttl = value == -1 ? IP_DEFAULT_TTL : (uint8_t)value;
		return 0;
	case SOCKET_OPT_PKTINFO:
		s->want_pktinfo = value != 0;
		return 0;
	case SOCKET_OPT_RECVTOS:
		s->want_tos = value != 0;
		return 0;
	case SOCKET_OPT_RECVTTL:
		s->want_ttl = value != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	const struct udp_socket *u = udp_of(s);
	const struct datagram *first = TAILQ_FIRST(&u->queue);

	switch (o) {
	case SOCKET_OPT_TOS:
		*value = s->tos;
		return 0;
	case SOCKET_OPT_TTL:
		*value = s->ttl;
		return 0;
	case SOCKET_OPT_PKTINFO:
		*value = s->want_pktinfo;
		return 0;
	case SOCKET_OPT_RECVTOS:
		*value = s->want_tos;
		return 0;
	case SOCKET_OPT_RECVTTL:
		*value = s->want_ttl;
		return 0;
	case SOCKET_OPT_QUEUED:
		*value = first == NULL ? 0 : first->p->tot_len;
		return 0;
	case SOCKET_OPT_UNSENT:
		*value = 0;
		return 0; /* nothing waits in a socket */
	default:
		return -ENOPROTOOPT;
	}
}

static void udp_close_file(struct socket *s)
{
	struct udp_socket *u = udp_of(s);
	struct datagram *d;

	net_lock();
	udp_remove(u->pcb);
	port_release(&u->inet.port);
	while ((d = TAILQ_FIRST(&u->queue)) != NULL)
		drop_datagram(u, d);
	socket_put_locked(s);
	net_unlock();
}

static void free_socket(struct socket *s)
{
	kmem_free(udp_of(s));
}

static const struct socket_ops udp_ops = {
	.bind = udp_bind_to,
	.connect = udp_connect_to,
	.get_name = udp_get_name,
	.shut_down = udp_shut_down,
	.send = udp_send_to,
	.receive = udp_receive,
	.poll_locked = udp_poll_locked,
	.set_option_locked = udp_set_option_locked,
	.get_option_locked = udp_get_option_locked,
	.close = udp_close_file,
	.free = free_socket,
};
