/*
 * net_priv.h: what the files of this folder share: the lock, interfaces, time.
 *
 * LOCK_NET guards lwIP and every socket: "locked" below means that it is held. Functions that end
 * in _locked want it held; the others do not, and none touches program memory under it.
 */
#pragma once

#include <lwip/err.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "base/compiler.h"
#include "base/types.h"
#include "kernel/dev/netdev.h"
#include "kernel/sched/waitq.h"
#include "net/interface.h"

struct uio;

/* ------------------------------------------------------------------ net.c */
void net_lock(void);
/* Delivers looped packets, arms the timer, kicks devices; then unlocks and does what waited. */
void net_unlock(void);
/* Unlocks in the middle of a burst: net_unlock follows at its end. */
void net_unlock_batch(void);
void net_assert_locked(void);
/* Sleeps once on q, as waitq_wait. First delivers what is looped: then it returns 0 at once,
 * because the condition may have changed. */
int net_wait_locked(struct waitq *q, uint64_t deadline_ns, unsigned flags) must_check;
uint64_t net_now_ns(void); /* locked: the time of the lock's entry or later */
/* lwIP's err_t as -errno. */
int net_errno(int lwip_error);
/* What the program sends, copied behind room for the headers of that layer; without the lock.
 * -EMSGSIZE when it has more than bytes_max, -ENOBUFS, -EFAULT. */
int net_take_payload(struct uio *data, pbuf_layer layer, uint32_t bytes_max,
	struct pbuf **out) must_check;

/* ------------------------------------------------------------------ loopback.c */
void loopback_init_locked(void);
struct netif *loopback_netif(void);
struct interface_counters loopback_counters_locked(void);
/* Feeds queued packets back until none is left, or many were fed. True: there was one. */
bool loopback_drain_locked(void);
uint64_t loopback_next_ns_locked(void); /* now, when some are left */
/* Brings a copy of a packet back as if it had come by this interface. ERR_MEM: dropped. */
err_t loopback_queue_locked(struct netif *as, struct pbuf *p);

/* ------------------------------------------------------------------ device.c */
struct net_device {
	struct netif netif; /* [n] */
	struct netdev *dev; /* [I] */
	bool kick; /* [n] frames queued since the last flush */
	uint64_t arp_ticked_ns; /* [n] up to here etharp's seconds were counted */
	uint64_t arp_pending_ns; /* [n] until here an answer may be outstanding; 0: none */
	struct net_device *next; /* [I] */
};

void device_init_locked(void);
struct net_device *device_first(void); /* locked */
struct interface_counters device_counters_locked(void);
void device_flush_locked(void);
/* Time of the next ARP work; TIME_NEVER_NS: none. */
uint64_t device_next_ns_locked(void);
void device_tick_locked(uint64_t now_ns);
/* Whether a prefix or a router leads to that IPv6 address. */
bool device_has_route6_locked(struct net_device *d, const ip6_addr_t *to);

/* ------------------------------------------------------------------ bad_packet.c */
/* A packet is dropped for what is in it. */
void bad_packet_count_locked(const char *why);

/* ------------------------------------------------------------------ neighbour.c */
uint64_t neighbour_next_ns_locked(void); /* now, when somebody has to be told */
void neighbour_tick_locked(void);

/* ------------------------------------------------------------------ packet.c */
/* Shows a frame to AF_PACKET sockets; what stays here has none, and gets one without addresses. */
void packet_see_frame_locked(const struct netif *netif, const struct pbuf *p, bool outgoing);
void packet_see_looped_locked(const struct pbuf *p, bool outgoing);

/* ------------------------------------------------------------------ multicast.c */
void multicast_wake_locked(void); /* a report may be due: a query came */
uint64_t multicast_next_ns_locked(void);
void multicast_tick_locked(uint64_t now_ns);

/* ------------------------------------------------------------------ netlink_announce.c */
/* Something of that kind may have changed: tells those who want to know. */
void netlink_link_changed_locked(struct netif *netif);
void netlink_address4_changed_locked(const struct netif *netif); /* … mask or gateway */
void netlink_ip6_changed_locked(void); /* addresses, prefixes, routers */

/* ------------------------------------------------------------------ config.c */
void config_start_locked(struct net_device *d);
uint64_t config_next_ns_locked(void);
void config_tick_locked(uint64_t now_ns);
/* ------------------------------------------------------------------ config6.c */
void config6_start_locked(struct net_device *d);
/* Something of IPv6's is going on: seconds are counted again. Before lwIP looks at its tables. */
void config6_wake_locked(void);
/* Counts the seconds for somebody who only looks at lwIP's tables: begins nothing. */
void config6_catch_up_locked(void);
/* A router's advertisement comes: soon after lwIP has read it, what it changed is told. */
void config6_router_spoke_locked(void);
void config6_link_changed_locked(void);
const ip6_addr_t *config6_gateway(void); /* from the options; NULL: none */
uint64_t config6_next_ns_locked(void);
void config6_tick_locked(uint64_t now_ns);
void config_set_dns_locked(unsigned index, uint32_t ip);

/* ------------------------------------------------------------------ ip_guard.c */
uint64_t ip_guard_next_ns_locked(void);
void ip_guard_tick_locked(uint64_t now_ns);
int ip_guard_input_locked(struct pbuf *p); /* 1: dropped and freed */
int ip_guard_input6_locked(struct pbuf *p);

/* ------------------------------------------------------------------ net/proc.c */
void net_proc_init(void); /* boot, without the lock */
