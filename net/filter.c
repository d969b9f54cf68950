/*
 * filter.c: the packet filters that programs attach to sockets.
 *
 * What:       keeps a judged program with its socket, and shows it packets: a frame from its
 *             Ethernet header or from what follows it, a datagram of UDP from UDP's header, one of
 *             a raw socket from where the socket sees it.
 * Invariants: (1) a program that is attached has been judged. (2) a filter reads nothing outside of
 *             the packet. (3) a locked filter stays what it is.
 * Locking:    LOCK_NET.
 * Failure:    -EINVAL a bad program, -EPERM locked, -ENOENT none to detach, -ENOMEM, -ENOPROTOOPT
 *             a kind of socket without filters.
 * Source:     Linux Documentation/networking/filter.rst, net/core/filter.c (sk_attach_filter,
 *             sk_get_filter, bpf_internal_load_pointer_neg_helper), net/packet/af_packet.c,
 *             net/ipv4/udp.c.
 */
#include "net/filter.h"

#include <linux/filter.h>

#include "base/errno.h"
#include "base/units.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/thread.h"
#include "lib/bpf.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"

enum { KIND_HOST, KIND_BROADCAST, KIND_MULTICAST };

struct socket_filter {
	uint32_t count;
	struct bpf_instruction program[];
};

/* A packet as a program sees it: link_bytes of link, then p from network_at on. */
struct shown_packet {
	struct bpf_packet base;
	const uint8_t *link; /* NULL: it is not known any more */
	uint32_t link_bytes;
	const struct pbuf *p;
	uint32_t network_at;
	uint32_t data_at, end; /* counted from link's first byte */
	uint32_t interface_index;
	uint16_t protocol, hardware;
	uint8_t kind;
};

/* ------------------------------------------------------------------ what a program sees */
static uint8_t byte_at(const struct shown_packet *s, uint32_t at)
{
	return s->link && at < s->link_bytes
		? s->link[at]
		: pbuf_get_at(s->p, (u16_t)(s->network_at + at - s->link_bytes));
}

static bool load(const struct bpf_packet *p, uint32_t offset, uint8_t *out, uint32_t bytes)
{
	const struct shown_packet *s = (const struct shown_packet *)(const void *)p;
	uint32_t at = s->data_at, i;

	if (offset >= (uint32_t)SKF_NET_OFF) {
		at = s->link_bytes;
		offset -= (uint32_t)SKF_NET_OFF;
	} else if (offset >= (uint32_t)SKF_LL_OFF && s->link != NULL) {
		at = 0;
		offset -= (uint32_t)SKF_LL_OFF;
	}
	if (offset > s->end - at || bytes > s->end - at - offset) /* (2) */
		return false;
	for (i = 0; i < bytes; i++)
		out[i] = byte_at(s, at + offset + i);
	return true;
}

static uint32_t fact(const struct bpf_packet *p, uint32_t which)
{
	const struct shown_packet *s = (const struct shown_packet *)(const void *)p;

	switch (which) {
	case SKF_AD_PROTOCOL:
		return lwip_ntohs(s->protocol);
	case SKF_AD_PKTTYPE:
		return s->kind;
	case SKF_AD_IFINDEX:
		return s->interface_index;
	case SKF_AD_HATYPE:
		return s->hardware;
	case SKF_AD_CPU:
		return this_cpu()->arch.id;
	case SKF_AD_RANDOM:
		return inet_random();
	default:
		return 0; /* no marks, queues and hashes, and no tag outside of the frame */
	}
}

static bool run(const struct socket *s, struct shown_packet *shown, uint32_t *bytes)
{
	uint32_t keep;

	shown->base.load = load;
	shown->base.fact = fact;
	shown->base.bytes = *bytes;
	shown->data_at = shown->end - *bytes;
	keep = bpf_run(s->filter->program, &shown->base);
	*bytes = MIN(keep, *bytes);
	return keep != 0;
}

bool filter_wants_frame_locked(const struct socket *s, const struct filter_frame *f,
	uint32_t *bytes)
{
	struct shown_packet shown = {
		.link = (const uint8_t *)f->h,
		.link_bytes = SIZEOF_ETH_HDR,
		.p = f->p,
		.network_at = f->payload_at,
		.end = SIZEOF_ETH_HDR + f->p->tot_len - f->payload_at,
		.interface_index = netif_get_index(f->netif),
		.protocol = f->h->type,
		.hardware = f->hardware,
		.kind = f->kind,
	};

	net_assert_locked();
	return s->filter == NULL || run(s, &shown, bytes);
}

bool filter_wants_packet_locked(const struct socket *s, const struct ip_packet *in,
	const struct pbuf *p, uint32_t *bytes)
{
	bool v4 = net_ip_is_v4(&in->dest);
	struct shown_packet shown = {
		.p = p,
		.end = p->tot_len,
		.interface_index = netif_get_index(in->netif),
		.protocol = v4 ? PP_HTONS(ETHTYPE_IP) : PP_HTONS(ETHTYPE_IPV6),
		.hardware = in->netif == loopback_netif() ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET,
	};

	net_assert_locked();
	if (s->filter == NULL)
		return true;
	if (net_ip_is_multicast(&in->dest))
		shown.kind = KIND_MULTICAST;
	else if (net_is_broadcast_locked(&in->dest))
		shown.kind = KIND_BROADCAST;
	return run(s, &shown, bytes);
}

/* ------------------------------------------------------------------ attaching */
/* CAVEAT: IP's sockets do not see the Ethernet header (SKF_LL_OFF). */
static bool wants_link(const struct bpf_instruction *program, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (BPF_CLASS(program[i].code) == BPF_LD && BPF_MODE(program[i].code) == BPF_ABS &&
			program[i].k >= (uint32_t)SKF_LL_OFF &&
			program[i].k < (uint32_t)SKF_NET_OFF)
			return true;
	return false;
}

static int make_filter(const struct socket *s, const struct bpf_instruction *program,
	uint32_t count, struct socket_filter **out)
{
	uint16_t *scratch;
	bool good;

	if (count == 0 || count > BPF_INSTRUCTIONS_MAX)
		return -EINVAL;
	scratch = kmem_alloc(count * sizeof(*scratch));
	if (scratch == NULL)
		return -ENOMEM;
	good = bpf_is_valid(program, count, scratch) &&
		(s->family == SOCKET_PACKET || !wants_link(program, count));
	kmem_free(scratch);
	if (!good)
		return -EINVAL;
	*out = kmem_alloc(sizeof(**out) + count * sizeof(*program));
	if (*out == NULL)
		return -ENOMEM;
	(*out)->count = count;
	memcpy((*out)->program, program, count * sizeof(*program));
	return 0;
}

static int judge(const struct file *f)
{
	const struct socket *s;

	if (!socket_is(f))
		return -ENOTSOCK;
	s = f->object;
	return s->ops->has_filter ? 0 : -ENOPROTOOPT;
}

int socket_attach_filter(struct file *f, const struct bpf_instruction *program, uint32_t count)
{
	struct socket *s = socket_of(f);
	struct socket_filter *old, *made = NULL;
	int error = judge(f);

	if (error == 0)
		error = make_filter(s, program, count, &made); /* (1) */
	if (error != 0)
		return error;
	net_lock();
	old = made;
	if (s->filter_locked) { /* (3) */
		error = -EPERM;
	} else {
		old = s->filter;
		s->filter = made;
	}
	net_unlock();
	kmem_free(old);
	return error;
}

int socket_detach_filter(struct file *f)
{
	struct socket *s = socket_of(f);
	struct socket_filter *old = NULL;
	int error = judge(f);

	if (error != 0)
		return error;
	net_lock();
	if (s->filter_locked) {
		error = -EPERM;
	} else {
		old = s->filter;
		s->filter = NULL;
		error = old == NULL ? -ENOENT : 0;
	}
	net_unlock();
	kmem_free(old);
	return error;
}

int socket_copy_filter(struct file *f, struct bpf_instruction *out, uint32_t room, uint32_t *count)
{
	struct socket *s = socket_of(f);
	int error = judge(f);

	if (error != 0)
		return error;
	net_lock();
	*count = s->filter == NULL ? 0 : s->filter->count;
	if (room != 0 && room < *count)
		error = -EINVAL;
	else if (room != 0 && *count != 0)
		memcpy(out, s->filter->program, *count * sizeof(*out));
	net_unlock();
	return error;
}

void filter_free(struct socket *s)
{
	kmem_free(s->filter);
}
