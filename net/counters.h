/*
 * counters.h: what the protocols have done, as /proc/net/snmp and its kin tell it.
 *
 * All under LOCK_NET: who reads copies what it wants, and prints without the lock. What lwIP counts
 * rightly is in net_lwip_counters and not here. [0] is IPv4's, [1] IPv6's.
 */
#pragma once

#include <lwip/pbuf.h>

#include "base/types.h"
#include "net/ip_packet.h"
#include "net/lwip_port/counters.h"

struct ip_traffic {
	uint64_t packets, octets, group_packets, group_octets, broadcast_packets, broadcast_octets;
};

struct ip_counters {
	struct ip_traffic in, out;
	uint64_t delivered, header_errors, out_discards, no_routes, reassembly_timeouts;
};

struct icmp_counters {
	uint64_t in, in_errors, out;
	uint64_t in_of_type[256], out_of_type[256];
};

/* received: read by the program, as Linux counts. */
struct udp_counters {
	uint64_t received, sent, no_ports, buffer_errors, checksum_errors, memory_errors,
		ignored_groups, in_errors;
};

struct tcp_counters {
	uint64_t accepted, failed_attempts, resets, bad_headers, repeated, repeated_syns,
		keepalives;
	uint64_t time_waits_ended, time_waits_cut; /* cut: too many of them */
	uint64_t listen_overflows, cookies_sent, cookies_redeemed, cookies_failed;
	uint64_t far_segments; /* IP_MINTTL */
	uint64_t aborts_on_data, aborts_on_close, aborts_on_timeout;
};

struct net_counters {
	struct ip_counters ip[2];
	struct icmp_counters icmp[2];
	struct udp_counters udp[2];
	struct tcp_counters tcp;
};

extern struct net_counters net_counters; /* [n] */

/* p begins with its IP header: before anybody has looked at it; and as it leaves. */
void counters_see_in_locked(const struct pbuf *p);
void counters_see_out_locked(const struct pbuf *p);
/* A packet for us, whole. shown: a raw socket got it. */
void counters_see_delivered_locked(const struct ip_packet *in, bool shown);
/* A good ICMP message for us. */
void counters_see_icmp_locked(const struct ip_packet *in);
/* A segment leaves. NULL: it is no connection's. */
struct tcp_pcb;
struct tcp_hdr;
void counters_see_tcp_out_locked(const struct pbuf *p, const struct tcp_hdr *header,
	const struct tcp_pcb *pcb);
/* A connection ends, in the state that it has: more than once is harmless, as lwIP changes that.
 * NULL: it has been seen. */
void counters_see_tcp_end_locked(const struct tcp_pcb *pcb);
void counters_see_tcp_abort_locked(const struct tcp_pcb *pcb, bool unread); /* … by its close */
