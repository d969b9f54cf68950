/*
 * lwip_port_priv.h: the start of what lwIP stands on.
 */
#pragma once

void lwip_port_init(void); /* draws the key of the sequence numbers */
