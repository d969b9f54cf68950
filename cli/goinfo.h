/*
 * goinfo.h: what a Go program tells about itself: version, modules, function table, text.
 */
#pragma once

#include "cli/elf_read.h"

struct go_info {
	bool is_go; /* some evidence of Go was found */
	char version[32]; /* "go1.26.8"; "unknown" */
	int minor; /* 26 for go1.26.8; 0 when unknown */
	const char *modinfo; /* lines as `go version -m` shows them; NULL: none; into the mapping */
	size_t modinfo_bytes;
	uint64_t pclntab_va; /* 0: not found */
	uint64_t pclntab_bytes;
	uint32_t pclntab_magic; /* 0: not found */
	uint64_t text_va; /* runtime.text */
	uint64_t text_bytes;
};

/* Never fails: what cannot be found stays unknown. */
void goinfo_read(const struct elf_file *elf, struct go_info *info);
