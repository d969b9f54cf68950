/*
 * socket_option.c: options that every kind of socket has.
 *
 * What:       a kind is asked first; what it does not know is looked for here.
 * Invariants: (1) an option that is answered with success acts, or is only ever reported.
 * Locking:    LOCK_NET.
 * Failure:    -ENOPROTOOPT.
 * Source:     Linux socket(7), net/core/sock.c.
 */
#include "base/errno.h"
#include "fs/file.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

/* Linux's SOCK_MIN_SNDBUF and about its SOCK_MIN_RCVBUF, halved. */
#define BUFFER_MIN_BYTES 2304u

/* Forced buffers: what one socket may then keep of the machine's memory. */
#define BUFFER_FORCED_MAX_BYTES (64u * 1024 * 1024)

static uint32_t clamp_buffer(int64_t bytes, uint32_t max_bytes)
{
	return (uint32_t)MIN(MAX(bytes, (int64_t)BUFFER_MIN_BYTES), (int64_t)max_bytes);
}

/* Of the two only one is on. */
static int set_timestamp(struct socket *s, bool on, bool in_ns)
{
	s->want_timestamp = on;
	s->want_timestamp_ns = on && in_ns;
	return 0;
}

/* CAVEAT: a stream's bytes have none; the packet itself is not told when it has left, nor is it
 * stamped where it is scheduled or acknowledged (SOF_TIMESTAMPING_TX_SCHED, _TX_ACK). */
static int set_stamps(struct socket *s, int64_t value)
{
	const int64_t known = SOCKET_STAMP_HARDWARE_IN | SOCKET_STAMP_IN | SOCKET_STAMP_TELL |
		SOCKET_STAMP_HARDWARE_TELL | SOCKET_STAMP_OUT | SOCKET_STAMP_ID | SOCKET_STAMP_ONLY;

	if (s->type == SOCKET_STREAM)
		return -ENOPROTOOPT;
	if ((value & ~known) != 0)
		return -EINVAL;
	if ((value & SOCKET_STAMP_OUT) != 0 &&
		(!s->ops->has_error_queue || (value & SOCKET_STAMP_ONLY) == 0))
		return -EINVAL;
	if ((value & SOCKET_STAMP_ID) != 0 && (s->stamps & SOCKET_STAMP_ID) == 0)
		s->stamp_id = 0;
	s->stamps = (uint16_t)value;
	return 0;
}

static int set_lowat(struct socket *s, int64_t value)
{
	if (value < 0)
		value = INT32_MAX;
	if (s->protocol == IP_PROTO_TCP)
		value = MIN(value, (int64_t)s->receive_buffer_bytes); /* more could never wait */
	s->receive_lowat_bytes = (uint32_t)MAX(value, 1);
	return 0;
}

static int lock_filter(struct socket *s, bool on)
{
	if (!s->ops->has_filter)
		return -ENOPROTOOPT;
	if (s->filter_locked && !on)
		return -EPERM;
	s->filter_locked = on;
	return 0;
}

static int set_peek_offset(struct socket *s, int64_t value)
{
	if (!s->ops->has_peek_offset)
		return -EOPNOTSUPP;
	s->peek_offset = (int32_t)value;
	return 0;
}

uint64_t socket_peek_offset_locked(const struct socket *s, unsigned flags)
{
	return (flags & SOCKET_MSG_PEEK) != 0 && s->peek_offset > 0 ? (uint64_t)s->peek_offset : 0;
}

void socket_move_peek_offset_locked(struct socket *s, unsigned flags, uint64_t bytes)
{
	int64_t by = (int64_t)MIN(bytes, (uint64_t)INT32_MAX);

	if (s->peek_offset < 0)
		return;
	by = s->peek_offset + ((flags & SOCKET_MSG_PEEK) != 0 ? by : -by);
	s->peek_offset = (int32_t)MIN(MAX(by, 0), (int64_t)INT32_MAX);
}

int socket_set_common_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	switch (o) {
	case SOCKET_OPT_REUSEADDR:
		s->reuse_addr = value != 0;
		return 0;
	case SOCKET_OPT_REUSEPORT: /* of IP's, who know it themselves */
		return value != 0 ? -EOPNOTSUPP : 0;
	case SOCKET_OPT_BROADCAST:
		s->broadcast = value != 0;
		return 0;
	case SOCKET_OPT_KEEPALIVE:
		s->keepalive = value != 0;
		return 0;
	case SOCKET_OPT_OOBINLINE:
		s->urgent_inline = value != 0;
		return 0;
	case SOCKET_OPT_LINGER:
		s->linger_s = value;
		return 0;
	case SOCKET_OPT_SNDBUF:
		s->send_buffer_bytes = clamp_buffer(value, SOCKET_BUFFER_MAX);
		return 0;
	case SOCKET_OPT_SNDBUF_FORCE:
		s->send_buffer_bytes = clamp_buffer(value, BUFFER_FORCED_MAX_BYTES);
		return 0;
	case SOCKET_OPT_RCVBUF_FORCE:
		s->receive_buffer_bytes = clamp_buffer(value, BUFFER_FORCED_MAX_BYTES);
		return 0;
	case SOCKET_OPT_TIMESTAMP:
	case SOCKET_OPT_TIMESTAMP_NS:
		return set_timestamp(s, value != 0, o == SOCKET_OPT_TIMESTAMP_NS);
	case SOCKET_OPT_TIMESTAMPING:
		return set_stamps(s, value);
	case SOCKET_OPT_RCVBUF:
		s->receive_buffer_bytes = clamp_buffer(value, SOCKET_BUFFER_MAX);
		return 0;
	case SOCKET_OPT_SNDTIMEO:
		s->send_timeout_ns = (uint64_t)value;
		return 0;
	case SOCKET_OPT_RCVTIMEO:
		s->receive_timeout_ns = (uint64_t)value;
		return 0;
	case SOCKET_OPT_RCVLOWAT:
		return set_lowat(s, value);
	case SOCKET_OPT_PRIORITY:
		s->priority = (uint32_t)value;
		return 0;
	case SOCKET_OPT_MARK:
		s->mark = (uint32_t)value;
		return 0;
	case SOCKET_OPT_RXQ_OVFL:
		s->want_drops = value != 0;
		return 0;
	case SOCKET_OPT_LOCK_FILTER:
		return lock_filter(s, value != 0);
	case SOCKET_OPT_PEEK_OFFSET:
		return set_peek_offset(s, value);
	default:
		return -ENOPROTOOPT;
	}
}

static int get_common(struct socket *s, enum socket_option o, int64_t *value)
{
	switch (o) {
	case SOCKET_OPT_REUSEADDR:
		*value = s->reuse_addr;
		return 0;
	case SOCKET_OPT_REUSEPORT:
		*value = s->reuse_port;
		return 0;
	case SOCKET_OPT_BROADCAST:
		*value = s->broadcast;
		return 0;
	case SOCKET_OPT_KEEPALIVE:
		*value = s->keepalive;
		return 0;
	case SOCKET_OPT_OOBINLINE:
		*value = s->urgent_inline;
		return 0;
	case SOCKET_OPT_LINGER:
		*value = s->linger_s;
		return 0;
	case SOCKET_OPT_SNDBUF:
		*value = 2 * (int64_t)s->send_buffer_bytes;
		return 0;
	case SOCKET_OPT_RCVBUF:
		*value = 2 * (int64_t)s->receive_buffer_bytes;
		return 0;
	case SOCKET_OPT_SNDTIMEO:
		*value = (int64_t)s->send_timeout_ns;
		return 0;
	case SOCKET_OPT_RCVTIMEO:
		*value = (int64_t)s->receive_timeout_ns;
		return 0;
	case SOCKET_OPT_ERROR:
		*value = -socket_take_error_locked(s);
		return 0;
	case SOCKET_OPT_TYPE:
		*value = s->type;
		return 0;
	case SOCKET_OPT_PROTOCOL:
		*value = s->protocol;
		return 0;
	case SOCKET_OPT_DOMAIN:
		*value = s->family;
		return 0;
	case SOCKET_OPT_ACCEPTCONN:
		*value = 0;
		return 0;
	case SOCKET_OPT_TIMESTAMP:
		*value = s->want_timestamp && !s->want_timestamp_ns;
		return 0;
	case SOCKET_OPT_TIMESTAMP_NS:
		*value = s->want_timestamp_ns;
		return 0;
	case SOCKET_OPT_TIMESTAMPING:
		*value = s->stamps;
		return 0;
	case SOCKET_OPT_COOKIE:
		*value = (int64_t)s->inode;
		return 0;
	case SOCKET_OPT_RCVLOWAT:
		*value = s->receive_lowat_bytes;
		return 0;
	case SOCKET_OPT_PRIORITY:
		*value = s->priority;
		return 0;
	case SOCKET_OPT_MARK:
		*value = s->mark;
		return 0;
	case SOCKET_OPT_RXQ_OVFL:
		*value = s->want_drops;
		return 0;
	case SOCKET_OPT_LOCK_FILTER:
		*value = s->filter_locked;
		return s->ops->has_filter ? 0 : -ENOPROTOOPT;
	case SOCKET_OPT_PEEK_OFFSET:
		*value = s->peek_offset;
		return s->ops->has_peek_offset ? 0 : -EOPNOTSUPP;
	case SOCKET_OPT_INCOMING_CPU:
		*value = s->incoming_cpu;
		return 0;
	case SOCKET_OPT_SNDLOWAT:
		*value = 1; /* as Linux, always */
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int socket_set_option(struct file *f, enum socket_option option, int64_t value)
{
	struct socket *s = socket_of(f);
	int error = -ENOPROTOOPT;

	if (!socket_is(f))
		return -ENOTSOCK;
	net_lock();
	if (s->ops->set_option_locked != NULL)
		error = s->ops->set_option_locked(s, option, value);
	if (error == -ENOPROTOOPT)
		error = socket_set_common_option_locked(s, option, value);
	net_unlock();
	return error;
}

int socket_get_option(struct file *f, enum socket_option option, int64_t *value)
{
	struct socket *s = socket_of(f);
	int error = -ENOPROTOOPT;

	if (!socket_is(f))
		return -ENOTSOCK;
	net_lock();
	if (s->ops->get_option_locked != NULL)
		error = s->ops->get_option_locked(s, option, value);
	if (error == -ENOPROTOOPT)
		error = get_common(s, option, value);
	net_unlock();
	return error;
}

int socket_change_group(struct file *f, const struct socket_group *g)
{
	struct socket *s = socket_of(f);
	int error = -ENOPROTOOPT;

	if (!socket_is(f))
		return -ENOTSOCK;
	if (s->type == SOCKET_STREAM && (s->family == SOCKET_INET || s->family == SOCKET_INET6))
		return -EPROTO;
	net_lock();
	if (s->ops->change_group_locked != NULL)
		error = s->ops->change_group_locked(s, g);
	net_unlock();
	return error;
}

int socket_change_member(struct file *f, const struct socket_member *m)
{
	struct socket *s = socket_of(f);
	int error = -ENOPROTOOPT;

	if (!socket_is(f))
		return -ENOTSOCK;
	net_lock();
	if (s->ops->change_member_locked != NULL)
		error = s->ops->change_member_locked(s, m);
	net_unlock();
	return error;
}

int socket_get_tcp_info(struct file *f, struct socket_tcp_info *out)
{
	struct socket *s = socket_of(f);

	if (!socket_is(f))
		return -ENOTSOCK;
	if ((s->family != SOCKET_INET && s->family != SOCKET_INET6) || s->type != SOCKET_STREAM)
		return -EOPNOTSUPP;
	return tcp_socket_info(s, out);
}
