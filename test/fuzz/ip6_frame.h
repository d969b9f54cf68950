/*
 * ip6_frame.h: IPv6 frames with a good header, around what a fuzzer's input says.
 */
#pragma once

#include "base/types.h"

#define IP6_PAYLOAD_AT 54

enum {
	IP6_HOP_BY_HOP = 0,
	IP6_TCP = 6,
	IP6_UDP = 17,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	IP6_ICMP = 58,
	IP6_DESTINATION = 60,
};

/* Ethernet's and IPv6's headers in front of bytes that lie at IP6_PAYLOAD_AT. pick chooses source,
 * destination and hop limit among those that matter to neighbour discovery. ICMPv6 gets a good
 * sum, also behind extension headers. */
void ip6_frame_make(uint8_t *frame, unsigned next_header, unsigned pick, uint32_t bytes);
