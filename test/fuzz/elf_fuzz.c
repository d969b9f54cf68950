/* sources: cli/elf_read.c cli/goinfo.c cli/check.c cli/image_check.c cli/pack.c cli/io.c
 * cli/pack_sections.c cli/archive.c cli/archive_write.c cli/mem.c build:cli/kernel_blob.o */
/*
 * elf_fuzz.c: any bytes as a program, and as an image.
 *
 * What:       what is parsed is looked at as inspect and run do; what would be accepted as a
 *             program is packed, and as an image has its archive walked.
 * Invariants: (1) what the packer makes of an accepted program, the checks accept.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     cli/elf_read.h, cli/pack.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/image_check.h"
#include "cli/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char said[512];

int report_fail(int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(said, sizeof(said), fmt, args);
	va_end(args);
	return code;
}

void report_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(said, sizeof(said), fmt, args);
	va_end(args);
}

static void pack(const struct elf_file *program, const struct go_info *go)
{
	struct elf_file kernel, image;
	struct pack_request request = {
		.program = program,
		.go = go,
		.kernel = &kernel,
		.archive = archive_create(),
		.name = "fuzz",
		.defaults = "",
	};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	said[0] = 0;
	if (pack_open_kernel(&kernel, NULL) != 0)
		abort();
	if (pack_write(&request, fd, "fuzz") == 0) {
		if (elf_map(&image, fd, "fuzz") != 0 || elf_parse(&image) != 0 ||
			image_check(&image) != 0) { /* (1) */
			fprintf(stderr, "a packed image is refused: %s; %s\n", image.reason, said);
			abort();
		}
		elf_close(&image);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file elf = { .path = "fuzz" };
	struct gosolo_image image;
	struct go_info go;
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	elf.data = copy;
	elf.size_bytes = size;
	if (elf_parse(&elf) == 0) {
		uint64_t value;

		goinfo_read(&elf, &go);
		(void)elf_find_symbol(&elf, "runtime.text", &value);
		if (pack_find_image(&elf, &image))
			(void)!image_check(&elf);
		if (check_program(&elf, &go) == 0)
			pack(&elf, &go);
		free(elf.phdrs);
		free(elf.shdrs);
	}
	free(copy);
	return 0;
}
