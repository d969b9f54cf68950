/*
 * ip_text.h: IPv6 addresses as text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IP_TEXT_BYTES 46u /* of the longest, with the NUL */

/* An address at *s in any form of RFC 4291 2.2 but with a zone; *s is advanced behind it. Network
 * byte order. False: none there; *s and out are then of no use. */
bool ip_text_parse6(const char **s, uint8_t out[16]);
/* The one form of RFC 5952. */
void ip_text_format6(char out[IP_TEXT_BYTES], const uint8_t address[16]);
