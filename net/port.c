/*
 * port.c: who has which local port.
 *
 * What:       a hash table of bindings by port. Two bindings of one port conflict when their
 *             addresses overlap ("::" overlaps IPv4's unless v6only), unless both allow reuse of
 *             the address and the older does not listen, or both allow reuse of the port.
 * Invariants: (1) a binding is in the bucket of its port from bind to release. (2) Connections
 *             that linger after close keep theirs, so TIME_WAIT counts as in use.
 * Locking:    the caller's.
 * Failure:    -EADDRINUSE, -EADDRNOTAVAIL; no allocation.
 * Source:     Linux inet_csk_bind_conflict, inet_rcv_saddr_equal, udp_lib_lport_inuse; RFC 6056
 *             3.3.1 (random ports).
 */
#include "net/port.h"

#include "base/errno.h"
#include "base/units.h"

#define EPHEMERAL_COUNT (PORT_EPHEMERAL_LAST - PORT_EPHEMERAL_FIRST + 1)
#define UNUSED_TRIES 32u

void port_table_init(struct port_table *t, uint32_t (*random)(void))
{
	uint32_t i;

	for (i = 0; i < PORT_BUCKETS; i++)
		LIST_INIT(&t->buckets[i]);
	t->random = random;
}

static struct port_bucket *bucket_of(struct port_table *t, uint16_t port)
{
	return &t->buckets[port % PORT_BUCKETS];
}

/* Whether "any" stands for ip, too. */
static bool any_covers(const struct net_ip *any, bool v6only, const struct net_ip *ip)
{
	if (net_ip_is_v4(any))
		return net_ip_is_v4(ip);
	return !net_ip_is_v4(ip) || !v6only;
}

bool port_takes(const struct port_binding *b, const struct net_ip *local_ip)
{
	if (net_ip_is_any(&b->local_ip))
		return any_covers(&b->local_ip, b->v6only, local_ip);
	return net_ip_is_same(&b->local_ip, local_ip) &&
		(b->local_ip.scope == 0 || local_ip->scope == 0 ||
			b->local_ip.scope == local_ip->scope);
}

bool port_takes_interface(const struct port_binding *b, uint32_t interface_index)
{
	return b->interface_index == 0 || interface_index == 0 ||
		b->interface_index == interface_index;
}

/* b is going to have local_ip. */
static bool overlaps(const struct port_binding *other, const struct port_binding *b,
	const struct net_ip *local_ip)
{
	return port_takes(other, local_ip) ||
		(net_ip_is_any(local_ip) && any_covers(local_ip, b->v6only, &other->local_ip));
}

/* Whether b may not come beside other: a listener may come beside what lingers of its predecessor's
 * connections. */
static bool conflicts(const struct port_binding *b, const struct port_binding *other)
{
	if (!port_takes_interface(other, b->interface_index))
		return false;
	if (b->reuse_port && other->reuse_port)
		return false;
	return !b->reuse_addr || !other->reuse_addr || other->listening;
}

static bool is_free(const struct port_table *t, const struct port_binding *b,
	const struct net_ip *local_ip, uint16_t port)
{
	const struct port_binding *other;

	LIST_FOREACH(other, &t->buckets[port % PORT_BUCKETS], link)
		if (other != b && other->local_port == port && overlaps(other, b, local_ip) &&
			conflicts(b, other))
			return false;
	return true;
}

static bool is_unused(const struct port_table *t, uint16_t port)
{
	const struct port_binding *other;

	LIST_FOREACH(other, &t->buckets[port % PORT_BUCKETS], link)
		if (other->local_port == port)
			return false;
	return true;
}

void port_adopt(struct port_table *t, struct port_binding *b, const struct net_ip *local_ip,
	uint16_t port)
{
	b->local_ip = *local_ip;
	b->local_port = port;
	b->bound = true;
	LIST_INSERT_HEAD(bucket_of(t, port), b, link);
}

int port_bind(struct port_table *t, struct port_binding *b, const struct net_ip *local_ip,
	uint16_t port)
{
	uint32_t start, i;

	if (port != 0) {
		if (!is_free(t, b, local_ip, port))
			return -EADDRINUSE;
		port_adopt(t, b, local_ip, port);
		return 0;
	}
	start = t->random();
	for (i = 0; i < EPHEMERAL_COUNT; i++) {
		port = (uint16_t)(PORT_EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);
		if (is_unused(t, port)) {
			port_adopt(t, b, local_ip, port);
			return 0;
		}
	}
	return -EADDRINUSE;
}

static bool is_tuple(const struct port_binding *b, const struct net_ip *local_ip,
	const struct net_ip *remote_ip, uint16_t remote_port)
{
	return b->remote_port == remote_port && net_ip_is_equal(&b->local_ip, local_ip) &&
		net_ip_is_equal(&b->remote_ip, remote_ip);
}

bool port_is_tuple_free(const struct port_table *t, const struct port_binding *b,
	const struct net_ip *local_ip, const struct net_ip *remote_ip, uint16_t remote_port)
{
	const struct port_binding *other;

	LIST_FOREACH(other, &t->buckets[b->local_port % PORT_BUCKETS], link)
		if (other != b && other->local_port == b->local_port &&
			is_tuple(other, local_ip, remote_ip, remote_port))
			return false;
	return true;
}

/* A port that only connections to elsewhere use may serve one more. */
static bool is_shareable(const struct port_table *t, uint16_t port, const struct net_ip *local_ip,
	const struct net_ip *remote_ip, uint16_t remote_port)
{
	const struct port_binding *other;

	LIST_FOREACH(other, &t->buckets[port % PORT_BUCKETS], link) {
		if (other->local_port != port)
			continue;
		if (other->remote_port == 0 || is_tuple(other, local_ip, remote_ip, remote_port))
			return false;
	}
	return true;
}

int port_bind_for(struct port_table *t, struct port_binding *b, const struct net_ip *local_ip,
	const struct net_ip *remote_ip, uint16_t remote_port)
{
	bool self = net_ip_is_equal(local_ip, remote_ip), good;
	uint32_t start = t->random(), i;
	uint16_t port;

	for (i = 0; i < EPHEMERAL_COUNT; i++) {
		port = (uint16_t)(PORT_EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);
		/* One that nobody has is better, but not worth a long search. */
		good = i < UNUSED_TRIES ? is_unused(t, port)
					: is_shareable(t, port, local_ip, remote_ip, remote_port);
		if (!good || (port == remote_port && self))
			continue;
		port_adopt(t, b, local_ip, port);
		return 0;
	}
	/* The first few were only asked whether they are unused. */
	for (i = 0; i < UNUSED_TRIES; i++) {
		port = (uint16_t)(PORT_EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);
		if (is_shareable(t, port, local_ip, remote_ip, remote_port) &&
			(port != remote_port || !self)) {
			port_adopt(t, b, local_ip, port);
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}

int port_check_listen(const struct port_table *t, const struct port_binding *b)
{
	return is_free(t, b, &b->local_ip, b->local_port) ? 0 : -EADDRINUSE;
}

void port_release(struct port_binding *b)
{
	if (!b->bound)
		return;
	LIST_REMOVE(b, link);
	b->bound = false;
}

/* Linux's compute_score: 0: not for it. */
static unsigned score(const struct port_binding *b, const struct net_ip *local_ip,
	const struct net_ip *remote_ip, uint16_t remote_port, uint32_t interface_index)
{
	bool connected = b->remote_port != 0;

	if (!port_takes_interface(b, interface_index))
		return 0;
	if (!port_takes(b, local_ip) ||
		(connected &&
			(b->remote_port != remote_port ||
				!net_ip_is_same(&b->remote_ip, remote_ip))))
		return 0;
	return 1 + (connected ? 4u : 0) + (b->interface_index != 0 ? 8u : 0) +
		(net_ip_is_any(&b->local_ip) ? 0 : 2u) + (net_ip_is_v4(&b->local_ip) ? 1u : 0);
}

static uint32_t mix(const struct net_ip *ip, uint16_t port)
{
	uint32_t h = ip->word[0] ^ ip->word[1] * 31u ^ ip->word[2] * 961u ^ ip->word[3] ^ port;

	return h * 0x9e3779b1u;
}

struct port_binding *port_find(struct port_table *t, const struct net_ip *local_ip,
	uint16_t local_port, const struct net_ip *remote_ip, uint16_t remote_port,
	uint32_t interface_index)
{
	struct port_binding *b, *best = NULL;
	unsigned best_score = 0, equals = 0, n;
	uint32_t pick = 0;

	LIST_FOREACH(b, bucket_of(t, local_port), link) {
		n = b->local_port != local_port
			? 0
			: score(b, local_ip, remote_ip, remote_port, interface_index);
		if (n == 0 || n < best_score)
			continue;
		if (n > best_score) {
			best = b;
			best_score = n;
			equals = 1;
		} else if (b->reuse_port) {
			/* The same four-tuple comes to the same choice each time. */
			pick = equals == 1 ? mix(remote_ip, remote_port)
					   : pick * 1664525u + 1013904223u;
			equals++;
			if (((uint64_t)pick * equals) >> 32 == 0)
				best = b;
		}
	}
	return best;
}

struct port_binding *port_next(struct port_table *t, struct port_binding *b, uint16_t port)
{
	b = b == NULL ? LIST_FIRST(bucket_of(t, port)) : LIST_NEXT(b, link);
	while (b != NULL && b->local_port != port)
		b = LIST_NEXT(b, link);
	return b;
}

void port_each(const struct port_table *t, uint32_t bucket,
	void (*fn)(struct port_binding *b, void *arg), void *arg)
{
	struct port_binding *b;

	LIST_FOREACH(b, &t->buckets[bucket], link)
		fn(b, arg);
}
