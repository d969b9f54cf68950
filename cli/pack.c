/*
 * pack.c: plans and writes the image.
 *
 * What:       header page, kernel, archive, program, in the order of their addresses, each at
 *             file offset = address - 2 MiB; then what is not loaded. The archive goes between
 *             kernel and program when it fits there, else behind the program.
 * Invariants: (1) p_offset = p_vaddr - 2 MiB (a far archive: only modulo 2 MiB). (2) PT_LOADs
 *             ascend and share no page; the first holds the headers. (3) the Xen note is the last
 *             PT_NOTE. (4) what has no contents is a hole in the file.
 * Locking:    none; the command has one thread.
 * Failure:    126 for what is wrong with the program, 125 for the rest; one line.
 * Source:     docs/image.md; Multiboot2 specification 3.1; Xen public/elfnote.h (PHYS32_ENTRY).
 */
#include "cli/pack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/kernel_blob.h"
#include "cli/mem.h"
#include "cli/pack_priv.h"

enum {
	MULTIBOOT2_MAGIC = 0xe85250d6u,
	MULTIBOOT2_TAG_ENTRY = 3,
	XEN_NOTE_PHYS32_ENTRY = 18,
};

static const struct gosolo_image *find_in(const uint8_t *at, const uint8_t *end,
	struct gosolo_image *copy)
{
	while ((at = elf_search(at, (size_t)(end - at), GOSOLO_IMAGE_MAGIC, 16)) != NULL) {
		if ((size_t)(end - at) < sizeof(*copy))
			return NULL;
		memcpy(copy, at, sizeof(*copy));
		/* Another version is found too, so that it can be named. */
		if (copy->abi_version && copy->struct_bytes)
			return (const void *)at;
		at++;
	}
	return NULL;
}

const struct gosolo_image *pack_find_image(const struct elf_file *elf, struct gosolo_image *copy)
{
	const struct gosolo_image *found = NULL;

	for (size_t i = 0; !found && i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];
		const uint8_t *begin;

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_W) || !ph->p_filesz ||
			ph->p_vaddr >= CHECK_SLOT_END)
			continue;
		begin = elf->data + ph->p_offset;
		found = find_in(begin, begin + ph->p_filesz, copy);
	}
	return found;
}

static int check_kernel(const struct elf_file *kernel)
{
	struct gosolo_image image;
	uint64_t end = 0;

	for (size_t i = 0; i < kernel->phdr_count; i++) {
		const Elf64_Phdr *ph = &kernel->phdrs[i];

		if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
			continue;
		if (ph->p_vaddr < CHECK_SLOT_BEGIN + PACK_PAGE_BYTES || ph->p_vaddr < end ||
			ph->p_vaddr % PACK_PAGE_BYTES || ph->p_vaddr + ph->p_memsz > CHECK_SLOT_END)
			return report_fail(GOSOLO_CODE_FAILED,
				"%s: the kernel's segment at 0x%llx is out of place", kernel->path,
				(unsigned long long)ph->p_vaddr);
		end = pack_round_up(ph->p_vaddr + ph->p_memsz, PACK_PAGE_BYTES);
	}
	if (!pack_find_image(kernel, &image) || image.abi_version != GOSOLO_ABI_VERSION ||
		image.struct_bytes != sizeof(image))
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: not a gosolo kernel of interface version %u", kernel->path,
			GOSOLO_ABI_VERSION);
	return 0;
}

int pack_open_kernel(struct elf_file *kernel, const char *path)
{
	int code;

	if (path) {
		code = elf_open(kernel, path);
		if (code)
			return GOSOLO_CODE_FAILED;
		return check_kernel(kernel);
	}
	*kernel = (struct elf_file){
		.path = "built-in kernel",
		.data = gosolo_kernel_start,
		.size_bytes = (uintptr_t)gosolo_kernel_end - (uintptr_t)gosolo_kernel_start,
	};
	code = elf_parse(kernel);
	if (code)
		return report_fail(GOSOLO_CODE_FAILED, "%s: %s", kernel->path, kernel->reason);
	return check_kernel(kernel);
}

static Elf64_Phdr *add_phdr(struct pack_plan *plan, Elf64_Phdr ph)
{
	plan->phdrs[plan->phdr_count] = ph;
	return &plan->phdrs[plan->phdr_count++];
}

static void add_load(struct pack_plan *plan, uint32_t flags, uint64_t va, uint64_t file_bytes,
	uint64_t mem_bytes)
{
	add_phdr(plan,
		(Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_flags = flags,
			.p_offset = va - PACK_BASE,
			.p_vaddr = va,
			.p_paddr = va,
			.p_filesz = file_bytes,
			.p_memsz = mem_bytes,
			.p_align = PACK_ALIGN,
		});
}

static void add_loads_of(struct pack_plan *plan, const struct elf_file *elf)
{
	for (size_t i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *ph = &elf->phdrs[i];

		if (ph->p_type == PT_LOAD && ph->p_memsz)
			add_load(plan, ph->p_flags, ph->p_vaddr, ph->p_filesz, ph->p_memsz);
	}
}

/* The program's whole pages of bss are a segment of their own, without file bytes: QEMU clears
 * what belongs to a segment with some, and Go 1.26 has 34 MiB of it in every program with TLS. */
static void add_loads_of_program(struct pack_plan *plan)
{
	const struct elf_file *go = plan->request->program;

	for (size_t i = 0; i < go->phdr_count; i++) {
		const Elf64_Phdr *ph = &go->phdrs[i];
		uint64_t end = ph->p_vaddr + ph->p_memsz;
		uint64_t bss = pack_round_up(ph->p_vaddr + ph->p_filesz, PACK_PAGE_BYTES);

		if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
			continue;
		if (ph->p_filesz == 0 || bss >= end)
			bss = end;
		add_load(plan, ph->p_flags, ph->p_vaddr, ph->p_filesz, bss - ph->p_vaddr);
		if (bss < end) {
			add_load(plan, ph->p_flags, bss, 0, end - bss);
			plan->bss_va = bss;
		}
	}
}

static uint64_t loaded_end(const struct pack_plan *plan, bool in_memory)
{
	uint64_t end = 0;

	for (size_t i = 0; i < plan->phdr_count; i++) {
		const Elf64_Phdr *ph = &plan->phdrs[i];
		uint64_t at = in_memory ? ph->p_vaddr + ph->p_memsz : ph->p_offset + ph->p_filesz;

		if (ph->p_type == PT_LOAD && at > end)
			end = at;
	}
	return end;
}

static void place_near_archive(struct pack_plan *plan)
{
	uint64_t va = pack_round_up(loaded_end(plan, true), PACK_PAGE_BYTES);

	if (va + plan->archive_bytes > CHECK_SLOT_END)
		return;
	plan->archive_va = va;
	plan->archive_off = va - PACK_BASE;
	add_load(plan, PF_R, va, plan->archive_bytes, plan->archive_bytes);
}

/* Behind the program's bss in memory, but directly behind its data in the file: a hole as big as
 * bss would be harmless on disk, but not in a download or a tar. */
static void place_far_archive(struct pack_plan *plan)
{
	uint64_t off = pack_round_up(loaded_end(plan, false), PACK_PAGE_BYTES);
	uint64_t va = pack_round_up(loaded_end(plan, true), PACK_PAGE_BYTES);

	va += (off - va) % PACK_ALIGN;
	plan->archive_va = va;
	plan->archive_off = off;
	add_load(plan, PF_R, va, plan->archive_bytes, plan->archive_bytes);
	plan->phdrs[plan->phdr_count - 1].p_offset = off;
}

/* Go's notes and GNU_STACK; addresses stay, offsets follow them. Nothing else is taken: loaders
 * look for their own marks among the program headers, too. */
static void add_other_phdrs(struct pack_plan *plan)
{
	const struct elf_file *go = plan->request->program;

	for (size_t i = 0; i < go->phdr_count && plan->phdr_count + 1 < PACK_PHDRS_MAX; i++) {
		const Elf64_Phdr *ph = &go->phdrs[i];

		if (ph->p_type == PT_GNU_STACK)
			add_phdr(plan,
				(Elf64_Phdr){ .p_type = PT_GNU_STACK,
					.p_flags = ph->p_flags,
					.p_align = 8 });
		/* A note that is not loaded: nothing refers to it at run time. */
		if (ph->p_type == PT_NOTE && ph->p_filesz &&
			elf_bytes_at(go, ph->p_vaddr, ph->p_filesz))
			add_phdr(plan,
				(Elf64_Phdr){ .p_type = PT_NOTE,
					.p_flags = PF_R,
					.p_offset = ph->p_vaddr - PACK_BASE,
					.p_vaddr = ph->p_vaddr,
					.p_paddr = ph->p_vaddr,
					.p_filesz = ph->p_filesz,
					.p_memsz = ph->p_filesz,
					.p_align = 4 });
	}
}

static int add_xen_note(struct pack_plan *plan)
{
	const struct elf_file *kernel = plan->request->kernel;

	for (size_t i = 0; i < kernel->phdr_count; i++) {
		Elf64_Phdr ph = kernel->phdrs[i];
		const uint8_t *note = elf_bytes_at(kernel, ph.p_vaddr, ph.p_filesz);

		if (ph.p_type != PT_NOTE || !note ||
			!elf_search(note, ph.p_filesz, "\22\0\0\0Xen", 8))
			continue;
		ph.p_offset = ph.p_vaddr - PACK_BASE;
		ph.p_paddr = ph.p_vaddr;
		add_phdr(plan, ph);
		return 0;
	}
	return report_fail(GOSOLO_CODE_FAILED, "%s: the kernel has no PVH note", kernel->path);
}

static void put_u32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static int plan_multiboot(struct pack_plan *plan)
{
	uint8_t *at = plan->multiboot;
	uint64_t entry;

	plan->multiboot_off = pack_round_up(64 + plan->phdr_count * sizeof(Elf64_Phdr), 8);
	if (!elf_find_symbol(plan->request->kernel, "entry_multiboot2", &entry))
		return report_fail(GOSOLO_CODE_FAILED, "%s: the kernel has no multiboot2 entry",
			plan->request->kernel->path);
	plan->multiboot_bytes = 16 + 16 + 8;
	put_u32(at, MULTIBOOT2_MAGIC);
	put_u32(at + 4, 0); /* i386, protected mode */
	put_u32(at + 8, (uint32_t)plan->multiboot_bytes);
	put_u32(at + 12, 0u - (MULTIBOOT2_MAGIC + (uint32_t)plan->multiboot_bytes));
	put_u32(at + 16, MULTIBOOT2_TAG_ENTRY); /* u16 type, u16 flags */
	put_u32(at + 20, 12);
	put_u32(at + 24, (uint32_t)entry);
	put_u32(at + 32, 0); /* the end tag */
	put_u32(at + 36, 8);
	return 0;
}

static void plan_header(struct pack_plan *plan)
{
	Elf64_Ehdr *eh = &plan->header;

	*eh = plan->request->program->header;
	eh->e_type = ET_EXEC;
	eh->e_flags = 0;
	eh->e_entry = plan->request->kernel->header.e_entry;
	eh->e_phoff = sizeof(*eh);
	eh->e_ehsize = sizeof(*eh);
	eh->e_phentsize = sizeof(Elf64_Phdr);
	eh->e_phnum = (Elf64_Half)plan->phdr_count;
	eh->e_shoff = 0;
	eh->e_shnum = eh->e_shstrndx = 0;
	eh->e_shentsize = sizeof(Elf64_Shdr);
	plan->phdrs[0].p_filesz = plan->phdrs[0].p_memsz = plan->phdr_count * sizeof(Elf64_Phdr);
}

/* The program's own headers lie in its first segment; those of the image lie in the kernel's slot,
 * which the program cannot read, and are told only when it carries none. */
static void find_program_headers(struct pack_plan *plan)
{
	const struct elf_file *program = plan->request->program;
	uint64_t from = program->header.e_phoff;
	uint64_t end = from + program->phdr_count * sizeof(Elf64_Phdr);

	plan->image.phdr_va = PACK_BASE + plan->header.e_phoff;
	plan->image.phdr_count = (uint32_t)plan->phdr_count;
	for (size_t i = 0; i < program->phdr_count; i++) {
		const Elf64_Phdr *ph = &program->phdrs[i];

		if (ph->p_type != PT_LOAD || from < ph->p_offset ||
			end > ph->p_offset + ph->p_filesz)
			continue;
		plan->image.phdr_va = ph->p_vaddr + (from - ph->p_offset);
		plan->image.phdr_count = (uint32_t)program->phdr_count;
	}
}

static void plan_image(struct pack_plan *plan)
{
	const struct pack_request *request = plan->request;
	struct gosolo_image *image = &plan->image;
	const uint8_t *found = (const void *)pack_find_image(request->kernel, image);

	for (size_t i = 0; i < request->kernel->phdr_count; i++) {
		const Elf64_Phdr *ph = &request->kernel->phdrs[i];
		const uint8_t *begin = request->kernel->data + ph->p_offset;

		if (ph->p_type == PT_LOAD && found >= begin && found < begin + ph->p_filesz)
			plan->image_va = ph->p_vaddr + (uint64_t)(found - begin);
	}
	image->go_entry = request->program->header.e_entry;
	find_program_headers(plan);
	image->segment_count = 0;
	for (size_t i = 0; i < request->program->phdr_count; i++) {
		const Elf64_Phdr *ph = &request->program->phdrs[i];

		if (ph->p_type == PT_LOAD && ph->p_memsz)
			image->segments[image->segment_count++] = (struct gosolo_segment){
				.vaddr = ph->p_vaddr,
				.file_bytes = ph->p_filesz,
				.mem_bytes = ph->p_memsz,
				.flags = ph->p_flags & (PF_R | PF_W | PF_X),
			};
	}
	image->archive_va = plan->archive_va;
	image->archive_bytes = plan->archive_bytes;
	image->pclntab_va = request->go->pclntab_va;
	image->pclntab_bytes = request->go->pclntab_bytes;
	image->text_va = request->go->text_va;
	image->text_bytes = request->go->text_bytes;
	image->default_mem_mib = request->mem_mib;
	image->default_cpus = request->cpus;
	memcpy(image->go_version, request->go->version, sizeof(image->go_version));
	strncpy(image->program, request->name, sizeof(image->program) - 1);
	strncpy(image->defaults, request->defaults, sizeof(image->defaults) - 1);
	for (size_t i = 0; i < plan->phdr_count; i++) {
		const Elf64_Phdr *ph = &plan->phdrs[i];
		uint64_t end = pack_round_up(ph->p_vaddr + ph->p_filesz, PACK_PAGE_BYTES);

		if (ph->p_type == PT_LOAD && ph->p_filesz && end > image->image_end)
			image->image_end = end;
	}
}

static int plan_all(struct pack_plan *plan)
{
	const struct pack_request *request = plan->request;
	int code;

	if (strlen(request->defaults) >= sizeof(plan->image.defaults))
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: the defaults need more than %zu bytes in the image", request->name,
			sizeof(plan->image.defaults) - 1);
	plan->archive_bytes = archive_layout(request->archive);
	add_phdr(plan,
		(Elf64_Phdr){ .p_type = PT_PHDR,
			.p_flags = PF_R,
			.p_offset = 64,
			.p_vaddr = PACK_BASE + 64,
			.p_paddr = PACK_BASE + 64,
			.p_align = 8 });
	add_load(plan, PF_R, PACK_BASE, PACK_PAGE_BYTES, PACK_PAGE_BYTES);
	add_loads_of(plan, request->kernel);
	place_near_archive(plan);
	add_loads_of_program(plan);
	if (!plan->archive_va)
		place_far_archive(plan);
	add_other_phdrs(plan);
	code = add_xen_note(plan);
	if (!code)
		code = plan_multiboot(plan);
	if (code)
		return code;
	plan_header(plan);
	plan_image(plan);
	plan->loaded_end = plan->file_end = loaded_end(plan, false);
	return 0;
}

/* The kernel's segment with the image information filled in; a copy where that is needed. */
static const uint8_t *kernel_bytes(const struct pack_plan *plan, const Elf64_Phdr *ph)
{
	const uint8_t *bytes = plan->request->kernel->data + ph->p_offset;
	uint64_t at = plan->image_va - ph->p_vaddr;
	uint8_t *copy;

	if (plan->image_va < ph->p_vaddr || at >= ph->p_filesz)
		return bytes;
	copy = memcpy(mem_alloc(ph->p_filesz), bytes, ph->p_filesz);
	memcpy(copy + at, &plan->image, sizeof(plan->image));
	return copy;
}

static int write_loaded(struct pack_plan *plan)
{
	const struct elf_file *kernel = plan->request->kernel, *go = plan->request->program;
	int code;

	for (size_t i = 0; i < kernel->phdr_count; i++) {
		const Elf64_Phdr *ph = &kernel->phdrs[i];

		if (ph->p_type == PT_LOAD)
			io_batch_add(&plan->batch, kernel_bytes(plan, ph), ph->p_filesz,
				ph->p_vaddr - PACK_BASE);
	}
	code = io_batch_finish(&plan->batch);
	if (!code)
		code = archive_write(plan->request->archive, plan->batch.fd, plan->archive_off,
			plan->batch.path);
	for (size_t i = 0; !code && i < go->phdr_count; i++) {
		const Elf64_Phdr *ph = &go->phdrs[i];

		if (ph->p_type == PT_LOAD && ph->p_filesz)
			io_batch_add(&plan->batch, go->data + ph->p_offset, ph->p_filesz,
				ph->p_vaddr - PACK_BASE);
	}
	return code;
}

static void write_header(struct pack_plan *plan)
{
	uint8_t *page = mem_alloc(PACK_PAGE_BYTES);

	memcpy(page, &plan->header, sizeof(plan->header));
	memcpy(page + 64, plan->phdrs, plan->phdr_count * sizeof(Elf64_Phdr));
	memcpy(page + plan->multiboot_off, plan->multiboot, plan->multiboot_bytes);
	io_batch_add(&plan->batch, page, PACK_PAGE_BYTES, 0);
}

int pack_write(const struct pack_request *request, int fd, const char *out)
{
	struct pack_plan plan = { .request = request, .batch = { .fd = fd, .path = out } };
	int code = plan_all(&plan);

	if (!code)
		code = write_loaded(&plan);
	if (!code && !request->is_transient && request->program->shdr_count)
		code = pack_sections(&plan);
	if (code)
		return code;
	write_header(&plan);
	code = io_batch_finish(&plan.batch);
	if (!code && ftruncate(fd, (off_t)plan.file_end) != 0)
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be written: %s", out,
			strerror(errno));
	return code;
}
