/*
 * lwip_port.c: what lwIP calls: memory, randomness, sequence numbers, routes, claims.
 *
 * What:       the functions that net/lwip_port/ names to lwIP (tools/upcalls.txt lists them).
 * Invariants: (1) initial sequence numbers cannot be guessed from others, and rise with time for
 *             one four-tuple, so that a connection may follow its own TIME_WAIT.
 * Locking:    called under LOCK_NET; memory functions from anywhere.
 * Failure:    NULL when there is no memory; lwIP drops or retries.
 * Source:     RFC 6528 (sequence numbers); lwIP 2.1.3 opt.h for the hooks' contracts.
 */
#include "net/lwip_port_priv.h"

#include <bearssl_hash.h>
#include <lwip/dns.h>
#include <lwip/sys.h>

#include "base/units.h"
#include "kernel/entropy.h"
#include "kernel/mm/kmem.h"
#include "kernel/panic.h"
#include "kernel/time/clock.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/lwip_port/hooks.h"
#include "net/net_priv.h"

static struct {
	uint8_t isn_key[32]; /* [I] */
} lwip_port;

void lwip_port_init(void)
{
	entropy_fill(lwip_port.isn_key, sizeof(lwip_port.isn_key));
}

void *net_lwip_alloc(size_t bytes)
{
	return kmem_alloc(bytes);
}

void *net_lwip_calloc(size_t count, size_t bytes)
{
	return kmem_zalloc(count * bytes);
}

void net_lwip_free(void *p)
{
	kmem_free(p);
}

uint32_t net_lwip_random(void)
{
	uint32_t r;

	entropy_fill(&r, sizeof(r));
	return r;
}

void net_lwip_assert_failed(const char *file, int line, const char *what)
{
	panic("lwIP: %s (%s:%d)", what, file, line);
}

u32_t sys_now(void)
{
	return (u32_t)(clock_now_ns() / NS_PER_MS);
}

uint32_t net_lwip_tcp_isn(const ip_addr_t *local_ip, uint16_t local_port,
	const ip_addr_t *remote_ip, uint16_t remote_port)
{
	struct {
		struct net_ip local, remote;
		uint32_t ports;
	} tuple = { net_ip_of_lwip(local_ip), net_ip_of_lwip(remote_ip),
		(uint32_t)local_port << 16 | remote_port };
	uint8_t digest[br_sha256_SIZE];
	br_sha256_context hash;
	uint32_t isn;

	br_sha256_init(&hash);
	br_sha256_update(&hash, lwip_port.isn_key, sizeof(lwip_port.isn_key));
	br_sha256_update(&hash, &tuple, sizeof(tuple));
	br_sha256_out(&hash, digest);
	memcpy(&isn, digest, sizeof(isn));
	return isn + (uint32_t)(net_now_ns() / (4 * NS_PER_US));
}

struct netif *net_lwip_route(const ip4_addr_t *src, const ip4_addr_t *dest)
{
	(void)src;
	return net_is_local_ip_locked(ip4_addr_get_u32(dest)) ? loopback_netif() : NULL;
}

struct netif *net_lwip_route6(const ip6_addr_t *src, const ip6_addr_t *dest)
{
	struct net_ip to;

	(void)src;
	to = net_ip_of_bytes(dest->addr, ip6_addr_zone(dest));
	return net_is_local_locked(&to) ? loopback_netif() : NULL;
}

const ip6_addr_t *net_lwip_gateway6(struct netif *netif, const ip6_addr_t *dest)
{
	(void)netif;
	(void)dest;
	return config6_gateway();
}

int net_lwip_ip4_input(struct pbuf *p, struct netif *inp)
{
	(void)inp;
	return ip_guard_input_locked(p);
}

int net_lwip_ip6_input(struct pbuf *p, struct netif *inp)
{
	(void)inp;
	return ip_guard_input6_locked(p);
}

/* LWIP_DNS is on only so that DHCP reports the servers: there is no resolver in the kernel. */
void dns_init(void)
{
}

void dns_tmr(void)
{
}

void dns_setserver(u8_t numdns, const ip_addr_t *dnsserver)
{
	config_set_dns_locked(numdns, dnsserver == NULL ? 0 : ip_addr_get_ip4_u32(dnsserver));
}
