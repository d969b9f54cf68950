/*
 * datagram.c: the queues of a socket that exchanges datagrams over IP.
 *
 * What:       datagrams, and the errors that came back, each with what is told about them; reading
 *             from both.
 * Invariants: (1) a datagram is read whole or cut, never joined with another; an empty one is one
 *             too. (2) queue_bytes is the cost of all that both queues hold, and bounded by twice
 *             the receive buffer.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    -EAGAIN, the socket's pending error; what does not fit is dropped and counted.
 * Source:     Linux udp(7), ip(7) (IP_RECVERR), net/ipv4/udp.c, net/ipv4/datagram.c,
 *             net/core/skbuff.c (sock_dequeue_err_skb).
 */
#include <linux/eventpoll.h>
#include <lwip/prot/ip.h>

#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/thread.h"
#include "kernel/stats.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"

#define COST_BYTES 512u /* what a datagram costs besides its bytes */

void datagram_init(struct datagram_socket *d)
{
	unsigned i;

	inet_init(&d->inet);
	d->bound_ip = d->group_source = *inet_any(&d->inet);
	TAILQ_INIT(&d->queue);
	TAILQ_INIT(&d->errors);
	LIST_INIT(&d->groups);
	for (i = 0; i < 2; i++) {
		d->group_hops[i] = 1;
		d->group_loop[i] = d->group_all[i] = true;
		d->mtu_discover[i] = 1; /* IP_PMTUDISC_WANT */
	}
	d->hops6 = -1;
}

/* ------------------------------------------------------------------ in */
static uint64_t cost_of(const struct pbuf *p)
{
	return (p == NULL ? 0 : p->tot_len) + (uint64_t)COST_BYTES;
}

static struct datagram *make(struct datagram_socket *d, struct pbuf *p)
{
	uint64_t room = 2 * (uint64_t)d->inet.base.receive_buffer_bytes;
	struct datagram *g = NULL;

	if (d->queue_bytes + cost_of(p) <= room) /* (2) */
		g = kmem_zalloc(sizeof(*g));
	if (g == NULL) {
		d->inet.base.drops++;
		stat_inc(STAT_net_rx_dropped);
		if (p != NULL)
			pbuf_free(p);
		return NULL;
	}
	g->p = p;
	d->queue_bytes += cost_of(p);
	return g;
}

void datagram_enqueue_locked(struct datagram_socket *d, const struct ip_packet *in, struct pbuf *p,
	uint16_t source_port, uint16_t local_port)
{
	struct datagram *g = make(d, p);

	if (g == NULL) {
		if (d->inet.base.protocol == IP_PROTO_UDP)
			net_counters.udp[!net_ip_is_v4(&in->dest)].buffer_errors++;
		return;
	}
	g->source = in->source;
	g->source_port = source_port;
	g->local = in->dest;
	g->local_port = local_port;
	g->arrived_ns = net_now_ns();
	g->interface_index = netif_get_index(in->netif);
	g->ttl = in->ttl;
	g->tos = in->tos;
	g->drops = d->inet.base.drops;
	d->inet.base.incoming_cpu = (int32_t)this_cpu()->arch.id;
	TAILQ_INSERT_TAIL(&d->queue, g, link);
	socket_notify_locked(&d->inet.base, EPOLLIN);
}

void datagram_tell_error_locked(struct datagram_socket *d, const struct ip_error *e,
	const struct net_ip *dest, uint16_t port, struct pbuf *p)
{
	struct datagram *g = make(d, p);

	if (g == NULL)
		return;
	g->source = *dest;
	g->source_port = port;
	g->arrived_ns = net_now_ns();
	g->error = *e;
	TAILQ_INSERT_TAIL(&d->errors, g, link);
	socket_notify_locked(&d->inet.base, EPOLLERR);
}

void datagram_tell_sent_locked(struct datagram_socket *d)
{
	struct ip_error e = { .error = -ENOMSG, .origin = ORIGIN_STAMP };

	if ((d->inet.base.stamps & SOCKET_STAMP_OUT) == 0)
		return;
	if ((d->inet.base.stamps & SOCKET_STAMP_ID) != 0)
		e.data = d->inet.base.stamp_id++;
	e.offender = *inet_any(&d->inet);
	datagram_tell_error_locked(d, &e, &e.offender, 0, NULL);
}

static void drop(struct datagram_socket *d, struct datagrams *from, struct datagram *g)
{
	TAILQ_REMOVE(from, g, link);
	d->queue_bytes -= cost_of(g->p);
	if (g->p != NULL)
		pbuf_free(g->p);
	kmem_free(g);
}

void datagram_close(struct socket *s)
{
	struct datagram_socket *d = datagram_of(s);
	struct datagram *g;

	net_lock();
	port_release(&d->inet.port);
	multicast_leave_all_locked(d);
	while ((g = TAILQ_FIRST(&d->queue)) != NULL)
		drop(d, &d->queue, g);
	while ((g = TAILQ_FIRST(&d->errors)) != NULL)
		drop(d, &d->errors, g);
	socket_put_locked(s);
	net_unlock();
}

/* ------------------------------------------------------------------ receiving */
struct reader {
	unsigned flags; /* enum socket_message_flag */
	bool nonblock;
	uint64_t skip_bytes; /* of what is found: SO_PEEK_OFF */
};

/* Who peeks with an offset looks beyond what it has seen, across datagrams. */
static struct datagram *find_datagram(struct datagram_socket *d, struct reader *r)
{
	uint64_t skip = socket_peek_offset_locked(&d->inet.base, r->flags), bytes;
	bool peeks = (r->flags & SOCKET_MSG_PEEK) != 0 && d->inet.base.peek_offset >= 0;
	struct datagram *g;

	TAILQ_FOREACH(g, &d->queue, link) {
		bytes = g->p->tot_len;
		if (!peeks || skip < bytes || (bytes == 0 && skip == 0 && !g->peeked))
			break;
		skip -= bytes;
	}
	r->skip_bytes = skip;
	return g;
}

static int wait_datagram(struct datagram_socket *d, struct reader *r, struct datagram **out)
{
	struct socket *s = &d->inet.base;
	uint64_t deadline_ns = socket_deadline_ns(s->receive_timeout_ns);
	int error;

	while ((*out = find_datagram(d, r)) == NULL) {
		error = socket_take_error_locked(s);
		if (error != 0)
			return error;
		if (r->nonblock)
			return -EAGAIN; /* as Linux, also after a shutdown */
		if (s->read_shut)
			return 0;
		error = socket_wait_outside_locked(s, &s->read_busy, s, deadline_ns);
		if (error != 0)
			return error;
	}
	return socket_take_error_locked(s);
}

static bool is_icmp(const struct datagram *g)
{
	return g->error.origin == ORIGIN_ICMP || g->error.origin == ORIGIN_ICMP6;
}

/* A copy of an error was also the socket's pending one: the next in the queue is now. */
static int take_error(struct datagram_socket *d, struct datagram **out)
{
	struct datagram *next;

	*out = TAILQ_FIRST(&d->errors);
	if (*out == NULL)
		return -EAGAIN;
	next = TAILQ_NEXT(*out, link);
	if (next != NULL && is_icmp(next))
		d->inet.base.error = next->error.error;
	else if (is_icmp(*out))
		d->inet.base.error = 0;
	return 0;
}

static void describe_options(const struct datagram_socket *d, const struct datagram *g,
	struct socket_message *m)
{
	bool v6 = !net_ip_is_v4(&g->local);
	const struct netif *netif;

	m->interface_index = g->interface_index;
	m->local_ip = m->spec_ip = g->local;
	netif = net_interface_locked(g->interface_index);
	if (!v6 && netif != NULL && !net_is_local_locked(&g->local))
		m->spec_ip = net_ip_of_v4(ip4_addr_get_u32(netif_ip4_addr(netif)));
	m->has_timestamp = d->inet.base.want_timestamp;
	m->timestamp_in_ns = d->inet.base.want_timestamp_ns;
	m->has_stamp = (d->inet.base.stamps & SOCKET_STAMP_IN) != 0 &&
		(d->inet.base.stamps & SOCKET_STAMP_TELL) != 0;
	m->arrived_ns = g->arrived_ns;
	m->has_drops = d->inet.base.want_drops && g->drops != 0;
	m->drops = g->drops;
	m->ttl = g->ttl;
	m->tos = g->tos;
	m->has_pktinfo = d->inet.base.want_pktinfo && !v6;
	m->has_pktinfo6 = d->want_pktinfo6;
	m->has_original = d->want_original[0] && !v6;
	m->has_original6 = d->want_original[1] && v6;
	m->local_port = g->local_port;
	m->has_ttl = d->inet.base.want_ttl && !v6;
	m->has_tos = d->inet.base.want_tos && !v6;
	m->has_hops6 = d->want_hops6 && v6;
	m->has_class6 = d->want_class6 && v6;
}

/* Of what has left, there is no more to tell than when. */
static void describe_error(const struct datagram_socket *d, const struct datagram *g,
	struct socket_message *m)
{
	bool stamp = g->error.origin == ORIGIN_STAMP;

	m->has_address = !stamp;
	m->has_stamp = stamp && (d->inet.base.stamps & SOCKET_STAMP_TELL) != 0;
	m->arrived_ns = g->arrived_ns;
	m->has_error = true;
	m->queued_error = (struct socket_queued_error){
		.error = -g->error.error,
		.origin = g->error.origin,
		.type = g->error.type,
		.code = g->error.code,
		.info = g->error.info,
		.data = g->error.data,
		.offender = g->error.offender,
	};
}

static void describe(const struct datagram_socket *d, const struct datagram *g,
	const struct reader *r, struct socket_message *m)
{
	uint64_t bytes = g->p == NULL ? 0 : g->p->tot_len;

	m->has_address = true;
	inet_address(&d->inet, &m->address, &g->source, g->source_port);
	m->datagram_bytes = bytes;
	/* Behind an offset it is cut, as Linux has it, unless there is room to spare. */
	m->truncated = m->data->left_bytes < bytes && m->data->left_bytes <= bytes - r->skip_bytes;
	if (g->error.error != 0)
		describe_error(d, g, m);
	else
		describe_options(d, g, m);
}

/* As Linux: who asks for the whole length has seen all of it. */
static void note_progress(struct datagram_socket *d, struct datagram *g,
	const struct socket_message *m, uint64_t bytes)
{
	struct socket *s = &d->inet.base;

	if ((m->flags & SOCKET_MSG_PEEK) != 0 && s->peek_offset >= 0)
		g->peeked = m->datagram_bytes == 0;
	socket_move_peek_offset_locked(s, m->flags,
		(m->flags & SOCKET_MSG_TRUNCATE) != 0 ? m->datagram_bytes : bytes);
}

/* In "read": nobody else takes g away while it is copied. */
static long receive_one(struct datagram_socket *d, struct socket_message *m, bool nonblock)
{
	bool errors = (m->flags & SOCKET_MSG_ERROR) != 0;
	struct reader r = { .flags = m->flags, .nonblock = nonblock };
	struct datagram *g;
	uint64_t bytes;
	long copied;
	int error = errors ? take_error(d, &g) : wait_datagram(d, &r, &g);

	if (error != 0 || g == NULL)
		return error;
	describe(d, g, &r, m);
	bytes = MIN(m->datagram_bytes - r.skip_bytes, m->data->left_bytes);
	net_unlock();
	copied = bytes == 0 ? 0 : socket_copy_chain(m->data, g->p, (uint32_t)r.skip_bytes, bytes);
	net_lock();
	if (!errors && copied == (long)bytes)
		note_progress(d, g, m, bytes);
	if (!errors && (m->flags & SOCKET_MSG_PEEK) == 0 && d->inet.base.protocol == IP_PROTO_UDP)
		net_counters.udp[!net_ip_is_v4(&g->source)].received++;
	if (errors || (m->flags & SOCKET_MSG_PEEK) == 0)
		drop(d, errors ? &d->errors : &d->queue, g);
	return copied == (long)bytes ? copied : -EFAULT;
}

long datagram_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	long result;

	m->has_address = false;
	net_lock();
	socket_enter_locked(s, &s->read_busy);
	result = receive_one(datagram_of(s), m, nonblock);
	socket_leave_locked(s, &s->read_busy);
	net_unlock();
	return result;
}

/* ------------------------------------------------------------------ the rest */
int datagram_shut_down(struct socket *s, enum socket_shutdown how)
{
	struct datagram_socket *d = datagram_of(s);

	net_lock();
	if (how != SOCKET_SHUT_READ)
		s->write_shut = true;
	if (how != SOCKET_SHUT_WRITE)
		s->read_shut = true;
	socket_notify_locked(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	net_unlock();
	return d->inet.port.remote_port == 0 ? -ENOTCONN : 0;
}

uint32_t datagram_poll_locked(struct socket *s)
{
	struct datagram_socket *d = datagram_of(s);
	uint32_t events = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (!TAILQ_EMPTY(&d->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	if (s->error != 0 || !TAILQ_EMPTY(&d->errors))
		events |= EPOLLERR;
	if (s->read_shut)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (s->read_shut && s->write_shut)
		events |= EPOLLHUP;
	return events;
}
