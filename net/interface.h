/*
 * interface.h: the machine's network interfaces, as facts: names, addresses, counters.
 *
 * All functions: LOCK_NET not held, nothing sleeps.
 */
#pragma once

#include "base/types.h"

#define INTERFACE_NAME_BYTES 16u /* with its end; Linux's IFNAMSIZ */

struct interface_counters {
	uint64_t rx_bytes, rx_packets, rx_dropped, tx_bytes, tx_packets, tx_dropped;
};

struct interface_facts {
	uint32_t index; /* as if_nametoindex tells it */
	char name[INTERFACE_NAME_BYTES];
	bool is_loopback, is_up;
	uint32_t mtu; /* bytes */
	uint8_t hardware[6];
	uint32_t ip4, mask4; /* network byte order; 0: none */
	struct interface_counters counters;
};

/* The n-th, from 0. False: there are not so many. */
bool interface_get_nth(unsigned n, struct interface_facts *out);
/* Index of the interface of that name, which has bytes and no end; 0: none. */
uint32_t interface_find(const char *name, uint32_t bytes);
/* False: no such interface. */
bool interface_name(uint32_t index, char name[INTERFACE_NAME_BYTES]);
