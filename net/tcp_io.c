/*
 * tcp_io.c: the bytes that a TCP socket sends.
 *
 * What:       written bytes are copied, unlocked, into chunks that lwIP's segments refer to, and
 *             chunks are freed as they are acknowledged.
 * Invariants: (1) a chunk lives until all its bytes are acknowledged or the connection is gone,
 *             and nobody copies into it. (2) bytes are acknowledged in order, so chunks are freed
 *             from the front.
 * Locking:    LOCK_NET, never while copying. May sleep: tcp_send.
 * Failure:    -EAGAIN, -EPIPE, -ECONNRESET, -ENOBUFS; a partial count goes first.
 * Source:     Linux tcp_sendmsg_locked, sk_stream_is_writeable; lwIP 2.1.3 tcp_out.c (tcp_write
 *             without copy).
 */
#include <linux/eventpoll.h>

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "net/net_priv.h"
#include "net/tcp_socket_priv.h"

#include <lwip/priv/tcp_priv.h>

#define CHUNK_SMALL_BYTES 4064u /* with its header less than a page */
#define CHUNK_LARGE_BYTES 32736u
#define FIRST_FLIGHT_SEGMENTS 10u /* RFC 6928 */
#define QUEUE_ROOM 64u /* pbufs: what one chunk may need, and the FIN */

/* ------------------------------------------------------------------ chunks */
static struct tx_chunk *last_chunk(struct tcp_socket *t)
{
	return STAILQ_LAST(&t->tx_chunks, tx_chunk, link);
}

static uint32_t chunk_room(const struct tx_chunk *c)
{
	return c->room_bytes - c->filled_bytes;
}

/* A pinned chunk with room; NULL: no memory. */
static struct tx_chunk *pin_chunk(struct tcp_socket *t, uint64_t bytes)
{
	struct tx_chunk *c = last_chunk(t);
	uint32_t room;

	if (c == NULL || chunk_room(c) < MIN(bytes, 4096u)) {
		room = bytes <= CHUNK_SMALL_BYTES ? CHUNK_SMALL_BYTES : CHUNK_LARGE_BYTES;
		c = kmem_alloc(sizeof(*c) + room);
		if (c == NULL)
			return NULL;
		c->room_bytes = room;
		c->filled_bytes = c->acked_bytes = 0;
		STAILQ_INSERT_TAIL(&t->tx_chunks, c, link);
	}
	c->pinned = true;
	return c;
}

/* Frees what is done from the front: (1), (2). */
static void free_done_chunks(struct tcp_socket *t)
{
	struct tx_chunk *c;

	while ((c = STAILQ_FIRST(&t->tx_chunks)) != NULL && !c->pinned &&
		c->acked_bytes == c->filled_bytes) {
		STAILQ_REMOVE_HEAD(&t->tx_chunks, link);
		kmem_free(c);
	}
}

static void acknowledge(struct tcp_socket *t, uint32_t bytes)
{
	struct tx_chunk *c;
	uint32_t n;

	t->tx_bytes -= bytes;
	STAILQ_FOREACH(c, &t->tx_chunks, link) {
		n = MIN(bytes, c->filled_bytes - c->acked_bytes);
		c->acked_bytes += n;
		bytes -= n;
		if (bytes == 0)
			break;
	}
	ASSERT(bytes == 0);
	free_done_chunks(t);
}

/* The connection is gone: nothing refers to the chunks but a thread that copies. */
void tcp_drop_unsent_locked(struct tcp_socket *t)
{
	if (t->tx_bytes != 0)
		acknowledge(t, (uint32_t)t->tx_bytes);
	else
		free_done_chunks(t);
}

/* ------------------------------------------------------------------ lwIP's calls */
/* Written, but not on its way yet. */
static uint64_t unsent_bytes(const struct tcp_socket *t)
{
	uint32_t on_way = t->pcb->snd_nxt - t->pcb->lastack;

	return t->tx_bytes - MIN(t->tx_bytes, (uint64_t)on_way);
}

static uint64_t space_bytes(const struct tcp_socket *t)
{
	uint64_t limit = 2 * (uint64_t)t->inet.base.send_buffer_bytes;

	if (t->pcb->snd_queuelen + QUEUE_ROOM > TCP_SND_QUEUELEN || t->tx_bytes >= limit)
		return 0;
	if (t->unsent_lowat_bytes != 0 && unsent_bytes(t) >= t->unsent_lowat_bytes)
		return 0;
	return MIN(limit - t->tx_bytes, (uint64_t)t->pcb->snd_buf);
}

static uint64_t whole_space_bytes(const struct tcp_socket *t)
{
	return MIN(2 * (uint64_t)t->inet.base.send_buffer_bytes, (uint64_t)TCP_SND_BUF);
}

bool tcp_has_space_locked(const struct tcp_socket *t)
{
	return t->pcb != NULL && 3 * space_bytes(t) >= whole_space_bytes(t);
}

static err_t sent(void *arg, struct tcp_pcb *pcb, uint16_t bytes)
{
	struct tcp_socket *t = arg;

	(void)pcb;
	acknowledge(t, bytes);
	if (t->want_space && tcp_has_space_locked(t)) {
		t->want_space = false;
		socket_notify_locked(&t->inet.base, EPOLLOUT);
	}
	return ERR_OK;
}

void tcp_io_attach_locked(struct tcp_socket *t)
{
	tcp_sent(t->pcb, sent);
}

/* ------------------------------------------------------------------ sending */
/* 0: it may send. -EAGAIN: not yet. is_begun: what was sent is told first, and the error stays for
 * the next call. */
static int judge_send(struct tcp_socket *t, bool is_begun)
{
	struct socket *s = &t->inet.base;

	if (t->phase == TCP_CONNECTING)
		return s->write_shut ? -EPIPE : -EAGAIN;
	if (s->error != 0)
		return is_begun ? s->error : socket_take_error_locked(s);
	return tcp_can_send_locked(t) && !s->write_shut ? 0 : -EPIPE;
}

/* Until there is room: bytes of it, 0 when there is nothing to send, or -errno. */
static long wait_space(struct tcp_socket *t, const struct socket_message *m, bool is_begun,
	bool nonblock, uint64_t deadline_ns)
{
	struct socket *s = &t->inet.base;
	uint64_t bytes;
	int error;

	for (;;) {
		error = judge_send(t, is_begun);
		if ((error != 0 && error != -EAGAIN) || (error == 0 && m->data->left_bytes == 0))
			return error;
		bytes = error == 0 ? space_bytes(t) : 0;
		if (bytes != 0)
			return (long)bytes;
		t->want_space = true;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_outside_locked(s, &s->write_busy, s, deadline_ns);
		if (error != 0)
			return error;
	}
}

/* Copies up to bytes into a chunk, unlocked, and hands them to lwIP. */
static long send_piece(struct tcp_socket *t, struct socket_message *m, uint64_t bytes,
	bool is_begun)
{
	struct uio before = *m->data;
	struct tx_chunk *c = pin_chunk(t, MIN(bytes, m->data->left_bytes));
	bool more = (m->flags & SOCKET_MSG_MORE) != 0;
	char *to;
	long copied;
	int error;

	if (c == NULL)
		return -ENOBUFS;
	to = c->data + c->filled_bytes;
	bytes = MIN(bytes, MIN((uint64_t)chunk_room(c), m->data->left_bytes));
	/* More will follow: whole segments only, so that no small one is sent in the middle. */
	if (bytes < m->data->left_bytes && bytes > t->pcb->mss)
		bytes -= bytes % t->pcb->mss;
	net_unlock();
	copied = uio_copy_all_from(m->data, to, bytes);
	net_lock();
	c->pinned = false;
	error = copied < 0 ? (int)copied : judge_send(t, is_begun);
	if (error == 0) {
		tcp_select_locked(t);
		error = net_errno(tcp_write(t->pcb, to, (uint16_t)copied,
			more || m->data->left_bytes != 0 ? TCP_WRITE_FLAG_MORE : 0));
	}
	if (error != 0) {
		*m->data = before;
		free_done_chunks(t);
		return error == -ENOMEM ? -ENOBUFS : error;
	}
	c->filled_bytes += (uint32_t)copied;
	t->tx_bytes += (uint64_t)copied;
	return copied;
}

/* urgent: its end is marked so, and it is not held back. */
static void push(struct tcp_socket *t, bool more, bool urgent)
{
	uint32_t first_flight;

	if (t->pcb == NULL)
		return;
	t->more = more; /* what is not full may be held back: net/tcp_deadline.c */
	if (urgent) {
		tcp_urgent_mark_locked(t);
		tcp_nagle_disable(t->pcb);
		t->flushing = true;
	}
	/* Nothing was sent yet that could have widened it. */
	first_flight = FIRST_FLIGHT_SEGMENTS * t->pcb->mss;
	if (t->pcb->unacked == NULL && t->pcb->nrtx == 0 && t->pcb->cwnd < first_flight)
		t->pcb->cwnd = first_flight;
	tcp_select_locked(t);
	tcp_output(t->pcb);
	t->flushing = false;
	if (urgent && t->pcb != NULL && !t->nodelay)
		tcp_nagle_enable(t->pcb);
}

static long send_all(struct tcp_socket *t, struct socket_message *m, bool nonblock)
{
	uint64_t deadline_ns = socket_deadline_ns(t->inet.base.send_timeout_ns);
	bool more = (m->flags & SOCKET_MSG_MORE) != 0;
	bool urgent = (m->flags & SOCKET_MSG_URGENT) != 0;
	long total = 0, n;

	do {
		n = wait_space(t, m, total != 0, nonblock, deadline_ns);
		if (n > 0)
			n = send_piece(t, m, (uint64_t)n, total != 0);
		if (n <= 0)
			break;
		total += n;
		push(t, more, urgent && m->data->left_bytes == 0);
	} while (m->data->left_bytes != 0);
	if (urgent && total != 0 && m->data->left_bytes != 0)
		push(t, more, true);
	return total != 0 ? total : n;
}

long tcp_send(struct socket *s, struct socket_message *m, bool nonblock)
{
	struct tcp_socket *t = tcp_of(s);
	long result;

	net_lock();
	socket_enter_locked(s, &s->write_busy);
	result = send_all(t, m, nonblock);
	socket_leave_locked(s, &s->write_busy);
	net_unlock();
	return result;
}
