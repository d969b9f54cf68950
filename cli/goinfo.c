/*
 * goinfo.c: what a Go program tells about itself.
 *
 * What:       finds the build information (by section, else by its magic in the data segment as
 *             debug/buildinfo does), the function table (by section, else by its header) and the
 *             text range. A program linked without build information still holds the string
 *             variable runtime.buildVersion: an address and length in data that lead to "go1.".
 * Invariants: (1) every range stored lies in a PT_LOAD of the file.
 * Locking:    none; the command has one thread.
 * Failure:    none: unknown stays unknown.
 * Source:     Go: debug/buildinfo, cmd/link/internal/ld/data.go, internal/abi/symtab.go
 *             (checked: go1.22 to go1.26); magic numbers of older tables: debug/gosym.
 */
#include "cli/goinfo.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUILDINFO_HEADER = 32, /* magic, pointer size, flags, padding */
	BUILDINFO_ALIGN = 16,
	BUILDINFO_INLINE = 2, /* flags: strings follow the header (Go 1.18 and later) */
	MODINFO_FRAME = 16, /* a sentinel on either side of the module lines */
	PCLNTAB_HEADER = 72,
};

static const char buildinfo_magic[] = "\xff Go buildinf:";

/* "go1.26", "go1.26.8", "go1.27rc1", and those with a suffix of a vendor or an experiment. */
static bool is_version(const uint8_t *text, uint64_t bytes)
{
	if (bytes < 5 || bytes > 64 || memcmp(text, "go1.", 4) != 0 || !isdigit(text[4]))
		return false;
	for (uint64_t i = 0; i < bytes; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static void set_version(struct go_info *info, const uint8_t *text, uint64_t bytes)
{
	uint64_t len = 0;

	while (len < bytes && len < sizeof(info->version) - 1 && text[len] > ' ' &&
		text[len] <= '~')
		len++;
	memset(info->version, 0, sizeof(info->version));
	memcpy(info->version, text, len);
	info->is_go = true;
	if (strncmp(info->version, "go1.", 4) == 0)
		info->minor = atoi(info->version + 4);
	else if (strncmp(info->version, "devel go1.", 10) == 0)
		info->minor = atoi(info->version + 10);
}

/* A uvarint length and that many bytes; NULL when they do not fit before `end`. */
static const uint8_t *read_counted(const uint8_t *at, const uint8_t *end, uint64_t *bytes)
{
	unsigned shift = 0;

	*bytes = 0;
	while (at < end && shift < 42) {
		*bytes |= (uint64_t)(*at & 0x7f) << shift;
		shift += 7;
		if (!(*at++ & 0x80))
			return *bytes <= (uint64_t)(end - at) ? at : NULL;
	}
	return NULL;
}

static bool read_buildinfo(struct go_info *info, const uint8_t *at, const uint8_t *end)
{
	uint64_t bytes = 0;

	if (end - at < BUILDINFO_HEADER || memcmp(at, buildinfo_magic, 14) != 0)
		return false;
	info->is_go = true;
	if (!(at[15] & BUILDINFO_INLINE)) {
		memcpy(info->version, "go1.17", sizeof("go1.17")); /* or older */
		info->minor = 17;
		return true;
	}
	at = read_counted(at + BUILDINFO_HEADER, end, &bytes);
	if (!at)
		return false;
	set_version(info, at, bytes);
	at = read_counted(at + bytes, end, &bytes);
	if (at && bytes > 2 * MODINFO_FRAME) {
		info->modinfo = (const char *)at + MODINFO_FRAME;
		info->modinfo_bytes = bytes - 2 * MODINFO_FRAME;
	}
	return true;
}

/* Calls look() for each PT_LOAD whose flags under `mask` equal `want`, until it says true. */
static bool each_segment(const struct elf_file *elf, struct go_info *info, uint32_t mask,
	uint32_t want, bool (*look)(const struct elf_file *, const Elf64_Phdr *, struct go_info *))
{
	for (size_t i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];

		if (ph->p_type == PT_LOAD && ph->p_filesz && (ph->p_flags & mask) == want &&
			look(elf, ph, info))
			return true;
	}
	return false;
}

static bool look_for_buildinfo(const struct elf_file *elf, const Elf64_Phdr *ph,
	struct go_info *info)
{
	const uint8_t *begin = elf->data + ph->p_offset;
	const uint8_t *end = begin + ph->p_filesz;
	const uint8_t *at = begin;

	while ((at = elf_search(at, (size_t)(end - at), buildinfo_magic, 14)) != NULL) {
		if ((ph->p_vaddr + (uint64_t)(at - begin)) % BUILDINFO_ALIGN == 0 &&
			read_buildinfo(info, at, end))
			return true;
		at++;
	}
	return false;
}

/* The 16 bytes at `at` in a data segment: a string variable with a version in it? */
static bool take_version(const struct elf_file *elf, const uint8_t *at, struct go_info *info)
{
	const uint8_t *text;
	uint64_t va, bytes;

	memcpy(&va, at, sizeof(va));
	memcpy(&bytes, at + sizeof(va), sizeof(bytes));
	text = bytes <= 64 ? elf_bytes_at(elf, va, bytes) : NULL;
	if (!text || !is_version(text, bytes))
		return false;
	set_version(info, text, bytes);
	return true;
}

/* Is there a string variable in the data segments that points at va? */
static bool is_pointed_at(const struct elf_file *elf, uint64_t va, struct go_info *info)
{
	for (size_t i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];
		const uint8_t *at, *end;

		/* What is empty may claim to lie anywhere. */
		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_W) || ph->p_filesz < 16)
			continue;
		at = elf->data + ph->p_offset;
		end = at + ph->p_filesz;
		while ((at = elf_search(at, (size_t)(end - 8 - at), &va, sizeof(va))) != NULL) {
			if (take_version(elf, at, info))
				return true;
			at++;
		}
	}
	return false;
}

static bool look_for_version(const struct elf_file *elf, const Elf64_Phdr *ph, struct go_info *info)
{
	const uint8_t *begin = elf->data + ph->p_offset;
	const uint8_t *end = begin + ph->p_filesz;
	const uint8_t *at = begin;

	while ((at = elf_search(at, (size_t)(end - at), "go1.", 4)) != NULL) {
		if (is_pointed_at(elf, ph->p_vaddr + (uint64_t)(at - begin), info))
			return true;
		at++;
	}
	return false;
}

static bool is_pclntab_header(const uint8_t *at)
{
	uint32_t magic;

	memcpy(&magic, at, sizeof(magic));
	return (magic == 0xfffffff1u || magic == 0xfffffff0u || magic == 0xfffffffau ||
		       magic == 0xfffffffbu) &&
		at[4] == 0 && at[5] == 0 && at[6] == 1 && at[7] == 8;
}

static bool look_for_pclntab(const struct elf_file *elf, const Elf64_Phdr *ph, struct go_info *info)
{
	static const uint8_t tail[] = { 0xff, 0xff, 0xff, 0, 0, 1, 8 };
	const uint8_t *begin = elf->data + ph->p_offset;
	const uint8_t *end = begin + ph->p_filesz;
	const uint8_t *at = begin;

	while ((at = elf_search(at, (size_t)(end - at), tail, sizeof(tail))) != NULL) {
		if (at > begin && end - at >= PCLNTAB_HEADER && is_pclntab_header(at - 1) &&
			(ph->p_vaddr + (uint64_t)(at - 1 - begin)) % 8 == 0) {
			info->pclntab_va = ph->p_vaddr + (uint64_t)(at - 1 - begin);
			info->pclntab_bytes = (uint64_t)(end - (at - 1));
			return true;
		}
		at++;
	}
	return false;
}

static void find_pclntab(const struct elf_file *elf, struct go_info *info)
{
	const Elf64_Shdr *section = elf_find_section(elf, ".gopclntab");
	const uint8_t *at;

	if (section && section->sh_size >= PCLNTAB_HEADER) {
		at = elf_bytes_at(elf, section->sh_addr, section->sh_size);
		if (at && is_pclntab_header(at)) {
			info->pclntab_va = section->sh_addr;
			info->pclntab_bytes = section->sh_size;
		}
	}
	if (!info->pclntab_va)
		each_segment(elf, info, PF_X, 0, look_for_pclntab);
	if (!info->pclntab_va)
		return;
	at = elf_bytes_at(elf, info->pclntab_va, PCLNTAB_HEADER);
	memcpy(&info->pclntab_magic, at, sizeof(info->pclntab_magic));
	info->is_go = true;
}

static bool take_text(const struct elf_file *elf, const Elf64_Phdr *ph, struct go_info *info)
{
	/* Without sections: Go's linker keeps one page for the headers in front of the text. */
	uint64_t skip = ph->p_offset == 0 ? 0x1000 : 0;

	(void)elf;
	if (ph->p_filesz <= skip)
		return false;
	info->text_va = ph->p_vaddr + skip;
	info->text_bytes = ph->p_filesz - skip;
	return true;
}

static void find_text(const struct elf_file *elf, struct go_info *info)
{
	const Elf64_Shdr *section = elf_find_section(elf, ".text");

	if (section && elf_bytes_at(elf, section->sh_addr, section->sh_size)) {
		info->text_va = section->sh_addr;
		info->text_bytes = section->sh_size;
		return;
	}
	each_segment(elf, info, PF_X, PF_X, take_text);
}

void goinfo_read(const struct elf_file *elf, struct go_info *info)
{
	const Elf64_Shdr *section = elf_find_section(elf, ".go.buildinfo");
	const uint8_t *at = NULL;

	*info = (struct go_info){ .version = "unknown" };
	find_pclntab(elf, info);
	find_text(elf, info);
	if (section)
		at = elf_section_bytes(elf, section);
	if (at && read_buildinfo(info, at, at + section->sh_size))
		return;
	if (each_segment(elf, info, PF_W, PF_W, look_for_buildinfo) || !info->is_go)
		return;
	each_segment(elf, info, PF_W | PF_X, 0, look_for_version);
}
