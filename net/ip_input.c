/*
 * ip_input.c: packets for us, between lwIP's IP layer and the protocols.
 *
 * What:       lwIP asks raw_input first about every packet that is whole and for us, of either
 *             family. Here it is described once, shown to raw sockets, and handed to the guard of
 *             TCP, to UDP's sockets, or to the reader of ICMP's errors.
 * Invariants: (1) the protocol is that behind all extension headers.
 * Locking:    LOCK_NET.
 * Failure:    none.
 * Source:     lwIP 2.1.3 raw.c (the contract of raw_input), ip4.c, ip6.c; RFC 8200 4.
 */
#include <lwip/ip.h>
#include <lwip/priv/raw_priv.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>

#include "net/address.h"
#include "net/counters.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"

/* lwIP has walked them, so they are all in the first pbuf: (1). */
static uint8_t last_protocol(const uint8_t *packet, uint16_t header_bytes)
{
	uint8_t protocol = IP6H_NEXTH((const struct ip6_hdr *)(const void *)packet);
	uint32_t at = IP6_HLEN;

	while (at + 8 <= header_bytes) {
		uint32_t bytes = protocol == IP6_NEXTH_FRAGMENT ? 8 : 8u + packet[at + 1] * 8u;

		protocol = packet[at];
		at += bytes;
	}
	return protocol;
}

static void describe6(struct ip_packet *in)
{
	const struct ip6_hdr *ip = in->p->payload;
	uint32_t scope = netif_get_index(in->netif);

	in->source = net_ip_of_bytes(&ip->src, scope);
	in->dest = net_ip_of_bytes(&ip->dest, scope);
	in->header_bytes = ip_data.current_ip_header_tot_len;
	in->protocol = last_protocol(in->p->payload, in->header_bytes);
	in->ttl = IP6H_HOPLIM(ip);
	in->tos = IP6H_TC(ip);
}

static void describe4(struct ip_packet *in)
{
	const struct ip_hdr *ip = in->p->payload;

	in->source = net_ip_of_v4(ip->src.addr);
	in->dest = net_ip_of_v4(ip->dest.addr);
	in->header_bytes = IPH_HL_BYTES(ip);
	in->protocol = IPH_PROTO(ip);
	in->ttl = IPH_TTL(ip);
	in->tos = IPH_TOS(ip);
}

/* MLD's: a report will be due. */
static bool is_question(const struct ip_packet *in)
{
	return in->p->len > in->header_bytes &&
		((const uint8_t *)in->p->payload)[in->header_bytes] == ICMP6_TYPE_MLQ;
}

raw_input_state_t raw_input(struct pbuf *p, struct netif *inp)
{
	struct ip_packet in = { .p = p, .netif = inp };
	bool taken = false, shown;

	if (ip_current_is_v6())
		describe6(&in);
	else
		describe4(&in);
	shown = raw_input_locked(&in);
	counters_see_delivered_locked(&in, shown);
	switch (in.protocol) {
	case IP_PROTO_TCP:
		taken = ip_guard_tcp_locked(&in);
		break;
	case IP_PROTO_UDP:
		taken = udp_input_locked(&in);
		break;
	case IP6_NEXTH_ICMP6:
		config6_wake_locked();
		taken = icmp_refuse_bad_locked(&in) || nd_guard_locked(&in);
		if (taken)
			break;
		if (is_question(&in))
			multicast_wake_locked();
		icmp_error_input_locked(&in);
		break;
	case IP_PROTO_ICMP:
		taken = icmp_refuse_bad_locked(&in);
		if (!taken)
			icmp_error_input_locked(&in);
		break;
	case IP_PROTO_IGMP:
		multicast_wake_locked();
		break;
	default:
		break;
	}
	if (taken)
		return RAW_INPUT_EATEN;
	return shown ? RAW_INPUT_DELIVERED : RAW_INPUT_NONE;
}

/* Nothing here is bound to lwIP's idea of an address. */
void raw_netif_ip_addr_changed(const ip_addr_t *old_address, const ip_addr_t *new_address)
{
	(void)old_address;
	(void)new_address;
}
