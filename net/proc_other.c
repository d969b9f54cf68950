/*
 * proc_other.c: /proc/net/unix, packet and netlink: the sockets that are not IP's.
 *
 * What:       each list is walked in batches: what of it was printed is skipped the next time.
 * Invariants: none.
 * Locking:    LOCK_NET for one batch of rows at a time.
 * Failure:    none beyond fs/proc.c's.
 * Source:     Linux net/unix/af_unix.c (unix_seq_show), net/packet/af_packet.c (packet_seq_show),
 *             net/netlink/af_netlink.c (netlink_native_seq_show).
 */
#include "base/units.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/netlink_priv.h"
#include "net/proc_priv.h"
#include "net/unix_priv.h"

#define ROWS 8u
#define ACCEPTS 0x10000u /* Linux's __SO_ACCEPTCON */

enum { UNCONNECTED = 1, CONNECTING = 2, CONNECTED = 3, DISCONNECTING = 4 };

struct unix_row {
	uint32_t refs, flags;
	uint16_t type;
	uint8_t state;
	uint64_t inode;
	struct socket_address name;
};

static uint8_t state_of(const struct unix_socket *u)
{
	if (u->base.file == NULL)
		return u->peer != NULL ? CONNECTING : DISCONNECTING;
	return u->peer != NULL ? CONNECTED : UNCONNECTED;
}

/* Returns how many rows; done: those of earlier batches. */
static uint32_t take_unix(struct unix_row rows[ROWS], uint32_t done)
{
	const struct unix_socket *u;
	uint32_t n = 0;

	net_lock();
	LIST_FOREACH(u, unix_all(), all_link) {
		if (u->closed || (done > 0 && done-- > 0))
			continue;
		if (n == ROWS)
			break;
		rows[n++] = (struct unix_row){ .refs = u->base.refs,
			.flags = u->phase == UNIX_LISTENING ? ACCEPTS : 0,
			.type = u->base.type,
			.state = state_of(u),
			.inode = u->base.file != NULL ? u->base.inode : 0,
			.name = u->name };
	}
	net_unlock_batch();
	return n;
}

/* An abstract name begins with a NUL, and may have more. */
static void print_name(struct proc_text *t, const struct socket_address *a)
{
	uint32_t bytes = a->path_bytes;

	if (bytes == 0)
		return;
	if (a->path[0] != 0)
		bytes = (uint32_t)strnlen(a->path, bytes);
	proc_print(t, " ");
	for (uint32_t i = 0; i < bytes; i++)
		proc_append(t, a->path[i] != 0 ? &a->path[i] : "@", 1);
}

void net_proc_make_unix(struct proc_text *t)
{
	struct unix_row rows[ROWS];
	uint32_t done = 0, n, i;

	proc_print(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	while ((n = take_unix(rows, done)) != 0) {
		for (i = 0; i < n; i++) {
			proc_print(t, "0000000000000000: %08X 00000000 %08X %04X %02X %5lu",
				rows[i].refs, rows[i].flags, rows[i].type, rows[i].state,
				rows[i].inode);
			print_name(t, &rows[i].name);
			proc_print(t, "\n");
		}
		done += n;
	}
}

/* ------------------------------------------------------------------ packets */
void net_proc_make_packet(struct proc_text *t)
{
	struct packet_facts f;
	struct socket s;

	proc_print(t, "%-17sRefCnt Type Proto  Iface R Rmem   User   Inode\n", "sk");
	for (uint32_t n = 0;; n++) {
		bool found;

		net_lock();
		found = packet_get_nth_locked(n, &f);
		if (found)
			s = *f.socket;
		net_unlock_batch();
		if (!found)
			return;
		proc_print(t, "0000000000000000 %-6u %-4u %04x   %-5u %u %-6lu %-6u %-6lu\n",
			s.refs, s.type, f.protocol, f.interface_index, f.protocol != 0,
			f.queue_bytes, s.uid, s.inode);
	}
}

/* ------------------------------------------------------------------ netlink */
void net_proc_make_netlink(struct proc_text *t)
{
	proc_print(t,
		"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops   "
		" "
		"Inode\n");
	for (uint32_t n = 0;; n++) {
		const struct netlink_socket *found;
		struct netlink_socket s;

		net_lock();
		found = netlink_nth_locked(n);
		if (found != NULL)
			s = *found;
		net_unlock_batch();
		if (found == NULL)
			return;
		proc_print(t, "0000000000000000 %-3u %-10u %08x %-8lu %-8u %-5u %-8u %-8u %-8lu\n",
			s.base.protocol, s.port, s.groups,
			(unsigned long)(s.answer_count * sizeof(struct netlink_answer)), 0u, 0u,
			s.base.refs, s.base.drops, s.base.inode);
	}
}
