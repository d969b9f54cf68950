/*
 * inspect.c: `gosolo inspect`.
 *
 * What:       checks an image with image_check and prints what is inside, in blocks of
 *             "name  value" lines.
 * Invariants: (1) prints nothing about an image that is not sound.
 * Locking:    none; the command has one thread.
 * Failure:    125 not sound, 126 not an image, 127 not found.
 * Source:     docs/command-line.md, docs/image.md.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/goinfo.h"
#include "cli/image_check.h"
#include "cli/mem.h"
#include "cli/pack.h"

struct view {
	struct elf_file elf;
	struct gosolo_image image;
	struct go_info go;
	const struct gosolo_archive *archive;
	bool wants_files;
	bool wants_modules;
	bool wants_licenses;
};

static void print_modules(const struct view *view)
{
	const char *at = view->go.modinfo ? view->go.modinfo : "";
	const char *end = at + view->go.modinfo_bytes;
	size_t modules = 0;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		int len = (int)((stop ? stop : end) - at);
		bool is_dep = len > 4 && memcmp(at, "dep\t", 4) == 0;

		modules += is_dep;
		if (view->wants_modules)
			printf("  %.*s\n", len, at);
		else if (len > 5 && memcmp(at, "path\t", 5) == 0)
			printf("package      %.*s\n", len - 5, at + 5);
		else if (len > 4 && memcmp(at, "mod\t", 4) == 0)
			printf("module       %.*s\n", len - 4, at + 4);
		at = stop ? stop + 1 : end;
	}
	if (view->go.modinfo && !view->wants_modules)
		printf("depends on   %zu modules (--modules lists them)\n", modules);
}

static void print_segments(const struct view *view)
{
	const struct gosolo_image *image = &view->image;
	uint64_t kernel_file = 0, kernel_mem = 0, go_file = 0, go_mem = 0;

	for (size_t i = 0; i < view->elf.phdr_count; i++) {
		const Elf64_Phdr *ph = &view->elf.phdrs[i];

		if (ph->p_type != PT_LOAD || ph->p_vaddr == image->archive_va)
			continue;
		if (ph->p_vaddr < CHECK_SLOT_END) {
			kernel_file += ph->p_filesz;
			kernel_mem += ph->p_memsz;
		} else {
			go_file += ph->p_filesz;
			go_mem += ph->p_memsz;
		}
	}
	printf("kernel       %llu bytes loaded, %llu in memory\n", (unsigned long long)kernel_file,
		(unsigned long long)kernel_mem);
	printf("program      %llu bytes loaded, %llu in memory, text at 0x%llx\n",
		(unsigned long long)go_file, (unsigned long long)go_mem,
		(unsigned long long)image->text_va);
	printf("archive      %llu bytes at 0x%llx, %u entries%s\n",
		(unsigned long long)image->archive_bytes, (unsigned long long)image->archive_va,
		view->archive->node_count, view->wants_files ? "" : " (--files lists them)");
	printf("needs        %llu MiB of memory to be loaded\n",
		(unsigned long long)((image->image_end + (1 << 20) - 1) >> 20));
}

static void print_tree(const struct view *view, uint32_t index, const char *path)
{
	const struct gosolo_archive *archive = view->archive;
	const uint8_t *base = (const uint8_t *)archive;
	const struct gosolo_archive_node *nodes = (const void *)(base + archive->nodes_off);
	const struct gosolo_archive_node *dir = &nodes[index];

	for (uint32_t i = 0; i < dir->child_count; i++) {
		const struct gosolo_archive_node *node = &nodes[dir->first_child + i];
		char *name = mem_format("%s/%.*s", path, (int)node->name_len,
			(const char *)base + archive->names_off + node->name_off);

		if (S_ISDIR(node->mode) && dir->first_child + i > index)
			print_tree(view, dir->first_child + i, name);
		else if (S_ISLNK(node->mode))
			printf("  %s -> %.*s\n", name, (int)node->size_bytes,
				(const char *)base + node->data_off);
		else
			printf("  %s %llu\n", name, (unsigned long long)node->size_bytes);
	}
}

/* The image asks for a limit, and no variable of its own overrides it. */
static bool has_memory_limit(const char *defaults)
{
	return strstr(defaults, "memlimit=auto") && !strstr(defaults, "env=GOMEMLIMIT=");
}

static void print_defaults(const struct view *view)
{
	const struct gosolo_image *image = &view->image;

	if (image->default_mem_mib)
		printf("default -m   %uM\n", image->default_mem_mib);
	if (image->default_cpus)
		printf("default -c   %u\n", image->default_cpus);
	if (image->defaults[0])
		printf("defaults     %s\n", image->defaults);
	if (has_memory_limit(image->defaults))
		printf("GOMEMLIMIT   7/8 of the memory that is free at the start, 8 MiB at "
		       "least\n");
}

static void print_licenses(void)
{
	puts("licences of what gosolo put in (the program's own modules have theirs):\n"
	     "  gosolo kernel              MIT\n"
	     "  lwIP (TCP/IP)              BSD-3-Clause\n"
	     "  BearSSL (random numbers)   MIT\n"
	     "  stb_sprintf (formatting)   MIT or public domain\n"
	     "  sys/tree.h, sys/queue.h    BSD\n"
	     "  headers of Linux and Xen   layouts and numbers only (GPL-2 with syscall note, "
	     "MIT)\n"
	     "  certificate authorities    MPL-2.0 (Mozilla's list, from the building host)\n"
	     "  time zones                 public domain (IANA, from the building host)");
}

static int print_view(struct view *view)
{
	const char *why;

	view->archive = image_find_archive(&view->elf, &view->image, &why);
	if (!view->archive) /* image_check has accepted it */
		return report_fail(GOSOLO_CODE_FAILED, "%s: %s", view->elf.path, why);
	goinfo_read(&view->elf, &view->go);
	printf("program      %s\n", view->image.program);
	printf("go           %s\n", view->image.go_version);
	print_modules(view);
	puts("boots by     PVH (QEMU, Cloud Hypervisor, Firecracker, Xen), multiboot2 (GRUB)\n"
	     "runs on      Linux, as an ordinary executable\n"
	     "system calls by trap (no call sites are rewritten in this version)");
	print_segments(view);
	print_defaults(view);
	if (view->wants_files)
		print_tree(view, 0, "");
	if (view->wants_licenses)
		print_licenses();
	return 0;
}

static int parse(int argc, char **argv, struct view *view, bool *wants_help)
{
	static const struct option longs[] = {
		{ "files", no_argument, NULL, 'f' },
		{ "modules", no_argument, NULL, 'd' },
		{ "licenses", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int found;

	opterr = 0;
	while ((found = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		view->wants_files |= found == 'f';
		view->wants_modules |= found == 'd';
		view->wants_licenses |= found == 'l';
		*wants_help |= found == 'h';
		if (found == '?')
			return report_fail(GOSOLO_CODE_FAILED,
				"%s: unknown option; see gosolo help inspect", argv[optind - 1]);
	}
	if (!*wants_help && optind + 1 != argc)
		return report_fail(GOSOLO_CODE_FAILED,
			"inspect: one image, please; see gosolo help inspect");
	return 0;
}

int command_inspect(int argc, char **argv)
{
	struct view view = { 0 };
	bool wants_help = false;
	int code = parse(argc, argv, &view, &wants_help);

	if (code)
		return code;
	if (wants_help)
		return help_print(argv[0]);
	code = elf_open(&view.elf, argv[optind]);
	if (code)
		return code;
	if (!pack_find_image(&view.elf, &view.image))
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: not an image; gosolo build makes one of it", argv[optind]);
	code = image_check(&view.elf);
	if (!code)
		code = print_view(&view);
	return code;
}
