/*
 * ip_packet.h: packets of either family between lwIP's IP layer and our sockets.
 *
 * All functions: LOCK_NET held, nothing sleeps. Ports in host byte order.
 */
#pragma once

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "base/compiler.h"
#include "net/ip.h"

/* One that came in, reassembled, for us. */
struct ip_packet {
	struct pbuf *p; /* its payload starts at the IP header */
	struct netif *netif; /* by which it came */
	struct net_ip source, dest;
	uint16_t header_bytes; /* IP's header with all options and extensions, in the first pbuf */
	uint8_t protocol, ttl, tos;
};

/* One that goes out. */
struct ip_output {
	struct netif *netif;
	struct net_ip source, dest; /* of one family */
	uint8_t protocol, ttl, tos;
	bool dont_fragment; /* IPv4's DF */
	bool loop; /* what goes to a group or to everybody comes back to us, too */
};

/* ------------------------------------------------------------------ ip_output.c */
/* Puts the header before p, which stays the caller's, and sends. 0 or -errno; a packet that is
 * dropped for want of room is no error. */
int ip_output_locked(const struct ip_output *o, struct pbuf *p) must_check;
/* The largest packet, header included, that goes there whole, as far as is known. */
uint32_t ip_path_mtu_locked(const struct net_ip *dest, const struct netif *netif);
/* A router on the way to dest said so. */
void ip_note_path_mtu_locked(const struct net_ip *dest, uint32_t mtu);

/* ------------------------------------------------------------------ who sees a packet */
/* Each: true when it took the packet, and p is no longer the caller's. */
bool ip_guard_tcp_locked(struct ip_packet *in);
bool udp_input_locked(struct ip_packet *in);
/* Raw sockets get copies. True: one of them took an interest. */
bool raw_input_locked(const struct ip_packet *in);
bool nd_guard_locked(struct ip_packet *in); /* ICMPv6 */
/* A datagram that is not for a socket of ours. message_bytes: behind UDP's header. */
bool dhcp_guard_locked(struct ip_packet *in, uint16_t from_port, uint16_t to_port,
	uint32_t message_bytes);
/* A message of ICMP or ICMPv6 whose sum is wrong is dropped: then true. Counts what came. */
bool icmp_refuse_bad_locked(struct ip_packet *in);
/* ICMP's and ICMPv6's errors, told to the sockets that they are about. */
void icmp_error_input_locked(const struct ip_packet *in);
/* A packet of ours, header first, has come to no neighbour: its sender hears EHOSTUNREACH. scope:
 * the interface that it was to leave by. */
void icmp_error_unreachable_locked(const struct pbuf *p, uint32_t scope);
/* Answers an IPv4 datagram that nobody wants; lwIP would send 8 bytes of it back, Linux more. */
void icmp_refuse_port_locked(const struct ip_packet *in);

/* Linux's SO_EE_ORIGIN_*. */
enum ip_error_origin { ORIGIN_LOCAL = 1, ORIGIN_ICMP, ORIGIN_ICMP6, ORIGIN_STAMP };

/* What a router or a host said about a packet of ours; or that it has left. */
struct ip_error {
	int error; /* -errno */
	bool fatal; /* told to every connected socket, not only to those that asked for all */
	uint8_t origin; /* enum ip_error_origin */
	uint8_t type, code; /* ICMP's */
	uint32_t info; /* the path's MTU; 0 */
	uint32_t data; /* the number of what was sent */
	struct net_ip offender; /* who said it */
};

/* The packet that it is about, as much of it as came back. */
struct ip_returned {
	struct net_ip source, dest;
	uint8_t protocol;
	const uint8_t *packet, *transport; /* IP's header, and what follows it */
	uint32_t bytes; /* from transport on: 8 at least */
};

/* Tells the raw sockets that may have sent it. */
void raw_error_locked(const struct ip_returned *back, const struct ip_error *e);
/* rest: what came back of the datagram's bytes. */
void udp_error_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, const struct ip_error *e,
	const void *rest, uint32_t rest_bytes);
