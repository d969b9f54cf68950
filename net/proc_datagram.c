/*
 * proc_datagram.c: /proc/net/udp, raw, icmp and their kin, and sockstat.
 *
 * What:       UDP's sockets are found in the table of ports, raw ones and those that ping in their
 *             list.
 * Invariants: none beyond proc_rows.c's.
 * Locking:    LOCK_NET for one batch of rows, or one bucket, at a time.
 * Failure:    none beyond fs/proc.c's.
 * Source:     Linux net/ipv4/udp.c (udp4_format_sock), raw.c, ping.c, proc.c (sockstat_seq_show).
 */
#include "base/units.h"
#include "net/address.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"
#include "net/proc_priv.h"
#include "net/proc_rows.h"

#define WIDTH 127u

enum { UDP_NUMBER_WIDTH = 5, RAW_NUMBER_WIDTH = 4 };

static struct proc_row *take(struct proc_batch *b, const struct datagram_socket *d)
{
	const struct port_binding *port = &d->inet.port;
	struct proc_row *r = proc_next_row(b);

	if (r == NULL)
		return NULL;
	proc_take_socket(r, &d->inet.base, false);
	r->local = port->local_ip;
	r->local_port = port->local_port;
	r->remote = port->remote_port != 0 ? port->remote_ip : *inet_any(&d->inet);
	r->remote_port = port->remote_port;
	r->state = port->remote_port != 0 ? PROC_ESTABLISHED : PROC_CLOSE;
	r->rx_bytes = d->queue_bytes;
	r->drops = d->inet.base.drops;
	return r;
}

static struct datagram_socket *of_binding(struct port_binding *port)
{
	return datagram_of(&container_of(port, struct inet_socket, port)->base);
}

static void take_udp(struct port_binding *port, void *arg)
{
	const struct datagram_socket *d = of_binding(port);
	struct proc_batch *b = arg;

	if (d->inet.base.family == b->family)
		(void)take(b, d);
}

static void print_rows(struct proc_text *t, struct proc_batch *b, int number_width, size_t width)
{
	for (uint32_t i = 0; i < b->count; i++, b->printed++) {
		size_t start = t->len;

		proc_print_row(t, b, &b->rows[i], number_width);
		proc_print(t, " %u 0000000000000000 %u", b->rows[i].refs, b->rows[i].drops);
		proc_end_row(t, start, b->family == SOCKET_INET6 ? 0 : width);
	}
}

static void list_udp(struct proc_text *t, unsigned family)
{
	struct proc_batch b = { .family = family };

	proc_print_row_header(t, family, " ref pointer drops", WIDTH);
	for (uint32_t bucket = 0; bucket < PORT_BUCKETS; bucket++) {
		proc_begin_list(&b);
		while (proc_begin_batch(&b)) {
			net_lock();
			port_each(udp_ports(), bucket, take_udp, &b);
			net_unlock_batch();
			print_rows(t, &b, UDP_NUMBER_WIDTH, WIDTH);
		}
	}
}

void net_proc_make_udp(struct proc_text *t)
{
	list_udp(t, SOCKET_INET);
}

void net_proc_make_udp6(struct proc_text *t)
{
	list_udp(t, SOCKET_INET6);
}

/* ------------------------------------------------------------------ raw and ping sockets */
/* The port is the protocol's number. */
static void take_raw(const struct datagram_socket *d, bool ping, void *arg)
{
	struct proc_batch *b = arg;
	struct proc_row *r;

	if (ping || d->inet.base.family != b->family || (r = take(b, d)) == NULL)
		return;
	r->local_port = d->inet.base.protocol;
	r->remote_port = 0;
}

static void take_ping(const struct datagram_socket *d, bool ping, void *arg)
{
	struct proc_batch *b = arg;
	struct proc_row *r;

	if (!ping || d->inet.base.family != b->family || (r = take(b, d)) == NULL)
		return;
	r->remote_port = 0;
}

static void list_raw(struct proc_text *t, unsigned family,
	void (*fn)(const struct datagram_socket *d, bool ping, void *arg), int number_width,
	size_t width)
{
	struct proc_batch b = { .family = family };

	proc_print_row_header(t, family, " ref pointer drops", width);
	while (proc_begin_batch(&b)) {
		net_lock();
		raw_each_locked(fn, &b);
		net_unlock_batch();
		print_rows(t, &b, number_width, width);
	}
}

void net_proc_make_raw(struct proc_text *t)
{
	list_raw(t, SOCKET_INET, take_raw, RAW_NUMBER_WIDTH, 0);
}

void net_proc_make_raw6(struct proc_text *t)
{
	list_raw(t, SOCKET_INET6, take_raw, RAW_NUMBER_WIDTH, 0);
}

void net_proc_make_icmp(struct proc_text *t)
{
	list_raw(t, SOCKET_INET, take_ping, UDP_NUMBER_WIDTH, WIDTH);
}

void net_proc_make_icmp6(struct proc_text *t)
{
	list_raw(t, SOCKET_INET6, take_ping, UDP_NUMBER_WIDTH, 0);
}

/* ------------------------------------------------------------------ sockstat */
struct counts {
	uint32_t udp[2], raw[2]; /* by family */
	uint64_t udp_bytes;
};

static void count_udp(struct port_binding *port, void *arg)
{
	const struct datagram_socket *d = of_binding(port);
	struct counts *c = arg;

	c->udp[d->inet.base.family == SOCKET_INET6]++;
	c->udp_bytes += d->queue_bytes;
}

static void count_raw(const struct datagram_socket *d, bool ping, void *arg)
{
	struct counts *c = arg;

	c->raw[d->inet.base.family == SOCKET_INET6] += !ping;
}

static void count(struct counts *c)
{
	*c = (struct counts){ .udp_bytes = 0 };
	for (uint32_t bucket = 0; bucket < PORT_BUCKETS; bucket++) {
		net_lock();
		port_each(udp_ports(), bucket, count_udp, c);
		net_unlock_batch();
	}
	net_lock();
	raw_each_locked(count_raw, c);
	net_unlock_batch();
}

static uint64_t pages_of(uint64_t bytes)
{
	return ROUND_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT;
}

void net_proc_make_sockstat(struct proc_text *t)
{
	struct net_proc_tcp_counts tcp;
	struct counts c;

	net_proc_count_tcp(&tcp);
	count(&c);
	proc_print(t, "sockets: used %u\n", socket_count_used());
	proc_print(t, "TCP: inuse %lu orphan %lu tw %lu alloc %u mem %lu\n", tcp.in_use[0],
		tcp.orphans, tcp.time_wait, socket_count_tcp(), pages_of(tcp.buffered_bytes));
	proc_print(t, "UDP: inuse %u mem %lu\nUDPLITE: inuse 0\nRAW: inuse %u\n", c.udp[0],
		pages_of(c.udp_bytes), c.raw[0]);
}

void net_proc_make_sockstat6(struct proc_text *t)
{
	struct net_proc_tcp_counts tcp;
	struct counts c;

	net_proc_count_tcp(&tcp);
	count(&c);
	proc_print(t, "TCP6: inuse %lu\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse %u\n",
		tcp.in_use[1], c.udp[1], c.raw[1]);
}
