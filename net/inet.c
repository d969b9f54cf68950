/*
 * inet.c: what TCP and UDP sockets have in common: addresses, and options about them.
 *
 * What:       checks and conversions between what the program says and struct net_ip.
 * Invariants: (1) only an address of this machine can be bound to, except by who
 *             asked for others (IP_FREEBIND). (2) an AF_INET socket's addresses are IPv4; an
 *             AF_INET6 socket's may be, unless it is v6only.
 * Locking:    LOCK_NET.
 * Failure:    -EAFNOSUPPORT, -EADDRNOTAVAIL, -EINVAL: no interface for a link-local address,
 *             -EACCES: a port that takes a right, -ENODEV, -ENETUNREACH: IPv4 by a v6only socket.
 * Source:     Linux net/ipv4/af_inet.c (__inet_bind), net/ipv6/af_inet6.c (__inet6_bind),
 *             net/ipv6/datagram.c.
 */
#include <linux/capability.h>
#include <lwip/ip_addr.h>

#include "base/errno.h"
#include "kernel/cred.h"
#include "kernel/entropy.h"
#include "net/address.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

#define PORTS_FREE_FROM 1024u /* Linux's ip_unprivileged_port_start */

uint32_t inet_random(void)
{
	uint32_t r;

	entropy_fill(&r, sizeof(r));
	return r;
}

const struct net_ip *inet_any(const struct inet_socket *i)
{
	static const struct net_ip any4 = { { 0, 0, NET_IP_MAPPED, 0 }, 0 };
	static const struct net_ip any6 = { { 0, 0, 0, 0 }, 0 };

	return i->base.family == SOCKET_INET6 ? &any6 : &any4;
}

void inet_init(struct inet_socket *i)
{
	i->port.local_ip = *inet_any(i);
}

int inet_check_port(uint16_t port)
{
	return port == 0 || port >= PORTS_FREE_FROM || cred_can(CAP_NET_BIND_SERVICE) ? 0 : -EACCES;
}

void inet_note_bound(struct inet_socket *i, const struct net_ip *ip)
{
	if (!net_ip_is_any(ip) && !net_ip_is_v4(ip))
		i->port.v6only = true;
}

/* The scope is that of an interface, and said only where it means something. */
static int take_scope(const struct socket_address *a, struct net_ip *out)
{
	*out = a->ip;
	if (!net_ip_is_scoped(out))
		out->scope = 0;
	return out->scope == 0 || net_interface_locked(out->scope) != NULL ? 0 : -ENODEV;
}

static int check_family(const struct inet_socket *i, const struct socket_address *a)
{
	if (i->base.family == SOCKET_INET6) {
		if (a->family == SOCKET_INET)
			return -EINVAL; /* Linux finds it too short before it looks at it */
		return a->family == SOCKET_INET6 ? 0 : -EAFNOSUPPORT;
	}
	/* AF_UNSPEC means AF_INET here, for the any address only: old programs do that. */
	if (a->family == SOCKET_INET || (a->family == SOCKET_UNSPEC && net_ip_v4(&a->ip) == 0))
		return 0;
	return -EAFNOSUPPORT;
}

int inet_check_bind_locked(const struct inet_socket *i, const struct socket_address *a,
	struct net_ip *out)
{
	int error = check_family(i, a);

	if (error != 0)
		return error;
	if (a->family == SOCKET_UNSPEC) {
		*out = *inet_any(i);
		return 0;
	}
	error = take_scope(a, out);
	if (error != 0)
		return error;
	if (net_ip_is_v4(out) && i->port.v6only)
		return -EINVAL;
	if (net_ip_is_scoped(out) && out->scope == 0)
		return -EINVAL;
	if (net_ip_is_any(out) || net_is_local_locked(out) || net_ip_is_multicast(out) ||
		net_is_broadcast_locked(out) || i->free_bind)
		return 0;
	return -EADDRNOTAVAIL;
}

int inet_check_peer_locked(const struct inet_socket *i, const struct socket_address *a,
	struct net_ip *out)
{
	bool datagram = i->base.type == SOCKET_DATAGRAM;
	int error;

	/* Linux's UDP sockets for both families take either kind of address; a stream's finds one
	 * of the other kind too short. */
	if (a->family != i->base.family &&
		(i->base.family != SOCKET_INET6 || a->family != SOCKET_INET || i->port.v6only))
		return -EAFNOSUPPORT;
	if (a->family != i->base.family && !datagram)
		return -EINVAL;
	error = take_scope(a, out);
	if (error != 0)
		return -ENETUNREACH;
	if (net_ip_is_v4(out) && i->port.v6only)
		return -ENETUNREACH;
	if (!net_ip_is_any(out))
		return 0;
	/* "Nobody" is ourselves. */
	if (net_ip_is_v4(out))
		*out = net_ip_of_v4(PP_HTONL(IPADDR_LOOPBACK));
	else
		out->word[3] = PP_HTONL(1);
	return 0;
}

void inet_address(const struct inet_socket *i, struct socket_address *out, const struct net_ip *ip,
	uint16_t port)
{
	out->family = i->base.family;
	out->ip = *ip;
	out->port = port;
}

/* CAVEAT: who is bound to one already may be bound to another without CAP_NET_RAW. */
static int set_device(struct inet_socket *i, int64_t index)
{
	if (index < 0 || (index != 0 && net_interface_locked((uint32_t)index) == NULL))
		return index < 0 ? -EINVAL : -ENODEV;
	i->port.interface_index = (uint32_t)index;
	return 0;
}

static int set_minimum(uint8_t *field, int64_t value)
{
	if (value < 0 || value > 255)
		return -EINVAL;
	*field = (uint8_t)value;
	return 0;
}

int inet_set_option(struct inet_socket *i, enum socket_option o, int64_t value)
{
	if (o == SOCKET_OPT_DEVICE)
		return set_device(i, value);
	if (o == SOCKET_OPT_MINTTL)
		return set_minimum(&i->min_ttl, value);
	if (o == SOCKET_OPT_FREEBIND ||
		(o == SOCKET_OPT_FREEBIND6 && i->base.family == SOCKET_INET6)) {
		i->free_bind = value != 0;
		return 0;
	}
	if (i->base.family != SOCKET_INET6)
		return -ENOPROTOOPT;
	switch (o) {
	case SOCKET_OPT_V6ONLY:
		if (i->port.bound)
			return -EINVAL;
		i->port.v6only = value != 0;
		return 0;
	case SOCKET_OPT_UNICAST_HOPS6:
		if (value < -1 || value > 255)
			return -EINVAL;
		i->base.ttl = value == -1 ? IP_DEFAULT_TTL : (uint8_t)value;
		return 0;
	case SOCKET_OPT_TCLASS6:
		if (value < -1 || value > 255)
			return -EINVAL;
		i->base.tos = value == -1 ? 0 : (uint8_t)value;
		return 0;
	case SOCKET_OPT_MINHOPCOUNT6:
		return set_minimum(&i->min_hops, value);
	default:
		return -ENOPROTOOPT;
	}
}

static int get_mtu(const struct inet_socket *i, int64_t *value)
{
	struct net_ip source;
	struct netif *netif;

	if (i->port.remote_port == 0 ||
		net_route_locked(&i->port.remote_ip, i->port.remote_ip.scope, &netif, &source) != 0)
		return -ENOTCONN;
	*value = ip_path_mtu_locked(&i->port.remote_ip, netif);
	return 0;
}

int inet_get_option(const struct inet_socket *i, enum socket_option o, int64_t *value)
{
	if (o == SOCKET_OPT_MTU)
		return get_mtu(i, value);
	if (o == SOCKET_OPT_FREEBIND ||
		(o == SOCKET_OPT_FREEBIND6 && i->base.family == SOCKET_INET6)) {
		*value = i->free_bind;
		return 0;
	}
	if (o == SOCKET_OPT_DEVICE) {
		*value = i->port.interface_index;
		return 0;
	}
	if (o == SOCKET_OPT_MINTTL) {
		*value = i->min_ttl;
		return 0;
	}
	if (i->base.family != SOCKET_INET6)
		return -ENOPROTOOPT;
	switch (o) {
	case SOCKET_OPT_V6ONLY:
		*value = i->port.v6only;
		return 0;
	case SOCKET_OPT_UNICAST_HOPS6:
		*value = i->base.ttl;
		return 0;
	case SOCKET_OPT_TCLASS6:
		*value = i->base.tos;
		return 0;
	case SOCKET_OPT_MINHOPCOUNT6:
		*value = i->min_hops;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}
