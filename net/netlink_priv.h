/*
 * netlink_priv.h: netlink sockets, for netlink.c (sockets), netlink_route.c (answers) and
 * netlink_facts.c (what they are made of).
 *
 * Letters: [n] LOCK_NET.
 */
#pragma once

#include <linux/netlink.h>

#include "net/facts6.h"
#include "net/interface.h"
#include "net/socket_priv.h"

#define NETLINK_DATAGRAM_BYTES 3840u /* at most: Go receives into a page */

struct netlink_answer {
	STAILQ_ENTRY(netlink_answer) link;
	uint32_t bytes;
	uint32_t group; /* bit of the group it was announced to; 0: an answer */
	_Alignas(8) uint8_t data[NETLINK_DATAGRAM_BYTES];
};

STAILQ_HEAD(netlink_answers, netlink_answer);

struct netlink_socket {
	struct socket base;
	LIST_ENTRY(netlink_socket) link; /* [n] in the list of all */
	uint32_t port; /* [n] 0: not bound */
	uint32_t groups; /* [n] bit per group joined */
	bool cap_ack; /* [n] errors come without the request's payload */
	struct netlink_answers answers; /* [n] */
	uint32_t answer_count; /* [n] */
};

/* One request and the answers to it. */
struct netlink_reply {
	struct netlink_answers answers;
	struct netlink_answer *last; /* to be added to; NULL: none yet */
	const struct nlmsghdr *request;
	uint32_t port;
	bool is_dump;
	int error; /* -ENOBUFS: no memory, what was added since is nothing */
};

/* ------------------------------------------------------------------ netlink.c */
/* Begins a message of at most body_max bytes behind its header; NULL after an error. */
struct nlmsghdr *netlink_begin(struct netlink_reply *r, uint16_t type, uint32_t body_max);
/* Zeroed room in the message that was begun. */
void *netlink_add(struct netlink_reply *r, uint32_t bytes);
void netlink_add_attribute(struct netlink_reply *r, uint16_t type, const void *data,
	uint32_t bytes);
void netlink_end(struct netlink_reply *r, struct nlmsghdr *h);
const struct netlink_socket *netlink_nth_locked(uint32_t n); /* NULL: not so many */
/* Gives what r holds to every socket that joined the group (bit). */
void netlink_announce_locked(struct netlink_reply *r, uint32_t group);

/* ------------------------------------------------------------------ netlink_facts.c */
#define NETLINK_METRIC6_PREFIX 256u /* Linux's */
#define NETLINK_METRIC6_GATEWAY 1024u

struct netlink_route {
	uint8_t family, dest_bits, table, protocol, scope, type;
	uint32_t flags;
	uint32_t metric, life_s; /* of IPv6 */
	const struct netif *netif;
	const void *dest, *gateway, *source; /* addresses of the family; NULL: none */
};

/* Network byte order; ip 0: none. */
struct netlink_address4 {
	const struct netif *netif;
	uint32_t ip, mask, gateway;
};

struct netlink_address4 netlink_address4_of(const struct netif *netif);

/* Each adds a message of that type, RTM_NEW… or RTM_DEL…, or one for each such fact. */
void netlink_say_link(struct netlink_reply *r, const struct netif *netif);
void netlink_say_address4(struct netlink_reply *r, uint16_t type, const struct netlink_address4 *a);
void netlink_say_address6(struct netlink_reply *r, uint16_t type, const struct address6 *a);
void netlink_say_route(struct netlink_reply *r, uint16_t type, const struct netlink_route *route);
void netlink_say_routes4(struct netlink_reply *r, uint16_t type, const struct netlink_address4 *a);
void netlink_say_network6(struct netlink_reply *r, uint16_t type, const struct network6 *n);
void netlink_say_gateway6(struct netlink_reply *r, uint16_t type, const struct gateway6 *g);
void netlink_say_own6(struct netlink_reply *r, uint16_t type, const struct address6 *a);
void netlink_say_groups6(struct netlink_reply *r, uint16_t type, const struct netif *netif);
void netlink_say_neighbours4(struct netlink_reply *r);
void netlink_say_neighbours6(struct netlink_reply *r);
void netlink_link_name(const struct netif *netif, char name[INTERFACE_NAME_BYTES]);

/* ------------------------------------------------------------------ netlink_route.c */
/* Answers an rtnetlink request of bytes, whose header is valid, into r. 0, or the error to tell. */
int netlink_route_request_locked(struct netlink_reply *r, const uint8_t *raw,
	uint32_t bytes) must_check;
