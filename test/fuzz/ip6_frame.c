/*
 * ip6_frame.c: IPv6 frames with a good header.
 *
 * What:       see ip6_frame.h.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    none.
 * Source:     RFC 8200, RFC 4443 2.3.
 */
#include "test/fuzz/ip6_frame.h"

#include <string.h>

#define IP6_AT 14u
#define SOURCE_AT 22u
#define DESTINATION_AT 38u

/* A router, nobody yet, a host of the router's prefix, and ourselves. */
static const uint8_t sources[4][16] = {
	{ 0xfe, 0x80, [15] = 9 },
	{ 0 },
	{ 0x20, 1, 0x0d, 0xb8, [15] = 7 },
	{ 0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 1 },
};
/* Our link-local address, all nodes, our solicited-node group, our address of the prefix. */
static const uint8_t destinations[4][16] = {
	{ 0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 1 },
	{ 0xff, 2, [15] = 1 },
	{ 0xff, 2, [11] = 1, 0xff, 0, 0, 1 },
	{ 0x20, 1, 0x0d, 0xb8, [11] = 0xff, 0xfe, 0, 0, 1 },
};

/* Of what lies from at to end; addresses are in the frame already. */
static void set_icmp_sum(uint8_t *frame, uint32_t at, uint32_t end)
{
	uint32_t sum = IP6_ICMP + end - at, i;

	frame[at + 2] = frame[at + 3] = 0;
	for (i = SOURCE_AT; i < IP6_PAYLOAD_AT; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	for (i = at; i < end; i += 2)
		sum += (uint32_t)frame[i] << 8 | (i + 1 < end ? frame[i + 1] : 0);
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	frame[at + 2] = (uint8_t)(~sum >> 8);
	frame[at + 3] = (uint8_t)~sum;
}

/* Where the last header begins, behind extension headers; what it is goes to next. */
static uint32_t find_last_header(const uint8_t *frame, uint32_t end, unsigned *next)
{
	uint32_t at = IP6_PAYLOAD_AT;

	while (at + 8 <= end &&
		(*next == IP6_HOP_BY_HOP || *next == IP6_ROUTING || *next == IP6_DESTINATION)) {
		*next = frame[at];
		at += 8 + frame[at + 1] * 8u;
	}
	return at;
}

void ip6_frame_make(uint8_t *frame, unsigned next_header, unsigned pick, uint32_t bytes)
{
	static const uint8_t head[IP6_AT] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd };
	uint32_t end = IP6_PAYLOAD_AT + bytes, at;

	memcpy(frame, head, sizeof(head));
	memset(frame + IP6_AT, 0, 8);
	frame[IP6_AT] = 0x60;
	frame[IP6_AT + 4] = (uint8_t)(bytes >> 8);
	frame[IP6_AT + 5] = (uint8_t)bytes;
	frame[IP6_AT + 6] = (uint8_t)next_header;
	frame[IP6_AT + 7] = (pick & 16) != 0 ? 64 : 255;
	memcpy(frame + SOURCE_AT, sources[pick >> 2 & 3], 16);
	memcpy(frame + DESTINATION_AT, destinations[pick & 3], 16);
	at = find_last_header(frame, end, &next_header);
	if (next_header == IP6_ICMP && at + 4 <= end)
		set_icmp_sum(frame, at, end);
}
