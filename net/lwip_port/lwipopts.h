/*
 * lwipopts.h: lwIP 2.1.3 as gosolo wants it (names fixed by lwIP).
 *
 * No threads of its own, no timers of its own (net/net.c runs them), no pools (memory is the
 * kernel heap's), no sockets (net/socket.c). Everything runs under LOCK_NET.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0 /* the kernel's own instead */
#define LWIP_STATS_FILENAME "net/lwip_port/counters.h"
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1
#define LWIP_DISABLE_MEMP_SANITY_CHECKS 1

/* ---- memory: the kernel heap, for everything (net/lwip_port.c) */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define mem_clib_malloc net_lwip_alloc
#define mem_clib_calloc net_lwip_calloc
#define mem_clib_free net_lwip_free
void *net_lwip_alloc(size_t bytes);
void *net_lwip_calloc(size_t count, size_t bytes);
void net_lwip_free(void *p);

/* ---- protocols */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ETHERNET 1
#define LWIP_ARP 1
#define LWIP_ICMP 1
#define LWIP_IGMP 1
#define LWIP_MULTICAST_TX_OPTIONS 1 /* IGMP demands it */
#define LWIP_IPV6_MLD 1
#define LWIP_RAW 1 /* its way in is our own: net/ip_input.c */
#define LWIP_UDP 1
#define LWIP_UDPLITE 0
#define LWIP_TCP 1
#define LWIP_DNS 1 /* only its hooks: DHCP tells the servers (net/lwip_port.c) */
#define DNS_MAX_SERVERS 3
#define LWIP_DHCP 1
#define LWIP_DHCP_MAX_DNS_SERVERS 3
#define LWIP_DHCP_BOOTP_FILE 0
#define DHCP_DOES_ARP_CHECK 0 /* would delay the first packet by seconds */
#define LWIP_AUTOIP 0
#define LWIP_ACD 0

/* ---- interfaces: the loopback is our own (net/loopback.c) */
#define LWIP_HAVE_LOOPIF 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_NUM_NETIF_CLIENT_DATA 0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

/* ---- ARP and IP: everything a stranger can make us keep is bounded */
#define ARP_TABLE_SIZE 64
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 16
#define ETHARP_TRUST_IP_MAC 0
#define ETHARP_SUPPORT_VLAN 0
#define IP_FORWARD 0
#define IP_OPTIONS_ALLOWED 1
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 256
#define IP_REASS_MAXAGE 15
#define IP_FRAG 1
#define IP_DEFAULT_TTL 64
#define IP_SOF_BROADCAST 1
#define IP_SOF_BROADCAST_RECV 0
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0
/* ---- IPv6 */
#define LWIP_IPV6_SCOPES 1
#define LWIP_IPV6_NUM_ADDRESSES 8 /* of an interface; the first is link-local */
#define LWIP_IPV6_REASS 1
#define LWIP_IPV6_FRAG 1
#define IPV6_FRAG_COPYHEADER 1 /* pointers of 8 bytes do not fit over the header */
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_ADDRESS_LIFETIMES 1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 1
#define LWIP_ND6_ALLOW_RA_UPDATES 1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 0
#define LWIP_ND6_NUM_NEIGHBORS 64
#define LWIP_ND6_NUM_DESTINATIONS 64
#define LWIP_ND6_NUM_PREFIXES 8
#define LWIP_ND6_NUM_ROUTERS 4
#define LWIP_ND6_QUEUEING 1
#define LWIP_ND6_QUEUE_LEN 16 /* patches/08 */
#define LWIP_ICMP6_HL 64
#define MEMP_NUM_MLD6_GROUP 64
#define MEMP_NUM_IGMP_GROUP 64
#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1

/* ---- TCP
 * TCP_MSS is the most that any interface carries (loopback); each connection uses its own
 * interface's. Time: a fast tick is 50 ms, a slow one 100 ms; net/tcp_table.c runs them only
 * where something is pending. The smallest retransmission time is then three slow ticks, of
 * which the first may be cut short: 200 to 300 ms. */
#define TCP_MSS 16344
#define TCP_WND (416 * 1024) /* the largest; each connection has its own (patches/11) */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 2048
#define MEMP_NUM_TCP_SEG TCP_SND_QUEUELEN
#define TCP_SNDLOWAT (TCP_SND_BUF / 3)
#define TCP_OVERSIZE 0
/* A peer without window scaling sees 64 KiB at most: the threshold must be well below that. */
#define TCP_WND_UPDATE_THRESHOLD (8 * 1460)
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_OOSEQ_MAX_PBUFS 512
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define LWIP_TCP_TIMESTAMPS 0 /* lwIP would send but not use them */
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* tells when a pcb dies */
#define TCP_LISTEN_BACKLOG 0 /* ours is not limited to 255: net/tcp.c */
#define LWIP_CALLBACK_API 1
#define TCP_TMR_INTERVAL 50
#define TCP_MAXRTX 16 /* with doubling up to 120 s: gives up after 924 to 993 s; Linux: 924 s */
#define TCP_SYNMAXRTX \
	7 /* with doubling from 1 s (net/tcp_table.c): gives up after 127 s, as Linux */
#define TCP_MSL 30000ul /* TIME_WAIT lasts 60 s */
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff

#define LWIP_HOOK_FILENAME "net/lwip_port/hooks.h"
#define LWIP_HOOK_TCP_ISN net_lwip_tcp_isn
#define LWIP_HOOK_IP4_ROUTE_SRC net_lwip_route
#define LWIP_HOOK_IP6_ROUTE net_lwip_route6
#define LWIP_HOOK_ND6_GET_GW net_lwip_gateway6
#define LWIP_HOOK_IP4_INPUT net_lwip_ip4_input
#define LWIP_HOOK_IP6_INPUT net_lwip_ip6_input
#define LWIP_HOOK_TCP_ACK net_lwip_tcp_ack
#define LWIP_HOOK_NEIGHBOUR_FAILED net_lwip_neighbour_failed
#define LWIP_HOOK_TCP_HOLD net_lwip_tcp_hold
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, opt_bytes, opt1_bytes, opt2, p) \
	net_lwip_tcp_segment(pcb, header, p)
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS net_lwip_tcp_out
