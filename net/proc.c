/*
 * proc.c: /proc/net: the device's counters and the program's sockets.
 *
 * What:       sockets are found by the descriptors that are open: there is one process. Those that
 *             only the protocol still knows (TIME_WAIT) are not shown.
 * Invariants: none.
 * Locking:    none held; what is asked takes the core's lock.
 * Failure:    a socket that goes meanwhile is left out.
 * Source:     proc(5); Linux net/ipv4/tcp_ipv4.c, udp.c, net/unix/af_unix.c for the columns.
 */
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "fs/proc.h"
#include "fs/stat.h"
#include "kernel/log.h"
#include "net/interface.h"
#include "net/net_priv.h"
#include "net/socket.h"

#define STATE_ESTABLISHED 1u /* Linux's TCP_*: include/net/tcp_states.h */
#define STATE_CLOSE 7u
#define STATE_LISTEN 10u

static void make_dev(struct proc_text *t)
{
	const struct interface_counters *c;
	struct interface_facts i;
	unsigned n;

	proc_print(t,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets errs drop fifo colls carrier compressed\n");
	for (n = 0; interface_get_nth(n, &i); n++) {
		c = &i.counters;
		proc_print(t, "  %s: %lu %lu 0 %lu 0 0 0 0 %lu %lu 0 %lu 0 0 0 0\n", i.name,
			c->rx_bytes, c->rx_packets, c->rx_dropped, c->tx_bytes, c->tx_packets,
			c->tx_dropped);
	}
}

/* What a table has of one socket. */
struct row {
	unsigned state;
	struct socket_address local, peer;
	struct file_stat st;
};

static bool get_row(struct file *f, unsigned type, struct row *r)
{
	struct socket_tcp_info info;
	int64_t value;

	*r = (struct row){ .state = STATE_CLOSE };
	if (socket_get_option(f, SOCKET_OPT_TYPE, &value) != 0 || value != (int64_t)type)
		return false;
	if (socket_get_name(f, false, &r->local) != 0 || file_stat(f, &r->st) != 0)
		return false;
	if (socket_get_name(f, true, &r->peer) == 0)
		r->state = STATE_ESTABLISHED;
	else
		r->peer = (struct socket_address){ .family = r->local.family };
	if (socket_get_option(f, SOCKET_OPT_ACCEPTCONN, &value) == 0 && value)
		r->state = STATE_LISTEN;
	else if (type == SOCKET_STREAM && socket_get_tcp_info(f, &info) == 0)
		r->state = info.state;
	return true;
}

static void print_address(struct proc_text *t, const struct socket_address *a, bool v6)
{
	if (v6)
		proc_print(t, "%08X%08X%08X", a->ip.word[0], a->ip.word[1], a->ip.word[2]);
	proc_print(t, "%08X:%04X ", a->ip.word[3], a->port);
}

static void print_inet(struct proc_text *t, unsigned n, const struct row *r, bool v6)
{
	proc_print(t, "%4u: ", n);
	print_address(t, &r->local, v6);
	print_address(t, &r->peer, v6);
	proc_print(t, "%02X 00000000:00000000 00:00000000 00000000 ", r->state);
	proc_print(t, "%5u        0 %lu 1 0 0\n", r->st.uid, r->st.inode);
}

static void list_inet(struct proc_text *t, unsigned family, unsigned type)
{
	bool v6 = family == SOCKET_INET6;
	unsigned n = 0;

	proc_print(t, "  sl  %s st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
		v6 ? "local_address                         remote_address                       "
		   : "local_address rem_address  ");
	for (int fd = fdtable_next(0); fd >= 0; fd = fdtable_next(fd + 1)) {
		struct file *f;
		struct row r;

		if (fdtable_get(fd, &f) != 0)
			continue;
		if (socket_is(f) && socket_family(f) == family && get_row(f, type, &r))
			print_inet(t, n++, &r, v6);
		file_put(f);
	}
}

static void make_tcp(struct proc_text *t)
{
	list_inet(t, SOCKET_INET, SOCKET_STREAM);
}

static void make_tcp6(struct proc_text *t)
{
	list_inet(t, SOCKET_INET6, SOCKET_STREAM);
}

static void make_udp(struct proc_text *t)
{
	list_inet(t, SOCKET_INET, SOCKET_DATAGRAM);
}

static void make_udp6(struct proc_text *t)
{
	list_inet(t, SOCKET_INET6, SOCKET_DATAGRAM);
}

static void print_unix(struct proc_text *t, struct file *f)
{
	struct socket_address a;
	struct file_stat st;
	int64_t type, listens;

	if (socket_get_option(f, SOCKET_OPT_TYPE, &type) != 0 ||
		socket_get_name(f, false, &a) != 0 || file_stat(f, &st) != 0)
		return;
	if (socket_get_option(f, SOCKET_OPT_ACCEPTCONN, &listens) != 0)
		listens = 0;
	proc_print(t, "0000000000000000: 00000002 00000000 %08X %04X %02X %5lu",
		listens ? 0x10000u : 0, (unsigned)type, listens ? 1u : 3u, st.inode);
	if (a.path_bytes > 0) {
		proc_print(t, " %s", a.path[0] ? "" : "@");
		for (uint32_t i = a.path[0] ? 0 : 1; i < a.path_bytes && a.path[i]; i++)
			proc_append(t, &a.path[i], 1);
	}
	proc_print(t, "\n");
}

static void make_unix(struct proc_text *t)
{
	proc_print(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	for (int fd = fdtable_next(0); fd >= 0; fd = fdtable_next(fd + 1)) {
		struct file *f;

		if (fdtable_get(fd, &f) != 0)
			continue;
		if (socket_is(f) && socket_family(f) == SOCKET_UNIX)
			print_unix(t, f);
		file_put(f);
	}
}

static const struct proc_file files[] = {
	{ .path = "net/dev", .generate = make_dev },
	{ .path = "net/tcp", .generate = make_tcp },
	{ .path = "net/tcp6", .generate = make_tcp6 },
	{ .path = "net/udp", .generate = make_udp },
	{ .path = "net/udp6", .generate = make_udp6 },
	{ .path = "net/unix", .generate = make_unix },
};

void net_proc_init(void)
{
	static struct proc_table table = { files, ARRAY_LEN(files), NULL };

	proc_add(&table);
}
