/*
 * icmp_error.c: ICMP's and ICMPv6's errors, told to the sockets that they are about.
 *
 * What:       lwIP does not do this. The packet that comes back inside names the socket; what a
 *             router says of a path's MTU is noted on the way.
 * Invariants: (1) only an error about a packet from one of our addresses is heard. (2) a message
 *             with a bad sum goes no further than to raw sockets.
 * Locking:    LOCK_NET.
 * Failure:    what is cut off or unknown is ignored.
 * Source:     RFC 792, RFC 1191, RFC 4443; Linux net/ipv4/icmp.c (icmp_err_convert),
 *             net/ipv6/icmp.c (icmpv6_err_convert).
 */
#include <lwip/inet_chksum.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>

#include "base/errno.h"
#include "base/units.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

#define ICMP_HEADER_BYTES 8u
#define PORTS_BYTES 8u /* ports, and UDP's rest or TCP's sequence number */
#define INNER_MAX 576u
#define REPLY_MAX 548u /* with both headers 576: RFC 1812 4.3.2.3 */
#define TOS_OF_ERRORS 0xc0 /* as Linux */

struct verdict {
	int8_t error;
	bool fatal;
};

static bool judge4(const uint8_t *icmp, struct ip_error *e)
{
	static const struct verdict unreachable[] = {
		{ ENETUNREACH, false },
		{ EHOSTUNREACH, false },
		{ ENOPROTOOPT, true },
		{ ECONNREFUSED, true },
		{ EMSGSIZE, false },
		{ EOPNOTSUPP, false },
		{ ENETUNREACH, true },
		{ EHOSTDOWN, true },
		{ ENONET, true },
		{ ENETUNREACH, true },
		{ EHOSTUNREACH, true },
		{ ENETUNREACH, false },
		{ EHOSTUNREACH, false },
		{ EHOSTUNREACH, true },
		{ EHOSTUNREACH, true },
		{ EHOSTUNREACH, true },
	};

	e->error = -EHOSTUNREACH;
	e->fatal = false;
	if (icmp[0] == ICMP_TE)
		return true;
	if (icmp[0] == ICMP_PP) {
		e->error = -EPROTO;
		e->fatal = true;
		return true;
	}
	if (icmp[0] != ICMP_DUR || icmp[1] >= ARRAY_LEN(unreachable))
		return false;
	e->error = -unreachable[icmp[1]].error;
	e->fatal = unreachable[icmp[1]].fatal;
	if (icmp[1] == ICMP_DUR_FRAG)
		e->info = (uint32_t)icmp[6] << 8 | icmp[7];
	return true;
}

static bool judge6(const uint8_t *icmp, struct ip_error *e)
{
	static const struct verdict unreachable[] = {
		{ ENETUNREACH, false },
		{ EACCES, true },
		{ EHOSTUNREACH, false },
		{ EHOSTUNREACH, false },
		{ ECONNREFUSED, true },
		{ EACCES, true },
		{ EACCES, true },
	};

	e->fatal = false;
	switch (icmp[0]) {
	case ICMP6_TYPE_DUR:
		if (icmp[1] >= ARRAY_LEN(unreachable))
			return false;
		e->error = -unreachable[icmp[1]].error;
		e->fatal = unreachable[icmp[1]].fatal;
		return true;
	case ICMP6_TYPE_PTB:
		e->error = -EMSGSIZE;
		e->info = (uint32_t)icmp[4] << 24 | (uint32_t)icmp[5] << 16 |
			(uint32_t)icmp[6] << 8 | icmp[7];
		return true;
	case ICMP6_TYPE_TE:
		e->error = -EHOSTUNREACH;
		return true;
	case ICMP6_TYPE_PP:
		e->error = -EPROTO;
		e->fatal = true;
		return true;
	default:
		return false;
	}
}

static bool open4(const uint8_t *packet, uint32_t bytes, struct ip_returned *out)
{
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)packet;
	uint32_t header_bytes;

	if (bytes < IP_HLEN || IPH_V(ip) != 4)
		return false;
	header_bytes = IPH_HL_BYTES(ip);
	if (header_bytes < IP_HLEN || bytes < header_bytes + PORTS_BYTES ||
		(IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK)) != 0)
		return false;
	out->source = net_ip_of_v4(ip->src.addr);
	out->dest = net_ip_of_v4(ip->dest.addr);
	out->protocol = IPH_PROTO(ip);
	out->packet = packet;
	out->transport = packet + header_bytes;
	out->bytes = bytes - header_bytes;
	return true;
}

/* Ours have at most a fragment header before the transport's. */
static bool open6(const uint8_t *packet, uint32_t bytes, uint32_t scope, struct ip_returned *out)
{
	const struct ip6_hdr *ip = (const struct ip6_hdr *)(const void *)packet;
	uint32_t header_bytes = IP6_HLEN;

	if (bytes < IP6_HLEN || IP6H_V(ip) != 6)
		return false;
	out->protocol = IP6H_NEXTH(ip);
	if (out->protocol == IP6_NEXTH_FRAGMENT && bytes >= IP6_HLEN + 8) {
		if ((packet[IP6_HLEN + 2] | (packet[IP6_HLEN + 3] & 0xf8)) != 0)
			return false;
		out->protocol = packet[IP6_HLEN];
		header_bytes += 8;
	}
	if (bytes < header_bytes + PORTS_BYTES)
		return false;
	out->source = net_ip_of_bytes(&ip->src, scope);
	out->dest = net_ip_of_bytes(&ip->dest, scope);
	out->packet = packet;
	out->transport = packet + header_bytes;
	out->bytes = bytes - header_bytes;
	return true;
}

static uint16_t port_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void tell_sockets(const struct ip_returned *in, const struct ip_error *e)
{
	uint16_t from = port_at(in->transport), to = port_at(in->transport + 2);
	uint32_t seq;

	if (!net_is_local_locked(&in->source)) /* (1) */
		return;
	if (e->error == -EMSGSIZE)
		ip_note_path_mtu_locked(&in->dest, e->info);
	raw_error_locked(in, e);
	if (in->protocol == IP_PROTO_UDP) {
		udp_error_locked(&in->source, from, &in->dest, to, e, in->transport + PORTS_BYTES,
			in->bytes - PORTS_BYTES);
	} else if (in->protocol == IP_PROTO_TCP) {
		memcpy(&seq, in->transport + 4, sizeof(seq));
		seq = lwip_ntohl(seq);
		if (e->error == -EMSGSIZE)
			tcp_path_mtu_locked(&in->source, from, &in->dest, to, seq, e->info);
		else
			tcp_unreachable_locked(&in->source, from, &in->dest, to, seq, e->error);
	}
}

/* (2). lwIP tests sums itself, but later, and not those of all messages. */
static bool is_sum_good(const struct ip_packet *in)
{
	bool v6 = in->protocol == IP6_NEXTH_ICMP6;
	uint16_t flag = v6 ? NETIF_CHECKSUM_CHECK_ICMP6 : NETIF_CHECKSUM_CHECK_ICMP;
	ip_addr_t source, dest;
	uint16_t sum;

	if ((in->netif->chksum_flags & flag) == 0)
		return true;
	net_ip_to_lwip(&in->source, &source);
	net_ip_to_lwip(&in->dest, &dest);
	pbuf_remove_header(in->p, in->header_bytes);
	sum = v6 ? ip_chksum_pseudo(in->p, IP6_NEXTH_ICMP6, in->p->tot_len, &source, &dest)
		 : inet_chksum_pbuf(in->p);
	pbuf_add_header_force(in->p, in->header_bytes);
	return sum == 0;
}

bool icmp_refuse_bad_locked(struct ip_packet *in)
{
	bool v6 = !net_ip_is_v4(&in->source);
	struct icmp_counters *counters = &net_counters.icmp[v6];

	if (v6 != (in->protocol == IP6_NEXTH_ICMP6))
		return false; /* the other family's: nobody's */
	counters->in++;
	if (is_sum_good(in)) {
		counters_see_icmp_locked(in);
		return false;
	}
	counters->in_errors++;
	bad_packet_count_locked("ICMP checksum");
	pbuf_free(in->p);
	return true;
}

void icmp_error_input_locked(const struct ip_packet *in)
{
	bool v6 = !net_ip_is_v4(&in->source);
	struct ip_error e = { .origin = v6 ? ORIGIN_ICMP6 : ORIGIN_ICMP, .offender = in->source };
	_Alignas(8) uint8_t icmp[ICMP_HEADER_BYTES + INNER_MAX];
	struct ip_returned inner;
	uint32_t bytes = pbuf_copy_partial(in->p, icmp, sizeof(icmp), in->header_bytes);

	if (v6 != (in->protocol == IP6_NEXTH_ICMP6) || bytes < ICMP_HEADER_BYTES ||
		!(v6 ? judge6(icmp, &e) : judge4(icmp, &e)))
		return;
	e.type = icmp[0];
	e.code = icmp[1];
	bytes -= ICMP_HEADER_BYTES;
	if ((v6 ? open6(icmp + ICMP_HEADER_BYTES, bytes, netif_get_index(in->netif), &inner)
		: open4(icmp + ICMP_HEADER_BYTES, bytes, &inner)))
		tell_sockets(&inner, &e);
}

/* As if a router had said so: Linux, too, sends itself the message. */
void icmp_error_unreachable_locked(const struct pbuf *p, uint32_t scope)
{
	struct ip_error e = { .error = -EHOSTUNREACH };
	_Alignas(8) uint8_t packet[INNER_MAX];
	struct ip_returned inner;
	uint32_t bytes = pbuf_copy_partial(p, packet, sizeof(packet), 0);
	bool v6 = bytes != 0 && packet[0] >> 4 == 6;

	if (!(v6 ? open6(packet, bytes, scope, &inner) : open4(packet, bytes, &inner)))
		return;
	e.origin = v6 ? ORIGIN_ICMP6 : ORIGIN_ICMP;
	e.type = v6 ? ICMP6_TYPE_DUR : ICMP_DUR;
	e.code = v6 ? ICMP6_DUR_ADDRESS : ICMP_DUR_HOST;
	e.offender = inner.source;
	tell_sockets(&inner, &e);
}

void icmp_refuse_port_locked(const struct ip_packet *in)
{
	struct ip_output o = { .netif = in->netif,
		.source = in->dest,
		.dest = in->source,
		.protocol = IP_PROTO_ICMP,
		.ttl = IP_DEFAULT_TTL,
		.tos = TOS_OF_ERRORS };
	uint16_t bytes = MIN(in->p->tot_len, (u16_t)REPLY_MAX), sum;
	struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)(ICMP_HEADER_BYTES + bytes), PBUF_RAM);
	uint8_t *icmp;

	if (p == NULL)
		return;
	icmp = p->payload;
	memset(icmp, 0, ICMP_HEADER_BYTES);
	icmp[0] = ICMP_DUR;
	icmp[1] = ICMP_DUR_PORT;
	pbuf_copy_partial(in->p, icmp + ICMP_HEADER_BYTES, bytes, 0);
	sum = inet_chksum_pbuf(p);
	memcpy(icmp + 2, &sum, sizeof(sum));
	if (net_is_local_locked(&in->source))
		o.netif = loopback_netif();
	(void)!ip_output_locked(&o, p);
	pbuf_free(p);
}
