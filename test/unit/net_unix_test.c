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
 * net_unix_test.c: UNIX sockets with abstract names and in pairs.
 *
 * What:       streams, records, datagrams, ends, full queues.
 * Invariants: (1) nothing is left over at the end.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     net/socket.h; Linux unix(7).
 */
#include <linux/eventpoll.h>
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "host_net.h"
#include "kernel/mm/kmem.h"

#define FLAGS 04002u /* O_RDWR | O_NONBLOCK */

static struct socket_address named(const char *text)
{
	struct socket_address a = { .family = SOCKET_UNIX };

	a.path_bytes = 1 + (uint32_t)strlen(text);
	memcpy(a.path + 1, text, a.path_bytes - 1);
	return a;
}

static void make_pair(unsigned type, struct file *p[2])
{
	CHECK_EQ(socket_open_pair(SOCKET_UNIX, type, 0, FLAGS, p), 0);
}

static void test_stream_pair(void)
{
	static char block[40000], in[40000];
	struct file *p[2];
	uint64_t sent = 0, got = 0;
	long n;

	make_pair(SOCKET_STREAM, p);
	CHECK_EQ(host_net_receive(p[0], in, 1, 0), -EAGAIN);
	CHECK_EQ(host_net_send(p[0], "hello", 5), 5);
	CHECK_EQ(host_net_send(p[0], "you", 3), 3);
	CHECK_EQ(host_net_receive(p[1], in, 6, SOCKET_MSG_PEEK), 6);
	CHECK_EQ(host_net_receive(p[1], in, 6, 0), 6);
	CHECK(memcmp(in, "helloy", 6) == 0);
	CHECK_EQ(host_net_receive(p[1], in, 6, 0), 2);
	while ((n = host_net_send(p[0], block, sizeof(block))) > 0)
		sent += (uint64_t)n;
	CHECK(n == -EAGAIN && sent > 100000);
	CHECK((host_net_poll(p[0]) & EPOLLOUT) == 0);
	while ((n = host_net_receive(p[1], in, sizeof(in), 0)) > 0)
		got += (uint64_t)n;
	CHECK_EQ(got, sent);
	CHECK((host_net_poll(p[0]) & EPOLLOUT) != 0);
	CHECK_EQ(host_net_send(p[1], "last", 4), 4);
	file_put(p[1]);
	CHECK((host_net_poll(p[0]) & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) ==
		(EPOLLIN | EPOLLHUP | EPOLLRDHUP));
	CHECK_EQ(host_net_receive(p[0], in, 10, 0), 4);
	CHECK_EQ(host_net_receive(p[0], in, 10, 0), 0);
	CHECK_EQ(host_net_send(p[0], "x", 1), -EPIPE);
	file_put(p[0]);
}

static void test_records(void)
{
	struct file *p[2];
	char in[8];

	make_pair(SOCKET_SEQPACKET, p);
	CHECK_EQ(host_net_send(p[0], "one", 3), 3);
	CHECK_EQ(host_net_send(p[0], "three", 5), 5);
	CHECK_EQ(host_net_receive(p[1], in, 8, 0), 3);
	CHECK_EQ(host_net_receive(p[1], in, 2, 0), 2); /* cut */
	CHECK_EQ(host_net_receive(p[1], in, 8, 0), -EAGAIN);
	CHECK_EQ(socket_shut_down(p[0], SOCKET_SHUT_WRITE), 0);
	CHECK_EQ(host_net_receive(p[1], in, 8, 0), 0);
	CHECK_EQ(host_net_send(p[1], "back", 4), 4);
	CHECK_EQ(host_net_receive(p[0], in, 8, 0), 4);
	file_put(p[0]);
	file_put(p[1]);
}

static struct file *open_unix(unsigned type)
{
	struct file *f;

	CHECK_EQ(socket_open(SOCKET_UNIX, type, 0, FLAGS, &f), 0);
	return f;
}

static void test_listen(void)
{
	struct socket_address a = named("service"), peer = { 0 };
	struct file *l = open_unix(SOCKET_STREAM), *c = open_unix(SOCKET_STREAM),
		    *d = open_unix(SOCKET_STREAM), *s;
	char in[8];

	CHECK_EQ(socket_connect(c, &a), -ECONNREFUSED);
	CHECK_EQ(socket_bind(l, &a), 0);
	CHECK_EQ(socket_bind(d, &a), -EADDRINUSE);
	CHECK_EQ(socket_connect(c, &a), -ECONNREFUSED);
	CHECK_EQ(socket_listen(l, 0), 0);
	CHECK_EQ(socket_accept(l, FLAGS, &s, &peer), -EAGAIN);
	CHECK_EQ(socket_connect(c, &a), 0);
	CHECK_EQ(socket_connect(c, &a), -EISCONN);
	CHECK_EQ(socket_connect(d, &a), -EAGAIN); /* the queue is full */
	CHECK((host_net_poll(l) & EPOLLIN) != 0);
	CHECK_EQ(host_net_send(c, "hi", 2), 2);
	CHECK_EQ(socket_accept(l, FLAGS, &s, &peer), 0);
	CHECK_EQ(peer.path_bytes, 0);
	CHECK_EQ(socket_get_name(c, true, &peer), 0);
	CHECK(peer.path_bytes == a.path_bytes && memcmp(peer.path, a.path, a.path_bytes) == 0);
	CHECK_EQ(host_net_receive(s, in, 8, 0), 2);
	CHECK_EQ(socket_connect(d, &a), 0);
	CHECK_EQ(host_net_send(s, "unread", 6), 6);
	file_put(c);
	CHECK_EQ(host_net_receive(s, in, 8, 0), -ECONNRESET);
	file_put(s);
	file_put(l);
	CHECK_EQ(host_net_receive(d, in, 8, 0), -ECONNRESET); /* nobody accepted it */
	CHECK_EQ(host_net_receive(d, in, 8, 0), 0);
	file_put(d);
}

static void test_datagrams(void)
{
	struct socket_address a = named("log"), none = { .family = SOCKET_UNIX };
	struct file *r = open_unix(SOCKET_DATAGRAM), *s = open_unix(SOCKET_DATAGRAM);
	char in[8];

	CHECK_EQ(socket_bind(r, &a), 0);
	CHECK_EQ(socket_bind(s, &none), 0); /* chosen for us */
	CHECK_EQ(host_net_send(s, "x", 1), -ENOTCONN);
	CHECK_EQ(socket_connect(s, &a), 0);
	CHECK_EQ(host_net_send(s, "x", 1), 1);
	CHECK_EQ(host_net_send(s, "", 0), 0);
	CHECK_EQ(host_net_receive(r, in, 8, 0), 1);
	CHECK_EQ(host_net_receive(r, in, 8, 0), 0);
	CHECK_EQ(host_net_receive(r, in, 8, 0), -EAGAIN);
	file_put(r);
	CHECK_EQ(host_net_send(s, "x", 1), -ECONNREFUSED);
	CHECK_EQ(host_net_send(s, "x", 1), -ENOTCONN);
	file_put(s);
}

/* Sends a byte and references of files; the caller keeps its own. */
static long send_files(struct file *to, uint32_t count, struct file **files)
{
	struct socket_message m = { 0 };
	char byte = 'x';
	struct uio u;
	long n;

	uio_init_kernel(&u, &byte, 1);
	m.data = &u;
	m.files = kmem_alloc(sizeof(*m.files) + count * sizeof(files[0]));
	m.files->count = count;
	for (uint32_t i = 0; i < count; i++) {
		m.files->file[i] = files[i];
		file_get(files[i]);
	}
	n = socket_send(to, &m);
	CHECK((m.files == NULL) == (n == 1));
	socket_put_files(m.files);
	return n;
}

static struct socket_files *receive_files(struct file *from, unsigned flags)
{
	struct socket_message m = { .flags = flags };
	char byte;
	struct uio u;

	uio_init_kernel(&u, &byte, 1);
	m.data = &u;
	CHECK_EQ(socket_receive(from, &m), 1);
	return m.files;
}

static void test_files_arrive(void)
{
	struct file *p[2], *q[2];
	struct socket_files *peeked, *got;

	make_pair(SOCKET_STREAM, p);
	make_pair(SOCKET_STREAM, q);
	CHECK_EQ(send_files(p[0], 2, q), 1);
	file_put(q[0]);
	file_put(q[1]);
	peeked = receive_files(p[1], SOCKET_MSG_PEEK);
	got = receive_files(p[1], 0);
	CHECK(peeked->count == 2 && got->count == 2 && peeked->file[0] == got->file[0]);
	socket_put_files(peeked);
	CHECK_EQ(host_net_send(got->file[0], "alive", 5), 5);
	CHECK_EQ(send_files(p[0], 1, got->file), 1);
	socket_put_files(got);
	CHECK_EQ(host_net_receive(p[1], &(char){ 0 }, 1, 0), 1); /* dropped */
	CHECK_EQ(send_files(p[0], 1, p), 1);
	file_put(p[1]);
	CHECK_EQ(send_files(p[0], 1, p), -EPIPE);
	file_put(p[0]);
}

/* Each in the other's queue, in its own, or in that of a connection that waits. */
static void test_circles(void)
{
	struct socket_address a = named("circle");
	struct file *p[2], *q[2], *l = open_unix(SOCKET_STREAM), *c = open_unix(SOCKET_STREAM);

	make_pair(SOCKET_SEQPACKET, p);
	make_pair(SOCKET_DATAGRAM, q);
	CHECK_EQ(send_files(p[0], 2, p), 1);
	CHECK_EQ(send_files(p[1], 2, q), 1);
	CHECK_EQ(send_files(q[1], 1, p), 1);
	CHECK_EQ(socket_bind(l, &a), 0);
	CHECK_EQ(socket_listen(l, 1), 0);
	CHECK_EQ(socket_connect(c, &a), 0);
	CHECK_EQ(send_files(c, 1, &l), 1);
	file_put(l);
	file_put(c);
	file_put(p[0]);
	file_put(p[1]);
	/* p is reached from q only, which somebody has still open. */
	make_pair(SOCKET_STREAM, p);
	file_put(p[0]);
	file_put(p[1]);
	socket_put_files(receive_files(q[0], SOCKET_MSG_PEEK));
	file_put(q[0]);
	file_put(q[1]);
	make_pair(SOCKET_STREAM, p); /* the next close finds what is left */
	file_put(p[0]);
	file_put(p[1]);
}

/* Closing one closes the next, and so on: by a loop, not by as many nested calls. */
static void test_chain(void)
{
	struct file *p[2], *last;

	make_pair(SOCKET_DATAGRAM, p);
	for (unsigned i = 0; i < 500; i++) {
		last = p[0];
		file_put(p[1]);
		make_pair(SOCKET_DATAGRAM, p);
		CHECK_EQ(send_files(p[1], 1, &last), 1);
		file_put(last);
	}
	file_put(p[0]);
	file_put(p[1]);
}

int main(void)
{
	uint64_t objects;

	host_net_init(false);
	objects = host_kmem_objects();
	test_stream_pair();
	test_records();
	test_listen();
	test_datagrams();
	test_files_arrive();
	test_circles();
	test_chain();
	CHECK_EQ(host_kmem_objects(), objects); /* (1) */
	printf("net_unix_test: ok\n");
	return 0;
}
