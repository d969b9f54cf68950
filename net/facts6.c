/*
 * facts6.c: IPv6's addresses, networks, routers and neighbours, as facts.
 *
 * What:       reads lwIP's tables, after the seconds that passed have been counted.
 * Invariants: (1) a network is told once, whoever else has an address in it.
 * Locking:    LOCK_NET.
 * Failure:    none.
 * Source:     lwIP 2.1.3 nd6_priv.h, nd6.c (nd6_is_prefix_in_netif, nd6_get_next_hop_entry: what is
 *             on the link, and which router is taken); RFC 4861 7.3.2 (states), Linux
 *             include/uapi/linux/neighbour.h, if_addr.h.
 */
#include "net/facts6.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <lwip/priv/nd6_priv.h>

#include "lib/string.h"
#include "net/net_priv.h"

#define PREFIX_BYTES 8u /* prefixes have 64 bits */

/* ------------------------------------------------------------------ addresses */
static uint8_t flags_of(uint8_t state, bool is_static)
{
	unsigned flags = is_static ? IFA_F_PERMANENT : 0;

	if (ip6_addr_isduplicated(state))
		flags |= IFA_F_TENTATIVE | IFA_F_DADFAILED;
	else if (ip6_addr_istentative(state))
		flags |= IFA_F_TENTATIVE;
	else if (ip6_addr_isdeprecated(state))
		flags |= IFA_F_DEPRECATED;
	return (uint8_t)flags;
}

bool facts6_get_address_locked(unsigned slot, struct address6 *out)
{
	bool is_loopback = slot < LWIP_IPV6_NUM_ADDRESSES, is_static;
	int8_t i = (int8_t)(slot % LWIP_IPV6_NUM_ADDRESSES);
	const struct netif *netif = loopback_netif();
	uint8_t state;

	config6_catch_up_locked();
	if (!is_loopback)
		netif = device_first() != NULL ? &device_first()->netif : NULL;
	state = netif == NULL ? IP6_ADDR_INVALID : netif_ip6_addr_state(netif, i);
	if (state == IP6_ADDR_INVALID)
		return false;
	is_static = netif_ip6_addr_isstatic(netif, i);
	*out = (struct address6){ .netif = netif,
		.bits = is_loopback ? 128 : 64,
		.flags = flags_of(state, is_static),
		.is_valid = ip6_addr_isvalid(state) != 0,
		.valid_s = is_static ? FACTS6_FOR_EVER : netif_ip6_addr_valid_life(netif, i),
		.preferred_s = is_static ? FACTS6_FOR_EVER : netif_ip6_addr_pref_life(netif, i) };
	memcpy(out->address, netif_ip6_addr(netif, i)->addr, sizeof(out->address));
	return true;
}

/* ------------------------------------------------------------------ networks */
/* That of a link-local address and of those from the options. */
static bool get_own_network(unsigned i, struct network6 *out)
{
	struct address6 a;

	if (!facts6_get_address_locked(LWIP_IPV6_NUM_ADDRESSES + i, &a) || !a.is_valid)
		return false;
	if (i != 0 && (a.flags & IFA_F_PERMANENT) == 0)
		return false;
	*out = (struct network6){ .netif = a.netif, .life_s = FACTS6_FOR_EVER };
	memcpy(out->prefix, a.address, PREFIX_BYTES);
	return true;
}

static bool get_advertised_network(unsigned i, struct network6 *out)
{
	const struct nd6_prefix_list_entry *p = &prefix_list[i];

	if (p->netif == NULL)
		return false;
	*out = (struct network6){
		.netif = p->netif, .life_s = p->invalidation_timer, .is_advertised = true
	};
	memcpy(out->prefix, p->prefix.addr, PREFIX_BYTES);
	return true;
}

static bool get_network(unsigned slot, struct network6 *out)
{
	return slot < LWIP_IPV6_NUM_ADDRESSES
		? get_own_network(slot, out)
		: get_advertised_network(slot - LWIP_IPV6_NUM_ADDRESSES, out);
}

bool facts6_get_network_locked(unsigned slot, struct network6 *out)
{
	struct network6 before;

	config6_catch_up_locked();
	if (!get_network(slot, out))
		return false;
	while (slot-- != 0)
		if (get_network(slot, &before) &&
			memcmp(before.prefix, out->prefix, sizeof(out->prefix)) == 0)
			return false; /* (1) */
	return true;
}

/* ------------------------------------------------------------------ routers */
bool facts6_get_gateway_locked(unsigned slot, struct gateway6 *out)
{
	const ip6_addr_t *fixed = config6_gateway();
	const struct nd6_router_list_entry *r;

	config6_catch_up_locked();
	if (slot == LWIP_ND6_NUM_ROUTERS) {
		if (fixed == NULL || device_first() == NULL)
			return false;
		*out = (struct gateway6){ .netif = &device_first()->netif,
			.life_s = FACTS6_FOR_EVER };
		memcpy(out->address, fixed->addr, sizeof(out->address));
		return true;
	}
	r = &default_router_list[slot];
	if (r->neighbor_entry == NULL || r->invalidation_timer == 0)
		return false;
	*out = (struct gateway6){ .netif = r->neighbor_entry->netif,
		.life_s = r->invalidation_timer,
		.is_advertised = true };
	memcpy(out->address, r->neighbor_entry->next_hop_address.addr, sizeof(out->address));
	return true;
}

static bool is_on_link(const uint8_t address[16])
{
	struct network6 n;

	if (address[0] == 0xff || (address[0] == 0xfe && (address[1] & 0xc0) == 0x80))
		return true;
	for (unsigned slot = 0; slot < FACTS6_NETWORKS; slot++)
		if (facts6_get_network_locked(slot, &n) &&
			memcmp(n.prefix, address, PREFIX_BYTES) == 0)
			return true;
	return false;
}

static bool is_reachable(unsigned slot)
{
	const struct nd6_neighbor_cache_entry *n = default_router_list[slot].neighbor_entry;

	return n != NULL && n->state == ND6_REACHABLE;
}

bool facts6_gateway_to_locked(const uint8_t address[16], struct gateway6 *out)
{
	struct gateway6 g;
	bool found = false;

	if (is_on_link(address))
		return false;
	if (facts6_get_gateway_locked(LWIP_ND6_NUM_ROUTERS, out))
		return true;
	for (unsigned slot = 0; slot < LWIP_ND6_NUM_ROUTERS; slot++) {
		if (!facts6_get_gateway_locked(slot, &g))
			continue;
		if (!found || is_reachable(slot))
			*out = g;
		found = true;
		if (is_reachable(slot))
			break;
	}
	return found;
}

/* ------------------------------------------------------------------ neighbours */
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

	config6_catch_up_locked();
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
