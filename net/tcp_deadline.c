/*
 * tcp_deadline.c: what a TCP connection has to do by some time, besides lwIP's timers.
 *
 * What:       gives up a connection whose peer acknowledges nothing new for TCP_USER_TIMEOUT, or
 *             for some minutes after it was closed (nobody else would end one whose peer says
 *             again and again that it has no room); lets a connection be accepted that
 *             TCP_DEFER_ACCEPT has kept back long enough; and sends the segment that TCP_CORK or
 *             MSG_MORE hold back, after 200 ms.
 * Invariants: (1) only the last segment, not full and never sent, is held. (2) a connection is
 *             given up only after something was sent again, or was asked, in vain.
 * Locking:    LOCK_NET. Called by lwIP (hold), and with each slow tick of a bucket that waits.
 * Failure:    -ETIMEDOUT to the program.
 * Source:     RFC 5482; Linux tcp(7), net/ipv4/tcp_timer.c (tcp_write_timeout, tcp_probe_timer,
 *             tcp_keepalive_timer), tcp_output.c (tcp_nagle_check).
 */
#include <lwip/priv/tcp_priv.h>

#include "base/units.h"
#include "net/counters.h"
#include "net/lwip_port/hooks.h"
#include "net/net_priv.h"
#include "net/tcp_socket_priv.h"

#define HOLD_TICKS (200u / TCP_SLOW_INTERVAL + 1) /* the first may be cut short */
#define NO_TICK UINT32_MAX
/* After close, as Linux (tcp_orphan_retries): eight retransmissions from 200 ms on, doubled; or as
 * many questions for room as are less than 120 s apart. */
#define ORPHAN_S 102u
#define ORPHAN_NO_ROOM_S 204u

/* ------------------------------------------------------------------ what is held back */
int net_lwip_tcp_hold(struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	struct tcp_socket *t = tcp_socket_of_pcb(pcb);
	uint32_t seq = lwip_ntohl(seg->tcphdr->seqno);
	uint32_t full = MIN((uint32_t)pcb->mss, MAX((uint32_t)pcb->snd_wnd_max / 2, 1u));

	if (t == NULL || !(t->cork || t->more) || t->flushing || (pcb->flags & TF_FIN) != 0 ||
		(pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT))
		return 0;
	if (seg->next != NULL || seg->len >= full || TCP_SEQ_LT(seq, pcb->snd_nxt)) /* (1) */
		return 0;
	if (!t->held || t->hold_seq != seq) {
		t->held = true;
		t->hold_seq = seq;
		t->hold_until = tcp_ticks + HOLD_TICKS;
	}
	return 1;
}

static void release_held(struct tcp_socket *t)
{
	t->held = false;
	t->flushing = true;
	tcp_output(t->pcb);
	t->flushing = false;
}

/* ------------------------------------------------------------------ who does not answer */
void tcp_deadline_progress_locked(struct tcp_pcb *pcb)
{
	struct tcp_socket *t = tcp_socket_of_pcb(pcb);

	if (t == NULL)
		return;
	t->stalled = false;
	t->more = false; /* as Linux: the flag is for one write and until somebody answers */
}

static bool waits_for_peer(const struct tcp_socket *t)
{
	return t->pcb->unacked != NULL || (t->pcb->unsent != NULL && !t->held);
}

/* Something was sent again, or a window was asked for: (2). */
static bool has_tried(const struct tcp_pcb *pcb)
{
	return pcb->nrtx != 0 || pcb->persist_backoff > 1;
}

/* How long to wait for an acknowledgement of something new. NO_TICK: as long as lwIP does. */
static uint32_t patience_ticks(const struct tcp_socket *t, uint32_t user_ticks)
{
	uint32_t ticks = user_ticks != 0 ? user_ticks : NO_TICK;
	uint32_t orphan_s = t->pcb->persist_backoff != 0 ? ORPHAN_NO_ROOM_S : ORPHAN_S;

	return t->closed ? MIN(ticks, orphan_s * (1000 / TCP_SLOW_INTERVAL)) : ticks;
}

static bool has_timed_out(struct tcp_socket *t)
{
	const struct tcp_pcb *pcb = t->pcb;
	uint32_t user_ticks = ROUND_UP(t->user_timeout_ms, TCP_SLOW_INTERVAL) / TCP_SLOW_INTERVAL;
	uint32_t ticks = patience_ticks(t, user_ticks);

	if (!waits_for_peer(t)) {
		t->stalled = false;
		return user_ticks != 0 && pcb->keep_cnt_sent != 0 &&
			tcp_ticks - pcb->tmr >= user_ticks;
	}
	if (!t->stalled) {
		t->stalled = true;
		t->stalled_since = tcp_ticks;
	}
	return has_tried(pcb) && tcp_ticks - t->stalled_since >= ticks;
}

/* ------------------------------------------------------------------ time */
uint32_t tcp_deadline_tick_locked(const struct tcp_pcb *pcb)
{
	const struct tcp_socket *t = tcp_socket_of_pcb(pcb);
	uint32_t tick = NO_TICK;

	if (t == NULL)
		return tick;
	if (t->deferred_by != NULL)
		tick = t->deferred_until;
	/* Bytes that wait need each tick anyhow; probes of an idle connection do not. */
	if (t->user_timeout_ms != 0 && pcb->keep_cnt_sent != 0)
		tick = MIN(tick, pcb->tmr + t->user_timeout_ms / TCP_SLOW_INTERVAL + 1);
	return tick;
}

static bool is_due(uint32_t tick)
{
	return TCP_SEQ_GEQ(tcp_ticks, tick);
}

void tcp_deadline_run_locked(void)
{
	struct tcp_pcb *pcb, *next;
	struct tcp_socket *t;

	for (pcb = tcp_active_pcbs; pcb != NULL; pcb = next) {
		next = pcb->next;
		t = tcp_socket_of_pcb(pcb);
		if (t == NULL)
			continue;
		if (t->deferred_by != NULL && is_due(t->deferred_until))
			tcp_listen_deliver_locked(t);
		if (t->held && is_due(t->hold_until))
			release_held(t);
		if (!has_timed_out(t))
			continue;
		counters_see_tcp_end_locked(pcb);
		tcp_abandon(pcb, 0); /* told as -ETIMEDOUT; only this one leaves the list */
	}
}
