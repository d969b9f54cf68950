/*
 * sys_net.c: socket calls: opening, naming, connecting.
 *
 * What:       decodes Linux's addresses and flags into net/socket.h's neutral form.
 * Invariants: (1) no connection is accepted for which there is no descriptor: it goes on waiting.
 * Locking:    none. May sleep: accept, connect.
 * Failure:    Linux's errors.
 * Source:     Linux socket(2), bind(2), accept(2), connect(2), socketpair(2), shutdown(2), ip(7),
 *             unix(7), netlink(7); net/socket.c.
 */
#include "abi/linux/sys_net_priv.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/un.h>

#include "base/assert.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "lib/string.h"

#define LINUX_O_RDWR 02u
#define SOCKADDR_IN6_MIN 24u
#define LINUX_SOCK_TYPE_MASK 0xf
#define LINUX_SOCK_NONBLOCK 04000
#define LINUX_SOCK_CLOEXEC 02000000
#define LINUX_SHUT_RDWR 2

STATIC_ASSERT(sizeof(struct sockaddr_in) == 16, "Linux");
STATIC_ASSERT(sizeof(struct sockaddr_in6) == 28, "Linux");
STATIC_ASSERT(sizeof(struct sockaddr_un) == 2 + SOCKET_PATH_MAX, "Linux");
STATIC_ASSERT(sizeof(struct sockaddr_nl) == 12, "Linux");
STATIC_ASSERT(sizeof(struct sockaddr_ll) == 20, "Linux");

/* ------------------------------------------------------------------ addresses */
static uint16_t swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static int decode_inet(const uint8_t *raw, uint64_t bytes, struct socket_address *out)
{
	struct sockaddr_in in;

	if (bytes < sizeof(in))
		return -EINVAL;
	memcpy(&in, raw, sizeof(in));
	out->ip = net_ip_of_v4(in.sin_addr.s_addr);
	out->port = swap16(in.sin_port);
	return 0;
}

/* The last word came later (RFC 2553); it may be left out. */
static int decode_inet6(const uint8_t *raw, uint64_t bytes, struct socket_address *out)
{
	struct sockaddr_in6 in = { .sin6_scope_id = 0 };

	if (bytes < SOCKADDR_IN6_MIN)
		return -EINVAL;
	memcpy(&in, raw, MIN(bytes, sizeof(in)));
	memcpy(out->ip.word, &in.sin6_addr, sizeof(out->ip.word));
	out->ip.scope = in.sin6_scope_id;
	out->port = swap16(in.sin6_port);
	out->flow = in.sin6_flowinfo;
	return 0;
}

static int decode_unix(const uint8_t *raw, uint64_t bytes, struct socket_address *out)
{
	if (bytes > sizeof(struct sockaddr_un))
		return -EINVAL;
	out->path_bytes = (uint32_t)bytes - 2;
	memcpy(out->path, raw + 2, out->path_bytes);
	/* A path ends at its NUL; an abstract name is all that was given. */
	if (out->path_bytes != 0 && out->path[0] != 0)
		out->path_bytes = (uint32_t)strnlen(out->path, out->path_bytes);
	return 0;
}

static int decode_netlink(const uint8_t *raw, uint64_t bytes, struct socket_address *out)
{
	struct sockaddr_nl nl;

	if (bytes < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, raw, sizeof(nl));
	out->netlink_pid = nl.nl_pid;
	out->netlink_groups = nl.nl_groups;
	return 0;
}

static int decode_link(const uint8_t *raw, uint64_t bytes, struct socket_address *out)
{
	struct sockaddr_ll ll;

	if (bytes < sizeof(ll))
		return -EINVAL;
	memcpy(&ll, raw, sizeof(ll));
	out->link.interface_index = (uint32_t)ll.sll_ifindex;
	out->link.protocol = ll.sll_protocol;
	out->link.address_bytes = MIN(ll.sll_halen, (unsigned char)sizeof(out->link.address));
	memcpy(out->link.address, ll.sll_addr, sizeof(out->link.address));
	return 0;
}

static uint32_t encode_link(uint8_t *out, const struct socket_address *a)
{
	struct sockaddr_ll ll = { .sll_family = a->family,
		.sll_protocol = a->link.protocol,
		.sll_ifindex = (int)a->link.interface_index,
		.sll_hatype = a->link.hardware,
		.sll_pkttype = a->link.kind,
		.sll_halen = a->link.address_bytes };

	memcpy(ll.sll_addr, a->link.address, sizeof(ll.sll_addr));
	memcpy(out, &ll, sizeof(ll));
	return sizeof(ll);
}

int linux_load_sockaddr(uaddr_t ua, int64_t bytes, struct socket_address *out)
{
	uint8_t raw[LINUX_SOCKADDR_MAX];
	int error;

	memset(out, 0, sizeof(*out));
	if (bytes < 2 || bytes > (int64_t)sizeof(raw))
		return -EINVAL;
	error = user_copy_in(raw, ua, (size_t)bytes);
	if (error != 0)
		return error;
	memcpy(&out->family, raw, sizeof(out->family));
	switch (out->family) {
	case SOCKET_UNSPEC: /* IPv4's, for old programs, or none */
		return bytes < (int64_t)sizeof(struct sockaddr_in)
			? 0
			: decode_inet(raw, (uint64_t)bytes, out);
	case SOCKET_INET:
		return decode_inet(raw, (uint64_t)bytes, out);
	case SOCKET_INET6:
		return decode_inet6(raw, (uint64_t)bytes, out);
	case SOCKET_UNIX:
		return decode_unix(raw, (uint64_t)bytes, out);
	case SOCKET_PACKET:
		return decode_link(raw, (uint64_t)bytes, out);
	case SOCKET_NETLINK:
		return decode_netlink(raw, (uint64_t)bytes, out);
	default:
		return 0; /* judged by the socket */
	}
}

int linux_load_address_for(const struct file *f, uaddr_t ua, int64_t bytes,
	struct socket_address *out)
{
	unsigned family = socket_family(f);
	int error = linux_load_sockaddr(ua, bytes, out);

	if (error != 0)
		return error;
	if (family == SOCKET_INET && bytes < (int64_t)sizeof(struct sockaddr_in))
		return -EINVAL;
	return family == SOCKET_INET6 && out->family != SOCKET_INET &&
			out->family != SOCKET_UNSPEC && bytes < (int64_t)SOCKADDR_IN6_MIN
		? -EINVAL
		: 0;
}

/* A connection has a peer: whose address it is, nobody looks at. */
int linux_load_destination(const struct file *f, uaddr_t ua, int64_t bytes,
	struct socket_address *out)
{
	bool any = socket_has_connections(f) && bytes > 0 && bytes <= (int64_t)LINUX_SOCKADDR_MAX;
	int error = linux_load_address_for(f, ua, bytes, out);

	return any && error == -EINVAL ? 0 : error;
}

static uint32_t encode_unix(uint8_t *out, const struct socket_address *a)
{
	memcpy(out + 2, a->path, a->path_bytes);
	if (a->path_bytes == 0 || a->path[0] == 0)
		return 2 + a->path_bytes;
	out[2 + a->path_bytes] = 0;
	return 3 + a->path_bytes;
}

uint32_t linux_encode_sockaddr(uint8_t out[LINUX_SOCKADDR_MAX], const struct socket_address *a)
{
	struct sockaddr_in6 in6 = { .sin6_family = a->family, .sin6_port = swap16(a->port) };
	struct sockaddr_in in = { .sin_family = a->family };
	struct sockaddr_nl nl = { .nl_family = a->family };

	memset(out, 0, LINUX_SOCKADDR_MAX);
	memcpy(out, &a->family, sizeof(a->family));
	switch (a->family) {
	case SOCKET_INET:
		in.sin_port = swap16(a->port);
		in.sin_addr.s_addr = net_ip_v4(&a->ip);
		memcpy(out, &in, sizeof(in));
		return sizeof(in);
	case SOCKET_INET6:
		memcpy(&in6.sin6_addr, a->ip.word, sizeof(a->ip.word));
		in6.sin6_scope_id = a->ip.scope;
		memcpy(out, &in6, sizeof(in6));
		return sizeof(in6);
	case SOCKET_NETLINK:
		nl.nl_pid = a->netlink_pid;
		nl.nl_groups = a->netlink_groups;
		memcpy(out, &nl, sizeof(nl));
		return sizeof(nl);
	case SOCKET_PACKET:
		return encode_link(out, a);
	case SOCKET_UNIX:
		return encode_unix(out, a);
	default:
		return sizeof(a->family);
	}
}

int linux_store_sockaddr(uaddr_t ua, uaddr_t length_ua, const struct socket_address *a)
{
	uint8_t raw[LINUX_SOCKADDR_MAX];
	uint32_t room, bytes;
	int error;

	if (ua == 0)
		return 0;
	error = user_load_u32(&room, length_ua);
	if (error != 0)
		return error;
	if ((int32_t)room < 0)
		return -EINVAL;
	bytes = a == NULL ? 0 : linux_encode_sockaddr(raw, a);
	error = user_copy_out(ua, raw, MIN(room, bytes));
	return error != 0 ? error : user_store_u32(length_ua, bytes);
}

/* ------------------------------------------------------------------ calls */
static int check_type_flags(int type)
{
	return (type & ~(LINUX_SOCK_TYPE_MASK | LINUX_SOCK_NONBLOCK | LINUX_SOCK_CLOEXEC)) == 0
		? 0
		: -EINVAL;
}

static uint32_t file_flags_of(int type)
{
	return LINUX_O_RDWR | (uint32_t)(type & LINUX_SOCK_NONBLOCK);
}

static int install(struct file *f, int type)
{
	int fd, error = fdtable_install(f, 0, (type & LINUX_SOCK_CLOEXEC) != 0, &fd);

	if (error == 0)
		return fd;
	file_put(f);
	return error;
}

long sys_socket(const struct sysargs *a)
{
	int family = sysarg_int(a, 0), type = sysarg_int(a, 1), protocol = sysarg_int(a, 2);
	struct file *f;
	int error = check_type_flags(type);

	if (error == 0 && protocol < 0)
		error = -EINVAL;
	if (error == 0)
		error = socket_open((unsigned)family, (unsigned)type & LINUX_SOCK_TYPE_MASK,
			(unsigned)protocol, file_flags_of(type), &f);
	return error != 0 ? error : install(f, type);
}

static int install_pair(struct file *pair[2], int type, uaddr_t fds_ua)
{
	int32_t fds[2];
	int error;

	fds[0] = install(pair[0], type);
	if (fds[0] < 0) {
		file_put(pair[1]);
		return fds[0];
	}
	fds[1] = install(pair[1], type);
	error = fds[1] < 0 ? fds[1] : user_copy_out(fds_ua, fds, sizeof(fds));
	if (error == 0)
		return 0;
	(void)!fdtable_close(fds[0]);
	if (fds[1] >= 0)
		(void)!fdtable_close(fds[1]);
	return error;
}

long sys_socketpair(const struct sysargs *a)
{
	int type = sysarg_int(a, 1), protocol = sysarg_int(a, 2);
	struct file *pair[2];
	int error = check_type_flags(type);

	if (error == 0)
		error = socket_open_pair((unsigned)sysarg_int(a, 0),
			(unsigned)type & LINUX_SOCK_TYPE_MASK, (unsigned)protocol,
			file_flags_of(type), pair);
	return error != 0 ? error : install_pair(pair, type, a->arg[3]);
}

/* The calls that take an address: fd first, so that -EBADF comes before -EFAULT as on Linux. */
static long with_address(const struct sysargs *a,
	int (*load)(const struct file *f, uaddr_t ua, int64_t bytes, struct socket_address *out),
	int (*call)(struct file *f, const struct socket_address *address))
{
	struct socket_address address;
	struct file *f;
	int error = fdtable_get(sysarg_int(a, 0), &f);

	if (error != 0)
		return error;
	error = socket_is(f) ? load(f, a->arg[1], sysarg_int(a, 2), &address) : -ENOTSOCK;
	if (error == 0)
		error = call(f, &address);
	file_put(f);
	return error;
}

long sys_bind(const struct sysargs *a)
{
	return with_address(a, linux_load_address_for, socket_bind);
}

/* "Nobody" has no more than a family. */
static int load_peer(const struct file *f, uaddr_t ua, int64_t bytes, struct socket_address *out)
{
	bool fits = bytes >= 2 && bytes <= (int64_t)LINUX_SOCKADDR_MAX;
	int error = linux_load_address_for(f, ua, bytes, out);

	return error == -EINVAL && fits && out->family == SOCKET_UNSPEC ? 0 : error;
}

long sys_connect(const struct sysargs *a)
{
	return with_address(a, load_peer, socket_connect);
}

long sys_listen(const struct sysargs *a)
{
	struct file *f;
	int error = fdtable_get(sysarg_int(a, 0), &f);

	if (error != 0)
		return error;
	error = socket_listen(f, sysarg_int(a, 1));
	file_put(f);
	return error;
}

/* The connection's file. */
static int accept_file(const struct sysargs *a, struct file *listener, int flags, struct file **out)
{
	struct socket_address peer;
	int error;

	memset(&peer, 0, sizeof(peer));
	error = socket_accept(listener, file_flags_of(flags), out, &peer);
	if (error != 0)
		return error;
	error = linux_store_sockaddr(a->arg[1], a->arg[2], &peer);
	if (error != 0)
		file_put(*out);
	return error;
}

/* (1) */
static long do_accept(const struct sysargs *a, int flags)
{
	struct file *listener, *f = NULL;
	int error, fd;

	error = fdtable_get(sysarg_int(a, 0), &listener);
	if (error != 0)
		return error;
	if ((flags & ~(LINUX_SOCK_NONBLOCK | LINUX_SOCK_CLOEXEC)) != 0)
		error = -EINVAL;
	if (error == 0)
		error = fdtable_reserve((flags & LINUX_SOCK_CLOEXEC) != 0, &fd);
	if (error == 0) {
		error = accept_file(a, listener, flags, &f);
		fdtable_settle(fd, error == 0 ? f : NULL);
	}
	file_put(listener);
	return error != 0 ? error : fd;
}

long sys_accept(const struct sysargs *a)
{
	return do_accept(a, 0);
}

long sys_accept4(const struct sysargs *a)
{
	return do_accept(a, sysarg_int(a, 3));
}

static long get_name(const struct sysargs *a, bool peer)
{
	struct socket_address name;
	struct file *f;
	int error = fdtable_get(sysarg_int(a, 0), &f);

	if (error != 0)
		return error;
	error = socket_get_name(f, peer, &name);
	file_put(f);
	if (error == 0 && a->arg[1] == 0)
		error = -EFAULT;
	return error != 0 ? error : linux_store_sockaddr(a->arg[1], a->arg[2], &name);
}

long sys_getsockname(const struct sysargs *a)
{
	return get_name(a, false);
}

long sys_getpeername(const struct sysargs *a)
{
	return get_name(a, true);
}

STATIC_ASSERT(SOCKET_SHUT_READ == 0 && SOCKET_SHUT_WRITE == 1 && SOCKET_SHUT_BOTH == 2, "Linux");

long sys_shutdown(const struct sysargs *a)
{
	int how = sysarg_int(a, 1);
	struct file *f;
	int error;

	error = fdtable_get(sysarg_int(a, 0), &f);
	if (error != 0)
		return error;
	error = how < 0 || how > LINUX_SHUT_RDWR ? -EINVAL
						 : socket_shut_down(f, (enum socket_shutdown)how);
	file_put(f);
	return error;
}
