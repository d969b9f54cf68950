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
 * lib/fmt.c kernel/uio.c kernel/sync/pollq.c test/fuzz/ip6_frame.c test/unit/shim/host.c
 * test/unit/shim/host_kmem.c test/unit/shim/host_net.c test/unit/shim/host_net_kernel.c
 * test/unit/shim/host_lwip.c */
/*
 * net_packet_fuzz.c: whatever comes from a wire, the network core lives.
 *
 * What:       listeners and UDP sockets of both families and a fresh connection; the input is a
 *             list of frames, raw, or with a good IPv4 or IPv6 header in front, of which some meet
 *             the connection. Over IPv6 nobody answers but the input: it plays routers and
 *             neighbours, and TCP's acknowledgements are put right for it. What routers said is
 *             forgotten after each input.
 * Invariants: (1) no fault, no failed claim, nothing left over after the last connection is gone.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     net/ip_guard.c.
 */
#include <string.h>

#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>

#include "base/units.h"
#include "host.h"
#include "host_net.h"
#include "kernel/options.h"
#include "net/net_priv.h"
#include "test/fuzz/ip6_frame.h"

#define FRAME_BYTES 2000u
#define IP_AT 14u
#define L4_AT 34u

enum mode { RAW = 1, TCP = 2, UDP = 4, FRAGMENT = 8, MEET = 16, IP6 = RAW | MEET };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct file *listener, *udp, *client, *server, *listener6, *udp6;
	uint64_t objects;
	uint16_t client_port;
	uint8_t ack6[4]; /* what acknowledges all that we sent by TCP over IPv6 */
} fuzz;

/* Frames of IPv6 end here: a mirror would take every address for its own. */
static enum host_net_fate watch(const uint8_t *frame, uint32_t bytes)
{
	uint32_t seq;

	if (bytes < IP6_PAYLOAD_AT || frame[12] != 0x86 || frame[13] != 0xdd)
		return HOST_NET_DELIVER;
	if (frame[20] == IP6_TCP && bytes >= IP6_PAYLOAD_AT + 20) {
		memcpy(&seq, frame + IP6_PAYLOAD_AT + 4, sizeof(seq));
		seq = __builtin_bswap32(seq) + ((frame[IP6_PAYLOAD_AT + 13] & 3) != 0) + bytes -
			IP6_PAYLOAD_AT - (frame[IP6_PAYLOAD_AT + 12] >> 4) * 4u;
		seq = __builtin_bswap32(seq);
		memcpy(fuzz.ack6, &seq, sizeof(seq));
	}
	return HOST_NET_LOSE;
}

static struct file *open6(unsigned type, uint16_t port)
{
	struct socket_address a = { .family = SOCKET_INET6, .port = port };
	struct file *f;

	CHECK_EQ(socket_open(SOCKET_INET6, type, 0, 2 | 04000 /* O_NONBLOCK */, &f), 0);
	CHECK_EQ(socket_set_option(f, SOCKET_OPT_V6ONLY, 1), 0);
	CHECK_EQ(socket_bind(f, &a), 0);
	return f;
}

static void set_up(void)
{
	if (fuzz.listener != NULL)
		return;
	options.ip6_mode = OPTIONS_IP6_AUTO;
	host_net_fate = watch;
	host_net_init(true);
	host_net_advance(20 * NS_PER_S); /* our address is ours, and no router answered */
	fuzz.listener6 = open6(SOCKET_STREAM, 80);
	CHECK_EQ(socket_listen(fuzz.listener6, 8), 0);
	fuzz.udp6 = open6(SOCKET_DATAGRAM, 53);
	fuzz.listener = host_net_socket(SOCKET_STREAM, true);
	CHECK_EQ(host_net_bind(fuzz.listener, 0, 80), 0);
	CHECK_EQ(socket_listen(fuzz.listener, 8), 0);
	fuzz.udp = host_net_socket(SOCKET_DATAGRAM, true);
	CHECK_EQ(host_net_bind(fuzz.udp, 0, 53), 0);
	fuzz.objects = host_kmem_objects();
}

static void connect_both(void)
{
	fuzz.client = host_net_socket(SOCKET_STREAM, true);
	(void)!host_net_connect(fuzz.client, HOST_NET_PEER, 80);
	host_net_advance(20 * NS_PER_MS);
	if (host_net_accept(fuzz.listener, &fuzz.server) != 0)
		fuzz.server = NULL;
	fuzz.client_port = host_net_port(fuzz.client);
	(void)!host_net_send(fuzz.client, "hello", 5);
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void make_ip(uint8_t *ip, unsigned mode, size_t bytes)
{
	static const uint8_t addresses[8] = { 10, 0, 0, 2, 10, 0, 0, 1 };
	uint32_t sum = 0;

	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(20 + bytes));
	put16(ip + 4, mode >> 3);
	if ((mode & FRAGMENT) != 0)
		put16(ip + 6, (bytes & 1) << 13 | (bytes & 15));
	ip[8] = 64;
	ip[9] = (mode & TCP) != 0 ? 6 : (mode & UDP) != 0 ? 17 : 1;
	memcpy(ip + 12, addresses, sizeof(addresses));
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* What follows IPv6's header: TCP and UDP at once are an extension header. */
static unsigned next_header(unsigned mode, unsigned pick)
{
	static const uint8_t extensions[4] = { IP6_HOP_BY_HOP, IP6_ROUTING, IP6_DESTINATION, 59 };

	if ((mode & (TCP | UDP)) == (TCP | UDP))
		return extensions[pick >> 6];
	return (mode & TCP) != 0 ? IP6_TCP : (mode & UDP) != 0 ? IP6_UDP : IP6_ICMP;
}

/* The first byte chooses the addresses; then comes the payload, or a fragment with its head. */
static uint32_t make_ip6(uint8_t *frame, unsigned mode, const uint8_t *data, size_t bytes)
{
	unsigned pick = bytes != 0 ? data[0] : 0;
	unsigned next = next_header(mode, pick);
	uint8_t *payload = frame + IP6_PAYLOAD_AT;
	size_t n = MIN(bytes - (bytes != 0), (size_t)FRAME_BYTES - IP6_PAYLOAD_AT);

	memcpy(payload, data + (bytes != 0), n);
	if ((mode & FRAGMENT) != 0) {
		payload[0] = (uint8_t)next;
		next = IP6_FRAGMENT;
	} else if (next == IP6_TCP && n >= 20) {
		put16(payload + 2, 80);
		if ((payload[13] & 16) != 0)
			memcpy(payload + 8, fuzz.ack6, sizeof(fuzz.ack6));
	} else if (next == IP6_UDP && n >= 8 && (pick & 32) != 0) {
		put16(payload + 2, 53);
		put16(payload + 4, (unsigned)n);
	}
	ip6_frame_make(frame, next, pick, (uint32_t)n);
	return (uint32_t)(IP6_PAYLOAD_AT + n);
}

static size_t make_ip4(uint8_t *frame, unsigned mode, const uint8_t *data, size_t bytes)
{
	bytes = MIN(bytes, (size_t)FRAME_BYTES - L4_AT);
	put16(frame + 12, 0x800);
	make_ip(frame + IP_AT, mode, bytes);
	memcpy(frame + L4_AT, data, bytes);
	if ((mode & (TCP | MEET)) == (TCP | MEET)) {
		put16(frame + L4_AT, 80);
		put16(frame + L4_AT + 2, fuzz.client_port);
	}
	return bytes + L4_AT;
}

static void send_frame(unsigned mode, const uint8_t *data, size_t bytes)
{
	uint8_t frame[FRAME_BYTES];

	memset(frame, 0, sizeof(frame));
	if ((mode & IP6) == IP6) {
		bytes = make_ip6(frame, mode, data, bytes);
	} else if ((mode & RAW) != 0) {
		bytes = MIN(bytes, sizeof(frame) - 6);
		memcpy(frame + 6, data, bytes);
		bytes += 6;
	} else {
		bytes = make_ip4(frame, mode, data, bytes);
	}
	memcpy(frame, "\2\0\0\0\0\1", 6);
	host_net_inject_trusted(frame, (uint32_t)bytes);
}

static void read_all(void)
{
	static char buf[70000];

	(void)!host_net_receive(fuzz.udp, buf, sizeof(buf), 0);
	(void)!host_net_receive(fuzz.udp6, buf, sizeof(buf), 0);
	(void)!host_net_receive(fuzz.client, buf, 100, 0);
	if (fuzz.server != NULL)
		(void)!host_net_receive(fuzz.server, buf, 100, 0);
}

/* The addresses that routers gave, the routers, and who was met. */
static void forget_ip6(void)
{
	struct netif *netif = netif_default;

	net_lock();
	config6_wake_locked();
	for (s8_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		netif_ip6_addr_set_state(netif, i, IP6_ADDR_INVALID);
	nd6_cleanup_netif(netif);
	netif->mtu6 = netif->mtu;
	net_unlock();
}

static void close_all(void)
{
	static char buf[70000];
	struct file *f;

	file_put(fuzz.client);
	if (fuzz.server != NULL)
		file_put(fuzz.server);
	while (host_net_accept(fuzz.listener, &f) == 0)
		file_put(f);
	while (host_net_accept(fuzz.listener6, &f) == 0) {
		CHECK_EQ(socket_set_option(f, SOCKET_OPT_LINGER, 0), 0); /* nobody would answer */
		file_put(f);
	}
	while (host_net_receive(fuzz.udp, buf, sizeof(buf), 0) >= 0 ||
		host_net_receive(fuzz.udp6, buf, sizeof(buf), 0) >= 0)
		;
	forget_ip6();
	host_net_advance(400 * NS_PER_S);
	CHECK_EQ(host_net_buffers(), 0); /* (1) */
	CHECK_EQ(host_kmem_objects(), fuzz.objects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	connect_both();
	while (size >= 2) {
		size_t bytes = MIN((size_t)(data[0] | (data[1] & 7) << 8), size - 2);
		unsigned mode = data[1] >> 3;

		send_frame(mode, data + 2, bytes);
		host_net_advance(NS_PER_MS * ((mode & RAW) != 0 ? bytes % 300 : 1));
		read_all();
		data += 2 + bytes;
		size -= 2 + bytes;
	}
	close_all();
	return 0;
}
