/*
 * ip_guard.c: packets before lwIP sees them: what it would mishandle, what it ignores.
 *
 * What:       TCP headers are checked for options that lwIP 2.1.3 would read past, and the bucket
 *             of their connection is selected; ICMP errors are told to the sockets that they are
 *             about, which lwIP does not do; fragments start the clock of reassembly.
 * Invariants: (1) every TCP segment that reaches tcp_input has its whole header in the first pbuf,
 *             well-formed options, an MSS of at least 48 and only in a SYN. (2) The second's tick
 *             of reassembly runs only while a fragment may be waiting.
 * Locking:    LOCK_NET.
 * Failure:    bad packets are dropped and counted (net_rx_dropped).
 * Source:     RFC 9293 3.2 (options), RFC 792, Linux net/ipv4/icmp.c (icmp_err_convert).
 */
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/ip4_frag.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/raw.h>

#include "base/errno.h"
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/stats.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"
#include "net/tcp_table.h"

#define REASSEMBLY_TICK_NS (IP_TMR_INTERVAL * NS_PER_MS)
#define REASSEMBLY_TICKS (IP_REASS_MAXAGE + 1)
#define MSS_MIN 48u
#define OPTION_MSS 2u

static struct {
	uint64_t tick_ns; /* next reassembly tick */
	uint32_t ticks_left; /* 0: none needed */
} guard;

static int drop(struct pbuf *p)
{
	stat_inc(STAT_net_rx_dropped);
	pbuf_free(p);
	return 1;
}

int ip_guard_input_locked(struct pbuf *p)
{
	const struct ip_hdr *ip = p->payload;

	if (p->len < IP_HLEN)
		return drop(p);
	if ((IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0) {
		if (guard.ticks_left == 0)
			guard.tick_ns = net_now_ns() + REASSEMBLY_TICK_NS;
		guard.ticks_left = REASSEMBLY_TICKS;
	}
	return 0;
}

uint64_t ip_guard_next_ns_locked(void)
{
	return guard.ticks_left == 0 ? TIME_NEVER_NS : guard.tick_ns;
}

void ip_guard_tick_locked(uint64_t now_ns)
{
	while (guard.ticks_left != 0 && guard.tick_ns <= now_ns) {
		ip_reass_tmr();
		guard.ticks_left--;
		guard.tick_ns += REASSEMBLY_TICK_NS;
	}
}

/* ------------------------------------------------------------------ TCP */
static bool are_options_good(const uint8_t *option, uint32_t bytes, bool syn)
{
	uint32_t i = 0, length;

	while (i < bytes && option[i] != 0) {
		if (option[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= bytes)
			return false;
		length = option[i + 1];
		if (length < 2 || i + length > bytes)
			return false;
		if (option[i] == OPTION_MSS &&
			(!syn || length != 4 ||
				(uint32_t)(option[i + 2] << 8 | option[i + 3]) < MSS_MIN))
			return false;
		i += length;
	}
	return true;
}

static uint8_t see_tcp(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *source)
{
	const struct ip_hdr *ip = p->payload;
	uint32_t ip_bytes = IPH_HL_BYTES(ip), tcp_bytes;
	const struct tcp_hdr *tcp;
	uint8_t flags;

	(void)arg;
	(void)pcb;
	(void)source;
	if (p->len < ip_bytes + TCP_HLEN)
		return (uint8_t)drop(p);
	tcp = (const struct tcp_hdr *)(const void *)((const char *)p->payload + ip_bytes);
	tcp_bytes = TCPH_HDRLEN_BYTES(tcp);
	flags = TCPH_FLAGS(tcp);
	if (tcp_bytes < TCP_HLEN || p->len < ip_bytes + tcp_bytes ||
		!are_options_good((const uint8_t *)(tcp + 1), tcp_bytes - TCP_HLEN,
			(flags & TCP_SYN) != 0) ||
		((flags & TCP_SYN) != 0 && (flags & (TCP_FIN | TCP_RST)) != 0))
		return (uint8_t)drop(p);
	tcp_table_select_locked(ip->dest.addr, lwip_ntohs(tcp->dest), ip->src.addr,
		lwip_ntohs(tcp->src));
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		tcp_table_reuse_time_wait_locked(ip->dest.addr, lwip_ntohs(tcp->dest), ip->src.addr,
			lwip_ntohs(tcp->src), lwip_ntohl(tcp->seqno));
	return 0;
}

/* ------------------------------------------------------------------ ICMP errors */
/* -errno for "destination unreachable"; 0: not told. */
static int unreachable_errno(uint8_t code)
{
	switch (code) {
	case ICMP_DUR_NET:
		return -ENETUNREACH;
	case ICMP_DUR_PROTO:
		return -ENOPROTOOPT;
	case ICMP_DUR_PORT:
		return -ECONNREFUSED;
	case ICMP_DUR_FRAG:
		return 0; /* CAVEAT: no path MTU discovery */
	default:
		return code <= 15 ? -EHOSTUNREACH : 0;
	}
}

static void tell_sockets(const uint8_t *icmp, uint32_t bytes)
{
	const struct ip_hdr *inner = (const struct ip_hdr *)(const void *)(icmp + 8);
	uint32_t inner_bytes;
	uint16_t ports[2];
	uint32_t seq;
	int error;

	if (bytes < 8 + IP_HLEN || icmp[0] != ICMP_DUR)
		return;
	inner_bytes = IPH_HL_BYTES(inner);
	error = unreachable_errno(icmp[1]);
	if (error == 0 || inner_bytes < IP_HLEN || bytes < 8 + inner_bytes + 8 ||
		!net_is_local_ip_locked(inner->src.addr))
		return;
	memcpy(ports, icmp + 8 + inner_bytes, sizeof(ports));
	memcpy(&seq, icmp + 8 + inner_bytes + 4, sizeof(seq));
	if (IPH_PROTO(inner) == IP_PROTO_UDP)
		udp_unreachable_locked(inner->src.addr, lwip_ntohs(ports[0]), inner->dest.addr,
			lwip_ntohs(ports[1]), error);
	else if (IPH_PROTO(inner) == IP_PROTO_TCP)
		tcp_unreachable_locked(inner->src.addr, lwip_ntohs(ports[0]), inner->dest.addr,
			lwip_ntohs(ports[1]), lwip_ntohl(seq), error);
}

static uint8_t see_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *source)
{
	const struct ip_hdr *ip = p->payload;
	uint16_t ip_bytes = IPH_HL_BYTES(ip);
	bool good;

	(void)arg;
	(void)pcb;
	(void)source;
	if (p->len <= ip_bytes)
		return 0;
	pbuf_remove_header(p, ip_bytes);
	good = ip_current_input_netif() == loopback_netif() || inet_chksum_pbuf(p) == 0;
	if (good)
		tell_sockets(p->payload, p->len);
	pbuf_add_header_force(p, ip_bytes);
	return 0;
}

void ip_guard_init_locked(void)
{
	struct raw_pcb *tcp = raw_new(IP_PROTO_TCP), *icmp = raw_new(IP_PROTO_ICMP);

	if (tcp == NULL || icmp == NULL) {
		log_error("net: no memory for the packet guards");
		return;
	}
	raw_recv(tcp, see_tcp, NULL);
	raw_recv(icmp, see_icmp, NULL);
}
