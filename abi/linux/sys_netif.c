/*
 * sys_netif.c: what ioctl tells of network interfaces, on any socket (SIOCGIF*).
 *
 * What:       an interface by its name, its name by its index, and a list of all that have an IPv4
 *             address. Addresses are told on IPv4's and packet sockets only, as on Linux.
 * Invariants: none.
 * Locking:    none.
 * Failure:    -ENOTTY another command, -ENODEV no such interface, -EADDRNOTAVAIL it has no address,
 *             -EOPNOTSUPP what ethtool asks, -EFAULT. CAVEAT: nothing can be set (SIOCSIF*).
 * Source:     Linux netdevice(7); net/core/dev_ioctl.c, net/ipv4/devinet.c.
 */
#include <linux/if_arp.h>
#include <linux/sockios.h>

#include "abi/linux/sys_net_priv.h"
#include "base/assert.h"
#include "lib/string.h"
#include "net/interface.h"

#define INTERFACES_MAX 8u
#define QUEUE_PACKETS 1000 /* SIOCGIFTXQLEN: what Linux's have */

enum { FLAG_UP = 0x1, FLAG_BROADCAST = 0x2, FLAG_LOOPBACK = 0x8, FLAG_RUNNING = 0x40 };
#define FLAG_MULTICAST 0x1000

struct linux_ifreq {
	char name[INTERFACE_NAME_BYTES];
	uint8_t value[24];
};

struct linux_ifconf {
	int32_t bytes, pad;
	uint64_t list;
};

STATIC_ASSERT(sizeof(struct linux_ifreq) == 40, "Linux struct ifreq");
STATIC_ASSERT(sizeof(struct linux_ifconf) == 16, "Linux struct ifconf");

static bool find(const char *name, struct interface_facts *i)
{
	unsigned n;

	for (n = 0; interface_get_nth(n, i); n++)
		if (strcmp(i->name, name) == 0)
			return true;
	return false;
}

static void put_int(struct linux_ifreq *r, int32_t value)
{
	memcpy(r->value, &value, sizeof(value));
}

static void put_flags(struct linux_ifreq *r, const struct interface_facts *i)
{
	int16_t flags = FLAG_UP;

	flags |= i->is_loopback ? FLAG_LOOPBACK : FLAG_BROADCAST | FLAG_MULTICAST;
	if (i->is_up)
		flags |= FLAG_RUNNING;
	memcpy(r->value, &flags, sizeof(flags));
}

static void put_hardware(struct linux_ifreq *r, const struct interface_facts *i)
{
	uint16_t kind = i->is_loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;

	memset(r->value, 0, sizeof(r->value));
	memcpy(r->value, &kind, sizeof(kind));
	memcpy(r->value + sizeof(kind), i->hardware, sizeof(i->hardware));
}

static void put_ip(struct linux_ifreq *r, uint32_t ip)
{
	uint16_t family = SOCKET_INET;

	memset(r->value, 0, 16); /* struct sockaddr_in; Linux leaves the rest, too */
	memcpy(r->value, &family, sizeof(family));
	memcpy(r->value + 4, &ip, sizeof(ip));
}

/* -ENOTTY: none of them. */
static int tell(uint32_t command, const struct interface_facts *i, struct linux_ifreq *r)
{
	switch (command) {
	case SIOCGIFINDEX:
		put_int(r, (int32_t)i->index);
		return 0;
	case SIOCGIFFLAGS:
		put_flags(r, i);
		return 0;
	case SIOCGIFMTU:
		put_int(r, (int32_t)i->mtu);
		return 0;
	case SIOCGIFMETRIC:
		put_int(r, 0);
		return 0;
	case SIOCGIFTXQLEN:
		put_int(r, QUEUE_PACKETS);
		return 0;
	case SIOCGIFHWADDR:
		put_hardware(r, i);
		return 0;
	case SIOCETHTOOL:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}

static int tell_ip(uint32_t command, const struct interface_facts *i, struct linux_ifreq *r)
{
	if (i->ip4 == 0)
		return -EADDRNOTAVAIL;
	switch (command) {
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
		put_ip(r, i->ip4);
		return 0;
	case SIOCGIFNETMASK:
		put_ip(r, i->mask4);
		return 0;
	default:
		put_ip(r, i->is_loopback ? 0 : i->ip4 | ~i->mask4);
		return 0;
	}
}

static bool is_of_ip(uint32_t command)
{
	return command == SIOCGIFADDR || command == SIOCGIFDSTADDR || command == SIOCGIFBRDADDR ||
		command == SIOCGIFNETMASK;
}

static bool is_known(uint32_t command)
{
	struct interface_facts none = { .index = 0 };
	struct linux_ifreq r;

	return is_of_ip(command) || tell(command, &none, &r) != -ENOTTY;
}

/* By name; what follows a ':' names one of several addresses, of which there is one here. */
static int ask(struct file *f, uint32_t command, uaddr_t arg)
{
	struct interface_facts i;
	struct linux_ifreq r;
	int error;

	if (is_of_ip(command) && socket_family(f) != SOCKET_INET &&
		socket_family(f) != SOCKET_PACKET)
		return -ENOTTY;
	error = user_copy_in(&r, arg, sizeof(r));
	if (error != 0)
		return error;
	r.name[sizeof(r.name) - 1] = 0;
	if (!find(r.name, &i))
		return -ENODEV;
	error = is_of_ip(command) ? tell_ip(command, &i, &r) : tell(command, &i, &r);
	return error != 0 ? error : user_copy_out(arg, &r, sizeof(r));
}

static int ask_name(uaddr_t arg)
{
	struct linux_ifreq r;
	int32_t index;
	int error = user_copy_in(&r, arg, sizeof(r));

	if (error != 0)
		return error;
	memcpy(&index, r.value, sizeof(index));
	if (!interface_name((uint32_t)index, r.name))
		return -ENODEV;
	return user_copy_out(arg, &r, sizeof(r));
}

/* Without a list: how long it would be. */
static int ask_all(uaddr_t arg)
{
	struct linux_ifreq all[INTERFACES_MAX];
	struct linux_ifconf conf;
	struct interface_facts i;
	uint32_t count = 0;
	unsigned n;
	int error = user_copy_in(&conf, arg, sizeof(conf));

	if (error != 0)
		return error;
	for (n = 0; count < INTERFACES_MAX && interface_get_nth(n, &i); n++) {
		if (i.ip4 == 0)
			continue;
		memset(&all[count], 0, sizeof(all[count]));
		memcpy(all[count].name, i.name, sizeof(i.name));
		put_ip(&all[count++], i.ip4);
	}
	if (conf.list != 0) {
		count = MIN(count, (uint32_t)MAX(conf.bytes, 0) / (uint32_t)sizeof(all[0]));
		error = user_copy_out(conf.list, all, count * sizeof(all[0]));
	}
	conf.bytes = (int32_t)(count * sizeof(all[0]));
	return error != 0 ? error : user_copy_out(arg, &conf, sizeof(conf));
}

int linux_interface_ioctl(struct file *f, uint32_t command, uaddr_t arg)
{
	if (!socket_is(f))
		return -ENOTTY;
	if (command == SIOCGIFCONF)
		return ask_all(arg);
	if (command == SIOCGIFNAME)
		return ask_name(arg);
	return is_known(command) ? ask(f, command, arg) : -ENOTTY;
}
