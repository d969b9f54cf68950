/*
 * address.h: which addresses are ours, which interface a packet leaves by, and lwIP's form of them.
 *
 * _locked: LOCK_NET held. Nothing sleeps. Source: RFC 1122 3.3.1, RFC 6724 (source addresses).
 */
#pragma once

#include <lwip/ip_addr.h>
#include <lwip/netif.h>

#include "base/compiler.h"
#include "net/ip.h"

void net_ip_to_lwip(const struct net_ip *a, ip_addr_t *out);
struct net_ip net_ip_of_lwip(const ip_addr_t *a);
/* 16 bytes of a packet; scope: the interface it came by, kept where it means something. */
struct net_ip net_ip_of_bytes(const void *bytes, uint32_t scope);

/* Is it an address of one of our interfaces, or 127/8, or ::1? */
bool net_is_local_ip_locked(uint32_t ip); /* IPv4, network byte order */
bool net_is_local_locked(const struct net_ip *a);
bool net_is_broadcast_locked(const struct net_ip *a);
/* The interface with this index; NULL: none. */
struct netif *net_interface_locked(uint32_t index);
/* The interface that has this address for its own, the loopback for 127/8 and ::1; NULL: none. */
struct netif *net_owner_locked(const struct net_ip *a);
/* Where a packet to dest leaves, and from which address when none is bound. index: the interface
 * that was asked for; 0: any. -ENETUNREACH, -EADDRNOTAVAIL: no address to send from, -ENODEV. */
int net_route_locked(const struct net_ip *dest, uint32_t index, struct netif **out,
	struct net_ip *source) must_check;
