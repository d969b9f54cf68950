/*
 * filter.h: the packet filters that programs attach to sockets (SO_ATTACH_FILTER).
 *
 * _locked: LOCK_NET held. Nothing sleeps.
 */
#pragma once

#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/prot/ethernet.h>

#include "base/types.h"
#include "net/ip_packet.h"

#define HARDWARE_ETHERNET 1u /* ARPHRD_* */
#define HARDWARE_LOOPBACK 772u

struct socket;

/* A frame as AF_PACKET's sockets see it: h, and what of p lies behind payload_at. */
struct filter_frame {
	const struct netif *netif;
	const struct eth_hdr *h;
	const struct pbuf *p;
	uint32_t payload_at;
	uint16_t hardware;
	uint8_t kind; /* PACKET_HOST … PACKET_OUTGOING */
};

/* Whether a socket's filter wants a packet. bytes: what the filter sees, its last ones; then how
 * many of these to keep, from the first one on. A socket without filter keeps all. */
bool filter_wants_frame_locked(const struct socket *s, const struct filter_frame *f,
	uint32_t *bytes);
/* p: the packet from IP's header on. */
bool filter_wants_packet_locked(const struct socket *s, const struct ip_packet *in,
	const struct pbuf *p, uint32_t *bytes);
/* A socket goes, and its filter with it. */
void filter_free(struct socket *s);
