/*
 * inet.c: what TCP and UDP sockets have in common: addresses to bind to.
 *
 * What:       checks and conversions.
 * Invariants: (1) only an address of this machine can be bound to.
 * Locking:    LOCK_NET.
 * Failure:    -EAFNOSUPPORT, -EADDRNOTAVAIL.
 * Source:     Linux net/ipv4/af_inet.c (__inet_bind).
 */
#include <lwip/ip_addr.h>

#include "base/errno.h"
#include "kernel/entropy.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

uint32_t inet_random(void)
{
	uint32_t r;

	entropy_fill(&r, sizeof(r));
	return r;
}

int inet_check_bind_locked(const struct socket_address *a)
{
	ip4_addr_t ip = { a->ip };

	/* AF_UNSPEC means AF_INET here, for the any address only: old programs do that. */
	if (a->family != SOCKET_INET && (a->family != SOCKET_UNSPEC || a->ip != 0))
		return -EAFNOSUPPORT;
	if (a->ip == 0 || net_is_local_ip_locked(a->ip) || ip4_addr_ismulticast(&ip) ||
		net_is_broadcast_ip_locked(a->ip))
		return 0;
	return -EADDRNOTAVAIL;
}

void inet_address(struct socket_address *out, uint32_t ip, uint16_t port)
{
	out->family = SOCKET_INET;
	out->ip = ip;
	out->port = port;
}
