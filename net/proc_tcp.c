/*
 * proc_tcp.c: /proc/net/tcp and tcp6, and how many connections there are of each kind.
 *
 * What:       connections are found in the hash table, listeners in lwIP's list: so those are shown
 *             that no descriptor refers to any more (TIME_WAIT), and each once.
 * Invariants: none beyond proc_rows.c's.
 * Locking:    LOCK_NET for one batch of rows, or one bucket, at a time.
 * Failure:    none beyond fs/proc.c's.
 * Source:     Linux net/ipv4/tcp_ipv4.c (get_tcp4_sock, get_openreq4, get_timewait4_sock).
 */
#include "base/units.h"
#include "net/address.h"
#include "net/net_priv.h"
#include "net/proc_priv.h"
#include "net/proc_rows.h"
#include "net/tcp_socket_priv.h"
#include "net/tcp_table.h"

#define CLOCK_TICKS (TCP_SLOW_INTERVAL / 10) /* of a slow tick; USER_HZ is 100 */
#define WIDTH 149u

enum { TIMER_NONE, TIMER_REPEAT, TIMER_KEEPALIVE, TIMER_TIME_WAIT, TIMER_PROBE };

static uint64_t clock_ticks(int32_t slow_ticks)
{
	return (uint64_t)MAX(slow_ticks, 0) * CLOCK_TICKS;
}

static void take_timer(struct proc_row *r, const struct tcp_pcb *pcb)
{
	uint32_t keep_ms = pcb->keep_idle + pcb->keep_cnt_sent * pcb->keep_intvl;
	int32_t idle = (int32_t)(tcp_ticks - pcb->tmr);

	if (pcb->persist_backoff != 0) {
		r->timer = TIMER_PROBE;
	} else if (pcb->rtime >= 0) {
		r->timer = TIMER_REPEAT;
		r->timer_ticks = clock_ticks(pcb->rto - pcb->rtime);
	} else if (ip_get_option(pcb, SOF_KEEPALIVE) && r->state == PROC_ESTABLISHED) {
		r->timer = TIMER_KEEPALIVE;
		r->timer_ticks = clock_ticks((int32_t)(keep_ms / TCP_SLOW_INTERVAL) - idle);
	}
}

static void take_connection(struct proc_row *r, const struct tcp_socket *t,
	const struct tcp_pcb *pcb)
{
	proc_take_socket(r, &t->inet.base, t->closed || t->inet.base.file == NULL);
	r->tx_bytes = t->tx_bytes;
	r->rx_bytes = t->rx_bytes;
	r->repeats = pcb->nrtx;
	r->probes = pcb->persist_probe;
	r->rto_ticks = (uint32_t)pcb->rto * CLOCK_TICKS;
	r->cwnd = pcb->cwnd / MAX(pcb->mss, 1u);
	r->ssthresh = pcb->ssthresh / MAX(pcb->mss, 1u);
	if (pcb->ssthresh >= TCP_SND_BUF)
		r->ssthresh = UINT32_MAX;
	r->is_interactive = t->quick_acks == 0;
	take_timer(r, pcb);
}

static void take_pcb(const struct tcp_pcb *pcb, void *arg)
{
	const struct tcp_socket *t = pcb->callback_arg; /* half-open: its listener */
	struct proc_batch *b = arg;
	struct proc_row *r;

	if (t == NULL || t->inet.base.family != b->family || (r = proc_next_row(b)) == NULL)
		return;
	r->local = net_ip_of_lwip(&pcb->local_ip);
	r->remote = net_ip_of_lwip(&pcb->remote_ip);
	r->local_port = pcb->local_port;
	r->remote_port = pcb->remote_port;
	r->state = tcp_linux_state(pcb);
	if (r->state == PROC_TIME_WAIT) {
		r->timer = TIMER_TIME_WAIT;
		r->timer_ticks = clock_ticks((int32_t)(2 * TCP_MSL / TCP_SLOW_INTERVAL) -
			(int32_t)(tcp_ticks - pcb->tmr));
	} else if (r->state == PROC_SYN_RECV) {
		r->uid = t->inet.base.uid;
		r->repeats = pcb->nrtx;
		r->timer = TIMER_REPEAT;
		r->timer_ticks = clock_ticks(pcb->rto - pcb->rtime);
	} else {
		take_connection(r, t, pcb);
	}
}

static void take_listeners(struct proc_batch *b)
{
	const struct tcp_pcb_listen *l;
	const struct tcp_socket *t;
	struct proc_row *r;

	for (l = tcp_listen_pcbs.listen_pcbs; l != NULL && !b->more; l = l->next) {
		t = l->callback_arg;
		if (t == NULL || t->inet.base.family != b->family || (r = proc_next_row(b)) == NULL)
			continue;
		proc_take_socket(r, &t->inet.base, t->closed);
		r->local = t->inet.port.local_ip;
		r->remote = *inet_any(&t->inet);
		r->local_port = t->inet.port.local_port;
		r->state = PROC_LISTEN;
		r->rx_bytes = (uint64_t)t->accept_count;
		r->rto_ticks = TCP_FIRST_RTO_TICKS * CLOCK_TICKS;
		r->cwnd = 10;
	}
}

static void print_rows(struct proc_text *t, struct proc_batch *b)
{
	for (uint32_t i = 0; i < b->count; i++, b->printed++) {
		const struct proc_row *r = &b->rows[i];
		size_t start = t->len;

		proc_print_row(t, b, r, 4);
		proc_print(t, " %u 0000000000000000", r->refs);
		if (r->state == PROC_LISTEN)
			proc_print(t, " %u 0 0 %u 0", r->rto_ticks, r->cwnd);
		else if (r->state != PROC_TIME_WAIT && r->state != PROC_SYN_RECV)
			proc_print(t, " %u 4 %u %u %d", r->rto_ticks, r->is_interactive, r->cwnd,
				(int32_t)r->ssthresh);
		proc_end_row(t, start, b->family == SOCKET_INET6 ? 0 : WIDTH);
	}
}

static void list(struct proc_text *t, unsigned family)
{
	struct proc_batch b = { .family = family };
	uint32_t bucket;

	proc_print_row_header(t, family, "", WIDTH);
	while (proc_begin_batch(&b)) {
		net_lock();
		take_listeners(&b);
		net_unlock_batch();
		print_rows(t, &b);
	}
	for (bucket = 0; bucket < TCP_TABLE_BUCKETS; bucket++) {
		proc_begin_list(&b);
		while (proc_begin_batch(&b)) {
			net_lock();
			tcp_table_each_locked(bucket, take_pcb, &b);
			net_unlock_batch();
			print_rows(t, &b);
		}
	}
}

void net_proc_make_tcp(struct proc_text *t)
{
	list(t, SOCKET_INET);
}

void net_proc_make_tcp6(struct proc_text *t)
{
	list(t, SOCKET_INET6);
}

/* ------------------------------------------------------------------ counts */
static void count_pcb(const struct tcp_pcb *pcb, void *arg)
{
	const struct tcp_socket *t = pcb->callback_arg;
	struct net_proc_tcp_counts *c = arg;

	if (pcb->state == TIME_WAIT) {
		c->time_wait++;
		return;
	}
	c->established += pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT;
	if (pcb->state == SYN_RCVD || t == NULL)
		return;
	c->in_use[t->inet.base.family == SOCKET_INET6]++;
	c->orphans += t->closed;
	c->buffered_bytes += t->tx_bytes + t->rx_bytes;
}

void net_proc_count_tcp(struct net_proc_tcp_counts *c)
{
	const struct tcp_pcb_listen *l;
	const struct tcp_socket *t;
	uint32_t bucket;

	*c = (struct net_proc_tcp_counts){ .established = 0 };
	for (bucket = 0; bucket < TCP_TABLE_BUCKETS; bucket++) {
		net_lock();
		tcp_table_each_locked(bucket, count_pcb, c);
		net_unlock_batch();
	}
	net_lock();
	for (l = tcp_listen_pcbs.listen_pcbs; l != NULL; l = l->next) {
		t = l->callback_arg;
		c->in_use[t->inet.base.family == SOCKET_INET6]++;
	}
	net_unlock_batch();
}
