/* sources: net/net.c net/lwip_port.c net/loopback.c net/device.c net/config.c net/ip_guard.c
 * net/filter.c lib/bpf.c net/raw_input.c
 * net/tcp_table.c net/tcp_mtu.c net/tcp_deadline.c net/tcp_recovery.c net/port.c net/inet.c
 * net/address.c net/ip_input.c net/ip_output.c net/icmp_error.c net/datagram.c
 * net/datagram_send.c net/datagram_option.c net/multicast.c net/config6.c net/nd_guard.c
 * net/dhcp_guard.c net/tcp_cookie.c
 * net/neighbour.c net/bad_packet.c lib/ip_text.c net/rawsocket.c net/packet.c net/socket.c
 * net/socket_option.c net/tcp.c net/tcp_end.c net/tcp_listen.c
 * net/tcp_io.c net/tcp_receive.c net/tcp_urgent.c net/tcp_option.c net/udp.c net/udp_send.c
 * net/unix.c net/unix_name.c net/unix_rights.c net/unix_io.c net/unix_queue.c net/netlink.c
 * net/netlink_route.c net/netlink_facts.c
 * net/netlink_announce.c net/facts6.c
 * net/counters.c net/socket_count.c
 * lib/fmt.c kernel/uio.c kernel/sync/pollq.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_net.c test/unit/shim/host_net_kernel.c test/unit/shim/host_lwip.c */
/*
 * net_stream_test.c: TCP sockets over the loopback, case by case.
 *
 * What:       connecting, refusing, moving bytes both ways, half close, reset, backlog, options,
 *             polls.
 * Invariants: (1) every byte arrives once and in order. (2) nothing is left over at the end.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     net/socket.h; Linux tcp(7), epoll(7).
 */
#include <linux/eventpoll.h>
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "host_net.h"
#include "kernel/mm/kmem.h"

static char pattern_at(uint64_t i)
{
	return (char)(i * 7 + i / 251 + i / 65521);
}

static struct file *listen_on(uint16_t port, int backlog)
{
	struct file *l = host_net_socket(SOCKET_STREAM, true);

	CHECK_EQ(socket_set_option(l, SOCKET_OPT_REUSEADDR, 1), 0);
	CHECK_EQ(host_net_bind(l, 0, port), 0);
	CHECK_EQ(socket_listen(l, backlog), 0);
	return l;
}

struct pair {
	struct file *client, *server;
};

static struct pair connected_pair(void)
{
	struct file *l = listen_on(0, 10);
	struct pair p = { host_net_socket(SOCKET_STREAM, true), NULL };

	CHECK_EQ(host_net_connect(p.client, HOST_NET_LOOPBACK, host_net_port(l)), -EINPROGRESS);
	CHECK_EQ(host_net_accept(l, &p.server), 0);
	CHECK_EQ(host_net_connect(p.client, HOST_NET_LOOPBACK, host_net_port(l)), 0);
	file_put(l);
	return p;
}

static void close_pair(struct pair p)
{
	if (p.client != NULL)
		file_put(p.client);
	if (p.server != NULL)
		file_put(p.server);
}

static void test_refused(void)
{
	struct file *f = host_net_socket(SOCKET_STREAM, true);
	struct socket_address a;
	char c;

	CHECK_EQ(host_net_poll(f), EPOLLOUT | EPOLLWRNORM | EPOLLHUP);
	CHECK_EQ(host_net_receive(f, &c, 1, 0), -ENOTCONN);
	CHECK_EQ(host_net_send(f, &c, 1), -EPIPE);
	CHECK_EQ(host_net_connect(f, HOST_NET_LOOPBACK, 9), -EINPROGRESS);
	CHECK_EQ(host_net_poll(f) & 0x3fff, 0x205d | EPOLLWRNORM);
	CHECK_EQ(host_net_error(f), -ECONNREFUSED);
	CHECK_EQ(host_net_error(f), 0);
	CHECK_EQ(host_net_connect(f, HOST_NET_LOOPBACK, 9), -ECONNABORTED);
	CHECK_EQ(host_net_connect(f, HOST_NET_LOOPBACK, 9), -EINPROGRESS);
	CHECK_EQ(host_net_connect(f, HOST_NET_LOOPBACK, 9), -ECONNREFUSED);
	CHECK_EQ(socket_get_name(f, true, &a), -ENOTCONN);
	file_put(f);
}

static void test_names(void)
{
	struct pair p = connected_pair();
	struct socket_address c, s;

	CHECK_EQ(socket_get_name(p.client, false, &c), 0);
	CHECK_EQ(socket_get_name(p.server, true, &s), 0);
	CHECK(c.port == s.port && net_ip_is_equal(&c.ip, &s.ip) &&
		net_ip_v4(&c.ip) == HOST_NET_LOOPBACK);
	CHECK(c.port >= 32768 && c.port <= 60999);
	CHECK_EQ(host_net_connect(p.client, HOST_NET_LOOPBACK, 1), -EISCONN);
	close_pair(p);
}

static void test_bytes(uint64_t total)
{
	struct pair p = connected_pair();
	uint64_t sent = 0, got = 0, i;
	static char out[70000], in[50000];
	long n;

	while (got < total) {
		if (sent < total) {
			n = (long)MIN(sizeof(out), total - sent);
			for (i = 0; i < (uint64_t)n; i++)
				out[i] = pattern_at(sent + i);
			n = host_net_send(p.client, out, (uint64_t)n);
			CHECK(n > 0 || n == -EAGAIN);
			sent += n > 0 ? (uint64_t)n : 0;
			CHECK(n > 0 || (host_net_poll(p.client) & EPOLLOUT) == 0);
		}
		n = host_net_receive(p.server, in, sizeof(in), 0);
		CHECK(n > 0 || n == -EAGAIN);
		for (i = 0; n > 0 && i < (uint64_t)n; i++)
			CHECK(in[i] == pattern_at(got + i));
		got += n > 0 ? (uint64_t)n : 0;
	}
	CHECK_EQ(host_net_receive(p.server, in, 1, 0), -EAGAIN);
	CHECK((host_net_poll(p.client) & EPOLLOUT) != 0);
	close_pair(p);
}

static void check_bytes(struct file *f, uint64_t *at, uint64_t bytes)
{
	static char in[5000];
	long n = host_net_receive(f, in, bytes, 0);

	CHECK(n > 0);
	for (long i = 0; i < n; i++)
		CHECK(in[i] == pattern_at((*at)++));
}

/* Many packets of few bytes that nobody reads do not cost many times their bytes. A larger one
 * among them, peeks and reads of all sizes find every byte. */
static void test_small_packets(void)
{
	struct pair p = connected_pair();
	uint64_t before = kmem_used_bytes(), sent = 0, got = 0, bytes;
	static char out[3000];
	char c;

	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_NODELAY, 1), 0);
	for (int i = 0; i < 20000; i++) {
		bytes = i % 1000 == 999 ? 1 + (uint64_t)i % 3000 : 1 + (uint64_t)i % 2;
		for (uint64_t j = 0; j < bytes; j++)
			out[j] = pattern_at(sent + j);
		CHECK_EQ(host_net_send(p.client, out, bytes), (long)bytes);
		sent += bytes;
		if (i % 100 != 99)
			continue;
		CHECK_EQ(host_net_receive(p.server, &c, 1, SOCKET_MSG_PEEK), 1);
		CHECK(c == pattern_at(got));
		check_bytes(p.server, &got, 1 + (uint64_t)i % 7);
	}
	CHECK(kmem_used_bytes() - before < 5 * (sent - got));
	for (uint64_t i = 0; got < sent; i++)
		check_bytes(p.server, &got, 1 + i * 37 % 4999);
	CHECK_EQ(host_net_receive(p.server, &c, 1, 0), -EAGAIN);
	close_pair(p);
}

/* Who disconnects begins anew at once: nothing of the old connection touches the new one. */
static void test_disconnect(void)
{
	struct file *l = listen_on(0, 10), *server;
	struct socket_address nobody = { .family = SOCKET_UNSPEC };
	struct pair p = connected_pair();
	char in[8];

	CHECK_EQ(host_net_send(p.client, "old", 3), 3);
	CHECK_EQ(host_net_send(p.server, "unread", 6), 6);
	CHECK_EQ(socket_shut_down(p.client, SOCKET_SHUT_WRITE), 0);
	CHECK_EQ(socket_connect(p.client, &nobody), 0);
	CHECK_EQ(host_net_error(p.client), -ECONNRESET);
	CHECK_EQ(host_net_connect(p.client, HOST_NET_LOOPBACK, host_net_port(l)), -EINPROGRESS);
	CHECK_EQ(host_net_accept(l, &server), 0);
	CHECK_EQ(host_net_send(p.client, "new", 3), 3);
	host_net_advance(200 * NS_PER_S); /* the old one's TIME_WAIT would be over */
	CHECK_EQ(host_net_receive(server, in, sizeof(in), 0), 3);
	CHECK_EQ(memcmp(in, "new", 3), 0);
	CHECK_EQ(host_net_send(server, "there", 5), 5);
	CHECK_EQ(host_net_receive(p.client, in, sizeof(in), 0), 5);
	CHECK_EQ(socket_connect(l, &nobody), 0);
	CHECK_EQ(host_net_poll(l), EPOLLOUT | EPOLLWRNORM | EPOLLHUP);
	file_put(server);
	file_put(l);
	close_pair(p);
}

/* Unread bytes fill both buffers; the writer is told when a third is free again. */
static void test_full(void)
{
	struct pair p = connected_pair();
	static char block[10000];
	uint64_t sent = 0;
	long n;

	while ((n = host_net_send(p.client, block, sizeof(block))) > 0)
		sent += (uint64_t)n;
	CHECK_EQ(n, -EAGAIN);
	CHECK(sent >= 256 * KIB);
	CHECK((host_net_poll(p.client) & EPOLLOUT) == 0);
	host_net_advance(200 * NS_PER_S); /* the peer's window stays shut: the connection lives */
	while (sent != 0) {
		n = host_net_receive(p.server, block, sizeof(block), 0);
		if (n == -EAGAIN) {
			host_net_advance(NS_PER_S);
			continue;
		}
		CHECK(n > 0);
		sent -= (uint64_t)n;
	}
	CHECK((host_net_poll(p.client) & EPOLLOUT) != 0);
	close_pair(p);
}

static void test_half_close(void)
{
	struct pair p = connected_pair();
	char c = 'x';

	CHECK_EQ(host_net_send(p.client, "last", 4), 4);
	CHECK_EQ(socket_shut_down(p.client, SOCKET_SHUT_WRITE), 0);
	CHECK_EQ(host_net_send(p.client, &c, 1), -EPIPE);
	CHECK((host_net_poll(p.server) & (EPOLLIN | EPOLLRDHUP)) == (EPOLLIN | EPOLLRDHUP));
	CHECK((host_net_poll(p.server) & EPOLLHUP) == 0);
	char in[8];
	CHECK_EQ(host_net_receive(p.server, in, 8, SOCKET_MSG_PEEK), 4);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 4);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 0);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 0);
	CHECK_EQ(host_net_send(p.server, "answer", 6), 6);
	CHECK_EQ(host_net_receive(p.client, in, 8, 0), 6);
	file_put(p.server);
	CHECK_EQ(host_net_receive(p.client, in, 8, 0), 0);
	CHECK((host_net_poll(p.client) & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ==
			(EPOLLIN | EPOLLRDHUP) ||
		(host_net_poll(p.client) & EPOLLHUP) != 0);
	file_put(p.client);
}

/* Closing with unread bytes resets; so does SO_LINGER 0. */
static void test_reset(bool by_linger)
{
	struct pair p = connected_pair();
	char in[8];

	if (by_linger)
		CHECK_EQ(socket_set_option(p.server, SOCKET_OPT_LINGER, 0), 0);
	else
		CHECK_EQ(host_net_send(p.client, "unread", 6), 6);
	file_put(p.server);
	CHECK((host_net_poll(p.client) & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) ==
		(EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP));
	CHECK_EQ(host_net_receive(p.client, in, 8, 0), -ECONNRESET);
	CHECK_EQ(host_net_receive(p.client, in, 8, 0), 0);
	CHECK_EQ(host_net_send(p.client, in, 1), -EPIPE);
	file_put(p.client);
}

/* Everything that was written before close arrives, although nobody is there any more. */
static void test_close_delivers(void)
{
	struct pair p = connected_pair();
	static char block[100000];
	uint64_t got = 0;
	long n;

	CHECK_EQ(host_net_send(p.client, block, sizeof(block)), (long)sizeof(block));
	file_put(p.client);
	while ((n = host_net_receive(p.server, block, 3000, 0)) > 0)
		got += (uint64_t)n;
	CHECK_EQ(n, 0);
	CHECK_EQ(got, sizeof(block));
	file_put(p.server);
}

static void test_backlog(void)
{
	enum { MANY = 600 };
	struct file *l = listen_on(7000, 500), *c[MANY], *s;
	unsigned i, done = 0, accepted = 0;
	int r;

	for (i = 0; i < MANY; i++) {
		c[i] = host_net_socket(SOCKET_STREAM, true);
		r = host_net_connect(c[i], HOST_NET_LOOPBACK, 7000);
		CHECK_EQ(r, -EINPROGRESS);
		done += (host_net_poll(c[i]) & EPOLLOUT) != 0;
	}
	CHECK_EQ(done, 501); /* backlog and one, as on Linux */
	CHECK_EQ(host_net_connect(c[MANY - 1], HOST_NET_LOOPBACK, 7000), -EALREADY);
	while (accepted < MANY) {
		while (host_net_accept(l, &s) == 0) {
			accepted++;
			file_put(s);
		}
		CHECK_EQ(host_net_accept(l, &s), -EAGAIN);
		host_net_advance(NS_PER_S); /* dropped SYNs come again */
	}
	for (i = 0; i < MANY; i++)
		file_put(c[i]);
	file_put(l);
}

static void test_listener_gone(void)
{
	struct file *l = listen_on(0, 5), *c = host_net_socket(SOCKET_STREAM, true), *other;
	uint16_t port = host_net_port(l);
	char in;

	other = host_net_socket(SOCKET_STREAM, true);
	CHECK_EQ(host_net_bind(other, 0, port), -EADDRINUSE);
	CHECK_EQ(host_net_connect(c, HOST_NET_LOOPBACK, port), -EINPROGRESS);
	file_put(l); /* with a connection that nobody accepted */
	CHECK_EQ(host_net_receive(c, &in, 1, 0), -ECONNRESET);
	CHECK_EQ(socket_set_option(other, SOCKET_OPT_REUSEADDR, 1), 0);
	CHECK_EQ(host_net_bind(other, 0, port), 0);
	CHECK_EQ(socket_listen(other, 1), 0);
	file_put(other);
	file_put(c);
}

static bool send_while_asleep(void);
static struct pair asleep;

static bool send_while_asleep(void)
{
	host_net_while_asleep = NULL;
	CHECK_EQ(host_net_send(asleep.client, "wake", 4), 4);
	return true;
}

static void test_blocking(void)
{
	char in[8];
	uint64_t before_ns;

	asleep = connected_pair();
	asleep.server->flags = 2; /* blocking from now on */
	host_net_while_asleep = send_while_asleep;
	CHECK_EQ(host_net_receive(asleep.server, in, 8, 0), 4);
	CHECK_EQ(host_net_receive(asleep.server, in, 8, SOCKET_MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(socket_set_option(asleep.server, SOCKET_OPT_RCVTIMEO, 50 * NS_PER_MS), 0);
	before_ns = host_net_now_ns();
	CHECK_EQ(host_net_receive(asleep.server, in, 8, 0), -EAGAIN);
	CHECK_EQ(host_net_now_ns() - before_ns, 50 * NS_PER_MS);
	close_pair(asleep);
}

static void test_options(void)
{
	struct file *f = host_net_socket(SOCKET_STREAM, true);
	int64_t v;

	CHECK_EQ(socket_set_option(f, SOCKET_OPT_RCVBUF, 50000), 0);
	CHECK_EQ(socket_get_option(f, SOCKET_OPT_RCVBUF, &v), 0);
	CHECK_EQ(v, 100000);
	CHECK_EQ(socket_set_option(f, SOCKET_OPT_KEEPIDLE, 0), -EINVAL);
	CHECK_EQ(socket_set_option(f, SOCKET_OPT_KEEPIDLE, 15), 0);
	CHECK_EQ(socket_get_option(f, SOCKET_OPT_KEEPIDLE, &v), 0);
	CHECK_EQ(v, 15);
	CHECK_EQ(socket_set_option(f, SOCKET_OPT_PKTINFO, 1), -ENOPROTOOPT);
	file_put(f);
}

static void test_udp(void)
{
	struct file *a = host_net_socket(SOCKET_DATAGRAM, true),
		    *b = host_net_socket(SOCKET_DATAGRAM, true);
	static char big[65507], in[65507];
	struct socket_address name;
	unsigned i;

	CHECK_EQ(host_net_bind(a, HOST_NET_LOOPBACK, 5000), 0);
	CHECK_EQ(host_net_bind(b, HOST_NET_LOOPBACK, 5000), -EADDRINUSE);
	CHECK_EQ(host_net_send(b, "x", 1), -EDESTADDRREQ);
	CHECK_EQ(host_net_connect(b, HOST_NET_LOOPBACK, 5000), 0);
	CHECK_EQ(socket_get_name(b, false, &name), 0);
	CHECK(net_ip_v4(&name.ip) == HOST_NET_LOOPBACK && name.port >= 32768);
	CHECK_EQ(host_net_send(b, "", 0), 0);
	CHECK_EQ(host_net_send(b, "hello", 5), 5);
	CHECK_EQ(host_net_receive(a, in, 10, 0), 0); /* empty, but a datagram */
	CHECK_EQ(host_net_receive(a, in, 3, 0), 3); /* cut */
	CHECK_EQ(host_net_receive(a, in, 3, 0), -EAGAIN);
	for (i = 0; i < sizeof(big); i++)
		big[i] = pattern_at(i);
	CHECK_EQ(host_net_send(b, big, sizeof(big)), (long)sizeof(big));
	CHECK_EQ(host_net_receive(a, in, sizeof(in), 0), (long)sizeof(big));
	CHECK(memcmp(big, in, sizeof(big)) == 0);
	file_put(a);
	CHECK_EQ(host_net_send(b, "nobody", 6), 6);
	CHECK((host_net_poll(b) & EPOLLERR) != 0);
	CHECK_EQ(host_net_receive(b, in, 1, 0), -ECONNREFUSED);
	file_put(b);
}

int main(void)
{
	uint64_t objects;

	host_net_init(false);
	objects = host_kmem_objects();
	test_refused();
	test_names();
	test_bytes(1);
	test_bytes(MIB);
	test_bytes(5 * MIB);
	test_small_packets();
	test_full();
	test_half_close();
	test_reset(true);
	test_reset(false);
	test_disconnect();
	test_close_delivers();
	test_backlog();
	test_listener_gone();
	test_blocking();
	test_options();
	test_udp();
	host_net_advance(200 * NS_PER_S); /* TIME_WAIT is over */
	CHECK_EQ(host_kmem_objects(), objects); /* (2) */
	host_net_wakes = 0;
	host_net_advance(3600 * NS_PER_S);
	CHECK_EQ(host_net_wakes, 0);
	printf("net_stream_test: ok\n");
	return 0;
}
