/*
 * net.h: the network's face towards boot: one call.
 */
#pragma once

#include "base/compiler.h"

/* Protocol code up, loopback up, addresses from the options on the first device. Never waits. */
void net_init(void);
