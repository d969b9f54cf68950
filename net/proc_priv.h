/*
 * proc_priv.h: the files of /proc/net, each group in its proc_*.c; proc.c has the table of all.
 *
 * All are generators of fs/proc.h: no lock held, may sleep. What is a list of anything is gathered
 * in batches under LOCK_NET, and printed without it.
 */
#pragma once

#include "fs/proc.h"

/* proc_snmp.c */
void net_proc_make_snmp(struct proc_text *t);
void net_proc_make_snmp6(struct proc_text *t);
void net_proc_make_netstat(struct proc_text *t);

/* proc_tcp.c */
void net_proc_make_tcp(struct proc_text *t);
void net_proc_make_tcp6(struct proc_text *t);
struct net_proc_tcp_counts {
	uint64_t established; /* … or half-closed by the peer */
	uint64_t time_wait, orphans; /* orphans: without a descriptor */
	uint64_t in_use[2]; /* by family; without half-open ones and TIME_WAIT */
	uint64_t buffered_bytes;
};
void net_proc_count_tcp(struct net_proc_tcp_counts *c);

/* proc_datagram.c */
void net_proc_make_udp(struct proc_text *t);
void net_proc_make_udp6(struct proc_text *t);
void net_proc_make_raw(struct proc_text *t);
void net_proc_make_raw6(struct proc_text *t);
void net_proc_make_icmp(struct proc_text *t);
void net_proc_make_icmp6(struct proc_text *t);
void net_proc_make_sockstat(struct proc_text *t);
void net_proc_make_sockstat6(struct proc_text *t);

/* proc_other.c: the other sockets */
void net_proc_make_unix(struct proc_text *t);
void net_proc_make_packet(struct proc_text *t);
void net_proc_make_netlink(struct proc_text *t);

/* proc_route.c: interfaces, addresses, routes, neighbours, groups */
void net_proc_make_dev(struct proc_text *t);
void net_proc_make_softnet_stat(struct proc_text *t);
void net_proc_make_dev_mcast(struct proc_text *t);
void net_proc_make_arp(struct proc_text *t);
void net_proc_make_route(struct proc_text *t);
void net_proc_make_ipv6_route(struct proc_text *t);
void net_proc_make_if_inet6(struct proc_text *t);
void net_proc_make_igmp(struct proc_text *t);
void net_proc_make_igmp6(struct proc_text *t);

void net_sys_init(void); /* sys_class.c; boot, without the lock */
