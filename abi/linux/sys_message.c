/*
 * sys_message.c: sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg.
 *
 * What:       decodes Linux's message headers and ranges into net/socket.h's form, and back;
 *             control messages are abi/linux/control.c's.
 * Invariants: (1) lengths that are told are whole lengths: addresses, MSG_TRUNC, MSG_CTRUNC.
 * Locking:    none. May sleep.
 * Failure:    Linux's errors; several messages: the count goes before the error.
 * Source:     Linux send(2), recv(2), sendmmsg(2), recvmmsg(2); net/socket.c.
 */
#include "abi/linux/control_priv.h"
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
#define CALL_BYTES_MAX 0x7ffff000ul /* Linux's MAX_RW_COUNT: of one range no more is looked at */

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
	LINUX_MSG_CMSG_CLOEXEC = 0x40000000,
};

STATIC_ASSERT(SOCKET_MSG_URGENT == (int)LINUX_MSG_OOB, "Linux");
STATIC_ASSERT(SOCKET_MSG_PEEK == (int)LINUX_MSG_PEEK, "Linux");
STATIC_ASSERT(SOCKET_MSG_TRUNCATE == (int)LINUX_MSG_TRUNC, "Linux");
STATIC_ASSERT(SOCKET_MSG_DONTWAIT == (int)LINUX_MSG_DONTWAIT, "Linux");
STATIC_ASSERT(SOCKET_MSG_WAITALL == (int)LINUX_MSG_WAITALL, "Linux");
STATIC_ASSERT(SOCKET_MSG_NOSIGNAL == (int)LINUX_MSG_NOSIGNAL, "Linux");
STATIC_ASSERT(SOCKET_MSG_MORE == (int)LINUX_MSG_MORE, "Linux");
STATIC_ASSERT(SOCKET_MSG_ERROR == (int)LINUX_MSG_ERRQUEUE, "Linux");

#define NEUTRAL_FLAGS \
	(SOCKET_MSG_URGENT | SOCKET_MSG_PEEK | SOCKET_MSG_TRUNCATE | SOCKET_MSG_DONTWAIT | \
		SOCKET_MSG_WAITALL | SOCKET_MSG_NOSIGNAL | SOCKET_MSG_MORE | SOCKET_MSG_ERROR)

struct linux_mmsghdr {
	struct linux_msghdr header;
	uint32_t bytes, pad; /* the padding is never touched */
};

STATIC_ASSERT(sizeof(struct linux_mmsghdr) == 64, "Linux struct mmsghdr");
#define MMSG_BYTES_OFFSET __builtin_offsetof(struct linux_mmsghdr, bytes)

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

static int check_ranges(struct ranges *r)
{
	uint32_t i;

	for (i = 0; i < r->count; i++)
		if (r->all[i].bytes > INT64_MAX)
			return -EINVAL;
	if (r->count == 1)
		r->all[0].bytes = MIN(r->all[0].bytes, CALL_BYTES_MAX);
	for (i = 0; i < r->count; i++)
		if (!user_can_be(r->all[i].base, r->all[i].bytes))
			return -EFAULT;
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

/* ------------------------------------------------------------------ one message */
static int judge_send_flags(unsigned flags)
{
	return (flags & LINUX_MSG_FASTOPEN) != 0 ? -EOPNOTSUPP : 0;
}

static int load_name(struct file *f, const struct linux_msghdr *h, struct socket_message *m)
{
	if (h->name == 0 || h->name_bytes == 0)
		return 0;
	if ((int32_t)h->name_bytes < 0)
		return -EINVAL;
	m->has_address = true;
	return linux_load_destination(f, h->name, MIN(h->name_bytes, LINUX_SOCKADDR_MAX),
		&m->address);
}

/* *left_bytes: what a stream had no room for. */
static long send_header(struct file *f, const struct linux_msghdr *h, unsigned flags,
	uint64_t *left_bytes)
{
	struct socket_message m = { .flags = flags & NEUTRAL_FLAGS };
	struct ranges r;
	struct uio u;
	long result = socket_is(f) ? judge_send_flags(flags) : -ENOTSOCK;

	if (result == 0)
		result = load_name(f, h, &m);
	if (result == 0)
		result = load_ranges(&r, h->iov, h->iov_count);
	if (result != 0)
		return result;
	result = linux_load_control(f, h, &m);
	if (result == 0) {
		uio_init_ranges(&u, r.all, r.count);
		m.data = &u;
		result = socket_send(f, &m);
		*left_bytes = u.left_bytes;
	}
	socket_put_files(m.files);
	free_ranges(&r);
	return result;
}

static int store_name(struct linux_msghdr *h, const struct socket_message *m)
{
	uint8_t raw[LINUX_SOCKADDR_MAX];
	uint32_t room = h->name_bytes;

	if (h->name == 0)
		return 0; /* its length stays what it was */
	h->name_bytes = 0;
	if (!m->has_address)
		return 0;
	h->name_bytes = linux_encode_sockaddr(raw, &m->address);
	return user_copy_out(h->name, raw, MIN(room, h->name_bytes));
}

/* What h and its memory tell after a receive. */
static int store_message(struct linux_msghdr *h, struct socket_message *m, unsigned flags)
{
	bool close_on_exec = (flags & LINUX_MSG_CMSG_CLOEXEC) != 0;
	int error = store_name(h, m);

	h->flags = (m->truncated ? LINUX_MSG_TRUNC : 0) | (m->is_urgent ? LINUX_MSG_OOB : 0) |
		(m->has_error ? LINUX_MSG_ERRQUEUE : 0) | (flags & LINUX_MSG_CMSG_CLOEXEC);
	if (error == 0 && linux_store_control(h, m, close_on_exec))
		h->flags |= LINUX_MSG_CTRUNC;
	return error;
}

/* Fills in what h tells after a receive; its stored form is the caller's business. */
static long receive_header(struct file *f, struct linux_msghdr *h, unsigned flags)
{
	struct socket_message m = { .flags = flags & NEUTRAL_FLAGS };
	struct ranges r;
	struct uio u;
	long result = socket_is(f) ? 0 : -ENOTSOCK;
	int error;

	if (result == 0 && h->name != 0 && (int32_t)h->name_bytes < 0)
		result = -EINVAL;
	if (result == 0)
		result = load_ranges(&r, h->iov, h->iov_count);
	if (result != 0)
		return result;
	uio_init_ranges(&u, r.all, r.count);
	m.data = &u;
	result = socket_receive(f, &m);
	free_ranges(&r);
	error = result < 0 ? 0 : store_message(h, &m, flags);
	socket_put_files(m.files); /* what found no room */
	if (error != 0)
		return error;
	return (flags & LINUX_MSG_TRUNC) != 0 && m.truncated ? (long)m.datagram_bytes : result;
}

/* ------------------------------------------------------------------ calls */
long sys_sendto(const struct sysargs *a)
{
	struct socket_message m = { .flags = (unsigned)a->arg[3] & NEUTRAL_FLAGS };
	struct uio_range range = { a->arg[1], MIN(a->arg[2], CALL_BYTES_MAX) };
	struct uio u;
	struct file *f;
	long result = fdtable_get(sysarg_int(a, 0), &f);

	if (result != 0)
		return result;
	if (!user_can_be(range.base, range.bytes))
		result = -EFAULT;
	else
		result = socket_is(f) ? judge_send_flags((unsigned)a->arg[3]) : -ENOTSOCK;
	if (result == 0 && a->arg[4] != 0 && sysarg_int(a, 5) != 0) {
		m.has_address = true;
		result = linux_load_destination(f, a->arg[4], sysarg_int(a, 5), &m.address);
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
	struct uio_range range = { a->arg[1], MIN(a->arg[2], CALL_BYTES_MAX) };
	struct uio u;
	struct file *f;
	long result = fdtable_get(sysarg_int(a, 0), &f);
	int error;

	if (result != 0)
		return result;
	result = user_can_be(range.base, range.bytes) ? 0 : -EFAULT;
	if (result == 0) {
		uio_init_range(&u, &range);
		m.data = &u;
		result = socket_receive(f, &m);
	}
	file_put(f);
	socket_put_files(m.files); /* nobody asked for them */
	if (result < 0)
		return result;
	error = linux_store_sockaddr(a->arg[4], a->arg[5], m.has_address ? &m.address : NULL);
	if (error != 0)
		return error;
	return (m.flags & SOCKET_MSG_TRUNCATE) != 0 && m.truncated ? (long)m.datagram_bytes
								   : result;
}

long sys_sendmsg(const struct sysargs *a)
{
	struct linux_msghdr h;
	uint64_t left_bytes;
	struct file *f;
	long result = fdtable_get(sysarg_int(a, 0), &f);

	if (result != 0)
		return result;
	result = user_copy_in(&h, a->arg[1], sizeof(h));
	if (result == 0)
		result = send_header(f, &h, (unsigned)a->arg[2], &left_bytes);
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

static long send_next(struct file *f, uaddr_t ua, unsigned flags, uint64_t *left_bytes)
{
	struct linux_msghdr h;
	long sent = user_copy_in(&h, ua, sizeof(h));

	if (sent == 0)
		sent = send_header(f, &h, flags, left_bytes);
	if (sent < 0)
		return sent;
	return user_store_u32(ua + MMSG_BYTES_OFFSET, (uint32_t)sent);
}

/* A stream that took part of a message ends it: what follows would come too early. */
long sys_sendmmsg(const struct sysargs *a)
{
	uint32_t count = MIN((uint32_t)a->arg[2], MMSG_MAX), done = 0;
	uint64_t left_bytes = 0;
	struct file *f;
	long error = fdtable_get(sysarg_int(a, 0), &f);

	if (error != 0)
		return error;
	if (!socket_is(f))
		error = -ENOTSOCK;
	while (done < count && error == 0 && left_bytes == 0) {
		error = send_next(f, a->arg[1] + done * sizeof(struct linux_mmsghdr),
			(unsigned)a->arg[3], &left_bytes);
		done += error == 0;
	}
	file_put(f);
	return done != 0 ? (long)done : error;
}

static long receive_next(struct file *f, uaddr_t ua, unsigned flags)
{
	struct linux_msghdr h;
	long got = user_copy_in(&h, ua, sizeof(h));

	if (got == 0)
		got = receive_header(f, &h, flags);
	if (got < 0)
		return got;
	if (user_copy_out(ua, &h, sizeof(h)))
		return -EFAULT;
	return user_store_u32(ua + MMSG_BYTES_OFFSET, (uint32_t)got);
}

/* A failure after the first message is told by the next call. */
static long receive_several(struct file *f, uaddr_t ua, uint32_t count, unsigned flags,
	uint64_t deadline_ns)
{
	uint32_t done = 0;
	long error = 0;

	while (done < count && error == 0) {
		error = receive_next(f, ua + done * sizeof(struct linux_mmsghdr), flags);
		done += error == 0;
		if ((flags & LINUX_MSG_WAITFORONE) != 0)
			flags |= LINUX_MSG_DONTWAIT;
		if (clock_now_ns() >= deadline_ns)
			break;
	}
	if (done != 0 && error != 0 && error != -EAGAIN)
		socket_postpone_error(f, (int)error);
	return done != 0 ? (long)done : error;
}

static int store_left(uaddr_t ua, uint64_t deadline_ns)
{
	uint64_t now_ns = clock_now_ns();

	return linux_store_timespec(ua, now_ns >= deadline_ns ? 0 : deadline_ns - now_ns);
}

/* Before it receives anything. */
static long take_error(struct file *f, unsigned flags)
{
	int64_t error = 0;

	if (!socket_is(f))
		return -ENOTSOCK;
	if ((flags & LINUX_MSG_ERRQUEUE) == 0)
		(void)!socket_get_option(f, SOCKET_OPT_ERROR, &error);
	return -error;
}

/* The timeout is looked at between messages only, as Linux does. */
long sys_recvmmsg(const struct sysargs *a)
{
	uint32_t count = MIN((uint32_t)a->arg[2], MMSG_MAX);
	uint64_t timeout_ns, deadline_ns = TIME_NEVER_NS;
	struct file *f;
	long result = a->arg[4] == 0 ? 0 : linux_load_timespec(a->arg[4], &timeout_ns);

	if (result == 0 && a->arg[4] != 0)
		deadline_ns = linux_deadline_after(timeout_ns);
	if (result == 0)
		result = fdtable_get(sysarg_int(a, 0), &f);
	if (result != 0)
		return result;
	result = take_error(f, (unsigned)a->arg[3]);
	if (result == 0)
		result = receive_several(f, a->arg[1], count, (unsigned)a->arg[3], deadline_ns);
	file_put(f);
	if (result > 0 && a->arg[4] != 0 && store_left(a->arg[4], deadline_ns) != 0)
		return -EFAULT;
	return result;
}
