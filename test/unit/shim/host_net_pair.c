/*
 * host_net_pair.c: two connected sockets, and bytes that are known.
 *
 * What:       what tests of TCP over the mirror have in common.
 * Invariants: (1) bytes arrive once and in order.
 * Locking:    one thread.
 * Failure:    ends the test.
 * Source:     none.
 */
#include "host_net_pair.h"

#include <linux/eventpoll.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"

struct file *listen_on(uint16_t port)
{
	struct file *l = host_net_socket(SOCKET_STREAM, true);

	CHECK_EQ(socket_set_option(l, SOCKET_OPT_REUSEADDR, 1), 0);
	CHECK_EQ(host_net_bind(l, 0, port), 0);
	CHECK_EQ(socket_listen(l, 4096), 0);
	return l;
}

struct pair connected_pair(struct file *l, unsigned patience_s)
{
	struct pair p = { host_net_socket(SOCKET_STREAM, true), NULL };
	int r = host_net_connect(p.client, HOST_NET_PEER, host_net_port(l));

	CHECK_EQ(r, -EINPROGRESS);
	while (host_net_accept(l, &p.server) != 0 && patience_s-- != 0)
		host_net_advance(NS_PER_S);
	CHECK(p.server != NULL);
	CHECK_EQ(host_net_error(p.client), 0);
	CHECK((host_net_poll(p.client) & EPOLLOUT) != 0);
	return p;
}

void close_pair(struct pair p)
{
	file_put(p.client);
	file_put(p.server);
}

static char pattern_at(uint64_t i)
{
	return (char)(i * 7 + i / 251 + i / 65521);
}

void move_bytes(struct pair p, uint64_t total)
{
	static char out[30000], in[30000];
	uint64_t sent = 0, got = 0, i, rounds = 0;
	long n;

	while (got < total) {
		n = (long)MIN(sizeof(out), total - sent);
		for (i = 0; i < (uint64_t)n; i++)
			out[i] = pattern_at(sent + i);
		n = n == 0 ? 0 : host_net_send(p.client, out, (uint64_t)n);
		CHECK(n >= 0 || n == -EAGAIN);
		sent += n > 0 ? (uint64_t)n : 0;
		host_net_advance(NS_PER_MS);
		n = host_net_receive(p.server, in, sizeof(in), 0);
		CHECK(n > 0 || n == -EAGAIN);
		for (i = 0; n > 0 && i < (uint64_t)n; i++)
			CHECK(in[i] == pattern_at(got + i)); /* (1) */
		got += n > 0 ? (uint64_t)n : 0;
		CHECK(++rounds < 3000000);
	}
}
