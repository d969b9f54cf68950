/*
 * netlink_route.c: what rtnetlink is asked: links, addresses, routes, neighbours.
 *
 * What:       a request for all of a kind walks the interfaces; a question about one link or one
 *             destination gets one message. Nothing can be changed.
 * Invariants: none.
 * Locking:    LOCK_NET.
 * Failure:    -EPERM and -EOPNOTSUPP for changes, -ENODEV, -EINVAL, -ENETUNREACH.
 * Source:     Linux rtnetlink(7), net/core/rtnetlink.c (rtnetlink_rcv_msg).
 */
#include <linux/capability.h>
#include <linux/rtnetlink.h>

#include "base/errno.h"
#include "kernel/cred.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/net_priv.h"
#include "net/netlink_priv.h"

#define KIND_GET 2u /* Linux: type modulo 4 */

/* ------------------------------------------------------------------ one link, one way */
static const struct rtattr *find_attribute(const uint8_t *raw, uint32_t at, uint32_t bytes,
	uint16_t type)
{
	const struct rtattr *a;

	while (at < bytes && bytes - at >= sizeof(*a)) {
		a = (const void *)(raw + at);
		if (a->rta_len < sizeof(*a) || a->rta_len > bytes - at)
			return NULL;
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
		at += RTA_ALIGN(a->rta_len);
	}
	return NULL;
}

static bool has_name(const struct netif *netif, const struct rtattr *a)
{
	uint32_t bytes = a->rta_len - (uint32_t)sizeof(*a);
	char name[INTERFACE_NAME_BYTES];
	const char *text;

	netlink_link_name(netif, name);
	/* RTA_DATA would lose the const. */
	text = (const char *)a + RTA_LENGTH(0);
	return bytes != 0 && strnlen(text, bytes) == strlen(name) &&
		memcmp(text, name, strlen(name)) == 0;
}

/* By index, else by name. */
static int find_link(const uint8_t *raw, uint32_t bytes, struct netif **out)
{
	const struct ifinfomsg *info = (const void *)(raw + NLMSG_HDRLEN);
	const struct rtattr *name;
	struct net_device *d;

	if (bytes < NLMSG_LENGTH(sizeof(*info)) || info->ifi_index < 0)
		return -EINVAL;
	if (info->ifi_index != 0) {
		*out = net_interface_locked((uint32_t)info->ifi_index);
		return *out == NULL ? -ENODEV : 0;
	}
	name = find_attribute(raw, NLMSG_LENGTH(sizeof(*info)), bytes, IFLA_IFNAME);
	if (name == NULL)
		return -EINVAL;
	*out = has_name(loopback_netif(), name) ? loopback_netif() : NULL;
	for (d = device_first(); *out == NULL && d != NULL; d = d->next)
		if (has_name(&d->netif, name))
			*out = &d->netif;
	return *out == NULL ? -ENODEV : 0;
}

/* The address that a question about a way names. */
static int load_dest(const uint8_t *raw, uint32_t bytes, struct net_ip *out)
{
	const struct rtmsg *m = (const void *)(raw + NLMSG_HDRLEN);
	const struct rtattr *to;
	bool v4;

	if (bytes < NLMSG_LENGTH(sizeof(*m)))
		return -EINVAL;
	v4 = m->rtm_family == SOCKET_INET;
	if (!v4 && m->rtm_family != SOCKET_INET6)
		return -EOPNOTSUPP;
	to = find_attribute(raw, NLMSG_LENGTH(sizeof(*m)), bytes, RTA_DST);
	if (to == NULL || to->rta_len < RTA_LENGTH(v4 ? 4 : 16))
		return -EINVAL;
	*out = v4 ? net_ip_of_v4(0) : NET_IP_ANY6;
	memcpy(v4 ? &out->word[3] : out->word, (const char *)to + RTA_LENGTH(0), v4 ? 4 : 16);
	return 0;
}

/* The IPv4 router that a packet goes through; 0: none. */
static uint32_t gateway_to(const struct netif *netif, const struct net_ip *dest)
{
	struct netlink_address4 a = netlink_address4_of(netif);

	return ((net_ip_v4(dest) ^ a.ip) & a.mask) == 0 ? 0 : a.gateway;
}

static void say_way4(struct netlink_reply *r, const struct net_ip *dest,
	const struct net_ip *source, const struct netif *netif)
{
	bool local = net_is_local_locked(dest);
	uint32_t gateway = local ? 0 : gateway_to(netif, dest);

	netlink_say_route(r, RTM_NEWROUTE,
		&(struct netlink_route){ .family = SOCKET_INET,
			.dest_bits = 32,
			.table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
			.type = local ? RTN_LOCAL : RTN_UNICAST,
			.flags = RTM_F_CLONED,
			.netif = local ? loopback_netif() : netif,
			.dest = &dest->word[3],
			.source = &source->word[3],
			.gateway = gateway != 0 ? &gateway : NULL });
}

/* The route that it takes, with the destination for the network. */
static void say_way6(struct netlink_reply *r, const struct net_ip *dest,
	const struct net_ip *source, const struct netif *netif)
{
	bool local = net_is_local_locked(dest), group = net_ip_is_multicast(dest);
	struct netlink_route route = { .family = SOCKET_INET6,
		.dest_bits = 128,
		.table = local || group ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
		.protocol = RTPROT_KERNEL,
		.type = local   ? RTN_LOCAL
			: group ? RTN_MULTICAST
				: RTN_UNICAST,
		.metric = local ? 0 : NETLINK_METRIC6_PREFIX,
		.life_s = FACTS6_FOR_EVER,
		.netif = local ? loopback_netif() : netif,
		.dest = dest->word,
		.source = source->word };
	struct gateway6 g;

	if (!local && facts6_gateway_to_locked((const uint8_t *)dest->word, &g)) {
		route.protocol = g.is_advertised ? RTPROT_RA : RTPROT_BOOT;
		route.metric = NETLINK_METRIC6_GATEWAY;
		route.gateway = g.address;
	}
	netlink_say_route(r, RTM_NEWROUTE, &route);
}

/* Which way a packet to one address goes. */
static int say_way(struct netlink_reply *r, const uint8_t *raw, uint32_t bytes)
{
	struct net_ip dest, source;
	struct netif *netif;
	int error = load_dest(raw, bytes, &dest);

	if (error == 0)
		error = net_route_locked(&dest, 0, &netif, &source);
	if (error != 0)
		return error == -EADDRNOTAVAIL ? -ENETUNREACH : error;
	if (net_ip_is_v4(&dest))
		say_way4(r, &dest, &source, netif);
	else
		say_way6(r, &dest, &source, netif);
	return 0;
}

/* ------------------------------------------------------------------ requests */
static void say_each4(struct netlink_reply *r,
	void (*say)(struct netlink_reply *r, uint16_t type, const struct netlink_address4 *a),
	uint16_t type)
{
	struct netlink_address4 a = netlink_address4_of(loopback_netif());
	struct net_device *d;

	say(r, type, &a);
	for (d = device_first(); d != NULL; d = d->next) {
		a = netlink_address4_of(&d->netif);
		say(r, type, &a);
	}
}

static void say_links(struct netlink_reply *r)
{
	struct net_device *d;

	netlink_say_link(r, loopback_netif());
	for (d = device_first(); d != NULL; d = d->next)
		netlink_say_link(r, &d->netif);
}

static void say_addresses6(struct netlink_reply *r)
{
	struct address6 a;
	unsigned slot;

	for (slot = 0; slot < FACTS6_ADDRESSES; slot++)
		if (facts6_get_address_locked(slot, &a))
			netlink_say_address6(r, RTM_NEWADDR, &a);
}

static void say_routes6(struct netlink_reply *r)
{
	struct network6 n;
	struct gateway6 g;
	struct address6 a;
	unsigned slot;

	for (slot = 0; slot < FACTS6_NETWORKS; slot++)
		if (facts6_get_network_locked(slot, &n))
			netlink_say_network6(r, RTM_NEWROUTE, &n);
	for (slot = 0; slot < FACTS6_GATEWAYS; slot++)
		if (facts6_get_gateway_locked(slot, &g))
			netlink_say_gateway6(r, RTM_NEWROUTE, &g);
	for (slot = 0; slot < FACTS6_ADDRESSES; slot++)
		if (facts6_get_address_locked(slot, &a))
			netlink_say_own6(r, RTM_NEWROUTE, &a);
	if (facts6_get_address_locked(LWIP_IPV6_NUM_ADDRESSES, &a) && a.is_valid)
		netlink_say_groups6(r, RTM_NEWROUTE, a.netif);
}

static int dump(struct netlink_reply *r, uint16_t type, uint8_t family)
{
	bool v4 = family != SOCKET_INET6, v6 = family != SOCKET_INET;

	r->is_dump = true;
	switch (type) {
	case RTM_GETLINK:
		say_links(r);
		return 0;
	case RTM_GETADDR:
		if (v4)
			say_each4(r, netlink_say_address4, RTM_NEWADDR);
		if (v6)
			say_addresses6(r);
		return 0;
	case RTM_GETROUTE:
		if (v4)
			say_each4(r, netlink_say_routes4, RTM_NEWROUTE);
		if (v6)
			say_routes6(r);
		return 0;
	case RTM_GETNEIGH:
		if (v4)
			netlink_say_neighbours4(r);
		if (v6)
			netlink_say_neighbours6(r);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

int netlink_route_request_locked(struct netlink_reply *r, const uint8_t *raw, uint32_t bytes)
{
	uint16_t type = r->request->nlmsg_type;
	struct netif *netif;
	int error;

	net_assert_locked();
	if (type > RTM_MAX)
		return -EOPNOTSUPP;
	if (bytes < NLMSG_LENGTH(sizeof(struct rtgenmsg)))
		return 0; /* as Linux */
	if ((type - RTM_BASE) % 4 != KIND_GET)
		return cred_can(CAP_NET_ADMIN) ? -EOPNOTSUPP : -EPERM;
	if ((r->request->nlmsg_flags & NLM_F_DUMP) != 0)
		return dump(r, type, raw[NLMSG_HDRLEN]);
	if (type == RTM_GETROUTE)
		return say_way(r, raw, bytes);
	if (type != RTM_GETLINK)
		return -EOPNOTSUPP;
	error = find_link(raw, bytes, &netif);
	if (error == 0)
		netlink_say_link(r, netif);
	return error;
}
