/*
 * ip_output.c: one packet of a datagram or raw socket on its way out.
 *
 * What:       headers are made here, because lwIP knows neither "don't fragment" nor what a socket
 *             wants for one packet. What routers say of a path's MTU is kept in a small
 *             table for IPv4, and by lwIP's destination cache for IPv6.
 * Invariants: (1) a packet with dont_fragment set leaves with DF and whole, or not at all. (2) the
 *             table is bounded: a new path takes the place of the oldest.
 * Locking:    LOCK_NET.
 * Failure:    -EMSGSIZE by (1), -ENETUNREACH; what is lost for want of memory or room is no error.
 * Source:     RFC 791, RFC 1191 6.3 (ten minutes), RFC 6864 (identification); Linux
 *             net/ipv4/ip_output.c (ip_mc_output, __ip_make_skb).
 */
#include <lwip/igmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/ip4.h>
#include <lwip/ip6.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>

#include "base/errno.h"
#include "base/units.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"

#define PATHS 64u
#define PATH_LIFE_NS (600 * NS_PER_S)
#define PATH_MTU_MIN 552u /* Linux's ip_rt_min_pmtu: nobody can make us send tiny pieces */

struct path {
	uint32_t ip; /* 0: unused */
	uint32_t mtu;
	uint64_t until_ns;
};

static struct {
	struct path paths[PATHS]; /* [n] */
	uint32_t next; /* [n] takes the next new path */
	uint16_t id; /* [n] */
} output;

/* ------------------------------------------------------------------ path MTU */
static struct path *find_path(uint32_t ip)
{
	uint32_t i;

	for (i = 0; i < PATHS; i++)
		if (output.paths[i].ip == ip && output.paths[i].until_ns > net_now_ns())
			return &output.paths[i];
	return NULL;
}

void ip_note_path_mtu_locked(const struct net_ip *dest, uint32_t mtu)
{
	struct path *p;

	if (!net_ip_is_v4(dest) || net_ip_v4(dest) == 0)
		return; /* lwIP notes IPv6's */
	p = find_path(net_ip_v4(dest));
	if (p == NULL)
		p = &output.paths[output.next++ % PATHS];
	else if (mtu >= p->mtu)
		return;
	p->ip = net_ip_v4(dest);
	p->mtu = MAX(mtu, PATH_MTU_MIN);
	p->until_ns = net_now_ns() + PATH_LIFE_NS;
}

uint32_t ip_path_mtu_locked(const struct net_ip *dest, const struct netif *netif)
{
	const struct path *p;
	ip_addr_t to;

	if (net_ip_is_v4(dest)) {
		p = output.next == 0 ? NULL : find_path(net_ip_v4(dest));
		return p != NULL ? MIN(p->mtu, (uint32_t)netif->mtu) : netif->mtu;
	}
	net_ip_to_lwip(dest, &to);
	return nd6_get_destination_mtu(ip_2_ip6(&to), (struct netif *)(uintptr_t)netif);
}

/* ------------------------------------------------------------------ sending */
static int make_header4(const struct ip_output *o, struct pbuf *p)
{
	struct ip_hdr *ip;

	if (pbuf_add_header(p, IP_HLEN) != 0)
		return -EMSGSIZE;
	ip = p->payload;
	IPH_VHL_SET(ip, 4, IP_HLEN / 4);
	IPH_TOS_SET(ip, o->tos);
	IPH_LEN_SET(ip, lwip_htons(p->tot_len));
	IPH_ID_SET(ip, o->dont_fragment ? 0 : lwip_htons(++output.id));
	IPH_OFFSET_SET(ip, o->dont_fragment ? PP_HTONS(IP_DF) : 0);
	IPH_TTL_SET(ip, o->ttl);
	IPH_PROTO_SET(ip, o->protocol);
	IPH_CHKSUM_SET(ip, 0);
	ip->src.addr = net_ip_v4(&o->source);
	ip->dest.addr = net_ip_v4(&o->dest);
	if ((o->netif->chksum_flags & NETIF_CHECKSUM_GEN_IP) != 0)
		IPH_CHKSUM_SET(ip, inet_chksum(ip, IP_HLEN));
	return 0;
}

static bool has_group(const struct ip_output *o, const ip_addr_t *group)
{
	return IP_IS_V6(group) ? mld6_lookfor_group(o->netif, ip_2_ip6(group)) != NULL
			       : igmp_lookfor_group(o->netif, ip_2_ip4(group)) != NULL;
}

/* p starts at the header. The loopback itself brings everything back once. */
static void loop_copy(const struct ip_output *o, const ip_addr_t *to, struct pbuf *p)
{
	if (!o->loop || o->netif == loopback_netif())
		return;
	if (net_ip_is_multicast(&o->dest) ? has_group(o, to) : net_is_broadcast_locked(&o->dest))
		(void)loopback_queue_locked(o->netif, p);
}

/* To a group, no farther than this machine. */
static bool stays_here(const struct ip_output *o)
{
	return net_ip_is_multicast(&o->dest) && o->ttl == 0 && o->netif != loopback_netif();
}

static int send4(const struct ip_output *o, const ip_addr_t *to, struct pbuf *p)
{
	uint32_t mtu = ip_path_mtu_locked(&o->dest, o->netif);
	uint16_t own_mtu = o->netif->mtu;
	int error = make_header4(o, p);

	if (error != 0)
		return error;
	if (o->dont_fragment && p->tot_len > own_mtu)
		return -EMSGSIZE;
	loop_copy(o, to, p);
	if (stays_here(o))
		return 0;
	/* lwIP cuts by the interface's MTU: for this packet, by the path's. */
	if (!o->dont_fragment)
		o->netif->mtu = (uint16_t)mtu;
	error = ip4_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, o->netif);
	o->netif->mtu = own_mtu;
	return error;
}

static int make_header6(const struct ip_output *o, struct pbuf *p)
{
	uint16_t bytes = p->tot_len;
	struct ip6_hdr *ip;

	if (pbuf_add_header(p, IP6_HLEN) != 0)
		return -EMSGSIZE;
	ip = p->payload;
	IP6H_VTCFL_SET(ip, 6, o->tos, 0);
	IP6H_PLEN_SET(ip, bytes);
	IP6H_NEXTH_SET(ip, o->protocol);
	IP6H_HOPLIM_SET(ip, o->ttl);
	memcpy(&ip->src, o->source.word, sizeof(ip->src));
	memcpy(&ip->dest, o->dest.word, sizeof(ip->dest));
	return 0;
}

static int send6(const struct ip_output *o, const ip_addr_t *to, struct pbuf *p)
{
	int error = make_header6(o, p);

	if (error != 0)
		return error;
	if (o->dont_fragment && p->tot_len > nd6_get_destination_mtu(ip_2_ip6(to), o->netif))
		return -EMSGSIZE;
	loop_copy(o, to, p);
	if (stays_here(o))
		return 0;
	return ip6_output_if_src(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, o->netif);
}

int ip_output_locked(const struct ip_output *o, struct pbuf *p)
{
	ip_addr_t to;
	int error;

	net_ip_to_lwip(&o->dest, &to);
	error = net_ip_is_v4(&o->dest) ? send4(o, &to, p) : send6(o, &to, p);
	if (error == ERR_OK || error == -EMSGSIZE)
		return error;
	/* A full ring, an unanswered question: datagrams may be lost, and Linux says nothing. */
	return error == ERR_MEM || error == ERR_BUF ? 0 : -ENETUNREACH;
}
