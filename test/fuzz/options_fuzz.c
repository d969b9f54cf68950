/* sources: kernel/options.c lib/ip_text.c lib/fmt.c lib/number.c test/unit/shim/host.c
 * test/fuzz/fuzz_memory.c */
/*
 * options_fuzz.c: any text as the kernel's command line.
 *
 * What:       the input up to its first newline is the image's defaults, the rest the line.
 * Invariants: (1) argv and envp end with NULL and hold as many strings as they say. (2) addresses,
 *             counts and prefixes are in range.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     include/gosolo_abi.h, "kernel command line".
 */
#include "kernel/options.h"

#include <string.h>

#include "host.h"
#include "test/fuzz/fuzz_memory.h"
#include "kernel/image.h"
#include "kernel/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct gosolo_image gosolo_image = { .program = "prog" };

void klog(enum gosolo_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

void log_set_level(enum gosolo_log_level level)
{
	CHECK(level >= GOSOLO_LOG_ERROR && level <= GOSOLO_LOG_DEBUG);
}

static void check_strings(const char **list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		CHECK(list[i] != NULL && strlen(list[i]) < 65536); /* (1) */
	CHECK(list[count] == NULL);
}

static void check(void)
{
	check_strings(options.argv, options.argc);
	check_strings(options.envp, options.envc);
	CHECK(options.argc >= 1);
	for (uint32_t i = 0; i < options.envc; i++)
		CHECK(strchr(options.envp[i], '=') > options.envp[i]);
	CHECK(options.cwd[0] == '/' && options.hostname[0] && strlen(options.hostname) <= 64);
	CHECK(options.prefix_bits <= 128 && options.dns_count <= OPTIONS_DNS_MAX); /* (2) */
	CHECK(options.mmio_count <= OPTIONS_MMIO_MAX);
	for (uint32_t i = 0; i < options.mmio_count; i++)
		CHECK(options.mmio[i].base_pa < 1ull << 52 && options.mmio[i].base_pa % 4 == 0 &&
			options.mmio[i].bytes >= 0x100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct options pristine;
	static bool is_set;
	char *text = malloc(size + 2), *line;

	if (!is_set)
		pristine = options;
	is_set = true;
	options = pristine;
	memcpy(text, data, size);
	text[size] = text[size + 1] = 0;
	line = strchr(text, '\n');
	if (line)
		*line++ = 0;
	else
		line = text + size + 1;
	if (options_parse(text, line) == 0)
		check();
	free(text);
	fuzz_memory_reset();
	return 0;
}
