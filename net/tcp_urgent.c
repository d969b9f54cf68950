/*
 * tcp_urgent.c: TCP's urgent data: one byte at a time that is told apart from the stream.
 *
 * What:       a sender marks the last byte of what it wrote, and its segments say so until that
 *             byte is acknowledged. A receiver keeps a copy of the last byte marked so, for
 *             MSG_OOB. Reading stops before the mark; then it goes on behind the byte, or with it
 *             (SO_OOBINLINE).
 * Invariants: (1) a mark that reading has passed is forgotten, with its byte. (2) urgent_ahead is
 *             right unless there is no mark.
 * Locking:    LOCK_NET.
 * Failure:    -EINVAL: there is no byte, or it was read, or is part of the stream; -EAGAIN: it was
 *             announced only. Announcements outside the window are ignored.
 * Source:     RFC 9293 3.8.5, RFC 6093; Linux tcp_check_urg, tcp_urg, tcp_recv_urg, tcp_mark_urg,
 *             __tcp_transmit_skb, tcp_ioctl.
 */
#include <linux/eventpoll.h>
#include <lwip/priv/tcp_priv.h>

#include "base/errno.h"
#include "net/net_priv.h"
#include "net/tcp_socket_priv.h"

#define POINTER_MAX 0xffffu /* an urgent pointer is of 16 bits */

/* ------------------------------------------------------------------ received */
/* Where the segment begins, counted from the byte that is read next. */
static int64_t start_of(const struct tcp_socket *t, const struct tcp_hdr *header)
{
	return (int64_t)t->rx_bytes + (int32_t)(header->seqno - t->pcb->rcv_nxt);
}

static void announce(struct tcp_socket *t, const struct tcp_hdr *header)
{
	uint16_t pointer = lwip_ntohs(header->urgp);
	/* It points behind the byte, as everybody's does. */
	int64_t mark = start_of(t, header) + pointer - (pointer != 0);

	if (mark < 0 || (uint64_t)mark < t->rx_bytes)
		return; /* here already: said again, or too late */
	if (t->urgent != TCP_URGENT_NONE && (uint64_t)mark <= t->urgent_ahead)
		return;
	/* The last one's byte stays in the stream, unless reading has come just there. */
	if (tcp_urgent_hides_locked(t, 0) && t->rx_bytes != 0 && !t->inet.base.read_busy) {
		tcp_take_front_locked(t, 1);
		mark--;
	}
	t->urgent = TCP_URGENT_COMING;
	t->urgent_ahead = (uint64_t)mark;
}

void tcp_urgent_see_locked(struct tcp_socket *t, const struct tcp_hdr *header, const struct pbuf *p)
{
	int64_t start = start_of(t, header), at;

	if (t->peer_fin || t->closed || (TCPH_FLAGS(header) & (TCP_SYN | TCP_RST)) != 0 ||
		start >= (int64_t)t->rx_bytes + (int64_t)t->pcb->rcv_wnd ||
		start + p->tot_len < (int64_t)t->rx_bytes)
		return;
	if ((TCPH_FLAGS(header) & TCP_URG) != 0)
		announce(t, header);
	at = (int64_t)t->urgent_ahead - start_of(t, header);
	if (t->urgent != TCP_URGENT_COMING || at < 0 || at >= p->tot_len)
		return;
	t->urgent_byte = pbuf_get_at(p, (uint16_t)at);
	t->urgent = TCP_URGENT_HERE;
	socket_notify_locked(&t->inet.base, EPOLLIN | EPOLLPRI);
}

void tcp_urgent_passed_locked(struct tcp_socket *t, uint64_t bytes)
{
	if (bytes > t->urgent_ahead)
		t->urgent = TCP_URGENT_NONE; /* (1) */
	else
		t->urgent_ahead -= bytes;
}

uint64_t tcp_urgent_limit_locked(const struct tcp_socket *t, uint64_t offset_bytes, uint64_t bytes)
{
	if (t->urgent_ahead <= offset_bytes)
		return bytes;
	return MIN(bytes, t->urgent_ahead - offset_bytes);
}

/* Never waits, whatever the socket is: so it was on BSD, and is on Linux. */
long tcp_urgent_receive_locked(struct tcp_socket *t, struct socket_message *m)
{
	char byte = (char)t->urgent_byte;
	long copied;

	if (t->phase == TCP_LISTENING)
		return -ENOTCONN;
	if (t->inet.base.urgent_inline || t->urgent == TCP_URGENT_NONE ||
		t->urgent == TCP_URGENT_READ)
		return -EINVAL;
	if (t->reset && !t->peer_fin)
		return -ENOTCONN;
	if (t->urgent == TCP_URGENT_COMING)
		return t->peer_fin || t->inet.base.read_shut ? 0 : -EAGAIN;
	if ((m->flags & SOCKET_MSG_PEEK) == 0)
		t->urgent = TCP_URGENT_READ;
	m->is_urgent = true;
	m->truncated = m->data->left_bytes == 0;
	if (m->truncated)
		return 0;
	if ((m->flags & SOCKET_MSG_TRUNCATE) != 0)
		return 1;
	net_unlock();
	copied = uio_copy_to(m->data, &byte, 1);
	net_lock();
	return copied;
}

/* ------------------------------------------------------------------ sent */
void tcp_urgent_mark_locked(struct tcp_socket *t)
{
	t->urgent_sent = true;
	t->urgent_end = t->pcb->snd_lbb;
}

void tcp_urgent_stamp_locked(struct tcp_socket *t, struct tcp_hdr *header)
{
	uint32_t ahead = t->urgent_end - lwip_ntohl(header->seqno);

	if (TCP_SEQ_LEQ(t->urgent_end, t->pcb->lastack))
		t->urgent_sent = false; /* acknowledged */
	TCPH_UNSET_FLAG(header, TCP_URG);
	header->urgp = 0;
	if (!t->urgent_sent || (int32_t)ahead <= 0)
		return;
	/* Out of the pointer's reach: "further on" is true only while nothing there is sent. */
	if (ahead > POINTER_MAX &&
		TCP_SEQ_LEQ(lwip_ntohl(header->seqno) + POINTER_MAX, t->pcb->snd_nxt))
		return;
	TCPH_SET_FLAG(header, TCP_URG);
	header->urgp = lwip_htons((uint16_t)MIN(ahead, POINTER_MAX));
}
