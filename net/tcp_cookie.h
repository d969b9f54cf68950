/*
 * tcp_cookie.h: SYN cookies, for listeners whose queue of half-open connections is full.
 *
 * All functions: LOCK_NET held, nothing sleeps.
 */
#pragma once

#include <lwip/tcp.h>

#include "base/types.h"
#include "net/ip_packet.h"

void tcp_cookie_init_locked(void);
/* A segment with a good header, whose bucket is selected. True: it was taken. */
bool tcp_cookie_input_locked(struct ip_packet *in);
/* While a listener takes a SYN: true when that is made from a cookie that came back; pcb then has
 * the cookie's sequence number. */
bool tcp_cookie_redeem_locked(struct tcp_pcb *pcb);
/* There is no room for pcb: it is answered with a cookie, and is no more when that is sent. */
void tcp_cookie_offer_locked(struct tcp_pcb *pcb);
