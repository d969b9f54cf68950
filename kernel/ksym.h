/*
 * ksym.h: names of the kernel's functions, for reports.
 */
#pragma once

#include "base/types.h"

/* Name of the function that contains pc, cut to size; *offset_bytes: pc less its start. False: not
 * in the kernel's text. Reads constants only: any context. */
bool ksym_find(uint64_t pc, char *name, size_t size, uint64_t *offset_bytes);
bool ksym_contains(uint64_t pc); /* it is in the kernel's text */
/* The same as ksym_find in any table, which begins at the text's start: for tests. */
struct ksym_found {
	char name[64];
	uint64_t offset_bytes;
};
bool ksym_find_in(const uint8_t *table, size_t bytes, uint64_t text, uint64_t pc,
	struct ksym_found *found);
/* 16 hexadecimal digits over all code and data of this kernel; cut to size. */
void ksym_build_id(char *id, size_t size);
