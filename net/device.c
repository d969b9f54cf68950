/*
 * device.c: network devices as lwIP interfaces: frames in, frames out, ARP's seconds.
 *
 * What:       a received frame stays in the driver's buffer, described by a pbuf that lives in the
 *             frame's own receiver_private; small ones are copied, so that a few bytes never hold
 *             a whole buffer, and all when many buffers are held. Sent packets go down as a list
 *             of segments, checksum left to the device where it can.
 * Invariants: (1) a buffer goes back to the driver exactly once, by rx->free. (2) ARP never keeps
 *             a packet that refers to a socket's memory: such packets are copied before they wait.
 *             (3) each device is kicked once per batch.
 * Locking:    LOCK_NET; drivers' locks below it. From interrupts: yes.
 * Failure:    no memory, ring full: the packet is dropped and counted.
 * Source:     lwIP 2.1.3 netif.h, pbuf.h; RFC 826.
 */
#include <lwip/etharp.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include <lwip/ethip6.h>
#include <lwip/nd6.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>
#include <netif/ethernet.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/options.h"
#include "kernel/stats.h"
#include "lib/string.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/net_priv.h"

#define COPY_BELOW_BYTES 512u
#define TX_SEGMENTS_MAX 16u
#define ARP_TICK_NS (ARP_TMR_INTERVAL * NS_PER_MS)
#define ARP_WAIT_NS (5 * NS_PER_S) /* ARP_MAXPENDING tries, and two more seconds */
#define ARP_CATCH_UP_MAX 310u /* more ticks than an entry lives */
#define TCP_CSUM_OFFSET 16u

STATIC_ASSERT(sizeof(struct pbuf_custom) <= sizeof(((struct netdev_rx *)0)->receiver_private),
	"the pbuf lives in the received frame");

static struct {
	struct net_device *first; /* [I] */
} devices;

struct net_device *device_first(void)
{
	return devices.first;
}

/* ------------------------------------------------------------------ in */
static void free_received(struct pbuf *p)
{
	struct netdev_rx *rx = container_of((void **)(void *)p, struct netdev_rx,
		receiver_private[0]);

	rx->free(rx);
}

static struct pbuf *describe(struct netdev_rx *rx)
{
	struct pbuf_custom *custom = (struct pbuf_custom *)(void *)rx->receiver_private;

	custom->custom_free_function = free_received;
	return pbuf_alloced_custom(PBUF_RAW, (u16_t)rx->bytes, PBUF_REF, custom, rx->data,
		(u16_t)rx->bytes);
}

static struct pbuf *copy_received(struct netdev_rx *rx)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)rx->bytes, PBUF_RAM);

	if (p != NULL)
		memcpy(p->payload, rx->data, rx->bytes);
	rx->free(rx);
	return p;
}

/* A switch that does not know an address yet sends its frames to everybody. */
static bool is_for_others(const struct netif *netif, const struct pbuf *frame)
{
	const struct eth_hdr *h = frame->payload;

	return (h->dest.addr[0] & 1) == 0 &&
		memcmp(h->dest.addr, netif->hwaddr, ETH_HWADDR_LEN) != 0;
}

static void receive(struct netdev *dev, struct netdev_rx *rx)
{
	struct net_device *d = dev->receiver_data;
	uint16_t trusted = rx->csum_ok ? NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP : 0;
	struct pbuf *p;

	if (rx->bytes > 0xffff || rx->bytes < SIZEOF_ETH_HDR) {
		stat_inc(STAT_net_rx_dropped);
		rx->free(rx);
		return;
	}
	stat_inc(STAT_net_rx_packets);
	stat_add(STAT_net_rx_bytes, rx->bytes);
	net_lock();
	p = rx->bytes < COPY_BELOW_BYTES || rx->is_scarce ? copy_received(rx) : describe(rx);
	if (p == NULL) {
		stat_inc(STAT_net_rx_dropped);
	} else {
		d->netif.chksum_flags |= NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
		d->netif.chksum_flags &= (uint16_t)~trusted;
		packet_see_frame_locked(&d->netif, p, false);
		if (is_for_others(&d->netif, p) || d->netif.input(p, &d->netif) != ERR_OK)
			pbuf_free(p);
	}
	net_unlock_batch();
}

static void batch_end(struct netdev *dev)
{
	(void)dev;
	net_lock();
	net_unlock();
}

static void link_changed(struct netdev *dev, bool up)
{
	struct net_device *d = dev->receiver_data;

	net_lock();
	if (up)
		netif_set_link_up(&d->netif);
	else
		netif_set_link_down(&d->netif);
	netlink_link_changed_locked(&d->netif);
	config6_link_changed_locked();
	net_unlock();
}

static const struct netdev_receiver receiver = { receive, batch_end, link_changed };

/* ------------------------------------------------------------------ out */
/* The sum of the pseudo header, folded, not inverted: the device adds the rest. */
static uint16_t pseudo_sum(const void *addresses, uint32_t address_words, uint16_t l4_bytes)
{
	uint32_t sum = lwip_htons(IP_PROTO_TCP) + lwip_htons(l4_bytes), i;
	uint16_t words[16];

	memcpy(words, addresses, address_words * sizeof(words[0]));
	for (i = 0; i < address_words; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* TCP leaves its checksum out where the device computes it (set_up below). IPv6's TCP never has
 * extension headers here: nothing of ours sends them. */
static void request_checksum(struct netdev_tx *tx, struct pbuf *p)
{
	struct ip_hdr *ip = (struct ip_hdr *)(void *)((char *)p->payload + SIZEOF_ETH_HDR);
	struct ip6_hdr *ip6 = (struct ip6_hdr *)(void *)ip;
	struct eth_hdr *eth = p->payload;
	uint16_t ip_bytes, sum;

	if (eth->type == PP_HTONS(ETHTYPE_IP) && p->len >= SIZEOF_ETH_HDR + IP_HLEN + TCP_HLEN &&
		IPH_PROTO(ip) == IP_PROTO_TCP &&
		(IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)) == 0 &&
		p->len >= SIZEOF_ETH_HDR + IPH_HL_BYTES(ip) + TCP_HLEN) {
		ip_bytes = IPH_HL_BYTES(ip);
		sum = pseudo_sum(&ip->src, 4, (uint16_t)(lwip_ntohs(IPH_LEN(ip)) - ip_bytes));
	} else if (eth->type == PP_HTONS(ETHTYPE_IPV6) &&
		p->len >= SIZEOF_ETH_HDR + IP6_HLEN + TCP_HLEN && IP6H_NEXTH(ip6) == IP_PROTO_TCP) {
		ip_bytes = IP6_HLEN;
		sum = pseudo_sum(&ip6->src, 16, IP6H_PLEN(ip6));
	} else {
		return;
	}
	tx->csum_partial = true;
	tx->csum_start = (uint16_t)(SIZEOF_ETH_HDR + ip_bytes);
	tx->csum_offset = TCP_CSUM_OFFSET;
	memcpy((char *)ip + ip_bytes + TCP_CSUM_OFFSET, &sum, sizeof(sum));
}

static err_t transmit(struct net_device *d, struct pbuf *p)
{
	struct netdev_seg segs[TX_SEGMENTS_MAX];
	struct netdev_tx tx = { .segs = segs };
	struct pbuf *q;

	ASSERT(p != NULL);
	for (q = p; q != NULL; q = q->next) {
		if (q->len == 0)
			continue;
		segs[tx.seg_count].data = q->payload;
		segs[tx.seg_count++].bytes = q->len;
	}
	packet_see_frame_locked(&d->netif, p, true);
	if ((d->dev->caps & NETDEV_CAP_TX_CSUM) != 0)
		request_checksum(&tx, p);
	if (d->dev->ops->transmit(d->dev, &tx) != 0) {
		stat_inc(STAT_net_tx_dropped);
		return ERR_MEM;
	}
	d->kick = true;
	stat_inc(STAT_net_tx_packets);
	stat_add(STAT_net_tx_bytes, p->tot_len);
	return ERR_OK;
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
	struct net_device *d = netif->state;
	struct pbuf *whole;
	err_t error;

	if (pbuf_clen(p) <= TX_SEGMENTS_MAX)
		return transmit(d, p);
	whole = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	if (whole == NULL)
		return ERR_MEM;
	error = transmit(d, whole);
	pbuf_free(whole);
	return error;
}

/* Counts the seconds that passed while nobody looked: ages entries, repeats questions. */
static void count_arp_seconds(struct net_device *d, uint64_t now_ns)
{
	uint64_t ticks = (now_ns - d->arp_ticked_ns) / ARP_TICK_NS;
	uint64_t i;

	d->arp_ticked_ns += ticks * ARP_TICK_NS;
	for (i = 0; i < MIN(ticks, ARP_CATCH_UP_MAX); i++)
		etharp_tmr();
}

static err_t send4(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest)
{
	struct net_device *d = netif->state;
	const ip4_addr_t *next_hop = dest, *found_ip;
	struct eth_addr *found_mac;
	struct pbuf *whole;
	err_t error;

	count_arp_seconds(d, net_now_ns());
	if (!ip4_addr_netcmp(dest, netif_ip4_addr(netif), netif_ip4_netmask(netif)))
		next_hop = netif_ip4_gw(netif);
	if (ip4_addr_isbroadcast(dest, netif) || ip4_addr_ismulticast(dest) ||
		etharp_find_addr(netif, next_hop, &found_mac, &found_ip) >= 0)
		return etharp_output(netif, p, dest);
	/* (2): it will wait for an answer. */
	d->arp_pending_ns = net_now_ns() + ARP_WAIT_NS;
	whole = pbuf_clone(PBUF_LINK, PBUF_RAM, p);
	if (whole == NULL)
		return ERR_MEM;
	error = etharp_output(netif, whole, dest);
	pbuf_free(whole);
	return error;
}

static err_t output(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest)
{
	err_t error;

	counters_see_out_locked(p); /* before p has an Ethernet header */
	error = send4(netif, p, dest);
	net_counters.ip[0].out_discards += error != ERR_OK;
	return error;
}

/* What goes to ourselves does not cross the wire. */
static err_t send6(struct netif *netif, struct pbuf *p, const ip6_addr_t *dest)
{
	struct net_ip to = net_ip_of_bytes(dest->addr, ip6_addr_zone(dest));
	struct netif *owner = net_owner_locked(&to);

	if (owner != NULL)
		return loopback_queue_locked(owner, p);
	config6_wake_locked();
	return ethip6_output(netif, p, dest);
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *dest)
{
	err_t error;

	counters_see_out_locked(p);
	error = send6(netif, p, dest);
	net_counters.ip[1].out_discards += error != ERR_OK;
	return error;
}

static bool is_own_prefix(const struct netif *netif, const ip6_addr_t *to)
{
	unsigned i;

	for (i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
			netif_ip6_addr_isstatic(netif, i) &&
			ip6_addr_netcmp_zoneless(netif_ip6_addr(netif, i), to))
			return true;
	return false;
}

bool device_has_route6_locked(struct net_device *d, const ip6_addr_t *to)
{
	return nd6_find_route(to) != NULL || config6_gateway() != NULL ||
		is_own_prefix(&d->netif, to);
}

void device_flush_locked(void)
{
	struct net_device *d;

	for (d = devices.first; d != NULL; d = d->next) {
		if (!d->kick)
			continue;
		d->kick = false;
		d->dev->ops->flush(d->dev);
	}
}

uint64_t device_next_ns_locked(void)
{
	struct net_device *d;
	uint64_t next_ns = TIME_NEVER_NS;

	for (d = devices.first; d != NULL; d = d->next)
		if (d->arp_pending_ns != 0)
			next_ns = MIN(next_ns, d->arp_ticked_ns + ARP_TICK_NS);
	return next_ns;
}

void device_tick_locked(uint64_t now_ns)
{
	struct net_device *d;

	for (d = devices.first; d != NULL; d = d->next) {
		count_arp_seconds(d, now_ns);
		if (now_ns >= d->arp_pending_ns)
			d->arp_pending_ns = 0;
	}
}

/* ------------------------------------------------------------------ set-up */
static err_t set_up(struct netif *netif)
{
	struct net_device *d = netif->state;
	uint16_t sums = NETIF_CHECKSUM_ENABLE_ALL;

	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->hwaddr_len = ETH_HWADDR_LEN;
	memcpy(netif->hwaddr, d->dev->mac, ETH_HWADDR_LEN);
	netif->mtu = d->dev->mtu == 0 ? 1500 : d->dev->mtu;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
		NETIF_FLAG_MLD6;
	netif->mtu6 = netif->mtu;
	netif->output = output;
	netif->output_ip6 = output6;
	netif->linkoutput = link_output;
	netif_set_hostname(netif, options.hostname);
	if ((d->dev->caps & NETDEV_CAP_TX_CSUM) != 0)
		sums &= (uint16_t)~NETIF_CHECKSUM_GEN_TCP;
	NETIF_SET_CHECKSUM_CTRL(netif, sums);
	return ERR_OK;
}

static struct net_device *add(struct netdev *dev)
{
	struct net_device *d = kmem_zalloc(sizeof(*d));

	if (d == NULL) {
		log_error("net: no memory for a network device");
		return NULL;
	}
	d->dev = dev;
	d->arp_ticked_ns = net_now_ns();
	netif_add(&d->netif, NULL, NULL, NULL, d, set_up, ethernet_input);
	if (dev->link_up)
		netif_set_link_up(&d->netif);
	netif_set_up(&d->netif);
	return d;
}

/* Those of all that virtio's driver and this file count: there is one device. */
struct interface_counters device_counters_locked(void)
{
	return (struct interface_counters){
		.rx_bytes = stat_sum(STAT_net_rx_bytes),
		.rx_packets = stat_sum(STAT_net_rx_packets),
		.rx_dropped = stat_sum(STAT_net_rx_dropped),
		.tx_bytes = stat_sum(STAT_net_tx_bytes),
		.tx_packets = stat_sum(STAT_net_tx_packets),
		.tx_dropped = stat_sum(STAT_net_tx_dropped),
	};
}

/* CAVEAT: the first device is configured; further ones are not used. */
void device_init_locked(void)
{
	struct netdev *dev = netdev_first();

	if (dev == NULL || options.ip_mode == OPTIONS_IP_NONE)
		return;
	devices.first = add(dev);
	if (devices.first == NULL)
		return;
	config_start_locked(devices.first);
	config6_start_locked(devices.first);
	netdev_attach(dev, &receiver, devices.first);
}
