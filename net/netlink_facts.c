/*
 * netlink_facts.c: rtnetlink's messages: a link, an address, a route, a neighbour.
 *
 * What:       one message for each fact, in the attributes and the order that Linux gives them.
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

#include "base/units.h"
#include "lib/string.h"
#include "net/interface.h"
#include "net/net_priv.h"
#include "net/netlink_priv.h"

#define MESSAGE_MAX 512u /* of what is said about one thing */
#define HARDWARE_ETHERNET 1u /* linux/if_arp.h wants libc */
#define HARDWARE_LOOPBACK 772u
#define OPERATES_UNKNOWN 0u /* linux/if.h's IF_OPER_* */
#define OPERATES_DOWN 2u
#define OPERATES_UP 6u
#define QUEUE_FRAMES 1000u
#define TICKS_PER_S 100u /* in which Linux tells how long a route lives */
#define NETWORK_BITS_MAX 30u /* longer ones have no broadcast address */

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
/* As 64 bits each, and again as 32: the same counters in the same order. */
static void add_counters(struct netlink_reply *r, bool loop)
{
	struct interface_counters c = loop ? loopback_counters_locked() : device_counters_locked();
	struct rtnl_link_stats64 wide = { .rx_packets = c.rx_packets,
		.tx_packets = c.tx_packets,
		.rx_bytes = c.rx_bytes,
		.tx_bytes = c.tx_bytes,
		.rx_dropped = c.rx_dropped,
		.tx_dropped = c.tx_dropped };
	struct rtnl_link_stats narrow = { .rx_packets = (uint32_t)c.rx_packets,
		.tx_packets = (uint32_t)c.tx_packets,
		.rx_bytes = (uint32_t)c.rx_bytes,
		.tx_bytes = (uint32_t)c.tx_bytes,
		.rx_dropped = (uint32_t)c.rx_dropped,
		.tx_dropped = (uint32_t)c.tx_dropped };

	netlink_add_attribute(r, IFLA_STATS64, &wide, sizeof(wide));
	netlink_add_attribute(r, IFLA_STATS, &narrow, sizeof(narrow));
}

void netlink_say_link(struct netlink_reply *r, const struct netif *netif)
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
	add_counters(r, loop);
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

static struct nlmsghdr *begin_address(struct netlink_reply *r, uint16_t type,
	const struct netif *netif, uint8_t family, unsigned bits)
{
	struct nlmsghdr *h = netlink_begin(r, type, MESSAGE_MAX);
	struct ifaddrmsg *info;

	if (h == NULL)
		return NULL;
	info = netlink_add(r, sizeof(*info));
	info->ifa_family = family;
	info->ifa_prefixlen = (uint8_t)bits;
	info->ifa_scope = is_loop(netif) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	info->ifa_index = netif_get_index(netif);
	return h;
}

/* Last of all, as on Linux: Go takes the first attribute but IFA_ADDRESS for the address.
 * CAVEAT: when an address came is told as 0. */
static void end_address(struct netlink_reply *r, struct nlmsghdr *h, uint32_t flags,
	uint32_t preferred_s, uint32_t valid_s)
{
	struct ifa_cacheinfo life = { .ifa_prefered = preferred_s, .ifa_valid = valid_s };

	((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_flags = (uint8_t)flags;
	netlink_add_attribute(r, IFA_FLAGS, &flags, sizeof(flags));
	netlink_add_attribute(r, IFA_CACHEINFO, &life, sizeof(life));
	netlink_end(r, h);
}

struct netlink_address4 netlink_address4_of(const struct netif *netif)
{
	return (struct netlink_address4){ .netif = netif,
		.ip = ip4_addr_get_u32(netif_ip4_addr(netif)),
		.mask = ip4_addr_get_u32(netif_ip4_netmask(netif)),
		.gateway = ip4_addr_get_u32(netif_ip4_gw(netif)) };
}

void netlink_say_address4(struct netlink_reply *r, uint16_t type, const struct netlink_address4 *a)
{
	uint32_t broadcast = a->ip | ~a->mask;
	struct nlmsghdr *h;
	char name[INTERFACE_NAME_BYTES];

	if (a->ip == 0)
		return;
	h = begin_address(r, type, a->netif, SOCKET_INET, prefix_bits(a->mask));
	if (h == NULL)
		return;
	netlink_link_name(a->netif, name);
	netlink_add_attribute(r, IFA_ADDRESS, &a->ip, sizeof(a->ip));
	netlink_add_attribute(r, IFA_LOCAL, &a->ip, sizeof(a->ip));
	if (!is_loop(a->netif))
		netlink_add_attribute(r, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	netlink_add_attribute(r, IFA_LABEL, name, (uint32_t)strlen(name) + 1);
	end_address(r, h, IFA_F_PERMANENT, FACTS6_FOR_EVER, FACTS6_FOR_EVER);
}

void netlink_say_address6(struct netlink_reply *r, uint16_t type, const struct address6 *a)
{
	struct nlmsghdr *h = begin_address(r, type, a->netif, SOCKET_INET6, a->bits);

	if (h == NULL)
		return;
	if (a->address[0] == 0xfe && (a->address[1] & 0xc0) == 0x80)
		((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_scope = RT_SCOPE_LINK;
	netlink_add_attribute(r, IFA_ADDRESS, a->address, sizeof(a->address));
	end_address(r, h, a->flags, a->preferred_s, a->valid_s);
}

/* ------------------------------------------------------------------ routes */
/* What Linux says of every IPv6 route. All routers are equal here: medium preference is 0. */
static void add_route6_attributes(struct netlink_reply *r, const struct netlink_route *route)
{
	struct rta_cacheinfo life = { .rta_expires = 0 };
	uint8_t preference = 0;

	if (route->life_s != FACTS6_FOR_EVER)
		life.rta_expires = (int32_t)MIN((uint64_t)route->life_s * TICKS_PER_S, INT32_MAX);
	netlink_add_attribute(r, RTA_CACHEINFO, &life, sizeof(life));
	netlink_add_attribute(r, RTA_PREF, &preference, sizeof(preference));
}

void netlink_say_route(struct netlink_reply *r, uint16_t type, const struct netlink_route *route)
{
	bool v4 = route->family == SOCKET_INET;
	uint32_t address_bytes = v4 ? 4 : 16, table = route->table;
	uint32_t index = netif_get_index(route->netif);
	struct nlmsghdr *h = netlink_begin(r, type, MESSAGE_MAX);
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
	if (!v4)
		netlink_add_attribute(r, RTA_PRIORITY, &route->metric, sizeof(route->metric));
	if (route->gateway != NULL)
		netlink_add_attribute(r, RTA_GATEWAY, route->gateway, address_bytes);
	if (route->source != NULL)
		netlink_add_attribute(r, RTA_PREFSRC, route->source, address_bytes);
	netlink_add_attribute(r, RTA_OIF, &index, sizeof(index));
	if (!v4)
		add_route6_attributes(r, route);
	netlink_end(r, h);
}

/* Beyond the link by the gateway; to the link; to ourselves; to all on the link. */
void netlink_say_routes4(struct netlink_reply *r, uint16_t type, const struct netlink_address4 *a)
{
	uint32_t net = a->ip & a->mask, all = a->ip | ~a->mask;
	bool loop = is_loop(a->netif);
	struct netlink_route gateway = { .family = SOCKET_INET,
		.table = RT_TABLE_MAIN,
		.protocol = RTPROT_BOOT,
		.scope = RT_SCOPE_UNIVERSE,
		.type = RTN_UNICAST,
		.netif = a->netif,
		.gateway = &a->gateway };
	struct netlink_route route = { .family = SOCKET_INET,
		.dest_bits = (uint8_t)prefix_bits(a->mask),
		.table = loop ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
		.protocol = RTPROT_KERNEL,
		.scope = loop ? RT_SCOPE_HOST : RT_SCOPE_LINK,
		.type = loop ? RTN_LOCAL : RTN_UNICAST,
		.netif = a->netif,
		.dest = &net,
		.source = &a->ip };

	if (a->ip == 0)
		return;
	if (!loop && a->gateway != 0)
		netlink_say_route(r, type, &gateway);
	netlink_say_route(r, type, &route);
	route.dest = &a->ip;
	route.dest_bits = 32;
	route.table = RT_TABLE_LOCAL;
	route.scope = RT_SCOPE_HOST;
	route.type = RTN_LOCAL;
	netlink_say_route(r, type, &route);
	route.dest = &all;
	route.scope = RT_SCOPE_LINK;
	route.type = RTN_BROADCAST;
	if (prefix_bits(a->mask) <= NETWORK_BITS_MAX)
		netlink_say_route(r, type, &route);
}

void netlink_say_network6(struct netlink_reply *r, uint16_t type, const struct network6 *n)
{
	netlink_say_route(r, type,
		&(struct netlink_route){ .family = SOCKET_INET6,
			.dest_bits = 64,
			.table = RT_TABLE_MAIN,
			.protocol = RTPROT_KERNEL,
			.type = RTN_UNICAST,
			.metric = NETLINK_METRIC6_PREFIX,
			.life_s = n->life_s,
			.netif = n->netif,
			.dest = n->prefix });
}

void netlink_say_gateway6(struct netlink_reply *r, uint16_t type, const struct gateway6 *g)
{
	netlink_say_route(r, type,
		&(struct netlink_route){ .family = SOCKET_INET6,
			.table = RT_TABLE_MAIN,
			.protocol = g->is_advertised ? RTPROT_RA : RTPROT_BOOT,
			.type = RTN_UNICAST,
			.metric = NETLINK_METRIC6_GATEWAY,
			.life_s = g->life_s,
			.netif = g->netif,
			.gateway = g->address });
}

void netlink_say_own6(struct netlink_reply *r, uint16_t type, const struct address6 *a)
{
	if (!a->is_valid)
		return;
	netlink_say_route(r, type,
		&(struct netlink_route){ .family = SOCKET_INET6,
			.dest_bits = 128,
			.table = RT_TABLE_LOCAL,
			.protocol = RTPROT_KERNEL,
			.type = RTN_LOCAL,
			.life_s = FACTS6_FOR_EVER,
			.netif = a->netif,
			.dest = a->address });
}

void netlink_say_groups6(struct netlink_reply *r, uint16_t type, const struct netif *netif)
{
	static const uint8_t groups[16] = { 0xff };

	netlink_say_route(r, type,
		&(struct netlink_route){ .family = SOCKET_INET6,
			.dest_bits = 8,
			.table = RT_TABLE_LOCAL,
			.protocol = RTPROT_KERNEL,
			.type = RTN_MULTICAST,
			.metric = NETLINK_METRIC6_PREFIX,
			.life_s = FACTS6_FOR_EVER,
			.netif = netif,
			.dest = groups });
}

/* ------------------------------------------------------------------ neighbours */
struct neighbour {
	const struct netif *netif;
	uint8_t family, flags;
	uint16_t state;
	const void *address, *hardware; /* hardware NULL: not known */
};

static void say_neighbour(struct netlink_reply *r, const struct neighbour *n)
{
	struct nlmsghdr *h = netlink_begin(r, RTM_NEWNEIGH, MESSAGE_MAX);
	struct ndmsg *m;

	if (h == NULL)
		return;
	m = netlink_add(r, sizeof(*m));
	m->ndm_family = n->family;
	m->ndm_ifindex = netif_get_index(n->netif);
	m->ndm_state = n->state;
	m->ndm_flags = n->flags;
	m->ndm_type = RTN_UNICAST;
	netlink_add_attribute(r, NDA_DST, n->address, n->family == SOCKET_INET ? 4 : 16);
	if (n->hardware != NULL)
		netlink_add_attribute(r, NDA_LLADDR, n->hardware, ETH_HWADDR_LEN);
	netlink_end(r, h);
}

/* CAVEAT: those that did not answer yet are not listed, nor who was not heard of lately. */
void netlink_say_neighbours4(struct netlink_reply *r)
{
	struct eth_addr *hardware;
	struct netif *netif;
	ip4_addr_t *ip;
	size_t i;

	for (i = 0; i < ARP_TABLE_SIZE; i++)
		if (etharp_get_entry(i, &ip, &netif, &hardware) == 1)
			say_neighbour(r,
				&(struct neighbour){ .netif = netif,
					.family = SOCKET_INET,
					.state = NUD_REACHABLE,
					.address = &ip->addr,
					.hardware = hardware->addr });
}

void netlink_say_neighbours6(struct netlink_reply *r)
{
	struct neighbour6 n;
	unsigned slot;

	for (slot = 0; slot < FACTS6_NEIGHBOURS; slot++)
		if (facts6_get_neighbour_locked(slot, &n))
			say_neighbour(r,
				&(struct neighbour){ .netif = n.netif,
					.family = SOCKET_INET6,
					.flags = n.is_router ? NTF_ROUTER : 0,
					.state = n.state,
					.address = n.address,
					.hardware = n.has_hardware ? n.hardware : NULL });
}
