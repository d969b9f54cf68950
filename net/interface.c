/*
 * interface.c: the machine's network interfaces, as facts: names, addresses, counters.
 *
 * What:       the loopback first, then the device. What /proc/net/dev, /sys/class/net and
 *             SO_BINDTODEVICE tell and look up.
 * Invariants: none.
 * Locking:    takes LOCK_NET.
 * Failure:    none; what is not there is said.
 * Source:     Linux include/uapi/linux/if.h; names as net/netlink_facts.c tells them.
 */
#include "net/interface.h"

#include "lib/string.h"
#include "net/address.h"
#include "net/net_priv.h"

static const char *text_of(const struct netif *netif)
{
	return netif == loopback_netif() ? "lo" : "eth0";
}

static struct netif *nth(unsigned n)
{
	if (n == 0)
		return loopback_netif();
	return n == 1 && device_first() != NULL ? &device_first()->netif : NULL;
}

bool interface_get_nth(unsigned n, struct interface_facts *out)
{
	const struct netif *netif;

	memset(out, 0, sizeof(*out));
	net_lock();
	netif = nth(n);
	if (netif != NULL) {
		out->index = netif_get_index(netif);
		memcpy(out->name, text_of(netif), strlen(text_of(netif)));
		out->is_loopback = netif == loopback_netif();
		out->is_up = netif_is_up(netif) && netif_is_link_up(netif);
		out->mtu = netif->mtu;
		memcpy(out->hardware, netif->hwaddr, sizeof(out->hardware));
		out->ip4 = ip4_addr_get_u32(netif_ip4_addr(netif));
		out->mask4 = ip4_addr_get_u32(netif_ip4_netmask(netif));
		out->counters = out->is_loopback ? loopback_counters_locked()
						 : device_counters_locked();
	}
	net_unlock_batch();
	return netif != NULL;
}

uint32_t interface_find(const char *name, uint32_t bytes)
{
	const struct netif *netif;
	uint32_t index = 0;
	unsigned n;

	net_lock();
	for (n = 0; (netif = nth(n)) != NULL; n++)
		if (strlen(text_of(netif)) == bytes && memcmp(text_of(netif), name, bytes) == 0)
			index = netif_get_index(netif);
	net_unlock_batch();
	return index;
}

bool interface_name(uint32_t index, char name[INTERFACE_NAME_BYTES])
{
	const struct netif *netif;

	memset(name, 0, INTERFACE_NAME_BYTES);
	net_lock();
	netif = net_interface_locked(index);
	if (netif != NULL)
		memcpy(name, text_of(netif), strlen(text_of(netif)));
	net_unlock_batch();
	return netif != NULL;
}
