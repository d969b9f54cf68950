/*
 * exe.c: the program's own file.
 *
 * What:       Go's linker gives every byte that is loaded the address that it has in the file plus
 *             a constant, and the packer keeps that: so memory from the first segment to the last
 *             is the file, up to its symbols and debug information, which are not loaded. It is
 *             made a file of the tree, under the program's name, whose contents lie where the
 *             image's archive would: what is only read costs nothing. What the program may change
 *             is copied before it runs. When the archive has a file of that name, that is the one.
 * Invariants: (1) nobody writes to the file of the running program: -ETXTBSY.
 * Locking:    boot.
 * Failure:    no memory, or an unusual layout: there is no such file, and the log says so.
 * Source:     ELF-64 object file format; cmd/link's layout; docs/image.md. proc(5) for exe.
 */
#include "fs/exe.h"

#include <elf.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/stat.h"
#include "fs/tree_priv.h"
#include "fs/vfs.h"
#include "kernel/image.h"
#include "kernel/log.h"
#include "kernel/mm/pmm.h"
#include "kernel/options.h"
#include "lib/string.h"

#define SEGMENT_WRITABLE 2u

static struct {
	struct inode *inode; /* [I] after boot, with a reference */
	uint64_t base, bytes; /* [I] of the file in memory; 0 bytes: not laid out as it must be */
} exe;

struct inode *exe_inode(void)
{
	return exe.inode;
}

bool exe_contains(uint64_t addr, uint64_t *offset_bytes)
{
	if (addr < exe.base || addr - exe.base >= exe.bytes)
		return false;
	*offset_bytes = addr - exe.base;
	return true;
}

static const char *in_memory(uint64_t addr)
{
	return phys_to_virt(addr); /* the image's addresses are physical ones, too */
}

/* The whole file is its address less a constant. */
static bool is_contiguous(const Elf64_Ehdr *h, uint64_t base)
{
	const Elf64_Phdr *p = (const void *)((const char *)h + h->e_phoff);

	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_phentsize != sizeof(*p) ||
		h->e_phoff + h->e_phnum * sizeof(*p) > PAGE_SIZE)
		return false;
	for (unsigned i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_vaddr - p[i].p_offset != base)
			return false;
	return true;
}

static void find_layout(void)
{
	const struct gosolo_image *g = &gosolo_image;
	const struct gosolo_segment *last;

	if (g->segment_count == 0 || g->segments[0].file_bytes < PAGE_SIZE)
		return;
	last = &g->segments[g->segment_count - 1];
	if (!is_contiguous((const void *)in_memory(g->segments[0].vaddr), g->segments[0].vaddr))
		return;
	exe.base = g->segments[0].vaddr;
	exe.bytes = last->vaddr + last->file_bytes - exe.base;
}

static int copy_page(struct inode *i, uint64_t index)
{
	uint64_t at = index << PAGE_SHIFT, n = MIN(exe.bytes - at, PAGE_SIZE);
	pfn_t pfn = pmm_alloc_zeroed(PMM_CACHE);
	int r;

	if (pfn == PFN_NONE)
		return -ENOMEM;
	memcpy(pfn_to_virt(pfn), in_memory(exe.base + at), n);
	r = page_tree_set(&i->data.pages, index, pfn);
	if (r < 0)
		pmm_put(pfn);
	return r;
}

/* The first page, without a table of sections that are not there, and what may change. */
static int copy_pages(struct inode *i)
{
	const struct gosolo_image *g = &gosolo_image;
	int r = copy_page(i, 0);
	Elf64_Ehdr *h;

	if (r < 0)
		return r;
	h = pfn_to_virt(page_tree_get(&i->data.pages, 0));
	h->e_shoff = 0;
	h->e_shnum = h->e_shstrndx = 0;
	for (uint32_t s = 0; s < g->segment_count && r == 0; s++) {
		uint64_t first = (g->segments[s].vaddr - exe.base) >> PAGE_SHIFT;
		uint64_t pages = ROUND_UP(g->segments[s].file_bytes, PAGE_SIZE) >> PAGE_SHIFT;

		for (uint64_t p = 0; r == 0 && p < pages; p++)
			if (g->segments[s].flags & SEGMENT_WRITABLE)
				r = copy_page(i, first + p);
	}
	return r;
}

static int make_file(const struct vfs_at *at)
{
	struct inode *i;
	int r = vfs_make_node(at, S_IFREG | 0755, 0, &i);

	if (r < 0)
		return r;
	inode_set_mode(i, 0755);
	i->data.archive = (const uint8_t *)in_memory(exe.base);
	i->data.archive_bytes = i->data.size_bytes = exe.bytes;
	exe.inode = i;
	return copy_pages(i);
}

void exe_init(void)
{
	struct vfs_at at = { .path = options.argc ? options.argv[0] : "/", .by_kernel = true };
	int r;

	find_layout();
	r = vfs_resolve(&at, VFS_FOLLOW, &exe.inode);
	if (r == 0 && inode_is_dir(exe.inode)) {
		inode_put(exe.inode);
		exe.inode = NULL;
		return;
	}
	if (r == -ENOENT && exe.bytes)
		r = make_file(&at);
	if (r < 0)
		log_info("files: the program has no file of its own: error %d", -r);
	if (exe.inode)
		exe.inode->is_running = true; /* (1) */
}
