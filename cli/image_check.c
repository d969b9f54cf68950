/*
 * image_check.c: replays the loaders' rules on a finished image.
 *
 * What:       one function for each loader or reader; each returns the rule that is broken. Run
 *             after every build and by `gosolo inspect`.
 * Invariants: (1) changes nothing; believes nothing that elf_parse has not checked.
 * Locking:    none; the command has one thread.
 * Failure:    125.
 * Source:     docs/image.md lists the rules and where each comes from.
 */
#include "cli/image_check.h"

#include <string.h>
#include <sys/stat.h>

#include "cli/check.h"
#include "cli/pack.h"

enum {
	PAGE_BYTES = 4096,
	SLOT_ALIGN = 0x200000,
	MULTIBOOT1_WITHIN = 8192,
	MULTIBOOT2_WITHIN = 32768,
	XEN_NOTE_PHYS32_ENTRY = 18,
};

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t page_end(uint64_t address)
{
	return (address + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

static bool is_executable(const struct elf_file *elf, uint64_t va)
{
	for (size_t i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) && va >= ph->p_vaddr &&
			va - ph->p_vaddr < ph->p_filesz)
			return true;
	}
	return false;
}

static const char *check_segment(const Elf64_Phdr *ph, const Elf64_Phdr *last)
{
	if (ph->p_paddr != ph->p_vaddr)
		return "a segment's physical address differs from its virtual one";
	if (ph->p_align != SLOT_ALIGN || (ph->p_vaddr - ph->p_offset) % SLOT_ALIGN)
		return "a segment's file offset and address differ modulo 2 MiB";
	if ((ph->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
		return "a segment is writable and executable";
	if (last && ph->p_vaddr < page_end(last->p_vaddr + last->p_memsz))
		return "segments overlap, share a page or are not in order";
	return NULL;
}

/* Linux, and what the kernel relies on. */
static const char *check_segments(const struct elf_file *elf)
{
	const Elf64_Phdr *last = NULL;

	for (size_t i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];
		const char *why;

		if (ph->p_type == PT_INTERP || ph->p_type == PT_DYNAMIC || ph->p_type == PT_TLS)
			return "it wants a dynamic loader or thread-local storage";
		if (ph->p_type != PT_LOAD)
			continue;
		if (!last &&
			(ph->p_offset != 0 ||
				ph->p_filesz <
					elf->header.e_phoff + elf->phdr_count * sizeof(Elf64_Phdr)))
			return "the first segment does not hold the program headers";
		why = check_segment(ph, last);
		if (why)
			return why;
		last = ph;
	}
	if (!last)
		return "nothing to load";
	if (!is_executable(elf, elf->header.e_entry))
		return "e_entry is not in executable memory";
	return NULL;
}

/* QEMU takes any PT_NOTE; rust-vmm's loader lets the last one decide; both want type 18. */
static const char *check_notes(const struct elf_file *elf)
{
	const Elf64_Phdr *last = NULL;
	const uint8_t *note;

	for (size_t i = 0; i < elf->phdr_count; i++)
		if (elf->phdrs[i].p_type == PT_NOTE)
			last = &elf->phdrs[i];
	if (!last || last->p_filesz < 20)
		return "no PVH note";
	note = elf_bytes_at(elf, last->p_vaddr, last->p_filesz);
	if (!note || note != elf->data + last->p_offset)
		return "the last PT_NOTE is not loaded where it says";
	for (uint64_t at = 0; at + 12 <= last->p_filesz;) {
		uint64_t name = get_u32(note + at), desc = get_u32(note + at + 4);
		uint64_t desc_at = at + 12 + ((name + 3) & ~3ull);

		if (name > 4096 || desc > 4096 || desc_at + desc > last->p_filesz)
			return "the last PT_NOTE is malformed";
		if (get_u32(note + at + 8) == XEN_NOTE_PHYS32_ENTRY && name == 4 && desc >= 4 &&
			memcmp(note + at + 12, "Xen", 4) == 0)
			return is_executable(elf, get_u32(note + desc_at))
				? NULL
				: "the PVH entry is not in executable memory";
		at = desc_at + ((desc + 3) & ~3ull);
	}
	return "the last PT_NOTE is not the PVH note";
}

/* What QEMU would take for another kind of kernel before it looks for ELF. */
static const char *check_disguise(const struct elf_file *elf)
{
	size_t within = elf->size_bytes < MULTIBOOT1_WITHIN ? elf->size_bytes : MULTIBOOT1_WITHIN;

	for (size_t at = 0; at + 4 <= within; at += 4)
		if (get_u32(elf->data + at) == 0x1badb002u)
			return "a multiboot 1 magic in the first 8 KiB";
	if (elf->size_bytes >= 0x206 && memcmp(elf->data + 0x202, "HdrS", 4) == 0)
		return "a Linux boot header magic at 0x202";
	if (elf->header.e_flags & 0x10004)
		return "ELF flags that QEMU refuses";
	return NULL;
}

static const char *check_multiboot_tags(const struct elf_file *elf, const uint8_t *header,
	uint32_t bytes)
{
	bool has_entry = false;
	uint32_t at = 16;

	while (at + 8 <= bytes) {
		uint32_t type = get_u32(header + at) & 0xffff, size = get_u32(header + at + 4);

		if (type == 0 && size == 8)
			return has_entry ? NULL : "the multiboot2 header has no entry";
		if (size < 8 || size > bytes - at)
			break;
		if (type == 3 && size >= 12)
			has_entry = is_executable(elf, get_u32(header + at + 8));
		at += (size + 7) & ~7u;
	}
	return "the multiboot2 header is malformed";
}

static const char *check_grub(const struct elf_file *elf)
{
	size_t within = elf->size_bytes < MULTIBOOT2_WITHIN ? elf->size_bytes : MULTIBOOT2_WITHIN;

	if (elf->header.e_phoff + elf->phdr_count * sizeof(Elf64_Phdr) > within)
		return "the program headers are not in the first 32 KiB";
	for (size_t i = 0; i < elf->shdr_count; i++)
		if (elf->shdrs[i].sh_type == SHT_REL || elf->shdrs[i].sh_type == SHT_RELA)
			return "it has relocation sections, which GRUB refuses";
	for (size_t at = 0; at + 16 <= within; at += 8) {
		const uint8_t *header = elf->data + at;
		uint32_t bytes = get_u32(header + 8);

		if (get_u32(header) != 0xe85250d6u)
			continue;
		if (get_u32(header) + get_u32(header + 4) + bytes + get_u32(header + 12) != 0 ||
			bytes > within - at)
			return "the multiboot2 header is malformed";
		return check_multiboot_tags(elf, header, bytes);
	}
	return "no multiboot2 header in the first 32 KiB";
}

/* strip keeps what sections cover. */
static const char *check_sections(const struct elf_file *elf)
{
	size_t covered = 0;

	for (size_t i = 1; i < elf->shdr_count; i++) {
		const Elf64_Shdr *sh = &elf->shdrs[i];

		if (!(sh->sh_flags & SHF_ALLOC) || sh->sh_type == SHT_NOBITS || !sh->sh_size)
			continue;
		if (elf_bytes_at(elf, sh->sh_addr, sh->sh_size) != elf->data + sh->sh_offset)
			return "a section does not lie where its segment does";
		covered++;
	}
	return elf->shdr_count && covered < 3 ? "its sections do not cover it" : NULL;
}

/* strip drops zeros at the end of a segment's file part: within the last page that is no harm. */
static bool has_segment(const struct elf_file *elf, const struct gosolo_segment *segment)
{
	uint64_t end = 0, file_end = 0;

	for (size_t i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];

		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_vaddr == segment->vaddr)
			file_end = page_end(ph->p_vaddr + ph->p_filesz);
		if (ph->p_vaddr == segment->vaddr || (ph->p_vaddr == end && !ph->p_filesz))
			end = ph->p_vaddr + ph->p_memsz;
	}
	return end == segment->vaddr + segment->mem_bytes &&
		file_end == page_end(segment->vaddr + segment->file_bytes);
}

/* What the kernel will believe. */
static const char *check_information(const struct elf_file *elf, const struct gosolo_image *image)
{
	const char *why = NULL;
	uint64_t end = 0;

	if (image->abi_version != GOSOLO_ABI_VERSION || image->struct_bytes != sizeof(*image))
		return "it was built for another version of the kernel interface; build it again";
	if (!is_executable(elf, image->go_entry) || image->segment_count > GOSOLO_SEGMENTS_MAX)
		return "its image information is damaged";
	for (size_t i = 0; i < elf->phdr_count; i++)
		if (elf->phdrs[i].p_type == PT_LOAD && elf->phdrs[i].p_filesz)
			end = page_end(elf->phdrs[i].p_vaddr + elf->phdrs[i].p_filesz);
	if (image->image_end != end)
		return "its image information gives another end than its segments";
	for (uint32_t i = 0; i < image->segment_count; i++)
		if (image->segments[i].vaddr < CHECK_SLOT_END ||
			!has_segment(elf, &image->segments[i]))
			return "its image information and its segments differ";
	image_find_archive(elf, image, &why);
	return why;
}

static bool is_node_inside(const struct gosolo_archive *archive,
	const struct gosolo_archive_node *node)
{
	if (node->name_off > archive->names_bytes ||
		node->name_len > archive->names_bytes - node->name_off)
		return false;
	if (S_ISDIR(node->mode))
		return node->first_child <= archive->node_count &&
			node->child_count <= archive->node_count - node->first_child;
	return node->size_bytes == 0 ||
		(node->data_off <= archive->total_bytes &&
			node->size_bytes <= archive->total_bytes - node->data_off);
}

static bool are_children_sorted(const struct gosolo_archive *archive,
	const struct gosolo_archive_node *nodes, const struct gosolo_archive_node *dir)
{
	const char *names = (const char *)archive + archive->names_off;

	for (uint32_t i = dir->first_child + 1; i < dir->first_child + dir->child_count; i++) {
		const struct gosolo_archive_node *a = &nodes[i - 1], *b = &nodes[i];
		size_t shorter = a->name_len < b->name_len ? a->name_len : b->name_len;
		int order = memcmp(names + a->name_off, names + b->name_off, shorter);

		if (order > 0 || (order == 0 && a->name_len >= b->name_len))
			return false;
	}
	return true;
}

const struct gosolo_archive *image_find_archive(const struct elf_file *elf,
	const struct gosolo_image *image, const char **why)
{
	const struct gosolo_archive *archive;
	const struct gosolo_archive_node *nodes;

	*why = "its archive is damaged";
	archive = (const void *)elf_bytes_at(elf, image->archive_va, image->archive_bytes);
	if (!archive || image->archive_va % PAGE_BYTES || image->archive_bytes < sizeof(*archive) ||
		memcmp(archive->magic, GOSOLO_ARCHIVE_MAGIC, sizeof(archive->magic)) != 0 ||
		archive->total_bytes > image->archive_bytes || archive->node_count == 0 ||
		archive->nodes_off > archive->total_bytes || archive->nodes_off % 8 ||
		archive->node_count >
			(archive->total_bytes - archive->nodes_off) / sizeof(*nodes) ||
		archive->names_off > archive->total_bytes ||
		archive->names_bytes > archive->total_bytes - archive->names_off)
		return NULL;
	nodes = (const void *)((const uint8_t *)archive + archive->nodes_off);
	for (uint32_t i = 0; i < archive->node_count; i++)
		if (!is_node_inside(archive, &nodes[i]))
			return NULL;
	for (uint32_t i = 0; i < archive->node_count; i++)
		if (S_ISDIR(nodes[i].mode) && !are_children_sorted(archive, nodes, &nodes[i]))
			return NULL;
	*why = NULL;
	return archive;
}

int image_check(const struct elf_file *elf)
{
	static const char *(*const checks[])(const struct elf_file *) = {
		check_segments,
		check_notes,
		check_disguise,
		check_grub,
		check_sections,
	};
	struct gosolo_image image;
	const char *why = NULL;

	for (size_t i = 0; !why && i < sizeof(checks) / sizeof(checks[0]); i++)
		why = checks[i](elf);
	if (!why && !pack_find_image(elf, &image))
		why = "no image information: not made by gosolo build";
	if (!why)
		why = check_information(elf, &image);
	if (why)
		return report_fail(GOSOLO_CODE_FAILED, "%s: not a sound image: %s", elf->path, why);
	return 0;
}
