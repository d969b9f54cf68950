/*
 * port.h: who has which local port. Pure bookkeeping; the caller's lock guards it.
 */
#pragma once

#include "base/compiler.h"
#include "base/tree.h"
#include "base/types.h"
#include "net/ip.h"

#define PORT_EPHEMERAL_FIRST 32768u
#define PORT_EPHEMERAL_LAST 60999u
#define PORT_BUCKETS 1024u

/* One local end. Ports in host byte order; 0: none. A local "::" takes what comes for IPv4, too,
 * unless v6only; the remote address means nothing while the remote port is 0. */
struct port_binding {
	LIST_ENTRY(port_binding) link;
	bool bound;
	bool v6only; /* set before it is bound */
	bool reuse_addr, reuse_port, listening; /* the owner may change them at any time */
	uint16_t local_port, remote_port;
	uint32_t interface_index; /* takes only what comes by it; 0: any */
	struct net_ip local_ip, remote_ip;
};

LIST_HEAD(port_bucket, port_binding);
struct port_table {
	struct port_bucket buckets[PORT_BUCKETS];
	uint32_t (*random)(void); /* [I] */
};

void port_table_init(struct port_table *t, uint32_t (*random)(void));
/* port 0: an ephemeral one that nobody has. -EADDRINUSE. b->reuse_* must be set. */
int port_bind(struct port_table *t, struct port_binding *b, const struct net_ip *local_ip,
	uint16_t port) must_check;
/* Chooses a port for a connection: its four-tuple will be unique. -EADDRNOTAVAIL. */
int port_bind_for(struct port_table *t, struct port_binding *b, const struct net_ip *local_ip,
	const struct net_ip *remote_ip, uint16_t remote_port) must_check;
/* Whether b, bound, may become the connection local_ip:port -> remote. */
bool port_is_tuple_free(const struct port_table *t, const struct port_binding *b,
	const struct net_ip *local_ip, const struct net_ip *remote_ip, uint16_t remote_port);
/* Whether b, bound, may listen: -EADDRINUSE when another one listens there. */
int port_check_listen(const struct port_table *t, const struct port_binding *b) must_check;
/* An accepted connection: on its listener's port, without question. */
void port_adopt(struct port_table *t, struct port_binding *b, const struct net_ip *local_ip,
	uint16_t port);
void port_release(struct port_binding *b);
/* The best match for a datagram's or error's four-tuple: connected first, then by address, then
 * IPv4's own before "::"; among equals that share a port the four-tuple decides.
 * interface_index: by which it came, 0: not known. NULL: none. */
struct port_binding *port_find(struct port_table *t, const struct net_ip *local_ip,
	uint16_t local_port, const struct net_ip *remote_ip, uint16_t remote_port,
	uint32_t interface_index);
/* Whether b is for packets that come by this interface; 0: by any. */
bool port_takes_interface(const struct port_binding *b, uint32_t interface_index);
/* Whether b, bound, is for packets to this address. */
bool port_takes(const struct port_binding *b, const struct net_ip *local_ip);
/* Calls fn for each one in a bucket (0 .. PORT_BUCKETS - 1); fn changes nothing. */
void port_each(const struct port_table *t, uint32_t bucket,
	void (*fn)(struct port_binding *b, void *arg), void *arg);
/* The next one after b (NULL: first) on this port. */
struct port_binding *port_next(struct port_table *t, struct port_binding *b, uint16_t port);
