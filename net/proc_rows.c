/*
 * proc_rows.c: rows of /proc/net's tables of IP sockets, gathered under LOCK_NET in batches.
 *
 * What:       a walk over a list offers each of its sockets; those that were printed already are
 *             skipped, and when a batch is full the rest waits for the next walk. So neither the
 *             memory nor the time under the lock depends on how many sockets there are.
 * Invariants: (1) a row is of one moment. A socket that comes or goes between two walks may be
 *             missed or shown twice, as on Linux.
 * Locking:    LOCK_NET held while rows are taken, not while they are printed.
 * Failure:    none beyond fs/proc.c's.
 * Source:     Linux net/ipv4/tcp_ipv4.c, udp.c, raw.c (the columns and their widths).
 */
#include "net/proc_rows.h"

#include "base/units.h"
#include "lib/string.h"
#include "net/socket_priv.h"

bool proc_begin_batch(struct proc_batch *b)
{
	if (b->started && !b->more)
		return false;
	b->skip += b->count;
	b->count = b->seen = 0;
	b->started = true;
	b->more = false;
	return true;
}

void proc_begin_list(struct proc_batch *b)
{
	b->count = b->skip = 0;
	b->started = b->more = false;
}

struct proc_row *proc_next_row(struct proc_batch *b)
{
	struct proc_row *r;

	if (b->seen++ < b->skip)
		return NULL;
	b->more |= b->count == PROC_ROWS;
	if (b->more)
		return NULL;
	r = &b->rows[b->count++];
	memset(r, 0, sizeof(*r));
	return r;
}

void proc_take_socket(struct proc_row *r, const struct socket *s, bool closed)
{
	r->uid = s->uid;
	r->inode = closed ? 0 : s->inode;
	r->refs = s->refs;
}

static void print_address(struct proc_text *t, const struct net_ip *ip, uint16_t port, bool v6)
{
	if (v6)
		proc_print(t, "%08X%08X%08X", ip->word[0], ip->word[1], ip->word[2]);
	proc_print(t, "%08X:%04X ", ip->word[3], port);
}

void proc_print_row(struct proc_text *t, const struct proc_batch *b, const struct proc_row *r,
	int number_width)
{
	bool v6 = b->family == SOCKET_INET6;

	proc_print(t, "%*u: ", number_width, b->printed);
	print_address(t, &r->local, r->local_port, v6);
	print_address(t, &r->remote, r->remote_port, v6);
	proc_print(t, "%02X %08lX:%08lX %02X:%08lX %08X %5u %8u %lu", r->state, r->tx_bytes,
		r->rx_bytes, r->timer, r->timer_ticks, r->repeats, r->uid, r->probes, r->inode);
}

void proc_end_row(struct proc_text *t, size_t start, size_t width)
{
	while (t->len - start < width && !t->failed)
		proc_append(t, " ", 1);
	proc_append(t, "\n", 1);
}

void proc_print_row_header(struct proc_text *t, unsigned family, const char *rest, size_t width)
{
	bool v6 = family == SOCKET_INET6;
	size_t start = t->len;

	proc_print(t, "  sl  %s st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode%s",
		v6 ? "local_address                         remote_address                       "
		   : "local_address rem_address  ",
		rest);
	proc_end_row(t, start, v6 ? 0 : width);
}
