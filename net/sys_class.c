/*
 * sys_class.c: /sys/class/net: what is told of an interface as files.
 *
 * What:       a link per interface, to a directory with a file for each fact and a directory of
 *             counters. Linux keeps those of no hardware below devices/virtual, and programs tell
 *             by that which are real; so does this. Nodes are made when they are asked for.
 * Invariants: (1) a node's number is that of the interface (its place, from 0) and of the fact.
 *             (2) interfaces neither come nor go after boot.
 * Locking:    look-ups run under the tree's lock and take LOCK_NET; files take LOCK_NET.
 * Failure:    -ENOENT, -ENOMEM.
 * Source:     Linux Documentation/ABI/testing/sysfs-class-net, sysfs-class-net-statistics,
 *             net/core/net-sysfs.c; the host's own files for what virtio's driver says.
 */
#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/proc.h"
#include "fs/stat.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/interface.h"
#include "net/net_priv.h"
#include "net/proc_priv.h"

#define FIRST_ORDER 3u /* . is 1, .. is 2 */
#define INODES_PER_INTERFACE 128u
#define HARDWARE_ETHERNET 1u /* linux/if_arp.h wants libc */
#define HARDWARE_LOOPBACK 772u
#define FLAGS_LOOPBACK 0x9u /* linux/if.h, too: IFF_UP | IFF_LOOPBACK */
#define FLAGS_DEVICE 0x1003u /* IFF_UP | IFF_BROADCAST | IFF_MULTICAST */
#define STATISTICS "statistics"

enum { LOOPBACK = 0, DEVICE = 1 };

struct fact {
	const char *name;
	const char *text; /* the same for all; NULL: print */
	void (*print)(struct proc_text *t, const struct interface_facts *i);
	bool of_device; /* the loopback's cannot be read on Linux */
};

/* ------------------------------------------------------------------ facts */
static void print_bytes(struct proc_text *t, const uint8_t b[6])
{
	proc_print(t, "%02x:%02x:%02x:%02x:%02x:%02x\n", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void print_address(struct proc_text *t, const struct interface_facts *i)
{
	print_bytes(t, i->hardware);
}

static void print_broadcast(struct proc_text *t, const struct interface_facts *i)
{
	static const uint8_t none[6], all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	print_bytes(t, i->is_loopback ? none : all);
}

static void print_carrier(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%u\n", i->is_up);
}

static void print_flags(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "0x%x\n", i->is_loopback ? FLAGS_LOOPBACK : FLAGS_DEVICE);
}

static void print_index(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%u\n", i->index);
}

static void print_mtu(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%u\n", i->mtu);
}

static void print_name_assignment(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, i->is_loopback ? "2\n" : "1\n"); /* predictable; counted up */
}

static void print_operates(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%s\n", i->is_loopback ? "unknown" : i->is_up ? "up" : "down");
}

static void print_type(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%u\n", i->is_loopback ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET);
}

static void print_event(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "INTERFACE=%s\nIFINDEX=%u\n", i->name, i->index);
}

static const struct fact facts[] = {
	{ .name = "addr_assign_type", .text = "0" }, /* the device's own */
	{ .name = "addr_len", .text = "6" },
	{ .name = "address", .print = print_address },
	{ .name = "broadcast", .print = print_broadcast },
	{ .name = "carrier", .print = print_carrier },
	{ .name = "dev_id", .text = "0x0" },
	{ .name = "dev_port", .text = "0" },
	{ .name = "dormant", .text = "0" },
	{ .name = "duplex", .text = "unknown", .of_device = true },
	{ .name = "flags", .print = print_flags },
	{ .name = "ifalias", .text = "" },
	{ .name = "ifindex", .print = print_index },
	{ .name = "iflink", .print = print_index },
	{ .name = "link_mode", .text = "0" },
	{ .name = "mtu", .print = print_mtu },
	{ .name = "name_assign_type", .print = print_name_assignment },
	{ .name = "netdev_group", .text = "0" },
	{ .name = "operstate", .print = print_operates },
	{ .name = "proto_down", .text = "0" },
	{ .name = "speed", .text = "-1", .of_device = true }, /* not known */
	{ .name = "testing", .text = "0" },
	{ .name = "tx_queue_len", .text = "1000" },
	{ .name = "type", .print = print_type },
	{ .name = "uevent", .print = print_event },
};

/* ------------------------------------------------------------------ counters */
static void print_rx_bytes(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%lu\n", i->counters.rx_bytes);
}

static void print_rx_dropped(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%lu\n", i->counters.rx_dropped);
}

static void print_rx_packets(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%lu\n", i->counters.rx_packets);
}

static void print_tx_bytes(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%lu\n", i->counters.tx_bytes);
}

static void print_tx_dropped(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%lu\n", i->counters.tx_dropped);
}

static void print_tx_packets(struct proc_text *t, const struct interface_facts *i)
{
	proc_print(t, "%lu\n", i->counters.tx_packets);
}

/* What is always 0 does not happen: virtio's frames are whole, and no wire is shared. */
static const struct fact counters[] = {
	{ .name = "collisions", .text = "0" },
	{ .name = "multicast", .text = "0" },
	{ .name = "rx_bytes", .print = print_rx_bytes },
	{ .name = "rx_compressed", .text = "0" },
	{ .name = "rx_crc_errors", .text = "0" },
	{ .name = "rx_dropped", .print = print_rx_dropped },
	{ .name = "rx_errors", .text = "0" },
	{ .name = "rx_fifo_errors", .text = "0" },
	{ .name = "rx_frame_errors", .text = "0" },
	{ .name = "rx_length_errors", .text = "0" },
	{ .name = "rx_missed_errors", .text = "0" },
	{ .name = "rx_nohandler", .text = "0" },
	{ .name = "rx_over_errors", .text = "0" },
	{ .name = "rx_packets", .print = print_rx_packets },
	{ .name = "tx_aborted_errors", .text = "0" },
	{ .name = "tx_bytes", .print = print_tx_bytes },
	{ .name = "tx_carrier_errors", .text = "0" },
	{ .name = "tx_compressed", .text = "0" },
	{ .name = "tx_dropped", .print = print_tx_dropped },
	{ .name = "tx_errors", .text = "0" },
	{ .name = "tx_fifo_errors", .text = "0" },
	{ .name = "tx_heartbeat_errors", .text = "0" },
	{ .name = "tx_packets", .print = print_tx_packets },
	{ .name = "tx_window_errors", .text = "0" },
};
STATIC_ASSERT(ARRAY_LEN(facts) + ARRAY_LEN(counters) < INODES_PER_INTERFACE,
	"each node has a number of its own");

/* (1) */
static void make(struct proc_text *t, uint64_t number, const struct fact *from)
{
	const struct fact *f = &from[number % INODES_PER_INTERFACE];
	struct interface_facts i;

	if (!interface_get_nth((unsigned)(number / INODES_PER_INTERFACE), &i))
		return;
	if (f->text != NULL)
		proc_print(t, "%s\n", f->text);
	else
		f->print(t, &i);
}

static void make_fact(struct proc_text *t, uint64_t number)
{
	make(t, number, facts);
}

static void make_counter(struct proc_text *t, uint64_t number)
{
	make(t, number, counters);
}

/* ------------------------------------------------------------------ one interface */
static bool is_name(const char *name, size_t len, const char *of)
{
	return strlen(of) == len && memcmp(of, name, len) == 0;
}

static bool has_fact(uint64_t interface, const struct fact *f)
{
	return interface != LOOPBACK || !f->of_device;
}

static int counters_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	for (size_t n = 0; n < ARRAY_LEN(counters); n++)
		if (is_name(name, len, counters[n].name))
			return proc_make_text_node(proc_dir_number(dir) * INODES_PER_INTERFACE + n,
				make_counter, out);
	return -ENOENT;
}

static int list_name(const char *name, uint64_t order, uint64_t inode, uint32_t mode,
	struct dir_item *out)
{
	*out = (struct dir_item){ .order = order, .inode = inode, .mode = mode };
	out->len = (uint32_t)strlcpy(out->name, name, sizeof(out->name));
	return 0;
}

static uint64_t place_after(uint64_t order)
{
	return order < FIRST_ORDER ? 0 : order - FIRST_ORDER + 1;
}

static int counters_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	uint64_t n = place_after(after);

	if (n >= ARRAY_LEN(counters))
		return -ENOENT;
	return list_name(counters[n].name, FIRST_ORDER + n, dir->number + 1 + n, S_IFREG, out);
}

static const struct inode_ops counters_ops = { .lookup = counters_lookup, .list = counters_list };

static int facts_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	uint64_t interface = proc_dir_number(dir);

	if (is_name(name, len, STATISTICS))
		return proc_make_dir_node(interface, &counters_ops, dir, name, len, out);
	for (size_t n = 0; n < ARRAY_LEN(facts); n++)
		if (is_name(name, len, facts[n].name) && has_fact(interface, &facts[n]))
			return proc_make_text_node(interface * INODES_PER_INTERFACE + n, make_fact,
				out);
	return -ENOENT;
}

static int facts_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	uint64_t n = place_after(after);

	while (n < ARRAY_LEN(facts) && !has_fact(proc_dir_number(dir), &facts[n]))
		n++;
	if (n > ARRAY_LEN(facts))
		return -ENOENT;
	if (n == ARRAY_LEN(facts))
		return list_name(STATISTICS, FIRST_ORDER + n, dir->number + 1 + n, S_IFDIR, out);
	return list_name(facts[n].name, FIRST_ORDER + n, dir->number + 1 + n, S_IFREG, out);
}

static const struct inode_ops facts_ops = { .lookup = facts_lookup, .list = facts_list };

/* ------------------------------------------------------------------ all interfaces */
static int lookup_one(struct inode *dir, unsigned n, const char *name, size_t len,
	struct inode **out)
{
	struct interface_facts i;

	if (!interface_get_nth(n, &i) || !is_name(name, len, i.name))
		return -ENOENT;
	return proc_make_dir_node(n, &facts_ops, dir, name, len, out);
}

static int list_one(struct inode *dir, unsigned n, uint64_t after, struct dir_item *out)
{
	struct interface_facts i;

	if (place_after(after) != 0 || !interface_get_nth(n, &i))
		return -ENOENT;
	return list_name(i.name, FIRST_ORDER, dir->number + 1, S_IFDIR, out);
}

static int virtual_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	return lookup_one(dir, LOOPBACK, name, len, out);
}

static int virtual_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	return list_one(dir, LOOPBACK, after, out);
}

static int device_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	return lookup_one(dir, DEVICE, name, len, out);
}

static int device_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	return list_one(dir, DEVICE, after, out);
}

static int class_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct interface_facts i;
	char target[64];

	(void)dir;
	for (unsigned n = 0; interface_get_nth(n, &i); n++) {
		if (!is_name(name, len, i.name))
			continue;
		fmt_snprintf(target, sizeof(target), "../../devices/%s/net/%s",
			i.is_loopback ? "virtual" : "virtio0", i.name);
		return proc_make_link_node(target, out);
	}
	return -ENOENT;
}

static int class_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	uint64_t n = place_after(after);
	struct interface_facts i;

	if (!interface_get_nth((unsigned)n, &i))
		return -ENOENT;
	return list_name(i.name, FIRST_ORDER + n, dir->number + 1 + n, S_IFLNK, out);
}

static const struct inode_ops class_ops = { .lookup = class_lookup, .list = class_list };
static const struct inode_ops virtual_ops = { .lookup = virtual_lookup, .list = virtual_list };
static const struct inode_ops device_ops = { .lookup = device_lookup, .list = device_list };

/* (2) */
static const struct proc_file files[] = {
	{ .path = "/sys/class/net", .mode = S_IFDIR | 0555, .ops = &class_ops },
	{ .path = "/sys/devices/virtual/net", .mode = S_IFDIR | 0555, .ops = &virtual_ops },
	{ .path = "/sys/devices/virtio0/net", .mode = S_IFDIR | 0555, .ops = &device_ops },
};

void net_sys_init(void)
{
	static struct proc_table table = { files, ARRAY_LEN(files), NULL };

	proc_add(&table);
}
