/*
 * netlink_announce.c: changes of links, addresses and routes, to those who joined a group.
 *
 * What:       what was told last is kept. When something may have changed, the facts are looked at
 *             again: what is no longer there is told by RTM_DEL…, as it was, and what is new by
 *             RTM_NEW….
 * Invariants: (1) an address that is on trial is not told before it is ours or somebody else's.
 *             (2) a lifetime that was renewed is no change (CAVEAT).
 * Locking:    LOCK_NET.
 * Failure:    without memory an announcement is lost: -ENOBUFS on the sockets it was for.
 * Source:     Linux net/ipv4/devinet.c (rtmsg_ifa), net/ipv6/addrconf.c (inet6_ifa_notify),
 *             net/ipv6/route.c (inet6_rt_notify), net/core/rtnetlink.c (rtmsg_ifinfo).
 */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "lib/string.h"
#include "net/net_priv.h"
#include "net/netlink_priv.h"

/* A netif of NULL: nothing was told. */
static struct {
	struct netlink_address4 address4; /* [n] */
	struct address6 addresses[FACTS6_ADDRESSES]; /* [n] */
	struct network6 networks[FACTS6_NETWORKS]; /* [n] */
	struct gateway6 gateways[FACTS6_GATEWAYS]; /* [n] */
} told;

void netlink_link_changed_locked(struct netif *netif)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_link(&r, netif);
	netlink_announce_locked(&r, RTMGRP_LINK);
}

/* ------------------------------------------------------------------ IPv4 */
static void announce4(uint16_t address_type, uint16_t route_type, const struct netlink_address4 *a)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_address4(&r, address_type, a);
	netlink_announce_locked(&r, RTMGRP_IPV4_IFADDR);
	netlink_say_routes4(&r, route_type, a);
	netlink_announce_locked(&r, RTMGRP_IPV4_ROUTE);
}

void netlink_address4_changed_locked(const struct netif *netif)
{
	struct netlink_address4 now = netlink_address4_of(netif), *before = &told.address4;

	if (now.ip == before->ip && now.mask == before->mask && now.gateway == before->gateway)
		return;
	if (before->ip != 0)
		announce4(RTM_DELADDR, RTM_DELROUTE, before);
	if (now.ip != 0)
		announce4(RTM_NEWADDR, RTM_NEWROUTE, &now);
	*before = now;
}

/* ------------------------------------------------------------------ IPv6: addresses */
static void announce_address6(uint16_t type, const struct address6 *a)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_address6(&r, type, a);
	netlink_announce_locked(&r, RTMGRP_IPV6_IFADDR);
}

static void announce_own6(uint16_t type, const struct address6 *a)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_own6(&r, type, a);
	netlink_announce_locked(&r, RTMGRP_IPV6_ROUTE);
}

/* (1) */
static bool is_decided(const struct address6 *a)
{
	return (a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != IFA_F_TENTATIVE;
}

static void look_at_address6(unsigned slot)
{
	struct address6 now = { .netif = NULL }, *before = &told.addresses[slot];
	bool same;

	if (!facts6_get_address_locked(slot, &now) || !is_decided(&now))
		now.netif = NULL;
	same = now.netif == before->netif &&
		memcmp(now.address, before->address, sizeof(now.address)) == 0;
	if (before->netif != NULL && (!same || !now.is_valid) && before->is_valid)
		announce_own6(RTM_DELROUTE, before);
	if (before->netif != NULL && !same)
		announce_address6(RTM_DELADDR, before);
	if (now.netif != NULL && (!same || now.flags != before->flags))
		announce_address6(RTM_NEWADDR, &now);
	if (now.netif != NULL && now.is_valid && (!same || !before->is_valid))
		announce_own6(RTM_NEWROUTE, &now);
	*before = now;
}

/* ------------------------------------------------------------------ IPv6: routes */
static void announce_network6(uint16_t type, const struct network6 *n)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_network6(&r, type, n);
	netlink_announce_locked(&r, RTMGRP_IPV6_ROUTE);
}

static void look_at_network6(unsigned slot)
{
	struct network6 now = { .netif = NULL }, *before = &told.networks[slot];

	if (!facts6_get_network_locked(slot, &now))
		now.netif = NULL;
	if (now.netif == before->netif &&
		memcmp(now.prefix, before->prefix, sizeof(now.prefix)) == 0)
		return;
	if (before->netif != NULL)
		announce_network6(RTM_DELROUTE, before);
	if (now.netif != NULL)
		announce_network6(RTM_NEWROUTE, &now);
	*before = now;
}

static void announce_gateway6(uint16_t type, const struct gateway6 *g)
{
	struct netlink_reply r = { .answers = STAILQ_HEAD_INITIALIZER(r.answers) };

	netlink_say_gateway6(&r, type, g);
	netlink_announce_locked(&r, RTMGRP_IPV6_ROUTE);
}

static void look_at_gateway6(unsigned slot)
{
	struct gateway6 now = { .netif = NULL }, *before = &told.gateways[slot];

	if (!facts6_get_gateway_locked(slot, &now))
		now.netif = NULL;
	if (now.netif == before->netif &&
		memcmp(now.address, before->address, sizeof(now.address)) == 0)
		return;
	if (before->netif != NULL)
		announce_gateway6(RTM_DELROUTE, before);
	if (now.netif != NULL)
		announce_gateway6(RTM_NEWROUTE, &now);
	*before = now;
}

void netlink_ip6_changed_locked(void)
{
	unsigned slot;

	for (slot = 0; slot < FACTS6_ADDRESSES; slot++)
		look_at_address6(slot);
	for (slot = 0; slot < FACTS6_NETWORKS; slot++)
		look_at_network6(slot);
	for (slot = 0; slot < FACTS6_GATEWAYS; slot++)
		look_at_gateway6(slot);
}
