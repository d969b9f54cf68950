/*
 * elf_read.h: a bounds-checked reader of ELF64 files for x86-64. Nothing in the file is trusted.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/report.h"

/* All pointers into `data` live as long as the mapping. After a successful parse every program
 * header and section header that names file bytes names bytes inside the file, and no PT_LOAD
 * wraps around or reaches past 2^47. */
struct elf_file {
	const char *path; /* for reports */
	const uint8_t *data;
	size_t size_bytes;
	Elf64_Ehdr header;
	Elf64_Phdr *phdrs;
	size_t phdr_count;
	Elf64_Shdr *shdrs;
	size_t shdr_count; /* 0: no section headers */
	char reason[160]; /* why parsing failed, without the path */
};

/* Maps the file and parses it. Reports and returns 127 when it is not there, 126 when it is not
 * a usable file. On success the mapping stays until elf_close. */
int elf_open(struct elf_file *elf, const char *path) must_check;

/* The same without parsing: any file may be mapped. */
int elf_map(struct elf_file *elf, int fd, const char *path) must_check;
int elf_map_path(struct elf_file *elf, const char *path) must_check;

/* Parses elf->data. Returns 0, or 126 with elf->reason set and nothing reported. */
int elf_parse(struct elf_file *elf) must_check;

void elf_close(struct elf_file *elf);

/* NULL: there is none. */
const Elf64_Shdr *elf_find_section(const struct elf_file *elf, const char *name);
const char *elf_section_name(const struct elf_file *elf, const Elf64_Shdr *section);

/* File bytes behind [va, va + bytes); NULL when they are not all in one segment's file part. */
const uint8_t *elf_bytes_at(const struct elf_file *elf, uint64_t va, uint64_t bytes);

/* File bytes of a section; NULL for SHT_NOBITS. */
const uint8_t *elf_section_bytes(const struct elf_file *elf, const Elf64_Shdr *section);

/* Looks a symbol up in .symtab. */
bool elf_find_symbol(const struct elf_file *elf, const char *name, uint64_t *value);

/* Like memmem(3). */
const uint8_t *elf_search(const uint8_t *data, size_t bytes, const void *what, size_t what_bytes);
