/*
 * hooks.h: where lwIP asks us (LWIP_HOOK_FILENAME). Defined in net/lwip_port.c.
 */
#pragma once

#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

/* RFC 6528: a keyed hash of the four-tuple plus a clock of 4 µs. */
uint32_t net_lwip_tcp_isn(const ip_addr_t *local_ip, uint16_t local_port,
	const ip_addr_t *remote_ip, uint16_t remote_port);
/* The loopback for every address of our own; NULL: lwIP decides. */
struct netif *net_lwip_route(const ip4_addr_t *src, const ip4_addr_t *dest);
struct netif *net_lwip_route6(const ip6_addr_t *src, const ip6_addr_t *dest);
const ip6_addr_t *net_lwip_gateway6(struct netif *netif, const ip6_addr_t *dest);
/* Sees every packet first; 1: taken (and freed). */
int net_lwip_ip4_input(struct pbuf *p, struct netif *inp);
int net_lwip_ip6_input(struct pbuf *p, struct netif *inp);
/* The packet waited for a neighbour that never answered. Called in the middle of anything: only
 * remembers it. net/neighbour.c. */
void net_lwip_neighbour_failed(struct pbuf *p);
/* An acknowledgement was taken: it repeats the last one, or it acknowledges something new, or
 * neither. net/tcp_recovery.c. */
struct tcp_pcb;
void net_lwip_tcp_ack(struct tcp_pcb *pcb, int is_duplicate, int is_progress);
/* Whether a segment that is ready is held back, as it may still grow. net/tcp_deadline.c. */
struct tcp_seg;
int net_lwip_tcp_hold(struct tcp_pcb *pcb, const struct tcp_seg *seg);
/* The segment of the packet at hand is for pcb, a listener's perhaps: ERR_OK, or it is dropped. p
 * begins with its data. net/tcp.c. */
struct tcp_hdr;
err_t net_lwip_tcp_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *header,
	const struct pbuf *p);
/* Where options could be added: a segment leaves. NULL: it is nobody's. Returns options.
 * net/tcp.c. */
uint32_t *net_lwip_tcp_out(const struct pbuf *p, struct tcp_hdr *header, const struct tcp_pcb *pcb,
	uint32_t *options);
