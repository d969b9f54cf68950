/*
 * check.h: whether a program can become an image.
 */
#pragma once

#include "cli/elf_read.h"
#include "cli/goinfo.h"

enum {
	CHECK_GO_MINOR_MIN = 22, /* the oldest Go that is supported: 1.22 */
};

/* Where the kernel and the header page live; a program begins at or above the end. */
#define CHECK_SLOT_BEGIN 0x200000ull
#define CHECK_SLOT_END 0x400000ull

/* Returns 0, or 126 after one line that says what is wrong and how to mend it. */
int check_program(const struct elf_file *elf, const struct go_info *info) must_check;
