/*
 * sys_sockopt.c: setsockopt and getsockopt.
 *
 * What:       a table from Linux's (level, name) to net/socket.h's options, with the form of the
 *             value.
 * Invariants: (1) what is not in the table is -ENOPROTOOPT: no option is accepted and then
 *             ignored.
 * Locking:    none.
 * Failure:    -ENOPROTOOPT, -EINVAL, -EFAULT.
 * Source:     Linux socket(7), tcp(7), ip(7), udp(7); net/core/sock.c for lengths.
 */
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/netlink.h>
#include <linux/in6.h>
#include <linux/net_tstamp.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "abi/linux/sys_net_priv.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "kernel/cred.h"
#include "lib/string.h"
#include "net/interface.h"

#define PRIORITY_FREE_MAX 6 /* more is for those who may */
#define LINUX_SOL_NETLINK 270 /* include/linux/socket.h */

#define TCP_CONGESTION_BYTES 16 /* Linux's TCP_CA_NAME_MAX */
#define TCP_CONGESTION_ONLY "reno"

enum form {
	FORM_INT,
	FORM_BYTE, /* an int, or one byte */
	FORM_LINGER,
	FORM_TIMEVAL,
	FORM_U64,
};

#define LINUX_ICMP_FILTER 1

struct option {
	int level, name;
	enum form form;
	bool settable;
	enum socket_option option;
};

static const struct option options_known[] = {
	{ SOL_SOCKET, SO_REUSEADDR, FORM_INT, true, SOCKET_OPT_REUSEADDR },
	{ SOL_SOCKET, SO_REUSEPORT, FORM_INT, true, SOCKET_OPT_REUSEPORT },
	{ SOL_SOCKET, SO_BROADCAST, FORM_INT, true, SOCKET_OPT_BROADCAST },
	{ SOL_SOCKET, SO_KEEPALIVE, FORM_INT, true, SOCKET_OPT_KEEPALIVE },
	{ SOL_SOCKET, SO_OOBINLINE, FORM_INT, true, SOCKET_OPT_OOBINLINE },
	{ SOL_SOCKET, SO_LINGER, FORM_LINGER, true, SOCKET_OPT_LINGER },
	{ SOL_SOCKET, SO_SNDBUF, FORM_INT, true, SOCKET_OPT_SNDBUF },
	{ SOL_SOCKET, SO_RCVBUF, FORM_INT, true, SOCKET_OPT_RCVBUF },
	{ SOL_SOCKET, SO_SNDTIMEO_OLD, FORM_TIMEVAL, true, SOCKET_OPT_SNDTIMEO },
	{ SOL_SOCKET, SO_RCVTIMEO_OLD, FORM_TIMEVAL, true, SOCKET_OPT_RCVTIMEO },
	{ SOL_SOCKET, SO_ERROR, FORM_INT, false, SOCKET_OPT_ERROR },
	{ SOL_SOCKET, SO_TYPE, FORM_INT, false, SOCKET_OPT_TYPE },
	{ SOL_SOCKET, SO_PROTOCOL, FORM_INT, false, SOCKET_OPT_PROTOCOL },
	{ SOL_SOCKET, SO_DOMAIN, FORM_INT, false, SOCKET_OPT_DOMAIN },
	{ SOL_SOCKET, SO_ACCEPTCONN, FORM_INT, false, SOCKET_OPT_ACCEPTCONN },
	{ LINUX_SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, FORM_INT, true, SOCKET_OPT_NETLINK_JOIN },
	{ LINUX_SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, FORM_INT, true, SOCKET_OPT_NETLINK_LEAVE },
	{ LINUX_SOL_NETLINK, NETLINK_CAP_ACK, FORM_INT, true, SOCKET_OPT_NETLINK_CAP_ACK },
	{ SOL_SOCKET, SO_SNDBUFFORCE, FORM_INT, true, SOCKET_OPT_SNDBUF_FORCE },
	{ SOL_SOCKET, SO_RCVBUFFORCE, FORM_INT, true, SOCKET_OPT_RCVBUF_FORCE },
	{ SOL_SOCKET, SO_TIMESTAMP_OLD, FORM_INT, true, SOCKET_OPT_TIMESTAMP },
	{ SOL_SOCKET, SO_TIMESTAMPNS_OLD, FORM_INT, true, SOCKET_OPT_TIMESTAMP_NS },
	{ SOL_SOCKET, SO_TIMESTAMPING_OLD, FORM_U64, true, SOCKET_OPT_TIMESTAMPING },
	{ SOL_SOCKET, SO_RCVLOWAT, FORM_INT, true, SOCKET_OPT_RCVLOWAT },
	{ SOL_SOCKET, SO_PRIORITY, FORM_INT, true, SOCKET_OPT_PRIORITY },
	{ SOL_SOCKET, SO_MARK, FORM_INT, true, SOCKET_OPT_MARK },
	{ SOL_SOCKET, SO_RXQ_OVFL, FORM_INT, true, SOCKET_OPT_RXQ_OVFL },
	{ SOL_SOCKET, SO_INCOMING_CPU, FORM_INT, false, SOCKET_OPT_INCOMING_CPU },
	{ SOL_SOCKET, SO_BINDTOIFINDEX, FORM_INT, true, SOCKET_OPT_DEVICE },
	{ SOL_SOCKET, SO_COOKIE, FORM_U64, false, SOCKET_OPT_COOKIE },
	{ SOL_SOCKET, SO_SNDLOWAT, FORM_INT, false, SOCKET_OPT_SNDLOWAT },
	{ SOL_SOCKET, SO_LOCK_FILTER, FORM_INT, true, SOCKET_OPT_LOCK_FILTER },
	{ SOL_SOCKET, SO_PEEK_OFF, FORM_INT, true, SOCKET_OPT_PEEK_OFFSET },
	{ SOL_SOCKET, SO_PASSCRED, FORM_INT, true, SOCKET_OPT_PASSCRED },
	{ IPPROTO_TCP, TCP_NODELAY, FORM_INT, true, SOCKET_OPT_NODELAY },
	{ IPPROTO_TCP, TCP_CORK, FORM_INT, true, SOCKET_OPT_CORK },
	{ IPPROTO_TCP, TCP_MAXSEG, FORM_INT, true, SOCKET_OPT_MAXSEG },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, FORM_INT, true, SOCKET_OPT_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_QUICKACK, FORM_INT, true, SOCKET_OPT_QUICKACK },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, FORM_INT, true, SOCKET_OPT_DEFER_ACCEPT },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, FORM_INT, true, SOCKET_OPT_UNSENT_LOWAT },
	{ IPPROTO_TCP, TCP_KEEPIDLE, FORM_INT, true, SOCKET_OPT_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL, FORM_INT, true, SOCKET_OPT_KEEPINTVL },
	{ IPPROTO_TCP, TCP_KEEPCNT, FORM_INT, true, SOCKET_OPT_KEEPCNT },
	{ IPPROTO_IP, IP_TOS, FORM_BYTE, true, SOCKET_OPT_TOS },
	{ IPPROTO_IP, IP_TTL, FORM_BYTE, true, SOCKET_OPT_TTL },
	{ IPPROTO_IP, IP_PKTINFO, FORM_BYTE, true, SOCKET_OPT_PKTINFO },
	{ IPPROTO_IP, IP_RECVTOS, FORM_BYTE, true, SOCKET_OPT_RECVTOS },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, FORM_BYTE, true, SOCKET_OPT_RECVORIGINAL },
	{ IPPROTO_IP, IP_FREEBIND, FORM_BYTE, true, SOCKET_OPT_FREEBIND },
	{ IPPROTO_IP, IP_MINTTL, FORM_BYTE, true, SOCKET_OPT_MINTTL },
	{ IPPROTO_UDP, UDP_CORK, FORM_INT, true, SOCKET_OPT_CORK },
	{ IPPROTO_UDP, UDP_SEGMENT, FORM_INT, true, SOCKET_OPT_SEGMENT },
	{ IPPROTO_IP, IP_RECVTTL, FORM_BYTE, true, SOCKET_OPT_RECVTTL },
	{ IPPROTO_IP, IP_MTU_DISCOVER, FORM_BYTE, true, SOCKET_OPT_MTU_DISCOVER },
	{ IPPROTO_IP, IP_MTU, FORM_INT, false, SOCKET_OPT_MTU },
	{ IPPROTO_IP, IP_HDRINCL, FORM_BYTE, true, SOCKET_OPT_HDRINCL },
	{ IPPROTO_RAW, LINUX_ICMP_FILTER, FORM_INT, true, SOCKET_OPT_ICMP_FILTER },
	{ IPPROTO_IP, IP_RECVERR, FORM_BYTE, true, SOCKET_OPT_RECVERR },
	{ IPPROTO_IP, IP_MULTICAST_TTL, FORM_BYTE, true, SOCKET_OPT_MULTICAST_TTL },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, FORM_BYTE, true, SOCKET_OPT_MULTICAST_LOOP },
	{ IPPROTO_IP, IP_MULTICAST_ALL, FORM_BYTE, true, SOCKET_OPT_MULTICAST_ALL },
	{ IPPROTO_IP, IP_MULTICAST_IF, FORM_INT, false, SOCKET_OPT_MULTICAST_IF },
	{ LINUX_SOL_PACKET, PACKET_STATISTICS, FORM_U64, false, SOCKET_OPT_FRAME_COUNTS },
	{ IPPROTO_IPV6, IPV6_V6ONLY, FORM_INT, true, SOCKET_OPT_V6ONLY },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, FORM_INT, true, SOCKET_OPT_UNICAST_HOPS6 },
	{ IPPROTO_IPV6, IPV6_TCLASS, FORM_INT, true, SOCKET_OPT_TCLASS6 },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, FORM_INT, true, SOCKET_OPT_RECVPKTINFO6 },
	{ IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, FORM_INT, true, SOCKET_OPT_RECVORIGINAL6 },
	{ IPPROTO_IPV6, IPV6_FREEBIND, FORM_INT, true, SOCKET_OPT_FREEBIND6 },
	{ IPPROTO_IPV6, IPV6_MINHOPCOUNT, FORM_INT, true, SOCKET_OPT_MINHOPCOUNT6 },
	{ IPPROTO_IPV6, IPV6_HDRINCL, FORM_INT, true, SOCKET_OPT_HDRINCL6 },
	{ IPPROTO_RAW, IPV6_HDRINCL, FORM_INT, true, SOCKET_OPT_HDRINCL6 },
	{ IPPROTO_IPV6, IPV6_CHECKSUM, FORM_INT, true, SOCKET_OPT_CHECKSUM6 },
	{ IPPROTO_RAW, IPV6_CHECKSUM, FORM_INT, true, SOCKET_OPT_CHECKSUM6 },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, FORM_INT, true, SOCKET_OPT_RECVHOPLIMIT6 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, FORM_INT, true, SOCKET_OPT_RECVTCLASS6 },
	{ IPPROTO_IPV6, IPV6_RECVERR, FORM_INT, true, SOCKET_OPT_RECVERR6 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, FORM_INT, true, SOCKET_OPT_MTU_DISCOVER6 },
	{ IPPROTO_IPV6, IPV6_MTU, FORM_INT, false, SOCKET_OPT_MTU },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, FORM_INT, true, SOCKET_OPT_DONTFRAG6 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, FORM_INT, true, SOCKET_OPT_MULTICAST_HOPS6 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, FORM_INT, true, SOCKET_OPT_MULTICAST_LOOP6 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, FORM_INT, true, SOCKET_OPT_MULTICAST_ALL6 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF, FORM_INT, false, SOCKET_OPT_MULTICAST_IF6 },
};

struct linux_linger {
	int32_t on, seconds;
};

struct linux_timeval {
	int64_t seconds, microseconds;
};

struct linux_ucred {
	int32_t pid;
	uint32_t uid, gid;
};

STATIC_ASSERT(SOCKET_STAMP_HARDWARE_IN == (int)SOF_TIMESTAMPING_RX_HARDWARE &&
		SOCKET_STAMP_IN == (int)SOF_TIMESTAMPING_RX_SOFTWARE &&
		SOCKET_STAMP_TELL == (int)SOF_TIMESTAMPING_SOFTWARE &&
		SOCKET_STAMP_OUT == (int)SOF_TIMESTAMPING_TX_SOFTWARE &&
		SOCKET_STAMP_ID == (int)SOF_TIMESTAMPING_OPT_ID &&
		SOCKET_STAMP_ONLY == (int)SOF_TIMESTAMPING_OPT_TSONLY &&
		SOCKET_STAMP_HARDWARE_TELL ==
			((int)SOF_TIMESTAMPING_SYS_HARDWARE | (int)SOF_TIMESTAMPING_RAW_HARDWARE),
	"Linux");

static const struct option *find(int level, int name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(options_known); i++)
		if (options_known[i].level == level && options_known[i].name == name)
			return &options_known[i];
	return NULL;
}

/* ------------------------------------------------------------------ in */
static int load_int(uaddr_t ua, uint32_t bytes, bool byte_will_do, int64_t *value)
{
	int32_t v;
	uint8_t byte;
	int error;

	if (byte_will_do && bytes >= 1 && bytes < sizeof(v)) {
		error = user_copy_in(&byte, ua, sizeof(byte));
		*value = byte;
		return error;
	}
	if (bytes < sizeof(v))
		return -EINVAL;
	error = user_copy_in(&v, ua, sizeof(v));
	*value = v;
	return error;
}

static int load_linger(uaddr_t ua, uint32_t bytes, int64_t *value)
{
	struct linux_linger v;
	int error;

	if (bytes < sizeof(v))
		return -EINVAL;
	error = user_copy_in(&v, ua, sizeof(v));
	if (error == 0)
		*value = v.on == 0 ? -1 : MAX(v.seconds, 0);
	return error;
}

static int load_timeval(uaddr_t ua, uint32_t bytes, int64_t *value)
{
	const int64_t max_s = INT64_MAX / (int64_t)NS_PER_S - 1;
	struct linux_timeval v;
	int error;

	if (bytes < sizeof(v))
		return -EINVAL;
	error = user_copy_in(&v, ua, sizeof(v));
	if (error != 0)
		return error;
	if (v.microseconds < 0 || v.microseconds >= 1000000)
		return -EDOM;
	/* A negative time is over at once; Linux takes it for no waiting at all. */
	if (v.seconds < 0)
		*value = 1;
	else
		*value = MIN(v.seconds, max_s) * (int64_t)NS_PER_S +
			v.microseconds * (int64_t)NS_PER_US;
	return 0;
}

static int load_value(const struct option *o, uaddr_t ua, uint32_t bytes, int64_t *value)
{
	switch (o->form) {
	case FORM_LINGER:
		return load_linger(ua, bytes, value);
	case FORM_TIMEVAL:
		return load_timeval(ua, bytes, value);
	default:
		return load_int(ua, bytes, o->form == FORM_BYTE, value);
	}
}

static bool socket_is_tcp(const struct file *f)
{
	return socket_family(f) != SOCKET_UNIX && socket_is_stream(f);
}

/* There is one: what lwIP does is Reno's (slow start, fast retransmit and recovery). */
static int set_congestion(uaddr_t ua, uint32_t bytes)
{
	char name[TCP_CONGESTION_BYTES] = { 0 };
	int error;

	if (bytes == 0)
		return -EINVAL;
	error = user_copy_in(name, ua, MIN(bytes, sizeof(name) - 1));
	if (error != 0)
		return error;
	return strcmp(name, TCP_CONGESTION_ONLY) == 0 ? 0 : -ENOENT;
}

static bool may_set(enum socket_option o, int64_t value)
{
	switch (o) {
	case SOCKET_OPT_SNDBUF_FORCE:
	case SOCKET_OPT_RCVBUF_FORCE:
		return cred_can(CAP_NET_ADMIN);
	case SOCKET_OPT_MARK:
		return cred_can(CAP_NET_ADMIN) || cred_can(CAP_NET_RAW);
	case SOCKET_OPT_PRIORITY:
		return (value >= 0 && value <= PRIORITY_FREE_MAX) || cred_can(CAP_NET_ADMIN) ||
			cred_can(CAP_NET_RAW);
	default:
		return true;
	}
}

/* A name that is cut or has no end is as good; an empty one: any interface. */
static int set_device(struct file *f, uaddr_t ua, uint32_t bytes)
{
	char name[INTERFACE_NAME_BYTES] = { 0 };
	uint32_t index;
	int error = user_copy_in(name, ua, MIN(bytes, sizeof(name) - 1));

	if (error != 0)
		return error;
	index = name[0] == 0 ? 0 : interface_find(name, (uint32_t)strlen(name));
	if (index == 0 && name[0] != 0)
		return -ENODEV;
	return socket_set_option(f, SOCKET_OPT_DEVICE, index);
}

static int get_device(struct file *f, uint8_t *out, uint32_t *bytes)
{
	char name[INTERFACE_NAME_BYTES];
	int64_t index;
	int error = socket_get_option(f, SOCKET_OPT_DEVICE, &index);

	*bytes = 0;
	if (error != 0 || !interface_name((uint32_t)index, name))
		return error;
	*bytes = (uint32_t)strlen(name) + 1;
	memcpy(out, name, *bytes);
	return 0;
}

static bool is_icmp6(struct file *f)
{
	int64_t protocol;

	return socket_family(f) == SOCKET_INET6 &&
		socket_get_option(f, SOCKET_OPT_PROTOCOL, &protocol) == 0 &&
		protocol == IPPROTO_ICMPV6;
}

static int set_option(struct file *f, const struct sysargs *a)
{
	int level = sysarg_int(a, 1), name = sysarg_int(a, 2);
	const struct option *o = find(level, name);
	int32_t bytes = sysarg_int(a, 4);
	int64_t value;
	int error;

	if (!socket_is(f))
		return -ENOTSOCK;
	if (bytes < 0)
		return -EINVAL;
	if (level != SOL_SOCKET && socket_family(f) == SOCKET_UNIX)
		return -EOPNOTSUPP;
	error = linux_set_group(f, level, name, a->arg[3], (uint32_t)bytes);
	if (error != -ENOPROTOOPT)
		return error;
	error = linux_set_filter(f, level, name, a->arg[3], (uint32_t)bytes);
	if (error != -ENOPROTOOPT)
		return error;
	if (level == IPPROTO_TCP && name == TCP_CONGESTION && socket_is_tcp(f))
		return set_congestion(a->arg[3], (uint32_t)bytes);
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		return set_device(f, a->arg[3], (uint32_t)bytes);
	if (level == SOL_SOCKET && (uint32_t)bytes < sizeof(int32_t))
		return -EINVAL;
	if (o == NULL || !o->settable)
		return -ENOPROTOOPT;
	if (level == IPPROTO_IPV6 && name == IPV6_CHECKSUM && is_icmp6(f))
		return -EINVAL; /* its sum is made anyway */
	error = load_value(o, a->arg[3], (uint32_t)bytes, &value);
	if (error == 0 && !may_set(o->option, value))
		error = -EPERM;
	return error != 0 ? error : socket_set_option(f, o->option, value);
}

long sys_setsockopt(const struct sysargs *a)
{
	struct file *f;
	int error = fdtable_get(sysarg_int(a, 0), &f);

	if (error != 0)
		return error;
	error = set_option(f, a);
	file_put(f);
	return error;
}

/* ------------------------------------------------------------------ out */
static uint32_t encode(const struct option *o, int64_t value, uint8_t *out)
{
	struct linux_linger linger = { value >= 0, value >= 0 ? (int32_t)value : 0 };
	struct linux_timeval tv = { value / (int64_t)NS_PER_S,
		value % (int64_t)NS_PER_S / (int64_t)NS_PER_US };
	int32_t v = (int32_t)value;

	switch (o->form) {
	case FORM_LINGER:
		memcpy(out, &linger, sizeof(linger));
		return sizeof(linger);
	case FORM_TIMEVAL:
		memcpy(out, &tv, sizeof(tv));
		return sizeof(tv);
	case FORM_U64:
		memcpy(out, &value, sizeof(value));
		return sizeof(value);
	default:
		memcpy(out, &v, sizeof(v));
		return sizeof(v);
	}
}

static uint32_t encode_tcp_info(const struct socket_tcp_info *in, uint8_t *out)
{
	struct tcp_info v = {
		.tcpi_state = in->state,
		.tcpi_retransmits = in->retransmits,
		.tcpi_options = (in->sack_ok ? TCPI_OPT_SACK : 0) |
			(in->wscale_ok ? TCPI_OPT_WSCALE : 0),
		.tcpi_snd_wscale = in->snd_wscale,
		.tcpi_rcv_wscale = in->rcv_wscale,
		.tcpi_rto = in->rto_us,
		.tcpi_rtt = in->rtt_us,
		.tcpi_rttvar = in->rttvar_us,
		.tcpi_snd_mss = in->snd_mss,
		.tcpi_rcv_mss = in->rcv_mss,
		.tcpi_unacked = in->unacked,
		.tcpi_snd_cwnd = in->snd_cwnd,
		.tcpi_snd_ssthresh = in->snd_ssthresh,
		.tcpi_last_data_recv = in->last_data_ms,
		.tcpi_rcv_space = in->rcv_space,
	};

	memcpy(out, &v, sizeof(v));
	return sizeof(v);
}

static int get_credentials(struct file *f, uint8_t *out, uint32_t *bytes)
{
	struct socket_credentials c;
	struct linux_ucred v;
	int error = socket_get_peer_credentials(f, &c);

	if (error != 0)
		return error;
	v = (struct linux_ucred){ c.pid, c.uid, c.gid };
	memcpy(out, &v, sizeof(v));
	*bytes = sizeof(v);
	return 0;
}

static int get_encoded(struct file *f, int level, int name, uint8_t *out, uint32_t *bytes)
{
	const struct option *o = find(level, name);
	struct socket_tcp_info info;
	int64_t value;
	int error;

	if (!socket_is(f))
		return -ENOTSOCK;
	if (level != SOL_SOCKET && socket_family(f) == SOCKET_UNIX)
		return -EOPNOTSUPP;
	if (level == IPPROTO_TCP && name == TCP_INFO) {
		error = socket_get_tcp_info(f, &info);
		if (error == 0)
			*bytes = encode_tcp_info(&info, out);
		return error;
	}
	if (level == IPPROTO_TCP && name == TCP_CONGESTION && socket_is_tcp(f)) {
		*bytes = TCP_CONGESTION_BYTES;
		memset(out, 0, *bytes);
		memcpy(out, TCP_CONGESTION_ONLY, sizeof(TCP_CONGESTION_ONLY));
		return 0;
	}
	if (level == SOL_SOCKET && name == SO_PEERCRED)
		return get_credentials(f, out, bytes);
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		return get_device(f, out, bytes);
	if (o == NULL)
		return -ENOPROTOOPT;
	error = socket_get_option(f, o->option, &value);
	if (error == 0)
		*bytes = encode(o, value, out);
	return error;
}

/* Whose length counts instructions. */
static bool is_filter(const struct file *f, const struct sysargs *a)
{
	return socket_is(f) && sysarg_int(a, 1) == SOL_SOCKET && sysarg_int(a, 2) == SO_GET_FILTER;
}

/* IP's numbers are told as a byte where there is no room for four. */
static bool is_byte(const uint8_t *value, uint32_t bytes)
{
	return bytes == sizeof(int32_t) && (value[1] | value[2] | value[3]) == 0;
}

long sys_getsockopt(const struct sysargs *a)
{
	uint8_t value[sizeof(struct tcp_info)];
	uint32_t room, bytes = 0;
	struct file *f;
	int error = fdtable_get(sysarg_int(a, 0), &f);

	if (error != 0)
		return error;
	error = user_load_u32(&room, a->arg[4]);
	if (error == 0 && (int32_t)room < 0)
		error = -EINVAL;
	if (error == 0 && is_filter(f, a)) {
		error = linux_get_filter(f, a->arg[3], room, &bytes);
		file_put(f);
		return error != 0 ? error : user_store_u32(a->arg[4], bytes);
	}
	if (error == 0)
		error = get_encoded(f, sysarg_int(a, 1), sysarg_int(a, 2), value, &bytes);
	file_put(f);
	if (error != 0)
		return error;
	if (sysarg_int(a, 1) == IPPROTO_IP && room != 0 && room < sizeof(int32_t) &&
		is_byte(value, bytes))
		room = 1;
	bytes = MIN(bytes, room);
	error = user_copy_out(a->arg[3], value, bytes);
	return error != 0 ? error : user_store_u32(a->arg[4], bytes);
}
