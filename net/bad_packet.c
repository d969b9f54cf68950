/*
 * bad_packet.c: packets that are wrong: counted, and told of once in a while.
 *
 * What:       whoever drops a packet because of what is in it says so here. Whatever comes from the
 *             wire, the log gets a line a minute at most.
 * Invariants: none.
 * Locking:    LOCK_NET.
 * Failure:    none.
 * Source:     none.
 */
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/stats.h"
#include "net/net_priv.h"

#define TELL_NS (60 * NS_PER_S)

static struct {
	uint64_t tell_ns; /* [n] not before */
} bad_packets;

void bad_packet_count_locked(const char *why)
{
	net_assert_locked();
	stat_inc(STAT_net_rx_bad);
	stat_inc(STAT_net_rx_dropped);
	if (net_now_ns() < bad_packets.tell_ns)
		return;
	bad_packets.tell_ns = net_now_ns() + TELL_NS;
	log_warn("net: a bad packet was dropped: %s (%lu so far)", why, stat_sum(STAT_net_rx_bad));
}
