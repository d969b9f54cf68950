/*
 * sys_message.c: sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg.
 *
 * What:       decodes Linux's message headers, ranges and control messages into net/socket.h's
 *             form, and back.
 * Invariants: (1) lengths that are told are whole lengths: addresses, MSG_TRUNC, MSG_CTRUNC.
 * Locking:    none. May sleep.
 * Failure:    Linux's errors; several messages: the count goes before the error.
 * Source:     Linux send(2), recv(2), sendmmsg(2), recvmmsg(2), cmsg(3), ip(7); net/socket.c.
 */
#include <linux/in.h>
#include <linux/socket.h>

#include "abi/linux/sys_net_priv.h"
#include "abi/linux/time.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "kernel/mm/kmem.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

#define IOV_MAX 1024u
#define IOV_STACK 8u
#define MMSG_MAX 1024u
#define CONTROL_MAX 128u

/* Linux's include/linux/socket.h: not among the published headers. */
enum {
	LINUX_MSG_OOB = 0x1,
	LINUX_MSG_PEEK = 0x2,
	LINUX_MSG_CTRUNC = 0x8,
	LINUX_MSG_TRUNC = 0x20,
	LINUX_MSG_DONTWAIT = 0x40,
	LINUX_MSG_WAITALL = 0x100,
	LINUX_MSG_ERRQUEUE = 0x2000,
	LINUX_MSG_NOSIGNAL = 0x4000,
	LINUX_MSG_MORE = 0x8000,
	LINUX_MSG_WAITFORONE = 0x10000,
	LINUX_MSG_FASTOPEN = 0x20000000,
};

STATIC_ASSERT(SOCKET_MSG_PEEK == (int)LINUX_MSG_PEEK, "Linux");
STATIC_ASSERT(SOCKET_MSG_TRUNCATE == (int)LINUX_MSG_TRUNC, "Linux");
STATIC_ASSERT(SOCKET_MSG_DONTWAIT == (int)LINUX_MSG_DONTWAIT, "Linux");
STATIC_ASSERT(SOCKET_MSG_WAITALL == (int)LINUX_MSG_WAITALL, "Linux");
STATIC_ASSERT(SOCKET_MSG_NOSIGNAL == (int)LINUX_MSG_NOSIGNAL, "Linux");
STATIC_ASSERT(SOCKET_MSG_MORE == (int)LINUX_MSG_MORE, "Linux");

#define NEUTRAL_FLAGS \
	(SOCKET_MSG_PEEK | SOCKET_MSG_TRUNCATE | SOCKET_MSG_DONTWAIT | SOCKET_MSG_WAITALL | \
		SOCKET_MSG_NOSIGNAL | SOCKET_MSG_MORE)

struct linux_msghdr {
	uint64_t name;
	uint32_t name_bytes, pad;
	uint64_t iov, iov_count;
	uint64_t control, control_bytes;
	uint32_t flags, pad2;
};

struct linux_mmsghdr {
	struct linux_msghdr header;
	uint32_t bytes, pad;
};

struct linux_cmsghdr {
	uint64_t bytes;
	int32_t level, type;
};

STATIC_ASSERT(sizeof(struct linux_msghdr) == 56, "Linux struct user_msghdr");
STATIC_ASSERT(sizeof(struct linux_mmsghdr) == 64, "Linux struct mmsghdr");
STATIC_ASSERT(sizeof(struct linux_cmsghdr) == 16, "Linux struct cmsghdr");

/* ------------------------------------------------------------------ ranges */
struct ranges {
	struct uio_range few[IOV_STACK];
	struct uio_range *all; /* few, or allocated */
	uint32_t count;
};

static void free_ranges(struct ranges *r)
{
	if (r->all != r->few)
		kmem_free(r->all);
}

static int check_ranges(const struct ranges *r)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < r->count; i++) {
		if (r->all[i].bytes > INT64_MAX - total)
			return -EINVAL;
		total += r->all[i].bytes;
	}
	return 0;
}

/* struct iovec is struct uio_range. */
static int load_ranges(struct ranges *r, uaddr_t ua, uint64_t count)
{
	int error;

	if (count > IOV_MAX)
		return -EMSGSIZE;
	r->count = (uint32_t)count;
	r->all = count <= IOV_STACK ? r->few : kmem_alloc(count * sizeof(*r->all));
	if (r->all == NULL)
		return -ENOMEM;
	error = user_copy_in(r->all, ua, count * sizeof(*r->all));
	if (error == 0)
		error = check_ranges(r);
	if (error != 0)
		free_ranges(r);
	return error;
}

/* ------------------------------------------------------------------ control messages */
static uint64_t align8(uint64_t bytes)
{
	return ROUND_UP(bytes, 8ul);
}

static int take_control(const struct linux_cmsghdr *c, const uint8_t *data,
	struct socket_message *m)
{
	struct in_pktinfo info;

	if (c->level != IPPROTO_IP || c->type != IP_PKTINFO || c->bytes < sizeof(*c) + sizeof(info))
		return -EINVAL;
	memcpy(&info, data, sizeof(info));
	m->has_pktinfo = true;
	m->interface_index = (uint32_t)info.ipi_ifindex;
	m->local_ip = net_ip_of_v4(info.ipi_spec_dst.s_addr);
	return 0;
}

/* CAVEAT: of what may be sent along only IP_PKTINFO is known; the rest is -EINVAL. */
static int load_control(const struct linux_msghdr *h, struct socket_message *m)
{
	uint8_t raw[CONTROL_MAX];
	struct linux_cmsghdr c;
	uint64_t at = 0;
	int error;

	if (h->control_bytes == 0)
		return 0;
	if (h->control_bytes > sizeof(raw))
		return -ENOBUFS;
	error = user_copy_in(raw, h->control, h->control_bytes);
	while (error == 0 && at + sizeof(c) <= h->control_bytes) {
		memcpy(&c, raw + at, sizeof(c));
		if (c.bytes < sizeof(c) || c.bytes > h->control_bytes - at)
			return -EINVAL;
		error = take_control(&c, raw + at + sizeof(c), m);
		at += align8(c.bytes);
	}
	return error;
}

struct control_out {
	uint8_t raw[CONTROL_MAX];
	uint64_t bytes, room;
	bool cut;
};

static void add_control(struct control_out *o, int type, const void *data, uint32_t bytes)
{
	struct linux_cmsghdr c = { sizeof(c) + bytes, IPPROTO_IP, type };

	if (o->bytes + c.bytes > o->room) {
		o->cut = true;
		return;
	}
	memcpy(o->raw + o->bytes, &c, sizeof(c));
	memcpy(o->raw + o->bytes + sizeof(c), data, bytes);
	o->bytes = MIN(o->bytes + align8(c.bytes), o->room);
}

static int store_control(struct linux_msghdr *h, const struct socket_message *m)
{
	struct control_out o = { .room = MIN(h->control_bytes, (uint64_t)CONTROL_MAX) };
	struct in_pktinfo info = { .ipi_ifindex = (int)m->interface_index };
	int32_t ttl = m->ttl;
	int error;

	memset(o.raw, 0, sizeof(o.raw));
	info.ipi_spec_dst.s_addr = net_ip_v4(&m->spec_ip);
	info.ipi_addr.s_addr = net_ip_v4(&m->local_ip);
	if (m->has_pktinfo)
		add_control(&o, IP_PKTINFO, &info, sizeof(info));
	if (m->has_ttl)
		add_control(&o, IP_TTL, &ttl, sizeof(ttl));
	if (m->has_tos)
		add_control(&o, IP_TOS, &m->tos, sizeof(m->tos));
	error = o.bytes == 0 ? 0 : user_copy_out(h->control, o.raw, o.bytes);
	h->control_bytes = o.bytes;
	h->flags |= o.cut ? LINUX_MSG_CTRUNC : 0;
	return error;
}

/* ------------------------------------------------------------------ one message */
static int judge_flags(unsigned flags, bool sends)
{
	if (sends)
		return (flags & (LINUX_MSG_OOB | LINUX_MSG_FASTOPEN)) != 0 ? -EOPNOTSUPP : 0;
	if ((flags & LINUX_MSG_OOB) != 0)
		return -EINVAL; /* as Linux, when there is no urgent byte */
	return (flags & LINUX_MSG_ERRQUEUE) != 0 ? -EAGAIN : 0;
}

static long send_header(struct file *f, const struct linux_msghdr *h, unsigned flags)
{
	struct socket_message m = { .flags = flags & NEUTRAL_FLAGS };
	struct ranges r;
	struct uio u;
	long result = judge_flags(flags, true);

	if (result == 0 && h->name != 0 && h->name_bytes != 0) {
		m.has_address = true;
		result = linux_load_sockaddr(h->name, (int32_t)h->name_bytes, &m.address);
	}
	if (result == 0)
		result = load_control(h, &m);
	if (result == 0)
		result = load_ranges(&r, h->iov, h->iov_count);
	if (result != 0)
		return result;
	uio_init_ranges(&u, r.all, r.count);
	m.data = &u;
	result = socket_send(f, &m);
	free_ranges(&r);
	return result;
}

static int store_name(struct linux_msghdr *h, const struct socket_message *m)
{
	uint8_t raw[LINUX_SOCKADDR_MAX];
	uint32_t room = h->name_bytes;

	h->name_bytes = 0;
	if (h->name == 0 || !m->has_address)
		return 0;
	if ((int32_t)room < 0)
		return -EINVAL;
	h->name_bytes = linux_encode_sockaddr(raw, &m->address);
	return user_copy_out(h->name, raw, MIN(room, h->name_bytes));
}

/* Fills in what h tells after a receive; its stored form is the caller's business. */
static long receive_header(struct file *f, struct linux_msghdr *h, unsigned flags)
{
	struct socket_message m = { .flags = flags & NEUTRAL_FLAGS };
	struct ranges r;
	struct uio u;
	long result = judge_flags(flags, false);
	int error;

	if (result == 0)
		result = load_ranges(&r, h->iov, h->iov_count);
	if (result != 0)
		return result;
	uio_init_ranges(&u, r.all, r.count);
	m.data = &u;
	result = socket_receive(f, &m);
	free_ranges(&r);
	if (result < 0)
		return result;
	h->flags = m.truncated ? LINUX_MSG_TRUNC : 0;
	error = store_name(h, &m);
	if (error == 0)
		error = store_control(h, &m);
	if (error != 0)
		return error;
	return (flags & LINUX_MSG_TRUNC) != 0 && m.truncated ? (long)m.datagram_bytes : result;
}

/* ------------------------------------------------------------------ calls */
long sys_sendto(const struct sysargs *a)
{
	struct socket_message m = { .flags = (unsigned)a->arg[3] & NEUTRAL_FLAGS };
	struct uio_range range = { a->arg[1], a->arg[2] };
	struct uio u;
	struct file *f;
	long result = fdtable_get(sysarg_int(a, 0), &f);

	if (result != 0)
		return result;
	result = judge_flags((unsigned)a->arg[3], true);
	if (result == 0 && a->arg[4] != 0 && sysarg_int(a, 5) != 0) {
		m.has_address = true;
		result = linux_load_sockaddr(a->arg[4], sysarg_int(a, 5), &m.address);
	}
	if (result == 0) {
		uio_init_range(&u, &range);
		m.data = &u;
		result = socket_send(f, &m);
	}
	file_put(f);
	return result;
}

long sys_recvfrom(const struct sysargs *a)
{
	struct socket_message m = { .flags = (unsigned)a->arg[3] & NEUTRAL_FLAGS };
	struct uio_range range = { a->arg[1], a->arg[2] };
	struct uio u;
	struct file *f;
	long result = fdtable_get(sysarg_int(a, 0), &f);
	int error = 0;

	if (result != 0)
		return result;
	result = judge_flags((unsigned)a->arg[3], false);
	if (result == 0) {
		uio_init_range(&u, &range);
		m.data = &u;
		result = socket_receive(f, &m);
	}
	file_put(f);
	if (result < 0)
		return result;
	if (m.has_address)
		error = linux_store_sockaddr(a->arg[4], a->arg[5], &m.address);
	else if (a->arg[4] != 0 && a->arg[5] != 0)
		error = user_store_u32(a->arg[5], 0);
	if (error != 0)
		return error;
	return (m.flags & SOCKET_MSG_TRUNCATE) != 0 && m.truncated ? (long)m.datagram_bytes
								   : result;
}

long sys_sendmsg(const struct sysargs *a)
{
	struct linux_msghdr h;
	struct file *f;
	long result = fdtable_get(sysarg_int(a, 0), &f);

	if (result != 0)
		return result;
	result = user_copy_in(&h, a->arg[1], sizeof(h));
	if (result == 0)
		result = send_header(f, &h, (unsigned)a->arg[2]);
	file_put(f);
	return result;
}

long sys_recvmsg(const struct sysargs *a)
{
	struct linux_msghdr h;
	struct file *f;
	long result = fdtable_get(sysarg_int(a, 0), &f);
	int error;

	if (result != 0)
		return result;
	result = user_copy_in(&h, a->arg[1], sizeof(h));
	if (result == 0)
		result = receive_header(f, &h, (unsigned)a->arg[2]);
	file_put(f);
	if (result < 0)
		return result;
	error = user_copy_out(a->arg[1], &h, sizeof(h));
	return error != 0 ? error : result;
}

static long send_next(struct file *f, uaddr_t ua, unsigned flags)
{
	struct linux_mmsghdr h;
	long sent = user_copy_in(&h, ua, sizeof(h));

	if (sent == 0)
		sent = send_header(f, &h.header, flags);
	if (sent < 0)
		return sent;
	return user_store_u32(ua + __builtin_offsetof(struct linux_mmsghdr, bytes), (uint32_t)sent);
}

long sys_sendmmsg(const struct sysargs *a)
{
	uint32_t count = MIN((uint32_t)a->arg[2], MMSG_MAX), done = 0;
	struct file *f;
	long error = fdtable_get(sysarg_int(a, 0), &f);

	if (error != 0)
		return error;
	while (done < count && error == 0) {
		error = send_next(f, a->arg[1] + done * sizeof(struct linux_mmsghdr),
			(unsigned)a->arg[3]);
		done += error == 0;
	}
	file_put(f);
	return done != 0 ? (long)done : error;
}

static long receive_next(struct file *f, uaddr_t ua, unsigned flags)
{
	struct linux_mmsghdr h;
	long got = user_copy_in(&h, ua, sizeof(h));

	if (got == 0)
		got = receive_header(f, &h.header, flags);
	if (got < 0)
		return got;
	h.bytes = (uint32_t)got;
	return user_copy_out(ua, &h, sizeof(h));
}

/* The timeout is looked at between messages only, as Linux does. */
long sys_recvmmsg(const struct sysargs *a)
{
	uint32_t count = MIN((uint32_t)a->arg[2], MMSG_MAX), done = 0;
	unsigned flags = (unsigned)a->arg[3];
	uint64_t timeout_ns, deadline_ns = TIME_NEVER_NS;
	struct file *f;
	long error = a->arg[4] == 0 ? 0 : linux_load_timespec(a->arg[4], &timeout_ns);

	if (error == 0 && a->arg[4] != 0)
		deadline_ns = linux_deadline_after(timeout_ns);
	if (error == 0)
		error = fdtable_get(sysarg_int(a, 0), &f);
	if (error != 0)
		return error;
	while (done < count && error == 0) {
		error = receive_next(f, a->arg[1] + done * sizeof(struct linux_mmsghdr), flags);
		done += error == 0;
		if ((flags & LINUX_MSG_WAITFORONE) != 0)
			flags |= LINUX_MSG_DONTWAIT;
		if (clock_now_ns() >= deadline_ns)
			break;
	}
	file_put(f);
	return done != 0 ? (long)done : error;
}
