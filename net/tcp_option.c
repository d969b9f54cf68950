/*
 * tcp_option.c: options of TCP sockets, and what is known about a connection.
 *
 * What:       options are kept in the socket and applied to lwIP's pcb when there is one; accepted
 *             connections inherit their listener's.
 * Invariants: (1) an option that is answered with success acts.
 * Locking:    LOCK_NET.
 * Failure:    -ENOPROTOOPT for options that are not TCP's; -EINVAL out of range.
 * Source:     Linux tcp(7), socket(7), net/ipv4/tcp.c (do_tcp_setsockopt: ranges).
 */
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>

#include "base/errno.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/tcp_socket_priv.h"
#include "net/tcp_table.h"

#define KEEP_IDLE_S 7200u
#define KEEP_INTERVAL_S 75u
#define KEEP_COUNT 9u
#define KEEP_SECONDS_MAX 32767 /* Linux's MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL */
#define KEEP_COUNT_MAX 127
#define RECEIVE_BUFFER_BYTES (128u * 1024) /* twice this is the window, as it is what is told */
#define MSS_MIN 88 /* Linux's TCP_MIN_MSS */
#define MSS_MAX 32767
#define DEFER_FIRST_S 1u /* Linux tells the times of SYN-ACKs that are sent again, doubled */
#define DEFER_LONGEST_S 120u
#define DEFER_MAX_S 30000u

void tcp_option_defaults(struct tcp_socket *t)
{
	t->keep_idle_s = KEEP_IDLE_S;
	t->keep_interval_s = KEEP_INTERVAL_S;
	t->keep_count = KEEP_COUNT;
	t->inet.base.send_buffer_bytes = TCP_SND_BUF / 2;
	t->inet.base.receive_buffer_bytes = RECEIVE_BUFFER_BYTES;
}

void tcp_option_inherit_locked(struct tcp_socket *child, const struct tcp_socket *listener)
{
	const struct socket *from = &listener->inet.base;
	struct socket *to = &child->inet.base;

	to->reuse_addr = from->reuse_addr;
	to->reuse_port = from->reuse_port;
	to->keepalive = from->keepalive;
	to->urgent_inline = from->urgent_inline;
	to->linger_s = from->linger_s;
	to->tos = from->tos;
	to->ttl = from->ttl;
	to->send_timeout_ns = from->send_timeout_ns;
	to->receive_timeout_ns = from->receive_timeout_ns;
	to->send_buffer_bytes = from->send_buffer_bytes;
	to->receive_buffer_bytes = from->receive_buffer_bytes;
	child->nodelay = listener->nodelay;
	child->cork = listener->cork;
	child->keep_idle_s = listener->keep_idle_s;
	child->keep_interval_s = listener->keep_interval_s;
	child->keep_count = listener->keep_count;
	child->user_timeout_ms = listener->user_timeout_ms;
	child->user_mss = listener->user_mss;
	child->unsent_lowat_bytes = listener->unsent_lowat_bytes;
	child->delay_acks = listener->delay_acks;
	to->receive_lowat_bytes = from->receive_lowat_bytes;
	to->priority = from->priority;
	to->mark = from->mark;
	child->inet.min_ttl = listener->inet.min_ttl;
	child->inet.min_hops = listener->inet.min_hops;
}

bool tcp_option_is_far_locked(const struct tcp_socket *t)
{
	if (ip_current_is_v6())
		return IP6H_HOPLIM(ip6_current_header()) < t->inet.min_hops;
	return IPH_TTL(ip4_current_header()) < t->inet.min_ttl;
}

void tcp_option_limit_locked(const struct tcp_socket *t, struct tcp_pcb *pcb)
{
	pcb->rcv_wnd_max = (tcpwnd_size_t)MIN(2ull * t->inet.base.receive_buffer_bytes, TCP_WND);
	if (t->user_mss != 0)
		pcb->mss_max = t->user_mss;
	pcb->netif_idx = (uint8_t)t->inet.port.interface_index;
}

void tcp_option_apply_locked(struct tcp_socket *t)
{
	const struct socket *s = &t->inet.base;
	struct tcp_pcb *pcb = t->pcb;

	if (pcb == NULL || t->phase == TCP_LISTENING)
		return;
	pcb->netif_idx = (uint8_t)t->inet.port.interface_index;
	pcb->tos = s->tos;
	pcb->ttl = s->ttl;
	if (s->keepalive)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->keep_idle = t->keep_idle_s * 1000;
	pcb->keep_intvl = t->keep_interval_s * 1000;
	/* With a timeout the number of probes does not count, as on Linux. */
	pcb->keep_cnt = t->user_timeout_ms != 0 ? KEEP_COUNT_MAX : t->keep_count;
	if (t->nodelay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
}

static int set_in_range(uint32_t *to, int64_t value, int64_t max)
{
	if (value < 1 || value > max)
		return -EINVAL;
	*to = (uint32_t)value;
	return 0;
}

static int set_flag(bool *to, int64_t value)
{
	*to = value != 0;
	return 0;
}

/* Until Linux would have sent so many SYN-ACKs that value seconds are over. */
static int set_defer(struct tcp_socket *t, int64_t value)
{
	uint32_t period_s = DEFER_FIRST_S, total_s = DEFER_FIRST_S;

	while (total_s < value && total_s < DEFER_MAX_S) {
		period_s = MIN(2 * period_s, DEFER_LONGEST_S);
		total_s += period_s;
	}
	t->defer_s = value > 0 ? total_s : 0;
	return 0;
}

static int set_mss(struct tcp_socket *t, int64_t value)
{
	if (value != 0 && (value < MSS_MIN || value > MSS_MAX))
		return -EINVAL;
	t->user_mss = (uint16_t)value;
	return 0;
}

/* An acknowledgement that waits goes now. */
static int set_quick_ack(struct tcp_socket *t, int64_t value)
{
	t->delay_acks = value == 0;
	t->quick_acks = value == 0 ? 0 : TCP_QUICK_ACKS;
	if (value != 0 && t->pcb != NULL && t->phase == TCP_CONNECTED &&
		(t->pcb->flags & TF_ACK_DELAY) != 0) {
		tcp_select_locked(t);
		tcp_ack_now(t->pcb);
		tcp_output(t->pcb);
	}
	return 0;
}

static int set_acting_value(struct tcp_socket *t, enum socket_option o, int64_t value)
{
	switch (o) {
	case SOCKET_OPT_MAXSEG:
		return set_mss(t, value);
	case SOCKET_OPT_USER_TIMEOUT:
		if (value < 0)
			return -EINVAL;
		t->user_timeout_ms = (uint32_t)value;
		return 0;
	case SOCKET_OPT_QUICKACK:
		return set_quick_ack(t, value);
	case SOCKET_OPT_DEFER_ACCEPT:
		return set_defer(t, value);
	case SOCKET_OPT_UNSENT_LOWAT:
		t->unsent_lowat_bytes = (uint32_t)value;
		return 0;
	case SOCKET_OPT_RCVBUF:
	case SOCKET_OPT_RCVBUF_FORCE:
		return socket_set_common_option_locked(&t->inet.base, o, value);
	default:
		return inet_set_option(&t->inet, o, value);
	}
}

static int set_value(struct tcp_socket *t, enum socket_option o, int64_t value)
{
	struct socket *s = &t->inet.base;

	switch (o) {
	case SOCKET_OPT_REUSEADDR:
		t->inet.port.reuse_addr = value != 0;
		return set_flag(&s->reuse_addr, value);
	case SOCKET_OPT_REUSEPORT:
		t->inet.port.reuse_port = value != 0;
		return set_flag(&s->reuse_port, value);
	case SOCKET_OPT_KEEPALIVE:
		return set_flag(&s->keepalive, value);
	case SOCKET_OPT_NODELAY:
		return set_flag(&t->nodelay, value);
	case SOCKET_OPT_CORK:
		return set_flag(&t->cork, value);
	case SOCKET_OPT_KEEPIDLE:
		return set_in_range(&t->keep_idle_s, value, KEEP_SECONDS_MAX);
	case SOCKET_OPT_KEEPINTVL:
		return set_in_range(&t->keep_interval_s, value, KEEP_SECONDS_MAX);
	case SOCKET_OPT_KEEPCNT:
		return set_in_range(&t->keep_count, value, KEEP_COUNT_MAX);
	case SOCKET_OPT_TOS:
		s->tos = (uint8_t)value;
		return 0;
	case SOCKET_OPT_TTL:
		if (value != -1 && (value < 1 || value > 255))
			return -EINVAL;
		s->ttl = value == -1 ? IP_DEFAULT_TTL : (uint8_t)value;
		return 0;
	default:
		return set_acting_value(t, o, value);
	}
}

int tcp_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	struct tcp_socket *t = tcp_of(s);
	int error = set_value(t, o, value);

	if (error != 0 || t->pcb == NULL || t->phase == TCP_LISTENING)
		return error;
	tcp_option_apply_locked(t);
	t->pcb->rcv_wnd_max = (tcpwnd_size_t)MIN(2ull * t->inet.base.receive_buffer_bytes, TCP_WND);
	tcp_open_window_locked(t);
	/* What was held back goes now; a new keepalive time is looked at. */
	tcp_select_locked(t);
	t->flushing = o == SOCKET_OPT_NODELAY && value != 0; /* even what is corked */
	tcp_output(t->pcb);
	t->flushing = false;
	return 0;
}

static int64_t send_mss(const struct tcp_socket *t)
{
	if (t->pcb != NULL && t->phase == TCP_CONNECTED)
		return t->pcb->mss;
	return t->user_mss != 0 ? t->user_mss : 536;
}

/* What can be read now: an urgent byte is not, and ends what one read gets. */
static uint64_t queued_bytes(const struct tcp_socket *t)
{
	if (t->urgent == TCP_URGENT_NONE || t->inet.base.urgent_inline)
		return t->rx_bytes;
	return MIN(t->rx_bytes, t->urgent_ahead);
}

int tcp_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	const struct tcp_socket *t = tcp_of(s);

	switch (o) {
	case SOCKET_OPT_ACCEPTCONN:
		*value = t->phase == TCP_LISTENING;
		return 0;
	case SOCKET_OPT_NODELAY:
		*value = t->nodelay;
		return 0;
	case SOCKET_OPT_CORK:
		*value = t->cork;
		return 0;
	case SOCKET_OPT_MAXSEG:
		*value = send_mss(t);
		return 0;
	case SOCKET_OPT_USER_TIMEOUT:
		*value = t->user_timeout_ms;
		return 0;
	case SOCKET_OPT_QUICKACK:
		*value = !t->delay_acks;
		return 0;
	case SOCKET_OPT_DEFER_ACCEPT:
		*value = t->defer_s;
		return 0;
	case SOCKET_OPT_UNSENT_LOWAT:
		*value = t->unsent_lowat_bytes;
		return 0;
	case SOCKET_OPT_KEEPIDLE:
		*value = t->keep_idle_s;
		return 0;
	case SOCKET_OPT_KEEPINTVL:
		*value = t->keep_interval_s;
		return 0;
	case SOCKET_OPT_KEEPCNT:
		*value = t->keep_count;
		return 0;
	case SOCKET_OPT_TOS:
		*value = s->tos;
		return 0;
	case SOCKET_OPT_TTL:
		*value = s->ttl;
		return 0;
	case SOCKET_OPT_AT_MARK:
		*value = tcp_urgent_is_at_locked(t, 0);
		return 0;
	case SOCKET_OPT_QUEUED:
		*value = (int64_t)queued_bytes(t);
		return t->phase == TCP_LISTENING ? -EINVAL : 0;
	case SOCKET_OPT_UNSENT:
		*value = (int64_t)t->tx_bytes;
		return t->phase == TCP_LISTENING ? -EINVAL : 0;
	default:
		return inet_get_option(&t->inet, o, value);
	}
}

uint8_t tcp_linux_state(const struct tcp_pcb *pcb)
{
	static const uint8_t states[] = {
		[CLOSED] = 7,
		[LISTEN] = 10,
		[SYN_SENT] = 2,
		[SYN_RCVD] = 3,
		[ESTABLISHED] = 1,
		[FIN_WAIT_1] = 4,
		[FIN_WAIT_2] = 5,
		[CLOSE_WAIT] = 8,
		[CLOSING] = 11,
		[LAST_ACK] = 9,
		[TIME_WAIT] = 6,
	};

	return states[pcb == NULL ? CLOSED : pcb->state];
}

static uint32_t count_unacked(const struct tcp_pcb *pcb)
{
	const struct tcp_seg *seg;
	uint32_t count = 0;

	for (seg = pcb->unacked; seg != NULL; seg = seg->next)
		count++;
	return count;
}

int tcp_socket_info(struct socket *s, struct socket_tcp_info *out)
{
	const struct tcp_socket *t = tcp_of(s);
	const struct tcp_pcb *pcb;

	memset(out, 0, sizeof(*out));
	net_lock();
	pcb = t->pcb;
	out->state = tcp_linux_state(pcb);
	if (pcb != NULL && t->phase != TCP_LISTENING) {
		out->retransmits = pcb->nrtx;
		out->wscale_ok = (pcb->flags & TF_WND_SCALE) != 0;
		out->sack_ok = (pcb->flags & TF_SACK) != 0;
		out->snd_wscale = pcb->snd_scale;
		out->rcv_wscale = pcb->rcv_scale;
		out->rto_us = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
		out->rtt_us = (uint32_t)(pcb->sa >> 3) * TCP_SLOW_INTERVAL * 1000;
		out->rttvar_us = (uint32_t)(pcb->sv >> 2) * TCP_SLOW_INTERVAL * 1000;
		out->snd_mss = out->rcv_mss = pcb->mss;
		out->unacked = count_unacked(pcb);
		out->snd_cwnd = pcb->cwnd / MAX(pcb->mss, 1u);
		out->snd_ssthresh = pcb->ssthresh / MAX(pcb->mss, 1u);
		out->last_data_ms = (tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL;
		out->rcv_space = pcb->rcv_wnd;
	}
	net_unlock_batch();
	return 0;
}
