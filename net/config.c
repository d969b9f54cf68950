/*
 * config.c: the first device's address: static from the options, or by DHCP in the background.
 *
 * What:       starts the one or the other and never waits. DHCP's timers run only while it waits
 *             for an answer, and when a lease has to be renewed. The name servers go to
 *             /etc/resolv.conf when they are known (the static ones are written by fs).
 * Invariants: (1) lwIP's coarse minutes are counted from the clock when they are needed, not by
 *             waking once a minute.
 * Locking:    LOCK_NET. May sleep: the thread publish_resolv only.
 * Failure:    no memory, no server: one log line; DHCP goes on asking.
 * Source:     RFC 2131; lwIP 2.1.3 dhcp.c (timers).
 */
#include <lwip/dhcp.h>
#include <lwip/prot/dhcp.h>

#include "base/units.h"
#include "fs/fs.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched/thread.h"
#include "lib/string.h"
#include "net/net_priv.h"

#define FINE_NS (DHCP_FINE_TIMER_MSECS * NS_PER_MS)
#define COARSE_NS (DHCP_COARSE_TIMER_SECS * NS_PER_S)

static struct {
	struct net_device *device; /* [I] NULL: no DHCP */
	uint64_t fine_ns, coarse_ns; /* [n] up to here lwIP's ticks were counted */
	uint32_t dns[OPTIONS_DNS_MAX]; /* [n] */
	uint32_t dns_count; /* [n] */
	uint32_t published_ip; /* [n] address that was logged */
	bool dns_changed; /* [n] */
	struct waitq publisher; /* [n] */
} config;

/* Files are written by a thread that may sleep; answers come in interrupts. */
static void publish_resolv(void *arg)
{
	uint32_t dns[OPTIONS_DNS_MAX], count;

	(void)arg;
	for (;;) {
		net_lock();
		while (!config.dns_changed)
			if (net_wait_locked(&config.publisher, TIME_NEVER_NS, 0) != 0)
				continue;
		config.dns_changed = false;
		count = config.dns_count;
		memcpy(dns, config.dns, sizeof(dns));
		net_unlock();
		fs_set_resolv(dns, count, NULL);
	}
}

static void log_address(const struct netif *netif)
{
	uint32_t ip = lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(netif)));
	uint32_t gw = lwip_ntohl(ip4_addr_get_u32(netif_ip4_gw(netif)));

	log_info("net: address %u.%u.%u.%u gateway %u.%u.%u.%u", ip >> 24, ip >> 16 & 255,
		ip >> 8 & 255, ip & 255, gw >> 24, gw >> 16 & 255, gw >> 8 & 255, gw & 255);
}

static void status_changed(struct netif *netif)
{
	uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(netif));

	netlink_address4_changed_locked(netif);
	if (ip == config.published_ip)
		return;
	config.published_ip = ip;
	if (ip == 0) {
		log_warn("net: the address was lost");
		return;
	}
	log_address(netif);
	boot_mark("network address");
	config.dns_changed = true;
	waitq_wake_all(&config.publisher);
}

static void start_static(struct net_device *d)
{
	ip4_addr_t address = { options.ip }, gateway = { options.gateway }, mask;
	uint32_t bits = MIN(options.prefix_bits, 32u);

	mask.addr = lwip_htonl(bits == 0 ? 0 : 0xffffffffu << (32 - bits));
	netif_set_addr(&d->netif, &address, &mask, &gateway);
	netlink_address4_changed_locked(&d->netif);
	log_address(&d->netif);
}

void config_start_locked(struct net_device *d)
{
	netif_set_default(&d->netif);
	if (options.ip_mode == OPTIONS_IP_STATIC) {
		start_static(d);
		return;
	}
	waitq_init(&config.publisher);
	if (thread_create_kernel("resolv", publish_resolv, NULL) != 0)
		log_error("net: no memory for the thread that writes /etc/resolv.conf");
	netif_set_status_callback(&d->netif, status_changed);
	config.fine_ns = config.coarse_ns = net_now_ns();
	if (dhcp_start(&d->netif) != ERR_OK) {
		log_error("net: DHCP could not be started: no memory");
		return;
	}
	config.device = d;
}

/* Coarse ticks until the lease asks for something; 0: now; UINT64_MAX: never. */
static uint64_t coarse_ticks_left(const struct dhcp *dhcp)
{
	uint64_t ticks = UINT64_MAX;

	if (dhcp->t0_timeout != 0)
		ticks = dhcp->t0_timeout > dhcp->lease_used ? dhcp->t0_timeout - dhcp->lease_used
							    : 0;
	if (dhcp->t1_renew_time != 0)
		ticks = MIN(ticks, dhcp->t1_renew_time);
	if (dhcp->t2_rebind_time != 0)
		ticks = MIN(ticks, dhcp->t2_rebind_time);
	return ticks;
}

uint64_t config_next_ns_locked(void)
{
	const struct dhcp *dhcp;
	uint64_t ticks;

	if (config.device == NULL)
		return TIME_NEVER_NS;
	dhcp = netif_dhcp_data(&config.device->netif);
	if (dhcp == NULL)
		return TIME_NEVER_NS;
	if (dhcp->request_timeout > 0)
		return config.fine_ns + FINE_NS;
	ticks = coarse_ticks_left(dhcp);
	return ticks == UINT64_MAX ? TIME_NEVER_NS : config.coarse_ns + MAX(ticks, 1u) * COARSE_NS;
}

void config_tick_locked(uint64_t now_ns)
{
	const struct dhcp *dhcp;

	if (config.device == NULL)
		return;
	dhcp = netif_dhcp_data(&config.device->netif);
	/* The fine ticks of a time without a question did not happen. */
	if (dhcp->request_timeout == 0)
		config.fine_ns = now_ns;
	else if (now_ns - config.fine_ns > 2 * FINE_NS)
		config.fine_ns = now_ns - FINE_NS;
	for (; config.fine_ns + FINE_NS <= now_ns; config.fine_ns += FINE_NS)
		dhcp_fine_tmr();
	for (; config.coarse_ns + COARSE_NS <= now_ns; config.coarse_ns += COARSE_NS)
		dhcp_coarse_tmr();
	netlink_address4_changed_locked(&config.device
						 ->netif); /* the gateway, of a renewed lease */
}

void config_set_dns_locked(unsigned index, uint32_t ip)
{
	if (index >= OPTIONS_DNS_MAX)
		return;
	config.dns[index] = ip;
	config.dns_count = 0;
	while (config.dns_count < OPTIONS_DNS_MAX && config.dns[config.dns_count] != 0)
		config.dns_count++;
}
