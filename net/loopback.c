/*
 * loopback.c: the interface "lo": packets to ourselves.
 *
 * What:       every packet to 127/8, ::1 or an address of any of our interfaces is copied into a
 *             queue, and handed to IP when the current operation is over. An IPv6 packet arrives
 *             on the interface that has the address, so that scopes stay what they are; what is
 *             sent to a group comes back on the interface that it left by.
 * Invariants: (1) IP never runs inside IP: output only queues. (2) The queue is bounded; a packet
 *             too many is dropped, as on a wire. (3) Two ends that never stop talking do not stop
 *             the machine: after many packets the rest waits for the timer.
 * Locking:    LOCK_NET.
 * Failure:    no memory or queue full: ERR_MEM, and TCP tries again later.
 * Source:     RFC 1122 3.2.1.3 (g): 127/8 never leaves the host.
 */
#include <lwip/ip4.h>
#include <lwip/ip6.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>

#include "base/units.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/net_priv.h"

#define QUEUE_PACKETS_MAX 4096u
#define LOOPBACK_MTU 16384u
#define DRAIN_PACKETS_MAX 2048u /* without looking at anything else */

static struct {
	struct netif netif;
	struct pbuf *head, *tail; /* linked through pbuf.next: each packet is one pbuf */
	unsigned count;
	bool draining;
	struct interface_counters counters; /* what is sent is received */
} loopback;

struct interface_counters loopback_counters_locked(void)
{
	return loopback.counters;
}

struct netif *loopback_netif(void)
{
	return &loopback.netif;
}

/* Without an Ethernet header, as Linux, which has taken it off by then. */
static void count_packet(uint32_t bytes)
{
	struct interface_counters *c = &loopback.counters;

	c->tx_packets = ++c->rx_packets;
	c->rx_bytes += bytes;
	c->tx_bytes = c->rx_bytes;
}

err_t loopback_queue_locked(struct netif *as, struct pbuf *p)
{
	struct pbuf *copy;

	copy = loopback.count >= QUEUE_PACKETS_MAX ? NULL
						   : pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_RAM);
	if (copy == NULL) {
		loopback.counters.tx_dropped++;
		return ERR_MEM;
	}
	count_packet(p->tot_len);
	pbuf_copy_partial(p, copy->payload, p->tot_len, 0);
	copy->if_idx = netif_get_index(as);
	packet_see_looped_locked(copy, true);
	if (loopback.tail == NULL)
		loopback.head = copy;
	else
		loopback.tail->next = copy;
	loopback.tail = copy;
	loopback.count++;
	return ERR_OK;
}

static err_t output(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest)
{
	err_t error;

	(void)dest;
	counters_see_out_locked(p);
	error = loopback_queue_locked(netif, p);
	net_counters.ip[0].out_discards += error != ERR_OK;
	return error;
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *dest)
{
	struct net_ip to = net_ip_of_bytes(dest->addr, ip6_addr_zone(dest));
	struct netif *owner = net_owner_locked(&to);
	err_t error;

	counters_see_out_locked(p);
	error = loopback_queue_locked(owner != NULL ? owner : netif, p);
	net_counters.ip[1].out_discards += error != ERR_OK;
	return error;
}

static struct pbuf *take_packet(void)
{
	struct pbuf *p = loopback.head;

	if (p == NULL)
		return NULL;
	loopback.head = p->next;
	if (loopback.head == NULL)
		loopback.tail = NULL;
	p->next = NULL;
	loopback.count--;
	return p;
}

/* IP accepts a unicast packet only for the interface's own address: for the time of the call that
 * is whatever local address the packet was sent to. */
static void deliver4(struct pbuf *p)
{
	const struct ip_hdr *header = p->payload;
	ip_addr_t own = loopback.netif.ip_addr, own_mask = loopback.netif.netmask;

	ip_addr_set_ip4_u32(&loopback.netif.ip_addr, header->dest.addr);
	ip_addr_set_ip4_u32(&loopback.netif.netmask, 0xffffffffu); /* no route but that one */
	ip4_input(p, &loopback.netif);
	loopback.netif.ip_addr = own;
	loopback.netif.netmask = own_mask;
}

/* On a device's own interface: nothing crossed a wire, so no sums were made. */
static void deliver_on(struct netif *netif, struct pbuf *p)
{
	uint16_t checks = NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_UDP |
		NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_ICMP | NETIF_CHECKSUM_CHECK_ICMP6;
	uint16_t flags = netif->chksum_flags;

	netif->chksum_flags &= (uint16_t)~checks;
	if ((*(const uint8_t *)p->payload >> 4) == 6)
		ip6_input(p, netif);
	else
		ip4_input(p, netif);
	netif->chksum_flags = flags;
}

static void deliver(struct pbuf *p)
{
	struct netif *netif = net_interface_locked(p->if_idx);

	packet_see_looped_locked(p, false);
	if (netif == &loopback.netif && (*(const uint8_t *)p->payload >> 4) == 4)
		deliver4(p);
	else
		deliver_on(netif != NULL ? netif : &loopback.netif, p);
}

bool loopback_drain_locked(void)
{
	struct pbuf *p;
	unsigned count = 0;

	net_assert_locked();
	if (loopback.draining)
		return false;
	loopback.draining = true;
	while (count < DRAIN_PACKETS_MAX && (p = take_packet()) != NULL) {
		count++;
		deliver(p);
	}
	loopback.draining = false;
	return count != 0;
}

uint64_t loopback_next_ns_locked(void)
{
	return loopback.head == NULL ? TIME_NEVER_NS : net_now_ns();
}

static err_t set_up(struct netif *netif)
{
	netif->name[0] = 'l';
	netif->name[1] = 'o';
	netif->mtu = LOOPBACK_MTU;
	netif->mtu6 = LOOPBACK_MTU;
	netif->output = output;
	netif->output_ip6 = output6;
	netif->flags = 0;
	return ERR_OK;
}

void loopback_init_locked(void)
{
	ip4_addr_t address, mask, gateway;
	ip6_addr_t own6;

	IP4_ADDR(&address, 127, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	ip4_addr_set_zero(&gateway);
	netif_add(&loopback.netif, &address, &mask, &gateway, NULL, set_up, ip4_input);
	/* What never crosses a wire needs no checksum; but raw sockets look at ICMP's. */
	NETIF_SET_CHECKSUM_CTRL(&loopback.netif,
		NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_GEN_ICMP6);
	ip6_addr_set_loopback(&own6);
	ip_addr_copy_from_ip6(loopback.netif.ip6_addr[0], own6);
	netif_ip6_addr_set_state(&loopback.netif, 0, IP6_ADDR_PREFERRED);
	netif_set_up(&loopback.netif);
	netif_set_link_up(&loopback.netif);
}
