/*
 * options.c: the kernel's command line.
 *
 * What:       both lines are copied, cut into words and unescaped in place; each word finds its
 *             handler in a table. argv and envp point into the copies.
 * Invariants: (1) a word is never longer unescaped than escaped. (2) argv and envp have room for
 *             one entry per word, arg0 and the final NULL.
 * Locking:    none: boot only, then read-only.
 * Failure:    -ENOMEM. A word that cannot be understood is one log line and changes nothing.
 * Source:     include/gosolo_abi.h, "kernel command line"; Linux's virtio_mmio.device syntax.
 */
#include "kernel/options.h"

#include "base/errno.h"
#include "base/units.h"
#include "gosolo_abi.h"
#include "kernel/image.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "lib/fmt.h"
#include "lib/ip_text.h"
#include "lib/number.h"
#include "lib/string.h"

#define HOSTNAME_MAX 64u
#define MMIO_BYTES_MIN 0x100u
#define PA_MAX (1ull << 52)
/* Of memory that is free at the start, the rest is for sockets, threads, files, page tables. */
#define MEMORY_LIMIT_PART(bytes) ((bytes) / 8 * 7)
#define MEMORY_LIMIT_MIN_BYTES (8 * MIB) /* below, Go would only collect garbage */

struct options options = {
	.cwd = "/",
	.hostname = "gosolo",
	.ip_mode = OPTIONS_IP_DHCP,
	.log_level = GOSOLO_LOG_INFO,
};

/* A '%' that no two hexadecimal digits follow stands for itself. */
static void unescape(char *word)
{
	char *out = word;

	while (*word) {
		int high = *word == '%' ? number_hex_digit(word[1]) : -1;
		int low = high >= 0 ? number_hex_digit(word[2]) : -1;

		if (low >= 0) {
			*out++ = (char)(high << 4 | low);
			word += 3;
		} else {
			*out++ = *word++;
		}
	}
	*out = 0;
}

static bool set_ip(char *value)
{
	const char *s = value;
	uint64_t prefix = 32;
	uint32_t ip;

	if (strcmp(value, "dhcp") == 0) {
		options.ip_mode = OPTIONS_IP_DHCP;
		return true;
	}
	if (strcmp(value, "none") == 0) {
		options.ip_mode = OPTIONS_IP_NONE;
		return true;
	}
	if (!ip_text_parse4(&s, &ip))
		return false;
	if (*s == '/') {
		s++;
		if (!number_parse(&s, &prefix))
			return false;
	}
	if (*s || prefix > 32)
		return false;
	options.ip_mode = OPTIONS_IP_STATIC;
	options.ip = ip;
	options.prefix_bits = (uint32_t)prefix;
	return true;
}

/* lwIP's own addresses have prefixes of 64 bits, so no others are taken. */
static bool add_ip6(char *value)
{
	const char *s = value;

	if (strcmp(value, "auto") == 0 || strcmp(value, "none") == 0) {
		options.ip6_mode = *value == 'a' ? OPTIONS_IP6_AUTO : OPTIONS_IP6_NONE;
		return true;
	}
	if (options.ip6_count == OPTIONS_IP6_MAX ||
		!ip_text_parse6(&s, options.ip6[options.ip6_count]) || strcmp(s, "/64") != 0)
		return false;
	options.ip6_mode = OPTIONS_IP6_STATIC;
	options.ip6_count++;
	return true;
}

static bool set_gateway6(char *value)
{
	uint8_t address[16];
	const char *s = value;

	if (!ip_text_parse6(&s, address) || *s)
		return false;
	memcpy(options.gateway6, address, sizeof(address));
	return true;
}

static bool set_gateway(char *value)
{
	const char *s = value;
	uint32_t ip;

	if (!ip_text_parse4(&s, &ip) || *s)
		return false;
	options.gateway = ip;
	return true;
}

static bool add_dns(char *value)
{
	const char *s = value;
	uint32_t ip;

	if (!ip_text_parse4(&s, &ip) || *s || options.dns_count == OPTIONS_DNS_MAX)
		return false;
	options.dns[options.dns_count++] = ip;
	return true;
}

static bool add_env(char *value)
{
	const char *equals = strchr(value, '=');
	size_t name_bytes;

	if (!equals || equals == value)
		return false;
	name_bytes = (size_t)(equals - value) + 1;
	for (uint32_t i = 0; i < options.envc; i++)
		if (strncmp(options.envp[i], value, name_bytes) == 0) {
			options.envp[i] = value;
			return true;
		}
	options.envp[options.envc++] = value; /* (2) */
	return true;
}

static bool set_arg0(char *value)
{
	options.argv[0] = value;
	return true;
}

static bool set_cwd(char *value)
{
	if (*value != '/')
		return false;
	options.cwd = value;
	return true;
}

static bool set_hostname(char *value)
{
	if (*value == 0 || strlen(value) > HOSTNAME_MAX)
		return false;
	options.hostname = value;
	return true;
}

static bool set_tty(char *value)
{
	for (const char *s = value; *s; s++)
		if (*s < '0' || *s > '2')
			return false;
	for (const char *s = value; *s; s++)
		options.tty[*s - '0'] = true;
	return true;
}

static bool set_log(char *value)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };

	for (int i = 0; i < (int)ARRAY_LEN(levels); i++)
		if (strcmp(value, levels[i]) == 0) {
			options.log_level = i;
			return true;
		}
	return false;
}

static bool set_strace(char *value)
{
	options.strace = true;
	options.strace_filter = value; /* NULL: the word stood alone */
	return true;
}

static bool set_stats(char *value unused_arg)
{
	options.stats = true;
	return true;
}

static bool set_selftest(char *value)
{
	options.selftest = value;
	return true;
}

static bool set_torture(char *value)
{
	const char *s = value;

	return number_parse(&s, &options.torture_seed) && !*s;
}

static bool set_ram(char *value)
{
	return strcmp(value, "zero") == 0; /* boot has looked for it: options_has_word */
}

static bool set_memory_limit(char *value)
{
	options.limits_memory = strcmp(value, "auto") == 0;
	return options.limits_memory;
}

static bool set_tsc_khz(char *value)
{
	const char *s = value;
	uint64_t khz;

	if (!number_parse(&s, &khz) || *s)
		return false;
	options.tsc_khz = khz;
	return true;
}

/* SIZE@ADDR:IRQ, and Linux's optional :ID, which says nothing to us. */
static bool add_mmio(char *value)
{
	uint64_t bytes, base, irq, id;
	const char *s = value;

	if (!number_parse_size(&s, &bytes) || *s++ != '@' || !number_parse_size(&s, &base) ||
		*s++ != ':' || !number_parse(&s, &irq))
		return false;
	if (*s == ':') {
		s++;
		if (!number_parse(&s, &id))
			return false;
	}
	if (*s || options.mmio_count == OPTIONS_MMIO_MAX || bytes < MMIO_BYTES_MIN ||
		bytes > UINT32_MAX || base >= PA_MAX || base % 4 != 0 || irq > UINT32_MAX)
		return false;
	options.mmio[options.mmio_count++] = (struct options_mmio){
		.base_pa = base, .bytes = (uint32_t)bytes, .irq = (uint32_t)irq
	};
	return true;
}

static const struct {
	const char *name;
	bool (*set)(char *value);
	bool has_value; /* "name=value"; else the bare word */
} words[] = {
	{ "env", add_env, true },
	{ "arg0", set_arg0, true },
	{ "cwd", set_cwd, true },
	{ "hostname", set_hostname, true },
	{ "ip", set_ip, true },
	{ "gw", set_gateway, true },
	{ "dns", add_dns, true },
	{ "ip6", add_ip6, true },
	{ "gw6", set_gateway6, true },
	{ "tty", set_tty, true },
	{ "log", set_log, true },
	{ "strace", set_strace, true },
	{ "strace", set_strace, false },
	{ "stats", set_stats, false },
	{ "selftest", set_selftest, true },
	{ "torture", set_torture, true },
	{ "tsc_khz", set_tsc_khz, true },
	{ "ram", set_ram, true },
	{ "memlimit", set_memory_limit, true },
	{ "virtio_mmio.device", add_mmio, true },
};

static void set_word(char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t bytes = strlen(words[i].name);

		if (strncmp(word, words[i].name, bytes) != 0)
			continue;
		if (words[i].has_value && word[bytes] == '=') {
			if (!words[i].set(word + bytes + 1))
				log_warn("command line: cannot use \"%s\"", word);
			return;
		}
		if (!words[i].has_value && word[bytes] == 0) {
			(void)words[i].set(NULL);
			return;
		}
	}
	log_warn("command line: unknown word \"%s\"", word);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool options_has_word(const char *line, const char *word)
{
	size_t bytes = strlen(word);

	for (;;) {
		size_t length = 0;

		while (is_blank(*line))
			line++;
		while (line[length] && !is_blank(line[length]))
			length++;
		if (length == 0 || (length == 2 && strncmp(line, "--", 2) == 0))
			return false;
		if (length == bytes && strncmp(line, word, bytes) == 0)
			return true;
		line += length;
	}
}

static uint32_t count_words(const char *line)
{
	uint32_t count = 0;

	for (; *line; line++)
		if (!is_blank(*line) && (is_blank(line[1]) || line[1] == 0))
			count++;
	return count;
}

static void parse_line(char *line)
{
	bool are_arguments = false;

	while (*line) {
		char *word = line;
		bool is_end;

		if (is_blank(*line)) {
			line++;
			continue;
		}
		while (*line && !is_blank(*line))
			line++;
		is_end = *line == 0;
		*line = 0;
		if (are_arguments) {
			unescape(word);
			options.argv[options.argc++] = word; /* (2) */
		} else if (strcmp(word, "--") == 0) {
			are_arguments = true;
		} else {
			unescape(word); /* (1) */
			set_word(word);
		}
		if (!is_end)
			line++;
	}
}

int options_parse(const char *defaults, const char *line)
{
	size_t defaults_bytes = strlen(defaults) + 1, line_bytes = strlen(line) + 1;
	size_t program_bytes = strnlen(gosolo_image.program, sizeof(gosolo_image.program));
	uint32_t entries = count_words(defaults) + count_words(line) + 2;
	char *copy = kmem_alloc(defaults_bytes + line_bytes + program_bytes + 2), *arg0;

	options.argv = kmem_zalloc(entries * sizeof(*options.argv));
	options.envp = kmem_zalloc(entries * sizeof(*options.envp));
	if (!copy || !options.argv || !options.envp)
		return -ENOMEM;
	memcpy(copy, defaults, defaults_bytes);
	memcpy(copy + defaults_bytes, line, line_bytes);
	arg0 = copy + defaults_bytes + line_bytes;
	arg0[0] = '/';
	memcpy(arg0 + 1, gosolo_image.program, program_bytes);
	arg0[1 + program_bytes] = 0;
	options.argv[0] = arg0;
	options.argc = 1;
	parse_line(copy);
	parse_line(copy + defaults_bytes);
	log_set_level((enum gosolo_log_level)options.log_level);
	return 0;
}

void options_limit_memory(uint64_t free_bytes)
{
	static const char name[] = "GOMEMLIMIT=";
	static char text[40];
	uint64_t limit = MAX(MEMORY_LIMIT_PART(free_bytes), MEMORY_LIMIT_MIN_BYTES);

	if (!options.limits_memory)
		return;
	for (uint32_t i = 0; i < options.envc; i++)
		if (strncmp(options.envp[i], name, sizeof(name) - 1) == 0)
			return;
	fmt_snprintf(text, sizeof(text), "%s%llu", name, (unsigned long long)limit);
	(void)add_env(text); /* (2): the word that asked for it left room */
}
