/*
 * socket.c: sockets as files: what all kinds have in common.
 *
 * What:       the door between files and kinds (TCP, UDP, UNIX, netlink): opening, the file
 *             operations, waiting, references.
 * Invariants: (1) a socket lives while its file or its protocol refers to it, and is freed after
 *             the lock is released. (2) At most one thread copies in each direction, so that a
 *             stream's bytes keep their order although copying happens unlocked; who
 *             waits for the peer holds up nobody.
 * Locking:    LOCK_NET. May sleep: everything that waits for the peer.
 * Failure:    Linux's errors; SIGPIPE with -EPIPE on streams.
 * Source:     Linux socket(7), tcp(7), udp(7), net/socket.c, net/core/sock.c.
 */
#include "net/socket.h"

#include <linux/eventpoll.h>

#include "base/errno.h"
#include "fs/file.h"
#include "fs/stat.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "kernel/signal/signal.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

#define SIGPIPE 13
#define MODE_SOCKET 0140777u
#define IOCTL_FIONREAD 0x541bu
#define IOCTL_SIOCATMARK 0x8905u
#define IOCTL_TIOCOUTQ 0x5411u

static struct {
	struct socket *dead; /* [n] */
	uint64_t last_inode; /* [a] */
} sockets;

/* ------------------------------------------------------------------ references */
void socket_init_locked(void)
{
	sockets.last_inode = 1000;
	tcp_socket_init();
	udp_socket_init();
}

void socket_init(struct socket *s, const struct socket_ops *ops, unsigned family, unsigned type,
	unsigned protocol)
{
	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	s->refs = 1;
	s->inode = __atomic_add_fetch(&sockets.last_inode, 1, __ATOMIC_RELAXED);
	socket_count(s, 1);
	pollq_init(&s->pollq);
	waitq_init(&s->waitq);
	waitq_init(&s->turn);
	s->linger_s = -1;
	s->receive_lowat_bytes = 1;
	s->incoming_cpu = -1;
	s->peek_offset = -1;
	s->ttl = 64;
	s->send_buffer_bytes = SOCKET_BUFFER_MAX / 2;
	s->receive_buffer_bytes = SOCKET_BUFFER_MAX / 2;
}

void socket_get_locked(struct socket *s)
{
	net_assert_locked();
	s->refs++;
}

void socket_put_locked(struct socket *s)
{
	net_assert_locked();
	if (--s->refs != 0)
		return;
	socket_count(s, -1);
	s->dead_next = sockets.dead;
	sockets.dead = s;
}

struct socket *socket_take_dead_locked(void)
{
	struct socket *dead = sockets.dead;

	sockets.dead = NULL;
	return dead;
}

/* ------------------------------------------------------------------ waiting */
void socket_notify_locked(struct socket *s, uint32_t events)
{
	net_assert_locked();
	waitq_wake_all(&s->waitq);
	pollq_notify(&s->pollq, events);
}

int socket_take_error_locked(struct socket *s)
{
	int error = s->error;

	s->error = 0;
	return error;
}

uint64_t socket_deadline_ns(uint64_t timeout_ns)
{
	return timeout_ns == 0 ? TIME_NEVER_NS : net_now_ns() + timeout_ns;
}

int socket_wait_locked(struct socket *s, uint64_t deadline_ns)
{
	int error = net_wait_locked(&s->waitq, deadline_ns, WAIT_SIGNALS);

	if (error == -ETIMEDOUT)
		return -EAGAIN;
	/* With a timeout the call cannot simply be started again. */
	if (error == -ERESTARTSYS && deadline_ns != TIME_NEVER_NS)
		return -EINTR;
	return error;
}

void socket_enter_locked(struct socket *s, bool *busy)
{
	while (*busy && net_wait_locked(&s->turn, TIME_NEVER_NS, 0) == 0)
		;
	*busy = true;
}

void socket_leave_locked(struct socket *s, bool *busy)
{
	*busy = false;
	waitq_wake_all(&s->turn);
}

int socket_wait_outside_locked(struct socket *s, bool *busy, struct socket *at,
	uint64_t deadline_ns)
{
	int error;

	socket_leave_locked(s, busy);
	error = socket_wait_locked(at, deadline_ns);
	socket_enter_locked(s, busy);
	return error;
}

long socket_copy_chain(struct uio *u, const struct pbuf *p, uint32_t offset_bytes, uint64_t bytes)
{
	uint64_t total = 0, n;
	long copied;

	while (bytes != 0) {
		if (offset_bytes >= p->len) {
			offset_bytes -= p->len;
			p = p->next;
			continue;
		}
		n = MIN(bytes, (uint64_t)p->len - offset_bytes);
		copied = uio_copy_all_to(u, (const char *)p->payload + offset_bytes, n);
		if (copied < 0)
			return total != 0 ? (long)total : copied;
		total += n;
		bytes -= n;
		offset_bytes += (uint32_t)n;
	}
	return (long)total;
}

/* ------------------------------------------------------------------ file operations */
static long on_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct socket_message m = { .data = u };
	long got;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	got = u->left_bytes == 0 ? 0 : socket_receive(f, &m);
	socket_put_files(m.files); /* nobody asked for them */
	return got;
}

static long on_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct socket_message m = { .data = u };

	return offset_bytes == FILE_AT_POSITION ? socket_send(f, &m) : -ESPIPE;
}

static uint32_t on_poll(struct file *f)
{
	struct socket *s = socket_of(f);
	uint32_t events;

	net_lock();
	events = s->ops->poll_locked(s);
	net_unlock_batch();
	return events;
}

static struct pollq *on_pollq(struct file *f)
{
	return &socket_of(f)->pollq;
}

static long on_ioctl(struct file *f, uint32_t command, uaddr_t arg)
{
	struct uio_range range = { arg, sizeof(int32_t) };
	struct uio u;
	int64_t value;
	int32_t answer;
	long copied;
	int error;

	switch (command) {
	case IOCTL_FIONREAD:
		error = socket_get_option(f, SOCKET_OPT_QUEUED, &value);
		break;
	case IOCTL_TIOCOUTQ:
		error = socket_get_option(f, SOCKET_OPT_UNSENT, &value);
		break;
	case IOCTL_SIOCATMARK:
		error = socket_get_option(f, SOCKET_OPT_AT_MARK, &value);
		break;
	default:
		return -ENOTTY;
	}
	if (error != 0)
		return error != -ENOPROTOOPT          ? error
			: command == IOCTL_SIOCATMARK ? -ENOTTY
						      : -EINVAL;
	answer = (int32_t)value;
	uio_init_range(&u, &range);
	copied = uio_copy_to(&u, &answer, sizeof(answer));
	return copied == (long)sizeof(answer) ? 0 : -EFAULT;
}

static int on_stat(struct file *f, struct file_stat *out)
{
	memset(out, 0, sizeof(*out));
	out->device = 8;
	out->inode = socket_of(f)->inode;
	out->uid = socket_of(f)->uid;
	out->mode = MODE_SOCKET;
	out->links = 1;
	out->block_bytes = 4096;
	return 0;
}

static void on_release(struct file *f)
{
	struct socket *s = socket_of(f);

	socket_count_file(-1);
	s->ops->close(s);
}

static const struct file_ops socket_file_ops = {
	.kind = "socket:",
	.read = on_read,
	.write = on_write,
	.poll = on_poll,
	.pollq = on_pollq,
	.ioctl = on_ioctl,
	.stat = on_stat,
	.release = on_release,
};

bool socket_is(const struct file *f)
{
	return f->ops == &socket_file_ops;
}

unsigned socket_family(const struct file *f)
{
	const struct socket *s = f->object;

	return s->family;
}

bool socket_is_stream(const struct file *f)
{
	const struct socket *s = f->object;

	return s->type == SOCKET_STREAM;
}

bool socket_has_connections(const struct file *f)
{
	const struct socket *s = f->object;

	return s->type == SOCKET_STREAM || s->type == SOCKET_SEQPACKET;
}

void socket_postpone_error(struct file *f, int error)
{
	net_lock();
	socket_of(f)->error = error;
	net_unlock_batch();
}

void socket_put_files(struct socket_files *files)
{
	uint32_t i;

	for (i = 0; files != NULL && i < files->count; i++)
		file_put(files->file[i]);
	kmem_free(files);
}

/* ------------------------------------------------------------------ opening */
static int new_inet(unsigned family, unsigned type, unsigned protocol, struct socket **out)
{
	if (type == SOCKET_STREAM)
		return protocol == 0 || protocol == 6 ? tcp_socket_new(family, out)
						      : -EPROTONOSUPPORT;
	if (type == SOCKET_DATAGRAM && (protocol == 0 || protocol == 17))
		return udp_socket_new(family, out);
	if (type == SOCKET_DATAGRAM || type == SOCKET_RAW)
		return raw_socket_new(family, type, protocol, out);
	return -ESOCKTNOSUPPORT;
}

static int new_socket(unsigned family, unsigned type, unsigned protocol, struct socket **out)
{
	switch (family) {
	case SOCKET_INET:
	case SOCKET_INET6:
		return new_inet(family, type, protocol, out);
	case SOCKET_UNIX:
		return protocol <= 1 ? unix_socket_new(type, out) : -EPROTONOSUPPORT;
	case SOCKET_PACKET:
		return packet_socket_new(type, protocol, out);
	case SOCKET_NETLINK:
		return netlink_socket_new(type, protocol, out);
	default:
		return -EAFNOSUPPORT;
	}
}

static int wrap(struct socket *s, uint32_t file_flags, struct file **out)
{
	int error;

	s->uid = cred_current()->fsuid;
	error = file_alloc(&socket_file_ops, s, file_flags, out);
	socket_count_file(error == 0 ? 1 : 0);
	if (error != 0)
		s->ops->close(s);
	else
		s->file = *out;
	return error;
}

int socket_open(unsigned family, unsigned type, unsigned protocol, uint32_t file_flags,
	struct file **out)
{
	struct socket *s;
	int error = new_socket(family, type, protocol, &s);

	return error != 0 ? error : wrap(s, file_flags, out);
}

int socket_open_pair(unsigned family, unsigned type, unsigned protocol, uint32_t file_flags,
	struct file *out[2])
{
	struct socket *pair[2];
	int error;

	if (family != SOCKET_UNIX)
		return family == SOCKET_INET || family == SOCKET_INET6 ? -EOPNOTSUPP
								       : -EAFNOSUPPORT;
	if (protocol > 1)
		return -EPROTONOSUPPORT;
	error = unix_socket_pair(type, pair);
	if (error != 0)
		return error;
	error = wrap(pair[0], file_flags, &out[0]);
	if (error != 0) {
		pair[1]->ops->close(pair[1]);
		return error;
	}
	error = wrap(pair[1], file_flags, &out[1]);
	if (error != 0)
		file_put(out[0]);
	return error;
}

/* ------------------------------------------------------------------ calls */
int socket_bind(struct file *f, const struct socket_address *a)
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	return s->ops->bind == NULL ? -EOPNOTSUPP : s->ops->bind(s, a);
}

int socket_connect(struct file *f, const struct socket_address *a)
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	return s->ops->connect == NULL ? -EOPNOTSUPP
				       : s->ops->connect(s, a, file_is_nonblocking(f));
}

int socket_listen(struct file *f, int backlog)
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	if (s->ops->listen == NULL)
		return -EOPNOTSUPP;
	if (backlog < 0 || backlog > SOCKET_BACKLOG_MAX)
		backlog = SOCKET_BACKLOG_MAX;
	return s->ops->listen(s, backlog);
}

int socket_accept(struct file *f, uint32_t file_flags, struct file **out,
	struct socket_address *peer)
{
	struct socket *s = socket_of(f), *accepted;
	int error;

	if (!socket_is(f))
		return -ENOTSOCK;
	if (s->ops->accept == NULL)
		return -EOPNOTSUPP;
	error = s->ops->accept(s, file_is_nonblocking(f), &accepted, peer);
	return error != 0 ? error : wrap(accepted, file_flags, out);
}

int socket_get_name(struct file *f, bool peer, struct socket_address *out)
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	memset(out, 0, sizeof(*out));
	return s->ops->get_name(s, peer, out);
}

int socket_shut_down(struct file *f, enum socket_shutdown how)
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	return s->ops->shut_down == NULL ? -EOPNOTSUPP : s->ops->shut_down(s, how);
}

static void send_sigpipe(void)
{
	struct signal_info info = { .signo = SIGPIPE };

	signal_send_thread(thread_current(), &info);
}

long socket_send(struct file *f, struct socket_message *m)
{
	struct socket *s = socket_of(f);
	long sent;

	if (!socket_is(f))
		return -ENOTSOCK;
	if ((m->flags & SOCKET_MSG_URGENT) != 0 && !s->ops->has_urgent)
		return -EOPNOTSUPP;
	sent = s->ops->send(s, m, file_is_nonblocking(f) || (m->flags & SOCKET_MSG_DONTWAIT) != 0);
	if (sent == -EPIPE && s->type != SOCKET_DATAGRAM && (m->flags & SOCKET_MSG_NOSIGNAL) == 0)
		send_sigpipe();
	return sent;
}

long socket_receive(struct file *f, struct socket_message *m)
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	if (s->family == SOCKET_UNIX || s->family == SOCKET_NETLINK)
		m->flags &= ~(unsigned)SOCKET_MSG_ERROR; /* unknown there */
	if ((m->flags & SOCKET_MSG_URGENT) != 0 && s->ops->urgent_error != 0)
		return s->ops->urgent_error;
	if ((m->flags & SOCKET_MSG_ERROR) != 0 && !s->ops->has_error_queue)
		return -EAGAIN;
	return s->ops->receive(s, m,
		file_is_nonblocking(f) || (m->flags & SOCKET_MSG_DONTWAIT) != 0);
}
