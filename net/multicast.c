/*
 * multicast.c: the groups that sockets have joined.
 *
 * What:       a socket's list of groups and a list of all, which tells lwIP to join when the first
 *             socket does and to leave when the last one has. Sources are told apart here, when a
 *             datagram comes: routers hear of groups only (IGMPv2, MLDv1). lwIP's reports are sent
 *             by a tick of 100 ms, which runs only while one is due.
 * Invariants: (1) lwIP is in a group by an interface as long as a socket here is. (2) an idle
 *             machine has no tick.
 * Locking:    LOCK_NET.
 * Failure:    -EINVAL no group, -ENODEV, -EADDRINUSE joined twice, -EADDRNOTAVAIL not joined,
 *             -ENOBUFS too many, -ENOMEM.
 * Source:     RFC 2236, RFC 2710; Linux net/ipv4/igmp.c (ip_mc_join_group, ip_mc_source,
 *             ip_mc_sf_allow), net/ipv6/mcast.c; lwIP 2.1.3 igmp.c, mld6.c.
 */
#include <lwip/igmp.h>
#include <lwip/mld6.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/mm/kmem.h"
#include "net/address.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"

#define TICK_NS (IGMP_TMR_INTERVAL * NS_PER_MS)

STATIC_ASSERT(IGMP_TMR_INTERVAL == MLD6_TMR_INTERVAL, "one clock for both families");

struct joined {
	LIST_ENTRY(joined) link;
	struct net_ip group;
	struct netif *netif;
	unsigned sockets;
};

static struct {
	LIST_HEAD(joined_list, joined) all; /* [n] */
	uint64_t tick_ns; /* [n] next tick, while pending */
	bool pending; /* [n] a report may be due */
} multicast;

/* ------------------------------------------------------------------ time */
void multicast_wake_locked(void)
{
	if (!multicast.pending)
		multicast.tick_ns = net_now_ns() + TICK_NS;
	multicast.pending = true;
}

static bool is_report_due(const struct netif *netif)
{
	const struct igmp_group *g4;
	const struct mld_group *g6;

	for (g4 = netif_igmp_data(netif); g4 != NULL; g4 = g4->next)
		if (g4->timer != 0)
			return true;
	for (g6 = netif_mld6_data(netif); g6 != NULL; g6 = g6->next)
		if (g6->timer != 0)
			return true;
	return false;
}

uint64_t multicast_next_ns_locked(void)
{
	return multicast.pending ? multicast.tick_ns : TIME_NEVER_NS;
}

void multicast_tick_locked(uint64_t now_ns)
{
	const struct netif *netif;

	if (!multicast.pending || multicast.tick_ns > now_ns)
		return;
	multicast.tick_ns = now_ns + TICK_NS;
	igmp_tmr();
	mld6_tmr();
	multicast.pending = false; /* (2) */
	NETIF_FOREACH(netif)
	multicast.pending = multicast.pending || is_report_due(netif);
}

/* ------------------------------------------------------------------ lwIP's side */
static int tell_lwip(const struct joined *j, bool join)
{
	ip_addr_t group;
	err_t error;

	net_ip_to_lwip(&j->group, &group);
	multicast_wake_locked();
	if (IP_IS_V6(&group)) {
		j->netif->flags |= NETIF_FLAG_MLD6;
		error = join ? mld6_joingroup_netif(j->netif, ip_2_ip6(&group))
			     : mld6_leavegroup_netif(j->netif, ip_2_ip6(&group));
		return net_errno(error);
	}
	if ((j->netif->flags & NETIF_FLAG_IGMP) == 0) {
		j->netif->flags |= NETIF_FLAG_IGMP;
		if (igmp_start(j->netif) != ERR_OK)
			return -ENOMEM;
	}
	error = join ? igmp_joingroup_netif(j->netif, ip_2_ip4(&group))
		     : igmp_leavegroup_netif(j->netif, ip_2_ip4(&group));
	return net_errno(error);
}

static struct joined *find_joined(const struct net_ip *group, const struct netif *netif)
{
	struct joined *j;

	LIST_FOREACH(j, &multicast.all, link)
		if (j->netif == netif && net_ip_is_same(&j->group, group))
			return j;
	return NULL;
}

static int enter(const struct net_ip *group, struct netif *netif)
{
	struct joined *j = find_joined(group, netif);
	int error;

	if (j != NULL) {
		j->sockets++;
		return 0;
	}
	j = kmem_zalloc(sizeof(*j));
	if (j == NULL)
		return -ENOMEM;
	j->group = *group;
	j->netif = netif;
	j->sockets = 1;
	error = tell_lwip(j, true);
	if (error != 0) {
		kmem_free(j);
		return error;
	}
	LIST_INSERT_HEAD(&multicast.all, j, link);
	return 0;
}

static void leave(const struct net_ip *group, uint32_t interface_index)
{
	struct joined *j = find_joined(group, net_interface_locked(interface_index));

	if (j == NULL || --j->sockets != 0)
		return;
	LIST_REMOVE(j, link);
	(void)tell_lwip(j, false);
	kmem_free(j);
}

/* ------------------------------------------------------------------ a socket's side */
/* The interface that is meant: by index, by one of its addresses, or by the route. */
static int find_interface(const struct socket_group *g, struct netif **out)
{
	struct net_ip source;

	*out = NULL;
	if (g->interface_index != 0)
		*out = net_interface_locked(g->interface_index);
	else if (!net_ip_is_any(&g->interface_ip))
		*out = net_owner_locked(&g->interface_ip);
	else if (net_route_locked(&g->group, 0, out, &source) != 0)
		*out = device_first() != NULL ? &device_first()->netif : NULL;
	return *out != NULL ? 0 : -ENODEV;
}

static struct membership *find_membership(struct datagram_socket *d, const struct socket_group *g,
	uint32_t interface_index)
{
	struct membership *m;

	LIST_FOREACH(m, &d->groups, link)
		if (net_ip_is_same(&m->group, &g->group) &&
			(interface_index == 0 || m->interface_index == interface_index))
			return m;
	return NULL;
}

static bool has_room(const struct datagram_socket *d)
{
	const struct membership *m;
	unsigned count = 0;

	LIST_FOREACH(m, &d->groups, link)
		count++;
	return count < DATAGRAM_GROUPS_MAX;
}

static int join(struct datagram_socket *d, const struct socket_group *g, bool only_sources)
{
	struct netif *netif;
	struct membership *m;
	int error;

	if (!net_ip_is_multicast(&g->group))
		return -EINVAL;
	error = find_interface(g, &netif);
	if (error != 0)
		return error;
	if (find_membership(d, g, netif_get_index(netif)) != NULL)
		return -EADDRINUSE;
	if (!has_room(d))
		return -ENOBUFS;
	m = kmem_zalloc(sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	LIST_INIT(&m->sources);
	m->only_sources = only_sources;
	m->group = g->group;
	m->interface_index = netif_get_index(netif);
	m->group.scope = net_ip_is_scoped(&g->group) ? m->interface_index : 0;
	error = enter(&m->group, netif);
	if (error != 0) {
		kmem_free(m);
		return error;
	}
	LIST_INSERT_HEAD(&d->groups, m, link);
	return 0;
}

int multicast_join_locked(struct datagram_socket *d, const struct socket_group *g)
{
	return join(d, g, false);
}

static void drop_source(struct group_source *s)
{
	LIST_REMOVE(s, link);
	kmem_free(s);
}

static void forget(struct membership *m)
{
	struct group_source *s;

	while ((s = LIST_FIRST(&m->sources)) != NULL)
		drop_source(s);
	LIST_REMOVE(m, link);
	leave(&m->group, m->interface_index);
	kmem_free(m);
}

int multicast_leave_locked(struct datagram_socket *d, const struct socket_group *g)
{
	struct membership *m;
	struct netif *netif;
	uint32_t index = 0;

	if (!net_ip_is_multicast(&g->group))
		return net_ip_is_v4(&g->group) ? -EADDRNOTAVAIL : -EINVAL;
	if (g->interface_index != 0 || !net_ip_is_any(&g->interface_ip)) {
		if (find_interface(g, &netif) != 0)
			return -ENODEV;
		index = netif_get_index(netif);
	}
	m = find_membership(d, g, index);
	if (m == NULL)
		return -EADDRNOTAVAIL;
	forget(m);
	return 0;
}

/* ------------------------------------------------------------------ sources */
static struct group_source *find_source(const struct membership *m, const struct net_ip *ip)
{
	struct group_source *s;

	LIST_FOREACH(s, &m->sources, link)
		if (net_ip_is_same(&s->ip, ip))
			return s;
	return NULL;
}

static int add_source(struct membership *m, const struct net_ip *ip)
{
	struct group_source *s;
	unsigned count = 0;

	LIST_FOREACH(s, &m->sources, link)
		count++;
	if (count >= DATAGRAM_SOURCES_MAX)
		return -ENOBUFS;
	if (find_source(m, ip) != NULL)
		return -EADDRNOTAVAIL;
	s = kmem_zalloc(sizeof(*s));
	if (s == NULL)
		return -ENOBUFS;
	s->ip = *ip;
	LIST_INSERT_HEAD(&m->sources, s, link);
	m->has_sources = true;
	return 0;
}

/* With its last source a group is left. */
static int take_source(struct membership *m, const struct net_ip *ip)
{
	struct group_source *s = find_source(m, ip);

	if (s == NULL)
		return -EADDRNOTAVAIL;
	drop_source(s);
	if (m->only_sources && LIST_EMPTY(&m->sources))
		forget(m);
	return 0;
}

int multicast_change_source_locked(struct datagram_socket *d, const struct socket_group *g)
{
	bool adds = g->change == SOCKET_GROUP_ADD_SOURCE || g->change == SOCKET_GROUP_BLOCK_SOURCE;
	bool only = g->change == SOCKET_GROUP_ADD_SOURCE || g->change == SOCKET_GROUP_DROP_SOURCE;
	struct membership *m;
	struct netif *netif;
	int error = 0;

	if (!net_ip_is_multicast(&g->group))
		return -EINVAL;
	if (g->change == SOCKET_GROUP_ADD_SOURCE)
		error = join(d, g, true);
	if (error != 0 && error != -EADDRINUSE)
		return error;
	error = find_interface(g, &netif);
	if (error != 0)
		return error;
	m = find_membership(d, g, netif_get_index(netif));
	if (m == NULL || (m->has_sources && m->only_sources != only))
		return -EINVAL;
	m->only_sources = only; /* one that named no source may become the other kind */
	return adds ? add_source(m, &g->source) : take_source(m, &g->source);
}

void multicast_leave_all_locked(struct datagram_socket *d)
{
	struct membership *m;

	while ((m = LIST_FIRST(&d->groups)) != NULL)
		forget(m);
}

int multicast_set_interface_locked(struct datagram_socket *d, const struct socket_group *g)
{
	bool v6 = !net_ip_is_v4(&g->group);
	struct netif *netif = NULL;

	if (g->interface_index != 0)
		netif = net_interface_locked(g->interface_index);
	else if (!net_ip_is_any(&g->interface_ip))
		netif = net_owner_locked(&g->interface_ip);
	/* Neither: by the route again. */
	if (netif == NULL && (g->interface_index != 0 || !net_ip_is_any(&g->interface_ip)))
		return v6 ? -ENODEV : -EADDRNOTAVAIL;
	d->group_interface[v6] = netif == NULL ? 0 : netif_get_index(netif);
	if (!v6)
		d->group_source = g->interface_ip;
	return 0;
}

bool multicast_wants_locked(const struct datagram_socket *d, const struct ip_packet *in)
{
	uint32_t index = netif_get_index(in->netif);
	const struct membership *m;

	if (!net_ip_is_multicast(&in->dest))
		return true;
	LIST_FOREACH(m, &d->groups, link)
		if (m->interface_index == index && net_ip_is_same(&m->group, &in->dest))
			return (find_source(m, &in->source) != NULL) == m->only_sources;
	return d->group_all[!net_ip_is_v4(&in->dest)];
}
