/*
 * netlink_route.c: what rtnetlink is asked: links, addresses, routes, neighbours.
 *
 * What:       a request for all of a kind walks the interfaces; a question about one link or one
 *             destination gets one message. Nothing can be changed. Changes are announced.
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
	uint32_t own = ip4_addr_get_u32(netif_ip4_addr(netif));
	uint32_t mask = ip4_addr_get_u32(netif_ip4_netmask(netif));

	if (!net_ip_is_v4(dest) || ((net_ip_v4(dest) ^ own) & mask) == 0)
		return 0;
	return ip4_addr_get_u32(netif_ip4_gw(netif));
}

/* Which way a packet to one address goes. */
static int say_way(struct netlink_reply *r, const uint8_t *raw, uint32_t bytes)
{
	struct net_ip dest, source;
	struct netif *netif;
	uint32_t gateway;
	bool v4, local;
	int error = load_dest(raw, bytes, &dest);

	if (error == 0)
		error = net_route_locked(&dest, 0, &netif, &source);
	if (error != 0)
		return error == -EADDRNOTAVAIL ? -ENETUNREACH : error;
	v4 = net_ip_is_v4(&dest);
	local = net_is_local_locked(&dest);
	gateway = local ? 0 : gateway_to(netif, &dest);
	netlink_say_route(r,
		&(struct netlink_route){ .family = v4 ? SOCKET_INET : SOCKET_INET6,
			.dest_bits = v4 ? 32 : 128,
			.table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
			.type = local ? RTN_LOCAL : RTN_UNICAST,
			.flags = RTM_F_CLONED,
			.netif = local ? loopback_netif() : netif,
			.dest = v4 ? &dest.word[3] : dest.word,
			.source = v4 ? &source.word[3] : source.word,
			.gateway = gateway != 0 ? &gateway : NULL });
	return 0;
}

/* ------------------------------------------------------------------ requests */
static void each_netif(struct netlink_reply *r,
	void (*say)(struct netlink_reply *r, struct netif *netif))
{
	struct net_device *d;

	say(r, loopback_netif());
	for (d = device_first(); d != NULL; d = d->next)
		say(r, &d->netif);
}

static int dump(struct netlink_reply *r, uint16_t type, uint8_t family)
{
	bool v4 = family != SOCKET_INET6, v6 = family != SOCKET_INET;

	r->is_dump = true;
	switch (type) {
	case RTM_GETLINK:
		each_netif(r, netlink_say_link);
		return 0;
	case RTM_GETADDR:
		if (v4)
			each_netif(r, netlink_say_address4);
		if (v6)
			each_netif(r, netlink_say_addresses6);
		return 0;
	case RTM_GETROUTE:
		if (v4)
			each_netif(r, netlink_say_routes4);
		if (v6)
			each_netif(r, netlink_say_routes6);
		return 0;
	case RTM_GETNEIGH:
		if (v4)
			netlink_say_neighbours(r);
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

/* ------------------------------------------------------------------ announcements */
void netlink_link_changed_locked(struct netif *netif)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_link(&r, netif);
	netlink_announce_locked(&r, RTMGRP_LINK);
}

void netlink_address_changed_locked(struct netif *netif)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_address4(&r, netif);
	netlink_announce_locked(&r, RTMGRP_IPV4_IFADDR);
	netlink_say_routes4(&r, netif);
	netlink_announce_locked(&r, RTMGRP_IPV4_ROUTE);
}
