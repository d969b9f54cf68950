/*
 * proc.c: /proc/net: which files there are.
 *
 * What:       the table; the files are made in proc_*.c, and /sys/class/net in sys_class.c.
 *             /proc/net is a link to self/net, as everything in it belongs to the network that a
 *             process sees.
 * Invariants: none.
 * Locking:    boot only.
 * Failure:    none.
 * Source:     proc(5), "/proc/pid/net".
 */
#include "base/units.h"
#include "fs/proc.h"
#include "fs/stat.h"
#include "net/net_priv.h"
#include "net/proc_priv.h"

static const struct proc_file files[] = {
	{ .path = "net", .mode = S_IFLNK | 0777, .target = "self/net" },
	{ .path = "1/net/arp", .generate = net_proc_make_arp },
	{ .path = "1/net/dev", .generate = net_proc_make_dev },
	{ .path = "1/net/dev_mcast", .generate = net_proc_make_dev_mcast },
	{ .path = "1/net/icmp", .generate = net_proc_make_icmp },
	{ .path = "1/net/icmp6", .generate = net_proc_make_icmp6 },
	{ .path = "1/net/if_inet6", .generate = net_proc_make_if_inet6 },
	{ .path = "1/net/igmp", .generate = net_proc_make_igmp },
	{ .path = "1/net/igmp6", .generate = net_proc_make_igmp6 },
	{ .path = "1/net/ipv6_route", .generate = net_proc_make_ipv6_route },
	{ .path = "1/net/netlink", .generate = net_proc_make_netlink },
	{ .path = "1/net/netstat", .generate = net_proc_make_netstat },
	{ .path = "1/net/packet", .generate = net_proc_make_packet },
	{ .path = "1/net/raw", .generate = net_proc_make_raw },
	{ .path = "1/net/raw6", .generate = net_proc_make_raw6 },
	{ .path = "1/net/route", .generate = net_proc_make_route },
	{ .path = "1/net/snmp", .generate = net_proc_make_snmp },
	{ .path = "1/net/snmp6", .generate = net_proc_make_snmp6 },
	{ .path = "1/net/sockstat", .generate = net_proc_make_sockstat },
	{ .path = "1/net/sockstat6", .generate = net_proc_make_sockstat6 },
	{ .path = "1/net/softnet_stat", .generate = net_proc_make_softnet_stat },
	{ .path = "1/net/tcp", .generate = net_proc_make_tcp },
	{ .path = "1/net/tcp6", .generate = net_proc_make_tcp6 },
	{ .path = "1/net/udp", .generate = net_proc_make_udp },
	{ .path = "1/net/udp6", .generate = net_proc_make_udp6 },
	{ .path = "1/net/unix", .generate = net_proc_make_unix },
};

void net_proc_init(void)
{
	static struct proc_table table = { files, ARRAY_LEN(files), NULL };

	proc_add(&table);
	net_sys_init();
}
