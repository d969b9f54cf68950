/* sources: net/net.c net/lwip_port.c net/loopback.c net/device.c net/config.c net/ip_guard.c
 * net/tcp_table.c net/tcp_mtu.c net/tcp_deadline.c net/tcp_recovery.c net/port.c net/inet.c
 * net/address.c net/ip_input.c net/ip_output.c net/icmp_error.c net/datagram.c
 * net/datagram_send.c net/datagram_option.c net/multicast.c net/config6.c net/nd_guard.c
 * net/dhcp_guard.c net/tcp_cookie.c net/neighbour.c net/bad_packet.c lib/ip_text.c net/rawsocket.c
 * net/raw_input.c net/filter.c lib/bpf.c net/packet.c net/socket.c net/socket_option.c
 * net/tcp.c net/tcp_end.c net/tcp_listen.c
 * net/tcp_io.c net/tcp_receive.c net/tcp_urgent.c net/tcp_option.c net/udp.c net/udp_send.c
 * net/unix.c net/unix_name.c
 * net/unix_rights.c net/unix_io.c net/unix_queue.c net/netlink.c net/netlink_route.c
 * net/netlink_facts.c net/netlink_announce.c net/facts6.c lib/fmt.c
 * net/counters.c net/socket_count.c
 * kernel/uio.c kernel/sync/pollq.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_net.c test/unit/shim/host_net_kernel.c test/unit/shim/host_lwip.c */
/*
 * dhcp_fuzz.c: whatever a DHCP server answers, the client lives.
 *
 * What:       the client asks; the input is a list of answers: one with a good head that meets the
 *             question, with options as they come, or a datagram that is as it comes altogether.
 * Invariants: (1) no fault, no failed claim, nothing left over. (2) the machine has no address, or
 *             one that a host can have.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     RFC 2131, RFC 2132; net/config.c, net/dhcp_guard.c.
 */
#include <string.h>

#include <lwip/netif.h>

#include "base/units.h"
#include "host.h"
#include "host_net.h"
#include "kernel/options.h"

#define FRAME_BYTES 1400u
#define DHCP_AT 42u
#define XID_AT (DHCP_AT + 4)
#define ADDRESS_AT (DHCP_AT + 16)
#define CHADDR_AT (DHCP_AT + 28)
#define SNAME_AT (DHCP_AT + 44)
#define COOKIE_AT (DHCP_AT + 236)
#define OPTIONS_AT (COOKIE_AT + 4)

/* TYPED: a type of the four, with a server and, but for the last, a lease. */
enum mode {
	WHOLE = 1,
	WRONG_XID = 2,
	TYPED = 4,
	OVERLOAD = 8,
	TYPE_SHIFT = 4,
	ADDRESS = 64,
	WAIT = 128,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	bool started;
	uint8_t xid[4]; /* of the last question */
	uint64_t objects;
} fuzz;

static enum host_net_fate watch(const uint8_t *frame, uint32_t bytes)
{
	if (bytes > OPTIONS_AT && frame[12] == 8 && frame[13] == 0 && frame[23] == 17)
		memcpy(fuzz.xid, frame + XID_AT, sizeof(fuzz.xid));
	return HOST_NET_LOSE;
}

static void set_up(void)
{
	if (fuzz.started)
		return;
	fuzz.started = true;
	options.ip_mode = OPTIONS_IP_DHCP;
	host_net_fate = watch;
	host_net_init(true);
	host_net_advance(10 * NS_PER_MS);
	fuzz.objects = host_kmem_objects();
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* UDP without a sum, which is allowed, from port 67 to 68 of everybody. */
static void make_headers(uint8_t *frame, uint32_t bytes)
{
	static const uint8_t head[34] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 8,
		0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 255, 255, 255, 255 };
	uint32_t sum = 0;

	memcpy(frame, head, sizeof(head));
	put16(frame + 16, bytes - 14);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(frame + 24, ~(sum + (sum >> 16)) & 0xffff);
	put16(frame + 34, 67);
	put16(frame + 36, 68);
	put16(frame + 38, bytes - 34);
	put16(frame + 40, 0);
}

/* Up to the options; returns where they go on. */
static size_t make_message(uint8_t *frame, unsigned mode, const uint8_t *data, size_t bytes)
{
	static const uint8_t cookie[4] = { 0x63, 0x82, 0x53, 0x63 }, types[4] = { 2, 5, 6, 5 };
	unsigned type = mode >> TYPE_SHIFT & 3;
	size_t at = OPTIONS_AT;

	memcpy(frame + DHCP_AT, "\2\1\6", 3);
	memcpy(frame + XID_AT, fuzz.xid, sizeof(fuzz.xid));
	frame[XID_AT] ^= (mode & WRONG_XID) != 0;
	memcpy(frame + ADDRESS_AT, "\x0a\0\0\7", 4);
	if ((mode & ADDRESS) != 0 && bytes >= 4)
		memcpy(frame + ADDRESS_AT, data, 4);
	memcpy(frame + CHADDR_AT, "\2\0\0\0\0\1", 6);
	memcpy(frame + COOKIE_AT, cookie, sizeof(cookie));
	if ((mode & OVERLOAD) != 0 && bytes >= 64) {
		memcpy(frame + SNAME_AT, data, 64);
		memcpy(frame + SNAME_AT + 64, data + bytes - 64, 64);
		memcpy(frame + at, "\x34\1\3", 3);
		at += 3;
	}
	if ((mode & TYPED) == 0)
		return at;
	memcpy(frame + at, "\x35\1\2\x36\4\x0a\0\0\2\x33\4\0\0\0\x3c", 15);
	frame[at + 2] = types[type];
	return at + (type == 3 ? 9 : 15);
}

static void answer(unsigned mode, const uint8_t *data, size_t bytes)
{
	uint8_t frame[FRAME_BYTES] = { 0 };
	size_t at = DHCP_AT;

	if ((mode & WHOLE) == 0)
		at = make_message(frame, mode, data, bytes);
	bytes = bytes < FRAME_BYTES - at ? bytes : FRAME_BYTES - at;
	memcpy(frame + at, data, bytes);
	make_headers(frame, (uint32_t)(at + bytes));
	host_net_inject(frame, (uint32_t)(at + bytes));
}

/* (2) */
static void check_address(void)
{
	uint32_t ip = lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(netif_default)));
	uint32_t rest = ~lwip_ntohl(ip4_addr_get_u32(netif_ip4_netmask(netif_default)));

	if (ip == 0)
		return;
	CHECK(ip >> 24 != 0 && ip >> 24 != 127 && ip >> 28 < 14);
	CHECK(rest <= 1 || ((ip & rest) != 0 && (ip & rest) != rest));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	host_net_link(false);
	host_net_link(true); /* it asks again */
	host_net_advance(700 * NS_PER_MS);
	while (size >= 2) {
		size_t bytes = (size_t)data[0] * 4 < size - 2 ? (size_t)data[0] * 4 : size - 2;

		answer(data[1], data + 2, bytes);
		host_net_advance((data[1] & WAIT) != 0 ? 5 * NS_PER_S : NS_PER_MS);
		check_address();
		data += 2 + bytes;
		size -= 2 + bytes;
	}
	host_net_advance(70 * NS_PER_S);
	CHECK_EQ(host_net_buffers(), 0); /* (1) */
	CHECK(host_kmem_objects() <= fuzz.objects + 8);
	return 0;
}
