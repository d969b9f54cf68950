/*
 * tcp_recovery.c: which TCP segments are lost, and how the sender recovers.
 *
 * What:       called by lwIP for each acknowledgement (net/lwip_port/patches/07). Segments that the
 *             peer reports to have (SACK) are marked; one below which so many were reported that
 *             it cannot just be late is lost, and goes back to lwIP's queue of unsent segments,
 *             which is sorted: so it is sent next. A segment that was sent again is lost again when
 *             so many were reported that were sent after it. Without SACK, three duplicate
 *             acknowledgements and each partial one stand for one lost segment (NewReno).
 *             The first loss halves the window, once until all is acknowledged that was on its
 *             way then. What the peer has is no load on the network (pcb->sacked), so for each
 *             segment that it reports a new one may go.
 * Invariants: (1) a segment is on one of lwIP's two lists, each sorted. (2) pcb->sacked is the sum
 *             of the marked segments (without SACK: of the duplicate acknowledgements) after each
 *             call. (3) what a segment's header says is believed only within what was sent.
 * Locking:    LOCK_NET.
 * Failure:    none; what is missed here waits for lwIP's timeout.
 * Source:     RFC 2018, 6675 (SACK-based recovery), 5827 (early retransmit), 6582 (NewReno);
 *             Linux 3.0 tcp_mark_lost_retrans for segments lost twice.
 */
#include <lwip/priv/tcp_priv.h>

#include "base/units.h"
#include "kernel/stats.h"
#include "lib/string.h"
#include "net/lwip_port/hooks.h"
#include "net/tcp_recovery.h"
#include "net/tcp_socket_priv.h"

enum {
	OPTION_END = 0,
	OPTION_PAD = 1,
	OPTION_SACK = 5,
	BLOCKS_MAX = 4,
	REORDER_SEGMENTS = 3, /* so many later ones: not late, but lost */
	ROUND_TRIP_TICKS_MAX = 1000,
};

struct block {
	uint32_t left, right;
};

static struct {
	struct block blocks[BLOCKS_MAX]; /* of the segment that lwIP looks at */
	uint32_t count;
} recovery;

void tcp_recovery_see_options_locked(const uint8_t *option, uint32_t bytes)
{
	uint32_t words[2];

	recovery.count = 0;
	for (uint32_t i = 0; i < bytes && option[i] != OPTION_END;) {
		if (option[i] == OPTION_PAD) {
			i++;
			continue;
		}
		for (uint32_t at = 2; option[i] == OPTION_SACK && at + 8 <= option[i + 1];
			at += 8) {
			if (recovery.count == BLOCKS_MAX)
				return;
			memcpy(words, option + i + at, sizeof(words));
			recovery.blocks[recovery.count++] = (struct block){ lwip_ntohl(words[0]),
				lwip_ntohl(words[1]) };
		}
		i += option[i + 1];
	}
}

/* ------------------------------------------------------------------ what the peer has */
static uint32_t seq_of(const struct tcp_seg *seg)
{
	return lwip_ntohl(seg->tcphdr->seqno);
}

static bool is_reported(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t from = seq_of(seg), to = from + TCP_TCPLEN(seg);

	for (uint32_t i = 0; i < recovery.count; i++) {
		const struct block *b = &recovery.blocks[i];

		/* (3); a block below lastack only says that something came twice (RFC 2883). */
		if (TCP_SEQ_GT(b->left, pcb->lastack) && TCP_SEQ_LEQ(b->right, pcb->snd_nxt) &&
			TCP_SEQ_LEQ(b->left, from) && TCP_SEQ_LEQ(to, b->right))
			return true;
	}
	return false;
}

struct view {
	uint32_t segments; /* not acknowledged */
	uint32_t marked; /* of them the peer has */
	uint32_t threshold; /* so many later ones: lost */
};

/* Marks what this segment reports; (2). */
static struct view mark(struct tcp_pcb *pcb)
{
	struct view v = { 0, 0, REORDER_SEGMENTS };
	struct tcp_seg *seg;

	pcb->sacked = 0;
	for (seg = pcb->unacked; seg != NULL; seg = seg->next) {
		v.segments++;
		if ((seg->flags & TF_SEG_SACKED) == 0 && is_reported(pcb, seg))
			seg->flags |= TF_SEG_SACKED;
		if ((seg->flags & TF_SEG_SACKED) == 0)
			continue;
		v.marked++;
		pcb->sacked += seg->len;
	}
	/* Too few on their way to report three, and nothing to send: less is enough. */
	if (v.segments <= REORDER_SEGMENTS && pcb->unsent == NULL && v.segments > 1)
		v.threshold = v.segments - 1;
	return v;
}

/* Marked ones at or after sequence number from. */
static uint32_t count_marked(const struct tcp_seg *seg, uint32_t from)
{
	uint32_t count = 0;

	for (; seg != NULL; seg = seg->next)
		count += (seg->flags & TF_SEG_SACKED) != 0 && TCP_SEQ_GEQ(seq_of(seg), from);
	return count;
}

/* ------------------------------------------------------------------ what is lost */
/* The segment at *link: sent again as soon as the window allows. False: it is still in use. */
static bool send_again(struct tcp_pcb *pcb, struct tcp_seg **link)
{
	struct tcp_seg *seg = *link, **to = &pcb->unsent;

	if (seg->p->ref != 1)
		return false;
	if ((pcb->flags & (TF_INFR | TF_RTO)) == 0) {
		pcb->recover = pcb->snd_nxt;
		pcb->ssthresh = MAX((pcb->snd_nxt - pcb->lastack) / 2, 2u * pcb->mss);
		pcb->cwnd = pcb->ssthresh;
		pcb->bytes_acked = 0;
		tcp_set_flags(pcb, TF_INFR);
	}
	seg->flags |= TF_SEG_REXMIT;
	seg->rexmit_end = pcb->snd_nxt;
	*link = seg->next;
	while (*to != NULL && TCP_SEQ_LT(seq_of(*to), seq_of(seg)))
		to = &(*to)->next;
	seg->next = *to; /* (1) */
	*to = seg;
	pcb->rttest = 0; /* its answer would tell of the first or of this one: nobody knows */
	pcb->rtime = 0;
	stat_inc(STAT_tcp_retransmits);
	return true;
}

static void find_lost(struct tcp_pcb *pcb, const struct view *v)
{
	struct tcp_seg **link = &pcb->unacked, *seg;
	uint32_t later = v->marked;

	while ((seg = *link) != NULL && later >= v->threshold) {
		if ((seg->flags & TF_SEG_SACKED) != 0) {
			later--;
		} else if ((seg->flags & TF_SEG_REXMIT) == 0 ||
			count_marked(seg, seg->rexmit_end) >= v->threshold) {
			if (send_again(pcb, link))
				continue;
		}
		link = &seg->next;
	}
}

/* No reports: one segment at a time. */
static void guess_lost(struct tcp_pcb *pcb, bool is_progress, uint32_t threshold)
{
	uint32_t on_way = pcb->snd_nxt - pcb->lastack;
	bool is_partial = is_progress && (pcb->flags & TF_INFR) != 0;

	pcb->sacked = MIN((uint32_t)pcb->dupacks * pcb->mss, on_way); /* (2) */
	if (is_partial || (pcb->dupacks == threshold && (pcb->flags & TF_INFR) == 0))
		(void)send_again(pcb, &pcb->unacked);
}

/* lwIP goes on measuring the handshake's round trip until the first data is acknowledged, however
 * long the program thinks before it sends any. */
void tcp_recovery_start_locked(struct tcp_pcb *pcb)
{
	uint32_t ticks = MIN(tcp_ticks - pcb->rttest, (uint32_t)ROUND_TRIP_TICKS_MAX);

	if (pcb->rttest == 0)
		return;
	pcb->rttest = 0;
	pcb->sa = (int16_t)(ticks << 3); /* RFC 6298 2.2, in lwIP's scales */
	pcb->sv = (int16_t)MAX(ticks << 1, (uint32_t)TCP_RTO_MIN_TICKS);
	pcb->rto = (int16_t)((pcb->sa >> 3) + pcb->sv);
}

void net_lwip_tcp_ack(struct tcp_pcb *pcb, int is_duplicate, int is_progress)
{
	struct view v;

	if (is_progress)
		tcp_deadline_progress_locked(pcb);
	if (is_progress && pcb->state >= FIN_WAIT_1)
		tcp_acked_after_close_locked(pcb);
	if ((pcb->flags & TF_INFR) != 0 && TCP_SEQ_GEQ(pcb->lastack, pcb->recover)) {
		tcp_clear_flags(pcb, TF_INFR);
		pcb->cwnd = pcb->ssthresh;
		pcb->bytes_acked = 0;
	}
	/* All in order, as mostly. */
	if (pcb->unacked == NULL ||
		(recovery.count == 0 && pcb->sacked == 0 && !is_duplicate &&
			(pcb->flags & TF_INFR) == 0)) {
		pcb->sacked = 0;
		return;
	}
	v = mark(pcb);
	if ((pcb->flags & TF_SACK) != 0)
		find_lost(pcb, &v);
	else
		guess_lost(pcb, is_progress != 0, v.threshold);
}
