/*
 * gdb.c: tells how to attach gdb to the machine that is about to start.
 *
 * What:       image and kernel live in memory files of this process, which gdb opens through
 *             /proc. The image has the program's debug information, the kernel its own.
 * Invariants: (1) a kernel is offered only when it is the image's: its build id is compared.
 * Locking:    none; the command has one thread.
 * Failure:    without the script or the kernel the line is shorter.
 * Source:     proc(5); gdb's manual, add-symbol-file.
 */
#include "cli/gdb.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/machine.h"
#include "cli/pack.h"

enum { BUILD_ID_BYTES = 16 };

/* Installed with us, or in the tree that we were built in. NULL: neither. */
static char *find_script(void)
{
	static const char *const places[] = { "../share/gosolo/gosolo.py", "../tools/gdb/gosolo.py",
		"../../tools/gdb/gosolo.py" };
	char self[PATH_MAX], *slash, *found = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && !found && i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = mem_format("%.*s/%s", (int)(slash - self), self, places[i]);

		found = realpath(path, NULL);
		free(path);
	}
	return found;
}

/* (1) The id lies in front of the kernel's table of functions. */
static bool is_same_kernel(const struct elf_file *kernel, int image_fd)
{
	const Elf64_Shdr *table = elf_find_section(kernel, ".ksyms");
	const uint8_t *ours, *theirs;
	struct elf_file image;
	bool is_same;

	if (!table || elf_map(&image, image_fd, "image") != 0)
		return false;
	ours = elf_bytes_at(kernel, table->sh_addr, BUILD_ID_BYTES);
	theirs = elf_parse(&image) ? NULL : elf_bytes_at(&image, table->sh_addr, BUILD_ID_BYTES);
	is_same = ours && theirs && memcmp(ours, theirs, BUILD_ID_BYTES) == 0;
	elf_close(&image);
	return is_same;
}

/* A file in memory with the kernel and its debug information; -1: not to be had. */
static int open_kernel(int image_fd, const char *path)
{
	struct elf_file kernel;
	int fd = -1;

	if (pack_open_kernel(&kernel, path) != 0)
		return -1;
	if (is_same_kernel(&kernel, image_fd))
		fd = machine_create_file();
	if (fd >= 0 && write(fd, kernel.data, kernel.size_bytes) != (ssize_t)kernel.size_bytes) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void gdb_announce(int image_fd, const char *kernel, uint32_t port)
{
	char *script = find_script();
	int kernel_fd = script ? open_kernel(image_fd, kernel) : -1, pid = (int)getpid();

	if (kernel_fd >= 0)
		report_line("stopped until gdb comes: gdb -q -x %s /proc/%d/fd/%d "
			    "-ex 'gosolo-attach :%u /proc/%d/fd/%d'",
			script, pid, image_fd, port, pid, kernel_fd);
	else
		report_line("stopped until gdb comes: gdb -q /proc/%d/fd/%d "
			    "-ex 'target remote :%u'",
			pid, image_fd, port);
	free(script);
}
