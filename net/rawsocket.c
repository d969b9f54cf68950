/*
 * rawsocket.c: raw sockets of IP and IPv6, and ICMP's echo sockets ("ping"): all but what comes in.
 *
 * What:       a raw socket sends what follows the IP header, or with IP_HDRINCL all of it. A ping
 *             socket sends echo requests under an identifier of its own. What they see is
 *             raw_input.c's.
 * Invariants: (1) a sum that the kernel makes (ICMPv6's, IPV6_CHECKSUM's) lies within the packet.
 *             (2) a ping socket sends nothing but echo requests.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    Linux's errors.
 * Source:     Linux raw(7), icmp(7), net/ipv4/raw.c, net/ipv4/ping.c, net/ipv6/raw.c; RFC 3542 3.
 */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip.h>
#include <lwip/ip6.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>

#include "base/errno.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"
#include "net/raw_priv.h"

#define PROTOCOL_RAW 255u /* sends only */
#define PAYLOAD_MAX 65440u
#define ICMP_SUM_AT 2 /* of either version */

static struct {
	struct port_table identifiers; /* [n] */
	bool ready; /* [n] */
} raw;

static const struct socket_ops raw_ops;

int raw_socket_new(unsigned family, unsigned type, unsigned protocol, struct socket **out)
{
	unsigned icmp = family == SOCKET_INET ? IP_PROTO_ICMP : IP6_NEXTH_ICMP6;
	struct raw_socket *r;

	if (protocol == 0 || protocol > 255 || (type == SOCKET_DATAGRAM && protocol != icmp))
		return -EPROTONOSUPPORT;
	if (type == SOCKET_RAW && !cred_can(CAP_NET_RAW))
		return -EPERM;
	r = kmem_zalloc(sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	socket_init(&r->d.inet.base, &raw_ops, family, type, protocol);
	datagram_init(&r->d);
	r->protocol = (uint8_t)protocol;
	r->ping = type == SOCKET_DATAGRAM;
	r->header_included = protocol == PROTOCOL_RAW;
	r->sum_offset = protocol == icmp && (r->ping || family == SOCKET_INET6) ? ICMP_SUM_AT : -1;
	net_lock();
	if (!raw.ready)
		port_table_init(&raw.identifiers, inet_random);
	raw.ready = true;
	raw_input_add_locked(r);
	net_unlock();
	*out = &r->d.inet.base;
	return 0;
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
			!r->ping           ? r->protocol
				: b->bound ? b->local_port
					   : 0);
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

/* IPv6's sums cover addresses that the program may not know; a ping socket's sum is ours, too. */
static int make_sum(const struct raw_socket *r, const struct ip_output *o, struct pbuf *p)
{
	bool v6 = r->d.inet.base.family == SOCKET_INET6;
	uint8_t *at = (uint8_t *)p->payload + r->sum_offset;
	ip_addr_t source, dest;
	uint16_t sum;

	if (r->sum_offset < 0)
		return 0;
	if ((uint32_t)r->sum_offset + sizeof(sum) > p->tot_len) /* (1) */
		return -EINVAL;
	at[0] = at[1] = 0;
	net_ip_to_lwip(&o->source, &source);
	net_ip_to_lwip(&o->dest, &dest);
	sum = !v6 ? inet_chksum_pbuf(p)
		  : ip_chksum_pseudo(p, r->protocol, p->tot_len, &source, &dest);
	if (sum == 0 && r->protocol == IP_PROTO_UDP)
		sum = 0xffff;
	memcpy(at, &sum, sizeof(sum));
	return 0;
}

/* As it is: Linux fills in nothing. */
static int send_whole6(const struct ip_output *o, struct pbuf *p)
{
	int error;

	if (p->tot_len < IP6_HLEN)
		return -EINVAL;
	if (p->tot_len > netif_mtu6(o->netif))
		return -EMSGSIZE;
	error = ip6_output_if_src(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, o->netif);
	return error == ERR_OK || error == ERR_MEM ? 0 : -ENETUNREACH;
}

/* What the program leaves open in its header is filled in, as raw(7) says. */
static int send_whole(const struct ip_output *o, struct pbuf *p)
{
	struct ip_hdr *ip = p->payload;
	int error;

	if (!net_ip_is_v4(&o->dest))
		return send_whole6(o, p);
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
	if (error == 0 && r->d.inet.base.write_shut)
		error = -EPIPE;
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
	if (error == 0)
		error = make_sum(r, &o, p);
	if (error == 0)
		error = ip_output_locked(&o, p);
	if (error == 0)
		datagram_tell_sent_locked(&r->d);
	return error;
}

static long raw_send(struct socket *s, struct socket_message *m, bool nonblock)
{
	uint64_t bytes = m->data->left_bytes;
	struct pbuf *p;
	int error;

	(void)nonblock;
	error = net_take_payload(m->data, PBUF_IP, PAYLOAD_MAX, &p);
	if (error != 0)
		return error;
	net_lock();
	error = send_packet(raw_of(s), p, m);
	net_unlock();
	pbuf_free(p);
	return error != 0 ? error : (long)bytes;
}

/* ------------------------------------------------------------------ the rest */
/* Negative: none is made. RFC 3542 3.1: an odd offset is wrong. */
static int set_sum(struct raw_socket *r, int64_t value)
{
	if (value > 0 && value % 2 != 0)
		return -EINVAL;
	r->sum_offset = (int32_t)MAX(value, -1);
	return 0;
}

static int raw_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	struct raw_socket *r = raw_of(s);

	if (r->ping)
		return datagram_set_option_locked(s, o, value);
	if (o == (s->family == SOCKET_INET ? SOCKET_OPT_HDRINCL : SOCKET_OPT_HDRINCL6)) {
		r->header_included = value != 0;
		return 0;
	}
	if (o == SOCKET_OPT_CHECKSUM6 && s->family == SOCKET_INET6)
		return set_sum(r, value);
	if (o == SOCKET_OPT_ICMP_FILTER && r->protocol == IP_PROTO_ICMP) {
		r->filter4 = (uint32_t)value;
		return 0;
	}
	return datagram_set_option_locked(s, o, value);
}

static int raw_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	struct raw_socket *r = raw_of(s);

	if (r->ping)
		return datagram_get_option_locked(s, o, value);
	if (o == (s->family == SOCKET_INET ? SOCKET_OPT_HDRINCL : SOCKET_OPT_HDRINCL6)) {
		*value = r->header_included;
		return 0;
	}
	if (o == SOCKET_OPT_CHECKSUM6 && s->family == SOCKET_INET6) {
		*value = r->sum_offset;
		return 0;
	}
	if (o == SOCKET_OPT_ICMP_FILTER && r->protocol == IP_PROTO_ICMP) {
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
	raw_input_remove_locked(r);
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
	.has_filter = true,
	.urgent_error = -EOPNOTSUPP,
};
