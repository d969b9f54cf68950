/*
 * number.c: numbers and sizes as text.
 *
 * What:       digits one by one; what does not fit is told, not cut.
 * Invariants: (1) nothing behind the first byte that is no digit is looked at.
 * Locking:    none; pure.
 * Failure:    false.
 * Source:     Linux, lib/cmdline.c memparse, for the letters.
 */
#include "lib/number.h"

bool number_parse(const char **s, uint64_t *out)
{
	uint64_t base = 10, value = 0;
	const char *p = *s;
	bool any = false;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	}
	for (;; p++) {
		int digit = number_hex_digit(*p);

		if (digit < 0 || (uint64_t)digit >= base)
			break;
		if (value > (UINT64_MAX - (uint64_t)digit) / base)
			return false;
		value = value * base + (uint64_t)digit;
		any = true;
	}
	*s = p;
	*out = value;
	return any;
}

bool number_parse_size(const char **s, uint64_t *out)
{
	unsigned shift = 0;

	if (!number_parse(s, out))
		return false;
	switch (**s) {
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	default:
		return true;
	}
	(*s)++;
	if (*out > (UINT64_MAX >> shift))
		return false;
	*out <<= shift;
	return true;
}
