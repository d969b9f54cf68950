/*
 * facts6.h: IPv6's routers and neighbours, as facts: what net/netlink_facts.c and /proc/net tell.
 *
 * All functions: LOCK_NET held, nothing sleeps. A slot that is empty gives false.
 */
#pragma once

#include <lwip/netif.h>
#include <lwip/opt.h>

#include "base/types.h"

#define FACTS6_GATEWAYS (LWIP_ND6_NUM_ROUTERS + 1u)

struct gateway6 {
	const struct netif *netif;
	uint8_t address[16];
	uint32_t life_s; /* 0: it is from the options, and stays */
};

bool facts6_get_gateway_locked(unsigned slot, struct gateway6 *out); /* slot < FACTS6_GATEWAYS */

#define FACTS6_NEIGHBOURS LWIP_ND6_NUM_NEIGHBORS

struct neighbour6 {
	const struct netif *netif;
	uint8_t address[16], hardware[6];
	uint16_t state; /* Linux's NUD_* */
	bool is_router, has_hardware;
};

bool facts6_get_neighbour_locked(unsigned slot, struct neighbour6 *out);
