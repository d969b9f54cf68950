/*
 * pack.h: writes the image: one ELF file that Linux runs and hypervisors boot.
 *
 * The layout, and why it is so: docs/image.md.
 */
#pragma once

#include "cli/archive.h"
#include "cli/elf_read.h"
#include "cli/goinfo.h"
#include "include/gosolo_abi.h"

struct pack_request {
	const struct elf_file *program; /* passed check_program */
	const struct go_info *go;
	const struct elf_file *kernel; /* passed pack_open_kernel */
	struct archive *archive; /* not yet laid out */
	const char *name; /* of the program, for reports and argv[0] */
	const char *defaults; /* command-line words; "" for none */
	uint32_t mem_mib; /* 0: no default */
	uint32_t cpus; /* 0: no default */
	bool is_transient; /* only to be booted now: no sections, symbols or debug information */
};

/* The kernel of this build, or the file when path is not NULL. Checks that it fits this command.
 * Reports 125. */
int pack_open_kernel(struct elf_file *kernel, const char *path) must_check;

/* Writes the image into the empty file fd. `out` is its name for reports. */
int pack_write(const struct pack_request *request, int fd, const char *out) must_check;

/* Finds the image information in a kernel or image; NULL: there is none, or it is not whole. */
const struct gosolo_image *pack_find_image(const struct elf_file *elf, struct gosolo_image *copy);
