/*
 * check.c: whether a program can become an image, and what to do when it cannot.
 *
 * What:       a fixed list of reasons, most telling first: packed by UPX, needs a loader, has C
 *             inside, is no Go program, Go too old, lies where the kernel lives.
 * Invariants: (1) changes nothing. (2) at most one line is printed.
 * Locking:    none; the command has one thread.
 * Failure:    126.
 * Source:     image layout in docs/image.md; UPX: its l_info header holds "UPX!".
 */
#include "cli/check.h"

#include <string.h>

#include "include/gosolo_abi.h"

#define REACH_END 0x7f000000ull /* a call with a 32-bit distance from anywhere to the kernel */
#define REBUILD "rebuild it with CGO_ENABLED=0 go build -buildmode=exe"

static const Elf64_Phdr *find_segment(const struct elf_file *elf, uint32_t type)
{
	for (size_t i = 0; i < elf->phdr_count; i++)
		if (elf->phdrs[i].p_type == type)
			return &elf->phdrs[i];
	return NULL;
}

static bool is_upx(const struct elf_file *elf)
{
	size_t head = elf->size_bytes < 1024 ? elf->size_bytes : 1024;

	return elf->shdr_count == 0 && elf_search(elf->data, head, "UPX!", 4) != NULL;
}

static bool needs_libraries(const struct elf_file *elf)
{
	const Elf64_Phdr *ph = find_segment(elf, PT_DYNAMIC);

	if (!ph)
		return false;
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= ph->p_filesz; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn dyn;

		memcpy(&dyn, elf->data + ph->p_offset + at, sizeof(dyn));
		if (dyn.d_tag == DT_NEEDED)
			return true;
	}
	return false;
}

static int check_linking(const struct elf_file *elf)
{
	const char *path = elf->path;

	if (needs_libraries(elf))
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: dynamically linked (it uses cgo or C libraries); " REBUILD, path);
	if (elf->header.e_type == ET_DYN)
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: a position-independent executable; " REBUILD, path);
	if (find_segment(elf, PT_INTERP) || find_segment(elf, PT_DYNAMIC))
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: dynamically linked; " REBUILD, path);
	return 0;
}

static int check_go(const struct elf_file *elf, const struct go_info *info)
{
	bool is_old_table = info->pclntab_magic && info->pclntab_magic != 0xfffffff1u;

	if (!info->is_go)
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: not a Go program", elf->path);
	if (find_segment(elf, PT_TLS))
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: has C code inside (cgo); " REBUILD,
			elf->path);
	if (info->minor && info->minor < CHECK_GO_MINOR_MIN)
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: built with %s; gosolo needs Go 1.%d or newer "
			"(https://go.dev/dl/)",
			elf->path, info->version, CHECK_GO_MINOR_MIN);
	if (!info->minor && is_old_table)
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: built with a Go older than 1.20; gosolo needs Go 1.%d or newer",
			elf->path, CHECK_GO_MINOR_MIN);
	return 0;
}

#define PAGE_MASK 0xfffull

/* What is wrong with one segment, given the one before it (NULL: the first). */
static const char *judge_segment(const Elf64_Phdr *ph, const Elf64_Phdr *last)
{
	if (ph->p_vaddr < CHECK_SLOT_END)
		return "is linked where the kernel lives; link it at 0x400000 or above, Go's "
		       "default";
	if (last &&
		(ph->p_vaddr & ~PAGE_MASK) <
			((last->p_vaddr + last->p_memsz + PAGE_MASK) & ~PAGE_MASK))
		return "is corrupt: its segments overlap, share a page or are not in order";
	if ((ph->p_vaddr - ph->p_offset) & PAGE_MASK)
		return "is corrupt: a segment's address does not fit its file offset";
	if ((ph->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
		return "has a segment that is writable and executable";
	return NULL;
}

static const char *judge_layout(const struct elf_file *elf)
{
	const Elf64_Phdr *last = NULL;
	const char *why = NULL;
	bool has_entry = false;
	size_t loads = 0;

	for (size_t i = 0; !why && i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];

		if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
			continue;
		why = judge_segment(ph, last);
		has_entry |= (ph->p_flags & PF_X) && elf->header.e_entry >= ph->p_vaddr &&
			elf->header.e_entry - ph->p_vaddr < ph->p_filesz;
		last = ph;
		loads++;
	}
	if (why)
		return why;
	if (loads == 0 || loads > GOSOLO_SEGMENTS_MAX)
		return "has no segments to load, or too many";
	if (!has_entry)
		return "is corrupt: its entry point is not in its text";
	if (last->p_vaddr + last->p_memsz > REACH_END)
		return "reaches beyond the first 2 GiB, where the kernel cannot be called from";
	return NULL;
}

int check_program(const struct elf_file *elf, const struct go_info *info)
{
	const char *why;
	int code;

	if (is_upx(elf))
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: packed by UPX; unpack it first: upx -d %s", elf->path, elf->path);
	code = check_linking(elf);
	if (!code)
		code = check_go(elf, info);
	if (code)
		return code;
	why = judge_layout(elf);
	return why ? report_fail(GOSOLO_CODE_UNUSABLE, "%s: %s", elf->path, why) : 0;
}
