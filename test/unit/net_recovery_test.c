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
 * net_recovery_test.c: TCP over a wire that loses, doubles, reorders and cuts.
 *
 * What:       bulk transfers at several rates of loss, with and without selective acknowledgements,
 *             with every byte checked; a path that is narrower than its ends; the price of a packet
 *             with many connections.
 * Invariants: (1) bytes arrive once and in order, whatever happens to frames. (2) no transfer is
 *             slower than its bound, in virtual time: so a recovery that waits for timeouts shows.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     net/tcp_recovery.c, net/tcp_mtu.c.
 */
#include <string.h>
#include <time.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "host_net_pair.h"

enum { IP_AT = 14, TCP_AT = 34, NARROW_MTU = 1200 };

static uint64_t seed = 1;
static unsigned loss_permille;
static bool without_sack;
static uint32_t largest; /* IP packet that the narrow path let through */
static unsigned refused;

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* A peer of old: it does not know the option. */
static void strip_sack(uint8_t *tcp)
{
	uint32_t sum = (uint16_t)~get16(tcp + 16);

	for (unsigned i = 20; i + 1 < (tcp[12] >> 4) * 4u; i += tcp[i] == 1 ? 1 : tcp[i + 1]) {
		if (tcp[i] != 4)
			continue;
		CHECK_EQ(i % 2, 0);
		sum += (uint16_t)~get16(tcp + i) + 0x0101u; /* RFC 1624 */
		tcp[i] = tcp[i + 1] = 1;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
}

static enum host_net_fate lossy(const uint8_t *frame, uint32_t bytes)
{
	uint64_t r = host_random(&seed) % 1000;

	if (without_sack && bytes > TCP_AT + 20 && frame[23] == 6 && (frame[TCP_AT + 13] & 2))
		strip_sack((uint8_t *)(uintptr_t)frame + TCP_AT);
	if (r < loss_permille)
		return HOST_NET_LOSE;
	r = host_random(&seed) % 1000;
	return r < 20 ? HOST_NET_TWICE : r < 70 ? HOST_NET_LATE : HOST_NET_DELIVER;
}

static void test_loss(unsigned permille, bool sack, unsigned most_s)
{
	struct file *l = listen_on(80);
	struct pair p;
	uint64_t start_ns, took_ns;

	loss_permille = permille;
	without_sack = !sack;
	host_net_fate = lossy;
	p = connected_pair(l, 60);
	start_ns = host_net_now_ns();
	move_bytes(p, 4 * MIB);
	took_ns = host_net_now_ns() - start_ns;
	printf("4 MiB at %.1f %% loss, 2 ms round trip, %s SACK: %.1f s\n", permille / 10.0,
		sack ? "with" : "without", (double)took_ns / 1e9);
	CHECK(took_ns <= most_s * NS_PER_S); /* (2) */
	close_pair(p);
	file_put(l);
	host_net_fate = NULL;
	host_net_advance(300 * NS_PER_S);
}

/* ------------------------------------------------------------------ a narrow path */
static uint16_t ip_sum(const uint8_t *ip, unsigned bytes)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < bytes; i += 2)
		sum += get16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* A router on the way: what it refuses it tells of (RFC 1191), from the sender's point of view:
 * the mirror's far end is the same machine, so both directions are narrow. */
static enum host_net_fate narrow(const uint8_t *frame, uint32_t bytes)
{
	uint8_t icmp[14 + 20 + 8 + 28] = { 0 };
	uint16_t sum;

	if (frame[12] != 8 || frame[13] != 0)
		return HOST_NET_DELIVER;
	if (bytes - IP_AT <= NARROW_MTU) {
		largest = MAX(largest, bytes - IP_AT);
		return HOST_NET_DELIVER;
	}
	CHECK(frame[IP_AT + 6] & 0x40); /* DF, or nobody would tell */
	refused++;
	memcpy(icmp, frame + 6, 6);
	memcpy(icmp + 6, frame, 6);
	icmp[12] = 8;
	memcpy(icmp + IP_AT, "\x45\0\0\x38\0\1\0\0\x40\1\0\0\x0a\0\0\x63", 16);
	memcpy(icmp + IP_AT + 16, frame + IP_AT + 12, 4);
	sum = ip_sum(icmp + IP_AT, 20);
	icmp[IP_AT + 10] = (uint8_t)(sum >> 8);
	icmp[IP_AT + 11] = (uint8_t)sum;
	icmp[TCP_AT] = 3;
	icmp[TCP_AT + 1] = 4;
	icmp[TCP_AT + 6] = NARROW_MTU >> 8;
	icmp[TCP_AT + 7] = NARROW_MTU & 0xff;
	memcpy(icmp + TCP_AT + 8, frame + IP_AT, 28);
	sum = ip_sum(icmp + TCP_AT, 36);
	icmp[TCP_AT + 2] = (uint8_t)(sum >> 8);
	icmp[TCP_AT + 3] = (uint8_t)sum;
	host_net_inject(icmp, sizeof(icmp));
	return HOST_NET_LOSE;
}

static void test_narrow_path(void)
{
	struct file *l = listen_on(80);
	struct pair p, q;
	uint64_t start_ns;
	unsigned refused_before;

	host_net_fate = narrow;
	p = connected_pair(l, 5);
	start_ns = host_net_now_ns();
	move_bytes(p, MIB);
	printf("1 MiB through a path of %u bytes: %.2f s, %u packets refused, largest %u\n",
		(unsigned)NARROW_MTU, (double)(host_net_now_ns() - start_ns) / 1e9, refused,
		largest);
	CHECK(refused > 0 && refused < 100);
	CHECK_EQ(largest, NARROW_MTU);
	CHECK(host_net_now_ns() - start_ns < 5 * NS_PER_S);
	/* The next connection knows it from the first byte. */
	refused_before = refused;
	q = connected_pair(l, 5);
	move_bytes(q, MIB / 4);
	CHECK_EQ(refused, refused_before);
	close_pair(q);
	close_pair(p);
	file_put(l);
	host_net_fate = NULL;
	host_net_advance(300 * NS_PER_S);
}

/* A path that becomes narrow while larger segments wait to be sent: what is written then does not
 * join the last of them. */
static void test_narrow_under_way(void)
{
	static char data[40 * 1460 + 1300], in[4096];
	struct file *l = listen_on(80);
	struct pair p = connected_pair(l, 5);
	uint64_t left = sizeof(data);
	long n;

	host_net_fate = narrow;
	CHECK_EQ(host_net_send(p.client, data, sizeof(data)), sizeof(data));
	for (int i = 0; i < 20; i++, left += 100) { /* before and after a router tells */
		CHECK_EQ(host_net_send(p.client, data, 100), 100);
		host_net_advance(NS_PER_MS);
	}
	CHECK(refused > 0);
	while (left != 0) {
		n = host_net_receive(p.server, in, sizeof(in), 0);
		CHECK(n > 0 || n == -EAGAIN);
		if (n > 0)
			left -= (uint64_t)n;
		else
			host_net_advance(10 * NS_PER_MS);
	}
	close_pair(p);
	file_put(l);
	host_net_fate = NULL;
	refused = 0;
	host_net_advance(700 * NS_PER_S); /* the path is forgotten */
}

/* A connection that was idle for a minute loses its first packet: that is noticed at once. */
static void test_loss_after_idle(void)
{
	struct file *l = listen_on(80);
	struct pair p = connected_pair(l, 5);
	uint64_t start_ns;
	char c = 'x';

	host_net_advance(60 * NS_PER_S);
	CHECK_EQ(host_net_send(p.client, &c, 1), 1);
	host_net_advance(NS_PER_S);
	CHECK_EQ(host_net_receive(p.server, &c, 1, 0), 1);
	loss_permille = 1000;
	host_net_fate = lossy;
	CHECK_EQ(host_net_send(p.client, &c, 1), 1);
	host_net_fate = NULL;
	start_ns = host_net_now_ns();
	while (host_net_receive(p.server, &c, 1, 0) != 1)
		host_net_advance(NS_PER_MS);
	printf("a lost packet was sent again after %.0f ms\n",
		(double)(host_net_now_ns() - start_ns) / 1e6);
	CHECK(host_net_now_ns() - start_ns >= 200 * NS_PER_MS);
	CHECK(host_net_now_ns() - start_ns <= 400 * NS_PER_MS);
	close_pair(p);
	file_put(l);
	host_net_advance(200 * NS_PER_S);
}

/* ------------------------------------------------------------------ many connections */
static double process_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU time of a byte there and back, on the last of many connections. */
static double round_trip_us(struct pair p)
{
	enum { TRIPS = 2000 };
	double start = process_seconds();
	char c = 'x';

	for (unsigned i = 0; i < TRIPS; i++) {
		CHECK_EQ(host_net_send(p.client, &c, 1), 1);
		host_net_advance(2 * NS_PER_MS);
		CHECK_EQ(host_net_receive(p.server, &c, 1, 0), 1);
		CHECK_EQ(host_net_send(p.server, &c, 1), 1);
		host_net_advance(2 * NS_PER_MS);
		CHECK_EQ(host_net_receive(p.client, &c, 1, 0), 1);
	}
	return (process_seconds() - start) / TRIPS * 1e6;
}

static void test_many(void)
{
	enum { MANY = 5000 }; /* each has two ends here: 10,000 connections */
	static struct pair p[MANY];
	struct file *l = listen_on(80);
	double few, many;
	unsigned i;

	p[0] = connected_pair(l, 5);
	(void)round_trip_us(p[0]);
	few = round_trip_us(p[0]);
	for (i = 1; i < MANY; i++)
		p[i] = connected_pair(l, 5);
	host_net_advance(10 * NS_PER_S);
	many = round_trip_us(p[MANY - 1]);
	printf("a round trip: %.1f us of CPU with 2 connections, %.1f us with %u\n", few, many,
		2 * MANY);
	CHECK(many < 4 * few); /* a scan of 10,000 costs a hundred times as much */
	for (i = 0; i < MANY; i++)
		close_pair(p[i]);
	file_put(l);
	host_net_advance(300 * NS_PER_S);
}

int main(void)
{
	uint64_t objects;

	setvbuf(stdout, NULL, _IOLBF, 0);
	host_net_init(true);
	objects = host_kmem_objects();
	test_loss(0, true, 2);
	test_loss(10, true, 5);
	test_loss(50, true, 10);
	test_loss(10, false, 10);
	test_loss(50, false, 40);
	test_narrow_under_way();
	test_narrow_path();
	test_loss_after_idle();
	test_many();
	host_net_advance(400 * NS_PER_S);
	CHECK_EQ(host_kmem_objects(), objects);
	CHECK_EQ(host_net_buffers(), 0);
	printf("net_recovery_test: ok\n");
	return 0;
}
