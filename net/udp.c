/*
 * udp.c: UDP sockets: what comes in, and to whom it belongs.
 *
 * What:       datagrams in, for IPv4 and IPv6; lwIP's own UDP serves DHCP only. What goes out is
 *             net/udp_send.c's.
 *             connect only notes the peer and chooses the source address: nothing is sent.
 * Invariants: (1) a socket gets what its port's binding takes: the best match for what is sent to
 *             one machine, everybody who wants it for groups and broadcasts.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    Linux's errors; -ECONNREFUSED and the like, from ICMP, on connected sockets, and on
 *             those that asked for all errors (IP_RECVERR).
 * Source:     RFC 768, RFC 8200 8.1; Linux udp(7), ip(7), net/ipv4/udp.c, net/ipv6/udp.c.
 */
#include <linux/eventpoll.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/udp.h>
#include <lwip/udp.h>

#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/stats.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/datagram_priv.h"
#include "net/filter.h"
#include "net/net_priv.h"

#define DHCP_CLIENT_PORT 68

static struct {
	struct port_table ports; /* [n] */
} udp;

static const struct socket_ops udp_ops;

void udp_socket_init(void)
{
	port_table_init(&udp.ports, inet_random);
}

const struct port_table *udp_ports(void)
{
	return &udp.ports;
}

int udp_socket_new(unsigned family, struct socket **out)
{
	struct datagram_socket *d = kmem_zalloc(sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	socket_init(&d->inet.base, &udp_ops, family, SOCKET_DATAGRAM, IP_PROTO_UDP);
	datagram_init(d);
	*out = &d->inet.base;
	return 0;
}

static struct datagram_socket *socket_of_binding(struct port_binding *b)
{
	return datagram_of(&container_of(b, struct inet_socket, port)->base);
}

/* ------------------------------------------------------------------ in */
/* The header is good, and the datagram is no longer than it says. */
static bool is_good(struct ip_packet *in, struct udp_hdr *header)
{
	uint32_t bytes = in->p->tot_len - in->header_bytes;
	uint16_t length, sum;
	ip_addr_t source, dest;

	if (in->p->tot_len < in->header_bytes + UDP_HLEN)
		return false;
	pbuf_copy_partial(in->p, header, UDP_HLEN, in->header_bytes);
	length = lwip_ntohs(header->len);
	if (length < UDP_HLEN || length > bytes)
		return false;
	if (header->chksum == 0)
		return net_ip_is_v4(&in->dest) ||
			(in->netif->chksum_flags & NETIF_CHECKSUM_CHECK_UDP) == 0;
	if ((in->netif->chksum_flags & NETIF_CHECKSUM_CHECK_UDP) == 0)
		return true;
	net_ip_to_lwip(&in->source, &source);
	net_ip_to_lwip(&in->dest, &dest);
	pbuf_remove_header(in->p, in->header_bytes);
	if (length < bytes)
		pbuf_realloc(in->p, length);
	sum = ip_chksum_pseudo(in->p, IP_PROTO_UDP, length, &source, &dest);
	pbuf_add_header_force(in->p, in->header_bytes);
	net_counters.udp[!net_ip_is_v4(&in->dest)].checksum_errors += sum != 0;
	return sum == 0;
}

static void take(struct datagram_socket *d, struct ip_packet *in, struct pbuf *p,
	const struct udp_hdr *header)
{
	uint16_t length = (uint16_t)(lwip_ntohs(header->len) - UDP_HLEN);
	uint32_t bytes = length + UDP_HLEN;

	if (p->tot_len > in->header_bytes + bytes)
		pbuf_realloc(p, (u16_t)(in->header_bytes + bytes));
	if (!filter_wants_packet_locked(&d->inet.base, in, p, &bytes)) {
		d->inet.base.drops++;
		pbuf_free(p);
		return;
	}
	length = (uint16_t)(MAX(bytes, UDP_HLEN) - UDP_HLEN);
	/* Past the first pbuf when IP's header is alone in it. */
	p = pbuf_free_header(p, (u16_t)(in->header_bytes + UDP_HLEN));
	if (p == NULL)
		p = pbuf_alloc(PBUF_RAW, 0, PBUF_RAM);
	if (p == NULL)
		return;
	if (length < p->tot_len)
		pbuf_realloc(p, length);
	datagram_enqueue_locked(d, in, p, lwip_ntohs(header->src), lwip_ntohs(header->dest));
}

static bool is_for(struct port_binding *b, const struct ip_packet *in, const struct udp_hdr *header)
{
	return port_takes(b, &in->dest) && port_takes_interface(b, netif_get_index(in->netif)) &&
		(b->remote_port == 0 ||
			(b->remote_port == lwip_ntohs(header->src) &&
				net_ip_is_same(&b->remote_ip, &in->source))) &&
		multicast_wants_locked(socket_of_binding(b), in);
}

/* A copy for each; the packet itself stays the caller's. */
static void take_all(struct ip_packet *in, const struct udp_hdr *header)
{
	struct port_binding *b = NULL;
	struct pbuf *copy;
	bool wanted = false;

	while ((b = port_next(&udp.ports, b, lwip_ntohs(header->dest))) != NULL) {
		if (!is_for(b, in, header))
			continue;
		wanted = true;
		copy = pbuf_clone(PBUF_RAW, PBUF_RAM, in->p);
		if (copy == NULL)
			stat_inc(STAT_net_rx_dropped);
		else
			take(socket_of_binding(b), in, copy, header);
	}
	if (!wanted && header->dest != PP_HTONS(DHCP_CLIENT_PORT))
		net_counters.udp[!net_ip_is_v4(&in->dest)].ignored_groups++;
}

/* Nobody here wants it: lwIP has DHCP's socket, or refuses it for IPv6. */
static bool leave(struct ip_packet *in, const struct udp_hdr *header)
{
	return dhcp_guard_locked(in, lwip_ntohs(header->src), lwip_ntohs(header->dest),
		lwip_ntohs(header->len) - (uint32_t)UDP_HLEN);
}

bool udp_input_locked(struct ip_packet *in)
{
	struct udp_counters *counters = &net_counters.udp[!net_ip_is_v4(&in->dest)];
	struct port_binding *b;
	struct udp_hdr header;

	if (!is_good(in, &header)) {
		stat_inc(STAT_net_rx_dropped);
		counters->in_errors++;
		pbuf_free(in->p);
		return true;
	}
	if (net_ip_is_multicast(&in->dest) || net_is_broadcast_locked(&in->dest)) {
		take_all(in, &header);
		return leave(in, &header); /* DHCP's answers may be broadcasts */
	}
	b = port_find(&udp.ports, &in->dest, lwip_ntohs(header.dest), &in->source,
		lwip_ntohs(header.src), netif_get_index(in->netif));
	if (b == NULL && net_ip_is_v4(&in->dest) && header.dest == PP_HTONS(DHCP_CLIENT_PORT))
		return leave(in, &header);
	counters->no_ports += b == NULL;
	if (b == NULL && !net_ip_is_v4(&in->dest))
		return leave(in, &header);
	if (b == NULL) {
		icmp_refuse_port_locked(in);
		pbuf_free(in->p);
		return true;
	}
	take(socket_of_binding(b), in, in->p, &header);
	return true;
}

void udp_error_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, const struct ip_error *e,
	const void *rest, uint32_t rest_bytes)
{
	struct port_binding *b = port_find(&udp.ports, local_ip, local_port, remote_ip, remote_port,
		0);
	bool v6 = !net_ip_is_v4(local_ip), fatal = e->fatal;
	struct datagram_socket *d;
	struct pbuf *p;

	if (b == NULL)
		return;
	d = socket_of_binding(b);
	if (e->error == -EMSGSIZE)
		fatal = !v6 && d->mtu_discover[0] != 0;
	if (d->want_errors[v6]) {
		p = pbuf_alloc(PBUF_RAW, (u16_t)rest_bytes, PBUF_RAM);
		if (p != NULL)
			memcpy(p->payload, rest, rest_bytes);
		datagram_tell_error_locked(d, e, remote_ip, remote_port, p);
	} else if (!fatal || b->remote_port == 0) {
		return; /* only a connected socket knows that it is its own */
	}
	d->inet.base.error = e->error;
	socket_notify_locked(&d->inet.base, EPOLLERR | EPOLLIN | EPOLLOUT);
}

/* ------------------------------------------------------------------ addresses */
int udp_bind_locked(struct datagram_socket *d, const struct net_ip *ip, uint16_t port)
{
	int error = port_bind(&udp.ports, &d->inet.port, ip, port);

	if (error == 0)
		d->bound_ip = *ip;
	return error;
}

static int udp_bind_to(struct socket *s, const struct socket_address *a)
{
	struct datagram_socket *d = datagram_of(s);
	struct net_ip ip;
	int error;

	net_lock();
	error = inet_check_bind_locked(&d->inet, a, &ip);
	if (error == 0)
		error = inet_check_port(a->port);
	if (error == 0 && d->inet.port.bound)
		error = -EINVAL;
	if (error == 0)
		error = udp_bind_locked(d, &ip, a->port);
	if (error == 0) {
		inet_note_bound(&d->inet, &ip);
		d->port_chosen = a->port != 0;
	}
	net_unlock();
	return error;
}

/* A port that the kernel chose goes back, and an address that was chosen for the peer. */
static int disconnect(struct datagram_socket *d)
{
	if (!d->port_chosen)
		port_release(&d->inet.port);
	d->inet.port.remote_ip = *inet_any(&d->inet);
	d->inet.port.remote_port = 0;
	d->inet.port.local_ip = d->bound_ip;
	return 0;
}

static int connect_to(struct datagram_socket *d, const struct net_ip *ip, uint16_t port)
{
	struct net_ip source;
	int error = datagram_connect_locked(d, ip, &source);

	if (error == 0 && !d->inet.port.bound)
		error = udp_bind_locked(d, &d->bound_ip, 0);
	if (error != 0)
		return error;
	d->inet.port.local_ip = source;
	d->inet.port.remote_ip = *ip;
	d->inet.port.remote_port = port;
	return 0;
}

static int udp_connect_to(struct socket *s, const struct socket_address *a, bool nonblock)
{
	struct datagram_socket *d = datagram_of(s);
	struct net_ip ip;
	int error;

	(void)nonblock;
	net_lock();
	if (a->family == SOCKET_UNSPEC)
		error = disconnect(d);
	else if ((error = inet_check_peer_locked(&d->inet, a, &ip)) == 0)
		error = connect_to(d, &ip, a->port);
	net_unlock();
	return error;
}

static int udp_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	const struct inet_socket *i = &datagram_of(s)->inet;
	const struct port_binding *b = &i->port;
	int error = 0;

	net_lock();
	if (!peer)
		inet_address(i, out, &b->local_ip, b->bound ? b->local_port : 0);
	else if (b->remote_port == 0)
		error = -ENOTCONN;
	else
		inet_address(i, out, &b->remote_ip, b->remote_port);
	net_unlock_batch();
	return error;
}

/* ------------------------------------------------------------------ the rest */
static int udp_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	if (o == SOCKET_OPT_CORK)
		return udp_set_cork_locked(datagram_of(s), value != 0);
	if (o != SOCKET_OPT_SEGMENT)
		return datagram_set_option_locked(s, o, value);
	if (value < 0 || value > UINT16_MAX)
		return -EINVAL;
	datagram_of(s)->segment_bytes = (uint32_t)value;
	return 0;
}

static int udp_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	if (o != SOCKET_OPT_SEGMENT && o != SOCKET_OPT_CORK)
		return datagram_get_option_locked(s, o, value);
	*value = o == SOCKET_OPT_CORK ? datagram_of(s)->corked : datagram_of(s)->segment_bytes;
	return 0;
}

static void udp_close(struct socket *s)
{
	net_lock();
	udp_drop_pending_locked(datagram_of(s));
	net_unlock_batch();
	datagram_close(s);
}

static const struct socket_ops udp_ops = {
	.bind = udp_bind_to,
	.connect = udp_connect_to,
	.get_name = udp_get_name,
	.shut_down = datagram_shut_down,
	.send = udp_send_to,
	.receive = datagram_receive,
	.poll_locked = datagram_poll_locked,
	.set_option_locked = udp_set_option_locked,
	.get_option_locked = udp_get_option_locked,
	.change_group_locked = datagram_change_group_locked,
	.close = udp_close,
	.has_error_queue = true,
	.has_filter = true,
	.has_peek_offset = true,
};
