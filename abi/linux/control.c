/*
 * control.c: control messages of sendmsg and recvmsg.
 *
 * What:       decodes the list that a program sends along into struct socket_message, and stores
 *             what was received: descriptors, credentials, packet facts.
 * Invariants: (1) of a list nothing acts before all of it was decoded. (2) a descriptor is told to
 *             the program before the table shows it, so none is left that nobody knows.
 * Locking:    none. May sleep.
 * Failure:    Linux's errors. What does not fit when it is stored is cut, never an error.
 * Source:     Linux cmsg(3), unix(7), ip(7); net/core/scm.c, net/core/sock.c (__sock_cmsg_send),
 *             net/ipv4/ip_sockglue.c (ip_cmsg_send).
 */
#include "abi/linux/control_priv.h"

#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/socket.h>
#include <linux/udp.h>

#include "abi/linux/sysargs.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "kernel/process.h"
#include "kernel/time/clock.h"
#include "lib/string.h"
#include "net/socket.h"

/* Linux's include/linux/socket.h: not among the published headers. */
#define LINUX_SCM_RIGHTS 0x1
#define LINUX_SCM_CREDENTIALS 0x2
#define CONTROL_MAX 20480u /* Linux's optmem_max, as it long was */
#define CONTROL_STACK 128u

struct linux_cmsghdr {
	uint64_t bytes;
	int32_t level, type;
};

struct linux_time {
	int64_t seconds, fraction; /* struct timeval or timespec */
};

struct linux_ucred {
	int32_t pid;
	uint32_t uid, gid;
};

STATIC_ASSERT(sizeof(struct linux_cmsghdr) == 16, "Linux struct cmsghdr");
STATIC_ASSERT(sizeof(struct linux_ucred) == 12, "Linux struct ucred");

static uint64_t align8(uint64_t bytes)
{
	return ROUND_UP(bytes, 8ul);
}

/* ------------------------------------------------------------------ in */
/* Several lists are one. */
static int add_files(const struct linux_cmsghdr *c, const uint8_t *data, struct socket_message *m)
{
	uint32_t count = (uint32_t)MIN((c->bytes - sizeof(*c)) / sizeof(int32_t), UINT32_MAX);
	struct socket_files *files = m->files;
	uint32_t i;
	int32_t fd;
	int error;

	if (count > SOCKET_FILES_MAX - (files != NULL ? files->count : 0))
		return -EINVAL;
	if (count == 0)
		return 0;
	if (files == NULL) {
		files = kmem_alloc(sizeof(*files) + SOCKET_FILES_MAX * sizeof(void *));
		if (files == NULL)
			return -ENOMEM;
		files->count = 0;
		m->files = files;
	}
	for (i = 0; i < count; i++) {
		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		error = fdtable_get(fd, &files->file[files->count]);
		if (error != 0)
			return error;
		files->count++;
	}
	return 0;
}

static bool may_be_user(const struct cred *c, uint32_t uid)
{
	return uid == c->uid || uid == c->euid || uid == c->suid || cred_has(c, CAP_SETUID);
}

static bool may_be_group(const struct cred *c, uint32_t gid)
{
	return gid == c->gid || gid == c->egid || gid == c->sgid || cred_has(c, CAP_SETGID);
}

static int take_credentials(const struct linux_cmsghdr *c, const uint8_t *data,
	struct socket_message *m)
{
	const struct cred *own = cred_current();
	struct linux_ucred v;

	if (c->bytes != sizeof(*c) + sizeof(v))
		return -EINVAL;
	memcpy(&v, data, sizeof(v));
	if (v.uid == UINT32_MAX || v.gid == UINT32_MAX)
		return -EINVAL;
	if ((v.pid != PROCESS_PID && !cred_has(own, CAP_SYS_ADMIN)) || !may_be_user(own, v.uid) ||
		!may_be_group(own, v.gid))
		return -EPERM;
	if (v.pid != PROCESS_PID)
		return -ESRCH;
	m->has_credentials = true;
	m->credentials = (struct socket_credentials){ v.pid, v.uid, v.gid };
	return 0;
}

/* CAVEAT: of the level's other messages (SO_MARK, SO_TIMESTAMPING, SCM_TXTIME …) none is known. */
static int take_socket_level(unsigned family, const struct linux_cmsghdr *c, const uint8_t *data,
	struct socket_message *m)
{
	if (c->type != LINUX_SCM_RIGHTS && c->type != LINUX_SCM_CREDENTIALS)
		return -EINVAL;
	if (family == SOCKET_UNIX)
		return c->type == LINUX_SCM_RIGHTS ? add_files(c, data, m)
						   : take_credentials(c, data, m);
	if (family == SOCKET_NETLINK)
		return c->type == LINUX_SCM_RIGHTS ? -EINVAL : take_credentials(c, data, m);
	return 0; /* said to nobody, and Linux does not mind */
}

/* Of UDP's level there is one. */
static int take_udp(const struct linux_cmsghdr *c, const uint8_t *data, struct socket_message *m)
{
	uint16_t bytes;

	if (c->type != UDP_SEGMENT || c->bytes != sizeof(*c) + sizeof(bytes))
		return -EINVAL;
	memcpy(&bytes, data, sizeof(bytes));
	m->segment_bytes = bytes;
	return 0;
}

/* Levels that the family does not know are passed over. */
static int take_control(struct file *f, const struct linux_cmsghdr *c, const uint8_t *data,
	struct socket_message *m)
{
	unsigned family = socket_family(f);

	if (c->level == SOL_SOCKET)
		return take_socket_level(family, c, data, m);
	if ((family != SOCKET_INET && family != SOCKET_INET6) || socket_is_stream(f))
		return 0;
	if (c->level == IPPROTO_IP || (family == SOCKET_INET6 && c->level == IPPROTO_IPV6))
		return linux_take_ip_control(c->level, c->type, data, c->bytes - sizeof(*c), m);
	return c->level == IPPROTO_UDP ? take_udp(c, data, m) : 0;
}

static int take_all(struct file *f, const uint8_t *raw, uint64_t bytes, struct socket_message *m)
{
	struct linux_cmsghdr c;
	uint64_t at = 0;
	int error = 0;

	while (error == 0 && at < bytes && bytes - at >= sizeof(c)) {
		memcpy(&c, raw + at, sizeof(c));
		if (c.bytes < sizeof(c) || c.bytes > bytes - at)
			return -EINVAL;
		error = take_control(f, &c, raw + at + sizeof(c), m);
		at += align8(c.bytes);
	}
	return error;
}

int linux_load_control(struct file *f, const struct linux_msghdr *h, struct socket_message *m)
{
	uint8_t few[CONTROL_STACK], *raw = few;
	int error;

	if (h->control_bytes == 0)
		return 0;
	if (h->control_bytes > CONTROL_MAX)
		return -ENOBUFS;
	if (h->control_bytes > sizeof(few))
		raw = kmem_alloc(h->control_bytes);
	if (raw == NULL)
		return -ENOBUFS;
	error = user_copy_in(raw, h->control, h->control_bytes);
	if (error == 0)
		error = take_all(f, raw, h->control_bytes, m);
	if (raw != few)
		kmem_free(raw);
	return error;
}

/* ------------------------------------------------------------------ out */
static void advance(struct control_out *o, uint64_t bytes)
{
	uint64_t step = MIN(align8(bytes), o->left);

	o->at += step;
	o->left -= step;
}

/* Cut when it does not fit; memory that is none is told by what was not stored, as on Linux. */
void linux_put_control(struct control_out *o, int level, int type, const void *data, uint32_t bytes)
{
	struct linux_cmsghdr c = { sizeof(c) + bytes, level, type };

	if (o->at == 0 || o->left < sizeof(c)) {
		o->cut = true;
		return;
	}
	if (o->left < c.bytes) {
		o->cut = true;
		c.bytes = o->left;
	}
	if (user_copy_out(o->at, &c, sizeof(c)) != 0 ||
		user_copy_out(o->at + sizeof(c), data, c.bytes - sizeof(c)) != 0)
		return;
	advance(o, c.bytes);
}

/* (2) */
static int put_descriptor(uaddr_t ua, struct file *f, bool close_on_exec)
{
	int fd, error = user_store_u32(ua, UINT32_MAX);

	if (error == 0)
		error = fdtable_install(f, 0, close_on_exec, &fd);
	if (error != 0)
		return error;
	if (user_store_u32(ua, (uint32_t)fd) == 0)
		return 0;
	file_get(f); /* the caller's, for the table's goes */
	(void)!fdtable_close(fd);
	return -EFAULT;
}

/* Those that got a descriptor leave the list. */
static void put_files(struct control_out *o, struct socket_files *files, bool close_on_exec)
{
	struct linux_cmsghdr c = { .level = SOL_SOCKET, .type = LINUX_SCM_RIGHTS };
	uint64_t room = o->at == 0 || o->left < sizeof(c) ? 0 : (o->left - sizeof(c)) / 4;
	uint32_t done = 0, count = files->count, i;

	while (done < MIN(count, room) &&
		put_descriptor(o->at + sizeof(c) + done * sizeof(int32_t), files->file[done],
			close_on_exec) == 0)
		done++;
	o->cut |= done < count;
	if (done == 0)
		return;
	for (i = done; i < count; i++)
		files->file[i - done] = files->file[i];
	files->count = count - done;
	c.bytes = sizeof(c) + done * sizeof(int32_t);
	if (user_copy_out(o->at, &c, sizeof(c)) == 0)
		advance(o, c.bytes);
}

static void put_timestamp(struct control_out *o, const struct socket_message *m)
{
	uint64_t real_ns = m->arrived_ns + (uint64_t)clock_real_offset_ns();
	struct linux_time v = { (int64_t)(real_ns / NS_PER_S), (int64_t)(real_ns % NS_PER_S) };

	if (!m->timestamp_in_ns)
		v.fraction /= (int64_t)NS_PER_US;
	linux_put_control(o, SOL_SOCKET, m->timestamp_in_ns ? SO_TIMESTAMPNS_OLD : SO_TIMESTAMP_OLD,
		&v, sizeof(v));
}

/* In software; then by hardware, twice: never. */
static void put_stamp(struct control_out *o, const struct socket_message *m)
{
	uint64_t real_ns = m->arrived_ns + (uint64_t)clock_real_offset_ns();
	struct linux_time v[3] = { { (int64_t)(real_ns / NS_PER_S),
		(int64_t)(real_ns % NS_PER_S) } };

	linux_put_control(o, SOL_SOCKET, SO_TIMESTAMPING_OLD, v, sizeof(v));
}

bool linux_store_control(struct linux_msghdr *h, struct socket_message *m, bool close_on_exec)
{
	struct control_out o = { .at = h->control, .left = h->control_bytes };
	struct linux_ucred credentials = { m->credentials.pid, m->credentials.uid,
		m->credentials.gid };

	if (m->has_timestamp)
		put_timestamp(&o, m);
	if (m->has_stamp)
		put_stamp(&o, m);
	if (m->has_drops)
		linux_put_control(&o, SOL_SOCKET, SO_RXQ_OVFL, &m->drops, sizeof(m->drops));
	linux_put_ip_controls(&o, m);
	if (m->has_credentials)
		linux_put_control(&o, SOL_SOCKET, LINUX_SCM_CREDENTIALS, &credentials,
			sizeof(credentials));
	if (m->files != NULL)
		put_files(&o, m->files, close_on_exec);
	h->control_bytes -= o.left;
	return o.cut;
}
