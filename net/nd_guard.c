/*
 * nd_guard.c: neighbour discovery's messages before lwIP sees them.
 *
 * What:       lwIP 2.1.3 takes the first option for a link-layer address whatever it is, reads
 *             past short ones, believes any router's redirect and any path MTU. Here only messages
 *             pass that are what RFC 4861 demands of them.
 * Invariants: (1) a message that passes has its header and all options in the first pbuf; each
 *             option has a length and ends within the message. (2) the first option of a
 *             solicitation or an advertisement is a link-layer address, if there is one. (3) no
 *             path MTU is below 1280.
 * Locking:    LOCK_NET.
 * Failure:    bad messages are dropped and counted (net_rx_bad).
 * Source:     RFC 4861 6.1, 7.1, 8.1; RFC 6980 (never in fragments); RFC 8201 4; lwIP 2.1.3 nd6.c.
 */
#include <lwip/netif.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/nd6.h>

#include "net/ip_packet.h"
#include "net/net_priv.h"

#define HOP_LIMIT 255u
#define MTU_MIN 1280u
#define LINK_ADDRESS_BYTES 8u /* the option, for Ethernet */
#define OPTION_SOURCE 1u
#define OPTION_TARGET 2u

/* (1) and (2). first: of which kind the first option must be; 0: any. */
static bool are_options_good(const uint8_t *option, uint32_t bytes, uint8_t first)
{
	uint32_t i = 0, length;

	while (i < bytes) {
		if (bytes - i < 2)
			return false;
		length = option[i + 1] * 8u;
		if (length == 0 || length > bytes - i)
			return false;
		if ((option[i] == OPTION_SOURCE || option[i] == OPTION_TARGET) &&
			length != LINK_ADDRESS_BYTES)
			return false;
		if (i == 0 && first != 0 && option[0] != first)
			return false;
		i += length;
	}
	return true;
}

static bool is_discovery(uint8_t type)
{
	return type >= ICMP6_TYPE_RS && type <= ICMP6_TYPE_RD;
}

static bool is_good(const struct ip_packet *in, const uint8_t *icmp, uint32_t bytes)
{
	if (icmp[0] == ICMP6_TYPE_PTB)
		return bytes >= 8 && (icmp[4] | icmp[5] | (icmp[6] << 8 | icmp[7]) / MTU_MIN) != 0;
	if (!is_discovery(icmp[0]))
		return true;
	if (in->ttl != HOP_LIMIT || in->p->len != in->p->tot_len)
		return false;
	switch (icmp[0]) {
	case ICMP6_TYPE_NS:
		return bytes >= sizeof(struct ns_header) &&
			are_options_good(icmp + sizeof(struct ns_header),
				bytes - (uint32_t)sizeof(struct ns_header), OPTION_SOURCE);
	case ICMP6_TYPE_NA:
		return bytes >= sizeof(struct na_header) &&
			are_options_good(icmp + sizeof(struct na_header),
				bytes - (uint32_t)sizeof(struct na_header), OPTION_TARGET);
	case ICMP6_TYPE_RA:
		return bytes >= sizeof(struct ra_header) &&
			are_options_good(icmp + sizeof(struct ra_header),
				bytes - (uint32_t)sizeof(struct ra_header), 0);
	default:
		return false; /* we are no router, and take no redirects */
	}
}

bool nd_guard_locked(struct ip_packet *in)
{
	const uint8_t *icmp = (const uint8_t *)in->p->payload + in->header_bytes;

	if (in->p->len > in->header_bytes &&
		is_good(in, icmp, (uint32_t)in->p->len - in->header_bytes))
		return false;
	bad_packet_count_locked("ICMPv6");
	pbuf_free(in->p);
	return true;
}
