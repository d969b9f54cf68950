/* sources: net/net.c net/lwip_port.c net/loopback.c net/device.c net/config.c net/ip_guard.c
 * net/tcp_table.c net/tcp_mtu.c net/tcp_deadline.c net/tcp_recovery.c net/port.c net/inet.c
 * net/address.c net/ip_input.c net/ip_output.c net/icmp_error.c net/datagram.c
 * net/datagram_send.c net/datagram_option.c net/multicast.c net/config6.c net/nd_guard.c
 * net/neighbour.c net/bad_packet.c lib/ip_text.c net/rawsocket.c net/packet.c net/socket.c
 * net/socket_option.c net/tcp.c net/tcp_listen.c net/tcp_io.c net/tcp_option.c net/udp.c
 * net/unix.c net/unix_name.c net/unix_rights.c net/unix_io.c net/netlink.c net/netlink_route.c
 * lib/fmt.c kernel/uio.c kernel/sync/pollq.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_net.c test/unit/shim/host_net_kernel.c test/unit/shim/host_lwip.c */
/*
 * net_packet_fuzz.c: whatever comes from a wire, the network core lives.
 *
 * What:       a listener, a UDP socket and a fresh connection; the input is a list of frames, raw
 *             or with a good IP header in front, of which some meet the connection.
 * Invariants: (1) no fault, no failed claim, nothing left over after the last connection is gone.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     net/ip_guard.c.
 */
#include <string.h>

#include "base/units.h"
#include "host.h"
#include "host_net.h"

#define FRAME_BYTES 2000u
#define IP_AT 14u
#define L4_AT 34u

enum mode { RAW = 1, TCP = 2, UDP = 4, FRAGMENT = 8, MEET = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct file *listener, *udp, *client, *server;
	uint64_t objects;
	uint16_t client_port;
} fuzz;

static void set_up(void)
{
	if (fuzz.listener != NULL)
		return;
	host_net_init(true);
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

static void send_frame(unsigned mode, const uint8_t *data, size_t bytes)
{
	uint8_t frame[FRAME_BYTES];

	memset(frame, 0, sizeof(frame));
	if ((mode & RAW) != 0) {
		bytes = MIN(bytes, sizeof(frame) - 6);
		memcpy(frame + 6, data, bytes);
		bytes += 6;
	} else {
		bytes = MIN(bytes, sizeof(frame) - L4_AT);
		put16(frame + 12, 0x800);
		make_ip(frame + IP_AT, mode, bytes);
		memcpy(frame + L4_AT, data, bytes);
		if ((mode & (TCP | MEET)) == (TCP | MEET)) {
			put16(frame + L4_AT, 80);
			put16(frame + L4_AT + 2, fuzz.client_port);
		}
		bytes += L4_AT;
	}
	memcpy(frame, "\2\0\0\0\0\1", 6);
	host_net_inject_trusted(frame, (uint32_t)bytes);
}

static void read_all(void)
{
	static char buf[70000];

	(void)!host_net_receive(fuzz.udp, buf, sizeof(buf), 0);
	(void)!host_net_receive(fuzz.client, buf, 100, 0);
	if (fuzz.server != NULL)
		(void)!host_net_receive(fuzz.server, buf, 100, 0);
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
	while (host_net_receive(fuzz.udp, buf, sizeof(buf), 0) >= 0)
		;
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
