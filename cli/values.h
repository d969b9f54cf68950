/*
 * values.h: strict parsers for the values of options. Each reports one line that names the option
 * and shows an example, and returns 125, when the text is not exactly such a value.
 */
#pragma once

#include <stdint.h>

#include "cli/report.h"

struct port_forward {
	char address[64]; /* "": every address of the host */
	uint16_t host;
	uint16_t guest;
	bool is_udp;
};

int value_parse_memory(const char *text, uint32_t *mib) must_check; /* 256M, 1G, 256 (MiB) */
int value_parse_count(const char *option, const char *text, uint32_t max,
	uint32_t *count) must_check;
int value_parse_duration(const char *text, uint64_t *ns) must_check; /* 1.5s 200ms 2m 1h 10 */
int value_parse_port(const char *text, struct port_forward *port) must_check;
int value_check_address(const char *option, const char *text, bool has_length) must_check;
/* The same for IPv6, whose length is 64. */
int value_check_address6(const char *option, const char *text, bool has_length) must_check;
/* HOST:GUEST with GUEST absolute; *host is allocated, *guest points into text. */
int value_parse_add(const char *text, char **host, const char **guest) must_check;
