/*
 * facts6.c: IPv6's routers and neighbours, as facts.
 *
 * What:       reads lwIP's tables, after the seconds that passed have been counted.
 * Invariants: none.
 * Locking:    LOCK_NET.
 * Failure:    none.
 * Source:     lwIP 2.1.3 nd6_priv.h; RFC 4861 7.3.2 (states), Linux include/uapi/linux/neighbour.h.
 */
#include "net/facts6.h"

#include <linux/neighbour.h>
#include <lwip/priv/nd6_priv.h>

#include "lib/string.h"
#include "net/net_priv.h"

bool facts6_get_gateway_locked(unsigned slot, struct gateway6 *out)
{
	const ip6_addr_t *fixed = config6_gateway();
	const struct nd6_router_list_entry *r = &default_router_list[slot];

	config6_wake_locked();
	if (slot == LWIP_ND6_NUM_ROUTERS) {
		if (fixed == NULL || device_first() == NULL)
			return false;
		*out = (struct gateway6){ .netif = &device_first()->netif };
		memcpy(out->address, fixed->addr, sizeof(out->address));
		return true;
	}
	if (r->neighbor_entry == NULL || r->invalidation_timer == 0)
		return false;
	*out = (struct gateway6){ .netif = r->neighbor_entry->netif,
		.life_s = r->invalidation_timer };
	memcpy(out->address, r->neighbor_entry->next_hop_address.addr, sizeof(out->address));
	return true;
}

bool facts6_get_neighbour_locked(unsigned slot, struct neighbour6 *out)
{
	static const uint16_t states[] = {
		[ND6_INCOMPLETE] = NUD_INCOMPLETE,
		[ND6_REACHABLE] = NUD_REACHABLE,
		[ND6_STALE] = NUD_STALE,
		[ND6_DELAY] = NUD_DELAY,
		[ND6_PROBE] = NUD_PROBE,
	};
	const struct nd6_neighbor_cache_entry *n = &neighbor_cache[slot];

	config6_wake_locked();
	if (n->state == ND6_NO_ENTRY || n->netif == NULL)
		return false;
	*out = (struct neighbour6){ .netif = n->netif,
		.state = states[n->state],
		.is_router = n->isrouter != 0,
		.has_hardware = n->state != ND6_INCOMPLETE };
	memcpy(out->address, n->next_hop_address.addr, sizeof(out->address));
	memcpy(out->hardware, n->lladdr, sizeof(out->hardware));
	return true;
}
