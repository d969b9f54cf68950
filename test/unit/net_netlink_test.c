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
 * net_netlink_test.c: what netlink tells of IPv6, while a router speaks and falls silent.
 *
 * What:       advertisements with lifetimes; after each the announcements that came, and what the
 *             lists of addresses, routes and neighbours have.
 * Invariants: (1) nothing is announced that did not change. (2) what is announced as new is in
 *             the lists until it is announced as gone. (3) a machine that waits for a lifetime's
 *             end only does not tick.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     rtnetlink(7); the messages that Linux 6.18 sends for the same advertisements.
 */
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/file.h"
#include "host.h"
#include "host_net.h"
#include "kernel/options.h"
#include "kernel/uio.h"
#include "net/socket.h"

#define O_NONBLOCK 04000u
#define ICMP_AT 54u
#define BUF_BYTES 4096u
#define MESSAGES_MAX 64u
#define TAKEN 1u /* for a sequence number: all that come have 0 */

enum { ADVERTISE_ROUTER = 134, LIFE_ROUTER_S = 5, LIFE_PREFERRED_S = 20, LIFE_VALID_S = 40 };

static const uint8_t router[16] = { 0xfe, 0x80, [15] = 9 };
static const uint8_t prefix[16] = { 0x20, 1, 0x0d, 0xb8, [7] = 1 };
static const uint8_t own[16] = { 0x20, 1, 0x0d, 0xb8, [7] = 1, 0, 0, 0, 0xff, 0xfe, 0, 0, 1 };
static const uint8_t own_link[16] = { 0xfe, 0x80, [8] = 0, 0, 0, 0xff, 0xfe, 0, 0, 1 };
static const uint8_t link_prefix[16] = { 0xfe, 0x80 };
static const uint8_t groups[16] = { 0xff };
static const uint8_t hardware[6] = { 2, 0, 0, 0, 0, 9 };

static enum host_net_fate lose(const uint8_t *frame, uint32_t bytes)
{
	(void)frame;
	(void)bytes;
	return HOST_NET_LOSE;
}

/* ------------------------------------------------------------------ the router */
static void set_sum(uint8_t *frame, uint32_t icmp_bytes)
{
	uint32_t sum = 58 + icmp_bytes;

	for (uint32_t i = 22; i < 54 + icmp_bytes; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	frame[ICMP_AT + 2] = (uint8_t)(~sum >> 8);
	frame[ICMP_AT + 3] = (uint8_t)~sum;
}

/* A router for so long, with a prefix for addresses, and its own hardware address. */
static void advertise(uint8_t router_s, uint8_t valid_s, uint8_t preferred_s)
{
	static const uint8_t head[ICMP_AT] = { 0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd,
		0x60, [19] = 56, [20] = 58, [21] = 255, [38] = 0xff, [39] = 2, [53] = 1 };
	uint8_t frame[ICMP_AT + 56] = { 0 }, *icmp = frame + ICMP_AT, *option = icmp + 16;

	memcpy(frame, head, sizeof(head));
	memcpy(frame + 22, router, 16);
	icmp[0] = ADVERTISE_ROUTER;
	icmp[4] = 64;
	icmp[7] = router_s;
	memcpy(option, "\3\4\x40\xc0", 4);
	option[7] = valid_s;
	option[11] = preferred_s;
	memcpy(option + 16, prefix, 16);
	memcpy(option + 32, "\1\1", 2);
	memcpy(option + 34, hardware, sizeof(hardware));
	set_sum(frame, 56);
	host_net_inject(frame, sizeof(frame));
	host_net_advance(10 * NS_PER_MS);
}

/* ------------------------------------------------------------------ messages */
static struct {
	_Alignas(8) uint8_t raw[MESSAGES_MAX][256];
	unsigned count;
} got;

static struct file *open_netlink(uint32_t joined)
{
	struct socket_address a = { .family = SOCKET_NETLINK, .netlink_groups = joined };
	struct file *f;

	CHECK_EQ(socket_open(SOCKET_NETLINK, SOCKET_RAW, NETLINK_ROUTE, O_NONBLOCK, &f), 0);
	CHECK_EQ(socket_bind(f, &a), 0);
	return f;
}

static void take(const uint8_t *at, long bytes)
{
	while (bytes >= (long)sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)at;

		CHECK(h->nlmsg_len <= bytes && h->nlmsg_len <= sizeof(got.raw[0]));
		CHECK(got.count < MESSAGES_MAX);
		memcpy(got.raw[got.count++], at, h->nlmsg_len);
		at += NLMSG_ALIGN(h->nlmsg_len);
		bytes -= NLMSG_ALIGN(h->nlmsg_len);
	}
}

/* All that waits. */
static void receive(struct file *f)
{
	_Alignas(8) uint8_t buf[BUF_BYTES];
	long n;

	got.count = 0;
	while ((n = host_net_receive(f, buf, sizeof(buf), 0)) > 0)
		take(buf, n);
	CHECK_EQ(n, -EAGAIN);
}

static void ask(struct file *f, uint16_t type, uint16_t flags, const void *body, uint32_t bytes)
{
	_Alignas(8) uint8_t request[128] = { 0 };
	struct nlmsghdr *h = (void *)request;

	h->nlmsg_len = NLMSG_LENGTH(bytes);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	memcpy(NLMSG_DATA(h), body, bytes);
	CHECK_EQ(host_net_send(f, request, h->nlmsg_len), (long)h->nlmsg_len);
	receive(f);
}

static void list(struct file *f, uint16_t type)
{
	struct rtmsg m = { .rtm_family = SOCKET_INET6 };

	ask(f, type, NLM_F_DUMP, &m, sizeof(m));
	CHECK_EQ(((struct nlmsghdr *)got.raw[--got.count])->nlmsg_type, NLMSG_DONE);
}

static uint32_t body_bytes(uint16_t type)
{
	return type == RTM_NEWADDR || type == RTM_DELADDR ? sizeof(struct ifaddrmsg)
		: type == RTM_NEWNEIGH                    ? sizeof(struct ndmsg)
							  : sizeof(struct rtmsg);
}

static const void *attribute(const struct nlmsghdr *h, uint16_t type)
{
	uint32_t at = NLMSG_LENGTH(body_bytes(h->nlmsg_type));

	while (at + sizeof(struct rtattr) <= h->nlmsg_len) {
		const struct rtattr *a = (const void *)((const uint8_t *)h + at);

		if (a->rta_type == type)
			return (const uint8_t *)a + RTA_LENGTH(0);
		at += RTA_ALIGN(a->rta_len);
	}
	return NULL;
}

static bool has_value(const struct nlmsghdr *h, uint16_t type, const uint8_t *address)
{
	const void *value = attribute(h, type);

	return address == NULL ? value == NULL : value != NULL && memcmp(value, address, 16) == 0;
}

/* The message among those received, taken out; NULL: not there. */
static const struct nlmsghdr *find(uint16_t type, uint16_t key, const uint8_t *address,
	uint8_t length)
{
	for (unsigned i = 0; i < got.count; i++) {
		struct nlmsghdr *h = (void *)got.raw[i];
		const uint8_t *body = NLMSG_DATA(h);

		if (h->nlmsg_type != type || h->nlmsg_seq == TAKEN || !has_value(h, key, address) ||
			body[1] != length)
			continue;
		h->nlmsg_seq = TAKEN;
		return h;
	}
	return NULL;
}

static const struct nlmsghdr *find_address(uint16_t type, const uint8_t *address)
{
	return find(type, IFA_ADDRESS, address, 64);
}

static const struct nlmsghdr *find_route(uint16_t type, const uint8_t *to, uint8_t length)
{
	return find(type, RTA_DST, to, length);
}

/* (1) */
static void check_no_more(void)
{
	for (unsigned i = 0; i < got.count; i++)
		CHECK_EQ(((struct nlmsghdr *)got.raw[i])->nlmsg_seq, TAKEN);
}

static uint32_t word_of(const struct nlmsghdr *h, uint16_t type, unsigned n)
{
	const uint32_t *value = attribute(h, type);

	CHECK(value != NULL);
	return value[n];
}

/* ------------------------------------------------------------------ checks */
static void test_link_local(struct file *f)
{
	const struct nlmsghdr *h;

	host_net_advance(NS_PER_S / 2);
	receive(f);
	check_no_more(); /* it is on trial */
	host_net_advance(3 * NS_PER_S);
	receive(f);
	h = find_address(RTM_NEWADDR, own_link);
	CHECK(h != NULL);
	CHECK_EQ(((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_scope, RT_SCOPE_LINK);
	CHECK_EQ(((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_flags, IFA_F_PERMANENT);
	CHECK_EQ(word_of(h, IFA_CACHEINFO, 0), 0xffffffffu);
	h = find_route(RTM_NEWROUTE, own_link, 128);
	CHECK(h != NULL && ((struct rtmsg *)NLMSG_DATA(h))->rtm_type == RTN_LOCAL);
	CHECK(find_route(RTM_NEWROUTE, link_prefix, 64) != NULL);
	CHECK(find_route(RTM_NEWROUTE, NULL, 0) == NULL);
}

/* Routes at once, the address when nobody else has it. */
static void test_router_speaks(struct file *f)
{
	const struct nlmsghdr *h;
	const struct rtmsg *m;

	receive(f);
	advertise(LIFE_ROUTER_S, LIFE_VALID_S, LIFE_PREFERRED_S);
	receive(f);
	h = find_route(RTM_NEWROUTE, NULL, 0);
	CHECK(h != NULL && has_value(h, RTA_GATEWAY, router));
	m = NLMSG_DATA(h);
	CHECK_EQ(m->rtm_protocol, RTPROT_RA);
	CHECK_EQ(m->rtm_table, RT_TABLE_MAIN);
	CHECK_EQ(word_of(h, RTA_PRIORITY, 0), 1024);
	CHECK(word_of(h, RTA_CACHEINFO, 2) != 0 &&
		word_of(h, RTA_CACHEINFO, 2) <= 100 * LIFE_ROUTER_S);
	h = find_route(RTM_NEWROUTE, prefix, 64);
	CHECK(h != NULL && word_of(h, RTA_PRIORITY, 0) == 256);
	check_no_more();
	host_net_advance(3 * NS_PER_S);
	receive(f);
	h = find_address(RTM_NEWADDR, own);
	CHECK(h != NULL && ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_flags == 0);
	CHECK(word_of(h, IFA_CACHEINFO, 0) <= LIFE_PREFERRED_S &&
		word_of(h, IFA_CACHEINFO, 1) <= LIFE_VALID_S);
	CHECK(find_route(RTM_NEWROUTE, own, 128) != NULL);
	check_no_more();
	advertise(LIFE_ROUTER_S, LIFE_VALID_S, LIFE_PREFERRED_S);
	receive(f);
	check_no_more();
}

static void test_lists(struct file *f)
{
	const struct nlmsghdr *h;

	list(f, RTM_GETADDR);
	CHECK(find_address(RTM_NEWADDR, own) != NULL &&
		find_address(RTM_NEWADDR, own_link) != NULL);
	list(f, RTM_GETROUTE);
	CHECK(find_route(RTM_NEWROUTE, NULL, 0) != NULL);
	CHECK(find_route(RTM_NEWROUTE, prefix, 64) != NULL);
	CHECK(find_route(RTM_NEWROUTE, prefix, 64) == NULL); /* once */
	CHECK(find_route(RTM_NEWROUTE, link_prefix, 64) != NULL);
	CHECK(find_route(RTM_NEWROUTE, own, 128) != NULL);
	h = find_route(RTM_NEWROUTE, groups, 8);
	CHECK(h != NULL && ((struct rtmsg *)NLMSG_DATA(h))->rtm_type == RTN_MULTICAST);
	list(f, RTM_GETNEIGH);
	CHECK_EQ(got.count, 1);
	h = (void *)got.raw[0];
	CHECK(has_value(h, NDA_DST, router));
	CHECK(memcmp(attribute(h, NDA_LLADDR), hardware, sizeof(hardware)) == 0);
	CHECK((((struct ndmsg *)NLMSG_DATA(h))->ndm_state & (NUD_REACHABLE | NUD_STALE)) != 0);
	CHECK_EQ(((struct ndmsg *)NLMSG_DATA(h))->ndm_flags, NTF_ROUTER);
}

static const struct nlmsghdr *ask_way(struct file *f, const uint8_t *to)
{
	struct {
		struct rtmsg m;
		struct rtattr a;
		uint8_t to[16];
	} body = { .m = { .rtm_family = SOCKET_INET6, .rtm_dst_len = 128 },
		.a = { .rta_len = RTA_LENGTH(16), .rta_type = RTA_DST } };

	memcpy(body.to, to, 16);
	ask(f, RTM_GETROUTE, 0, &body, sizeof(body));
	CHECK_EQ(got.count, 1);
	CHECK_EQ(((struct nlmsghdr *)got.raw[0])->nlmsg_type, RTM_NEWROUTE);
	return (void *)got.raw[0];
}

static void test_ways(struct file *f)
{
	static const uint8_t far[16] = { 0x20, 1, 0x0d, 0xb8, [7] = 2, [15] = 1 };
	uint8_t near[16] = { 0 };
	const struct nlmsghdr *h = ask_way(f, far);

	CHECK(has_value(h, RTA_GATEWAY, router) && has_value(h, RTA_PREFSRC, own));
	CHECK_EQ(((struct rtmsg *)NLMSG_DATA(h))->rtm_protocol, RTPROT_RA);
	memcpy(near, prefix, 8);
	near[15] = 77;
	h = ask_way(f, near);
	CHECK(has_value(h, RTA_GATEWAY, NULL) && has_value(h, RTA_PREFSRC, own));
	CHECK_EQ(word_of(h, RTA_PRIORITY, 0), 256);
	h = ask_way(f, own);
	CHECK_EQ(((struct rtmsg *)NLMSG_DATA(h))->rtm_type, RTN_LOCAL);
}

/* The router's lifetime ends, then the address is deprecated, then it goes with its prefix. */
static void test_router_falls_silent(struct file *f)
{
	const struct nlmsghdr *h;
	unsigned long wakes;

	host_net_advance((LIFE_ROUTER_S + 2) * NS_PER_S);
	receive(f);
	h = find_route(RTM_DELROUTE, NULL, 0);
	CHECK(h != NULL && has_value(h, RTA_GATEWAY, router));
	check_no_more();
	list(f, RTM_GETROUTE);
	CHECK(find_route(RTM_NEWROUTE, NULL, 0) == NULL); /* (2) */
	wakes = host_net_wakes;
	host_net_advance((LIFE_PREFERRED_S - LIFE_ROUTER_S) * NS_PER_S);
	CHECK(host_net_wakes - wakes <= 4); /* (3) */
	receive(f);
	h = find_address(RTM_NEWADDR, own);
	CHECK(h != NULL && ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_flags == IFA_F_DEPRECATED);
	check_no_more();
	host_net_advance((LIFE_VALID_S - LIFE_PREFERRED_S) * NS_PER_S);
	receive(f);
	CHECK(find_address(RTM_DELADDR, own) != NULL);
	CHECK(find_route(RTM_DELROUTE, own, 128) != NULL);
	CHECK(find_route(RTM_DELROUTE, prefix, 64) != NULL);
	check_no_more();
	wakes = host_net_wakes;
	host_net_advance(1000 * NS_PER_S);
	CHECK(host_net_wakes - wakes <= 4);
}

int main(void)
{
	struct file *changes, *questions;

	setvbuf(stdout, NULL, _IOLBF, 0);
	options.ip6_mode = OPTIONS_IP6_AUTO;
	host_net_fate = lose;
	host_net_init(true);
	changes = open_netlink(RTMGRP_LINK | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE);
	questions = open_netlink(0);
	test_link_local(changes);
	test_router_speaks(changes);
	test_lists(questions);
	test_ways(questions);
	test_router_falls_silent(changes);
	file_put(changes);
	file_put(questions);
	CHECK_EQ(host_net_buffers(), 0);
	printf("net_netlink_test: ok\n");
	return 0;
}
