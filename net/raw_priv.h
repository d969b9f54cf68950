/*
 * raw_priv.h: a raw or ping socket, shared by rawsocket.c and raw_input.c.
 */
#pragma once

#include "net/datagram_priv.h"

#define ECHO_BYTES 8u /* ICMP's echo header */

/* All fields [n]. */
struct raw_socket {
	struct datagram_socket d;
	LIST_ENTRY(raw_socket) link;
	uint8_t protocol; /* [I] */
	bool ping; /* [I] its port is the identifier */
	bool header_included;
	int32_t sum_offset; /* IPv6: where the packet's sum is; negative: none */
	uint32_t filter4; /* bit n set: ICMP's type n is not wanted */
	uint32_t filter6[8]; /* the same for ICMPv6 */
};

static inline struct raw_socket *raw_of(struct socket *s)
{
	return (struct raw_socket *)(void *)s;
}

/* raw_input.c: from now on, or no more, it is shown what comes. */
void raw_input_add_locked(struct raw_socket *r);
void raw_input_remove_locked(struct raw_socket *r);
