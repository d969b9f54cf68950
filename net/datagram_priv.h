/*
 * datagram_priv.h: sockets that exchange datagrams over IP: what UDP's and raw ones share.
 *
 * _locked: LOCK_NET held.
 */
#pragma once

#include "net/ip_packet.h"
#include "net/socket_priv.h"

#define DATAGRAM_SOURCES_MAX 64u /* of one group; Linux's mld_max_msf */
#define DATAGRAM_GROUPS_MAX 64u /* of one socket; Linux's igmp_max_memberships is 20 */

/* Linux's IP_PMTUDISC_*, the same for IPv6. */
enum { PMTU_DONT, PMTU_WANT, PMTU_DO, PMTU_PROBE, PMTU_INTERFACE, PMTU_OMIT };

struct datagram {
	TAILQ_ENTRY(datagram) link;
	struct pbuf *p; /* what is read; NULL: nothing came back with an error */
	struct net_ip source, local;
	uint64_t arrived_ns;
	uint32_t interface_index;
	uint32_t drops; /* of the socket, before it */
	uint16_t source_port, local_port;
	uint8_t ttl, tos;
	bool peeked; /* empty, and was seen by who peeks with an offset */
	struct ip_error error; /* on the queue of errors */
};

TAILQ_HEAD(datagrams, datagram);

struct group_source {
	LIST_ENTRY(group_source) link;
	struct net_ip ip;
};

LIST_HEAD(group_sources, group_source);

/* A group that a socket has joined. */
struct membership {
	LIST_ENTRY(membership) link;
	struct net_ip group;
	uint32_t interface_index;
	bool only_sources; /* hears these; else all but these */
	bool has_sources; /* one was named, once */
	struct group_sources sources;
};

LIST_HEAD(memberships, membership);

/* All fields [n]. Of options for both families: [0] IPv4's, [1] IPv6's. */
struct datagram_socket {
	struct inet_socket inet;
	bool port_chosen; /* by bind; else by the kernel */
	struct net_ip bound_ip; /* what bind said; connect may have chosen another since */
	struct datagrams queue, errors;
	uint64_t queue_bytes; /* of both, with costs */
	struct memberships groups;
	/* options */
	int group_hops[2]; /* TTL and hop limit to groups */
	bool group_loop[2], group_all[2];
	uint32_t group_interface[2]; /* 0: by the route */
	struct net_ip group_source; /* IP_MULTICAST_IF's address; any: by the interface */
	uint8_t mtu_discover[2];
	bool dont_fragment6, want_errors[2];
	bool want_pktinfo6, want_hops6, want_class6, want_original[2];
	uint32_t segment_bytes; /* UDP_SEGMENT; 0: off */
	bool corked; /* UDP_CORK */
	struct pending_datagram *pending; /* of UDP, not complete; NULL: none */
	int hops6; /* -1: the default */
	uint8_t class6;
};

static inline struct datagram_socket *datagram_of(struct socket *s)
{
	return (struct datagram_socket *)(void *)s;
}

/* ------------------------------------------------------------------ datagram.c */
void datagram_init(struct datagram_socket *d); /* after socket_init, inet_init */
/* Queues p from offset_bytes on, and takes it in any case. */
void datagram_enqueue_locked(struct datagram_socket *d, const struct ip_packet *in, struct pbuf *p,
	uint16_t source_port, uint16_t local_port);
/* An error, with what came back. p NULL: nothing did. Takes p. */
void datagram_tell_error_locked(struct datagram_socket *d, const struct ip_error *e,
	const struct net_ip *dest, uint16_t port, struct pbuf *p);
/* For who asked for stamps of what is sent: now, a datagram has left. */
void datagram_tell_sent_locked(struct datagram_socket *d);
long datagram_receive(struct socket *s, struct socket_message *m, bool nonblock) must_check;
uint32_t datagram_poll_locked(struct socket *s);
int datagram_shut_down(struct socket *s, enum socket_shutdown how) must_check;
/* Gives back port, groups and what is queued; takes LOCK_NET. */
void datagram_close(struct socket *s);

/* ------------------------------------------------------------------ udp.c, raw_input.c */
const struct port_table *udp_ports(void); /* LOCK_NET */
/* Port 0: any. -EADDRINUSE and the like. */
int udp_bind_locked(struct datagram_socket *d, const struct net_ip *ip, uint16_t port) must_check;
/* Calls fn for each raw and each ping socket. */
void raw_each_locked(void (*fn)(const struct datagram_socket *d, bool ping, void *arg), void *arg);

/* ------------------------------------------------------------------ udp_send.c */
struct pending_datagram;
long udp_send_to(struct socket *s, struct socket_message *m, bool nonblock) must_check;
/* Off: what waits is sent. 0. */
int udp_set_cork_locked(struct datagram_socket *d, bool corked) must_check;
void udp_drop_pending_locked(struct datagram_socket *d);

/* ------------------------------------------------------------------ datagram_send.c */
/* Where a message goes and how: fills in o. -ENETUNREACH and the like, -EACCES, -EINVAL. */
int datagram_route_locked(struct datagram_socket *d, const struct socket_message *m,
	const struct net_ip *dest, struct ip_output *o) must_check;
/* The packet, IP header excluded, may go as the socket's MTU options say: sets o's DF.
 * -EMSGSIZE, noted in the queue of errors. */
int datagram_fit_locked(struct datagram_socket *d, struct ip_output *o, uint16_t port,
	uint32_t bytes) must_check;
/* Connects and disconnects: source and peer of what follows. */
int datagram_connect_locked(struct datagram_socket *d, const struct net_ip *remote_ip,
	struct net_ip *source) must_check;

/* ------------------------------------------------------------------ datagram_option.c */
int datagram_set_option_locked(struct socket *s, enum socket_option o, int64_t value) must_check;
int datagram_get_option_locked(struct socket *s, enum socket_option o, int64_t *value) must_check;
int datagram_change_group_locked(struct socket *s, const struct socket_group *g) must_check;

/* ------------------------------------------------------------------ multicast.c */
/* Whether what came for that group by that interface is for this socket. */
bool multicast_wants_locked(const struct datagram_socket *d, const struct ip_packet *in);
int multicast_join_locked(struct datagram_socket *d, const struct socket_group *g) must_check;
/* Adds or takes away one source of a group. */
int multicast_change_source_locked(struct datagram_socket *d,
	const struct socket_group *g) must_check;
int multicast_leave_locked(struct datagram_socket *d, const struct socket_group *g) must_check;
void multicast_leave_all_locked(struct datagram_socket *d);
int multicast_set_interface_locked(struct datagram_socket *d,
	const struct socket_group *g) must_check;
