/*
 * pack_sections.c: the parts of an image that tools read: sections, symbols, debug information.
 *
 * What:       keeps Go's section numbers, so that its symbols need no change, and appends the
 *             kernel's loaded sections, the boot header and the archive (strip drops what no
 *             section covers). Both symbol tables become one: locals before globals.
 * Invariants: (1) sections that are loaded lie at sh_addr - 2 MiB in the file, a far archive
 *             apart. (2) what is added to the batch lives until the image is written.
 * Locking:    none; the command has one thread.
 * Failure:    126 for a program whose sections contradict its segments.
 * Source:     System V ABI, sections and symbol table; docs/image.md.
 */
#include "cli/pack_priv.h"

#include <string.h>

#include "cli/mem.h"

enum { ALIGN_MAX = 1 << 20 };

struct tables {
	Elf64_Shdr *shdrs;
	size_t count;
	struct bytebuf names; /* section names */
	size_t *kernel_index; /* kernel section number -> image section number; 0: dropped */
	struct bytebuf locals; /* kernel symbols */
	struct bytebuf globals;
	const uint8_t *kernel_strings;
	size_t kernel_strings_bytes;
};

static uint32_t add_name(struct tables *t, const char *name)
{
	uint32_t at = (uint32_t)t->names.len;

	bytebuf_add_string(&t->names, name);
	return at;
}

static size_t add_section(struct tables *t, Elf64_Shdr section, const char *name)
{
	section.sh_name = add_name(t, name);
	t->shdrs[t->count] = section;
	return t->count++;
}

/* Appends bytes to the file and returns their offset. */
static uint64_t append(struct pack_plan *plan, const void *data, size_t bytes, uint64_t align)
{
	uint64_t at = pack_round_up(plan->file_end, align ? align : 1);

	io_batch_add(&plan->batch, data, bytes, at);
	plan->file_end = at + bytes;
	return at;
}

/* 0: Go's table was left out (-ldflags=-s). */
static size_t find_program_symtab(const struct elf_file *go)
{
	for (size_t i = 1; i < go->shdr_count; i++)
		if (go->shdrs[i].sh_type == SHT_SYMTAB &&
			go->shdrs[i].sh_link != go->header.e_shstrndx)
			return i;
	return 0;
}

/* What of a section lies in the file and is neither loaded nor made anew. */
static bool is_kept(const struct elf_file *go, size_t i, size_t symtab)
{
	const Elf64_Shdr *section = &go->shdrs[i];

	return !(section->sh_flags & SHF_ALLOC) && section->sh_type != SHT_NOBITS &&
		section->sh_type != SHT_NULL && i != go->header.e_shstrndx &&
		!(symtab && (i == symtab || i == go->shdrs[symtab].sh_link));
}

/* The reader has seen to it that sections lie in the file, not that they fit each other. */
static bool are_sections_sound(const struct elf_file *go, size_t symtab)
{
	const Elf64_Shdr *symbols = &go->shdrs[symtab];

	for (size_t i = 1; i < go->shdr_count; i++) {
		uint64_t align = go->shdrs[i].sh_addralign;

		if (align > ALIGN_MAX || (align & (align - 1)))
			return false;
	}
	if (go->shdrs[go->header.e_shstrndx].sh_type != SHT_STRTAB)
		return false;
	return !symtab ||
		(symbols->sh_link < go->shdr_count && symbols->sh_link != symtab &&
			go->shdrs[symbols->sh_link].sh_type == SHT_STRTAB &&
			symbols->sh_info <= symbols->sh_size / sizeof(Elf64_Sym));
}

static int take_program_sections(struct pack_plan *plan, struct tables *t)
{
	const struct elf_file *go = plan->request->program;
	const Elf64_Shdr *names = &go->shdrs[go->header.e_shstrndx];
	size_t symtab = find_program_symtab(go);

	if (!are_sections_sound(go, symtab))
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: corrupt: its sections do not fit each other", go->path);
	bytebuf_add(&t->names, go->data + names->sh_offset, names->sh_size);
	t->count = go->shdr_count;
	memcpy(t->shdrs, go->shdrs, go->shdr_count * sizeof(Elf64_Shdr));
	t->shdrs[0] = (Elf64_Shdr){ .sh_type = SHT_NULL };
	for (size_t i = 1; i < go->shdr_count; i++) {
		Elf64_Shdr *section = &t->shdrs[i];

		/* Nobody relocates an image, and GRUB refuses one that asks for it. */
		if (section->sh_type == SHT_REL || section->sh_type == SHT_RELA)
			section->sh_type = SHT_PROGBITS;
		if (section->sh_flags & SHF_ALLOC) {
			if (section->sh_type != SHT_NOBITS &&
				(section->sh_addr < PACK_BASE ||
					!elf_bytes_at(go, section->sh_addr, section->sh_size)))
				return report_fail(GOSOLO_CODE_UNUSABLE,
					"%s: corrupt: section %s is in no segment", go->path,
					elf_section_name(go, section));
			section->sh_offset = section->sh_addr - PACK_BASE;
		} else if (is_kept(go, i, symtab)) {
			section->sh_offset = append(plan, go->data + section->sh_offset,
				section->sh_size, section->sh_addralign);
		}
	}
	return 0;
}

/* A section that reaches from one segment into the next would be in neither: strip would lose it.
 * So .bss ends with its page, and the rest of it gets a name of its own. */
static void split_bss(struct pack_plan *plan, struct tables *t)
{
	for (size_t i = 1; plan->bss_va && i < plan->request->program->shdr_count; i++) {
		Elf64_Shdr *section = &t->shdrs[i], rest = *section;

		if (!(section->sh_flags & SHF_ALLOC) || section->sh_type != SHT_NOBITS ||
			section->sh_addr >= plan->bss_va ||
			section->sh_addr + section->sh_size <= plan->bss_va)
			continue;
		section->sh_size = plan->bss_va - section->sh_addr;
		rest.sh_addr = plan->bss_va;
		rest.sh_offset = plan->bss_va - PACK_BASE;
		rest.sh_size -= section->sh_size;
		add_section(t, rest, ".gosolo.bss");
		return;
	}
}

static void take_kernel_sections(struct pack_plan *plan, struct tables *t)
{
	const struct elf_file *kernel = plan->request->kernel;

	for (size_t i = 1; i < kernel->shdr_count; i++) {
		Elf64_Shdr section = kernel->shdrs[i];

		if (!(section.sh_flags & SHF_ALLOC))
			continue;
		section.sh_offset = section.sh_addr - PACK_BASE;
		section.sh_link = section.sh_info = 0;
		t->kernel_index[i] = add_section(t, section,
			elf_section_name(kernel, &kernel->shdrs[i]));
	}
	add_section(t,
		(Elf64_Shdr){ .sh_type = SHT_PROGBITS,
			.sh_flags = SHF_ALLOC,
			.sh_addr = PACK_BASE + plan->multiboot_off,
			.sh_offset = plan->multiboot_off,
			.sh_size = plan->multiboot_bytes,
			.sh_addralign = 8 },
		".gosolo.boot");
	add_section(t,
		(Elf64_Shdr){ .sh_type = SHT_PROGBITS,
			.sh_flags = SHF_ALLOC,
			.sh_addr = plan->archive_va,
			.sh_offset = plan->archive_off,
			.sh_size = plan->archive_bytes,
			.sh_addralign = PACK_PAGE_BYTES },
		".gosolo.archive");
}

/* Section symbols and file names of the kernel help nobody here. */
static void take_kernel_symbols(struct pack_plan *plan, struct tables *t, size_t strings_at)
{
	const struct elf_file *kernel = plan->request->kernel;
	const Elf64_Shdr *symtab = elf_find_section(kernel, ".symtab");

	if (!symtab || symtab->sh_type != SHT_SYMTAB)
		return;
	t->kernel_strings = kernel->data + kernel->shdrs[symtab->sh_link].sh_offset;
	t->kernel_strings_bytes = kernel->shdrs[symtab->sh_link].sh_size;
	for (size_t i = 1; i < symtab->sh_size / sizeof(Elf64_Sym); i++) {
		bool is_local = i < symtab->sh_info;
		Elf64_Sym sym;

		memcpy(&sym, kernel->data + symtab->sh_offset + i * sizeof(sym), sizeof(sym));
		if (ELF64_ST_TYPE(sym.st_info) == STT_SECTION ||
			ELF64_ST_TYPE(sym.st_info) == STT_FILE || sym.st_shndx == SHN_UNDEF)
			continue;
		if (sym.st_shndx < kernel->shdr_count)
			sym.st_shndx = (Elf64_Section)t->kernel_index[sym.st_shndx];
		else if (sym.st_shndx != SHN_ABS)
			continue;
		if (sym.st_shndx == SHN_UNDEF)
			continue;
		sym.st_name += (Elf64_Word)strings_at;
		bytebuf_add(is_local ? &t->locals : &t->globals, &sym, sizeof(sym));
	}
}

/* Go's table, or a new empty one. */
static void find_symbol_table(struct pack_plan *plan, struct tables *t, size_t *symtab,
	size_t *strtab)
{
	*symtab = find_program_symtab(plan->request->program);
	if (*symtab) {
		*strtab = t->shdrs[*symtab].sh_link;
		return;
	}
	*symtab = add_section(t,
		(Elf64_Shdr){ .sh_type = SHT_SYMTAB,
			.sh_addralign = 8,
			.sh_entsize = sizeof(Elf64_Sym),
			.sh_info = 1 },
		".symtab");
	*strtab = add_section(t, (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_addralign = 1 },
		".strtab");
	t->shdrs[*symtab].sh_link = (Elf64_Word)*strtab;
}

static void write_symbols(struct pack_plan *plan, struct tables *t)
{
	static const Elf64_Sym null_symbol;
	const struct elf_file *go = plan->request->program;
	size_t symtab, strtab, old_bytes, local_bytes, strings_bytes;
	const uint8_t *old, *strings;

	find_symbol_table(plan, t, &symtab, &strtab);
	if (symtab < go->shdr_count) {
		old = go->data + go->shdrs[symtab].sh_offset;
		old_bytes = go->shdrs[symtab].sh_size;
		strings = go->data + go->shdrs[strtab].sh_offset;
		strings_bytes = go->shdrs[strtab].sh_size;
	} else {
		old = (const uint8_t *)&null_symbol;
		old_bytes = sizeof(null_symbol);
		strings = (const uint8_t *)"";
		strings_bytes = 1;
	}
	take_kernel_symbols(plan, t, strings_bytes);
	local_bytes = t->shdrs[symtab].sh_info * sizeof(Elf64_Sym);
	t->shdrs[symtab].sh_offset = append(plan, old, local_bytes, 8);
	append(plan, t->locals.data, t->locals.len, 1);
	append(plan, old + local_bytes, old_bytes - local_bytes, 1);
	append(plan, t->globals.data, t->globals.len, 1);
	t->shdrs[symtab].sh_size = old_bytes + t->locals.len + t->globals.len;
	t->shdrs[symtab].sh_info += (Elf64_Word)(t->locals.len / sizeof(Elf64_Sym));
	t->shdrs[strtab].sh_offset = append(plan, strings, strings_bytes, 1);
	append(plan, t->kernel_strings, t->kernel_strings_bytes, 1);
	t->shdrs[strtab].sh_size = strings_bytes + t->kernel_strings_bytes;
}

int pack_sections(struct pack_plan *plan)
{
	const struct elf_file *go = plan->request->program, *kernel = plan->request->kernel;
	struct tables *t = mem_alloc(sizeof(*t));
	Elf64_Shdr *names;
	int code;

	t->shdrs = mem_alloc((go->shdr_count + kernel->shdr_count + 5) * sizeof(Elf64_Shdr));
	t->kernel_index = mem_alloc((kernel->shdr_count + 1) * sizeof(size_t));
	plan->file_end = pack_round_up(plan->file_end, 16);
	code = take_program_sections(plan, t);
	if (code)
		return code;
	split_bss(plan, t);
	take_kernel_sections(plan, t);
	write_symbols(plan, t);
	names = &t->shdrs[go->header.e_shstrndx];
	names->sh_size = t->names.len;
	names->sh_offset = append(plan, t->names.data, t->names.len, 1);
	plan->header.e_shoff = append(plan, t->shdrs, t->count * sizeof(Elf64_Shdr), 8);
	plan->header.e_shnum = (Elf64_Half)t->count;
	plan->header.e_shstrndx = go->header.e_shstrndx;
	return 0;
}
