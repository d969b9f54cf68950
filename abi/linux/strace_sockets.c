/*
 * strace_sockets.c: arguments of socket calls: constants by name, addresses, options, messages.
 *
 * What:       one small function per kind of syscalls.def.
 * Invariants: (1) memory is only read, through user_copy_in; what cannot be read is an address.
 * Locking:    none; may sleep.
 * Failure:    none.
 * Source:     socket(2), ip(7), unix(7), netlink(7), packet(7); numbers of Linux's own
 *             include/linux/socket.h, which is not published.
 */
#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/un.h>

#include "abi/linux/strace_priv.h"
#include "base/units.h"
#include "lib/string.h"

#define N(name) \
	{ \
		(uint64_t)(name), #name \
	}
#define FLAGS(t, v, names, zero) strace_put_flags(t, v, names, ARRAY_LEN(names), zero)
#define NAME(t, v, names) strace_put_name(t, v, names, ARRAY_LEN(names))

enum {
	FAMILY_UNIX = 1,
	FAMILY_INET = 2,
	FAMILY_INET6 = 10,
	FAMILY_NETLINK = 16,
	FAMILY_PACKET = 17,
	TYPE_MASK = 0xf,
	LEVEL_SOCKET = 1,
	LEVEL_IPV6 = 41,
	SHOWN_BYTES = 16,
	ADDRESS_BYTES = 128,
};

static void show_family(struct strace_text *t, uint64_t v)
{
	static const struct strace_name names[] = { { 0, "AF_UNSPEC" }, { FAMILY_UNIX, "AF_UNIX" },
		{ FAMILY_INET, "AF_INET" }, { FAMILY_INET6, "AF_INET6" },
		{ FAMILY_NETLINK, "AF_NETLINK" }, { FAMILY_PACKET, "AF_PACKET" } };

	NAME(t, v, names);
}

static void show_domain(struct strace_text *t, const struct strace_arg *a)
{
	show_family(t, (uint32_t)a->value);
}

static void show_socktype(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name types[] = { { 1, "SOCK_STREAM" }, { 2, "SOCK_DGRAM" },
		{ 3, "SOCK_RAW" }, { 5, "SOCK_SEQPACKET" } };
	static const struct strace_name names[] = { { 04000, "SOCK_NONBLOCK" },
		{ 02000000, "SOCK_CLOEXEC" } };
	uint32_t v = (uint32_t)a->value;

	NAME(t, v & TYPE_MASK, types);
	if (!(v & ~(uint32_t)TYPE_MASK))
		return;
	strace_put(t, "|");
	FLAGS(t, v & ~(uint32_t)TYPE_MASK, names, NULL);
}

static void show_shutdown(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { { 0, "SHUT_RD" }, { 1, "SHUT_WR" },
		{ 2, "SHUT_RDWR" } };

	NAME(t, (uint32_t)a->value, names);
}

static void show_msgflags(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { { 1, "MSG_OOB" }, { 2, "MSG_PEEK" },
		{ 4, "MSG_DONTROUTE" }, { 8, "MSG_CTRUNC" }, { 0x20, "MSG_TRUNC" },
		{ 0x40, "MSG_DONTWAIT" }, { 0x80, "MSG_EOR" }, { 0x100, "MSG_WAITALL" },
		{ 0x2000, "MSG_ERRQUEUE" }, { 0x4000, "MSG_NOSIGNAL" }, { 0x8000, "MSG_MORE" },
		{ 0x10000, "MSG_WAITFORONE" }, { 0x20000000, "MSG_FASTOPEN" },
		{ 0x40000000, "MSG_CMSG_CLOEXEC" } };

	FLAGS(t, (uint32_t)a->value, names, NULL);
}

/* ------------------------------------------------------------------ options */
static void show_level(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(SOL_SOCKET), { 0, "SOL_IP" },
		{ 6, "SOL_TCP" }, { 17, "SOL_UDP" }, { LEVEL_IPV6, "SOL_IPV6" }, { 255, "SOL_RAW" },
		{ 263, "SOL_PACKET" }, { 270, "SOL_NETLINK" } };

	NAME(t, (uint32_t)a->value, names);
}

static void show_optname(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name socket[] = { N(SO_REUSEADDR), N(SO_TYPE), N(SO_ERROR),
		N(SO_BROADCAST), N(SO_SNDBUF), N(SO_RCVBUF), N(SO_KEEPALIVE), N(SO_OOBINLINE),
		N(SO_LINGER), N(SO_REUSEPORT), N(SO_PASSCRED), N(SO_PEERCRED),
		{ 20, "SO_RCVTIMEO" }, { 21, "SO_SNDTIMEO" }, N(SO_ACCEPTCONN), N(SO_PROTOCOL),
		N(SO_DOMAIN), N(SO_BINDTODEVICE), N(SO_BUSY_POLL) };
	static const struct strace_name tcp[] = { N(TCP_NODELAY), N(TCP_MAXSEG), N(TCP_CORK),
		N(TCP_KEEPIDLE), N(TCP_KEEPINTVL), N(TCP_KEEPCNT), N(TCP_DEFER_ACCEPT), N(TCP_INFO),
		N(TCP_QUICKACK), N(TCP_CONGESTION), N(TCP_USER_TIMEOUT), N(TCP_FASTOPEN),
		{ 284, "TCP_MPTCP" } };
	static const struct strace_name ip[] = { N(IP_TOS), N(IP_TTL), N(IP_PKTINFO),
		N(IP_MTU_DISCOVER), N(IP_RECVERR), N(IP_RECVTTL), N(IP_RECVTOS), N(IP_MTU),
		N(IP_MULTICAST_IF), N(IP_MULTICAST_TTL), N(IP_MULTICAST_LOOP), N(IP_ADD_MEMBERSHIP),
		N(IP_DROP_MEMBERSHIP), N(IP_HDRINCL), N(IP_MINTTL) };
	static const struct strace_name ipv6[] = { N(IPV6_V6ONLY), N(IPV6_RECVPKTINFO),
		N(IPV6_PKTINFO), N(IPV6_UNICAST_HOPS), N(IPV6_MULTICAST_IF), N(IPV6_MULTICAST_HOPS),
		N(IPV6_MULTICAST_LOOP), N(IPV6_ADD_MEMBERSHIP), N(IPV6_DROP_MEMBERSHIP),
		N(IPV6_TCLASS), N(IPV6_RECVTCLASS), N(IPV6_RECVHOPLIMIT), N(IPV6_MTU_DISCOVER),
		N(IPV6_MTU), N(IPV6_MINHOPCOUNT) };
	uint32_t v = (uint32_t)a->value;

	if (a->before == LEVEL_SOCKET)
		NAME(t, v, socket);
	else if (a->before == IPPROTO_TCP)
		NAME(t, v, tcp);
	else if (a->before == IPPROTO_IP)
		NAME(t, v, ip);
	else if (a->before == LEVEL_IPV6)
		NAME(t, v, ipv6);
	else
		strace_put(t, "%u", v);
}

static void put_value(struct strace_text *t, uint64_t ua, uint64_t bytes)
{
	char data[SHOWN_BYTES];
	size_t n = MIN(bytes, (uint64_t)SHOWN_BYTES);
	int32_t number;

	if (!ua) {
		strace_put(t, "NULL");
	} else if (user_copy_in(data, ua, n)) {
		strace_put(t, "%#llx", (unsigned long long)ua); /* (1) */
	} else if (n == sizeof(number)) {
		memcpy(&number, data, sizeof(number));
		strace_put(t, "[%d]", number);
	} else {
		strace_put_bytes(t, data, n);
		strace_put(t, n < bytes ? "..." : "");
	}
}

static void show_optval(struct strace_text *t, const struct strace_arg *a)
{
	put_value(t, a->value, (uint32_t)a->after);
}

static void show_optvalout(struct strace_text *t, const struct strace_arg *a)
{
	uint32_t bytes;

	if (a->result < 0 || user_load_u32(&bytes, a->after))
		strace_put(t, "%#llx", (unsigned long long)a->value);
	else
		put_value(t, a->value, bytes);
}

/* ------------------------------------------------------------------ addresses */
static void put_unix(struct strace_text *t, const char *address, size_t n)
{
	const char *path = address + 2;
	size_t bytes = n - 2;

	strace_put(t, "sun_path=");
	if (bytes && !path[0]) {
		strace_put(t, "@");
		strace_put_bytes(t, path + 1, bytes - 1);
	} else {
		strace_put_bytes(t, path, strnlen(path, bytes));
	}
}

static void put_inet6(struct strace_text *t, const struct sockaddr_in6 *in)
{
	const uint8_t *b = in->sin6_addr.s6_addr;

	strace_put(t, "sin6_port=%u, sin6_addr=", __builtin_bswap16(in->sin6_port));
	for (int i = 0; i < 16; i += 2)
		strace_put(t, "%s%x", i ? ":" : "", (unsigned)(b[i] << 8 | b[i + 1]));
	if (in->sin6_scope_id)
		strace_put(t, ", sin6_scope_id=%u", in->sin6_scope_id);
}

static void put_sockaddr(struct strace_text *t, uint64_t ua, uint64_t bytes)
{
	union {
		uint16_t family;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		char data[ADDRESS_BYTES];
	} address = { .family = 0 };
	size_t n = MIN(bytes, (uint64_t)ADDRESS_BYTES);
	const uint8_t *b = (const uint8_t *)&address.in.sin_addr;

	if (!ua) {
		strace_put(t, "NULL");
		return;
	}
	if (n < sizeof(address.family) || user_copy_in(&address, ua, n)) {
		strace_put(t, "%#llx", (unsigned long long)ua); /* (1) */
		return;
	}
	strace_put(t, "{sa_family=");
	show_family(t, address.family);
	if (n > sizeof(address.family))
		strace_put(t, ", ");
	if (address.family == FAMILY_INET && n >= sizeof(address.in))
		strace_put(t, "sin_port=%u, sin_addr=%u.%u.%u.%u",
			__builtin_bswap16(address.in.sin_port), b[0], b[1], b[2], b[3]);
	else if (address.family == FAMILY_INET6 && n >= sizeof(address.in6) - 4)
		put_inet6(t, &address.in6);
	else if (address.family == FAMILY_UNIX)
		put_unix(t, address.data, n);
	else if (n > sizeof(address.family))
		strace_put_bytes(t, address.data + 2, MIN(n - 2, (size_t)SHOWN_BYTES));
	strace_put(t, "}");
}

static void show_sockaddr(struct strace_text *t, const struct strace_arg *a)
{
	put_sockaddr(t, a->value, (uint32_t)a->after);
}

/* What the call left; the length lies in memory. */
static void show_sockaddrout(struct strace_text *t, const struct strace_arg *a)
{
	uint32_t bytes;

	if (a->result < 0 || !a->value || !a->after || user_load_u32(&bytes, a->after))
		put_sockaddr(t, a->value, 0);
	else
		put_sockaddr(t, a->value, bytes);
}

static void show_lenptr(struct strace_text *t, const struct strace_arg *a)
{
	uint32_t bytes;

	if (!a->value)
		strace_put(t, "NULL");
	else if (user_load_u32(&bytes, a->value))
		strace_put(t, "%#llx", (unsigned long long)a->value);
	else
		strace_put(t, "[%u]", bytes);
}

/* ------------------------------------------------------------------ messages */
struct message_header {
	uint64_t name;
	uint32_t name_bytes, pad;
	uint64_t iov, iov_count, control, control_bytes;
	uint32_t flags, pad2;
};

static void put_message(struct strace_text *t, uint64_t ua, uint64_t bytes)
{
	struct message_header m;
	struct strace_arg flags;

	if (!ua || user_copy_in(&m, ua, sizeof(m))) {
		strace_put(t, ua ? "%#llx" : "NULL", (unsigned long long)ua); /* (1) */
		return;
	}
	strace_put(t, "{msg_name=");
	put_sockaddr(t, m.name, m.name_bytes);
	strace_put(t, ", msg_iov=");
	strace_put_iovec(t, m.iov, m.iov_count, bytes);
	if (m.control_bytes)
		strace_put(t, ", msg_controllen=%llu", (unsigned long long)m.control_bytes);
	flags = (struct strace_arg){ .value = m.flags };
	strace_put(t, ", msg_flags=");
	show_msgflags(t, &flags);
	strace_put(t, "}");
}

static void show_msghdr(struct strace_text *t, const struct strace_arg *a)
{
	put_message(t, a->value, a->result < 0 ? 0 : (uint64_t)a->result);
}

/* The first of several: struct mmsghdr is a header and a count. */
static void show_mmsghdr(struct strace_text *t, const struct strace_arg *a)
{
	uint32_t bytes = 0;

	strace_put(t, "[");
	if (a->result > 0 && user_load_u32(&bytes, a->value + sizeof(struct message_header)))
		bytes = 0;
	put_message(t, a->value, bytes);
	strace_put(t, (uint32_t)a->after > 1 ? ", ...]" : "]");
}

const struct strace_kind strace_socket_kinds[] = {
	{ "domain", show_domain },
	{ "socktype", show_socktype },
	{ "shutdown", show_shutdown },
	{ "msgflags", show_msgflags },
	{ "level", show_level },
	{ "optname", show_optname },
	{ "optval", show_optval },
	{ "optvalout", show_optvalout },
	{ "sockaddr", show_sockaddr },
	{ "sockaddrout", show_sockaddrout },
	{ "lenptr", show_lenptr },
	{ "msghdr", show_msghdr },
	{ "mmsghdr", show_mmsghdr },
};
const size_t strace_socket_kind_count = ARRAY_LEN(strace_socket_kinds);
