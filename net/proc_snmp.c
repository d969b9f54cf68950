/*
 * proc_snmp.c: /proc/net/snmp, snmp6 and netstat: what the protocols have counted.
 *
 * What:       tables of columns, each with the counters whose sum it is. Columns that nobody counts
 *             are left out where Linux's readers go by names (snmp6, netstat); snmp has them all.
 * Invariants: (1) a column with a fixed value is a setting, or of what cannot happen here.
 * Locking:    none but for CurrEstab: a counter is read in one piece, and is a moment's view.
 * Failure:    none beyond fs/proc.c's.
 * Source:     Linux net/ipv4/proc.c, net/ipv6/proc.c; RFC 4293, RFC 4022, RFC 4113.
 */
#include "base/units.h"
#include "fs/proc.h"
#include "kernel/mm/kmem.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/counters.h"
#include "net/net_priv.h"
#include "net/proc_priv.h"

struct column {
	const char *name;
	const uint64_t *of, *more, *less; /* of + more - less; NULL: nothing */
	int64_t fixed; /* added */
};

#define LWIP(field) &net_lwip_counters.mib2.field
#define IP4(field) &net_counters.ip[0].field
#define IP6(field) &net_counters.ip[1].field
#define TCP(field) &net_counters.tcp.field

#define COUNT(n, c) \
	{ \
		.name = n, .of = c \
	}
#define SUM(n, c, d) \
	{ \
		.name = n, .of = c, .more = d \
	}
#define LESS(n, c, d) \
	{ \
		.name = n, .of = c, .less = d \
	}
#define SETTING(n, v) \
	{ \
		.name = n, .fixed = v \
	}
#define NEVER_COUNTED(n) \
	{ \
		.name = n \
	} /* it cannot happen here */

static const struct column ip_columns[] = {
	SETTING("Forwarding", 2), /* no */
	SETTING("DefaultTTL", 64),
	COUNT("InReceives", IP4(in.packets)),
	SUM("InHdrErrors", IP4(header_errors), LWIP(ipinhdrerrors)),
	COUNT("InAddrErrors", LWIP(ipinaddrerrors)),
	NEVER_COUNTED("ForwDatagrams"),
	COUNT("InUnknownProtos", LWIP(ipinunknownprotos)),
	LESS("InDiscards", LWIP(ipindiscards), LWIP(ipinaddrerrors)), /* lwIP counts both */
	COUNT("InDelivers", IP4(delivered)),
	COUNT("OutRequests", LWIP(ipoutrequests)),
	SUM("OutDiscards", IP4(out_discards), LWIP(ipoutdiscards)),
	COUNT("OutNoRoutes", LWIP(ipoutnoroutes)),
	COUNT("ReasmTimeout", IP4(reassembly_timeouts)),
	COUNT("ReasmReqds", LWIP(ipreasmreqds)),
	COUNT("ReasmOKs", LWIP(ipreasmoks)),
	COUNT("ReasmFails", LWIP(ipreasmfails)),
	COUNT("FragOKs", LWIP(ipfragoks)),
	COUNT("FragFails", LWIP(ipfragfails)),
	COUNT("FragCreates", &net_lwip_counters.ip_frag.xmit),
	COUNT("OutTransmits", IP4(out.packets)),
};

#define TCP_CURRENT 8 /* its column */

static const struct column tcp_columns[] = {
	SETTING("RtoAlgorithm", 1), /* other */
	SETTING("RtoMin", 200), /* ms */
	SETTING("RtoMax", 120000),
	SETTING("MaxConn", -1),
	COUNT("ActiveOpens", LWIP(tcpactiveopens)),
	COUNT("PassiveOpens", TCP(accepted)),
	COUNT("AttemptFails", TCP(failed_attempts)),
	COUNT("EstabResets", TCP(resets)),
	[TCP_CURRENT] = NEVER_COUNTED("CurrEstab"), /* counted when asked for */
	SUM("InSegs", LWIP(tcpinsegs), TCP(bad_headers)),
	LESS("OutSegs", &net_lwip_counters.tcp.xmit, TCP(repeated)),
	COUNT("RetransSegs", TCP(repeated)),
	SUM("InErrs", LWIP(tcpinerrs), TCP(bad_headers)),
	COUNT("OutRsts", LWIP(tcpoutrsts)),
	COUNT("InCsumErrors", &net_lwip_counters.tcp.chkerr),
};

/* lwIP's own datagrams are DHCP's. */
#define UDP_COLUMNS(n, lwip_in, lwip_out) \
	SUM("InDatagrams", &net_counters.udp[n].received, lwip_in), \
		COUNT("NoPorts", &net_counters.udp[n].no_ports), \
		SUM("InErrors", &net_counters.udp[n].in_errors, \
			&net_counters.udp[n].buffer_errors), \
		SUM("OutDatagrams", &net_counters.udp[n].sent, lwip_out), \
		COUNT("RcvbufErrors", &net_counters.udp[n].buffer_errors), \
		COUNT("SndbufErrors", &net_counters.udp[n].memory_errors), \
		COUNT("InCsumErrors", &net_counters.udp[n].checksum_errors), \
		COUNT("IgnoredMulti", &net_counters.udp[n].ignored_groups), \
		NEVER_COUNTED("MemErrors")

static const struct column udp_columns[] = {
	UDP_COLUMNS(0, LWIP(udpindatagrams), LWIP(udpoutdatagrams)),
};
static const struct column udp6_columns[] = { UDP_COLUMNS(1, NULL, NULL) };

/* There is none of it here. */
static const struct column udplite_columns[] = { NEVER_COUNTED("InDatagrams"),
	NEVER_COUNTED("NoPorts"), NEVER_COUNTED("InErrors"), NEVER_COUNTED("OutDatagrams"),
	NEVER_COUNTED("RcvbufErrors"), NEVER_COUNTED("SndbufErrors"), NEVER_COUNTED("InCsumErrors"),
	NEVER_COUNTED("IgnoredMulti"), NEVER_COUNTED("MemErrors") };

static const struct column ip6_columns[] = {
	COUNT("InReceives", IP6(in.packets)),
	SUM("InHdrErrors", IP6(header_errors), &net_lwip_counters.ip6.err),
	NEVER_COUNTED("InTooBigErrors"),
	COUNT("InUnknownProtos", &net_lwip_counters.ip6.proterr),
	COUNT("InTruncatedPkts", &net_lwip_counters.ip6.lenerr),
	COUNT("InDelivers", IP6(delivered)),
	NEVER_COUNTED("OutForwDatagrams"),
	COUNT("OutRequests", &net_lwip_counters.ip6.xmit),
	COUNT("OutDiscards", IP6(out_discards)),
	SUM("OutNoRoutes", IP6(no_routes), &net_lwip_counters.ip6.rterr),
	COUNT("ReasmReqds", &net_lwip_counters.ip6_frag.recv),
	COUNT("FragCreates", &net_lwip_counters.ip6_frag.xmit),
	COUNT("InMcastPkts", IP6(in.group_packets)),
	COUNT("OutMcastPkts", IP6(out.group_packets)),
	COUNT("InOctets", IP6(in.octets)),
	COUNT("OutOctets", IP6(out.octets)),
	COUNT("InMcastOctets", IP6(in.group_octets)),
	COUNT("OutMcastOctets", IP6(out.group_octets)),
	COUNT("OutTransmits", IP6(out.packets)),
};

static const struct column tcp_more_columns[] = {
	COUNT("SyncookiesSent", TCP(cookies_sent)),
	COUNT("SyncookiesRecv", TCP(cookies_redeemed)),
	COUNT("SyncookiesFailed", TCP(cookies_failed)),
	COUNT("TW", TCP(time_waits_ended)),
	COUNT("ListenOverflows", TCP(listen_overflows)),
	COUNT("ListenDrops", TCP(listen_overflows)),
	COUNT("TCPTimeouts", LWIP(tcptimeouts)),
	COUNT("TCPAbortOnData", TCP(aborts_on_data)),
	COUNT("TCPAbortOnClose", TCP(aborts_on_close)),
	COUNT("TCPAbortOnTimeout", TCP(aborts_on_timeout)),
	COUNT("TCPMinTTLDrop", TCP(far_segments)),
	COUNT("TCPTimeWaitOverflow", TCP(time_waits_cut)),
	COUNT("TCPSynRetrans", TCP(repeated_syns)),
	COUNT("TCPKeepAlive", TCP(keepalives)),
};

static const struct column ip_more_columns[] = {
	COUNT("InMcastPkts", IP4(in.group_packets)),
	COUNT("OutMcastPkts", IP4(out.group_packets)),
	COUNT("InBcastPkts", IP4(in.broadcast_packets)),
	COUNT("OutBcastPkts", IP4(out.broadcast_packets)),
	COUNT("InOctets", IP4(in.octets)),
	COUNT("OutOctets", IP4(out.octets)),
	COUNT("InMcastOctets", IP4(in.group_octets)),
	COUNT("OutMcastOctets", IP4(out.group_octets)),
	COUNT("InBcastOctets", IP4(in.broadcast_octets)),
	COUNT("OutBcastOctets", IP4(out.broadcast_octets)),
};

/* ------------------------------------------------------------------ printing */
static uint64_t read_counter(const uint64_t *c)
{
	return c == NULL ? 0 : __atomic_load_n(c, __ATOMIC_RELAXED);
}

static int64_t value_of(const struct column *c)
{
	return (int64_t)(read_counter(c->of) + read_counter(c->more) - read_counter(c->less)) +
		c->fixed;
}

static void print_table(struct proc_text *t, const char *name, const struct column *columns,
	size_t count)
{
	size_t i;

	proc_print(t, "%s:", name);
	for (i = 0; i < count; i++)
		proc_print(t, " %s", columns[i].name);
	proc_print(t, "\n%s:", name);
	for (i = 0; i < count; i++)
		proc_print(t, " %ld", value_of(&columns[i]));
	proc_print(t, "\n");
}

static void print_list(struct proc_text *t, const char *prefix, const struct column *columns,
	size_t count)
{
	char name[40];

	for (size_t i = 0; i < count; i++) {
		fmt_snprintf(name, sizeof(name), "%s%s", prefix, columns[i].name);
		proc_print(t, "%-32s\t%ld\n", name, value_of(&columns[i]));
	}
}

/* ------------------------------------------------------------------ ICMP: by type */
struct icmp_type {
	const char *name;
	uint8_t number;
};

static const struct icmp_type icmp_types[] = { { "DestUnreachs", 3 }, { "TimeExcds", 11 },
	{ "ParmProbs", 12 }, { "SrcQuenchs", 4 }, { "Redirects", 5 }, { "Echos", 8 },
	{ "EchoReps", 0 }, { "Timestamps", 13 }, { "TimestampReps", 14 }, { "AddrMasks", 17 },
	{ "AddrMaskReps", 18 } };

static const struct icmp_type icmp6_types[] = { { "DestUnreachs", 1 }, { "PktTooBigs", 2 },
	{ "TimeExcds", 3 }, { "ParmProblems", 4 }, { "Echos", 128 }, { "EchoReplies", 129 },
	{ "GroupMembQueries", 130 }, { "GroupMembResponses", 131 }, { "GroupMembReductions", 132 },
	{ "RouterSolicits", 133 }, { "RouterAdvertisements", 134 }, { "NeighborSolicits", 135 },
	{ "NeighborAdvertisements", 136 }, { "Redirects", 137 }, { "MLDv2Reports", 143 } };

static void print_icmp(struct proc_text *t)
{
	const struct icmp_counters *c = &net_counters.icmp[0];
	size_t i;

	proc_print(t, "Icmp: InMsgs InErrors InCsumErrors");
	for (i = 0; i < ARRAY_LEN(icmp_types); i++)
		proc_print(t, " In%s", icmp_types[i].name);
	proc_print(t, " OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost");
	for (i = 0; i < ARRAY_LEN(icmp_types); i++)
		proc_print(t, " Out%s", icmp_types[i].name);
	proc_print(t, "\nIcmp: %lu %lu %lu", read_counter(&c->in), read_counter(&c->in_errors),
		read_counter(&c->in_errors)); /* all of them are bad sums */
	for (i = 0; i < ARRAY_LEN(icmp_types); i++)
		proc_print(t, " %lu", read_counter(&c->in_of_type[icmp_types[i].number]));
	proc_print(t, " %lu %lu 0 0", read_counter(&c->out),
		read_counter(&net_lwip_counters.mib2.icmpouterrors));
	for (i = 0; i < ARRAY_LEN(icmp_types); i++)
		proc_print(t, " %lu", read_counter(&c->out_of_type[icmp_types[i].number]));
	proc_print(t, "\n");
}

/* Of the types that there were; values: the second line. */
static void print_seen_types(struct proc_text *t, const char *way, const uint64_t *counts,
	bool values)
{
	for (unsigned type = 0; type < 256; type++) {
		uint64_t n = read_counter(&counts[type]);

		if (n != 0 && values)
			proc_print(t, " %lu", n);
		else if (n != 0)
			proc_print(t, " %sType%u", way, type);
	}
}

/* From a copy: what comes meanwhile must not give the two lines different numbers of columns. */
static void print_icmp_messages(struct proc_text *t)
{
	struct icmp_counters *c = kmem_alloc(sizeof(*c));

	if (c == NULL) {
		t->failed = true;
		return;
	}
	net_lock();
	*c = net_counters.icmp[0];
	net_unlock_batch();
	if (c->in + c->out != 0) {
		for (unsigned line = 0; line < 2; line++) {
			proc_print(t, "IcmpMsg:");
			print_seen_types(t, "In", c->in_of_type, line != 0);
			print_seen_types(t, "Out", c->out_of_type, line != 0);
			proc_print(t, "\n");
		}
	}
	kmem_free(c);
}

static void print_number(struct proc_text *t, const char *name, uint64_t value)
{
	proc_print(t, "%-32s\t%lu\n", name, value);
}

static void print_icmp6_types(struct proc_text *t, const char *way, const uint64_t *counts)
{
	char name[40];

	for (size_t i = 0; i < ARRAY_LEN(icmp6_types); i++) {
		fmt_snprintf(name, sizeof(name), "Icmp6%s%s", way, icmp6_types[i].name);
		print_number(t, name, read_counter(&counts[icmp6_types[i].number]));
	}
}

static void print_icmp6_seen(struct proc_text *t, const char *way, const uint64_t *counts)
{
	char name[40];

	for (unsigned type = 0; type < 256; type++) {
		uint64_t n = read_counter(&counts[type]);

		fmt_snprintf(name, sizeof(name), "Icmp6%sType%u", way, type);
		if (n != 0)
			print_number(t, name, n);
	}
}

static void print_icmp6(struct proc_text *t)
{
	const struct icmp_counters *c = &net_counters.icmp[1];

	print_number(t, "Icmp6InMsgs", read_counter(&c->in));
	print_number(t, "Icmp6InErrors", read_counter(&c->in_errors));
	print_number(t, "Icmp6OutMsgs", read_counter(&c->out));
	print_number(t, "Icmp6InCsumErrors", read_counter(&c->in_errors));
	print_icmp6_types(t, "In", c->in_of_type);
	print_icmp6_types(t, "Out", c->out_of_type);
	print_icmp6_seen(t, "In", c->in_of_type);
	print_icmp6_seen(t, "Out", c->out_of_type);
}

/* ------------------------------------------------------------------ the files */
#define PRINT_TABLE(t, name, columns) print_table(t, name, columns, ARRAY_LEN(columns))
#define PRINT_LIST(t, prefix, columns) print_list(t, prefix, columns, ARRAY_LEN(columns))

static void print_tcp(struct proc_text *t)
{
	struct column columns[ARRAY_LEN(tcp_columns)];
	struct net_proc_tcp_counts counts;

	net_proc_count_tcp(&counts);
	memcpy(columns, tcp_columns, sizeof(columns));
	columns[TCP_CURRENT].fixed = (int64_t)counts.established;
	PRINT_TABLE(t, "Tcp", columns);
}

void net_proc_make_snmp(struct proc_text *t)
{
	PRINT_TABLE(t, "Ip", ip_columns);
	print_icmp(t);
	print_icmp_messages(t);
	print_tcp(t);
	PRINT_TABLE(t, "Udp", udp_columns);
	PRINT_TABLE(t, "UdpLite", udplite_columns);
}

void net_proc_make_snmp6(struct proc_text *t)
{
	PRINT_LIST(t, "Ip6", ip6_columns);
	print_icmp6(t);
	PRINT_LIST(t, "Udp6", udp6_columns);
	PRINT_LIST(t, "UdpLite6", udplite_columns);
}

void net_proc_make_netstat(struct proc_text *t)
{
	PRINT_TABLE(t, "TcpExt", tcp_more_columns);
	PRINT_TABLE(t, "IpExt", ip_more_columns);
}
