/*
 * options.h: the kernel's command line, parsed once, in one place (syntax: gosolo_abi.h).
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

#define OPTIONS_MMIO_MAX 32u
#define OPTIONS_DNS_MAX 3u
#define OPTIONS_IP6_MAX 4u

struct options_mmio {
	uint64_t base_pa;
	uint32_t bytes;
	uint32_t irq;
};

enum options_ip { OPTIONS_IP_DHCP, OPTIONS_IP_STATIC, OPTIONS_IP_NONE };
enum options_ip6 { OPTIONS_IP6_AUTO, OPTIONS_IP6_STATIC, OPTIONS_IP6_NONE };

struct options {
	uint32_t argc; /* arg0 included */
	const char **argv;
	uint32_t envc;
	const char **envp; /* "K=V"; a later one of the same name has replaced the earlier */
	const char *cwd;
	const char *hostname;
	enum options_ip ip_mode;
	uint32_t ip, gateway; /* IPv4, network byte order */
	uint32_t prefix_bits;
	enum options_ip6 ip6_mode;
	uint8_t ip6[OPTIONS_IP6_MAX][16]; /* each with a prefix of 64 bits */
	uint32_t ip6_count;
	uint8_t gateway6[16]; /* all 0: from router advertisements */
	uint32_t dns[OPTIONS_DNS_MAX];
	uint32_t dns_count;
	bool tty[3];
	int log_level;
	bool strace;
	const char *strace_filter; /* NULL: all */
	bool stats;
	const char *selftest; /* NULL: none; see kernel/selftest.h */
	uint64_t tsc_khz;
	bool limits_memory; /* GOMEMLIMIT from the size of memory, unless there is one */
	uint64_t torture_seed; /* 0: off; debug builds */
	struct options_mmio mmio[OPTIONS_MMIO_MAX];
	uint32_t mmio_count;
};

extern struct options options; /* [I] after options_parse */

/* defaults first, then line; both are copied. -ENOMEM. Unknown words are logged. */
int options_parse(const char *defaults, const char *line) must_check;
/* Whether line has this word in front of the arguments, unescaped: for what memory itself depends
 * on, before anything can be parsed. */
bool options_has_word(const char *line, const char *word);
/* Once, when memory is as free as it will be: GOMEMLIMIT, if asked for and not set. */
void options_limit_memory(uint64_t free_bytes);
