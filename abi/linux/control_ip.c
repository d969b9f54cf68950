/*
 * control_ip.c: control messages of IP and IPv6.
 *
 * What:       what a datagram is to be sent with (source, interface, TTL, TOS), what is told about
 *             one that came, and what is told about an error that came back.
 * Invariants: (1) what is not known is -EINVAL: nothing is accepted and then ignored.
 * Locking:    none.
 * Failure:    -EINVAL.
 * Source:     Linux ip(7), ipv6(7); net/ipv4/ip_sockglue.c (ip_cmsg_send, ip_recv_error),
 *             net/ipv6/datagram.c (ip6_datagram_send_ctl, ipv6_recv_error).
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>

#include "abi/linux/control_priv.h"
#include "abi/linux/sys_net_priv.h"
#include "lib/string.h"
#include "net/socket.h"

#define ORIGIN_ICMP 2
#define ORIGIN_ICMP6 3

/* linux/errqueue.h wants libc. */
struct linux_extended_error {
	uint32_t error;
	uint8_t origin, type, code, pad;
	uint32_t info, data;
};

STATIC_ASSERT(sizeof(struct linux_extended_error) == 16, "Linux struct sock_extended_err");
STATIC_ASSERT(sizeof(struct in_pktinfo) == 12 && sizeof(struct in6_pktinfo) == 20, "Linux");

/* ------------------------------------------------------------------ in */
static int take_pktinfo(const uint8_t *data, uint64_t bytes, struct socket_message *m)
{
	struct in_pktinfo info;

	if (bytes != sizeof(info))
		return -EINVAL;
	memcpy(&info, data, sizeof(info));
	m->has_pktinfo = true;
	m->interface_index = (uint32_t)info.ipi_ifindex;
	m->local_ip = net_ip_of_v4(info.ipi_spec_dst.s_addr);
	return 0;
}

static int take_pktinfo6(const uint8_t *data, uint64_t bytes, struct socket_message *m)
{
	struct in6_pktinfo info;

	if (bytes < sizeof(info))
		return -EINVAL;
	memcpy(&info, data, sizeof(info));
	m->has_pktinfo = true;
	m->interface_index = (uint32_t)info.ipi6_ifindex;
	memcpy(m->local_ip.word, &info.ipi6_addr, sizeof(m->local_ip.word));
	m->local_ip.scope = net_ip_is_scoped(&m->local_ip) ? m->interface_index : 0;
	return 0;
}

/* An int from lowest to 255, or where byte_will_do one byte. */
static int take_small(const uint8_t *data, uint64_t bytes, bool byte_will_do, int lowest, bool *has,
	uint8_t *to)
{
	int32_t value;

	if (bytes == sizeof(value))
		memcpy(&value, data, sizeof(value));
	else if (byte_will_do && bytes == 1)
		value = data[0];
	else
		return -EINVAL;
	if (value < lowest || value > 255)
		return -EINVAL;
	*has = true;
	*to = (uint8_t)value;
	return 0;
}

/* CAVEAT: IP_RETOPTS, IPV6_HOPOPTS and other headers are -EINVAL. */
int linux_take_ip_control(int level, int type, const uint8_t *data, uint64_t bytes,
	struct socket_message *m)
{
	if (level == IPPROTO_IP && type == IP_PKTINFO)
		return take_pktinfo(data, bytes, m);
	if (level == IPPROTO_IP && type == IP_TTL)
		return take_small(data, bytes, false, 1, &m->has_ttl, &m->ttl);
	if (level == IPPROTO_IP && type == IP_TOS)
		return take_small(data, bytes, true, 0, &m->has_tos, &m->tos);
	if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO)
		return take_pktinfo6(data, bytes, m);
	if (level == IPPROTO_IPV6 && type == IPV6_HOPLIMIT)
		return take_small(data, bytes, false, 0, &m->has_ttl, &m->ttl);
	if (level == IPPROTO_IPV6 && type == IPV6_TCLASS)
		return take_small(data, bytes, false, 0, &m->has_tos, &m->tos);
	return -EINVAL;
}

/* ------------------------------------------------------------------ out */
static void put_pktinfo(struct control_out *o, const struct socket_message *m)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)m->interface_index };
	struct in6_pktinfo info6 = { .ipi6_ifindex = (int)m->interface_index };

	info.ipi_spec_dst.s_addr = net_ip_v4(&m->spec_ip);
	info.ipi_addr.s_addr = net_ip_v4(&m->local_ip);
	memcpy(&info6.ipi6_addr, m->local_ip.word, sizeof(info6.ipi6_addr));
	if (m->has_pktinfo)
		linux_put_control(o, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (m->has_pktinfo6)
		linux_put_control(o, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
}

static void put_original(struct control_out *o, const struct socket_message *m)
{
	struct socket_address to = { .family = m->has_original6 ? SOCKET_INET6 : SOCKET_INET,
		.ip = m->local_ip,
		.port = m->local_port };
	uint8_t raw[LINUX_SOCKADDR_MAX];
	uint32_t bytes = linux_encode_sockaddr(raw, &to);

	linux_put_control(o, m->has_original6 ? IPPROTO_IPV6 : IPPROTO_IP,
		m->has_original6 ? IPV6_ORIGDSTADDR : IP_ORIGDSTADDR, raw, bytes);
}

/* The error, then who said it: nobody, when it was this machine. */
static void put_error(struct control_out *o, const struct socket_message *m)
{
	bool v6 = m->address.family == SOCKET_INET6;
	struct socket_address offender = { .family = m->address.family,
		.ip = m->queued_error.offender };
	struct {
		struct linux_extended_error e;
		uint8_t offender[LINUX_SOCKADDR_MAX];
	} all = { .e = {
			  .error = (uint32_t)m->queued_error.error,
			  .origin = m->queued_error.origin,
			  .type = m->queued_error.type,
			  .code = m->queued_error.code,
			  .info = m->queued_error.info,
			  .data = m->queued_error.data,
		  } };
	uint32_t bytes = linux_encode_sockaddr(all.offender, &offender);

	if (m->queued_error.origin != ORIGIN_ICMP && m->queued_error.origin != ORIGIN_ICMP6)
		memset(all.offender, 0, bytes);
	linux_put_control(o, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &all,
		(uint32_t)sizeof(all.e) + bytes);
}

void linux_put_ip_controls(struct control_out *o, const struct socket_message *m)
{
	int32_t ttl = m->ttl, tos = m->tos;

	put_pktinfo(o, m);
	if (m->has_ttl)
		linux_put_control(o, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (m->has_tos)
		linux_put_control(o, IPPROTO_IP, IP_TOS, &m->tos, sizeof(m->tos));
	if (m->has_hops6)
		linux_put_control(o, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (m->has_class6)
		linux_put_control(o, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	if (m->has_original || m->has_original6)
		put_original(o, m);
	if (m->has_error)
		put_error(o, m);
}
