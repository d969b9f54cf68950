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
 * net_nd_test.c: IPv6 from a wire: neighbour discovery, and those who abuse it.
 *
 * What:       addresses from a router's advertisement, solicitations answered; advertisements and
 *             solicitations that are wrong in one thing each; floods of each kind, of ARP, of SYN
 *             and of fragments.
 * Invariants: (1) what is wrong changes nothing and is counted. (2) a flood takes a bounded amount
 *             of memory, which comes back.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     RFC 4861, RFC 4862; net/nd_guard.c.
 */
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "host_net.h"
#include "kernel/options.h"
#include "kernel/stats.h"

#define ICMP_AT 54u
#define FRAME_BYTES 1514u
#define FLOOD 20000u

enum { SOLICIT_ROUTER = 133, ADVERTISE_ROUTER, SOLICIT, ADVERTISE, REDIRECT, ECHO = 128 };

static uint8_t sent[FRAME_BYTES]; /* the last ICMPv6 message */
static uint32_t sent_bytes;
static unsigned long advertisements; /* that we sent */

static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
static const uint8_t own_link[16] = { 0xfe, 0x80, [8] = 0, 0, 0, 0xff, 0xfe, 0, 0, 1 };
static const uint8_t router[16] = { 0xfe, 0x80, [15] = 9 };

/* Nothing comes back: what we send is looked at here, and everybody else is injected. */
static enum host_net_fate watch(const uint8_t *frame, uint32_t bytes)
{
	if (bytes > ICMP_AT && frame[12] == 0x86 && frame[20] == 58) {
		memcpy(sent, frame, bytes);
		sent_bytes = bytes;
		if (frame[ICMP_AT] == ADVERTISE)
			advertisements++;
	}
	return HOST_NET_LOSE;
}

static void set_sum(uint8_t *frame, uint32_t icmp_bytes)
{
	uint32_t sum = 58 + icmp_bytes;

	for (uint32_t i = 22; i < 54 + icmp_bytes; i += 2)
		sum += (uint32_t)frame[i] << 8 | (i + 1 < 54 + icmp_bytes ? frame[i + 1] : 0);
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	frame[ICMP_AT + 2] = (uint8_t)(~sum >> 8);
	frame[ICMP_AT + 3] = (uint8_t)~sum;
}

/* A message with a good header and sum. */
static void send_icmp(const uint8_t *from, const uint8_t *to, uint8_t hops, const uint8_t *icmp,
	uint32_t bytes)
{
	uint8_t frame[FRAME_BYTES + 1] = { 0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd };

	frame[14] = 0x60;
	frame[18] = (uint8_t)(bytes >> 8);
	frame[19] = (uint8_t)bytes;
	frame[20] = 58;
	frame[21] = hops;
	memcpy(frame + 22, from, 16);
	memcpy(frame + 38, to, 16);
	memcpy(frame + ICMP_AT, icmp, bytes);
	set_sum(frame, bytes);
	host_net_inject(frame, ICMP_AT + bytes);
	host_net_advance(NS_PER_MS);
}

/* A router's advertisement: lifetime, and a prefix 2001:db8:0:N::/64 for addresses. */
static uint32_t make_router(uint8_t *icmp, uint16_t life_s, uint16_t n)
{
	static const uint8_t head[16] = { ADVERTISE_ROUTER, 0, 0, 0, 64 };
	static const uint8_t prefix[32] = { 3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0,
		0, 0, 0, 0x20, 1, 0x0d, 0xb8 };

	memcpy(icmp, head, sizeof(head));
	icmp[6] = (uint8_t)(life_s >> 8);
	icmp[7] = (uint8_t)life_s;
	memcpy(icmp + 16, prefix, sizeof(prefix));
	icmp[16 + 22] = (uint8_t)(n >> 8);
	icmp[16 + 23] = (uint8_t)n;
	return 48;
}

/* Whether we answer a solicitation for 2001:db8:0:N::200:ff:fe00:1, the address from the prefix. */
static bool owns_address(uint16_t n)
{
	uint8_t icmp[32] = { SOLICIT, [24] = 1, 1, 2, 0, 0, 0, 0, 9 },
		to[16] = { 0xff, 2, [11] = 1, 0xff, 0, 0, 1 };
	unsigned long before = advertisements;

	memcpy(icmp + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\xff\xfe\0\0\1", 16);
	icmp[14] = (uint8_t)(n >> 8);
	icmp[15] = (uint8_t)n;
	send_icmp(router, to, 255, icmp, sizeof(icmp));
	host_net_advance(10 * NS_PER_MS);
	return advertisements != before;
}

static uint64_t bad(void)
{
	return stat_sum(STAT_net_rx_bad);
}

static void test_address(void)
{
	uint8_t icmp[64];
	uint32_t bytes = make_router(icmp, 1800, 1);

	host_net_advance(3 * NS_PER_S);
	CHECK(!owns_address(1));
	send_icmp(router, all_nodes, 255, icmp, bytes);
	host_net_advance(3 * NS_PER_S);
	CHECK(owns_address(1));
	CHECK(!owns_address(2));
	/* An echo, answered with the same bytes. */
	memcpy(icmp, "\x80\0\0\0\0\7\0\1hello...", 16);
	send_icmp(router, own_link, 64, icmp, 16);
	host_net_advance(2 * NS_PER_S); /* it asks for the router's hardware address first */
	CHECK(sent_bytes >= ICMP_AT + 16);
}

/* One thing wrong in each: nothing changes, and it is counted. */
static void test_bad_routers(void)
{
	static const struct {
		uint32_t at; /* of the message */
		uint8_t value;
		uint32_t bytes;
		uint8_t hops;
	} cases[] = {
		{ 0, ADVERTISE_ROUTER, 48, 254 }, /* from beyond a router */
		{ 17, 0, 48, 255 }, /* an option without length */
		{ 17, 5, 48, 255 }, /* one that ends beyond the message */
		{ 17, 0xff, 48, 255 },
		{ 0, ADVERTISE_ROUTER, 15, 255 }, /* cut off in the header */
		{ 0, ADVERTISE_ROUTER, 17, 255 }, /* ... in an option's head */
		{ 0, ADVERTISE_ROUTER, 47, 255 }, /* ... in an option */
		{ 0, REDIRECT, 48, 255 },
	};
	static const uint8_t stranger[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 7 };
	uint8_t icmp[64];
	uint64_t before;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_router(icmp, 1800, 2);
		icmp[cases[i].at] = cases[i].value;
		before = bad();
		send_icmp(router, all_nodes, cases[i].hops, icmp, cases[i].bytes);
		host_net_advance(3 * NS_PER_S);
		CHECK(!owns_address(2)); /* (1) */
		CHECK_EQ(bad(), before + 1);
	}
	make_router(icmp, 1800, 2);
	send_icmp(stranger, all_nodes, 255, icmp, 48); /* not from a link-local address */
	host_net_advance(3 * NS_PER_S);
	CHECK(!owns_address(2));
	/* Prefixes of other lengths give no address. */
	for (unsigned length = 0; length < 256; length++) {
		make_router(icmp, 1800, 2);
		icmp[18] = (uint8_t)length;
		if (length == 64)
			continue;
		send_icmp(router, all_nodes, 255, icmp, 48);
	}
	host_net_advance(3 * NS_PER_S);
	CHECK(!owns_address(2));
	CHECK(owns_address(1));
}

/* Advertisements from ever other routers with ever other prefixes. */
static void test_flood_of_routers(void)
{
	uint8_t icmp[64], from[16];
	uint64_t objects = host_kmem_objects();

	memcpy(from, router, sizeof(from));
	for (unsigned i = 0; i < FLOOD; i++) {
		uint32_t bytes = make_router(icmp, 9000, (uint16_t)(3 + i));

		memcpy(icmp + bytes, "\1\1\2\0\0\0", 6);
		icmp[bytes + 6] = from[12] = (uint8_t)(i >> 8);
		icmp[bytes + 7] = from[13] = (uint8_t)i;
		send_icmp(from, all_nodes, 255, icmp, bytes + 8);
	}
	CHECK(host_kmem_objects() <= objects + 100); /* (2) */
	CHECK(owns_address(1));
}

static void test_flood_of_neighbours(void)
{
	uint8_t icmp[32], from[16];
	uint64_t objects = host_kmem_objects();

	memcpy(from, router, sizeof(from));
	for (unsigned i = 0; i < FLOOD; i++) {
		memset(icmp, 0, sizeof(icmp));
		icmp[0] = i % 2 == 0 ? SOLICIT : ADVERTISE;
		from[14] = (uint8_t)(i >> 8);
		from[15] = (uint8_t)i;
		memcpy(icmp + 8, i % 2 == 0 ? own_link : from, 16);
		memcpy(icmp + 24, i % 2 == 0 ? "\1\1\2\0\0\0" : "\2\1\2\0\0\0", 6);
		send_icmp(from, i % 2 == 0 ? own_link : all_nodes, 255, icmp, sizeof(icmp));
	}
	CHECK(host_kmem_objects() <= objects + 200);
	host_net_advance(20 * NS_PER_S);
	CHECK(host_kmem_objects() <= objects + 100);
	CHECK(owns_address(1));
}

/* The first fragments of ever other datagrams, overlapping ones among them, of both families. */
static void test_flood_of_fragments(void)
{
	uint8_t frame[14 + 40 + 8 + 64];
	uint64_t objects = host_kmem_objects();

	for (unsigned i = 0; i < FLOOD; i++) {
		memset(frame, 0, sizeof(frame));
		memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\x9\x86\xdd\x60\0\0\0\0\x48\x2c\x40", 22);
		memcpy(frame + 22, router, 16);
		memcpy(frame + 38, own_link, 16);
		frame[54] = 17;
		frame[56] = (uint8_t)((i % 7) >> 5);
		frame[57] = (uint8_t)((i % 7) << 3 | 1); /* offset in units of 8; more follow */
		frame[60] = (uint8_t)(i >> 11);
		frame[61] = (uint8_t)(i >> 3);
		host_net_inject(frame, sizeof(frame));
		host_net_advance(NS_PER_MS / 10);
	}
	CHECK(host_kmem_objects() <= objects + 1200);
	CHECK(host_net_buffers() <= 600);
	host_net_advance(120 * NS_PER_S);
	CHECK(host_kmem_objects() <= objects + 100);
	CHECK_EQ(host_net_buffers(), 0);
}

static void test_flood_of_arp(void)
{
	uint8_t frame[42];
	uint64_t objects = host_kmem_objects();

	for (unsigned i = 0; i < FLOOD; i++) {
		memcpy(frame,
			"\xff\xff\xff\xff\xff\xff\2\0\0\0\0\3\x8\6\0\1\x8\0\6\4\0\1\2\0\0\0\0\3",
			28);
		memcpy(frame + 28, "\x0a\0\0\0\0\0\0\0\0\0\x0a\0\0\1", 14);
		frame[21] = (uint8_t)(1 + i % 3);
		frame[30] = (uint8_t)(i >> 8);
		frame[31] = (uint8_t)i;
		host_net_inject(frame, i % 5 == 0 ? 15 + i % 27 : 42);
		host_net_advance(NS_PER_MS / 10);
	}
	CHECK(host_kmem_objects() <= objects + 10);
	CHECK_EQ(host_net_buffers(), 0);
}

int main(void)
{
	uint64_t objects;

	setvbuf(stdout, NULL, _IOLBF, 0);
	options.ip6_mode = OPTIONS_IP6_AUTO;
	host_net_fate = watch;
	host_net_init(true);
	test_address();
	test_bad_routers();
	objects = host_kmem_objects();
	test_flood_of_routers();
	test_flood_of_neighbours();
	test_flood_of_fragments();
	test_flood_of_arp();
	host_net_advance(300 * NS_PER_S);
	printf("objects: %llu before the floods, %llu after\n", (unsigned long long)objects,
		(unsigned long long)host_kmem_objects());
	CHECK(host_kmem_objects() <= objects + 20);
	CHECK_EQ(host_net_buffers(), 0);
	printf("net_nd_test: ok\n");
	return 0;
}
