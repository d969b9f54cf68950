/*
 * raw_input.c: what raw and ping sockets see: packets, and ICMP's errors about what they sent.
 *
 * What:       a raw socket sees every packet of its protocol, IPv4's with the IP header; a ping
 *             socket the answers to its identifier.
 * Invariants: (1) a packet that is shown goes on to its protocol as well. (2) where the kernel
 *             makes sums for a socket, it sees no packet with a bad one.
 * Locking:    LOCK_NET.
 * Failure:    what finds no memory is not shown.
 * Source:     Linux net/ipv4/raw.c (raw_err), net/ipv4/ping.c (ping_err), net/ipv6/raw.c
 *             (rawv6_rcv, rawv6_err); RFC 3542 3.
 */
#include <linux/eventpoll.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip.h>

#include "base/errno.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/filter.h"
#include "net/net_priv.h"
#include "net/raw_priv.h"

#define ICMP_TYPES 32u

static struct {
	LIST_HEAD(raw_sockets, raw_socket) all; /* [n] */
} raw;

void raw_input_add_locked(struct raw_socket *r)
{
	net_assert_locked();
	LIST_INSERT_HEAD(&raw.all, r, link);
}

void raw_input_remove_locked(struct raw_socket *r)
{
	net_assert_locked();
	LIST_REMOVE(r, link);
}

/* ------------------------------------------------------------------ in */
void raw_each_locked(void (*fn)(const struct datagram_socket *d, bool ping, void *arg), void *arg)
{
	const struct raw_socket *r;

	net_assert_locked();
	LIST_FOREACH(r, &raw.all, link)
		fn(&r->d, r->ping, arg);
}

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

/* On the loopback nobody makes TCP's and UDP's sums. */
static bool is_sum_good(const struct raw_socket *r, const struct ip_packet *in)
{
	bool made = in->netif != loopback_netif() ||
		(r->protocol != IP_PROTO_UDP && r->protocol != IP_PROTO_TCP);
	ip_addr_t source, dest;
	uint16_t sum;

	if (r->ping || r->d.inet.base.family != SOCKET_INET6 || r->sum_offset < 0 || !made)
		return true;
	net_ip_to_lwip(&in->source, &source);
	net_ip_to_lwip(&in->dest, &dest);
	pbuf_remove_header(in->p, in->header_bytes);
	sum = ip_chksum_pseudo(in->p, r->protocol, in->p->tot_len, &source, &dest);
	pbuf_add_header_force(in->p, in->header_bytes);
	return sum == 0;
}

/* Where UDP's and TCP's destination would be. */
static uint16_t second_port(const struct ip_packet *in)
{
	uint16_t port = 0;

	pbuf_copy_partial(in->p, &port, sizeof(port), (u16_t)(in->header_bytes + sizeof(port)));
	return lwip_ntohs(port);
}

static void show(struct raw_socket *r, const struct ip_packet *in)
{
	bool headless = r->ping || r->d.inet.base.family == SOCKET_INET6;
	uint32_t skip = headless ? in->header_bytes : 0;
	uint32_t bytes = in->p->tot_len - skip;
	struct pbuf *copy;

	if (!filter_wants_packet_locked(&r->d.inet.base, in, in->p, &bytes))
		return;
	copy = pbuf_clone(PBUF_RAW, PBUF_RAM, in->p);
	if (copy == NULL)
		return;
	pbuf_remove_header(copy, skip);
	if (bytes < copy->tot_len)
		pbuf_realloc(copy, (u16_t)bytes);
	datagram_enqueue_locked(&r->d, in, copy, 0, second_port(in));
}

bool raw_input_locked(const struct ip_packet *in)
{
	struct raw_socket *r;
	bool shown = false;

	LIST_FOREACH(r, &raw.all, link) {
		if (!wants(r, in) || !is_sum_good(r, in)) /* (2) */
			continue;
		shown = true;
		show(r, in);
	}
	return shown;
}

/* ------------------------------------------------------------------ errors */
static bool sent(const struct raw_socket *r, const struct ip_returned *back)
{
	const struct port_binding *b = &r->d.inet.port;
	uint8_t echo = r->protocol == IP_PROTO_ICMP ? ICMP_ECHO : ICMP6_TYPE_EREQ;

	if (r->protocol != back->protocol ||
		(r->d.inet.base.family == SOCKET_INET6) == net_ip_is_v4(&back->source))
		return false;
	if (!net_ip_is_any(&b->local_ip) && !net_ip_is_same(&b->local_ip, &back->source))
		return false;
	if (b->remote_port != 0 && !net_ip_is_same(&b->remote_ip, &back->dest))
		return false;
	return !r->ping ||
		(b->bound && back->bytes >= ECHO_BYTES && back->transport[0] == echo &&
			(back->transport[4] << 8 | back->transport[5]) == b->local_port);
}

/* Whether who did not ask for all errors hears of it. */
static bool is_hard(const struct raw_socket *r, const struct ip_error *e)
{
	bool v6 = r->d.inet.base.family == SOCKET_INET6;

	if (e->error == -EMSGSIZE)
		return v6 ? r->d.mtu_discover[1] == PMTU_DO : r->d.mtu_discover[0] != PMTU_DONT;
	return e->fatal;
}

static void tell(struct raw_socket *r, const struct ip_returned *back, const struct ip_error *e)
{
	bool v6 = r->d.inet.base.family == SOCKET_INET6;
	const uint8_t *from = r->header_included ? back->packet : back->transport;
	uint32_t bytes = (uint32_t)(back->transport + back->bytes - from);
	struct pbuf *p;

	if (r->d.want_errors[v6]) {
		p = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_RAM);
		if (p != NULL)
			memcpy(p->payload, from, bytes);
		datagram_tell_error_locked(&r->d, e, &back->dest, 0, p);
	} else if (r->d.inet.port.remote_port == 0 || !is_hard(r, e)) {
		return; /* only a connected socket knows that it is its own */
	}
	r->d.inet.base.error = e->error;
	socket_notify_locked(&r->d.inet.base, EPOLLERR | EPOLLIN | EPOLLOUT);
}

void raw_error_locked(const struct ip_returned *back, const struct ip_error *e)
{
	struct raw_socket *r;

	LIST_FOREACH(r, &raw.all, link)
		if (sent(r, back))
			tell(r, back, e);
}
