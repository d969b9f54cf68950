/*
 * netlink.c: NETLINK_ROUTE sockets: the list of interfaces and of their addresses.
 *
 * What:       a dump request is answered at once with one message that holds the whole list; other
 *             requests with an error message. Nothing is ever announced by itself.
 * Invariants: (1) an answer has the request's sequence number and the socket's own port.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    -EOPNOTSUPP inside the answer for what is not known; -ENOBUFS too many answers wait.
 * Source:     Linux netlink(7), rtnetlink(7); Go syscall/netlink_linux.go, net/interface_linux.go.
 */
#include <linux/eventpoll.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/process.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

#define ANSWER_BYTES 2048u
#define ANSWERS_MAX 16u
#define REQUEST_BYTES 256u
#define SCOPE_HOST 254u
#define HARDWARE_ETHERNET 1u /* linux/if_arp.h wants libc */
#define HARDWARE_LOOPBACK 772u

/* linux/if.h wants libc, too. */
enum {
	IFF_IS_UP = 0x1,
	IFF_CAN_BROADCAST = 0x2,
	IFF_IS_LOOPBACK = 0x8,
	IFF_IS_RUNNING = 0x40,
	IFF_CAN_MULTICAST = 0x1000,
	IFF_HAS_LINK = 0x10000,
};

struct answer {
	STAILQ_ENTRY(answer) link;
	uint32_t bytes;
	_Alignas(8) uint8_t data[ANSWER_BYTES];
};

STAILQ_HEAD(answers, answer);

struct netlink_socket {
	struct socket base;
	uint32_t port; /* [n] 0: not bound */
	struct answers answers; /* [n] */
	uint32_t answer_count; /* [n] */
};

static struct {
	uint32_t last_port; /* [n] */
} netlink;

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
	*out = &n->base;
	return 0;
}

/* ------------------------------------------------------------------ building an answer */
/* ANSWER_BYTES hold what two interfaces have to say several times over. */
static void *add_bytes(struct answer *a, uint32_t bytes)
{
	void *at = a->data + a->bytes;

	ASSERT(a->bytes + NLMSG_ALIGN(bytes) <= ANSWER_BYTES);
	memset(at, 0, NLMSG_ALIGN(bytes));
	a->bytes += NLMSG_ALIGN(bytes);
	return at;
}

static struct nlmsghdr *begin(struct answer *a, const struct nlmsghdr *request, uint32_t port,
	uint16_t type)
{
	struct nlmsghdr *h = add_bytes(a, sizeof(*h));

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_MULTI;
	h->nlmsg_seq = request->nlmsg_seq;
	h->nlmsg_pid = port; /* (1) */
	return h;
}

static void end(struct answer *a, struct nlmsghdr *h)
{
	h->nlmsg_len = (uint32_t)(a->data + a->bytes - (uint8_t *)h);
}

static void add_attribute(struct answer *a, uint16_t type, const void *data, uint32_t bytes)
{
	struct rtattr *r = add_bytes(a, RTA_LENGTH(bytes));

	r->rta_type = type;
	r->rta_len = (uint16_t)RTA_LENGTH(bytes);
	memcpy(RTA_DATA(r), data, bytes);
}

static void name_of(const struct netif *netif, char name[8])
{
	const char *text = netif == loopback_netif() ? "lo" : "eth0";

	memcpy(name, text, strlen(text) + 1);
}

static void add_link(struct answer *a, const struct nlmsghdr *request, uint32_t port,
	const struct netif *netif)
{
	struct nlmsghdr *h = begin(a, request, port, RTM_NEWLINK);
	struct ifinfomsg *info = add_bytes(a, sizeof(*info));
	static const uint8_t no_address[6];
	bool loop = netif == loopback_netif();
	uint32_t mtu = netif->mtu;
	char name[8];

	info->ifi_type = loop ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET;
	info->ifi_index = netif_get_index(netif);
	info->ifi_flags = IFF_IS_UP |
		(loop ? IFF_IS_LOOPBACK : IFF_CAN_BROADCAST | IFF_CAN_MULTICAST) |
		(netif_is_link_up(netif) ? IFF_IS_RUNNING | IFF_HAS_LINK : 0);
	name_of(netif, name);
	add_attribute(a, IFLA_IFNAME, name, (uint32_t)strlen(name) + 1);
	add_attribute(a, IFLA_MTU, &mtu, sizeof(mtu));
	add_attribute(a, IFLA_ADDRESS, loop ? no_address : netif->hwaddr, sizeof(no_address));
	end(a, h);
}

/* Of a mask in network byte order. */
static unsigned prefix_bits(uint32_t mask)
{
	unsigned bits = 0;

	for (; mask != 0; mask &= mask - 1)
		bits++;
	return bits;
}

static void add_address(struct answer *a, const struct nlmsghdr *request, uint32_t port,
	const struct netif *netif)
{
	uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(netif));
	uint32_t mask = ip4_addr_get_u32(netif_ip4_netmask(netif)), broadcast = ip | ~mask;
	struct nlmsghdr *h;
	struct ifaddrmsg *info;
	char name[8];

	if (ip == 0)
		return;
	h = begin(a, request, port, RTM_NEWADDR);
	info = add_bytes(a, sizeof(*info));
	info->ifa_family = SOCKET_INET;
	info->ifa_prefixlen = (uint8_t)prefix_bits(mask);
	info->ifa_flags = IFA_F_PERMANENT;
	info->ifa_scope = netif == loopback_netif() ? SCOPE_HOST : 0;
	info->ifa_index = netif_get_index(netif);
	name_of(netif, name);
	add_attribute(a, IFA_ADDRESS, &ip, sizeof(ip));
	add_attribute(a, IFA_LOCAL, &ip, sizeof(ip));
	if (netif != loopback_netif())
		add_attribute(a, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	add_attribute(a, IFA_LABEL, name, (uint32_t)strlen(name) + 1);
	end(a, h);
}

static void add_done(struct answer *a, const struct nlmsghdr *request, uint32_t port)
{
	struct nlmsghdr *h = begin(a, request, port, NLMSG_DONE);

	add_bytes(a, sizeof(int32_t));
	end(a, h);
}

static void add_error(struct answer *a, const struct nlmsghdr *request, uint32_t port, int error)
{
	struct nlmsghdr *h = begin(a, request, port, NLMSG_ERROR);
	struct nlmsgerr *e = add_bytes(a, sizeof(*e));

	h->nlmsg_flags = 0;
	e->error = error;
	e->msg = *request;
	end(a, h);
}

static void fill(struct answer *a, const struct nlmsghdr *request, uint8_t family, uint32_t port)
{
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct net_device *d;

	if (!dump || (request->nlmsg_type != RTM_GETLINK && request->nlmsg_type != RTM_GETADDR)) {
		add_error(a, request, port, -EOPNOTSUPP);
		return;
	}
	if (request->nlmsg_type == RTM_GETLINK) {
		add_link(a, request, port, loopback_netif());
		for (d = device_first(); d != NULL; d = d->next)
			add_link(a, request, port, &d->netif);
	} else if (family == SOCKET_UNSPEC || family == SOCKET_INET) {
		add_address(a, request, port, loopback_netif());
		for (d = device_first(); d != NULL; d = d->next)
			add_address(a, request, port, &d->netif);
	}
	add_done(a, request, port);
}

/* ------------------------------------------------------------------ calls */
static int bind_port(struct netlink_socket *n, uint32_t port)
{
	if (n->port != 0)
		return port == n->port || port == 0 ? 0 : -EINVAL;
	n->port = port != 0 ? port : PROCESS_PID + netlink.last_port++;
	return 0;
}

static int netlink_bind(struct socket *s, const struct socket_address *a)
{
	int error = a->family == SOCKET_NETLINK ? 0 : -EINVAL;

	net_lock();
	/* Groups announce changes, and none is ever announced. */
	if (error == 0 && a->netlink_groups != 0)
		error = -EOPNOTSUPP;
	if (error == 0)
		error = bind_port(netlink_of(s), a->netlink_pid);
	net_unlock_batch();
	return error;
}

static int netlink_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	out->family = SOCKET_NETLINK;
	if (!peer)
		out->netlink_pid = netlink_of(s)->port;
	return 0; /* the peer is the kernel: 0 */
}

static int answer(struct netlink_socket *n, const struct nlmsghdr *request, uint8_t family)
{
	struct answer *a;

	if (n->answer_count >= ANSWERS_MAX)
		return -ENOBUFS;
	a = kmem_alloc(sizeof(*a));
	if (a == NULL)
		return -ENOBUFS;
	a->bytes = 0;
	(void)bind_port(n, 0);
	fill(a, request, family, n->port);
	STAILQ_INSERT_TAIL(&n->answers, a, link);
	n->answer_count++;
	socket_notify_locked(&n->base, EPOLLIN);
	return 0;
}

static long netlink_send(struct socket *s, struct socket_message *m, bool nonblock)
{
	_Alignas(8) uint8_t raw[REQUEST_BYTES];
	uint64_t bytes = m->data->left_bytes;
	struct nlmsghdr request;
	long copied;
	int error;

	(void)nonblock;
	if (bytes > sizeof(raw))
		return -EMSGSIZE;
	if (bytes < sizeof(request))
		return -EINVAL;
	memset(raw, 0, sizeof(raw));
	copied = uio_copy_from(m->data, raw, bytes);
	if (copied != (long)bytes)
		return -EFAULT;
	memcpy(&request, raw, sizeof(request));
	if (request.nlmsg_len < sizeof(request) || request.nlmsg_len > bytes)
		return copied; /* as Linux: not a message, so nothing to answer */
	net_lock();
	error = answer(netlink_of(s), &request, raw[sizeof(request)]);
	net_unlock();
	return error != 0 ? error : copied;
}

static int wait_answer(struct netlink_socket *n, bool nonblock, struct answer **out)
{
	uint64_t deadline_ns = socket_deadline_ns(n->base.receive_timeout_ns);
	int error;

	while ((*out = STAILQ_FIRST(&n->answers)) == NULL) {
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_locked(&n->base, deadline_ns);
		if (error != 0)
			return error;
	}
	return 0;
}

static void drop_first(struct netlink_socket *n)
{
	struct answer *a = STAILQ_FIRST(&n->answers);

	STAILQ_REMOVE_HEAD(&n->answers, link);
	n->answer_count--;
	kmem_free(a);
}

static long receive_one(struct netlink_socket *n, struct socket_message *m, bool nonblock)
{
	struct answer *a;
	uint64_t bytes;
	long copied = wait_answer(n, nonblock, &a);

	if (copied != 0)
		return copied;
	m->has_address = true;
	memset(&m->address, 0, sizeof(m->address));
	m->address.family = SOCKET_NETLINK;
	m->datagram_bytes = a->bytes;
	m->truncated = a->bytes > m->data->left_bytes;
	bytes = MIN((uint64_t)a->bytes, m->data->left_bytes);
	net_unlock();
	copied = bytes == 0 ? 0 : uio_copy_to(m->data, a->data, bytes);
	net_lock();
	if ((m->flags & SOCKET_MSG_PEEK) == 0)
		drop_first(n);
	return copied;
}

static long netlink_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	long result;

	net_lock();
	result = socket_enter_read_locked(s);
	if (result == 0) {
		result = receive_one(netlink_of(s), m, nonblock);
		socket_leave_read_locked(s);
	}
	net_unlock();
	return result;
}

static uint32_t netlink_poll_locked(struct socket *s)
{
	return EPOLLOUT | EPOLLWRNORM |
		(STAILQ_EMPTY(&netlink_of(s)->answers) ? 0 : EPOLLIN | EPOLLRDNORM);
}

static void netlink_close(struct socket *s)
{
	net_lock();
	while (netlink_of(s)->answer_count != 0)
		drop_first(netlink_of(s));
	socket_put_locked(s);
	net_unlock();
}

static void netlink_free(struct socket *s)
{
	kmem_free(netlink_of(s));
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.get_name = netlink_get_name,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll_locked = netlink_poll_locked,
	.close = netlink_close,
	.free = netlink_free,
};
