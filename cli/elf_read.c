/*
 * elf_read.c: a bounds-checked reader of ELF64 files for x86-64.
 *
 * What:       maps a file, copies its header tables (they may be unaligned) and checks every
 *             offset and size against the file before anybody follows it.
 * Invariants: (1) see struct elf_file: after a successful parse all ranges lie in the file.
 * Locking:    none; the command has one thread.
 * Failure:    127 not found, 126 not usable; one line each.
 * Source:     System V ABI, ELF-64 object file format; elf(5).
 */
#include "cli/elf_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/mem.h"
#include "include/gosolo_abi.h"

enum { PHDRS_MAX = 64, SHDRS_MAX = 4096 };

#define REFUSE(elf, ...) \
	(snprintf((elf)->reason, sizeof((elf)->reason), __VA_ARGS__), GOSOLO_CODE_UNUSABLE)

static bool is_inside(const struct elf_file *elf, uint64_t offset, uint64_t bytes)
{
	return offset <= elf->size_bytes && bytes <= elf->size_bytes - offset;
}

static int parse_ident(struct elf_file *elf)
{
	const uint8_t *id = elf->data;

	if (elf->size_bytes < SELFMAG || memcmp(id, ELFMAG, SELFMAG) != 0) {
		if (elf->size_bytes >= 2 && id[0] == 'M' && id[1] == 'Z')
			return REFUSE(elf,
				"a Windows program; build it with GOOS=linux GOARCH=amd64");
		if (elf->size_bytes >= 4 && memcmp(id, "\xcf\xfa\xed\xfe", 4) == 0)
			return REFUSE(elf,
				"a macOS program; build it with GOOS=linux GOARCH=amd64");
		if (elf->size_bytes >= 8 && memcmp(id, "!<arch>\n", 8) == 0)
			return REFUSE(elf, "a Go package without func main, not a program");
		return REFUSE(elf, "not an ELF executable");
	}
	if (elf->size_bytes < sizeof(elf->header))
		return REFUSE(elf, "truncated: only %zu bytes", elf->size_bytes);
	memcpy(&elf->header, id, sizeof(elf->header));
	if (id[EI_CLASS] != ELFCLASS64 || id[EI_DATA] != ELFDATA2LSB ||
		elf->header.e_machine != EM_X86_64)
		return REFUSE(elf, "not for x86-64 (ELF machine %u); build it with GOARCH=amd64",
			elf->header.e_machine);
	if (elf->header.e_type != ET_EXEC && elf->header.e_type != ET_DYN)
		return REFUSE(elf, "not an executable (ELF type %u)", elf->header.e_type);
	return 0;
}

static int check_load(struct elf_file *elf, size_t index)
{
	const Elf64_Phdr *ph = &elf->phdrs[index];
	const uint64_t limit = 1ull << 47;

	if (ph->p_filesz && !is_inside(elf, ph->p_offset, ph->p_filesz))
		return REFUSE(elf, "truncated: segment %zu ends at byte %llu, the file at %zu",
			index, (unsigned long long)(ph->p_offset + ph->p_filesz), elf->size_bytes);
	if (ph->p_type != PT_LOAD)
		return 0;
	if (ph->p_memsz < ph->p_filesz || ph->p_vaddr >= limit || ph->p_memsz > limit - ph->p_vaddr)
		return REFUSE(elf, "corrupt: segment %zu has an impossible size or address", index);
	return 0;
}

static int parse_segments(struct elf_file *elf)
{
	const Elf64_Ehdr *eh = &elf->header;

	if (eh->e_phnum == 0)
		return REFUSE(elf, "no program headers: not an executable");
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum > PHDRS_MAX)
		return REFUSE(elf, "corrupt: %u program headers of %u bytes", eh->e_phnum,
			eh->e_phentsize);
	if (!is_inside(elf, eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr)))
		return REFUSE(elf, "truncated: the program headers lie beyond the end of the file");
	elf->phdr_count = eh->e_phnum;
	elf->phdrs = mem_alloc(elf->phdr_count * sizeof(Elf64_Phdr));
	memcpy(elf->phdrs, elf->data + eh->e_phoff, elf->phdr_count * sizeof(Elf64_Phdr));
	for (size_t i = 0; i < elf->phdr_count; i++) {
		int code = check_load(elf, i);

		if (code)
			return code;
	}
	return 0;
}

static int check_section(struct elf_file *elf, size_t index)
{
	const Elf64_Shdr *sh = &elf->shdrs[index];

	if (sh->sh_type == SHT_NULL || sh->sh_type == SHT_NOBITS)
		return 0;
	if (!is_inside(elf, sh->sh_offset, sh->sh_size))
		return REFUSE(elf, "truncated: section %zu lies beyond the end of the file", index);
	if (sh->sh_type == SHT_SYMTAB &&
		(sh->sh_entsize != sizeof(Elf64_Sym) || sh->sh_link >= elf->shdr_count ||
			sh->sh_info > sh->sh_size / sizeof(Elf64_Sym)))
		return REFUSE(elf, "corrupt: the symbol table makes no sense");
	if (sh->sh_type == SHT_STRTAB && sh->sh_size &&
		elf->data[sh->sh_offset + sh->sh_size - 1] != 0)
		return REFUSE(elf, "corrupt: string table %zu does not end", index);
	return 0;
}

static int parse_sections(struct elf_file *elf)
{
	const Elf64_Ehdr *eh = &elf->header;

	if (eh->e_shnum == 0)
		return 0;
	if (eh->e_shentsize != sizeof(Elf64_Shdr) || eh->e_shnum > SHDRS_MAX ||
		eh->e_shstrndx >= eh->e_shnum)
		return REFUSE(elf, "corrupt: %u section headers of %u bytes", eh->e_shnum,
			eh->e_shentsize);
	if (!is_inside(elf, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(Elf64_Shdr)))
		return REFUSE(elf, "truncated: the section headers lie beyond the end of the file");
	elf->shdr_count = eh->e_shnum;
	elf->shdrs = mem_alloc(elf->shdr_count * sizeof(Elf64_Shdr));
	memcpy(elf->shdrs, elf->data + eh->e_shoff, elf->shdr_count * sizeof(Elf64_Shdr));
	for (size_t i = 0; i < elf->shdr_count; i++) {
		int code = check_section(elf, i);

		if (code)
			return code;
	}
	if (elf->shdrs[eh->e_shstrndx].sh_type != SHT_STRTAB)
		return REFUSE(elf, "corrupt: the section names are not a string table");
	for (size_t i = 0; i < elf->shdr_count; i++)
		if (elf->shdrs[i].sh_name >= elf->shdrs[eh->e_shstrndx].sh_size &&
			elf->shdrs[i].sh_type != SHT_NULL)
			return REFUSE(elf, "corrupt: section %zu has no name", i);
	return 0;
}

int elf_parse(struct elf_file *elf)
{
	int code = parse_ident(elf);

	if (!code)
		code = parse_segments(elf);
	if (!code)
		code = parse_sections(elf);
	return code;
}

int elf_map(struct elf_file *elf, int fd, const char *path)
{
	struct stat st;

	*elf = (struct elf_file){ .path = path };
	if (fstat(fd, &st) != 0)
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: not a regular file", path);
	if (st.st_size == 0)
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: empty file", path);

	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (data == MAP_FAILED)
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: cannot be read: %s", path,
			strerror(errno));
	elf->data = data;
	elf->size_bytes = (size_t)st.st_size;
	return 0;
}

int elf_map_path(struct elf_file *elf, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*elf = (struct elf_file){ .path = path };
	if (fd < 0)
		return report_fail(errno == ENOENT || errno == ENOTDIR ? GOSOLO_CODE_NOT_FOUND
								       : GOSOLO_CODE_UNUSABLE,
			"%s: %s", path, strerror(errno));

	int code = elf_map(elf, fd, path);

	close(fd);
	return code;
}

int elf_open(struct elf_file *elf, const char *path)
{
	int code = elf_map_path(elf, path);

	if (code)
		return code;
	code = elf_parse(elf);
	if (code)
		return report_fail(code, "%s: %s", path, elf->reason);
	return 0;
}

void elf_close(struct elf_file *elf)
{
	if (elf->data)
		munmap((void *)(uintptr_t)elf->data, elf->size_bytes);
	elf->data = NULL;
}

const char *elf_section_name(const struct elf_file *elf, const Elf64_Shdr *section)
{
	const Elf64_Shdr *names = &elf->shdrs[elf->header.e_shstrndx];

	if (section->sh_name >= names->sh_size)
		return "";
	return (const char *)elf->data + names->sh_offset + section->sh_name;
}

const Elf64_Shdr *elf_find_section(const struct elf_file *elf, const char *name)
{
	for (size_t i = 1; i < elf->shdr_count; i++)
		if (elf->shdrs[i].sh_type != SHT_NULL &&
			strcmp(elf_section_name(elf, &elf->shdrs[i]), name) == 0)
			return &elf->shdrs[i];
	return NULL;
}

const uint8_t *elf_section_bytes(const struct elf_file *elf, const Elf64_Shdr *section)
{
	if (section->sh_type == SHT_NOBITS || section->sh_type == SHT_NULL)
		return NULL;
	return elf->data + section->sh_offset;
}

const uint8_t *elf_bytes_at(const struct elf_file *elf, uint64_t va, uint64_t bytes)
{
	for (size_t i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];

		if (ph->p_type != PT_LOAD || va < ph->p_vaddr || va - ph->p_vaddr > ph->p_filesz)
			continue;
		if (bytes <= ph->p_filesz - (va - ph->p_vaddr))
			return elf->data + ph->p_offset + (va - ph->p_vaddr);
	}
	return NULL;
}

bool elf_find_symbol(const struct elf_file *elf, const char *name, uint64_t *value)
{
	const Elf64_Shdr *symtab = elf_find_section(elf, ".symtab");

	if (!symtab || symtab->sh_type != SHT_SYMTAB)
		return false;

	const Elf64_Shdr *strtab = &elf->shdrs[symtab->sh_link];
	size_t count = symtab->sh_size / sizeof(Elf64_Sym);

	if (strtab->sh_type != SHT_STRTAB)
		return false;
	for (size_t i = 0; i < count; i++) {
		Elf64_Sym sym;

		memcpy(&sym, elf->data + symtab->sh_offset + i * sizeof(sym), sizeof(sym));
		if (sym.st_name >= strtab->sh_size || sym.st_shndx == SHN_UNDEF)
			continue;
		if (strcmp((const char *)elf->data + strtab->sh_offset + sym.st_name, name) == 0) {
			*value = sym.st_value;
			return true;
		}
	}
	return false;
}

const uint8_t *elf_search(const uint8_t *data, size_t bytes, const void *what, size_t what_bytes)
{
	return memmem(data, bytes, what, what_bytes);
}
