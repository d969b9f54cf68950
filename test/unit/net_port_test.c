/* sources: net/port.c test/unit/shim/host.c */
/*
 * net_port_test.c: who may have which local port, for both families.
 *
 * What:       the rules of port.c: conflicts, choices, look-ups, and all ports in use.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     net/port.h; Linux ip(7), ipv6(7) (IPV6_V6ONLY), socket(7) (SO_REUSEPORT).
 */
#include <string.h>

#include "base/errno.h"
#include "host.h"
#include "net/port.h"

static uint32_t random_port(void)
{
	static uint32_t n;

	return n += 7919;
}

static struct port_table table;

static int bind_to(struct port_binding *b, uint32_t ip, uint16_t port)
{
	struct net_ip local = net_ip_of_v4(ip);

	return port_bind(&table, b, &local, port);
}

static int bind_for(struct port_binding *b, uint32_t local_ip, uint32_t remote_ip, uint16_t port)
{
	struct net_ip local = net_ip_of_v4(local_ip), remote = net_ip_of_v4(remote_ip);

	return port_bind_for(&table, b, &local, &remote, port);
}

static struct port_binding *find(uint32_t local_ip, uint16_t local_port, uint32_t remote_ip,
	uint16_t remote_port)
{
	struct net_ip local = net_ip_of_v4(local_ip), remote = net_ip_of_v4(remote_ip);

	return port_find(&table, &local, local_port, &remote, remote_port, 0);
}

static void test_port_rules(void)
{
	struct port_binding a = { 0 }, b = { 0 }, c = { 0 };

	port_table_init(&table, random_port);
	CHECK_EQ(bind_to(&a, 0, 80), 0);
	CHECK_EQ(bind_to(&b, 5, 80), -EADDRINUSE); /* any and one overlap */
	a.reuse_addr = b.reuse_addr = true;
	CHECK_EQ(bind_to(&b, 5, 80), 0);
	a.listening = true;
	CHECK_EQ(port_check_listen(&table, &b), -EADDRINUSE);
	a.reuse_port = b.reuse_port = true;
	CHECK_EQ(port_check_listen(&table, &b), 0);
	port_release(&a);
	port_release(&b);
	a = b = (struct port_binding){ 0 };
	CHECK_EQ(bind_to(&a, 5, 80), 0);
	CHECK_EQ(bind_to(&b, 6, 80), 0); /* two addresses */
	CHECK(find(6, 80, 1, 1) == &b);
	CHECK(find(7, 80, 1, 1) == NULL);
	b.remote_ip = net_ip_of_v4(9);
	b.remote_port = 9;
	CHECK_EQ(bind_for(&c, 5, 9, 9), 0);
	CHECK(c.local_port >= PORT_EPHEMERAL_FIRST && c.local_port <= PORT_EPHEMERAL_LAST);
	port_release(&a);
	port_release(&b);
	port_release(&c);
}

/* As many connections to one place as there are ports, as many again to another, and no more. */
static void test_port_exhaustion(void)
{
	enum { MANY = PORT_EPHEMERAL_LAST - PORT_EPHEMERAL_FIRST + 1 };
	struct port_binding *b = calloc(2 * MANY + 1, sizeof(*b));
	unsigned i;

	CHECK(b != NULL);
	for (i = 0; i < 2 * MANY; i++) {
		CHECK_EQ(bind_for(&b[i], 1, 2, i < MANY ? 80 : 81), 0);
		b[i].remote_ip = net_ip_of_v4(2);
		b[i].remote_port = i < MANY ? 80 : 81;
	}
	CHECK_EQ(bind_for(&b[i], 1, 2, 80), -EADDRNOTAVAIL);
	CHECK_EQ(bind_to(&b[i], 0, 0), -EADDRINUSE);
	for (i = 0; i < 2 * MANY; i++)
		port_release(&b[i]);
	free(b);
}

/* "::" takes what comes for IPv4, unless v6only. */
static void test_both_families(void)
{
	struct net_ip any6 = NET_IP_ANY6, any4 = net_ip_of_v4(0), one4 = net_ip_of_v4(5);
	struct net_ip one6 = { { 1, 2, 3, 4 }, 0 };
	struct port_binding a = { 0 }, b = { 0 }, c = { .v6only = true };

	port_table_init(&table, random_port);
	CHECK_EQ(port_bind(&table, &a, &any6, 80), 0);
	CHECK_EQ(port_bind(&table, &b, &any4, 80), -EADDRINUSE);
	CHECK_EQ(port_bind(&table, &b, &one4, 80), -EADDRINUSE);
	CHECK_EQ(port_bind(&table, &b, &one6, 80), -EADDRINUSE);
	CHECK_EQ(port_bind(&table, &c, &any6, 80), -EADDRINUSE);
	CHECK(port_find(&table, &one4, 80, &one4, 1, 0) == &a);
	CHECK(port_find(&table, &one6, 80, &one6, 1, 0) == &a);
	port_release(&a);
	CHECK_EQ(port_bind(&table, &c, &any6, 80), 0);
	CHECK_EQ(port_bind(&table, &b, &any4, 80), 0);
	CHECK_EQ(port_bind(&table, &a, &one6, 80), -EADDRINUSE);
	CHECK(port_find(&table, &one4, 80, &one4, 1, 0) == &b);
	CHECK(port_find(&table, &one6, 80, &one6, 1, 0) == &c);
	port_release(&b);
	port_release(&c);
}

/* IPv4's own socket goes before one for both, an address before any, a peer before all. */
static void test_best_match(void)
{
	struct net_ip any6 = NET_IP_ANY6, any4 = net_ip_of_v4(0), one = net_ip_of_v4(5);
	struct net_ip peer = net_ip_of_v4(9);
	struct port_binding dual = { .reuse_addr = true }, own = dual, exact = dual, linked = dual;

	port_table_init(&table, random_port);
	CHECK_EQ(port_bind(&table, &own, &any4, 80), 0);
	CHECK_EQ(port_bind(&table, &dual, &any6, 80), 0);
	CHECK(port_find(&table, &one, 80, &peer, 7, 0) == &own);
	CHECK_EQ(port_bind(&table, &exact, &one, 80), 0);
	CHECK(port_find(&table, &one, 80, &peer, 7, 0) == &exact);
	CHECK_EQ(port_bind(&table, &linked, &any6, 80), 0);
	linked.remote_ip = peer;
	linked.remote_port = 7;
	CHECK(port_find(&table, &one, 80, &peer, 7, 0) == &linked);
	CHECK(port_find(&table, &one, 80, &peer, 8, 0) == &exact);
	port_release(&own);
	port_release(&dual);
	port_release(&exact);
	port_release(&linked);
}

/* Several that share a port: each gets its part, and a four-tuple always comes to the same. */
static void test_sharing(void)
{
	enum { MANY = 4, PEERS = 4000 };
	struct port_binding b[MANY], *first;
	struct net_ip any = net_ip_of_v4(0), one = net_ip_of_v4(5), peer;
	unsigned got[MANY] = { 0 }, i;

	port_table_init(&table, random_port);
	for (i = 0; i < MANY; i++) {
		b[i] = (struct port_binding){ .reuse_port = true };
		CHECK_EQ(port_bind(&table, &b[i], &any, 80), 0);
	}
	for (i = 0; i < PEERS; i++) {
		peer = net_ip_of_v4(i * 2654435761u);
		first = port_find(&table, &one, 80, &peer, 7, 0);
		CHECK(first == port_find(&table, &one, 80, &peer, 7, 0));
		got[first - b]++;
	}
	for (i = 0; i < MANY; i++) {
		CHECK(got[i] > PEERS / MANY / 2);
		port_release(&b[i]);
	}
}

int main(void)
{
	test_port_rules();
	test_port_exhaustion();
	test_both_families();
	test_best_match();
	test_sharing();
	printf("net_port_test: ok\n");
	return 0;
}
