/*
 * ip_guard.c: packets before lwIP sees them: what it would mishandle.
 *
 * What:       TCP headers are checked for options that lwIP 2.1.3 would read past, and the bucket
 *             of their connection is selected; fragments start the clock of reassembly.
 * Invariants: (1) every TCP segment that reaches tcp_input has its whole header in the first pbuf,
 *             well-formed options, an MSS of at least 48 and only in a SYN. (2) The second's tick
 *             of reassembly runs only while a fragment may be waiting.
 * Locking:    LOCK_NET.
 * Failure:    bad packets are dropped and counted (net_rx_bad).
 * Source:     RFC 9293 3.2 (options), RFC 8200 4.5; lwIP 2.1.3 ip4_frag.c, ip6_frag.c.
 */
#include <lwip/ip.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>

#include "base/assert.h"
#include "base/units.h"
#include "net/counters.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"
#include "net/tcp_cookie.h"
#include "net/tcp_recovery.h"
#include "net/tcp_table.h"

#define REASSEMBLY_TICK_NS (IP_TMR_INTERVAL * NS_PER_MS)
#define REASSEMBLY_TICKS (MAX(IP_REASS_MAXAGE, IPV6_REASS_MAXAGE) + 1)

STATIC_ASSERT(IP_TMR_INTERVAL == IP6_REASS_TMR_INTERVAL, "one clock for both families");

#define MSS_MIN 48u
#define OPTION_MSS 2u

static struct {
	uint64_t tick_ns; /* next reassembly tick */
	uint32_t ticks_left; /* 0: none needed */
} guard;

static bool drop(struct pbuf *p, const char *why)
{
	bad_packet_count_locked(why);
	pbuf_free(p);
	return true;
}

static void start_reassembly_clock(void)
{
	if (guard.ticks_left == 0)
		guard.tick_ns = net_now_ns() + REASSEMBLY_TICK_NS;
	guard.ticks_left = REASSEMBLY_TICKS;
}

int ip_guard_input_locked(struct pbuf *p)
{
	const struct ip_hdr *ip = p->payload;

	counters_see_in_locked(p);
	if (p->len < IP_HLEN) {
		net_counters.ip[0].header_errors++;
		return drop(p, "IP header");
	}
	if ((IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0)
		start_reassembly_clock();
	return 0;
}

/* lwIP itself tests the length; a fragment header may be anywhere among the extensions. */
int ip_guard_input6_locked(struct pbuf *p)
{
	const struct ip6_hdr *ip = p->payload;

	counters_see_in_locked(p);
	if (p->len < IP6_HLEN) {
		net_counters.ip[1].header_errors++;
		return drop(p, "IPv6 header");
	}
	if (IP6H_NEXTH(ip) != IP_PROTO_TCP && IP6H_NEXTH(ip) != IP_PROTO_UDP &&
		IP6H_NEXTH(ip) != IP6_NEXTH_ICMP6)
		start_reassembly_clock();
	return 0;
}

uint64_t ip_guard_next_ns_locked(void)
{
	return guard.ticks_left == 0 ? TIME_NEVER_NS : guard.tick_ns;
}

void ip_guard_tick_locked(uint64_t now_ns)
{
	uint64_t failed;

	while (guard.ticks_left != 0 && guard.tick_ns <= now_ns) {
		failed = net_lwip_counters.mib2.ipreasmfails;
		ip_reass_tmr();
		net_counters.ip[0].reassembly_timeouts += net_lwip_counters.mib2.ipreasmfails -
			failed;
		ip6_reass_tmr();
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

static bool drop_tcp(struct pbuf *p, const char *why)
{
	net_counters.tcp.bad_headers++;
	return drop(p, why);
}

bool ip_guard_tcp_locked(struct ip_packet *in)
{
	const struct tcp_hdr *tcp =
		(const struct tcp_hdr *)(const void *)((const char *)in->p->payload +
			in->header_bytes);
	uint32_t tcp_bytes;
	uint8_t flags;

	if (in->p->len < in->header_bytes + TCP_HLEN)
		return drop_tcp(in->p, "TCP header cut off");
	tcp_bytes = TCPH_HDRLEN_BYTES(tcp);
	flags = TCPH_FLAGS(tcp);
	if (tcp_bytes < TCP_HLEN || in->p->len < in->header_bytes + tcp_bytes ||
		!are_options_good((const uint8_t *)(tcp + 1), tcp_bytes - TCP_HLEN,
			(flags & TCP_SYN) != 0) ||
		((flags & TCP_SYN) != 0 && (flags & (TCP_FIN | TCP_RST)) != 0))
		return drop_tcp(in->p, "TCP header or options");
	tcp_recovery_see_options_locked((const uint8_t *)(tcp + 1), tcp_bytes - TCP_HLEN);
	tcp_table_select_locked(&in->dest, lwip_ntohs(tcp->dest), &in->source,
		lwip_ntohs(tcp->src));
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		tcp_table_reuse_time_wait_locked(&in->dest, lwip_ntohs(tcp->dest), &in->source,
			lwip_ntohs(tcp->src), lwip_ntohl(tcp->seqno));
	return tcp_cookie_input_locked(in);
}
