/*
 * udp_send.c: UDP: datagrams out, whole, in pieces or joined.
 *
 * What:       what is written is a datagram; or several, by UDP_SEGMENT; or a piece of one, with
 *             MSG_MORE or UDP_CORK: then it waits with what waits already, and goes where the first
 *             piece was to go, when a piece comes without either or the cork is taken out.
 * Invariants: (1) nothing waits unless all of it fits into one datagram. (2) what cannot be sent
 *             takes with it what waited, as on Linux.
 * Locking:    LOCK_NET, never while copying.
 * Failure:    Linux's errors: -EDESTADDRREQ, -EMSGSIZE, -EPIPE, -ENOBUFS, net/datagram_send.c's.
 * Source:     RFC 768; Linux udp(7), net/ipv4/udp.c (udp_sendmsg, udp_push_pending_frames).
 */
#include <lwip/inet_chksum.h>
#include <lwip/prot/udp.h>
#include <lwip/udp.h>

#include "base/compiler.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"

#define PAYLOAD_MAX4 65507u
#define SEGMENTS_MAX 128u /* Linux's UDP_MAX_SEGMENTS */
#define PAYLOAD_MAX6 65440u /* CAVEAT: Linux's is 65527; a pbuf counts its headers, too */

/* A datagram that is not complete. */
struct pending_datagram {
	struct pbuf *p; /* payload only */
	struct ip_output to;
	uint32_t segment_bytes; /* as the first piece said */
	uint16_t port;
};

static void make_header(const struct datagram_socket *d, const struct ip_output *o, uint16_t port,
	struct pbuf *p)
{
	struct udp_hdr *header;
	ip_addr_t source, dest;

	(void)!pbuf_add_header(p, UDP_HLEN); /* room was asked for */
	header = p->payload;
	header->src = lwip_htons(d->inet.port.local_port);
	header->dest = lwip_htons(port);
	header->len = lwip_htons(p->tot_len);
	header->chksum = 0;
	if ((o->netif->chksum_flags & NETIF_CHECKSUM_GEN_UDP) == 0)
		return;
	net_ip_to_lwip(&o->source, &source);
	net_ip_to_lwip(&o->dest, &dest);
	header->chksum = ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, &source, &dest);
	if (header->chksum == 0)
		header->chksum = 0xffff;
}

static int judge_send(struct datagram_socket *d, const struct socket_message *m,
	struct net_ip *dest, uint16_t *port)
{
	struct socket *s = &d->inet.base;
	bool has_address = m->has_address &&
		(m->address.family != SOCKET_UNSPEC || s->family == SOCKET_INET);
	int error = 0;

	if (!has_address && d->inet.port.remote_port == 0)
		return -EDESTADDRREQ;
	*dest = d->inet.port.remote_ip;
	*port = d->inet.port.remote_port;
	if (has_address) {
		if (m->address.family == SOCKET_UNSPEC)
			return -EINVAL;
		if (m->address.family == SOCKET_INET && d->inet.port.v6only)
			return -ENETUNREACH;
		error = inet_check_peer_locked(&d->inet, &m->address, dest);
		if (error == 0 && m->address.port == 0)
			error = -EINVAL;
		*port = m->address.port;
	}
	if (error == 0)
		error = socket_take_error_locked(s);
	return error == 0 && s->write_shut ? -EPIPE : error;
}

/* UDP_SEGMENT: as many datagrams as it takes, of which the last one may be shorter. */
static int send_segments(struct datagram_socket *d, struct pbuf *p, struct ip_output *o,
	uint16_t port, uint32_t segment_bytes)
{
	uint32_t at, bytes;
	struct pbuf *piece;
	int error = 0;

	for (at = 0; at < p->tot_len && error == 0; at += bytes) {
		bytes = MIN(segment_bytes, p->tot_len - at);
		piece = pbuf_alloc(PBUF_TRANSPORT, (u16_t)bytes, PBUF_RAM);
		if (piece == NULL)
			return -ENOBUFS;
		pbuf_copy_partial(p, piece->payload, (u16_t)bytes, (u16_t)at);
		make_header(d, o, port, piece);
		error = ip_output_locked(o, piece);
		pbuf_free(piece);
	}
	return error;
}

/* What is sent is cut into such pieces, each of which must fit whole. 0: it is never cut. */
static int judge_segments(struct datagram_socket *d, const struct socket_message *m,
	const struct ip_output *o, uint32_t bytes, uint32_t *segment_bytes)
{
	uint32_t segment = m->segment_bytes != 0 ? m->segment_bytes : d->segment_bytes;
	uint32_t header_bytes = UDP_HLEN + (net_ip_is_v4(&o->dest) ? IP_HLEN : IP6_HLEN);

	*segment_bytes = 0;
	if (segment == 0)
		return 0;
	if (segment + header_bytes > ip_path_mtu_locked(&o->dest, o->netif) ||
		bytes > segment * SEGMENTS_MAX)
		return -EINVAL;
	*segment_bytes = segment;
	return 0;
}

/* Judges the whole of it, and cuts it if need be. In its place: 23 instructions less for each
 * datagram. */
static inline __attribute__((always_inline)) int send_out(struct datagram_socket *d, struct pbuf *p,
	struct ip_output *o, uint16_t port, uint32_t segment_bytes)
{
	bool v6 = !net_ip_is_v4(&o->dest);
	int error;

	error = datagram_fit_locked(d, o, port,
		(segment_bytes != 0 ? segment_bytes : p->tot_len) + UDP_HLEN);
	if (error != 0)
		return error;
	if (segment_bytes != 0) {
		error = send_segments(d, p, o, port, segment_bytes);
	} else {
		make_header(d, o, port, p);
		error = ip_output_locked(o, p);
	}
	if (error == 0)
		datagram_tell_sent_locked(d);
	net_counters.udp[v6].sent += error == 0;
	return error;
}

static uint32_t payload_max(const struct net_ip *dest)
{
	return net_ip_is_v4(dest) ? PAYLOAD_MAX4 : PAYLOAD_MAX6;
}

/* ------------------------------------------------------------------ in pieces */
void udp_drop_pending_locked(struct datagram_socket *d)
{
	if (d->pending == NULL)
		return;
	pbuf_free(d->pending->p);
	kmem_free(d->pending);
	d->pending = NULL;
}

/* The pieces in one: what sends wants one header in front and one sum over all. */
static int push(struct datagram_socket *d)
{
	struct pending_datagram *w = d->pending;
	struct pbuf *whole = pbuf_clone(PBUF_TRANSPORT, PBUF_RAM, w->p);
	uint32_t segment = w->segment_bytes < w->p->tot_len ? w->segment_bytes : 0;
	int error;

	if (whole == NULL)
		error = -ENOBUFS;
	else if (w->segment_bytes * SEGMENTS_MAX < whole->tot_len && segment != 0)
		error = -EINVAL;
	else
		error = send_out(d, whole, &w->to, w->port, segment);
	if (whole != NULL)
		pbuf_free(whole);
	udp_drop_pending_locked(d);
	return error;
}

/* Takes a reference to p. */
static int keep(struct datagram_socket *d, struct pbuf *p, const struct ip_output *o, uint16_t port,
	uint32_t segment_bytes)
{
	struct pending_datagram *w = kmem_alloc(sizeof(*w));

	if (w == NULL)
		return -ENOBUFS;
	pbuf_ref(p);
	*w = (struct pending_datagram){
		.p = p, .to = *o, .segment_bytes = segment_bytes, .port = port
	};
	d->pending = w;
	return 0;
}

static int append(struct datagram_socket *d, struct pbuf *p, bool more)
{
	struct pending_datagram *w = d->pending;

	if ((uint32_t)w->p->tot_len + p->tot_len > payload_max(&w->to.dest)) { /* (1) */
		udp_drop_pending_locked(d); /* (2) */
		return -EMSGSIZE;
	}
	if (p->tot_len > 0) /* any number of nothing stays nothing */
		pbuf_chain(w->p, p);
	return more ? 0 : push(d);
}

int udp_set_cork_locked(struct datagram_socket *d, bool corked)
{
	d->corked = corked;
	/* How that ends nobody is told, as on Linux. */
	if (!corked && d->pending != NULL)
		(void)!push(d);
	return 0;
}

/* ------------------------------------------------------------------ sending */
static int send_datagram(struct datagram_socket *d, struct pbuf *p, const struct socket_message *m)
{
	struct ip_output o = { .protocol = IP_PROTO_UDP };
	bool more = d->corked || (m->flags & SOCKET_MSG_MORE) != 0;
	struct net_ip dest;
	uint32_t segment;
	uint16_t port;
	int error = d->inet.port.bound ? 0 : udp_bind_locked(d, &d->bound_ip, 0);

	if (unlikely(d->pending != NULL) && error == 0)
		return append(d, p, more);
	if (error == 0) /* bound it stays, as on Linux */
		error = judge_send(d, m, &dest, &port);
	if (error == 0 && p->tot_len > payload_max(&dest))
		error = -EMSGSIZE;
	if (error == 0)
		error = datagram_route_locked(d, m, &dest, &o);
	if (error == 0)
		error = judge_segments(d, m, &o, p->tot_len, &segment);
	if (error != 0)
		return error;
	if (unlikely(more))
		return keep(d, p, &o, port, segment);
	return send_out(d, p, &o, port, segment < p->tot_len ? segment : 0);
}

long udp_send_to(struct socket *s, struct socket_message *m, bool nonblock)
{
	uint64_t bytes = m->data->left_bytes;
	struct pbuf *p;
	int error;

	(void)nonblock;
	error = net_take_payload(m->data, PBUF_TRANSPORT, PAYLOAD_MAX4, &p);
	if (error == -ENOBUFS) {
		net_lock();
		net_counters.udp[s->family == SOCKET_INET6].memory_errors++;
		net_unlock_batch();
	}
	if (error != 0)
		return error;
	net_lock();
	error = send_datagram(datagram_of(s), p, m);
	net_unlock();
	pbuf_free(p);
	return error != 0 ? error : (long)bytes;
}
