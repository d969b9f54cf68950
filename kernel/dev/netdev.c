/*
 * netdev.c: where network drivers and protocol code find each other.
 *
 * What:       a list of devices in the order in which they were found.
 * Invariants: none.
 * Locking:    none: written at boot only.
 * Failure:    none.
 * Source:     none.
 */
#include "kernel/dev/netdev.h"

#include "base/assert.h"

static struct {
	struct netdev *first; /* [I] after boot */
} netdev;

void netdev_register(struct netdev *dev)
{
	struct netdev **link = &netdev.first;

	ASSERT(dev->ops && !dev->receiver);
	while (*link)
		link = &(*link)->next;
	dev->next = NULL;
	*link = dev;
}

struct netdev *netdev_first(void)
{
	return netdev.first;
}

void netdev_attach(struct netdev *dev, const struct netdev_receiver *r, void *data)
{
	ASSERT(!dev->receiver);
	dev->receiver_data = data;
	/* Last: from now on the driver's interrupt calls it. */
	compiler_barrier();
	dev->receiver = r;
}
