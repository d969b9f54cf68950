/*
 * facts6.h: IPv6's addresses, networks, routers and neighbours, as facts: what
 * net/netlink_facts.c, net/netlink_announce.c and /proc/net tell.
 *
 * All functions: LOCK_NET held, nothing sleeps. A slot that is empty gives false.
 */
#pragma once

#include <lwip/netif.h>
#include <lwip/opt.h>

#include "base/types.h"

#define FACTS6_FOR_EVER 0xffffffffu /* seconds */

#define FACTS6_ADDRESSES (2u * LWIP_IPV6_NUM_ADDRESSES) /* the loopback's, then the device's */

struct address6 {
	const struct netif *netif;
	uint8_t address[16];
	uint8_t bits; /* of its network */
	uint8_t flags; /* Linux's IFA_F_* */
	bool is_valid; /* not on trial, and nobody else's */
	uint32_t valid_s, preferred_s; /* from now */
};

bool facts6_get_address_locked(unsigned slot, struct address6 *out);

#define FACTS6_NETWORKS (LWIP_IPV6_NUM_ADDRESSES + LWIP_ND6_NUM_PREFIXES)

/* Prefixes of 64 bits that are on the link. */
struct network6 {
	const struct netif *netif;
	uint8_t prefix[16];
	uint32_t life_s;
	bool is_advertised; /* by a router; else it is an address's */
};

bool facts6_get_network_locked(unsigned slot, struct network6 *out);

#define FACTS6_GATEWAYS (LWIP_ND6_NUM_ROUTERS + 1u)

struct gateway6 {
	const struct netif *netif;
	uint8_t address[16];
	uint32_t life_s;
	bool is_advertised; /* else it is from the options */
};

bool facts6_get_gateway_locked(unsigned slot, struct gateway6 *out); /* slot < FACTS6_GATEWAYS */
/* The one that packets to that address go through; false: it is on the link, or nowhere. */
bool facts6_gateway_to_locked(const uint8_t address[16], struct gateway6 *out);

#define FACTS6_NEIGHBOURS LWIP_ND6_NUM_NEIGHBORS

struct neighbour6 {
	const struct netif *netif;
	uint8_t address[16], hardware[6];
	uint16_t state; /* Linux's NUD_* */
	bool is_router, has_hardware;
};

bool facts6_get_neighbour_locked(unsigned slot, struct neighbour6 *out);
