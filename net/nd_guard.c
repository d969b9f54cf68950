/*
 * nd_guard.c: neighbour discovery's messages before lwIP sees them.
 *
 * What:       lwIP 2.1.3 takes the first option for a link-layer address whatever it is, reads
 *             past short ones, believes any router's redirect and any path MTU, and makes itself an
 *             address of a prefix that is a group. Here only messages pass that are what RFC 4861
 *             demands of them.
 * Invariants: (1) a message that passes has its header and all options in the first pbuf; each
 *             option has a length and ends within the message. (2) the first option of a
 *             solicitation or an advertisement is a link-layer address, if there is one and the
 *             sender has an address. (3) no path MTU is below 1280. (4) an address that was found
 *             free stays ours, whoever claims it: lwIP would give it up (on Linux, too, only an
 *             address on trial is lost).
 * Locking:    LOCK_NET.
 * Failure:    bad messages are dropped and counted (net_rx_bad).
 * Source:     RFC 4861 6.1, 7.1, 8.1; RFC 6980 (never in fragments); RFC 8201 4; lwIP 2.1.3 nd6.c.
 */
#include <lwip/netif.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/nd6.h>

#include "lib/string.h"
#include "net/address.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"

#define HOP_LIMIT 255u
#define MTU_MIN 1280u
#define LINK_ADDRESS_BYTES 8u /* the option, for Ethernet */
#define OPTION_SOURCE 1u
#define OPTION_TARGET 2u
#define OPTION_PREFIX 3u
#define OPTION_MTU 5u
#define PREFIX_BYTES 32u
#define PREFIX_AT 16u /* in its option */
#define PREFIX_BITS_MAX 128u
#define TARGET_AT 8u
#define NA_FLAGS_AT 4u
#define ANY 0u
#define NO_ADDRESS 0xffu
#define NA_SOLICITED 0x40u

/* One whose length is what it says. */
static bool is_option_good(const uint8_t *option, uint32_t length)
{
	switch (option[0]) {
	case OPTION_SOURCE:
	case OPTION_TARGET:
		return length == LINK_ADDRESS_BYTES;
	case OPTION_PREFIX:
		return length == PREFIX_BYTES && option[2] <= PREFIX_BITS_MAX &&
			option[PREFIX_AT] != 0xff;
	case OPTION_MTU:
		return length == sizeof(struct mtu_option);
	default:
		return true;
	}
}

/* (1) and (2). first: of which kind the first option must be; ANY; NO_ADDRESS: none has one. */
static bool are_options_good(const uint8_t *option, uint32_t bytes, uint8_t first)
{
	uint32_t i = 0, length;

	while (i < bytes) {
		if (bytes - i < 2)
			return false;
		length = option[i + 1] * 8u;
		if (length == 0 || length > bytes - i)
			return false;
		if (!is_option_good(option + i, length))
			return false;
		if (first == NO_ADDRESS ? option[i] == OPTION_SOURCE
					: i == 0 && first != ANY && option[0] != first)
			return false;
		i += length;
	}
	return true;
}

static bool is_discovery(uint8_t type)
{
	return type >= ICMP6_TYPE_RS && type <= ICMP6_TYPE_RD;
}

static bool is_solicited_node_group(const struct net_ip *ip)
{
	static const uint8_t prefix[13] = { 0xff, 2, [11] = 1, 0xff };

	return memcmp(ip->word, prefix, sizeof(prefix)) == 0;
}

/* Who looks whether an address is free has none yet, and asks its group (Linux with a nonce). */
static bool is_solicitation_good(const struct ip_packet *in, const uint8_t *icmp, uint32_t bytes)
{
	uint32_t head = sizeof(struct ns_header);

	if (bytes < head || icmp[TARGET_AT] == 0xff)
		return false;
	if (net_ip_is_any(&in->source))
		return is_solicited_node_group(&in->dest) &&
			are_options_good(icmp + head, bytes - head, NO_ADDRESS);
	return are_options_good(icmp + head, bytes - head, OPTION_SOURCE);
}

static bool is_advertisement_good(const struct ip_packet *in, const uint8_t *icmp, uint32_t bytes)
{
	uint32_t head = sizeof(struct na_header);
	struct net_ip target;

	if (bytes < head || icmp[TARGET_AT] == 0xff)
		return false;
	if (net_ip_is_multicast(&in->dest) && (icmp[NA_FLAGS_AT] & NA_SOLICITED) != 0)
		return false;
	target = net_ip_of_bytes(icmp + TARGET_AT, netif_get_index(in->netif));
	if (net_is_local_locked(&target))
		return false; /* (4) */
	return are_options_good(icmp + head, bytes - head, OPTION_TARGET);
}

static bool is_router_good(const struct ip_packet *in, const uint8_t *icmp, uint32_t bytes)
{
	uint32_t head = sizeof(struct ra_header);

	return net_ip_is_scoped(&in->source) && bytes >= head &&
		are_options_good(icmp + head, bytes - head, ANY);
}

static bool is_good(const struct ip_packet *in, const uint8_t *icmp, uint32_t bytes)
{
	if (icmp[0] == ICMP6_TYPE_PTB)
		return bytes >= 8 && (icmp[4] | icmp[5] | (icmp[6] << 8 | icmp[7]) / MTU_MIN) != 0;
	if (!is_discovery(icmp[0]))
		return true;
	if (in->ttl != HOP_LIMIT || in->p->len != in->p->tot_len || bytes < 2 || icmp[1] != 0)
		return false;
	switch (icmp[0]) {
	case ICMP6_TYPE_NS:
		return is_solicitation_good(in, icmp, bytes);
	case ICMP6_TYPE_NA:
		return is_advertisement_good(in, icmp, bytes);
	case ICMP6_TYPE_RA:
		return is_router_good(in, icmp, bytes);
	default:
		return false; /* we are no router, and take no redirects */
	}
}

bool nd_guard_locked(struct ip_packet *in)
{
	const uint8_t *icmp = (const uint8_t *)in->p->payload + in->header_bytes;

	if (in->p->len > in->header_bytes &&
		is_good(in, icmp, (uint32_t)in->p->len - in->header_bytes)) {
		if (icmp[0] == ICMP6_TYPE_RA)
			config6_router_spoke_locked();
		return false;
	}
	bad_packet_count_locked("ICMPv6");
	pbuf_free(in->p);
	return true;
}
