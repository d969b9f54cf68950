/*
 * tcp_cookie.c: SYN cookies: connections that cost no memory until the peer has answered.
 *
 * What:       when half-open connections fill a listener's queue, a SYN is still answered, but
 *             nothing is kept of it. What has to be known later (segment size, window scale,
 *             selective acknowledgement) is part of the sequence number, sealed with a key. Who
 *             acknowledges that number is really there: his SYN is made once more from it and given
 *             to lwIP, and then the acknowledgement. (That the oldest half-open connection gave way
 *             would be simpler, but keeps others out as soon as a queue's worth of SYNs comes
 *             within a round trip: with a backlog of 5 that is no flood at all.)
 * Invariants: (1) a connection that was answered with a cookie is in lwIP only while its SYN is
 *             looked at. (2) a cookie is good for its four-tuple and the peer's sequence number,
 *             for 64 to 128 s. (3) no acknowledgement is tested when none was sent lately.
 * Locking:    LOCK_NET.
 * Failure:    no memory, or the accept queue is full: the acknowledgement is dropped, as if lost.
 * Source:     RFC 4987 3.6; Linux net/ipv4/syncookies.c and FreeBSD tcp_syncache.c for what is
 *             kept, and for how long.
 */
#include "net/tcp_cookie.h"

#include <bearssl_hash.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/tcp.h>

#include "base/units.h"
#include "kernel/entropy.h"
#include "kernel/log.h"
#include "kernel/stats.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/net_priv.h"
#include "net/tcp_table.h"

#define EPOCH_NS (64 * NS_PER_S)
#define TELL_NS (60 * NS_PER_S)
/* The byte of a cookie that is not seal: an index of segment sizes, a window scale, a flag. */
#define MSS_MASK 7u
#define SCALE_SHIFT 3u
#define SCALE_MASK 15u
#define SCALE_NONE 15u
#define SACK 0x80u
#define TERMS_MASK 0xffu
#define OPTION_BYTES 12u

static const uint16_t segment_sizes[MSS_MASK + 1] = { 48, 536, 1220, 1360, 1440, 1460, 8940,
	16344 };

static struct {
	uint8_t key[32]; /* [I] */
	uint64_t until_ns; /* [n] some cookie may come back: (3) */
	uint64_t tell_ns; /* [n] not before */
	struct tcp_pcb *offered; /* [n] (1) */
	struct tcp_pcb *redeemed; /* [n] */
	uint32_t isn; /* [n] of the cookie that came back */
	bool redeeming; /* [n] */
} cookies;

void tcp_cookie_init_locked(void)
{
	entropy_fill(cookies.key, sizeof(cookies.key));
}

/* ------------------------------------------------------------------ cookies */
struct tuple {
	uint32_t local[4], remote[4];
	uint32_t ports, seq, epoch;
};

static uint32_t seal(const struct net_ip *local, uint16_t local_port, const struct net_ip *remote,
	uint16_t remote_port, uint32_t seq, uint64_t epoch)
{
	struct tuple t = { .ports = (uint32_t)local_port << 16 | remote_port,
		.seq = seq,
		.epoch = (uint32_t)epoch };
	uint8_t digest[br_sha256_SIZE];
	br_sha256_context hash;
	uint32_t sealed;

	memcpy(t.local, local->word, sizeof(t.local));
	memcpy(t.remote, remote->word, sizeof(t.remote));
	br_sha256_init(&hash);
	br_sha256_update(&hash, cookies.key, sizeof(cookies.key));
	br_sha256_update(&hash, &t, sizeof(t));
	br_sha256_out(&hash, digest);
	memcpy(&sealed, digest, sizeof(sealed));
	return sealed;
}

static uint32_t terms_of(const struct tcp_pcb *pcb)
{
	uint32_t mss = MSS_MASK, scale = SCALE_NONE;

	while (mss > 0 && segment_sizes[mss] > pcb->mss)
		mss--;
	if ((pcb->flags & TF_WND_SCALE) != 0)
		scale = pcb->snd_scale;
	return mss | scale << SCALE_SHIFT | ((pcb->flags & TF_SACK) != 0 ? SACK : 0);
}

/* Whether it is one of ours; then what it says. */
static bool open_cookie(const struct ip_packet *in, const struct tcp_hdr *tcp, uint32_t cookie,
	uint32_t *terms)
{
	uint64_t epoch = net_now_ns() / EPOCH_NS, age;
	uint32_t difference;

	for (age = 0; age <= 1; age++) {
		difference = cookie ^
			seal(&in->dest, lwip_ntohs(tcp->dest), &in->source, lwip_ntohs(tcp->src),
				lwip_ntohl(tcp->seqno) - 1, epoch - age);
		if ((difference & ~TERMS_MASK) != 0)
			continue;
		*terms = difference;
		return true;
	}
	return false;
}

static void set_sequence(struct tcp_pcb *pcb, uint32_t isn)
{
	pcb->snd_wl2 = pcb->snd_nxt = pcb->lastack = pcb->snd_lbb = isn;
}

void tcp_cookie_offer_locked(struct tcp_pcb *pcb)
{
	struct net_ip local = net_ip_of_lwip(&pcb->local_ip);
	struct net_ip remote = net_ip_of_lwip(&pcb->remote_ip);

	net_assert_locked();
	set_sequence(pcb,
		terms_of(pcb) ^
			seal(&local, pcb->local_port, &remote, pcb->remote_port, pcb->rcv_nxt - 1,
				net_now_ns() / EPOCH_NS));
	cookies.offered = pcb;
	cookies.until_ns = net_now_ns() + 2 * EPOCH_NS;
	stat_inc(STAT_net_syn_cookies_sent);
	net_counters.tcp.cookies_sent++;
	if (net_now_ns() < cookies.tell_ns)
		return;
	cookies.tell_ns = net_now_ns() + TELL_NS;
	log_warn("net: port %u has too many half-open connections: sending SYN cookies",
		pcb->local_port);
}

bool tcp_cookie_redeem_locked(struct tcp_pcb *pcb)
{
	net_assert_locked();
	if (!cookies.redeeming)
		return false;
	set_sequence(pcb, cookies.isn);
	cookies.redeemed = pcb;
	return true;
}

/* ------------------------------------------------------------------ segments */
/* (1) */
static void take_syn(struct ip_packet *in)
{
	pbuf_remove_header(in->p, in->header_bytes);
	tcp_input(in->p, in->netif);
	if (cookies.offered != NULL)
		tcp_abandon(cookies.offered, 0);
	cookies.offered = NULL;
}

static struct pbuf *make_syn(const struct tcp_hdr *ack, uint32_t terms)
{
	uint32_t mss = segment_sizes[terms & MSS_MASK];
	uint32_t scale = terms >> SCALE_SHIFT & SCALE_MASK;
	struct pbuf *p = pbuf_alloc(PBUF_RAW, TCP_HLEN + OPTION_BYTES, PBUF_RAM);
	struct tcp_hdr *syn;
	uint8_t *option;

	if (p == NULL)
		return NULL;
	syn = p->payload;
	memcpy(syn, ack, TCP_HLEN);
	syn->seqno = lwip_htonl(lwip_ntohl(ack->seqno) - 1);
	syn->ackno = 0;
	TCPH_HDRLEN_FLAGS_SET(syn, (TCP_HLEN + OPTION_BYTES) / 4, TCP_SYN);
	option = (uint8_t *)(syn + 1);
	memset(option, LWIP_TCP_OPT_NOP, OPTION_BYTES);
	option[0] = LWIP_TCP_OPT_MSS;
	option[1] = LWIP_TCP_OPT_LEN_MSS;
	option[2] = (uint8_t)(mss >> 8);
	option[3] = (uint8_t)mss;
	if (scale != SCALE_NONE) {
		option[4] = LWIP_TCP_OPT_WS;
		option[5] = LWIP_TCP_OPT_LEN_WS;
		option[6] = (uint8_t)scale;
	}
	if ((terms & SACK) != 0) {
		option[8] = LWIP_TCP_OPT_SACK_PERM;
		option[9] = LWIP_TCP_OPT_LEN_SACK_PERM;
	}
	return p;
}

/* False: lwIP has a half-open connection now, to which the acknowledgement goes. */
static bool redeem(struct ip_packet *in, const struct tcp_hdr *tcp, uint32_t cookie, uint32_t terms)
{
	uint16_t checks = in->netif->chksum_flags;
	struct pbuf *syn = make_syn(tcp, terms);

	cookies.redeemed = NULL;
	if (syn != NULL) {
		cookies.isn = cookie;
		cookies.redeeming = true;
		in->netif->chksum_flags &= (uint16_t)~NETIF_CHECKSUM_CHECK_TCP;
		tcp_input(syn, in->netif); /* the peer gets its SYN-ACK once more, and ignores it */
		in->netif->chksum_flags = checks;
		cookies.redeeming = false;
	}
	if (cookies.redeemed == NULL) {
		pbuf_free(in->p);
		return true;
	}
	cookies.redeemed->rttest = 0; /* how long the real handshake took is not known */
	stat_inc(STAT_net_syn_cookies_redeemed);
	net_counters.tcp.cookies_redeemed++;
	return false;
}

bool tcp_cookie_input_locked(struct ip_packet *in)
{
	const struct tcp_hdr *tcp =
		(const struct tcp_hdr *)(const void *)((const char *)in->p->payload +
			in->header_bytes);
	uint32_t cookie = lwip_ntohl(tcp->ackno) - 1, terms;

	switch (TCPH_FLAGS(tcp) & (TCP_SYN | TCP_ACK | TCP_RST)) {
	case TCP_SYN:
		take_syn(in);
		return true;
	case TCP_ACK:
		break;
	default:
		return false;
	}
	if (net_now_ns() >= cookies.until_ns) /* (3) */
		return false;
	if (tcp_table_find_locked(&in->dest, lwip_ntohs(tcp->dest), &in->source,
		    lwip_ntohs(tcp->src)) != NULL)
		return false;
	if (open_cookie(in, tcp, cookie, &terms))
		return redeem(in, tcp, cookie, terms);
	net_counters.tcp.cookies_failed++;
	return false; /* lwIP refuses it */
}
