/*
 * ip_text.h: addresses of IPv4 and IPv6 as text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IP_TEXT_BYTES 46u /* of the longest, with the NUL */

/* A dotted quad without superfluous zeros at *s, which is advanced behind it, to 4 bytes in network
 * byte order. False: none there; *s and out are then of no use. */
bool ip_text_parse4(const char **s, void *out);
/* An address at *s in any form of RFC 4291 2.2 but with a zone; *s is advanced behind it. Network
 * byte order. False: none there; *s and out are then of no use. */
bool ip_text_parse6(const char **s, uint8_t out[16]);
/* The one form of RFC 5952. */
void ip_text_format6(char out[IP_TEXT_BYTES], const uint8_t address[16]);
