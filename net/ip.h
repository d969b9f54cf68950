/*
 * ip.h: an internet address of either family, as a value.
 *
 * IPv4 is kept as ::ffff:a.b.c.d, so that one kind of address serves both families and what a
 * program sees on a socket for both is what is stored. Pure; no errors.
 * Source: RFC 4291 (2.5.5.2 the mapping, 2.5.6 link-local, 2.7 multicast); RFC 4007 (scopes).
 */
#pragma once

#include "base/types.h"

/* Network byte order. */
struct net_ip {
	uint32_t word[4];
	uint32_t scope; /* interface index of a link-local address, where known; else 0 */
};

#define NET_IP_MAPPED 0xffff0000u /* word 2 of an IPv4 address */
#define NET_IP_ANY6 ((struct net_ip){ { 0, 0, 0, 0 }, 0 })

static inline struct net_ip net_ip_of_v4(uint32_t ip)
{
	return (struct net_ip){ { 0, 0, NET_IP_MAPPED, ip }, 0 };
}

static inline bool net_ip_is_v4(const struct net_ip *a)
{
	return a->word[2] == NET_IP_MAPPED && (a->word[0] | a->word[1]) == 0;
}

static inline uint32_t net_ip_v4(const struct net_ip *a)
{
	return a->word[3];
}

/* Without the scope. */
static inline bool net_ip_is_same(const struct net_ip *a, const struct net_ip *b)
{
	return ((a->word[0] ^ b->word[0]) | (a->word[1] ^ b->word[1]) | (a->word[2] ^ b->word[2]) |
		       (a->word[3] ^ b->word[3])) == 0;
}

static inline bool net_ip_is_equal(const struct net_ip *a, const struct net_ip *b)
{
	return net_ip_is_same(a, b) && a->scope == b->scope;
}

/* 0.0.0.0 or ::. */
static inline bool net_ip_is_any(const struct net_ip *a)
{
	return a->word[3] == 0 && (a->word[0] | a->word[1]) == 0 &&
		(a->word[2] == 0 || a->word[2] == NET_IP_MAPPED);
}

/* 127/8 or ::1. */
static inline bool net_ip_is_loopback(const struct net_ip *a)
{
	if (net_ip_is_v4(a))
		return (a->word[3] & 0xff) == 127;
	return (a->word[0] | a->word[1] | a->word[2]) == 0 && a->word[3] == 0x01000000u;
}

static inline bool net_ip_is_multicast(const struct net_ip *a)
{
	if (net_ip_is_v4(a))
		return (a->word[3] & 0xf0) == 0xe0;
	return (a->word[0] & 0xff) == 0xff;
}

/* fe80::/10, ff01::/16 and ff02::/16 (any flags): what means nothing without an interface. */
static inline bool net_ip_is_scoped(const struct net_ip *a)
{
	uint32_t first = a->word[0] & 0xff, second = a->word[0] >> 8 & 0xff;

	return (first == 0xfe && (second & 0xc0) == 0x80) ||
		(first == 0xff && ((second & 15) == 1 || (second & 15) == 2));
}
