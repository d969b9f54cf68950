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
 * test/unit/shim/host_net.c test/unit/shim/host_net_kernel.c test/unit/shim/host_lwip.c
 * test/unit/shim/host_net_pair.c */
/*
 * net_wire_test.c: the network core over a wire that fails.
 *
 * What:       an outage of 60 s, give-up, keepalive, no answer at all, no neighbour, many idle
 *             connections without a wake-up, hostile frames.
 * Invariants: (1) bytes arrive once and in order, whatever happens to frames. (2) idle costs
 *             nothing.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     net/tcp_table.h; Linux tcp(7) for times.
 */
#include <linux/eventpoll.h>
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "host_net_pair.h"

static uint64_t seed = 1;
static bool outage;

static enum host_net_fate while_up(const uint8_t *frame, uint32_t bytes)
{
	(void)frame;
	(void)bytes;
	return outage ? HOST_NET_LOSE : HOST_NET_DELIVER;
}

/* The 60 s outage of a switch; then a peer that never comes back. */
static void test_outage(void)
{
	struct file *l = listen_on(80);
	struct pair p;
	char in[8];
	uint64_t start_ns;

	host_net_fate = while_up;
	p = connected_pair(l, 5);
	outage = true;
	CHECK_EQ(host_net_send(p.client, "hello", 5), 5);
	host_net_advance(60 * NS_PER_S);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), -EAGAIN);
	outage = false;
	host_net_advance(45 * NS_PER_S);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 5);
	outage = true;
	start_ns = host_net_now_ns();
	CHECK_EQ(host_net_send(p.client, "hello", 5), 5);
	while ((host_net_poll(p.client) & EPOLLERR) == 0)
		host_net_advance(NS_PER_S);
	printf("given up after %.0f s\n", (double)(host_net_now_ns() - start_ns) / 1e9);
	/* Linux: 924 s (tcp_retries2 = 15). */
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S >= 900);
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S <= 1000);
	CHECK_EQ(host_net_receive(p.client, in, 8, 0), -ETIMEDOUT);
	outage = false;
	close_pair(p);
	file_put(l);
	host_net_fate = NULL;
	host_net_advance(400 * NS_PER_S);
}

/* A peer without room that sleeps for some minutes; then one that does not wake up. */
static void test_no_room_outage(void)
{
	struct file *l = listen_on(80);
	struct pair p = connected_pair(l, 5);
	static char block[10000];
	uint64_t sent = 0, got = 0, start_ns;
	long n;

	host_net_fate = while_up;
	while ((n = host_net_send(p.client, block, sizeof(block))) > 0) {
		sent += (uint64_t)n;
		host_net_advance(100 * NS_PER_MS);
	}
	host_net_advance(NS_PER_S);
	outage = true;
	host_net_advance(400 * NS_PER_S);
	CHECK_EQ(host_net_poll(p.client) & EPOLLERR, 0);
	outage = false;
	for (int s = 0; s < 250 && got < sent; s++) {
		while ((n = host_net_receive(p.server, block, sizeof(block), 0)) > 0)
			got += (uint64_t)n;
		host_net_advance(NS_PER_S);
	}
	CHECK_EQ(got, sent);
	while ((n = host_net_send(p.client, block, sizeof(block))) > 0)
		host_net_advance(100 * NS_PER_MS);
	host_net_advance(NS_PER_S);
	outage = true;
	start_ns = host_net_now_ns();
	while ((host_net_poll(p.client) & EPOLLERR) == 0)
		host_net_advance(NS_PER_S);
	printf("without room given up after %.0f s\n",
		(double)(host_net_now_ns() - start_ns) / 1e9);
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S >= 900);
	/* Linux: 924 s, or up to 1800 s when questions were far apart already. */
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S <= 1800);
	outage = false;
	close_pair(p);
	file_put(l);
	host_net_fate = NULL;
	host_net_advance(400 * NS_PER_S);
}

/* What was closed is not kept for long for a peer that does not answer, or that never has room. */
static void test_orphan(bool no_room)
{
	struct file *l = listen_on(80);
	struct pair p = connected_pair(l, 5);
	static char block[10000];
	uint64_t objects, start_ns;

	host_net_fate = while_up;
	CHECK_EQ(host_net_send(p.client, block, sizeof(block)), (long)sizeof(block));
	while (no_room && host_net_send(p.client, block, sizeof(block)) > 0)
		host_net_advance(100 * NS_PER_MS);
	host_net_advance(NS_PER_S);
	outage = !no_room;
	CHECK(outage ? host_net_send(p.client, block, 1) == 1 : true);
	file_put(p.client);
	objects = host_kmem_objects();
	start_ns = host_net_now_ns();
	while (host_kmem_objects() + 2 > objects) /* the socket, its connection */
		host_net_advance(NS_PER_S);
	printf("orphan given up after %.0f s\n", (double)(host_net_now_ns() - start_ns) / 1e9);
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S >= (no_room ? 190 : 95));
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S <= (no_room ? 260 : 130));
	outage = false;
	file_put(p.server);
	file_put(l);
	host_net_fate = NULL;
	host_net_advance(400 * NS_PER_S);
}

/* SO_LINGER with a time: close waits for the last acknowledgement, and no longer than that. */
static void test_linger(void)
{
	struct file *l = listen_on(80);
	struct pair p = connected_pair(l, 5);
	uint64_t start_ns = host_net_now_ns();
	char in[8];

	host_net_fate = while_up;
	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_LINGER, 3), 0);
	CHECK_EQ(host_net_send(p.client, "hello", 5), 5);
	file_put(p.client);
	CHECK(host_net_now_ns() > start_ns && host_net_now_ns() - start_ns < NS_PER_S);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 5);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 0);
	file_put(p.server);
	p = connected_pair(l, 5);
	outage = true;
	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_LINGER, 3), 0);
	CHECK_EQ(host_net_send(p.client, "hello", 5), 5);
	start_ns = host_net_now_ns();
	file_put(p.client);
	CHECK(host_net_now_ns() - start_ns >= 3 * NS_PER_S);
	CHECK(host_net_now_ns() - start_ns < 4 * NS_PER_S);
	outage = false;
	host_net_advance(10 * NS_PER_S); /* the rest went on in the background */
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 5);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 0);
	file_put(p.server);
	file_put(l);
	host_net_fate = NULL;
	host_net_advance(200 * NS_PER_S);
}

static void test_no_answer(void)
{
	struct file *f = host_net_socket(SOCKET_STREAM, true);
	uint64_t start_ns = host_net_now_ns();

	host_net_fate = while_up;
	outage = true;
	CHECK_EQ(host_net_connect(f, HOST_NET_PEER, 80), -EINPROGRESS);
	CHECK_EQ(host_net_poll(f), 0);
	while (host_net_poll(f) == 0)
		host_net_advance(NS_PER_S);
	CHECK_EQ(host_net_error(f), -ETIMEDOUT);
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S >= 120);
	CHECK((host_net_now_ns() - start_ns) / NS_PER_S <= 140);
	outage = false;
	file_put(f);
	f = host_net_socket(SOCKET_STREAM, true);
	CHECK_EQ(host_net_connect(f, HOST_NET_PEER, 81), -EINPROGRESS);
	host_net_advance(3 * NS_PER_S); /* the neighbour was forgotten */
	CHECK_EQ(host_net_error(f), -ECONNREFUSED);
	file_put(f);
	host_net_fate = NULL;
}

/* Nobody has the address: a connection fails after three questions, as on Linux; datagrams are lost
 * silently, unless their sender wants to hear of it. */
static void test_no_neighbour(void)
{
	struct file *f = host_net_socket(SOCKET_STREAM, true);
	uint64_t start_ns = host_net_now_ns();

	host_net_fate = while_up;
	outage = true;
	CHECK_EQ(host_net_connect(f, HOST_NET_PEER + 0x07000000, 80), -EINPROGRESS);
	while (host_net_poll(f) == 0)
		host_net_advance(100 * NS_PER_MS);
	CHECK_EQ(host_net_error(f), -EHOSTUNREACH);
	CHECK(host_net_now_ns() - start_ns >= 2 * NS_PER_S);
	CHECK(host_net_now_ns() - start_ns <= 4 * NS_PER_S);
	file_put(f);
	f = host_net_socket(SOCKET_DATAGRAM, true);
	CHECK_EQ(host_net_connect(f, HOST_NET_PEER + 0x07000000, 80), 0);
	CHECK_EQ(host_net_send(f, "x", 1), 1);
	host_net_advance(5 * NS_PER_S);
	CHECK_EQ(host_net_error(f), 0);
	CHECK_EQ(socket_set_option(f, SOCKET_OPT_RECVERR, 1), 0);
	CHECK_EQ(host_net_send(f, "x", 1), 1);
	host_net_advance(5 * NS_PER_S);
	CHECK_EQ(host_net_send(f, "x", 1), -EHOSTUNREACH);
	outage = false;
	file_put(f);
	host_net_fate = NULL;
	host_net_advance(10 * NS_PER_S);
}

static void test_keepalive(void)
{
	struct file *l = listen_on(80);
	struct pair p;
	char in[8];

	host_net_fate = while_up;
	p = connected_pair(l, 5);
	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_KEEPALIVE, 1), 0);
	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_KEEPIDLE, 15), 0);
	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_KEEPINTVL, 15), 0);
	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_KEEPCNT, 4), 0);
	host_net_wakes = 0;
	host_net_advance(600 * NS_PER_S);
	CHECK(host_net_wakes <= 200); /* 40 probes, with ticks around them */
	CHECK_EQ(host_net_receive(p.client, in, 1, 0), -EAGAIN);
	outage = true;
	host_net_advance(55 * NS_PER_S);
	CHECK_EQ(host_net_receive(p.client, in, 1, 0), -EAGAIN);
	host_net_advance(40 * NS_PER_S);
	CHECK_EQ(host_net_receive(p.client, in, 1, 0), -ETIMEDOUT);
	outage = false;
	close_pair(p);
	file_put(l);
	host_net_fate = NULL;
	host_net_advance(400 * NS_PER_S);
}

static void test_idle(void)
{
	enum { MANY = 1000 };
	static struct pair p[MANY];
	struct file *l = listen_on(80);
	unsigned i;

	for (i = 0; i < MANY; i++)
		p[i] = connected_pair(l, 5);
	host_net_advance(10 * NS_PER_S);
	host_net_wakes = 0;
	host_net_advance(3600 * NS_PER_S);
	printf("%u connections: %lu wake-ups in an hour\n", 2 * MANY, host_net_wakes);
	CHECK_EQ(host_net_wakes, 0); /* (2) */
	for (i = 0; i < MANY; i++)
		close_pair(p[i]);
	file_put(l);
	host_net_advance(200 * NS_PER_S);
}

/* A machine that stood still for an hour: nobody is punished for it. */
static void test_jump(void)
{
	struct file *l = listen_on(80);
	struct pair p = connected_pair(l, 5);
	char in[8];

	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_KEEPALIVE, 1), 0);
	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_KEEPIDLE, 15), 0);
	host_net_stand_still(3600 * NS_PER_S);
	CHECK_EQ(host_net_receive(p.client, in, 1, 0), -EAGAIN);
	host_net_advance(5 * NS_PER_S);
	CHECK_EQ(host_net_send(p.client, "x", 1), 1);
	host_net_advance(NS_PER_S);
	CHECK_EQ(host_net_receive(p.server, in, 8, 0), 1);
	close_pair(p);
	file_put(l);
	host_net_advance(200 * NS_PER_S);
}

/* A machine whose timers are late, as under a busy host: that is not taken for silence. */
static void test_late_timers(void)
{
	struct file *l = listen_on(80);
	struct pair p = connected_pair(l, 5);
	static char block[2000];
	unsigned i;

	CHECK_EQ(socket_set_option(p.client, SOCKET_OPT_KEEPALIVE, 1), 0);
	CHECK_EQ(socket_set_option(p.server, SOCKET_OPT_KEEPALIVE, 1), 0);
	for (i = 0; i < 2000; i++) {
		CHECK_EQ(host_net_send(p.client, block, sizeof(block)), (long)sizeof(block));
		host_net_stand_still(host_random(&seed) % (700 * NS_PER_MS));
		host_net_frames_first = i % 2 == 0;
		host_net_advance(NS_PER_MS * (host_random(&seed) % 20));
		while (host_net_receive(p.server, block, sizeof(block), 0) > 0)
			;
		CHECK_EQ(host_net_error(p.client), 0);
		CHECK_EQ(host_net_error(p.server), 0);
	}
	host_net_frames_first = false;
	close_pair(p);
	file_put(l);
	host_net_advance(200 * NS_PER_S);
}

/* Frames that are wrong in every byte, one after the other, and cut everywhere. */
static void test_hostile(void)
{
	static uint8_t good[64];
	uint8_t bad[64];
	unsigned i, k;

	memcpy(good, "\2\0\0\0\0\1\2\0\0\0\0\2\10\0", 14);
	memcpy(good + 14, "\x45\0\0\x30\0\1\0\0\x40\6\0\0\x0a\0\0\2\x0a\0\0\1", 20);
	memcpy(good + 34, "\x12\x34\0\x50\0\0\0\1\0\0\0\0\x70\2\x20\0\0\0\0\0\2\4\5\xb4\1\3\3\7",
		28);
	for (i = 0; i < sizeof(good); i++) {
		for (k = 0; k < 256; k += 5) {
			memcpy(bad, good, sizeof(bad));
			bad[i] = (uint8_t)k;
			host_net_inject(bad, 62);
			host_net_inject(bad, i + 1);
		}
		host_net_advance(NS_PER_MS);
	}
	host_net_advance(200 * NS_PER_S);
	CHECK_EQ(host_net_buffers(), 0);
}

/* SO_RCVBUF while the handshake is under way. */
static void test_early_buffer(void)
{
	struct file *l = host_net_socket(SOCKET_STREAM, true);
	struct file *f = host_net_socket(SOCKET_STREAM, true);

	CHECK_EQ(host_net_bind(l, 0, 90), 0);
	CHECK_EQ(socket_listen(l, 1), 0);
	CHECK_EQ(host_net_connect(f, HOST_NET_PEER, 90), -EINPROGRESS);
	CHECK_EQ(socket_set_option(f, SOCKET_OPT_RCVBUF, 4096), 0);
	host_net_advance(3 * NS_PER_S);
	CHECK_EQ(host_net_error(f), 0);
	CHECK(host_net_poll(f) & EPOLLOUT);
	file_put(f);
	file_put(l);
	host_net_advance(200 * NS_PER_S);
}

int main(void)
{
	uint64_t objects;

	setvbuf(stdout, NULL, _IOLBF, 0);
	host_net_init(true);
	objects = host_kmem_objects();
	test_outage();
	test_no_room_outage();
	test_orphan(false);
	test_orphan(true);
	test_linger();
	test_no_answer();
	test_early_buffer();
	test_no_neighbour();
	test_keepalive();
	test_idle();
	test_jump();
	test_late_timers();
	test_hostile();
	host_net_advance(400 * NS_PER_S);
	CHECK_EQ(host_kmem_objects(), objects);
	CHECK_EQ(host_net_buffers(), 0);
	printf("net_wire_test: ok\n");
	return 0;
}
