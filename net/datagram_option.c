/*
 * datagram_option.c: IP's and IPv6's options of sockets that exchange datagrams.
 *
 * What:       options that act on what is sent, on what is told about what is received, and on
 *             groups.
 * Invariants: (1) an option that is answered with success acts. (2) IPv6's options exist on
 *             AF_INET6 sockets only; IPv4's act there on what goes to mapped addresses.
 * Locking:    LOCK_NET.
 * Failure:    -ENOPROTOOPT, -EINVAL out of range.
 * Source:     Linux ip(7), ipv6(7), net/ipv4/ip_sockglue.c, net/ipv6/ipv6_sockglue.c.
 */
#include "base/errno.h"
#include "net/datagram_priv.h"
#include "net/net_priv.h"

#define PMTU_MODES 6 /* IP_PMTUDISC_DONT … IP_PMTUDISC_OMIT */

static int set_flag(bool *to, int64_t value)
{
	*to = value != 0;
	return 0;
}

static int set_strict_flag(bool *to, int64_t value)
{
	if (value != 0 && value != 1)
		return -EINVAL;
	return set_flag(to, value);
}

/* -1: the default. */
static int set_hops(int *to, int64_t value, int lowest, int standard)
{
	if (value != -1 && (value < lowest || value > 255))
		return -EINVAL;
	*to = value == -1 ? standard : (int)value;
	return 0;
}

static int set_mode(uint8_t *to, int64_t value)
{
	if (value < 0 || value >= PMTU_MODES)
		return -EINVAL;
	*to = (uint8_t)value;
	return 0;
}

static int set4(struct datagram_socket *d, enum socket_option o, int64_t value)
{
	struct socket *s = &d->inet.base;
	int hops, error;

	switch (o) {
	case SOCKET_OPT_REUSEADDR:
		d->inet.port.reuse_addr = value != 0;
		return set_flag(&s->reuse_addr, value);
	case SOCKET_OPT_REUSEPORT:
		d->inet.port.reuse_port = value != 0;
		return set_flag(&s->reuse_port, value);
	case SOCKET_OPT_TOS:
		s->tos = (uint8_t)value;
		return 0;
	case SOCKET_OPT_TTL:
		error = set_hops(&hops, value, 1, IP_DEFAULT_TTL);
		s->ttl = error == 0 ? (uint8_t)hops : s->ttl;
		return error;
	case SOCKET_OPT_PKTINFO:
		return set_flag(&s->want_pktinfo, value);
	case SOCKET_OPT_RECVTOS:
		return set_flag(&s->want_tos, value);
	case SOCKET_OPT_RECVTTL:
		return set_flag(&s->want_ttl, value);
	case SOCKET_OPT_RECVORIGINAL:
		return set_flag(&d->want_original[0], value);
	case SOCKET_OPT_RECVERR:
		return set_flag(&d->want_errors[0], value);
	case SOCKET_OPT_MTU_DISCOVER:
		return set_mode(&d->mtu_discover[0], value);
	case SOCKET_OPT_MULTICAST_TTL:
		return set_hops(&d->group_hops[0], value, 0, 1);
	case SOCKET_OPT_MULTICAST_LOOP:
		return set_flag(&d->group_loop[0], value);
	case SOCKET_OPT_MULTICAST_ALL:
		return set_strict_flag(&d->group_all[0], value);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_class(struct datagram_socket *d, int64_t value)
{
	if (value < -1 || value > 255)
		return -EINVAL;
	d->class6 = value == -1 ? 0 : (uint8_t)value;
	return 0;
}

static int set6(struct datagram_socket *d, enum socket_option o, int64_t value)
{
	switch (o) {
	case SOCKET_OPT_UNICAST_HOPS6:
		return set_hops(&d->hops6, value, 0, -1);
	case SOCKET_OPT_TCLASS6:
		return set_class(d, value);
	case SOCKET_OPT_RECVORIGINAL6:
		return set_flag(&d->want_original[1], value);
	case SOCKET_OPT_RECVPKTINFO6:
		return set_flag(&d->want_pktinfo6, value);
	case SOCKET_OPT_RECVHOPLIMIT6:
		return set_flag(&d->want_hops6, value);
	case SOCKET_OPT_RECVTCLASS6:
		return set_flag(&d->want_class6, value);
	case SOCKET_OPT_RECVERR6:
		return set_flag(&d->want_errors[1], value);
	case SOCKET_OPT_MTU_DISCOVER6:
		return set_mode(&d->mtu_discover[1], value);
	case SOCKET_OPT_DONTFRAG6:
		return set_flag(&d->dont_fragment6, value);
	case SOCKET_OPT_MULTICAST_HOPS6:
		return set_hops(&d->group_hops[1], value, 0, 1);
	case SOCKET_OPT_MULTICAST_LOOP6:
		return set_strict_flag(&d->group_loop[1], value);
	case SOCKET_OPT_MULTICAST_ALL6:
		return set_flag(&d->group_all[1], value);
	default:
		return -ENOPROTOOPT;
	}
}

int datagram_set_option_locked(struct socket *s, enum socket_option o, int64_t value)
{
	int error = set4(datagram_of(s), o, value);

	if (error == -ENOPROTOOPT && s->family == SOCKET_INET6)
		error = set6(datagram_of(s), o, value); /* (2) */
	return error == -ENOPROTOOPT ? inet_set_option(&datagram_of(s)->inet, o, value) : error;
}

static int get4(const struct datagram_socket *d, enum socket_option o, int64_t *value)
{
	const struct datagram *first = TAILQ_FIRST(&d->queue);
	const struct socket *s = &d->inet.base;

	switch (o) {
	case SOCKET_OPT_TOS:
		*value = s->tos;
		return 0;
	case SOCKET_OPT_TTL:
		*value = s->ttl;
		return 0;
	case SOCKET_OPT_PKTINFO:
		*value = s->want_pktinfo;
		return 0;
	case SOCKET_OPT_RECVTOS:
		*value = s->want_tos;
		return 0;
	case SOCKET_OPT_RECVORIGINAL:
		*value = d->want_original[0];
		return 0;
	case SOCKET_OPT_RECVTTL:
		*value = s->want_ttl;
		return 0;
	case SOCKET_OPT_RECVERR:
		*value = d->want_errors[0];
		return 0;
	case SOCKET_OPT_MTU_DISCOVER:
		*value = d->mtu_discover[0];
		return 0;
	case SOCKET_OPT_MULTICAST_TTL:
		*value = d->group_hops[0];
		return 0;
	case SOCKET_OPT_MULTICAST_LOOP:
		*value = d->group_loop[0];
		return 0;
	case SOCKET_OPT_MULTICAST_ALL:
		*value = d->group_all[0];
		return 0;
	case SOCKET_OPT_MULTICAST_IF:
		*value = net_ip_v4(&d->group_source);
		return 0;
	case SOCKET_OPT_QUEUED:
		*value = first == NULL ? 0 : first->p->tot_len;
		return 0;
	case SOCKET_OPT_UNSENT:
		*value = 0;
		return 0; /* nothing waits in a socket */
	default:
		return -ENOPROTOOPT;
	}
}

static int get6(const struct datagram_socket *d, enum socket_option o, int64_t *value)
{
	switch (o) {
	case SOCKET_OPT_UNICAST_HOPS6:
		*value = d->hops6 < 0 ? IP_DEFAULT_TTL : d->hops6;
		return 0;
	case SOCKET_OPT_TCLASS6:
		*value = d->class6;
		return 0;
	case SOCKET_OPT_RECVORIGINAL6:
		*value = d->want_original[1];
		return 0;
	case SOCKET_OPT_RECVPKTINFO6:
		*value = d->want_pktinfo6;
		return 0;
	case SOCKET_OPT_RECVHOPLIMIT6:
		*value = d->want_hops6;
		return 0;
	case SOCKET_OPT_RECVTCLASS6:
		*value = d->want_class6;
		return 0;
	case SOCKET_OPT_RECVERR6:
		*value = d->want_errors[1];
		return 0;
	case SOCKET_OPT_MTU_DISCOVER6:
		*value = d->mtu_discover[1];
		return 0;
	case SOCKET_OPT_DONTFRAG6:
		*value = d->dont_fragment6;
		return 0;
	case SOCKET_OPT_MULTICAST_HOPS6:
		*value = d->group_hops[1];
		return 0;
	case SOCKET_OPT_MULTICAST_LOOP6:
		*value = d->group_loop[1];
		return 0;
	case SOCKET_OPT_MULTICAST_ALL6:
		*value = d->group_all[1];
		return 0;
	case SOCKET_OPT_MULTICAST_IF6:
		*value = d->group_interface[1];
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int datagram_get_option_locked(struct socket *s, enum socket_option o, int64_t *value)
{
	const struct datagram_socket *d = datagram_of(s);
	int error = get4(d, o, value);

	if (error == -ENOPROTOOPT && s->family == SOCKET_INET6)
		error = get6(d, o, value); /* (2) */
	return error == -ENOPROTOOPT ? inet_get_option(&d->inet, o, value) : error;
}

int datagram_change_group_locked(struct socket *s, const struct socket_group *g)
{
	struct datagram_socket *d = datagram_of(s);

	if (!net_ip_is_v4(&g->group) && s->family != SOCKET_INET6)
		return -ENOPROTOOPT;
	switch (g->change) {
	case SOCKET_GROUP_JOIN:
		return multicast_join_locked(d, g);
	case SOCKET_GROUP_LEAVE:
		return multicast_leave_locked(d, g);
	case SOCKET_GROUP_INTERFACE:
		return multicast_set_interface_locked(d, g);
	case SOCKET_GROUP_ADD_SOURCE:
	case SOCKET_GROUP_DROP_SOURCE:
	case SOCKET_GROUP_BLOCK_SOURCE:
	case SOCKET_GROUP_UNBLOCK_SOURCE:
		return multicast_change_source_locked(d, g);
	}
	return -ENOPROTOOPT;
}
