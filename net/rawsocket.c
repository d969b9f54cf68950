/*
 * rawsocket.c: raw sockets of IP and IPv6, and ICMP's echo sockets ("ping").
 *
 * What:       a raw socket sees every packet of its protocol, IPv4's with the IP header, and sends
 *             what follows the header, or with IP_HDRINCL all of it. A ping socket sends echo
 *             requests under an identifier of its own and gets the answers to it.
 * Invariants: (1) a packet that is shown goes on to its protocol as well. (2) a ping socket sends
 *             nothing but echo requests.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    Linux's errors.
 * Source:     Linux raw(7), icmp(7), net/ipv4/raw.c, net/ipv4/ping.c, net/ipv6/raw.c; RFC 3542 3.
 */
#include <linux/eventpoll.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>

#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"

#define PROTOCOL_RAW 255u /* sends only */
#define ICMP_TYPES 32u
#define ECHO_BYTES 8u
#define PAYLOAD_MAX 65440u

/* All fields [n]. */
struct raw_socket {
	struct datagram_socket d;
	LIST_ENTRY(raw_socket) link;
	uint8_t protocol; /* [I] */
	bool ping; /* [I] its port is the identifier */
	bool header_included;
	uint32_t filter4; /* bit n set: ICMP's type n is not wanted */
	uint32_t filter6[8]; /* the same for ICMPv6 */
};

static struct {
	LIST_HEAD(raw_sockets, raw_socket) all; /* [n] */
	struct port_table identifiers; /* [n] */
	bool ready; /* [n] */
} raw;

static const struct socket_ops raw_ops;

static struct raw_socket *raw_of(struct socket *s)
{
	return (struct raw_socket *)(void *)s;
}

int raw_socket_new(unsigned family, unsigned type, unsigned protocol, struct socket **out)
{
	unsigned icmp = family == SOCKET_INET ? IP_PROTO_ICMP : IP6_NEXTH_ICMP6;
	struct raw_socket *r;

	if (protocol == 0 || protocol > 255 || (type == SOCKET_DATAGRAM && protocol != icmp))
		return -EPROTONOSUPPORT;
	r = kmem_zalloc(sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	socket_init(&r->d.inet.base, &raw_ops, family, type, protocol);
	datagram_init(&r->d);
	r->protocol = (uint8_t)protocol;
	r->ping = type == SOCKET_DATAGRAM;
	r->header_included = protocol == PROTOCOL_RAW && family == SOCKET_INET;
	net_lock();
	if (!raw.ready)
		port_table_init(&raw.identifiers, inet_random);
	raw.ready = true;
	LIST_INSERT_HEAD(&raw.all, r, link);
	net_unlock();
	*out = &r->d.inet.base;
	return 0;
}

/* ------------------------------------------------------------------ in */
static bool is_filtered(const struct raw_socket *r, uint8_t type)
{
	if (r->protocol == IP6_NEXTH_ICMP6)
		return (r->filter6[type / 32] >> (type % 32) & 1) != 0;
	return r->protocol == IP_PROTO_ICMP && type < ICMP_TYPES && (r->filter4 >> type & 1) != 0;
}

static bool is_answer(const struct raw_socket *r, const uint8_t *icmp, uint32_t bytes)
{
	uint8_t type = r->protocol == IP_PROTO_ICMP ? ICMP_ER : ICMP6_TYPE_EREP;

	return bytes >= ECHO_BYTES && icmp[0] == type && r->d.inet.port.bound &&
		(icmp[4] << 8 | icmp[5]) == r->d.inet.port.local_port;
}

static bool wants(const struct raw_socket *r, const struct ip_packet *in)
{
	const struct port_binding *b = &r->d.inet.port;
	bool v6 = r->d.inet.base.family == SOCKET_INET6;
	const uint8_t *l4 = (const uint8_t *)in->p->payload + in->header_bytes;
	uint32_t bytes = in->p->len > in->header_bytes ? in->p->len - in->header_bytes : 0;

	if (r->protocol != in->protocol || v6 == net_ip_is_v4(&in->dest))
		return false;
	if (!net_ip_is_any(&b->local_ip) && !net_ip_is_same(&b->local_ip, &in->dest))
		return false;
	if (b->remote_port != 0 && !net_ip_is_same(&b->remote_ip, &in->source))
		return false;
	if (!multicast_wants_locked(&r->d, in))
		return false;
	if (r->ping)
		return is_answer(r, l4, bytes);
	return bytes == 0 || !is_filtered(r, l4[0]);
}

bool raw_input_locked(const struct ip_packet *in)
{
	struct raw_socket *r;
	struct pbuf *copy;
	bool shown = false;

	LIST_FOREACH(r, &raw.all, link) {
		if (!wants(r, in))
			continue;
		shown = true;
		copy = pbuf_clone(PBUF_RAW, PBUF_RAM, in->p);
		if (copy == NULL)
			continue;
		if (r->ping || r->d.inet.base.family == SOCKET_INET6)
			pbuf_remove_header(copy, in->header_bytes);
		datagram_enqueue_locked(&r->d, in, copy, 0);
	}
	return shown;
}

/* ------------------------------------------------------------------ addresses */
static int bind_identifier(struct raw_socket *r, const struct net_ip *ip, uint16_t port)
{
	int error;

	if (!r->ping) {
		r->d.bound_ip = r->d.inet.port.local_ip = *ip;
		return 0;
	}
	if (r->d.inet.port.bound)
		return -EINVAL;
	error = port_bind(&raw.identifiers, &r->d.inet.port, ip, port);
	if (error == 0)
		r->d.bound_ip = *ip;
	return error;
}

static int raw_bind(struct socket *s, const struct socket_address *a)
{
	struct raw_socket *r = raw_of(s);
	struct net_ip ip;
	int error;

	net_lock();
	error = inet_check_bind_locked(&r->d.inet, a, &ip);
	if (error == 0)
		error = bind_identifier(r, &ip, a->port);
	net_unlock();
	return error;
}

static int raw_connect(struct socket *s, const struct socket_address *a, bool nonblock)
{
	struct raw_socket *r = raw_of(s);
	struct port_binding *b = &r->d.inet.port;
	struct net_ip ip, source;
	int error = 0;

	(void)nonblock;
	net_lock();
	if (a->family == SOCKET_UNSPEC) {
		b->remote_port = 0;
		b->local_ip = r->d.bound_ip;
		net_unlock();
		return 0;
	}
	error = inet_check_peer_locked(&r->d.inet, a, &ip);
	if (error == 0)
		error = datagram_connect_locked(&r->d, &ip, &source);
	if (error == 0 && r->ping && !b->bound)
		error = bind_identifier(r, inet_any(&r->d.inet), 0);
	if (error == 0) {
		b->local_ip = source;
		b->remote_ip = ip;
		b->remote_port = 1; /* connected: there are no ports */
	}
	net_unlock();
	return error;
}

static int raw_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct raw_socket *r = raw_of(s);
	const struct port_binding *b = &r->d.inet.port;
	int error = 0;

	net_lock();
	if (!peer)
		inet_address(&r->d.inet, out, &b->local_ip,
			r->ping && b->bound ? b->local_port : 0);
	else if (b->remote_port == 0)
		error = -ENOTCONN;
	else
		inet_address(&r->d.inet, out, &b->remote_ip, 0);
	net_unlock();
	return error;
}

/* ------------------------------------------------------------------ out */
/* (2): the identifier is ours, and so is the sum. */
static int make_echo(struct raw_socket *r, struct pbuf *p)
{
	uint8_t *icmp = p->payload;
	uint8_t type = r->protocol == IP_PROTO_ICMP ? ICMP_ECHO : ICMP6_TYPE_EREQ;

	if (p->tot_len < ECHO_BYTES || icmp[0] != type || icmp[1] != 0)
		return -EINVAL;
	icmp[4] = (uint8_t)(r->d.inet.port.local_port >> 8);
	icmp[5] = (uint8_t)r->d.inet.port.local_port;
	return 0;
}

/* ICMPv6's sum covers addresses that the program may not know; a ping socket's is ours, too. */
static void make_sum(const struct raw_socket *r, const struct ip_output *o, struct pbuf *p)
{
	uint8_t *icmp = p->payload;
	ip_addr_t source, dest;
	uint16_t sum;

	if (p->tot_len < 4 || (!r->ping && r->protocol != IP6_NEXTH_ICMP6))
		return;
	icmp[2] = icmp[3] = 0;
	net_ip_to_lwip(&o->source, &source);
	net_ip_to_lwip(&o->dest, &dest);
	sum = r->protocol == IP_PROTO_ICMP
		? inet_chksum_pbuf(p)
		: ip_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, &source, &dest);
	memcpy(icmp + 2, &sum, sizeof(sum));
}

/* What the program leaves open in its header is filled in, as raw(7) says. */
static int send_whole(const struct ip_output *o, struct pbuf *p)
{
	struct ip_hdr *ip = p->payload;
	int error;

	if (p->tot_len < IP_HLEN || IPH_V(ip) != 4 || IPH_HL_BYTES(ip) < IP_HLEN ||
		IPH_HL_BYTES(ip) > p->tot_len)
		return -EINVAL;
	if (p->tot_len > o->netif->mtu)
		return -EMSGSIZE;
	if (ip->src.addr == 0)
		ip->src.addr = net_ip_v4(&o->source);
	IPH_LEN_SET(ip, lwip_htons(p->tot_len));
	if (IPH_ID(ip) == 0)
		IPH_ID_SET(ip, (uint16_t)inet_random());
	IPH_CHKSUM_SET(ip, 0);
	IPH_CHKSUM_SET(ip, inet_chksum(ip, IPH_HL_BYTES(ip)));
	error = ip4_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, o->netif);
	return error == ERR_OK || error == ERR_MEM ? 0 : -ENETUNREACH;
}

static int find_dest(struct raw_socket *r, const struct socket_message *m, struct net_ip *dest)
{
	if (r->d.inet.base.write_shut)
		return -EPIPE;
	if (m->has_address)
		return inet_check_peer_locked(&r->d.inet, &m->address, dest);
	*dest = r->d.inet.port.remote_ip;
	return r->d.inet.port.remote_port == 0 ? -EDESTADDRREQ : 0;
}

static int send_packet(struct raw_socket *r, struct pbuf *p, const struct socket_message *m)
{
	struct ip_output o = { .protocol = r->protocol };
	struct net_ip dest;
	int error = find_dest(r, m, &dest);

	if (error == 0)
		error = socket_take_error_locked(&r->d.inet.base);
	if (error == 0)
		error = datagram_route_locked(&r->d, m, &dest, &o);
	if (error == 0 && r->ping && !r->d.inet.port.bound)
		error = bind_identifier(r, inet_any(&r->d.inet), 0);
	if (error == 0 && r->ping)
		error = make_echo(r, p);
	if (error != 0)
		return error;
	if (r->header_included)
		return send_whole(&o, p);
	error = datagram_fit_locked(&r->d, &o, 0, p->tot_len);
	if (error != 0)
		return error;
	make_sum(r, &o, p);
	return ip_output_locked(&o, p);
}

static long raw_send(struct socket *s, struct socket_message *m, bool nonblock)
{
	uint64_t bytes = m->data->left_bytes;
	struct pbuf *p;
	int error;

	(void)nonblock;
	if (bytes > PAYLOAD_MAX)
		return -EMSGSIZE;
	p = pbuf_alloc(PBUF_IP, (u16_t)bytes, PBUF_RAM);
	if (p == NULL)
		return -ENOBUFS;
	error = bytes == 0 || uio_copy_from(m->data, p->payload, bytes) == (long)bytes ? 0
										       : -EFAULT;
	if (error == 0) {
		net_lock();
		error = send_packet(raw_of(s), p, m);
		net_unlock();
	}
	pbuf_free(p);
	return error != 0 ? error : (long)bytes;
}

/* ------------------------------------------------------------------ the rest */
static int raw_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	struct raw_socket *r = raw_of(s);

	if (o == SOCKET_OPT_HDRINCL && s->family == SOCKET_INET && !r->ping) {
		r->header_included = value != 0;
		return 0;
	}
	if (o == SOCKET_OPT_ICMP_FILTER && r->protocol == IP_PROTO_ICMP && !r->ping) {
		r->filter4 = (uint32_t)value;
		return 0;
	}
	return datagram_set_option_locked(s, o, value);
}

static int raw_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	struct raw_socket *r = raw_of(s);

	if (o == SOCKET_OPT_HDRINCL && s->family == SOCKET_INET && !r->ping) {
		*value = r->header_included;
		return 0;
	}
	if (o == SOCKET_OPT_ICMP_FILTER && r->protocol == IP_PROTO_ICMP && !r->ping) {
		*value = r->filter4;
		return 0;
	}
	return datagram_get_option_locked(s, o, value);
}

int socket_set_icmp6_filter(struct file *f, const uint32_t filter[8])
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	if (s->ops != &raw_ops || raw_of(s)->protocol != IP6_NEXTH_ICMP6 || raw_of(s)->ping)
		return -ENOPROTOOPT;
	net_lock();
	memcpy(raw_of(s)->filter6, filter, sizeof(raw_of(s)->filter6));
	net_unlock();
	return 0;
}

static void raw_close(struct socket *s)
{
	struct raw_socket *r = raw_of(s);

	net_lock();
	LIST_REMOVE(r, link);
	net_unlock();
	datagram_close(s);
}

static const struct socket_ops raw_ops = {
	.bind = raw_bind,
	.connect = raw_connect,
	.get_name = raw_get_name,
	.shut_down = datagram_shut_down,
	.send = raw_send,
	.receive = datagram_receive,
	.poll_locked = datagram_poll_locked,
	.set_option_locked = raw_set_option_locked,
	.get_option_locked = raw_get_option_locked,
	.change_group_locked = datagram_change_group_locked,
	.close = raw_close,
	.has_error_queue = true,
};
