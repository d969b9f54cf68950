/*
 * dhcp_guard.c: a DHCP server's answers before lwIP sees them.
 *
 * What:       lwIP 2.1.3 takes whatever address, mask, router and lease an answer has, does not
 *             look for the cookie, and asks anew at once after every refusal. Here only answers
 *             pass that a client can use.
 * Invariants: (1) an answer that passes lies in one pbuf, is to our question, and each option ends
 *             within its field. (2) an offer or an acknowledgement that passes names a server, a
 *             lease, and an address that a host can have. (3) one refusal a second passes, so that
 *             a server that refuses everything does not make us ask as fast as it answers.
 * Locking:    LOCK_NET.
 * Failure:    bad answers are dropped and counted (net_rx_bad); DHCP asks again in its time.
 * Source:     RFC 2131 3, 4.1, 4.4; RFC 2132; systemd's client for what it refuses (an address, a
 *             server or a lease of 0). A router outside the network is taken, as with "onlink"
 *             routes of Linux: clouds give addresses with a mask of 32 bits.
 */
#include <lwip/dhcp.h>
#include <lwip/prot/dhcp.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/udp.h>

#include "base/units.h"
#include "lib/string.h"
#include "net/ip_packet.h"
#include "net/net_priv.h"

#define SERVER_PORT 67u
#define CLIENT_PORT 68u
#define HARDWARE_ETHERNET 1u
#define REFUSAL_NS NS_PER_S

/* What an answer says, in host byte order; 0: not said. */
struct answer {
	uint64_t seen; /* option codes below 64: the first of a kind counts, as in lwIP */
	uint32_t mask, router, lease_s, server;
	uint8_t type, overload;
};

static struct {
	uint64_t refusal_ns; /* [n] none passes before */
} dhcp_guard;

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool take_number(uint32_t *number, const uint8_t *value, uint32_t bytes, bool is_first)
{
	if (bytes == 4 && is_first)
		*number = read32(value);
	return bytes == 4;
}

static bool take_byte(uint8_t *byte, const uint8_t *value, uint32_t bytes, bool is_first)
{
	if (bytes == 1 && is_first)
		*byte = value[0];
	return bytes == 1;
}

static bool take_option(struct answer *a, uint8_t code, const uint8_t *value, uint32_t bytes)
{
	bool is_first = code < 64 && (a->seen >> code & 1) == 0;

	if (code < 64)
		a->seen |= 1ull << code;
	switch (code) {
	case DHCP_OPTION_SUBNET_MASK:
		return take_number(&a->mask, value, bytes, is_first);
	case DHCP_OPTION_ROUTER:
		return bytes % 4 == 0 && bytes != 0 && take_number(&a->router, value, 4, is_first);
	case DHCP_OPTION_DNS_SERVER:
		return bytes % 4 == 0 && bytes != 0;
	case DHCP_OPTION_LEASE_TIME:
		return take_number(&a->lease_s, value, bytes, is_first);
	case DHCP_OPTION_OVERLOAD:
		return take_byte(&a->overload, value, bytes, is_first) && a->overload <= 3;
	case DHCP_OPTION_MESSAGE_TYPE:
		return take_byte(&a->type, value, bytes, is_first);
	case DHCP_OPTION_SERVER_ID:
		return take_number(&a->server, value, bytes, is_first);
	case DHCP_OPTION_T1:
	case DHCP_OPTION_T2:
		return bytes == 4;
	default:
		return true;
	}
}

/* A field of options, which has an end. */
static bool take_options(struct answer *a, const uint8_t *field, uint32_t bytes)
{
	uint32_t i = 0, length;

	while (i < bytes && field[i] != DHCP_OPTION_END) {
		if (field[i] == DHCP_OPTION_PAD) {
			i++;
			continue;
		}
		if (bytes - i < 2)
			return false;
		length = field[i + 1];
		if (length > bytes - i - 2 || !take_option(a, field[i], field + i + 2, length))
			return false;
		i += 2 + length;
	}
	return i < bytes;
}

static bool is_host(uint32_t ip)
{
	return ip >> 24 != 0 && ip >> 24 != 127 && ip >> 28 < 14;
}

/* Whether a host can have the address; 0: a mask that was not given is the class's. */
static bool is_in_net(uint32_t ip, uint32_t mask)
{
	uint32_t rest;

	if (mask == 0)
		mask = ip >> 31 == 0 ? 0xff000000u : ip >> 30 == 2 ? 0xffff0000u : 0xffffff00u;
	rest = ~mask;
	if ((rest & (rest + 1)) != 0)
		return false; /* the mask has a hole */
	return rest <= 1 || ((ip & rest) != 0 && (ip & rest) != rest);
}

/* (2) */
static bool is_usable(const struct answer *a, const struct dhcp_msg *message)
{
	uint32_t ip = lwip_ntohl(message->yiaddr.addr);
	bool has_mask = (a->seen >> DHCP_OPTION_SUBNET_MASK & 1) != 0;

	return is_host(ip) && !(has_mask && a->mask == 0) && is_in_net(ip, a->mask) &&
		is_host(a->server) && a->lease_s != 0 && (a->router == 0 || is_host(a->router));
}

/* (3) */
static bool may_refuse(void)
{
	if (net_now_ns() < dhcp_guard.refusal_ns)
		return false;
	dhcp_guard.refusal_ns = net_now_ns() + REFUSAL_NS;
	return true;
}

/* NULL or what is wrong. */
static const char *find_fault(const struct dhcp_msg *message, uint32_t bytes, uint32_t xid)
{
	const uint8_t *start = (const uint8_t *)message;
	struct answer a = { 0 };

	if (lwip_ntohl(message->xid) != xid)
		return "DHCP: not to our question";
	if (message->op != DHCP_BOOTREPLY || message->htype != HARDWARE_ETHERNET ||
		message->cookie != PP_HTONL(DHCP_MAGIC_COOKIE))
		return "DHCP: header";
	if (!take_options(&a, start + DHCP_OPTIONS_OFS, bytes - DHCP_OPTIONS_OFS) ||
		((a.overload & DHCP_OVERLOAD_FILE) != 0 &&
			!take_options(&a, start + DHCP_FILE_OFS, DHCP_FILE_LEN)) ||
		((a.overload & DHCP_OVERLOAD_SNAME) != 0 &&
			!take_options(&a, start + DHCP_SNAME_OFS, DHCP_SNAME_LEN)))
		return "DHCP: options";
	switch (a.type) {
	case DHCP_OFFER:
	case DHCP_ACK:
		return is_usable(&a, message) ? NULL : "DHCP: address, lease or server";
	case DHCP_NAK:
		return may_refuse() ? NULL : "DHCP: too many refusals";
	default:
		return "DHCP: type";
	}
}

bool dhcp_guard_locked(struct ip_packet *in, uint16_t from_port, uint16_t to_port,
	uint32_t message_bytes)
{
	const struct dhcp *dhcp = netif_dhcp_data(in->netif);
	uint32_t at = in->header_bytes + (uint32_t)UDP_HLEN;
	const struct dhcp_msg *message = (const void *)((const char *)in->p->payload + at);
	const char *fault = "DHCP: length";

	if (dhcp == NULL || !net_ip_is_v4(&in->dest) || from_port != SERVER_PORT ||
		to_port != CLIENT_PORT)
		return false;
	if (in->p->len == in->p->tot_len && message_bytes > DHCP_OPTIONS_OFS) {
		if (message->hlen != ETH_HWADDR_LEN ||
			memcmp(message->chaddr, in->netif->hwaddr, ETH_HWADDR_LEN) != 0)
			return false; /* lwIP's to drop: for somebody else */
		fault = find_fault(message, message_bytes, dhcp->xid);
	}
	if (fault == NULL) {
		pbuf_realloc(in->p, (u16_t)(at + message_bytes)); /* (1): the options' end */
		return false;
	}
	bad_packet_count_locked(fault);
	pbuf_free(in->p);
	return true;
}
