/*
 * netlink.c: netlink sockets: requests in, answers and announcements out.
 *
 * What:       a request is answered at once with all there is to say, in datagrams of a page at
 *             most; what cannot be answered gives an error message. Changes are announced to the
 *             groups that a socket has joined. Which facts there are is netlink_route.c's.
 * Invariants: (1) an answer has the request's sequence number and the socket's own port. (2) no two
 *             sockets have one port.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    -EOPNOTSUPP, -EPERM … inside the answer; -ENOBUFS too many answers wait, or an
 *             announcement was lost.
 * Source:     Linux netlink(7), net/netlink/af_netlink.c; Go syscall/netlink_linux.go.
 */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "kernel/process.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/netlink_priv.h"

#define ANSWERS_MAX 64u
#define REQUEST_BYTES 1024u
#define GROUPS 32u

LIST_HEAD(netlink_list, netlink_socket);

static struct {
	struct netlink_list all; /* [n] */
	uint32_t last_port; /* [n] */
} netlink = { .all = LIST_HEAD_INITIALIZER(netlink.all) };

static const struct socket_ops netlink_ops;

static struct netlink_socket *netlink_of(struct socket *s)
{
	return (struct netlink_socket *)(void *)s;
}

int netlink_socket_new(unsigned type, unsigned protocol, struct socket **out)
{
	struct netlink_socket *n;

	if (type != SOCKET_RAW && type != SOCKET_DATAGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	n = kmem_zalloc(sizeof(*n));
	if (n == NULL)
		return -ENOMEM;
	socket_init(&n->base, &netlink_ops, SOCKET_NETLINK, type, protocol);
	STAILQ_INIT(&n->answers);
	net_lock();
	LIST_INSERT_HEAD(&netlink.all, n, link);
	net_unlock_batch();
	*out = &n->base;
	return 0;
}

const struct netlink_socket *netlink_nth_locked(uint32_t n)
{
	const struct netlink_socket *s;

	net_assert_locked();
	LIST_FOREACH(s, &netlink.all, link)
		if (n-- == 0)
			break;
	return s;
}

/* ------------------------------------------------------------------ building an answer */
/* Room for a message in the datagram that is being filled, or in a new one. */
static bool make_room(struct netlink_reply *r, uint32_t bytes)
{
	struct netlink_answer *a = r->last;

	ASSERT(bytes <= NETLINK_DATAGRAM_BYTES);
	if (r->error != 0)
		return false;
	if (a != NULL && a->bytes + bytes <= NETLINK_DATAGRAM_BYTES)
		return true;
	a = kmem_alloc(sizeof(*a));
	if (a == NULL) {
		r->error = -ENOBUFS;
		return false;
	}
	a->bytes = 0;
	a->group = 0;
	STAILQ_INSERT_TAIL(&r->answers, a, link);
	r->last = a;
	return true;
}

void *netlink_add(struct netlink_reply *r, uint32_t bytes)
{
	struct netlink_answer *a = r->last;
	void *at = a->data + a->bytes;

	ASSERT(a->bytes + NLMSG_ALIGN(bytes) <= NETLINK_DATAGRAM_BYTES);
	memset(at, 0, NLMSG_ALIGN(bytes));
	a->bytes += NLMSG_ALIGN(bytes);
	return at;
}

struct nlmsghdr *netlink_begin(struct netlink_reply *r, uint16_t type, uint32_t body_max)
{
	struct nlmsghdr *h;

	if (!make_room(r, NLMSG_HDRLEN + NLMSG_ALIGN(body_max)))
		return NULL;
	h = netlink_add(r, sizeof(*h));
	h->nlmsg_type = type;
	h->nlmsg_flags = r->is_dump ? NLM_F_MULTI : 0;
	h->nlmsg_seq = r->request != NULL ? r->request->nlmsg_seq : 0;
	h->nlmsg_pid = r->port; /* (1) */
	return h;
}

void netlink_end(struct netlink_reply *r, struct nlmsghdr *h)
{
	h->nlmsg_len = (uint32_t)(r->last->data + r->last->bytes - (uint8_t *)h);
}

void netlink_add_attribute(struct netlink_reply *r, uint16_t type, const void *data, uint32_t bytes)
{
	struct rtattr *a = netlink_add(r, RTA_LENGTH(bytes));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(bytes);
	memcpy(RTA_DATA(a), data, bytes);
}

static void add_done(struct netlink_reply *r)
{
	struct nlmsghdr *h = netlink_begin(r, NLMSG_DONE, sizeof(int32_t));

	if (h == NULL)
		return;
	netlink_add(r, sizeof(int32_t));
	netlink_end(r, h);
}

/* error 0: an acknowledgement. An error comes with the whole request, unless that is not wanted. */
static void add_error(struct netlink_reply *r, int error, bool capped)
{
	uint32_t body = r->request->nlmsg_len - (uint32_t)sizeof(*r->request);
	struct nlmsghdr *h;
	struct nlmsgerr *e;

	capped |= error == 0;
	r->is_dump = false;
	h = netlink_begin(r, NLMSG_ERROR, sizeof(*e) + (capped ? 0 : body));
	if (h == NULL)
		return;
	h->nlmsg_flags = capped ? NLM_F_CAPPED : 0;
	e = netlink_add(r, sizeof(*e));
	e->error = error;
	e->msg = *r->request;
	if (!capped && body != 0)
		memcpy(netlink_add(r, body), r->request + 1, body);
	netlink_end(r, h);
}

static void drop_answers(struct netlink_answers *answers)
{
	struct netlink_answer *a;

	while ((a = STAILQ_FIRST(answers)) != NULL) {
		STAILQ_REMOVE_HEAD(answers, link);
		kmem_free(a);
	}
}

/* ------------------------------------------------------------------ requests */
static void take_answers(struct netlink_socket *n, struct netlink_reply *r)
{
	struct netlink_answer *a;

	while ((a = STAILQ_FIRST(&r->answers)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->answers, link);
		STAILQ_INSERT_TAIL(&n->answers, a, link);
		n->answer_count++;
	}
	socket_notify_locked(&n->base, EPOLLIN);
}

/* Linux: answers requests only, of a kind that it knows; an acknowledgement comes when wanted. */
static int answer(struct netlink_socket *n, const uint8_t *raw, const struct nlmsghdr *request)
{
	struct netlink_reply r = { .request = request, .port = n->port };
	int error = 0;

	STAILQ_INIT(&r.answers);
	if ((request->nlmsg_flags & NLM_F_REQUEST) != 0 && request->nlmsg_type >= NLMSG_MIN_TYPE)
		error = netlink_route_request_locked(&r, raw, request->nlmsg_len);
	if (error == 0 && r.is_dump)
		add_done(&r);
	else if (error != 0 || (request->nlmsg_flags & NLM_F_ACK) != 0)
		add_error(&r, error, n->cap_ack);
	if (r.error != 0)
		drop_answers(&r.answers);
	else if (!STAILQ_EMPTY(&r.answers))
		take_answers(n, &r);
	return r.error;
}

/* Several requests may come at once; what is shorter than it says ends the list. */
static int answer_all(struct netlink_socket *n, const uint8_t *raw, uint32_t bytes)
{
	const struct nlmsghdr *request;
	uint32_t at = 0;
	int error = 0;

	while (error == 0 && at < bytes && bytes - at >= sizeof(*request)) {
		request = (const void *)(raw + at);
		if (request->nlmsg_len < sizeof(*request) || request->nlmsg_len > bytes - at)
			return 0;
		if (n->answer_count >= ANSWERS_MAX)
			return -ENOBUFS;
		error = answer(n, raw + at, request);
		at += NLMSG_ALIGN(request->nlmsg_len);
	}
	return error;
}

static bool is_port_taken(uint32_t port)
{
	const struct netlink_socket *n;

	LIST_FOREACH(n, &netlink.all, link)
		if (n->port == port)
			return true;
	return false;
}

/* (2) port 0: the process's number, or a negative one when that is taken, as on Linux. */
static int bind_port(struct netlink_socket *n, uint32_t port)
{
	if (n->port != 0)
		return port == n->port || port == 0 ? 0 : -EINVAL;
	if (port != 0 && is_port_taken(port))
		return -EADDRINUSE;
	if (port == 0)
		port = PROCESS_PID;
	while (is_port_taken(port))
		port = 0xfffff000u - netlink.last_port++;
	n->port = port;
	return 0;
}

static int netlink_bind(struct socket *s, const struct socket_address *a)
{
	int error = a->family == SOCKET_NETLINK ? 0 : -EINVAL;

	net_lock();
	if (error == 0)
		error = bind_port(netlink_of(s), a->netlink_pid);
	if (error == 0)
		netlink_of(s)->groups = a->netlink_groups;
	net_unlock_batch();
	return error;
}

/* The kernel is the only one that can be spoken to. */
static int netlink_connect(struct socket *s, const struct socket_address *a, bool nonblock)
{
	int error;

	(void)nonblock;
	if (a->family == SOCKET_UNSPEC)
		return 0;
	if (a->family != SOCKET_NETLINK)
		return -EINVAL;
	if (a->netlink_pid != 0 || a->netlink_groups != 0)
		return -EPERM;
	net_lock();
	error = bind_port(netlink_of(s), 0);
	net_unlock_batch();
	return error;
}

static int netlink_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	out->family = SOCKET_NETLINK;
	if (peer)
		return 0; /* the kernel: 0 */
	out->netlink_pid = netlink_of(s)->port;
	out->netlink_groups = netlink_of(s)->groups;
	return 0;
}

static long netlink_send(struct socket *s, struct socket_message *m, bool nonblock)
{
	_Alignas(8) uint8_t raw[REQUEST_BYTES];
	uint64_t bytes = m->data->left_bytes;
	long copied;
	int error = 0;

	(void)nonblock;
	if (m->has_address && m->address.family != SOCKET_NETLINK)
		return -EINVAL;
	if (m->has_address && (m->address.netlink_pid != 0 || m->address.netlink_groups != 0))
		return cred_can(CAP_NET_ADMIN) ? -ECONNREFUSED : -EPERM;
	if (bytes == 0)
		return -ENODATA;
	if (bytes > sizeof(raw))
		return -EMSGSIZE;
	copied = uio_copy_from(m->data, raw, bytes);
	if (copied != (long)bytes)
		return -EFAULT;
	net_lock();
	error = bind_port(netlink_of(s), 0);
	if (error == 0)
		error = answer_all(netlink_of(s), raw, (uint32_t)bytes);
	net_unlock();
	return error != 0 ? error : copied;
}

/* ------------------------------------------------------------------ announcements */
/* It has to ask for everything again. */
static void lose_announcement(struct netlink_socket *n)
{
	n->base.error = -ENOBUFS;
	socket_notify_locked(&n->base, EPOLLERR | EPOLLIN);
}

static void announce_to(struct netlink_socket *n, const struct netlink_answer *from, uint32_t group)
{
	struct netlink_answer *a = n->answer_count < ANSWERS_MAX ? kmem_alloc(sizeof(*a)) : NULL;

	if (a == NULL) {
		lose_announcement(n);
		return;
	}
	memcpy(a->data, from->data, from->bytes);
	a->bytes = from->bytes;
	a->group = group;
	STAILQ_INSERT_TAIL(&n->answers, a, link);
	n->answer_count++;
	socket_notify_locked(&n->base, EPOLLIN);
}

void netlink_announce_locked(struct netlink_reply *r, uint32_t group)
{
	struct netlink_socket *n;
	struct netlink_answer *a;

	net_assert_locked();
	LIST_FOREACH(n, &netlink.all, link) {
		if ((n->groups & group) == 0)
			continue;
		if (r->error != 0)
			lose_announcement(n);
		STAILQ_FOREACH(a, &r->answers, link)
			announce_to(n, a, group);
	}
	drop_answers(&r->answers);
	r->last = NULL;
}

/* ------------------------------------------------------------------ receiving */
static int wait_answer(struct netlink_socket *n, bool nonblock, struct netlink_answer **out)
{
	struct socket *s = &n->base;
	uint64_t deadline_ns = socket_deadline_ns(s->receive_timeout_ns);
	int error;

	while ((*out = STAILQ_FIRST(&n->answers)) == NULL) {
		error = socket_take_error_locked(s);
		if (error != 0)
			return error;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_outside_locked(s, &s->read_busy, s, deadline_ns);
		if (error != 0)
			return error;
	}
	return socket_take_error_locked(s);
}

static void drop_first(struct netlink_socket *n)
{
	struct netlink_answer *a = STAILQ_FIRST(&n->answers);

	STAILQ_REMOVE_HEAD(&n->answers, link);
	n->answer_count--;
	kmem_free(a);
}

static long receive_one(struct netlink_socket *n, struct socket_message *m, bool nonblock)
{
	struct netlink_answer *a;
	uint64_t bytes;
	long copied = wait_answer(n, nonblock, &a);

	if (copied != 0)
		return copied;
	m->has_address = true;
	memset(&m->address, 0, sizeof(m->address));
	m->address.family = SOCKET_NETLINK;
	m->address.netlink_groups = a->group;
	m->datagram_bytes = a->bytes;
	m->truncated = a->bytes > m->data->left_bytes;
	bytes = MIN((uint64_t)a->bytes, m->data->left_bytes);
	net_unlock();
	copied = uio_copy_all_to(m->data, a->data, bytes);
	net_lock();
	if ((m->flags & SOCKET_MSG_PEEK) == 0)
		drop_first(n);
	return copied;
}

static long netlink_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	long result;

	net_lock();
	socket_enter_locked(s, &s->read_busy);
	result = receive_one(netlink_of(s), m, nonblock);
	socket_leave_locked(s, &s->read_busy);
	net_unlock();
	return result;
}

static uint32_t netlink_poll_locked(struct socket *s)
{
	uint32_t events = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (s->error != 0)
		events |= EPOLLERR;
	return events | (STAILQ_EMPTY(&netlink_of(s)->answers) ? 0 : EPOLLIN | EPOLLRDNORM);
}

/* ------------------------------------------------------------------ options, the end */
static int netlink_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	struct netlink_socket *n = netlink_of(s);

	switch (o) {
	case SOCKET_OPT_NETLINK_JOIN:
	case SOCKET_OPT_NETLINK_LEAVE:
		if (value < 1 || value > GROUPS)
			return -EINVAL;
		if (o == SOCKET_OPT_NETLINK_JOIN)
			n->groups |= 1u << (value - 1);
		else
			n->groups &= ~(1u << (value - 1));
		return 0;
	case SOCKET_OPT_NETLINK_CAP_ACK:
		n->cap_ack = value != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int netlink_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	if (o != SOCKET_OPT_NETLINK_CAP_ACK)
		return -ENOPROTOOPT;
	*value = netlink_of(s)->cap_ack;
	return 0;
}

static void netlink_close(struct socket *s)
{
	net_lock();
	LIST_REMOVE(netlink_of(s), link);
	drop_answers(&netlink_of(s)->answers);
	socket_put_locked(s);
	net_unlock();
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.get_name = netlink_get_name,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll_locked = netlink_poll_locked,
	.set_option_locked = netlink_set_option_locked,
	.get_option_locked = netlink_get_option_locked,
	.close = netlink_close,
	.urgent_error = -EOPNOTSUPP,
};
