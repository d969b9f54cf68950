/*
 * address.c: which addresses are ours, which interface a packet leaves by, and lwIP's form of them.
 *
 * What:       questions about addresses that sockets and packets ask. What goes to one of our own
 *             addresses leaves by the loopback, from that address.
 * Invariants: (1) a source address that net_route_locked chooses is one of ours and valid.
 * Locking:    LOCK_NET.
 * Failure:    -ENETUNREACH, -EADDRNOTAVAIL, -ENODEV.
 * Source:     RFC 1122 3.3.1; RFC 6724 5 by lwIP 2.1.3 ip6.c (ip6_select_source_address);
 *             Linux net/ipv6/addrconf.c for loopback and scopes.
 */
#include "net/address.h"

#include <lwip/ip4.h>
#include <lwip/ip6.h>
#include <lwip/nd6.h>

#include "base/errno.h"
#include "lib/string.h"
#include "net/counters.h"
#include "net/net_priv.h"

void net_ip_to_lwip(const struct net_ip *a, ip_addr_t *out)
{
	memset(out, 0, sizeof(*out));
	if (net_ip_is_v4(a)) {
		ip_addr_set_ip4_u32(out, net_ip_v4(a));
		return;
	}
	memcpy(ip_2_ip6(out)->addr, a->word, sizeof(a->word));
	ip6_addr_set_zone(ip_2_ip6(out), (u8_t)a->scope);
	IP_SET_TYPE(out, IPADDR_TYPE_V6);
}

struct net_ip net_ip_of_lwip(const ip_addr_t *a)
{
	struct net_ip ip;

	if (!IP_IS_V6(a))
		return net_ip_of_v4(ip_addr_get_ip4_u32(a));
	memcpy(ip.word, ip_2_ip6(a)->addr, sizeof(ip.word));
	ip.scope = ip6_addr_zone(ip_2_ip6(a));
	return ip;
}

struct net_ip net_ip_of_bytes(const void *bytes, uint32_t scope)
{
	struct net_ip ip = { .scope = 0 };

	memcpy(ip.word, bytes, sizeof(ip.word));
	ip.scope = net_ip_is_scoped(&ip) ? scope : 0;
	return ip;
}

/* ------------------------------------------------------------------ ours */
bool net_is_local_ip_locked(uint32_t ip)
{
	struct net_device *d;

	if ((lwip_ntohl(ip) >> 24) == 127)
		return true;
	for (d = device_first(); d != NULL; d = d->next)
		if (ip != 0 && ip4_addr_get_u32(netif_ip4_addr(&d->netif)) == ip)
			return true;
	return false;
}

static bool has_address6(const struct netif *netif, const struct net_ip *a)
{
	unsigned i;

	if (a->scope != 0 && a->scope != netif_get_index(netif))
		return false;
	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
			memcmp(netif_ip6_addr(netif, i)->addr, a->word, sizeof(a->word)) == 0)
			return true;
	return false;
}

static struct netif *owner6(const struct net_ip *a)
{
	struct net_device *d;

	if (net_ip_is_loopback(a))
		return loopback_netif();
	for (d = device_first(); d != NULL; d = d->next)
		if (has_address6(&d->netif, a))
			return &d->netif;
	return NULL;
}

struct netif *net_owner_locked(const struct net_ip *a)
{
	struct net_device *d;

	if (!net_ip_is_v4(a))
		return owner6(a);
	if (net_ip_is_loopback(a))
		return loopback_netif();
	for (d = device_first(); d != NULL; d = d->next)
		if (net_ip_v4(a) != 0 &&
			ip4_addr_get_u32(netif_ip4_addr(&d->netif)) == net_ip_v4(a))
			return &d->netif;
	return NULL;
}

bool net_is_local_locked(const struct net_ip *a)
{
	return net_ip_is_v4(a) ? net_is_local_ip_locked(net_ip_v4(a)) : owner6(a) != NULL;
}

bool net_is_broadcast_locked(const struct net_ip *a)
{
	struct net_device *d;

	if (!net_ip_is_v4(a))
		return false;
	if (net_ip_v4(a) == 0xffffffffu)
		return true;
	for (d = device_first(); d != NULL; d = d->next)
		if (ip4_addr_isbroadcast_u32(net_ip_v4(a), &d->netif))
			return true;
	return false;
}

struct netif *net_interface_locked(uint32_t index)
{
	struct net_device *d;

	if (index == netif_get_index(loopback_netif()))
		return loopback_netif();
	for (d = device_first(); d != NULL; d = d->next)
		if (netif_get_index(&d->netif) == index)
			return &d->netif;
	return NULL;
}

/* ------------------------------------------------------------------ routes */
static int route4(const struct net_ip *dest, struct netif *asked, struct netif **out,
	struct net_ip *source)
{
	ip4_addr_t any = { 0 }, to = { net_ip_v4(dest) };
	struct netif *netif = asked != NULL && !net_is_local_locked(dest)
		? asked
		: ip4_route_src(&any, &to);

	if (netif == NULL)
		return -ENETUNREACH;
	*out = netif;
	*source = net_ip_of_v4(ip4_addr_get_u32(netif_ip4_addr(netif)));
	/* To one of our own addresses: from that address; from 127.0.0.1 to all of 127/8. */
	if (net_is_local_locked(dest))
		*source = net_ip_is_loopback(dest) ? net_ip_of_v4(PP_HTONL(IPADDR_LOOPBACK))
						   : *dest;
	return 0;
}

/* Whether something beyond the link can be sent at all: lwIP itself would take any interface. */
static struct netif *find_route6(const ip6_addr_t *to)
{
	struct net_device *d;
	ip6_addr_t any;

	ip6_addr_set_any(&any);
	for (d = device_first(); d != NULL; d = d->next)
		if (netif_is_link_up(&d->netif) &&
			(device_has_route6_locked(d, to) || ip6_addr_ismulticast(to)))
			return ip6_addr_ismulticast(to) ? &d->netif : ip6_route(&any, to);
	return NULL;
}

static int route6(const struct net_ip *dest, struct netif *asked, struct netif **out,
	struct net_ip *source)
{
	const ip_addr_t *from;
	ip_addr_t to;

	*source = *dest;
	*out = owner6(dest);
	if (*out != NULL) {
		if (!net_ip_is_scoped(dest))
			*out = loopback_netif();
		return 0;
	}
	net_ip_to_lwip(dest, &to);
	*out = asked != NULL ? asked : net_interface_locked(dest->scope);
	if (*out == NULL && dest->scope != 0)
		return -ENODEV;
	if (*out == NULL && net_ip_is_scoped(dest) && device_first() != NULL)
		*out = &device_first()->netif;
	if (*out == NULL)
		*out = find_route6(ip_2_ip6(&to));
	if (*out == NULL || !netif_is_link_up(*out)) {
		net_counters.ip[1].no_routes++;
		return -ENETUNREACH;
	}
	from = ip6_select_source_address(*out, ip_2_ip6(&to));
	if (from == NULL)
		return -EADDRNOTAVAIL;
	*source = net_ip_of_lwip(from);
	return 0;
}

int net_route_locked(const struct net_ip *dest, uint32_t index, struct netif **out,
	struct net_ip *source)
{
	struct netif *asked = net_interface_locked(index);

	if (index != 0 && asked == NULL)
		return -ENODEV;
	return net_ip_is_v4(dest) ? route4(dest, asked, out, source)
				  : route6(dest, asked, out, source);
}
