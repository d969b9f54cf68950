/*
 * sys_sockopt_group.c: multicast groups, packet sockets' memberships, and ICMPv6's filter: what
 * setsockopt takes as structures.
 *
 * What:       decodes the forms in which Linux takes a group, an interface and a source; a filter.
 * Invariants: none.
 * Locking:    none.
 * Failure:    -ENOPROTOOPT, -EINVAL, -EFAULT, and what net/socket.h says of groups. CAVEAT: whole
 *             lists of sources (IP_MSFILTER, MCAST_MSFILTER) are -ENOPROTOOPT.
 * Source:     Linux ip(7), ipv6(7), packet(7); net/ipv4/ip_sockglue.c,
 *             net/ipv6/ipv6_sockglue.c, net/packet/af_packet.c.
 */
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "abi/linux/sys_net_priv.h"
#include "base/assert.h"
#include "base/units.h"
#include "lib/string.h"

#define ICMPV6_FILTER 1
#define PACKET_MREQ_ADDRESS 8u /* where in struct packet_mreq it begins */
#define PACKET_MREQ_MAX 40u /* with the longest address that Linux knows */
#define GROUP_REQ_BYTES 136u /* struct group_req: index, padding, struct sockaddr_storage */
#define GROUP_REQ_ADDRESS 8u
#define GROUP_SOURCE_REQ_BYTES (GROUP_REQ_BYTES + LINUX_SOCKADDR_MAX) /* struct group_source_req */

STATIC_ASSERT(sizeof(struct ip_mreq) == 8, "Linux");
STATIC_ASSERT(sizeof(struct packet_mreq) == 16, "Linux");
STATIC_ASSERT(sizeof(struct ip_mreqn) == 12, "Linux");
STATIC_ASSERT(sizeof(struct ip_mreq_source) == 12, "Linux");
STATIC_ASSERT(sizeof(struct ipv6_mreq) == 20, "Linux");

/* struct ip_mreqn, struct ip_mreq, or for the interface alone an address. */
static int load4(uaddr_t ua, uint32_t bytes, bool address_will_do, struct socket_group *g)
{
	struct ip_mreqn r = { .imr_ifindex = 0 };
	int error;

	if (bytes >= sizeof(struct ip_mreqn)) {
		error = user_copy_in(&r, ua, sizeof(r));
	} else if (bytes >= sizeof(struct ip_mreq)) {
		error = user_copy_in(&r, ua, sizeof(struct ip_mreq));
	} else if (address_will_do && bytes >= sizeof(struct in_addr)) {
		error = user_copy_in(&r.imr_address, ua, sizeof(struct in_addr));
	} else {
		error = -EINVAL;
	}
	g->group = net_ip_of_v4(r.imr_multiaddr.s_addr);
	g->interface_index = (uint32_t)r.imr_ifindex;
	g->interface_ip = net_ip_of_v4(r.imr_address.s_addr);
	return error;
}

static int load6(uaddr_t ua, uint32_t bytes, struct socket_group *g)
{
	struct ipv6_mreq r;
	int error = bytes < sizeof(r) ? -EINVAL : user_copy_in(&r, ua, sizeof(r));

	if (error != 0)
		return error;
	memcpy(g->group.word, &r.ipv6mr_multiaddr, sizeof(g->group.word));
	g->interface_index = (uint32_t)r.ipv6mr_ifindex;
	return 0;
}

static int load_interface6(uaddr_t ua, uint32_t bytes, struct socket_group *g)
{
	return bytes < sizeof(g->interface_index)
		? -EINVAL
		: user_copy_in(&g->interface_index, ua, sizeof(g->interface_index));
}

static int load_address(uaddr_t ua, int level, struct net_ip *out)
{
	struct socket_address address;
	int error = linux_load_sockaddr(ua, LINUX_SOCKADDR_MAX, &address);

	if (error != 0)
		return error;
	if (address.family != (level == IPPROTO_IP ? SOCKET_INET : SOCKET_INET6))
		return -EADDRNOTAVAIL;
	*out = address.ip;
	return 0;
}

/* struct group_req, and struct group_source_req, which has a source behind it. */
static int load_any(uaddr_t ua, uint32_t bytes, int level, struct socket_group *g)
{
	bool has_source = g->change >= SOCKET_GROUP_ADD_SOURCE;
	int error;

	if (bytes < (has_source ? GROUP_SOURCE_REQ_BYTES : GROUP_REQ_BYTES))
		return -EINVAL;
	error = user_copy_in(&g->interface_index, ua, sizeof(g->interface_index));
	if (error == 0)
		error = load_address(ua + GROUP_REQ_ADDRESS, level, &g->group);
	if (error == 0 && has_source)
		error = load_address(ua + GROUP_REQ_BYTES, level, &g->source);
	return error;
}

/* What the option for both families does; false: it is none of them. */
static bool find_any(int name, struct socket_group *g)
{
	switch (name) {
	case MCAST_JOIN_GROUP:
		g->change = SOCKET_GROUP_JOIN;
		return true;
	case MCAST_LEAVE_GROUP:
		g->change = SOCKET_GROUP_LEAVE;
		return true;
	case MCAST_JOIN_SOURCE_GROUP:
		g->change = SOCKET_GROUP_ADD_SOURCE;
		return true;
	case MCAST_LEAVE_SOURCE_GROUP:
		g->change = SOCKET_GROUP_DROP_SOURCE;
		return true;
	case MCAST_BLOCK_SOURCE:
		g->change = SOCKET_GROUP_BLOCK_SOURCE;
		return true;
	case MCAST_UNBLOCK_SOURCE:
		g->change = SOCKET_GROUP_UNBLOCK_SOURCE;
		return true;
	default:
		return false;
	}
}

static int load4_source(uaddr_t ua, uint32_t bytes, struct socket_group *g)
{
	struct ip_mreq_source r;
	int error = bytes != sizeof(r) ? -EINVAL : user_copy_in(&r, ua, sizeof(r));

	if (error != 0)
		return error;
	g->group = net_ip_of_v4(r.imr_multiaddr);
	g->interface_ip = net_ip_of_v4(r.imr_interface);
	g->source = net_ip_of_v4(r.imr_sourceaddr);
	return 0;
}

static int load4_option(int name, uaddr_t ua, uint32_t bytes, struct socket_group *g)
{
	switch (name) {
	case IP_ADD_MEMBERSHIP:
		return load4(ua, bytes, false, g);
	case IP_DROP_MEMBERSHIP:
		g->change = SOCKET_GROUP_LEAVE;
		return load4(ua, bytes, false, g);
	case IP_MULTICAST_IF:
		g->change = SOCKET_GROUP_INTERFACE;
		return load4(ua, bytes, true, g);
	case IP_ADD_SOURCE_MEMBERSHIP:
		g->change = SOCKET_GROUP_ADD_SOURCE;
		return load4_source(ua, bytes, g);
	case IP_DROP_SOURCE_MEMBERSHIP:
		g->change = SOCKET_GROUP_DROP_SOURCE;
		return load4_source(ua, bytes, g);
	case IP_BLOCK_SOURCE:
		g->change = SOCKET_GROUP_BLOCK_SOURCE;
		return load4_source(ua, bytes, g);
	case IP_UNBLOCK_SOURCE:
		g->change = SOCKET_GROUP_UNBLOCK_SOURCE;
		return load4_source(ua, bytes, g);
	default:
		return -ENOPROTOOPT;
	}
}

static int load6_option(int name, uaddr_t ua, uint32_t bytes, struct socket_group *g)
{
	switch (name) {
	case IPV6_ADD_MEMBERSHIP:
		return load6(ua, bytes, g);
	case IPV6_DROP_MEMBERSHIP:
		g->change = SOCKET_GROUP_LEAVE;
		return load6(ua, bytes, g);
	case IPV6_MULTICAST_IF:
		g->change = SOCKET_GROUP_INTERFACE;
		return load_interface6(ua, bytes, g);
	default:
		return -ENOPROTOOPT;
	}
}

/* struct icmp6_filter. */
static int set_filter(struct file *f, uaddr_t ua, uint32_t bytes)
{
	uint32_t filter[8];
	int error = bytes < sizeof(filter) ? -EINVAL : user_copy_in(filter, ua, sizeof(filter));

	return error != 0 ? error : socket_set_icmp6_filter(f, filter);
}

/* struct packet_mreq, which may be longer than it is. */
static int set_member(struct file *f, int name, uaddr_t ua, uint32_t bytes)
{
	struct packet_mreq r;
	struct socket_member m;
	int error = bytes < sizeof(r) ? -EINVAL : user_copy_in(&r, ua, sizeof(r));

	if (error != 0)
		return error;
	if (r.mr_alen + PACKET_MREQ_ADDRESS > MIN(bytes, PACKET_MREQ_MAX))
		return -EINVAL;
	m = (struct socket_member){ .interface_index = (uint32_t)r.mr_ifindex,
		.address_bytes = r.mr_alen,
		.wants_address = r.mr_type == PACKET_MR_MULTICAST || r.mr_type == PACKET_MR_UNICAST,
		.leave = name == PACKET_DROP_MEMBERSHIP };
	return socket_change_member(f, &m);
}

int linux_set_group(struct file *f, int level, int name, uaddr_t ua, uint32_t bytes)
{
	struct socket_group g = { .change = SOCKET_GROUP_JOIN, .interface_ip = net_ip_of_v4(0) };
	int error;

	if (level == IPPROTO_ICMPV6 && name == ICMPV6_FILTER)
		return set_filter(f, ua, bytes);
	if (level == LINUX_SOL_PACKET && socket_family(f) == SOCKET_PACKET &&
		(name == PACKET_ADD_MEMBERSHIP || name == PACKET_DROP_MEMBERSHIP))
		return set_member(f, name, ua, bytes);
	if (level != IPPROTO_IP && level != IPPROTO_IPV6)
		return -ENOPROTOOPT;
	if (find_any(name, &g))
		error = load_any(ua, bytes, level, &g);
	else
		error = level == IPPROTO_IP ? load4_option(name, ua, bytes, &g)
					    : load6_option(name, ua, bytes, &g);
	return error != 0 ? error : socket_change_group(f, &g);
}
