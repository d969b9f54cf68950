/*
 * ip_text.c: addresses of IPv4 and IPv6 as text.
 *
 * What:       groups of hexadecimal digits, "::" once for the missing ones, and perhaps an IPv4
 *             address at the end.
 * Invariants: (1) never more than 16 bytes are written, whatever the text.
 * Locking:    none; pure.
 * Failure:    false for what is no address.
 * Source:     RFC 4291 2.2 (text), RFC 5952 4 (the canonical form).
 */
#include "lib/ip_text.h"

#include "lib/fmt.h"
#include "lib/number.h"
#include "lib/string.h"

#define GROUPS 8u

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ip_text_parse4(const char **s, void *out)
{
	uint8_t bytes[4];

	for (uint32_t i = 0; i < 4; i++) {
		uint32_t part;

		if (i > 0 && *(*s)++ != '.')
			return false;
		if (!is_digit(**s) || (**s == '0' && is_digit((*s)[1])))
			return false;
		for (part = 0; is_digit(**s) && part <= 255; (*s)++)
			part = part * 10 + (uint32_t)(**s - '0');
		if (part > 255)
			return false;
		bytes[i] = (uint8_t)part;
	}
	memcpy(out, bytes, sizeof(bytes));
	return true;
}

/* The last two groups as a dotted quad. */
static bool parse_quad(const char **s, uint16_t groups[2])
{
	uint8_t bytes[4];

	if (!ip_text_parse4(s, bytes))
		return false;
	groups[0] = (uint16_t)(bytes[0] << 8 | bytes[1]);
	groups[1] = (uint16_t)(bytes[2] << 8 | bytes[3]);
	return true;
}

static bool is_quad(const char *s)
{
	while (is_digit(*s))
		s++;
	return *s == '.';
}

static bool parse_group(const char **s, uint16_t *out)
{
	unsigned digits = 0, value = 0;

	for (; digits < 4 && number_hex_digit(**s) >= 0; digits++)
		value = value << 4 | (unsigned)number_hex_digit(*(*s)++);
	*out = (uint16_t)value;
	return digits != 0 && number_hex_digit(**s) < 0;
}

/* Groups up to the end of the address; *gap: how many came before "::"; GROUPS + 1: none. */
static bool parse_groups(const char **s, uint16_t *groups, uint32_t *count, uint32_t *gap)
{
	*count = 0;
	*gap = GROUPS + 1;
	if ((*s)[0] == ':' && (*s)[1] == ':') {
		*gap = 0;
		*s += 2;
		if (number_hex_digit(**s) < 0)
			return true;
	}
	for (;;) {
		if (is_quad(*s)) {
			*count += 2;
			return *count <= GROUPS && parse_quad(s, &groups[*count - 2]);
		}
		if (*count == GROUPS || !parse_group(s, &groups[(*count)++]))
			return false;
		if (**s != ':')
			return true;
		(*s)++;
		if (**s != ':')
			continue;
		if (*gap <= GROUPS)
			return false; /* twice */
		*gap = *count;
		(*s)++;
		if (number_hex_digit(**s) < 0)
			return true;
	}
}

bool ip_text_parse6(const char **s, uint8_t out[16])
{
	uint16_t groups[GROUPS] = { 0 };
	uint32_t count, gap, i, at;

	if (!parse_groups(s, groups, &count, &gap))
		return false;
	if (gap > GROUPS ? count != GROUPS : count == GROUPS)
		return false;
	memset(out, 0, 16);
	for (i = 0; i < count; i++) {
		at = i < gap ? i : i + GROUPS - count;
		out[2 * at] = (uint8_t)(groups[i] >> 8);
		out[2 * at + 1] = (uint8_t)groups[i];
	}
	return true;
}

static uint32_t group(const uint8_t *address, uint32_t i)
{
	return (uint32_t)address[2 * i] << 8 | address[2 * i + 1];
}

/* The first longest run of two zero groups or more. */
static void find_gap(const uint8_t *address, uint32_t *first, uint32_t *count)
{
	uint32_t i, run = 0;

	*first = *count = 0;
	for (i = 0; i < GROUPS; i++) {
		run = group(address, i) == 0 ? run + 1 : 0;
		if (run >= 2 && run > *count) {
			*count = run;
			*first = i + 1 - run;
		}
	}
}

void ip_text_format6(char out[IP_TEXT_BYTES], const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint32_t first, count, i, at = 0;

	if (memcmp(address, mapped, sizeof(mapped)) == 0) {
		(void)fmt_snprintf(out, IP_TEXT_BYTES, "::ffff:%u.%u.%u.%u", address[12],
			address[13], address[14], address[15]);
		return;
	}
	find_gap(address, &first, &count);
	out[0] = 0;
	for (i = 0; i < GROUPS; i++) {
		if (count != 0 && i == first) {
			at += (uint32_t)fmt_snprintf(out + at, IP_TEXT_BYTES - at, "::");
			i += count - 1;
			continue;
		}
		at += (uint32_t)fmt_snprintf(out + at, IP_TEXT_BYTES - at, "%s%x",
			at != 0 && out[at - 1] != ':' ? ":" : "", group(address, i));
	}
}
