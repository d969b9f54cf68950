/*
 * number.h: numbers and sizes as text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* -1: none. */
static inline int number_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits at *s, which is advanced behind them; base 10, or 16 behind 0x. False: none, or too big
 * for 64 bits; *s and *out are then of no use. */
bool number_parse(const char **s, uint64_t *out);
/* The same, and perhaps K, M or G of either case behind it, for powers of 1024, as Linux's memparse
 * takes them. */
bool number_parse_size(const char **s, uint64_t *out);
