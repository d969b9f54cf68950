/*
 * tcp_mtu.c: TCP segments that fit the path.
 *
 * What:       a connection's segments start as large as both ends' interfaces allow, or as a router
 *             said of that destination before. When one is refused on its way as too large, all
 *             that was not acknowledged is cut again and sent again; no congestion is read from
 *             that.
 * Invariants: (1) only a message about bytes that are on their way is believed. (2) segments never
 *             shrink below what PATH_MTU_MIN (net/ip_output.c) or IPv6 guarantees.
 * Locking:    LOCK_NET.
 * Failure:    no memory for smaller segments: the timeout tries again.
 *             CAVEAT: a connection's segments never grow again.
 * Source:     RFC 1191, RFC 8201; Linux tcp_v4_mtu_reduced, tcp_simple_retransmit.
 */
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>

#include "base/units.h"
#include "net/address.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"
#include "net/tcp_socket_priv.h"
#include "net/tcp_table.h"

#define PATH_MTU_MIN4 552u
#define PATH_MTU_MIN6 1280u

/* Largest segment that fits packets of mtu bytes. */
static uint16_t mss_of(const struct net_ip *remote_ip, uint32_t mtu)
{
	bool v4 = net_ip_is_v4(remote_ip);

	mtu = MAX(mtu, v4 ? PATH_MTU_MIN4 : PATH_MTU_MIN6); /* (2) */
	return (uint16_t)(mtu - TCP_HLEN - (v4 ? IP_HLEN : IP6_HLEN));
}

void tcp_mtu_attach_locked(struct tcp_pcb *pcb)
{
	struct net_ip remote_ip = net_ip_of_lwip(&pcb->remote_ip);
	struct netif *netif = ip_route(&pcb->local_ip, &pcb->remote_ip);

	if (netif != NULL)
		pcb->mss = MIN(pcb->mss, mss_of(&remote_ip, ip_path_mtu_locked(&remote_ip, netif)));
}

void tcp_path_mtu_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, uint32_t seq, uint32_t mtu)
{
	struct tcp_pcb *pcb = tcp_table_find_locked(local_ip, local_port, remote_ip, remote_port);
	uint16_t mss = mss_of(remote_ip, mtu);

	if (pcb == NULL || TCP_SEQ_LT(seq, pcb->lastack) || TCP_SEQ_GEQ(seq, pcb->snd_nxt) ||
		mss >= pcb->mss) /* (1) */
		return;
	pcb->mss = mss;
	pcb->rtime = 0;
	if (tcp_rexmit_rto_prepare(pcb) == ERR_OK)
		tcp_output(pcb);
}
