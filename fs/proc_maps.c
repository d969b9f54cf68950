/*
 * proc_maps.c: /proc/self/maps and smaps: the program's mappings.
 *
 * What:       one line per mapping; smaps has what of it is in memory.
 * Invariants: none.
 * Locking:    vm_each holds no lock while a line is made.
 * Failure:    none beyond proc.c's.
 * Source:     proc(5); Linux fs/proc/task_mmu.c for the columns.
 */
#include "base/units.h"
#include "fs/exe.h"
#include "fs/proc_priv.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/vm.h"
#include "lib/string.h"

#define PATH_COLUMN 73u
#define CHUNK_PAGES 16384u

/* What a mapping is of: its file and where in it. */
struct backing {
	struct inode *inode; /* NULL: no file */
	uint64_t offset_bytes;
};

static struct backing backing_of(const struct vm_region *r)
{
	struct backing b = { .offset_bytes = r->offset_bytes };
	uint64_t offset;

	if (r->object && r->object->ops == &data_object_ops)
		b.inode = container_of(r->object, struct inode, vm_object);
	else if (!r->object && exe_contains(r->start, &offset))
		b = (struct backing){ exe_inode(), offset };
	return b;
}

static void print_name(struct proc_text *t, const struct vm_region *r, const struct backing *b,
	size_t line_start)
{
	char *path = kmem_alloc(VFS_PATH_MAX);
	long n = 0;

	if (!path)
		return;
	if (b->inode) {
		n = vfs_inode_path(b->inode, path, VFS_PATH_MAX);
	} else if (r->end == PROC_STACK_END) {
		n = (long)strlcpy(path, "[stack]", VFS_PATH_MAX);
	}
	if (n > 0) {
		while (t->len - line_start < PATH_COLUMN && !t->failed)
			proc_print(t, " ");
		proc_append(t, path, (size_t)n);
	}
	kmem_free(path);
}

static int print_region(const struct vm_region *r, void *arg)
{
	struct proc_text *t = arg;
	struct backing b = backing_of(r);
	size_t line_start = t->len;

	proc_print(t, "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ", r->start, r->end,
		r->prot & VM_PROT_READ ? 'r' : '-', r->prot & VM_PROT_WRITE ? 'w' : '-',
		r->prot & VM_PROT_EXEC ? 'x' : '-', r->flags & VM_SHARED ? 's' : 'p',
		b.offset_bytes, b.inode ? (unsigned)b.inode->device : 0,
		b.inode ? b.inode->number : 0);
	print_name(t, r, &b, line_start);
	proc_print(t, "\n");
	return 0;
}

void proc_make_maps(struct proc_text *t)
{
	vm_each(print_region, t);
}

/* ------------------------------------------------------------------ smaps */

static uint64_t count_resident(const struct vm_region *r)
{
	uint64_t pages = 0;
	uint8_t *present;

	if (r->prot == VM_PROT_NONE)
		return 0; /* a reservation, maybe terabytes of it */
	present = kmem_alloc(CHUNK_PAGES);
	if (!present)
		return 0;
	for (uint64_t at = r->start; at < r->end; at += CHUNK_PAGES * PAGE_SIZE) {
		uint64_t n = MIN(r->end - at, CHUNK_PAGES * PAGE_SIZE);

		if (vm_resident(at, n, present) != 0)
			break; /* it was unmapped meanwhile */
		for (uint64_t i = 0; i < n >> PAGE_SHIFT; i++)
			pages += present[i] & 1;
	}
	kmem_free(present);
	return pages;
}

static int print_detailed(const struct vm_region *r, void *arg)
{
	unsigned long rss = (unsigned long)(count_resident(r) * (PAGE_SIZE / KIB));
	bool clean = !(r->prot & VM_PROT_WRITE), shared = (r->flags & VM_SHARED) != 0;
	struct proc_text *t = arg;

	(void)print_region(r, t);
	proc_print(t, "Size:           %8lu kB\nKernelPageSize:        4 kB\n",
		(r->end - r->start) / KIB);
	proc_print(t, "MMUPageSize:           4 kB\nRss:            %8lu kB\n", rss);
	proc_print(t, "Pss:            %8lu kB\nShared_Clean:          0 kB\n", rss);
	proc_print(t, "Shared_Dirty:          0 kB\nPrivate_Clean:  %8lu kB\n", clean ? rss : 0);
	proc_print(t, "Private_Dirty:  %8lu kB\nReferenced:     %8lu kB\n", clean ? 0 : rss, rss);
	proc_print(t, "Anonymous:      %8lu kB\nSwap:                  0 kB\n",
		r->object || clean ? 0 : rss);
	proc_print(t, "Locked:                0 kB\nVmFlags: %s%s%s%s\n",
		r->prot & VM_PROT_READ ? "rd " : "", r->prot & VM_PROT_WRITE ? "wr " : "",
		r->prot & VM_PROT_EXEC ? "ex " : "", shared ? "sh " : "");
	return 0;
}

void proc_make_smaps(struct proc_text *t)
{
	vm_each(print_detailed, t);
}
