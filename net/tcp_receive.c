/*
 * tcp_receive.c: the bytes that a TCP socket receives.
 *
 * What:       received packets are queued as they are, copied out, unlocked, and freed as they are
 *             read; then the window opens. When many wait already, small ones are collected in
 *             larger pieces of memory: the window counts bytes, and a packet costs far more than
 *             the one byte that it may carry.
 * Invariants: (1) the window that is offered and what waits to be read are together at most the
 *             receive buffer. (2) only a thread that is "in read" takes packets off the front, but
 *             for who ends the connection; so it holds a reference to the first packet while it
 *             copies, and that one to those behind it. (3) what waits costs at most a few times its
 *             bytes, and COLLECT_FROM packets. (4) a collector grows behind the bytes that were
 *             there when a reader looked. (5) one read ends before an urgent byte, or begins
 *             behind it (or with it: net/tcp_urgent.c).
 * Locking:    LOCK_NET, never while copying. May sleep: tcp_receive.
 * Failure:    -EAGAIN, -ECONNRESET, -ENOTCONN; a partial count goes first.
 * Source:     Linux tcp_recvmsg_locked, tcp_collapse (why to collect).
 */
#include <linux/eventpoll.h>

#include "base/errno.h"
#include "kernel/sched/thread.h"
#include "net/net_priv.h"
#include "net/tcp_socket_priv.h"

#include <lwip/priv/tcp_priv.h>

#define COLLECT_FROM 16u /* packets that wait: from here on small ones are collected … */
#define COLLECT_BELOW_BYTES 1024u /* … of so many bytes in the mean */
#define COLLECTOR_BYTES 4032u /* with its header less than a page */

/* ------------------------------------------------------------------ the queue */
static void append(struct tcp_socket *t, struct pbuf *p)
{
	t->rx_collector = NULL;
	if (t->rx_tail == NULL)
		t->rx_head = p;
	else
		t->rx_tail->next = p;
	for (; p != NULL; p = p->next) {
		t->rx_tail = p;
		t->rx_count++;
	}
}

/* Room at the end of the queue. NULL: no memory. */
static struct pbuf *get_collector(struct tcp_socket *t)
{
	struct pbuf *c = t->rx_collector;

	if (c != NULL && c->len < COLLECTOR_BYTES)
		return c;
	c = pbuf_alloc(PBUF_RAW, COLLECTOR_BYTES, PBUF_RAM);
	if (c == NULL)
		return NULL;
	c->len = c->tot_len = 0;
	append(t, c);
	t->rx_collector = c;
	return c;
}

static bool is_worth_collecting(const struct tcp_socket *t, const struct pbuf *p)
{
	if (t->rx_collector != NULL && p->tot_len <= COLLECTOR_BYTES - t->rx_collector->len)
		return true;
	return t->rx_count >= COLLECT_FROM && p->tot_len < pbuf_clen(p) * COLLECT_BELOW_BYTES;
}

/* Takes p. What finds no memory is queued as it is. */
static void collect(struct tcp_socket *t, struct pbuf *p)
{
	uint16_t at = 0, n;
	struct pbuf *c;

	while (at < p->tot_len && (c = get_collector(t)) != NULL) {
		n = (uint16_t)MIN(p->tot_len - at, (int)(COLLECTOR_BYTES - c->len));
		pbuf_copy_partial(p, (char *)c->payload + c->len, n, at);
		c->len = (u16_t)(c->len + n); /* (4) */
		c->tot_len = c->len;
		at = (uint16_t)(at + n);
	}
	if (at < p->tot_len)
		append(t, pbuf_free_header(p, at));
	else
		pbuf_free(p);
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t lwip_error)
{
	struct tcp_socket *t = arg;

	(void)lwip_error; /* always ERR_OK */
	if (p == NULL) {
		t->peer_fin = true;
		if (t->deferred_by != NULL)
			tcp_listen_deliver_locked(t);
		socket_notify_locked(&t->inet.base, EPOLLIN | EPOLLRDHUP);
		return ERR_OK;
	}
	t->rx_bytes += p->tot_len;
	t->inet.base.incoming_cpu = (int32_t)this_cpu()->arch.id;
	if (is_worth_collecting(t, p))
		collect(t, p); /* (3) */
	else
		append(t, p);
	if (t->quick_acks != 0) {
		t->quick_acks--;
		tcp_ack_now(pcb);
	}
	if (t->deferred_by != NULL)
		tcp_listen_deliver_locked(t);
	socket_notify_locked(&t->inet.base, tcp_is_readable_locked(t) ? EPOLLIN : 0);
	return ERR_OK;
}

bool tcp_is_readable_locked(const struct tcp_socket *t)
{
	uint64_t hidden = tcp_urgent_hides_locked(t, 0);

	return t->rx_bytes > hidden && t->rx_bytes >= hidden + t->inet.base.receive_lowat_bytes;
}

void tcp_receive_attach_locked(struct tcp_socket *t)
{
	tcp_recv(t->pcb, received);
}

void tcp_take_front_locked(struct tcp_socket *t, uint64_t bytes)
{
	struct pbuf *p;
	uint64_t n;

	t->rx_bytes -= bytes;
	if (t->urgent != TCP_URGENT_NONE)
		tcp_urgent_passed_locked(t, bytes);
	while (t->rx_head != NULL) {
		p = t->rx_head;
		n = MIN(bytes, (uint64_t)p->len - t->rx_offset_bytes);
		bytes -= n;
		t->rx_offset_bytes += (uint32_t)n;
		if (t->rx_offset_bytes < p->len)
			break;
		if (p == t->rx_collector)
			t->rx_collector = NULL;
		t->rx_head = p->next;
		t->rx_offset_bytes = 0;
		t->rx_count--;
		p->next = NULL;
		pbuf_free(p);
	}
	if (t->rx_head == NULL)
		t->rx_tail = NULL;
}

void tcp_drop_received_locked(struct tcp_socket *t)
{
	if (t->rx_head != NULL)
		pbuf_free(t->rx_head); /* (2): all of them, unless somebody copies */
	t->rx_head = t->rx_tail = t->rx_collector = NULL;
	t->rx_bytes = t->rx_offset_bytes = t->rx_count = 0;
	t->urgent = TCP_URGENT_NONE;
}

/* (1): a buffer that was made smaller is not offered again; one that was made larger, at once. */
void tcp_open_window_locked(struct tcp_socket *t)
{
	uint64_t taken, bytes;
	uint16_t n;

	if (t->pcb == NULL || t->pcb->state == TIME_WAIT)
		return;
	taken = t->rx_bytes + t->pcb->rcv_wnd;
	bytes = TCP_WND_MAX(t->pcb) - MIN(taken, (uint64_t)TCP_WND_MAX(t->pcb));
	if (bytes == 0)
		return;
	tcp_select_locked(t);
	for (; bytes != 0; bytes -= n) {
		n = (uint16_t)MIN(bytes, 0xffffu);
		tcp_recved(t->pcb, n);
	}
}

static void take_front(struct tcp_socket *t, uint64_t bytes)
{
	tcp_take_front_locked(t, bytes);
	tcp_open_window_locked(t);
}

/* ------------------------------------------------------------------ reading */
struct reading {
	struct socket_message *m;
	bool nonblock;
	uint64_t deadline_ns;
	uint64_t skip_bytes; /* SO_PEEK_OFF */
	uint64_t least_bytes; /* behind them, to go on with */
	long total; /* bytes read */
};

/* What reading says when there is nothing to read. 0: the end, which is the end whatever came after
 * it. -EAGAIN: not yet. is_begun: what was read is told first, and the error stays for the next
 * call. */
static int judge_receive(struct tcp_socket *t, bool is_begun)
{
	struct socket *s = &t->inet.base;

	if (t->phase == TCP_FRESH || t->phase == TCP_LISTENING)
		return -ENOTCONN;
	if (t->peer_fin)
		return 0;
	if (s->error != 0)
		return is_begun ? s->error : socket_take_error_locked(s);
	return t->reset || s->read_shut ? 0 : -EAGAIN;
}

/* Until there is enough: bytes, 0 at the end, or -errno. */
static long wait_bytes(struct tcp_socket *t, const struct reading *r)
{
	struct socket *s = &t->inet.base;
	bool is_some;
	int error;

	while (t->rx_bytes < r->skip_bytes + r->least_bytes) {
		is_some = t->rx_bytes > r->skip_bytes;
		error = judge_receive(t, r->total != 0 || is_some);
		if (error == -EAGAIN && !r->nonblock)
			error = socket_wait_outside_locked(s, &s->read_busy, s, r->deadline_ns);
		else if (!is_some)
			return error;
		else
			break;
		if (error != 0 && t->rx_bytes <= r->skip_bytes)
			return error;
		if (error != 0)
			break;
	}
	return (long)MIN(t->rx_bytes - r->skip_bytes, (uint64_t)INT64_MAX);
}

/* As wait_bytes, of what one read may have: (5). 0 also at the mark, behind what was read. */
static long wait_readable(struct tcp_socket *t, struct reading *r)
{
	long n;

	for (;;) {
		if (r->total != 0 && tcp_urgent_is_at_locked(t, r->skip_bytes))
			return 0;
		n = wait_bytes(t, r);
		if (n <= 0 || !tcp_urgent_is_at_locked(t, r->skip_bytes))
			break;
		if (r->total != 0)
			return 0;
		if (!tcp_urgent_hides_locked(t, r->skip_bytes))
			return n;
		if ((r->m->flags & SOCKET_MSG_PEEK) != 0)
			r->skip_bytes++;
		else
			take_front(t, 1);
	}
	if (n <= 0 || t->urgent == TCP_URGENT_NONE)
		return n;
	return (long)tcp_urgent_limit_locked(t, r->skip_bytes, (uint64_t)n);
}

/* Up to bytes of what is there; who asks with MSG_TRUNC only has it pass. */
static long receive_piece(struct tcp_socket *t, const struct reading *r, uint64_t bytes)
{
	struct pbuf *head = t->rx_head;
	struct socket_message *m = r->m;
	uint32_t offset = t->rx_offset_bytes + (uint32_t)r->skip_bytes;
	long copied;

	bytes = MIN(bytes, m->data->left_bytes);
	if ((m->flags & SOCKET_MSG_TRUNCATE) != 0) {
		m->data->left_bytes -= bytes;
		copied = (long)bytes;
	} else {
		pbuf_ref(head); /* (2) */
		net_unlock();
		copied = socket_copy_chain(m->data, head, offset, bytes);
		net_lock();
		pbuf_free(head);
	}
	if (copied > 0 && (m->flags & SOCKET_MSG_PEEK) == 0 && t->rx_head == head)
		take_front(t, (uint64_t)copied);
	if (copied > 0)
		socket_move_peek_offset_locked(&t->inet.base, m->flags, (uint64_t)copied);
	return copied;
}

static long receive_all(struct tcp_socket *t, struct reading *r)
{
	const struct uio *data = r->m->data;
	bool peek = (r->m->flags & SOCKET_MSG_PEEK) != 0;
	bool all = (r->m->flags & SOCKET_MSG_WAITALL) != 0;
	uint64_t enough = MIN((uint64_t)t->inet.base.receive_lowat_bytes, data->left_bytes);
	long n;

	/* Who peeks gets everything at once. */
	r->least_bytes = MAX(peek && all ? data->left_bytes : 1, 1u);
	do {
		/* With something in hand: take what has come meanwhile, but do not wait for it. */
		if (r->total != 0 && (uint64_t)r->total >= enough && !all && t->rx_bytes == 0)
			break;
		n = wait_readable(t, r);
		if (n > 0)
			n = receive_piece(t, r, (uint64_t)n);
		if (n <= 0)
			return r->total != 0 ? r->total : n;
		r->total += n;
	} while (data->left_bytes != 0 && !peek);
	return r->total;
}

long tcp_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	struct tcp_socket *t = tcp_of(s);
	struct reading r = { .m = m, .nonblock = nonblock };
	long result;

	m->has_address = false;
	net_lock();
	if ((m->flags & SOCKET_MSG_URGENT) != 0) {
		result = tcp_urgent_receive_locked(t, m);
		net_unlock();
		return result;
	}
	socket_enter_locked(s, &s->read_busy);
	r.deadline_ns = socket_deadline_ns(s->receive_timeout_ns);
	r.skip_bytes = socket_peek_offset_locked(s, m->flags);
	result = receive_all(t, &r);
	socket_leave_locked(s, &s->read_busy);
	net_unlock();
	return result;
}
