/*
 * tcp_recovery.h: which TCP segments are lost, and how the sender recovers.
 */
#pragma once

#include "base/types.h"

struct tcp_pcb;

/* The options, already found well-formed, of the segment that lwIP is going to see. LOCK_NET. */
void tcp_recovery_see_options_locked(const uint8_t *option, uint32_t bytes);
/* The handshake is over: its round trip is the first that is known. LOCK_NET. */
void tcp_recovery_start_locked(struct tcp_pcb *pcb);
