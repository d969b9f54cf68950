/*
 * gosym.h: names of Go functions, for reports.
 */
#pragma once

#include "base/types.h"

/* Name of the function that contains pc, as Go spells it, cut to size; *offset_bytes: pc less its
 * start. False: not in the program's text, or the program's table is not understood. Reads the
 * image only, checks every offset: any context, damaged images too. */
bool gosym_find(uint64_t pc, char *name, size_t size, uint64_t *offset_bytes);

struct gosym_table {
	const char *base; /* pclntab */
	uint64_t bytes;
	uint64_t text_va, text_bytes; /* the code it describes */
};
bool gosym_find_in(const struct gosym_table *table, uint64_t pc, char *name, size_t size,
	uint64_t *offset_bytes); /* the same in any table: for tests */
