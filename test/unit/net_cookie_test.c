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
 * net_cookie_test.c: floods of SYNs, and those who are really there.
 *
 * What:       a listener whose queue is full answers by cookies, which take no memory; who sends
 *             one back is connected, with what he said in his SYN; wrong, old and foreign cookies
 *             are refused.
 * Invariants: (1) bytes arrive whole. (2) everything comes back.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     net/tcp_cookie.c; RFC 4987 3.6.
 */
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "host_net.h"
#include "kernel/stats.h"

#define TCP_AT 34u
#define PORT 80u
#define PEER_PORT 4000u
#define BACKLOG 2
#define MSS 536u

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static struct {
	uint8_t flags;
	uint32_t seq, ack, bytes; /* bytes: of data */
	uint16_t mss; /* of its option */
	uint8_t to; /* last byte of the address */
	unsigned long count, data_bytes, data_max;
} sent; /* the last segment, and the sum of all */

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write32(uint8_t *at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Everybody has a hardware address; TCP's segments end here. */
static enum host_net_fate watch(const uint8_t *frame, uint32_t bytes)
{
	const uint8_t *tcp = frame + TCP_AT;
	uint32_t head;

	if (bytes < TCP_AT + 20 || frame[12] != 8 || frame[13] != 0 || frame[23] != 6)
		return HOST_NET_DELIVER;
	head = (uint32_t)(tcp[12] >> 4) * 4;
	sent.flags = tcp[13];
	sent.seq = read32(tcp + 4);
	sent.ack = read32(tcp + 8);
	sent.to = frame[33];
	sent.mss = head > 20 && tcp[20] == 2 ? (uint16_t)(tcp[22] << 8 | tcp[23]) : 0;
	sent.bytes = (uint32_t)(frame[16] << 8 | frame[17]) - 20 - head;
	sent.data_bytes += sent.bytes;
	sent.data_max = MAX(sent.data_max, (unsigned long)sent.bytes);
	sent.count++;
	return HOST_NET_LOSE;
}

/* A segment from 10.0.0.<from>; the device says that its sum is right. */
static void send_segment(uint8_t from, uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	static const uint8_t head[TCP_AT] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0,
		0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 0, 10, 0, 0, 1 };
	static const uint8_t options[8] = { 2, 4, MSS >> 8, MSS & 255, 1, 3, 3, 4 };
	uint32_t option_bytes = (flags & SYN) != 0 ? sizeof(options) : 0, sum = 0;
	uint32_t bytes = TCP_AT + 20 + option_bytes + (uint32_t)strlen(data);
	uint8_t frame[200] = { 0 }, *tcp = frame + TCP_AT;

	memcpy(frame, head, sizeof(head));
	frame[17] = (uint8_t)(bytes - 14);
	frame[29] = from;
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
	tcp[0] = PEER_PORT >> 8;
	tcp[1] = PEER_PORT & 255;
	tcp[3] = PORT;
	write32(tcp + 4, seq);
	write32(tcp + 8, ack);
	tcp[12] = (uint8_t)((20 + option_bytes) << 2);
	tcp[13] = flags;
	tcp[14] = tcp[15] = 0x7f;
	memcpy(tcp + 20, options, option_bytes);
	memcpy(tcp + 20 + option_bytes, data, strlen(data));
	host_net_inject_trusted(frame, bytes);
	host_net_advance(5 * NS_PER_MS);
}

static struct file *start(void)
{
	struct file *l = host_net_socket(SOCKET_STREAM, true);
	unsigned long cookies = stat_sum(STAT_net_syn_cookies_sent);

	CHECK_EQ(host_net_bind(l, 0, PORT), 0);
	CHECK_EQ(socket_listen(l, BACKLOG), 0);
	for (uint8_t i = 0; i <= BACKLOG; i++) {
		send_segment((uint8_t)(100 + i), SYN, 1, 0, "");
		CHECK_EQ(sent.flags, SYN | ACK);
	}
	CHECK_EQ(stat_sum(STAT_net_syn_cookies_sent), cookies);
	return l;
}

static void finish(struct file *l)
{
	file_put(l);
	host_net_advance(400 * NS_PER_S);
	CHECK_EQ(host_net_buffers(), 0);
}

/* A thousand that do not exist, and between them one that does. */
static void test_flood(void)
{
	struct file *l = start(), *f;
	uint64_t objects = host_kmem_objects();
	unsigned long count = sent.count;
	char in[16];
	uint32_t isn;

	for (unsigned i = 0; i < 1000; i++)
		send_segment((uint8_t)(10 + i % 80), SYN, i * 1000, 0, "");
	CHECK(host_kmem_objects() <= objects);
	CHECK(sent.count >= count + 1000);
	CHECK(stat_sum(STAT_net_syn_cookies_sent) >= 1000);
	send_segment(9, SYN, 5000, 0, "");
	CHECK(sent.flags == (SYN | ACK) && sent.ack == 5001 && sent.mss == 1460 && sent.to == 9);
	isn = sent.seq;
	send_segment(9, SYN, 5000, 0, ""); /* again: the same */
	CHECK_EQ(sent.seq, isn);
	CHECK_EQ(host_net_accept(l, &f), -EAGAIN);
	send_segment(9, ACK, 5001, isn + 1, "hello");
	CHECK_EQ(stat_sum(STAT_net_syn_cookies_redeemed), 1);
	CHECK_EQ(host_net_accept(l, &f), 0);
	CHECK_EQ(host_net_receive(f, in, sizeof(in), 0), 5);
	CHECK(memcmp(in, "hello", 5) == 0);
	host_net_advance(100 * NS_PER_MS); /* an acknowledgement may be delayed */
	CHECK_EQ(sent.ack, 5006);
	/* The size of segments that the SYN asked for. */
	sent.data_bytes = sent.data_max = 0;
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(host_net_send(f, "0123456789abcdef", 16), 16);
	for (unsigned i = 0; i < 10; i++)
		send_segment(9, ACK, 5006, sent.seq + sent.bytes, "");
	CHECK_EQ(sent.data_bytes, 1600);
	CHECK_EQ(sent.data_max, MSS);
	send_segment(9, FIN | ACK, 5006, sent.seq + sent.bytes, "");
	CHECK_EQ(host_net_receive(f, in, sizeof(in), 0), 0);
	file_put(f);
	send_segment(9, ACK, 5007, sent.seq + 1, "");
	finish(l);
}

static void test_refused(void)
{
	struct file *l = start(), *f;
	unsigned long redeemed = stat_sum(STAT_net_syn_cookies_redeemed);
	uint32_t isn;

	send_segment(9, SYN, 5000, 0, "");
	isn = sent.seq;
	send_segment(9, ACK, 5001, isn + 1 + 0x100, ""); /* guessed */
	CHECK_EQ(sent.flags & RST, RST);
	send_segment(9, ACK, 5002, isn + 1, ""); /* another sequence */
	CHECK_EQ(sent.flags & RST, RST);
	send_segment(8, ACK, 5001, isn + 1, ""); /* somebody else's */
	CHECK_EQ(sent.flags & RST, RST);
	host_net_advance(130 * NS_PER_S);
	send_segment(9, ACK, 5001, isn + 1, ""); /* old */
	CHECK_EQ(sent.flags & RST, RST);
	CHECK_EQ(host_net_accept(l, &f), -EAGAIN);
	CHECK_EQ(stat_sum(STAT_net_syn_cookies_redeemed), redeemed);
	finish(l);
}

/* Nobody accepts: what comes back is dropped without a word, and taken when it comes again. */
static void test_full(void)
{
	struct file *l = start(), *f;
	uint32_t isn[BACKLOG + 2];
	unsigned long count;

	for (uint8_t i = 0; i < BACKLOG + 2; i++) {
		send_segment((uint8_t)(9 + i), SYN, 5000, 0, "");
		isn[i] = sent.seq;
	}
	for (uint8_t i = 0; i < BACKLOG + 1; i++)
		send_segment((uint8_t)(9 + i), ACK, 5001, isn[i] + 1, "");
	count = sent.count;
	send_segment(9 + BACKLOG + 1, ACK, 5001, isn[BACKLOG + 1] + 1, "");
	CHECK_EQ(sent.count, count);
	send_segment(90, SYN, 5000, 0, "");
	CHECK_EQ(sent.count, count); /* and no more cookies */
	CHECK_EQ(host_net_accept(l, &f), 0);
	file_put(f);
	send_segment(9 + BACKLOG + 1, ACK, 5001, isn[BACKLOG + 1] + 1, "late");
	for (uint8_t i = 0; i < BACKLOG + 1; i++) {
		CHECK_EQ(host_net_accept(l, &f), 0);
		file_put(f);
	}
	CHECK_EQ(host_net_accept(l, &f), -EAGAIN);
	finish(l);
}

int main(void)
{
	uint64_t objects;

	host_net_fate = watch;
	host_net_init(true);
	host_net_advance(NS_PER_S);
	objects = host_kmem_objects();
	test_flood();
	test_refused();
	test_full();
	host_net_advance(1000 * NS_PER_S);
	CHECK_EQ(host_kmem_objects(), objects);
	return 0;
}
