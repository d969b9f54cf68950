/*
 * neighbour.c: packets whose neighbour never answered.
 *
 * What:       lwIP finds out in its seconds, which may be counted while a connection sends, and its
 *             senders must not be told then: telling may end the connection. So the packets wait
 *             here for the timer.
 * Invariants: (1) bounded: further packets than the bound are dropped silently, as they were lost
 *             anyway.
 * Locking:    LOCK_NET.
 * Failure:    none.
 * Source:     Linux net/ipv4/arp.c (arp_error_report), net/ipv6/ndisc.c (ndisc_error_report).
 */
#include "base/units.h"
#include "kernel/stats.h"
#include "net/ip_packet.h"
#include "net/lwip_port/hooks.h"
#include "net/net_priv.h"

#define FAILED_MAX 64u

static struct {
	struct pbuf *failed[FAILED_MAX]; /* [n] a reference to each */
	uint32_t count; /* [n] */
} neighbours;

void net_lwip_neighbour_failed(struct pbuf *p)
{
	if (neighbours.count == FAILED_MAX)
		return; /* (1) */
	pbuf_ref(p);
	neighbours.failed[neighbours.count++] = p;
}

uint64_t neighbour_next_ns_locked(void)
{
	return neighbours.count == 0 ? TIME_NEVER_NS : net_now_ns();
}

void neighbour_tick_locked(void)
{
	struct pbuf *p;

	while (neighbours.count != 0) {
		p = neighbours.failed[--neighbours.count];
		stat_inc(STAT_net_neighbours_failed);
		icmp_error_unreachable_locked(p, netif_get_index(&device_first()->netif));
		pbuf_free(p);
	}
}
