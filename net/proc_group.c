/*
 * proc_group.c: /proc/net/igmp, igmp6 and dev_mcast: the groups that interfaces are in.
 *
 * What:       lwIP's lists, walked in batches: what of them was printed is skipped the next time.
 * Invariants: none.
 * Locking:    LOCK_NET for one batch at a time.
 * Failure:    none beyond fs/proc.c's.
 * Source:     Linux net/ipv4/igmp.c (igmp_mc_seq_show), net/ipv6/mcast.c (igmp6_mc_seq_show),
 *             net/core/dev_addr_lists.c; RFC 1112 6.4, RFC 2464 7 (Ethernet's groups).
 */
#include <lwip/igmp.h>
#include <lwip/mld6.h>

#include "base/units.h"
#include "lib/string.h"
#include "net/interface.h"
#include "net/net_priv.h"
#include "net/address.h"
#include "net/proc_priv.h"

#define GROUPS 16u
#define CLOCK_TICKS (IGMP_TMR_INTERVAL / 10) /* USER_HZ is 100 */

enum { FLAG_TIMER = 1, FLAG_LAST_REPORTER = 2, FLAG_LOADED = 4, FLAG_NO_REPORT = 8 };

struct group {
	struct net_ip ip;
	unsigned users, timer_ticks; /* of 10 ms; 0: no report is due */
	bool is_reporter;
};

static void add(struct group *g, struct net_ip ip, unsigned users, unsigned timer, bool reporter)
{
	*g = (struct group){ ip, users, timer * CLOCK_TICKS, reporter };
}

/* Of the n-th interface, behind the first done ones; returns how many. */
static uint32_t take_groups(unsigned n, bool v6, struct group groups[GROUPS], uint32_t done)
{
	const struct netif *netif;
	const struct igmp_group *g4 = NULL;
	const struct mld_group *g6 = NULL;
	uint32_t count = 0;

	net_lock();
	netif = n == 0 ? loopback_netif() : device_first() != NULL ? &device_first()->netif : NULL;
	if (netif != NULL && v6)
		g6 = netif_mld6_data(netif);
	else if (netif != NULL)
		g4 = netif_igmp_data(netif);
	for (; g4 != NULL && count < GROUPS; g4 = g4->next) {
		if (done > 0)
			done--;
		else
			add(&groups[count++], net_ip_of_v4(g4->group_address.addr), g4->use,
				g4->timer, g4->last_reporter_flag != 0);
	}
	for (; g6 != NULL && count < GROUPS; g6 = g6->next) {
		if (done > 0)
			done--;
		else
			add(&groups[count++], net_ip_of_bytes(g6->group_address.addr, 0), g6->use,
				g6->timer, g6->last_reporter_flag != 0);
	}
	net_unlock_batch();
	return count;
}

static uint32_t count_groups(unsigned n, bool v6)
{
	struct group groups[GROUPS];
	uint32_t done = 0, count;

	while ((count = take_groups(n, v6, groups, done)) != 0)
		done += count;
	return done;
}

/* Calls print for each group of an interface. */
static void each_group(struct proc_text *t, unsigned n, bool v6,
	void (*print)(struct proc_text *t, const struct interface_facts *i, const struct group *g))
{
	struct group groups[GROUPS];
	struct interface_facts i;
	uint32_t done = 0, count;

	if (!interface_get_nth(n, &i))
		return;
	while ((count = take_groups(n, v6, groups, done)) != 0) {
		for (uint32_t k = 0; k < count; k++)
			print(t, &i, &groups[k]);
		done += count;
	}
}

static void print4(struct proc_text *t, const struct interface_facts *i, const struct group *g)
{
	(void)i;
	proc_print(t, "\t\t\t\t%08X %5u %u:%08X\t\t%u\n", g->ip.word[3], g->users,
		g->timer_ticks != 0, g->timer_ticks, g->is_reporter);
}

void net_proc_make_igmp(struct proc_text *t)
{
	struct interface_facts i;

	proc_print(t, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	for (unsigned n = 0; interface_get_nth(n, &i); n++) {
		uint32_t count = count_groups(n, false);

		if (count != 0)
			proc_print(t, "%u\t%-10s: %5u      V2\n", i.index, i.name, count);
		each_group(t, n, false, print4);
	}
}

static void print_hex(struct proc_text *t, const void *data, size_t bytes)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < bytes; i++)
		proc_print(t, "%02x", b[i]);
}

static void print_group6(struct proc_text *t, const struct interface_facts *i, const void *ip,
	unsigned users, unsigned flags, unsigned timer_ticks)
{
	proc_print(t, "%-4u %-15s ", i->index, i->name);
	print_hex(t, ip, 16);
	proc_print(t, " %5u %08X %u\n", users, flags, timer_ticks);
}

static void print6(struct proc_text *t, const struct interface_facts *i, const struct group *g)
{
	unsigned flags = FLAG_LOADED | (g->timer_ticks != 0 ? FLAG_TIMER : 0) |
		(g->is_reporter ? FLAG_LAST_REPORTER : 0);

	print_group6(t, i, g->ip.word, g->users, flags, g->timer_ticks);
}

void net_proc_make_igmp6(struct proc_text *t)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
	struct interface_facts i;

	for (unsigned n = 0; interface_get_nth(n, &i); n++) {
		each_group(t, n, true, print6);
		/* lwIP always hears it, and has it in no list. */
		print_group6(t, &i, all_nodes, 1, FLAG_LOADED | FLAG_NO_REPORT, 0);
	}
}

/* ------------------------------------------------------------------ Ethernet's */
static void print_mac(struct proc_text *t, const struct interface_facts *i, const uint8_t mac[6])
{
	proc_print(t, "%-4u %-15s 1     0     ", i->index, i->name);
	print_hex(t, mac, 6);
	proc_print(t, "\n");
}

static void print_mac4(struct proc_text *t, const struct interface_facts *i, const struct group *g)
{
	const uint8_t *ip = (const uint8_t *)&g->ip.word[3];

	print_mac(t, i, (uint8_t[6]){ 0x01, 0x00, 0x5e, ip[1] & 0x7f, ip[2], ip[3] });
}

static void print_mac6(struct proc_text *t, const struct interface_facts *i, const struct group *g)
{
	const uint8_t *ip = (const uint8_t *)&g->ip.word[3];

	print_mac(t, i, (uint8_t[6]){ 0x33, 0x33, ip[0], ip[1], ip[2], ip[3] });
}

void net_proc_make_dev_mcast(struct proc_text *t)
{
	struct interface_facts i;

	if (!interface_get_nth(1, &i))
		return; /* the loopback has no such addresses */
	print_mac(t, &i, (uint8_t[6]){ 0x33, 0x33, 0, 0, 0, 1 });
	each_group(t, 1, false, print_mac4);
	each_group(t, 1, true, print_mac6);
}
