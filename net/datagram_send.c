/*
 * datagram_send.c: where a datagram goes, from which address, and how large it may be.
 *
 * What:       what UDP's and raw sockets do before the packet itself: the route, which the
 *             message, the address's scope, the group's options or the routing decide, in this
 *             order; the source; TTL and TOS; and whether it may be cut.
 * Invariants: (1) the source is an address of this machine, unless IP_FREEBIND is set.
 * Locking:    LOCK_NET.
 * Failure:    -EACCES (broadcast), -EINVAL (1), -ENETUNREACH, -EADDRNOTAVAIL, -ENODEV, -EMSGSIZE.
 * Source:     Linux net/ipv4/udp.c (udp_sendmsg), net/ipv6/udp.c, net/ipv4/ip_output.c
 *             (ip_setup_cork, __ip_append_data), ip(7), ipv6(7).
 */
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>

#include "base/errno.h"
#include "net/address.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"

#define HOPS_DEFAULT 64

static uint32_t choose_interface(const struct datagram_socket *d, const struct socket_message *m,
	const struct net_ip *dest)
{
	if (d->inet.port.interface_index != 0)
		return d->inet.port.interface_index;
	if (m->has_pktinfo && m->interface_index != 0)
		return m->interface_index;
	if (dest->scope != 0)
		return dest->scope;
	return net_ip_is_multicast(dest) ? d->group_interface[!net_ip_is_v4(dest)] : 0;
}

static bool fits(const struct net_ip *source, const struct net_ip *dest)
{
	return !net_ip_is_any(source) && net_ip_is_v4(source) == net_ip_is_v4(dest);
}

static void choose_source(const struct datagram_socket *d, const struct socket_message *m,
	struct ip_output *o)
{
	bool group = net_ip_is_multicast(&o->dest);

	if (m->has_pktinfo && fits(&m->local_ip, &o->dest))
		o->source = m->local_ip;
	else if (fits(&d->inet.port.local_ip, &o->dest) &&
		!net_ip_is_multicast(&d->inet.port.local_ip))
		o->source = d->inet.port.local_ip;
	else if (group && fits(&d->group_source, &o->dest))
		o->source = d->group_source;
}

static void choose_header(const struct datagram_socket *d, const struct socket_message *m,
	struct ip_output *o)
{
	bool v6 = !net_ip_is_v4(&o->dest);
	int hops = v6 ? d->hops6 : d->inet.base.ttl;

	if (net_ip_is_multicast(&o->dest))
		hops = d->group_hops[v6];
	o->ttl = (uint8_t)(m->has_ttl ? m->ttl : hops < 0 ? HOPS_DEFAULT : hops);
	o->tos = m->has_tos ? m->tos : v6 ? d->class6 : d->inet.base.tos;
	o->loop = !net_ip_is_multicast(&o->dest) || d->group_loop[v6];
}

int datagram_route_locked(struct datagram_socket *d, const struct socket_message *m,
	const struct net_ip *dest, struct ip_output *o)
{
	int error;

	o->dest = *dest;
	if (!net_ip_is_any(&d->bound_ip) && net_ip_is_v4(&d->bound_ip) != net_ip_is_v4(dest))
		return -ENETUNREACH;
	if (net_is_broadcast_locked(dest) && !d->inet.base.broadcast)
		return -EACCES;
	error = net_route_locked(dest, choose_interface(d, m, dest), &o->netif, &o->source);
	if (error != 0)
		return error;
	if (net_ip_is_scoped(dest))
		o->dest.scope = netif_get_index(o->netif);
	choose_source(d, m, o);
	choose_header(d, m, o);
	if (!d->inet.free_bind && !net_is_local_locked(&o->source)) /* (1) */
		return -EINVAL;
	if (net_ip_is_v4(&o->source) != net_ip_is_v4(dest))
		return -ENETUNREACH;
	return 0;
}

/* ------------------------------------------------------------------ size */
static int too_big(struct datagram_socket *d, const struct ip_output *o, uint16_t port,
	uint32_t mtu)
{
	bool v6 = !net_ip_is_v4(&o->dest);
	struct ip_error e = { .error = -EMSGSIZE, .origin = ORIGIN_LOCAL, .info = mtu };

	e.offender = *inet_any(&d->inet);
	if (d->want_errors[v6])
		datagram_tell_error_locked(d, &e, &o->dest, port, NULL);
	return -EMSGSIZE;
}

int datagram_fit_locked(struct datagram_socket *d, struct ip_output *o, uint16_t port,
	uint32_t bytes)
{
	bool v6 = !net_ip_is_v4(&o->dest);
	uint8_t mode = d->mtu_discover[v6];
	uint32_t path = ip_path_mtu_locked(&o->dest, o->netif);
	uint32_t limit = mode == PMTU_PROBE ? (v6 ? netif_mtu6(o->netif) : o->netif->mtu) : path;
	bool whole = mode == PMTU_DO || mode == PMTU_PROBE || (v6 && d->dont_fragment6);

	bytes += v6 ? IP6_HLEN : IP_HLEN;
	if (whole && bytes > limit)
		return too_big(d, o, port, limit);
	o->dont_fragment = whole || (mode == PMTU_WANT && bytes <= path);
	return 0;
}

int datagram_connect_locked(struct datagram_socket *d, const struct net_ip *remote_ip,
	struct net_ip *source)
{
	struct socket_message nothing = { .flags = 0 };
	uint32_t index = choose_interface(d, &nothing, remote_ip);
	struct netif *netif;
	int error;

	if (net_ip_is_scoped(remote_ip) && index == 0)
		return -EINVAL;
	error = net_route_locked(remote_ip, index, &netif, source);
	if (error == 0 && net_is_broadcast_locked(remote_ip) && !d->inet.base.broadcast)
		error = -EACCES;
	if (error != 0)
		return error;
	if (net_ip_is_any(&d->bound_ip))
		return 0;
	*source = d->bound_ip;
	return net_ip_is_v4(source) == net_ip_is_v4(remote_ip) ? 0 : -ENETUNREACH;
}
