/*
 * pack_priv.h: the plan of an image, shared by pack.c (what goes where) and pack_sections.c
 * (section headers, symbols, debug information).
 */
#pragma once

#include "cli/io.h"
#include "cli/pack.h"

enum {
	PACK_PAGE_BYTES = 4096,
	PACK_PHDRS_MAX = 40,
};

#define PACK_BASE 0x200000ull /* p_vaddr - p_offset of every segment but a far archive */
#define PACK_ALIGN 0x200000ull /* p_align of every PT_LOAD */

struct pack_plan {
	const struct pack_request *request;
	Elf64_Ehdr header;
	Elf64_Phdr phdrs[PACK_PHDRS_MAX];
	size_t phdr_count;
	uint8_t multiboot[64];
	uint64_t multiboot_off; /* in the header page; 0: the kernel has no such entry */
	size_t multiboot_bytes;
	uint64_t archive_va;
	uint64_t archive_off;
	uint64_t archive_bytes;
	uint64_t bss_va; /* where the program's last segment of bss begins; 0: it has none */
	uint64_t loaded_end; /* file offset past the last byte that is loaded */
	uint64_t file_end; /* size of the whole file */
	struct gosolo_image image;
	uint64_t image_va; /* of gosolo_image */
	struct io_batch batch;
};

static inline uint64_t pack_round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/* Adds everything that is not loaded and sets plan->header's section fields. Reports. */
int pack_sections(struct pack_plan *plan) must_check;
