/*
 * counters.c: what the protocols have done, counted where every packet passes.
 *
 * What:       packets and octets in and out, ICMP's messages by type, and which TCP segments are
 *             repetitions. What happens elsewhere is counted there, in net_counters.
 * Invariants: (1) each packet is seen once on its way in, before reassembly, and once on its way
 *             out, after fragmentation.
 * Locking:    LOCK_NET.
 * Failure:    none.
 * Source:     RFC 4293, RFC 4022; Linux include/uapi/linux/snmp.h, and where it counts.
 */
#include "net/counters.h"

#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>

#include "net/address.h"
#include "net/lwip_port/hooks.h"
#include "net/net_priv.h"

struct net_counters net_counters;
struct net_lwip_counters net_lwip_counters;

/* ------------------------------------------------------------------ packets */
static void add(struct ip_traffic *t, const struct net_ip *dest, uint32_t bytes)
{
	t->packets++;
	t->octets += bytes;
	if (net_ip_is_multicast(dest)) {
		t->group_packets++;
		t->group_octets += bytes;
	} else if (net_is_broadcast_locked(dest)) {
		t->broadcast_packets++;
		t->broadcast_octets += bytes;
	}
}

/* Version 0: there is not even a header. */
static unsigned version_of(const struct pbuf *p, struct net_ip *dest)
{
	const struct ip_hdr *ip = p->payload;
	const struct ip6_hdr *ip6 = p->payload;

	if (p->len >= IP_HLEN && IPH_V(ip) == 4) {
		*dest = net_ip_of_v4(ip->dest.addr);
		return 4;
	}
	if (p->len < IP6_HLEN || IP6H_V(ip6) != 6)
		return 0;
	*dest = net_ip_of_bytes(&ip6->dest, 0);
	return 6;
}

void counters_see_in_locked(const struct pbuf *p)
{
	struct net_ip dest;
	unsigned version = version_of(p, &dest);

	net_assert_locked();
	if (version != 0)
		add(&net_counters.ip[version == 6].in, &dest, p->tot_len);
}

/* Where the ICMP message of a packet that leaves begins; 0: it has none, or not its beginning. */
static uint16_t icmp_offset4(const struct pbuf *p)
{
	const struct ip_hdr *ip = p->payload;

	if (IPH_PROTO(ip) != IP_PROTO_ICMP || (IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK)) != 0)
		return 0;
	return IPH_HL_BYTES(ip);
}

/* Ours have at most one extension header: MLD's, or a fragment's. */
static uint16_t icmp_offset6(const struct pbuf *p)
{
	uint8_t next = IP6H_NEXTH((const struct ip6_hdr *)p->payload);
	uint16_t at = IP6_HLEN;

	if (next == IP6_NEXTH_FRAGMENT &&
		(pbuf_get_at(p, at + 2) != 0 || (pbuf_get_at(p, at + 3) & 0xf8) != 0))
		return 0;
	if (next == IP6_NEXTH_FRAGMENT || next == IP6_NEXTH_HOPBYHOP) {
		next = pbuf_get_at(p, at);
		at = (uint16_t)(at + 8); /* both have 8 bytes here */
	}
	return next == IP6_NEXTH_ICMP6 ? at : 0;
}

void counters_see_out_locked(const struct pbuf *p)
{
	struct net_ip dest;
	unsigned version = version_of(p, &dest);
	struct icmp_counters *icmp = &net_counters.icmp[version == 6];
	uint16_t at;

	net_assert_locked();
	if (version == 0)
		return;
	add(&net_counters.ip[version == 6].out, &dest, p->tot_len);
	at = version == 6 ? icmp_offset6(p) : icmp_offset4(p);
	if (at == 0 || at >= p->tot_len)
		return;
	icmp->out++;
	icmp->out_of_type[pbuf_get_at(p, at)]++;
}

/* ------------------------------------------------------------------ what is for us */
void counters_see_delivered_locked(const struct ip_packet *in, bool shown)
{
	bool v6 = !net_ip_is_v4(&in->dest), known;

	switch (in->protocol) {
	case IP_PROTO_TCP:
	case IP_PROTO_UDP:
		known = true;
		break;
	case IP_PROTO_ICMP:
	case IP_PROTO_IGMP:
		known = !v6;
		break;
	default:
		known = v6 && in->protocol == IP6_NEXTH_ICMP6;
		break;
	}
	if (known || shown)
		net_counters.ip[v6].delivered++;
}

void counters_see_icmp_locked(const struct ip_packet *in)
{
	struct icmp_counters *icmp = &net_counters.icmp[!net_ip_is_v4(&in->dest)];

	if (in->p->tot_len > in->header_bytes)
		icmp->in_of_type[pbuf_get_at(in->p, in->header_bytes)]++;
}

/* ------------------------------------------------------------------ TCP */
void counters_see_tcp_end_locked(const struct tcp_pcb *pcb)
{
	if (pcb == NULL)
		return;
	net_counters.tcp.resets += pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT;
	net_counters.tcp.time_waits_ended += pcb->state == TIME_WAIT;
}

void counters_see_tcp_abort_locked(const struct tcp_pcb *pcb, bool unread)
{
	if (unread)
		net_counters.tcp.aborts_on_close++;
	else
		net_counters.tcp.aborts_on_data++;
	counters_see_tcp_end_locked(pcb);
}

/* lwIP begins with the number of its SYN behind it; otherwise it notes what was sent afterwards. */
static bool was_sent_before(const struct tcp_pcb *pcb, uint32_t seq)
{
	return pcb->state == SYN_SENT ? pcb->nrtx != 0 : TCP_SEQ_LT(seq, pcb->snd_nxt);
}

void counters_see_tcp_out_locked(const struct pbuf *p, const struct tcp_hdr *header,
	const struct tcp_pcb *pcb)
{
	uint8_t flags = TCPH_FLAGS(header);
	uint32_t seq = lwip_ntohl(header->seqno);
	bool has_length = p->tot_len > TCPH_HDRLEN_BYTES(header) ||
		(flags & (TCP_SYN | TCP_FIN)) != 0;

	if (pcb == NULL || (flags & TCP_RST) != 0 || !was_sent_before(pcb, seq))
		return;
	if (!has_length) {
		net_counters.tcp.keepalives++;
	} else if (pcb->persist_backoff == 0) { /* a closed window is asked, not sent to again */
		net_counters.tcp.repeated++;
		net_counters.tcp.repeated_syns += (flags & TCP_SYN) != 0;
	}
}
