/*
 * tcp_table.h: lwIP's connection lists in buckets, and TCP's time, which runs only where it must.
 *
 * lwIP walks tcp_active_pcbs and tcp_tw_pcbs for each packet and each tick. Here these two lists
 * are those of one bucket of a hash table at a time: select the bucket before anything that looks
 * at or changes them. All functions: LOCK_NET held.
 */
#pragma once

#include <lwip/tcp.h>

#include "base/types.h"
#include "net/ip.h"

void tcp_table_init_locked(uint64_t now_ns);
/* Ports in host byte order. Also notes that something there may have become pending. */
void tcp_table_select_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port);
void tcp_table_select_pcb_locked(const struct tcp_pcb *pcb);
/* A SYN for a connection that waits out its TIME_WAIT in the selected bucket, newer than it: the
 * old one makes room. */
void tcp_table_reuse_time_wait_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, uint32_t seq);
/* A listener goes: no half-open connection may refer to it. */
void tcp_table_forget_listener_locked(const struct tcp_pcb_listen *listener);
/* The connection with this four-tuple, TIME_WAIT aside; NULL: none. Selects its bucket. */
struct tcp_pcb *tcp_table_find_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port);

#define TCP_TABLE_BUCKETS 1024u
/* Calls fn for each connection of a bucket, TIME_WAIT ones too, without selecting it. fn changes
 * nothing. */
void tcp_table_each_locked(uint32_t bucket, void (*fn)(const struct tcp_pcb *pcb, void *arg),
	void *arg);

/* ---- time */
void tcp_table_sync_locked(uint64_t now_ns); /* sets lwIP's clock; at each entry */
void tcp_table_settle_locked(void); /* looks at what the touched buckets now need; at each exit */
uint64_t tcp_table_next_ns_locked(void); /* TIME_NEVER_NS: nothing is pending */
void tcp_table_tick_locked(uint64_t now_ns);
