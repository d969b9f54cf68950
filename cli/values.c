/*
 * values.c: strict parsers for the values of options.
 *
 * What:       one function for each kind of value; nothing is guessed and nothing left over.
 * Invariants: (1) an output is written only on success.
 * Locking:    none; the command has one thread.
 * Failure:    one line, 125.
 * Source:     none.
 */
#include "cli/values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/mem.h"
#include "include/gosolo_abi.h"

enum { MEMORY_MIB_MIN = 4, MEMORY_MIB_MAX = 1024 * 1024 };

/* Decimal digits only; *end is the first byte after them. */
static bool read_number(const char *text, uint64_t max, uint64_t *value, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &stop, 10);
	*end = stop;
	return errno == 0 && *value <= max;
}

int value_parse_memory(const char *text, uint32_t *mib)
{
	uint64_t value, unit = 1;
	const char *end;

	if (!read_number(text, MEMORY_MIB_MAX, &value, &end))
		goto out_bad;
	if (*end == 'G' || *end == 'g')
		unit = 1024;
	else if (*end != 'M' && *end != 'm' && *end != 0)
		goto out_bad;
	if (*end && end[1] && strcmp(end + 1, "iB") != 0 && strcmp(end + 1, "B") != 0)
		goto out_bad;
	if (value * unit < MEMORY_MIB_MIN || value * unit > MEMORY_MIB_MAX)
		goto out_bad;
	*mib = (uint32_t)(value * unit);
	return 0;
out_bad:
	return report_fail(GOSOLO_CODE_FAILED,
		"-m %s: not a memory size from 4M to 1024G, for example 256M or 1G", text);
}

int value_parse_count(const char *option, const char *text, uint32_t max, uint32_t *count)
{
	uint64_t value;
	const char *end;

	if (!read_number(text, max, &value, &end) || *end || value == 0)
		return report_fail(GOSOLO_CODE_FAILED, "%s %s: not a number from 1 to %u", option,
			text, max);
	*count = (uint32_t)value;
	return 0;
}

int value_parse_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "", 1e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "m", 60e9 }, { "h", 3600e9 } };
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0]))
		goto out_bad;
	value = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (value * units[i].ns < 1e6 || value * units[i].ns > 1e18)
			break;
		*ns = (uint64_t)(value * units[i].ns);
		return 0;
	}
out_bad:
	return report_fail(GOSOLO_CODE_FAILED,
		"--timeout %s: not a duration, for example 10s, 500ms or 2m", text);
}

static bool read_port(const char *text, char stop, uint16_t *port, const char **rest)
{
	uint64_t value;
	const char *end;

	if (!read_number(text, 65535, &value, &end) || value == 0 || *end != stop)
		return false;
	*port = (uint16_t)value;
	*rest = end + (stop != 0);
	return true;
}

int value_parse_port(const char *text, struct port_forward *port)
{
	struct port_forward result = { .address = "" };
	char *copy = mem_copy_string(text), *slash = strchr(copy, '/');
	const char *rest = copy;
	const char *first = strchr(copy, ':');
	struct in_addr parsed;

	if (slash) {
		*slash = 0;
		result.is_udp = strcmp(slash + 1, "udp") == 0;
		if (!result.is_udp && strcmp(slash + 1, "tcp") != 0)
			goto out_bad;
	}
	if (first && strchr(first + 1, ':')) {
		size_t len = (size_t)(first - copy);

		if (len >= sizeof(result.address))
			goto out_bad;
		memcpy(result.address, copy, len);
		if (strcmp(result.address, "localhost") == 0)
			strcpy(result.address, "127.0.0.1");
		if (inet_pton(AF_INET, result.address, &parsed) != 1)
			goto out_bad;
		rest = first + 1;
	}
	if (!read_port(rest, ':', &result.host, &rest) || !read_port(rest, 0, &result.guest, &rest))
		goto out_bad;
	*port = result;
	free(copy);
	return 0;
out_bad:
	free(copy);
	return report_fail(GOSOLO_CODE_FAILED,
		"-p %s: not [ADDRESS:]HOST:GUEST[/udp], for example 8080:80 or "
		"127.0.0.1:5353:53/udp",
		text);
}

int value_check_address6(const char *option, const char *text, bool has_length)
{
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	struct in6_addr parsed;

	if (len < sizeof(address)) {
		memcpy(address, text, len);
		address[len] = 0;
		if (inet_pton(AF_INET6, address, &parsed) == 1 &&
			strcmp(text + len, has_length ? "/64" : "") == 0)
			return 0;
	}
	return report_fail(GOSOLO_CODE_FAILED, "%s %s: not an IPv6 address%s", option, text,
		has_length ? " with length 64, for example fd00::9/64" : "");
}

int value_check_address(const char *option, const char *text, bool has_length)
{
	char address[64];
	size_t len = strcspn(text, "/");
	struct in_addr parsed;
	uint64_t bits = 0;
	const char *end = "";

	if (len >= sizeof(address))
		goto out_bad;
	memcpy(address, text, len);
	address[len] = 0;
	if (inet_pton(AF_INET, address, &parsed) != 1 || (text[len] == '/') != has_length)
		goto out_bad;
	if (has_length && (!read_number(text + len + 1, 32, &bits, &end) || *end || bits == 0))
		goto out_bad;
	return 0;
out_bad:
	return report_fail(GOSOLO_CODE_FAILED, "%s %s: not an IPv4 address%s", option, text,
		has_length ? " with length, for example 192.168.1.9/24" : "");
}

int value_parse_add(const char *text, char **host, const char **guest)
{
	const char *colon = strrchr(text, ':');

	if (!colon || colon == text || colon[1] != '/')
		return report_fail(GOSOLO_CODE_FAILED,
			"--add %s: not HOST:GUEST with GUEST absolute, for example "
			"./static:/srv/static",
			text);
	*host = mem_copy_string(text);
	(*host)[colon - text] = 0;
	*guest = colon + 1;
	return 0;
}
