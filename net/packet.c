/*
 * packet.c: AF_PACKET sockets: Ethernet frames as they are.
 *
 * What:       every frame that an interface receives or sends is shown to the sockets that want its
 *             protocol; with SOCK_DGRAM without the Ethernet header. What is sent leaves as it is.
 * Invariants: (1) a frame is shown before anybody changes it, and as a copy. (2) without such a
 *             socket a frame costs one comparison.
 * Locking:    LOCK_NET, never while copying. May sleep: receiving.
 * Failure:    Linux's errors; frames that do not fit into the queue are dropped and counted.
 * Source:     Linux packet(7), net/packet/af_packet.c.
 */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <lwip/prot/ethernet.h>

#include "base/errno.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "kernel/stats.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/filter.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

#define COST_BYTES 512u
#define PROTOCOL_ALL 3u /* ETH_P_ALL */

enum { KIND_HOST, KIND_BROADCAST, KIND_MULTICAST, KIND_OTHERHOST, KIND_OUTGOING };

struct frame {
	TAILQ_ENTRY(frame) link;
	struct pbuf *p;
	struct socket_link from;
	uint32_t drops; /* the socket's, when it came */
	uint64_t seen_ns;
};

TAILQ_HEAD(frames, frame);

/* All fields [n]. */
struct packet_socket {
	struct socket base;
	LIST_ENTRY(packet_socket) link;
	uint16_t protocol; /* host byte order; 0: nothing is received */
	uint32_t interface_index; /* 0: all */
	struct frames queue;
	uint64_t queue_bytes; /* with costs */
	uint32_t seen, lost; /* frames, since somebody asked; lost ones are not among those seen */
};

static struct {
	LIST_HEAD(packet_sockets, packet_socket) all; /* [n] */
} packets;

static const struct socket_ops packet_ops;

static struct packet_socket *packet_of(struct socket *s)
{
	return (struct packet_socket *)(void *)s;
}

int packet_socket_new(unsigned type, unsigned protocol, struct socket **out)
{
	struct packet_socket *k;

	if (!cred_can(CAP_NET_RAW))
		return -EPERM;
	if (type != SOCKET_RAW && type != SOCKET_DATAGRAM)
		return -ESOCKTNOSUPPORT;
	k = kmem_zalloc(sizeof(*k));
	if (k == NULL)
		return -ENOMEM;
	socket_init(&k->base, &packet_ops, SOCKET_PACKET, type, protocol);
	TAILQ_INIT(&k->queue);
	k->protocol = lwip_ntohs((uint16_t)protocol);
	net_lock();
	LIST_INSERT_HEAD(&packets.all, k, link);
	net_unlock();
	*out = &k->base;
	return 0;
}

bool packet_get_nth_locked(uint32_t n, struct packet_facts *out)
{
	const struct packet_socket *k;

	net_assert_locked();
	LIST_FOREACH(k, &packets.all, link)
		if (n-- == 0)
			break;
	if (k == NULL)
		return false;
	*out = (struct packet_facts){ .socket = &k->base,
		.protocol = k->protocol,
		.interface_index = k->interface_index,
		.queue_bytes = k->queue_bytes };
	return true;
}

/* ------------------------------------------------------------------ in */
static uint8_t kind_of(const struct netif *netif, const struct eth_hdr *h, bool outgoing)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (outgoing)
		return KIND_OUTGOING;
	if (netif == loopback_netif())
		return KIND_HOST;
	if (memcmp(h->dest.addr, everybody, sizeof(everybody)) == 0)
		return KIND_BROADCAST;
	if ((h->dest.addr[0] & 1) != 0)
		return KIND_MULTICAST;
	return memcmp(h->dest.addr, netif->hwaddr, 6) == 0 ? KIND_HOST : KIND_OTHERHOST;
}

static void show(struct packet_socket *k, const struct filter_frame *in)
{
	uint64_t room = 2 * (uint64_t)k->base.receive_buffer_bytes;
	uint32_t head = k->base.type == SOCKET_DATAGRAM ? 0 : SIZEOF_ETH_HDR;
	uint32_t bytes = head + in->p->tot_len - in->payload_at;
	struct frame *f = NULL;

	if (!filter_wants_frame_locked(&k->base, in, &bytes))
		return;
	if (k->queue_bytes + bytes + COST_BYTES <= room)
		f = kmem_zalloc(sizeof(*f));
	if (f != NULL)
		f->p = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_RAM);
	if (f == NULL || f->p == NULL) {
		stat_inc(STAT_net_rx_dropped);
		k->base.drops++;
		k->lost++;
		kmem_free(f);
		return;
	}
	k->seen++;
	head = MIN(head, bytes);
	memcpy(f->p->payload, in->h, head);
	pbuf_copy_partial(in->p, (char *)f->p->payload + head, (u16_t)(bytes - head),
		(u16_t)in->payload_at);
	f->from.protocol = in->h->type;
	f->from.interface_index = netif_get_index(in->netif);
	f->from.hardware = in->hardware;
	f->from.kind = in->kind;
	f->from.address_bytes = 6;
	memcpy(f->from.address, in->h->src.addr, 6);
	f->drops = k->base.drops;
	f->seen_ns = net_now_ns();
	k->queue_bytes += f->p->tot_len + (uint64_t)COST_BYTES;
	TAILQ_INSERT_TAIL(&k->queue, f, link);
	socket_notify_locked(&k->base, EPOLLIN);
}

static void show_all(const struct netif *netif, const struct eth_hdr *h, const struct pbuf *p,
	uint32_t payload_at, bool outgoing)
{
	struct filter_frame in = { .netif = netif,
		.h = h,
		.p = p,
		.payload_at = payload_at,
		.hardware = netif == loopback_netif() ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET,
		.kind = kind_of(netif, h, outgoing) };
	struct packet_socket *k;

	LIST_FOREACH(k, &packets.all, link) {
		if (k->interface_index != 0 && k->interface_index != netif_get_index(netif))
			continue;
		if (k->protocol == PROTOCOL_ALL ||
			(!outgoing && k->protocol != 0 && k->protocol == lwip_ntohs(h->type)))
			show(k, &in);
	}
}

void packet_see_frame_locked(const struct netif *netif, const struct pbuf *p, bool outgoing)
{
	struct eth_hdr h;

	if (LIST_EMPTY(&packets.all)) /* (2) */
		return;
	if (pbuf_copy_partial(p, &h, sizeof(h), 0) == sizeof(h))
		show_all(netif, &h, p, sizeof(h), outgoing);
}

void packet_see_looped_locked(const struct pbuf *p, bool outgoing)
{
	struct eth_hdr h;

	if (LIST_EMPTY(&packets.all) || p->len == 0)
		return;
	memset(&h, 0, sizeof(h));
	h.type = (*(const uint8_t *)p->payload >> 4) == 6 ? PP_HTONS(ETHTYPE_IPV6)
							  : PP_HTONS(ETHTYPE_IP);
	show_all(loopback_netif(), &h, p, 0, outgoing);
}

static int wait_frame(struct packet_socket *k, bool nonblock, struct frame **out)
{
	struct socket *s = &k->base;
	uint64_t deadline_ns = socket_deadline_ns(s->receive_timeout_ns);
	int error;

	while ((*out = TAILQ_FIRST(&k->queue)) == NULL) {
		error = socket_take_error_locked(s);
		if (error != 0)
			return error;
		if (nonblock)
			return -EAGAIN;
		error = socket_wait_outside_locked(s, &s->read_busy, s, deadline_ns);
		if (error != 0)
			return error;
	}
	return 0;
}

static void drop_frame(struct packet_socket *k, struct frame *f)
{
	TAILQ_REMOVE(&k->queue, f, link);
	k->queue_bytes -= f->p->tot_len + (uint64_t)COST_BYTES;
	pbuf_free(f->p);
	kmem_free(f);
}

static long receive_one(struct packet_socket *k, struct socket_message *m, bool nonblock)
{
	struct frame *f;
	uint64_t bytes;
	long copied = wait_frame(k, nonblock, &f);

	if (copied != 0)
		return copied;
	m->has_address = true;
	m->address.family = SOCKET_PACKET;
	m->address.link = f->from;
	m->has_drops = k->base.want_drops && f->drops != 0;
	m->drops = f->drops;
	m->has_timestamp = k->base.want_timestamp;
	m->timestamp_in_ns = k->base.want_timestamp_ns;
	m->has_stamp = (k->base.stamps & SOCKET_STAMP_IN) != 0 &&
		(k->base.stamps & SOCKET_STAMP_TELL) != 0;
	m->arrived_ns = f->seen_ns;
	m->datagram_bytes = f->p->tot_len;
	m->truncated = f->p->tot_len > m->data->left_bytes;
	bytes = MIN((uint64_t)f->p->tot_len, m->data->left_bytes);
	net_unlock();
	copied = bytes == 0 ? 0 : socket_copy_chain(m->data, f->p, 0, bytes);
	net_lock();
	if ((m->flags & SOCKET_MSG_PEEK) == 0)
		drop_frame(k, f);
	return copied == (long)bytes ? copied : -EFAULT;
}

static long packet_receive(struct socket *s, struct socket_message *m, bool nonblock)
{
	long result;

	net_lock();
	socket_enter_locked(s, &s->read_busy);
	result = receive_one(packet_of(s), m, nonblock);
	socket_leave_locked(s, &s->read_busy);
	net_unlock();
	return result;
}

/* ------------------------------------------------------------------ out */
static int make_header(struct netif *netif, const struct socket_link *to, struct pbuf *p)
{
	struct eth_hdr *h;

	if (to->address_bytes < 6)
		return -EINVAL;
	(void)!pbuf_add_header(p, SIZEOF_ETH_HDR); /* PBUF_LINK has the room */
	h = p->payload;
	memcpy(h->dest.addr, to->address, 6);
	memcpy(h->src.addr, netif->hwaddr, 6);
	h->type = to->protocol;
	return 0;
}

static int send_frame(struct packet_socket *k, const struct socket_message *m, struct pbuf *p)
{
	struct socket_link to = { .protocol = lwip_htons(k->protocol),
		.interface_index = k->interface_index };
	struct netif *netif;
	int error = 0;

	if (m->has_address && m->address.family != SOCKET_PACKET)
		return -EINVAL;
	if (m->has_address)
		to = m->address.link;
	netif = net_interface_locked(to.interface_index);
	if (netif == NULL)
		return -ENXIO;
	if (k->base.type == SOCKET_DATAGRAM)
		error = make_header(netif, &to, p);
	else if (p->tot_len < SIZEOF_ETH_HDR)
		return -EINVAL;
	if (error != 0)
		return error;
	if (p->tot_len > netif->mtu + SIZEOF_ETH_HDR)
		return -EMSGSIZE;
	/* CAVEAT: the loopback has no frames, and takes none. */
	if (netif->linkoutput == NULL)
		return -EOPNOTSUPP;
	return netif->linkoutput(netif, p) == ERR_OK ? 0 : -ENOBUFS;
}

static long packet_send(struct socket *s, struct socket_message *m, bool nonblock)
{
	uint64_t bytes = m->data->left_bytes;
	struct pbuf *p;
	int error;

	(void)nonblock;
	error = net_take_payload(m->data, PBUF_LINK, 0xffff - SIZEOF_ETH_HDR, &p);
	if (error != 0)
		return error;
	net_lock();
	error = send_frame(packet_of(s), m, p);
	net_unlock();
	pbuf_free(p);
	return error != 0 ? error : (long)bytes;
}

/* ------------------------------------------------------------------ the rest */
static int packet_bind(struct socket *s, const struct socket_address *a)
{
	struct packet_socket *k = packet_of(s);
	int error = 0;

	if (a->family != SOCKET_PACKET)
		return -EINVAL;
	net_lock();
	if (a->link.interface_index != 0 && net_interface_locked(a->link.interface_index) == NULL)
		error = -ENODEV;
	if (error == 0) {
		k->interface_index = a->link.interface_index;
		if (a->link.protocol != 0)
			k->protocol = lwip_ntohs(a->link.protocol);
	}
	net_unlock();
	return error;
}

static int packet_get_name(struct socket *s, bool peer, struct socket_address *out)
{
	const struct packet_socket *k = packet_of(s);
	const struct netif *netif;

	if (peer)
		return -EOPNOTSUPP;
	net_lock();
	netif = net_interface_locked(k->interface_index);
	out->family = SOCKET_PACKET;
	out->link.protocol = lwip_htons(k->protocol);
	out->link.interface_index = k->interface_index;
	if (netif != NULL) {
		out->link.hardware = netif == loopback_netif() ? HARDWARE_LOOPBACK
							       : HARDWARE_ETHERNET;
		out->link.address_bytes = 6;
		memcpy(out->link.address, netif->hwaddr, 6);
	}
	net_unlock();
	return 0;
}

static uint32_t packet_poll_locked(struct socket *s)
{
	return EPOLLOUT | EPOLLWRNORM |
		(TAILQ_EMPTY(&packet_of(s)->queue) ? 0 : EPOLLIN | EPOLLRDNORM) |
		(s->error != 0 ? EPOLLERR : 0);
}

/* What there is to read: as for UDP. Counts begin anew when they were told. */
static int packet_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	struct packet_socket *k = packet_of(s);
	const struct frame *f = TAILQ_FIRST(&k->queue);

	switch (o) {
	case SOCKET_OPT_QUEUED:
		*value = f == NULL ? 0 : f->p->tot_len;
		return 0;
	case SOCKET_OPT_FRAME_COUNTS:
		*value = (int64_t)((uint64_t)k->lost << 32 | (uint32_t)(k->seen + k->lost));
		k->seen = k->lost = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* All frames of the device are shown anyway: what is asked for is there, and stays. */
static int packet_change_member_locked(struct socket *s, const struct socket_member *m)
{
	bool whole = m->address_bytes == ETH_HWADDR_LEN;

	(void)s;
	if (m->leave)
		return 0; /* also one that is not there, as on Linux */
	if (net_interface_locked(m->interface_index) == NULL)
		return -ENODEV;
	if (m->address_bytes > ETH_HWADDR_LEN || (m->wants_address && !whole))
		return -EINVAL;
	return 0;
}

static void packet_close(struct socket *s)
{
	struct packet_socket *k = packet_of(s);
	struct frame *f;

	net_lock();
	LIST_REMOVE(k, link);
	while ((f = TAILQ_FIRST(&k->queue)) != NULL)
		drop_frame(k, f);
	socket_put_locked(s);
	net_unlock();
}

static const struct socket_ops packet_ops = {
	.bind = packet_bind,
	.get_name = packet_get_name,
	.send = packet_send,
	.receive = packet_receive,
	.poll_locked = packet_poll_locked,
	.get_option_locked = packet_get_option_locked,
	.change_member_locked = packet_change_member_locked,
	.close = packet_close,
	.has_filter = true,
	.urgent_error = -EINVAL,
};
