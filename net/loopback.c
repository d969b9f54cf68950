/*
 * loopback.c: the interface "lo": packets to ourselves.
 *
 * What:       every packet to 127/8 or to an address of any of our interfaces is copied into a
 *             queue, and handed to IP when the current operation is over.
 * Invariants: (1) IP never runs inside IP: output only queues. (2) The queue is bounded; a packet
 *             too many is dropped, as on a wire. (3) Two ends that never stop talking do not stop
 *             the machine: after many packets the rest waits for the timer.
 * Locking:    LOCK_NET.
 * Failure:    no memory or queue full: ERR_MEM, and TCP tries again later.
 * Source:     RFC 1122 3.2.1.3 (g): 127/8 never leaves the host.
 */
#include <lwip/ip4.h>
#include <lwip/prot/ip4.h>

#include "base/units.h"
#include "lib/string.h"
#include "net/net_priv.h"

#define QUEUE_PACKETS_MAX 4096u
#define LOOPBACK_MTU 16384u
#define DRAIN_PACKETS_MAX 2048u /* without looking at anything else */

static struct {
	struct netif netif;
	struct pbuf *head, *tail; /* linked through pbuf.next: each packet is one pbuf */
	unsigned count;
	bool draining;
} loopback;

struct netif *loopback_netif(void)
{
	return &loopback.netif;
}

static err_t output(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest)
{
	struct pbuf *copy;

	(void)netif;
	(void)dest;
	if (loopback.count >= QUEUE_PACKETS_MAX)
		return ERR_MEM;
	copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_RAM);
	if (copy == NULL)
		return ERR_MEM;
	pbuf_copy_partial(p, copy->payload, p->tot_len, 0);
	if (loopback.tail == NULL)
		loopback.head = copy;
	else
		loopback.tail->next = copy;
	loopback.tail = copy;
	loopback.count++;
	return ERR_OK;
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
static void deliver(struct pbuf *p)
{
	const struct ip_hdr *header = p->payload;
	ip_addr_t own = loopback.netif.ip_addr, own_mask = loopback.netif.netmask;

	ip_addr_set_ip4_u32(&loopback.netif.ip_addr, header->dest.addr);
	ip_addr_set_ip4_u32(&loopback.netif.netmask, 0xffffffffu); /* no route but that one */
	ip4_input(p, &loopback.netif);
	loopback.netif.ip_addr = own;
	loopback.netif.netmask = own_mask;
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
	netif->output = output;
	netif->flags = 0;
	return ERR_OK;
}

void loopback_init_locked(void)
{
	ip4_addr_t address, mask, gateway;

	IP4_ADDR(&address, 127, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	ip4_addr_set_zero(&gateway);
	netif_add(&loopback.netif, &address, &mask, &gateway, NULL, set_up, ip4_input);
	/* What never crosses a wire needs no checksum. */
	NETIF_SET_CHECKSUM_CTRL(&loopback.netif, 0);
	netif_set_up(&loopback.netif);
	netif_set_link_up(&loopback.netif);
}
