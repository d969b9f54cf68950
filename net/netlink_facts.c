/*
 * netlink_facts.c: rtnetlink's messages: a link, an address, a route, a neighbour.
 *
 * What:       one message for each fact, in the attributes and the order that Linux gives them, and
 *             the walks over all facts of a kind.
 * Invariants: (1) what is told is what the network core acts by, at that moment.
 * Locking:    LOCK_NET.
 * Failure:    -ENOBUFS in the reply.
 * Source:     Linux rtnetlink(7), net/core/rtnetlink.c, net/ipv4/devinet.c,
 *             net/ipv4/fib_semantics.c (fib_dump_info), net/core/neighbour.c.
 */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <lwip/etharp.h>

#include "lib/string.h"
#include "net/net_priv.h"
#include "net/netlink_priv.h"

#define MESSAGE_MAX 256u /* of what is said about one thing */
#define HARDWARE_ETHERNET 1u /* linux/if_arp.h wants libc */
#define HARDWARE_LOOPBACK 772u
#define OPERATES_UNKNOWN 0u /* linux/if.h's IF_OPER_* */
#define OPERATES_DOWN 2u
#define OPERATES_UP 6u
#define QUEUE_FRAMES 1000u

enum { /* linux/if.h wants libc, too */
	IFF_IS_UP = 0x1,
	IFF_CAN_BROADCAST = 0x2,
	IFF_IS_LOOPBACK = 0x8,
	IFF_IS_RUNNING = 0x40,
	IFF_CAN_MULTICAST = 0x1000,
	IFF_HAS_LINK = 0x10000,
};

static bool is_loop(const struct netif *netif)
{
	return netif == loopback_netif();
}

void netlink_link_name(const struct netif *netif, char name[INTERFACE_NAME_BYTES])
{
	const char *text = is_loop(netif) ? "lo" : "eth0";

	memset(name, 0, INTERFACE_NAME_BYTES);
	memcpy(name, text, strlen(text));
}

/* ------------------------------------------------------------------ links */
void netlink_say_link(struct netlink_reply *r, struct netif *netif)
{
	static const uint8_t none[6], all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct nlmsghdr *h = netlink_begin(r, RTM_NEWLINK, MESSAGE_MAX);
	bool loop = is_loop(netif), up = netif_is_link_up(netif);
	uint32_t mtu = netif->mtu, queue = QUEUE_FRAMES;
	uint8_t operates = up ? OPERATES_UP : OPERATES_DOWN, carrier = up;
	struct ifinfomsg *info;
	char name[INTERFACE_NAME_BYTES];

	if (h == NULL)
		return;
	info = netlink_add(r, sizeof(*info));
	info->ifi_type = loop ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET;
	info->ifi_index = netif_get_index(netif);
	info->ifi_flags = IFF_IS_UP |
		(loop ? IFF_IS_LOOPBACK : IFF_CAN_BROADCAST | IFF_CAN_MULTICAST) |
		(up ? IFF_IS_RUNNING | IFF_HAS_LINK : 0);
	netlink_link_name(netif, name);
	if (loop)
		operates = OPERATES_UNKNOWN;
	netlink_add_attribute(r, IFLA_IFNAME, name, (uint32_t)strlen(name) + 1);
	netlink_add_attribute(r, IFLA_TXQLEN, &queue, sizeof(queue));
	netlink_add_attribute(r, IFLA_OPERSTATE, &operates, sizeof(operates));
	netlink_add_attribute(r, IFLA_MTU, &mtu, sizeof(mtu));
	netlink_add_attribute(r, IFLA_CARRIER, &carrier, sizeof(carrier));
	netlink_add_attribute(r, IFLA_ADDRESS, loop ? none : netif->hwaddr, sizeof(none));
	netlink_add_attribute(r, IFLA_BROADCAST, loop ? none : all, sizeof(none));
	netlink_end(r, h);
}

/* ------------------------------------------------------------------ addresses */
/* Of a mask in network byte order. */
static unsigned prefix_bits(uint32_t mask)
{
	unsigned bits = 0;

	for (; mask != 0; mask &= mask - 1)
		bits++;
	return bits;
}

static struct nlmsghdr *begin_address(struct netlink_reply *r, const struct netif *netif,
	uint8_t family, unsigned bits, uint32_t flags)
{
	struct nlmsghdr *h = netlink_begin(r, RTM_NEWADDR, MESSAGE_MAX);
	struct ifaddrmsg *info;

	if (h == NULL)
		return NULL;
	info = netlink_add(r, sizeof(*info));
	info->ifa_family = family;
	info->ifa_prefixlen = (uint8_t)bits;
	info->ifa_flags = (uint8_t)flags;
	info->ifa_scope = is_loop(netif) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	info->ifa_index = netif_get_index(netif);
	return h;
}

/* Last of all, as on Linux: Go takes the first attribute but IFA_ADDRESS for the address. */
static void end_address(struct netlink_reply *r, struct nlmsghdr *h, uint32_t flags)
{
	netlink_add_attribute(r, IFA_FLAGS, &flags, sizeof(flags));
	netlink_end(r, h);
}

void netlink_say_address4(struct netlink_reply *r, struct netif *netif)
{
	uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(netif));
	uint32_t mask = ip4_addr_get_u32(netif_ip4_netmask(netif)), broadcast = ip | ~mask;
	struct nlmsghdr *h;
	char name[INTERFACE_NAME_BYTES];

	h = ip == 0 ? NULL
		    : begin_address(r, netif, SOCKET_INET, prefix_bits(mask), IFA_F_PERMANENT);
	if (h == NULL)
		return;
	netlink_link_name(netif, name);
	netlink_add_attribute(r, IFA_ADDRESS, &ip, sizeof(ip));
	netlink_add_attribute(r, IFA_LOCAL, &ip, sizeof(ip));
	if (!is_loop(netif))
		netlink_add_attribute(r, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	netlink_add_attribute(r, IFA_LABEL, name, (uint32_t)strlen(name) + 1);
	end_address(r, h, IFA_F_PERMANENT);
}

static void say_address6(struct netlink_reply *r, struct netif *netif, int i)
{
	const ip6_addr_t *a = netif_ip6_addr(netif, i);
	uint8_t state = netif_ip6_addr_state(netif, i);
	uint32_t flags = ip6_addr_istentative(state) ? IFA_F_TENTATIVE : IFA_F_PERMANENT;
	struct nlmsghdr *h;

	if (!ip6_addr_isvalid(state) && !ip6_addr_istentative(state))
		return;
	h = begin_address(r, netif, SOCKET_INET6, is_loop(netif) ? 128 : 64, flags);
	if (h == NULL)
		return;
	if (ip6_addr_islinklocal(a))
		((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_scope = RT_SCOPE_LINK;
	netlink_add_attribute(r, IFA_ADDRESS, a->addr, sizeof(a->addr));
	end_address(r, h, flags);
}

void netlink_say_addresses6(struct netlink_reply *r, struct netif *netif)
{
	int i;

	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		say_address6(r, netif, i);
}

/* ------------------------------------------------------------------ routes */
void netlink_say_route(struct netlink_reply *r, const struct netlink_route *route)
{
	uint32_t address_bytes = route->family == SOCKET_INET ? 4 : 16, table = route->table;
	uint32_t index = netif_get_index(route->netif);
	struct nlmsghdr *h = netlink_begin(r, RTM_NEWROUTE, MESSAGE_MAX);
	struct rtmsg *m;

	if (h == NULL)
		return;
	m = netlink_add(r, sizeof(*m));
	m->rtm_family = route->family;
	m->rtm_dst_len = route->dest_bits;
	m->rtm_table = route->table;
	m->rtm_protocol = route->protocol;
	m->rtm_scope = route->scope;
	m->rtm_type = route->type;
	m->rtm_flags = route->flags;
	netlink_add_attribute(r, RTA_TABLE, &table, sizeof(table));
	if (route->dest != NULL)
		netlink_add_attribute(r, RTA_DST, route->dest, address_bytes);
	if (route->gateway != NULL)
		netlink_add_attribute(r, RTA_GATEWAY, route->gateway, address_bytes);
	if (route->source != NULL)
		netlink_add_attribute(r, RTA_PREFSRC, route->source, address_bytes);
	netlink_add_attribute(r, RTA_OIF, &index, sizeof(index));
	netlink_end(r, h);
}

/* To ourselves; to the link; beyond it by the gateway. */
void netlink_say_routes4(struct netlink_reply *r, struct netif *netif)
{
	uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(netif));
	uint32_t mask = ip4_addr_get_u32(netif_ip4_netmask(netif)), net = ip & mask;
	uint32_t gateway = ip4_addr_get_u32(netif_ip4_gw(netif));
	struct netlink_route route = { .family = SOCKET_INET,
		.dest_bits = 32,
		.table = RT_TABLE_LOCAL,
		.protocol = RTPROT_KERNEL,
		.scope = RT_SCOPE_HOST,
		.type = RTN_LOCAL,
		.netif = netif,
		.dest = &ip,
		.source = &ip };

	if (ip == 0)
		return;
	netlink_say_route(r, &route);
	route.dest = &net;
	route.dest_bits = (uint8_t)prefix_bits(mask);
	if (!is_loop(netif)) {
		route.table = RT_TABLE_MAIN;
		route.scope = RT_SCOPE_LINK;
		route.type = RTN_UNICAST;
	}
	netlink_say_route(r, &route);
	if (is_loop(netif) || gateway == 0)
		return;
	route = (struct netlink_route){ .family = SOCKET_INET,
		.table = RT_TABLE_MAIN,
		.protocol = RTPROT_BOOT,
		.scope = RT_SCOPE_UNIVERSE,
		.type = RTN_UNICAST,
		.netif = netif,
		.gateway = &gateway };
	netlink_say_route(r, &route);
}

/* CAVEAT: a router's default route is not listed. */
void netlink_say_routes6(struct netlink_reply *r, struct netif *netif)
{
	struct netlink_route route = {
		.family = SOCKET_INET6, .protocol = RTPROT_KERNEL, .netif = netif
	};
	uint32_t net[4] = { 0 };
	int i;

	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		const ip6_addr_t *a = netif_ip6_addr(netif, i);

		if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
			continue;
		route.table = RT_TABLE_LOCAL;
		route.type = RTN_LOCAL;
		route.dest_bits = 128;
		route.dest = a->addr;
		netlink_say_route(r, &route);
		memcpy(net, a->addr, 8);
		route.table = RT_TABLE_MAIN;
		route.type = RTN_UNICAST;
		route.dest_bits = 64;
		route.dest = net;
		if (!is_loop(netif))
			netlink_say_route(r, &route);
	}
}

/* ------------------------------------------------------------------ neighbours */
static void say_neighbour(struct netlink_reply *r, const ip4_addr_t *ip, const struct netif *netif,
	const struct eth_addr *hardware)
{
	struct nlmsghdr *h = netlink_begin(r, RTM_NEWNEIGH, MESSAGE_MAX);
	struct ndmsg *m;

	if (h == NULL)
		return;
	m = netlink_add(r, sizeof(*m));
	m->ndm_family = SOCKET_INET;
	m->ndm_ifindex = netif_get_index(netif);
	m->ndm_state = NUD_REACHABLE;
	m->ndm_type = RTN_UNICAST;
	netlink_add_attribute(r, NDA_DST, &ip->addr, sizeof(ip->addr));
	netlink_add_attribute(r, NDA_LLADDR, hardware->addr, sizeof(hardware->addr));
	netlink_end(r, h);
}

/* CAVEAT: neighbours of IPv6 are not listed. */
void netlink_say_neighbours(struct netlink_reply *r)
{
	struct eth_addr *hardware;
	struct netif *netif;
	ip4_addr_t *ip;
	size_t i;

	for (i = 0; i < ARP_TABLE_SIZE; i++)
		if (etharp_get_entry(i, &ip, &netif, &hardware) == 1)
			say_neighbour(r, ip, netif, hardware);
}
