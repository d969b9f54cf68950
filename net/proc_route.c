/*
 * proc_route.c: /proc/net/dev, arp, route, ipv6_route, if_inet6: interfaces and where they lead.
 *
 * What:       what net/netlink_facts.c tells in messages, as tables.
 * Invariants: none.
 * Locking:    LOCK_NET for one interface or one entry at a time.
 * Failure:    none beyond fs/proc.c's.
 * Source:     Linux net/core/net-procfs.c, net/ipv4/{arp,fib_trie}.c (fib_route_seq_show),
 *             net/ipv6/{route,addrconf}.c (if6_seq_show); include/uapi/linux/ipv6_route.h.
 */
#include <lwip/etharp.h>

#include "base/units.h"
#include "kernel/sched/cpu.h"
#include "kernel/stats.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/facts6.h"
#include "net/interface.h"
#include "net/net_priv.h"
#include "net/netlink_priv.h"
#include "net/proc_priv.h"

#define ROUTE_WIDTH 127u

/* linux/route.h and linux/ipv6_route.h: RTF_*. */
enum {
	ROUTE_UP = 1,
	ROUTE_GATEWAY = 2,
	ROUTE_DEFAULT = 0x10000,
	ROUTE_ADVERTISED = 0x40000,
	ROUTE_PREFIX = 0x80000,
	ROUTE_NO_NEXT_HOP = 0x200000,
	ROUTE_EXPIRES = 0x400000,
};
#define ROUTE_LOCAL 0x80000000u

enum { SCOPE_HOST = 0x10, SCOPE_LINK = 0x20, SCOPE_SITE = 0x40 };

/* ------------------------------------------------------------------ interfaces */
void net_proc_make_dev(struct proc_text *t)
{
	const struct interface_counters *c;
	struct interface_facts i;
	unsigned n;

	proc_print(t,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets errs drop fifo colls carrier compressed\n");
	for (n = 0; interface_get_nth(n, &i); n++) {
		c = &i.counters;
		proc_print(t, "%6s: %7lu %7lu    0 %4lu    0     0          0         0 ", i.name,
			c->rx_bytes, c->rx_packets, c->rx_dropped);
		proc_print(t, "%8lu %7lu    0 %4lu    0     0       0          0\n", c->tx_bytes,
			c->tx_packets, c->tx_dropped);
	}
}

/* A row for each CPU: how many of the device's packets it took, and how many it dropped. The other
 * columns are of budgets, steering and backlogs, which are not here. */
void net_proc_make_softnet_stat(struct proc_text *t)
{
	uint32_t cpu;

	for (cpu = 0; cpu < cpu_count; cpu++)
		proc_print(t,
			"%08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x "
			"%08x\n",
			(uint32_t)stat_on(STAT_net_rx_packets, cpu),
			(uint32_t)stat_on(STAT_net_rx_dropped, cpu), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u,
			0u, 0u, cpu, 0u, 0u);
}

/* ------------------------------------------------------------------ IPv4 */
/* A stable entry of lwIP's table. */
static bool get_neighbour(size_t n, uint8_t ip[4], uint8_t mac[6])
{
	struct eth_addr *hardware;
	struct netif *netif;
	ip4_addr_t *address;
	bool found;

	net_lock();
	found = etharp_get_entry(n, &address, &netif, &hardware) == 1;
	if (found) {
		memcpy(ip, &address->addr, 4);
		memcpy(mac, hardware->addr, 6);
	}
	net_unlock_batch();
	return found;
}

void net_proc_make_arp(struct proc_text *t)
{
	uint8_t ip[4], mac[6];
	char text[16];

	proc_print(t,
		"IP address       HW type     Flags       HW address            Mask     Device\n");
	for (size_t i = 0; i < ARP_TABLE_SIZE; i++) {
		if (!get_neighbour(i, ip, mac))
			continue;
		fmt_snprintf(text, sizeof(text), "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
		proc_print(t, "%-16s 0x1         0x2         %02x:%02x:%02x:%02x:%02x:%02x", text,
			mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
		proc_print(t, "     *        eth0\n");
	}
}

static void end_route(struct proc_text *t, size_t start)
{
	while (t->len - start < ROUTE_WIDTH && !t->failed)
		proc_append(t, " ", 1);
	proc_append(t, "\n", 1);
}

static void print_route(struct proc_text *t, uint32_t dest, uint32_t gateway, uint32_t mask)
{
	unsigned flags = gateway != 0 ? ROUTE_UP | ROUTE_GATEWAY : ROUTE_UP;
	size_t start = t->len;

	proc_print(t, "eth0\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0", dest, gateway, flags, mask);
	end_route(t, start);
}

void net_proc_make_route(struct proc_text *t)
{
	uint32_t ip = 0, mask = 0, gateway = 0;
	size_t start = t->len;

	proc_print(t,
		"Iface\tDestination\tGateway "
		"\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	end_route(t, start);
	net_lock();
	if (device_first() != NULL) {
		const struct netif *netif = &device_first()->netif;

		ip = ip4_addr_get_u32(netif_ip4_addr(netif));
		mask = ip4_addr_get_u32(netif_ip4_netmask(netif));
		gateway = ip4_addr_get_u32(netif_ip4_gw(netif));
	}
	net_unlock_batch();
	if (ip != 0 && gateway != 0)
		print_route(t, 0, gateway, 0);
	if (ip != 0)
		print_route(t, ip & mask, 0, mask);
}

/* ------------------------------------------------------------------ IPv6: addresses */
static const char *device_of(const struct netif *netif)
{
	return netif == loopback_netif() ? "lo" : "eth0";
}

static bool get_address6(unsigned slot, struct address6 *out)
{
	bool found;

	net_lock();
	found = facts6_get_address_locked(slot, out);
	net_unlock_batch();
	return found;
}

static void print_address6(struct proc_text *t, const uint8_t *bytes)
{
	for (unsigned i = 0; i < 16; i++)
		proc_print(t, "%02x", bytes[i]);
}

static unsigned scope_of(const struct address6 *a)
{
	if (a->netif == loopback_netif())
		return SCOPE_HOST;
	if (a->address[0] != 0xfe)
		return 0;
	return (a->address[1] & 0xc0) == 0x80    ? SCOPE_LINK
		: (a->address[1] & 0xc0) == 0xc0 ? SCOPE_SITE
						 : 0;
}

void net_proc_make_if_inet6(struct proc_text *t)
{
	struct address6 a;

	for (unsigned slot = 0; slot < FACTS6_ADDRESSES; slot++) {
		if (!get_address6(slot, &a))
			continue;
		print_address6(t, a.address);
		proc_print(t, " %02x %02x %02x %02x %8s\n", netif_get_index(a.netif), a.bits,
			scope_of(&a), a.flags, device_of(a.netif));
	}
}

/* ------------------------------------------------------------------ IPv6: routes */
struct route6 {
	const uint8_t *dest, *gateway;
	unsigned bits, metric, flags;
	const char *device;
};

static void print_route6(struct proc_text *t, const struct route6 *r)
{
	static const uint8_t none[16];

	print_address6(t, r->dest != NULL ? r->dest : none);
	proc_print(t, " %02x ", r->bits);
	print_address6(t, none);
	proc_print(t, " 00 ");
	print_address6(t, r->gateway != NULL ? r->gateway : none);
	proc_print(t, " %08x 00000001 00000000 %08x %8s\n", r->metric, r->flags, r->device);
}

static unsigned expiry_flag(uint32_t life_s)
{
	return life_s != FACTS6_FOR_EVER ? ROUTE_EXPIRES : 0;
}

static void print_networks6(struct proc_text *t)
{
	struct network6 n;

	for (unsigned slot = 0; slot < FACTS6_NETWORKS; slot++) {
		bool found;

		net_lock();
		found = facts6_get_network_locked(slot, &n);
		net_unlock_batch();
		if (!found)
			continue;
		print_route6(t,
			&(struct route6){ .dest = n.prefix,
				.bits = 64,
				.metric = NETLINK_METRIC6_PREFIX,
				.flags = ROUTE_UP | expiry_flag(n.life_s) |
					(n.is_advertised ? ROUTE_ADVERTISED | ROUTE_PREFIX : 0),
				.device = device_of(n.netif) });
	}
}

static void print_gateways6(struct proc_text *t)
{
	struct gateway6 g;

	for (unsigned slot = 0; slot < FACTS6_GATEWAYS; slot++) {
		bool found;

		net_lock();
		found = facts6_get_gateway_locked(slot, &g);
		net_unlock_batch();
		if (!found)
			continue;
		print_route6(t,
			&(struct route6){ .gateway = g.address,
				.metric = NETLINK_METRIC6_GATEWAY,
				.flags = ROUTE_UP | ROUTE_GATEWAY | expiry_flag(g.life_s) |
					(g.is_advertised ? ROUTE_DEFAULT | ROUTE_ADVERTISED : 0),
				.device = device_of(g.netif) });
	}
}

static void print_own6(struct proc_text *t)
{
	struct address6 a;

	for (unsigned slot = 0; slot < FACTS6_ADDRESSES; slot++)
		if (get_address6(slot, &a) && a.is_valid)
			print_route6(t,
				&(struct route6){ .dest = a.address,
					.bits = 128,
					.flags = ROUTE_LOCAL | ROUTE_NO_NEXT_HOP | ROUTE_UP,
					.device = device_of(a.netif) });
}

void net_proc_make_ipv6_route(struct proc_text *t)
{
	static const uint8_t groups[16] = { 0xff };
	struct address6 a;

	print_networks6(t);
	print_gateways6(t);
	print_own6(t);
	if (get_address6(LWIP_IPV6_NUM_ADDRESSES, &a) && a.is_valid)
		print_route6(t,
			&(struct route6){ .dest = groups,
				.bits = 8,
				.metric = NETLINK_METRIC6_PREFIX,
				.flags = ROUTE_UP,
				.device = device_of(a.netif) });
}
