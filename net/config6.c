/*
 * config6.c: the first device's IPv6 addresses, and the seconds of neighbour discovery.
 *
 * What:       the link-local address, those from the options, and what routers advertise. Set-up
 *             begins a moment after boot, or when the first message comes, in the background: DAD
 *             for each, questions for routers.
 *             lwIP counts neighbour discovery in seconds; here they are run one by one while
 *             something is pending (an unanswered question, an address on trial), and made up for
 *             when the next packet comes otherwise.
 * Invariants: (1) with nothing pending there is no tick until a lifetime ends: an idle machine
 *             sleeps. (2) before lwIP looks at its tables all seconds that passed are counted.
 *             (3) a long sleep costs a bounded number of ticks: lifetimes are shortened in one
 *             step.
 * Locking:    LOCK_NET.
 * Failure:    an address that somebody else has: a log line, and it is not used.
 * Source:     RFC 4861, RFC 4862; lwIP 2.1.3 nd6.c (nd6_tmr: what each state waits for).
 */
#include <lwip/ip6.h>
#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>

#include "base/units.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "lib/ip_text.h"
#include "lib/string.h"
#include "net/net_priv.h"

#define START_DELAY_NS (200 * NS_PER_MS) /* what ends sooner needs no address */
#define TICK_NS (ND6_TMR_INTERVAL * NS_PER_MS)
#define TICKS_MAX 60u /* one by one; beyond, lifetimes only */

static struct {
	struct net_device *device; /* [I] NULL: no IPv6 beyond the loopback */
	bool started; /* [n] */
	bool pending; /* [n] */
	bool ticking; /* [n] lwIP's tick may send, and so come back here */
	uint64_t ticked_ns; /* [n] up to here seconds were counted */
	uint64_t expiry_ns; /* [n] when the first lifetime ends, while nothing is pending */
	uint8_t told[LWIP_IPV6_NUM_ADDRESSES]; /* [n] states that were logged */
	bool router_spoke; /* [n] what it said is not told yet */
	ip6_addr_t gateway; /* [I] */
} config6 = { .expiry_ns = TIME_NEVER_NS };

void config6_start_locked(struct net_device *d)
{
	if (options.ip6_mode == OPTIONS_IP6_NONE)
		return;
	config6.device = d;
	config6.ticked_ns = net_now_ns();
	config6.pending = true;
	memcpy(config6.gateway.addr, options.gateway6, sizeof(config6.gateway.addr));
	ip6_addr_assign_zone(&config6.gateway, IP6_UNICAST, &d->netif);
	netlink_ip6_changed_locked(); /* what is there from the start is no change later */
}

const ip6_addr_t *config6_gateway(void)
{
	return ip6_addr_isany(&config6.gateway) ? NULL : &config6.gateway;
}

/* ------------------------------------------------------------------ addresses */
static void log_address(struct netif *netif, unsigned i)
{
	char text[IP_TEXT_BYTES];

	ip_text_format6(text, (const uint8_t *)netif_ip6_addr(netif, i)->addr);
	if (ip6_addr_isduplicated(netif_ip6_addr_state(netif, i)))
		log_warn("net: address %s is somebody else's: not used", text);
	else
		log_info("net: address %s", text);
}

/* In the log: of all but the link-local one, and of trouble. */
static void tell_changes(struct netif *netif)
{
	unsigned i;

	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		uint8_t state = netif_ip6_addr_state(netif, i);
		bool usable = ip6_addr_isvalid(state),
		     was_usable = ip6_addr_isvalid(config6.told[i]);

		if ((usable && !was_usable && i != 0) ||
			(ip6_addr_isduplicated(state) && !ip6_addr_isduplicated(config6.told[i])))
			log_address(netif, i);
		if (usable && !was_usable && i != 0)
			boot_mark("IPv6 address");
		config6.told[i] = state;
	}
	netlink_ip6_changed_locked();
}

static void start(struct netif *netif)
{
	ip6_addr_t address;
	uint32_t i;

	config6.started = true;
	netif_set_ip6_autoconfig_enabled(netif, options.ip6_mode == OPTIONS_IP6_AUTO);
	if (options.ip6_mode == OPTIONS_IP6_STATIC)
		netif->rs_count = 0;
	netif_create_ip6_linklocal_address(netif, 1);
	for (i = 0; i < options.ip6_count; i++) {
		memset(&address, 0, sizeof(address));
		memcpy(address.addr, options.ip6[i], sizeof(address.addr));
		ip6_addr_assign_zone(&address, IP6_UNICAST, netif);
		netif_ip6_addr_set_parts(netif, (s8_t)(i + 1), address.addr[0], address.addr[1],
			address.addr[2], address.addr[3]);
		netif_ip6_addr_set_state(netif, (s8_t)(i + 1), IP6_ADDR_TENTATIVE);
	}
	multicast_wake_locked();
}

/* ------------------------------------------------------------------ time */
static bool is_address_pending(const struct netif *netif)
{
	unsigned i;

	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_istentative(netif_ip6_addr_state(netif, i)))
			return true;
	return netif->rs_count != 0;
}

/* A router that does not answer is asked for ever by lwIP: here until somebody sends again. */
static bool is_neighbour_pending(const struct nd6_neighbor_cache_entry *n)
{
	if (n->state == ND6_DELAY)
		return true;
	return (n->state == ND6_INCOMPLETE || n->state == ND6_PROBE) &&
		(!n->isrouter || n->counter.probes_sent <= LWIP_ND6_MAX_MULTICAST_SOLICIT);
}

static bool is_pending(void)
{
	struct netif *netif = &config6.device->netif;
	unsigned i;

	if (!netif_is_link_up(netif))
		return false;
	if (!config6.started || is_address_pending(netif))
		return true;
	for (i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++)
		if (is_neighbour_pending(&neighbor_cache[i]))
			return true;
	return false;
}

/* Of address, in seconds; for ever, when it is not in use. */
static uint32_t address_life(const struct netif *netif, unsigned i)
{
	uint32_t preferred = netif_ip6_addr_pref_life(netif, i);

	if (netif_ip6_addr_state(netif, i) == IP6_ADDR_INVALID || netif_ip6_addr_isstatic(netif, i))
		return IP6_ADDR_LIFE_INFINITE;
	return preferred != 0 ? preferred : netif_ip6_addr_valid_life(netif, i);
}

static uint64_t next_expiry_ns(const struct netif *netif)
{
	uint32_t life = IP6_ADDR_LIFE_INFINITE;
	unsigned i;

	for (i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		if (default_router_list[i].neighbor_entry != NULL)
			life = MIN(life, default_router_list[i].invalidation_timer);
	for (i = 0; i < LWIP_ND6_NUM_PREFIXES; i++)
		if (prefix_list[i].netif != NULL)
			life = MIN(life, prefix_list[i].invalidation_timer);
	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		life = MIN(life, address_life(netif, i));
	if (life == IP6_ADDR_LIFE_INFINITE)
		return TIME_NEVER_NS;
	return config6.ticked_ns + MAX(life, 1u) * TICK_NS;
}

/* (1) */
static void rest(void)
{
	config6.pending = is_pending();
	if (!config6.pending)
		config6.expiry_ns = next_expiry_ns(&config6.device->netif);
}

static uint32_t shorten(uint32_t life, uint64_t seconds)
{
	return life > seconds ? life - (uint32_t)seconds : MIN(life, 1u);
}

/* (3) */
static void shorten_lifetimes(struct netif *netif, uint64_t seconds)
{
	unsigned i;

	for (i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		default_router_list[i].invalidation_timer =
			shorten(default_router_list[i].invalidation_timer, seconds);
	for (i = 0; i < LWIP_ND6_NUM_PREFIXES; i++)
		prefix_list[i].invalidation_timer = shorten(prefix_list[i].invalidation_timer,
			seconds);
	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (netif_ip6_addr_isstatic(netif, i) ||
			ip6_addr_life_isinfinite(netif_ip6_addr_valid_life(netif, i)))
			continue;
		netif_ip6_addr_set_valid_life(netif, i,
			shorten(netif_ip6_addr_valid_life(netif, i), seconds));
		netif_ip6_addr_set_pref_life(netif, i,
			shorten(netif_ip6_addr_pref_life(netif, i), seconds));
	}
}

static void count_seconds(uint64_t now_ns)
{
	uint64_t ticks = (now_ns - config6.ticked_ns) / TICK_NS;

	if (ticks == 0 || config6.ticking)
		return;
	config6.ticking = true;
	config6.ticked_ns += ticks * TICK_NS;
	if (ticks > TICKS_MAX) {
		shorten_lifetimes(&config6.device->netif, ticks - TICKS_MAX);
		ticks = TICKS_MAX;
	}
	while (ticks-- != 0)
		nd6_tmr();
	tell_changes(&config6.device->netif);
	config6.ticking = false;
}

/* The first questions go with the next tick, which is due. */
static void begin(uint64_t now_ns)
{
	start(&config6.device->netif);
	config6.ticked_ns = now_ns - TICK_NS;
	config6.pending = true;
}

void config6_catch_up_locked(void)
{
	if (config6.device == NULL || !config6.started || config6.pending)
		return;
	count_seconds(net_now_ns()); /* (2) */
	rest();
}

/* A router may speak before we have begun: its prefix needs our link-local address. */
void config6_wake_locked(void)
{
	if (config6.device == NULL)
		return;
	if (!config6.started) {
		begin(net_now_ns());
		return;
	}
	if (!config6.pending)
		count_seconds(net_now_ns()); /* (2) */
	config6.pending = true;
}

/* By the timer, which is due at once: lwIP reads the message after us. */
void config6_router_spoke_locked(void)
{
	config6.router_spoke = config6.started;
}

void config6_link_changed_locked(void)
{
	config6_wake_locked();
	config6.pending = config6.device != NULL;
}

uint64_t config6_next_ns_locked(void)
{
	if (config6.router_spoke)
		return net_now_ns();
	if (!config6.pending)
		return config6.expiry_ns;
	return config6.ticked_ns + (config6.started ? TICK_NS : START_DELAY_NS);
}

void config6_tick_locked(uint64_t now_ns)
{
	if (config6.router_spoke) {
		config6.router_spoke = false;
		netlink_ip6_changed_locked();
	}
	if (now_ns < config6_next_ns_locked())
		return;
	if (!config6.started)
		begin(now_ns);
	count_seconds(now_ns);
	rest();
}
