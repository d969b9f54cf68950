/*
 * memory.c: from the memory map to an allocator and page tables of our own.
 *
 * What:       the pages of the image that come from the file stay where the loader put them; Go's
 *             bss does not, its physical range is ordinary RAM. Everything else in the map is free.
 * Invariants: (1) image ranges win over what the map says of them, but must be RAM by the map's
 *             extent. (2) no page is both writable and executable, in the direct map either, and
 *             the direct map may not write where the image is read-only. (3) pages 0 and 1 and the
 *             first MiB are never given out: firmware data and the start of other CPUs live there.
 * Locking:    none; one CPU, at boot.
 * Failure:    panic_bad_image with the sizes.
 * Source:     image layout: docs/image.md.
 */
#include "boot/memory.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "kernel/mm/pmm.h"
#include "kernel/panic.h"

/* boot/linker.ld */
extern char kernel_slot_start[], kernel_slot_end[], kernel_text_start[], kernel_text_end[];
extern char kernel_rodata_start[], kernel_vdso_start[], kernel_vdso_end[], kernel_vvar_start[];
extern char kernel_data_start[], kernel_end[];

enum { HOLES_MAX = 80, LOW_MEMORY_END = 0x100000 };

/* Kept for the report when memory runs out: 1/128 of RAM, within these bounds. */
enum { RESERVE_PART = 128, RESERVE_MIN_PAGES = 16, RESERVE_MAX_PAGES = 128 };

static struct {
	struct boot_range holes[HOLES_MAX]; /* not to be given out; ascending */
	uint32_t hole_count;
	paddr_t ram_end;
} mem;

static void add_hole(paddr_t start, paddr_t end)
{
	uint32_t i;

	start = ROUND_DOWN(start, PAGE_SIZE);
	end = ROUND_UP(end, PAGE_SIZE);
	if (start >= end)
		return;
	ASSERT(mem.hole_count < HOLES_MAX);
	for (i = mem.hole_count; i > 0 && mem.holes[i - 1].start > start; i--)
		mem.holes[i] = mem.holes[i - 1];
	mem.holes[i] = (struct boot_range){ start, end };
	mem.hole_count++;
}

static bool is_ram(const struct boot_info *info, paddr_t start, paddr_t end)
{
	for (uint32_t i = 0; i < info->ram_count; i++)
		if (start >= info->ram[i].start && end <= info->ram[i].end)
			return true;
	return false;
}

static uint64_t ram_bytes(const struct boot_info *info)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < info->ram_count; i++)
		n += info->ram[i].end - info->ram[i].start;
	return n;
}

static void check_range(const struct boot_info *info, const char *what, paddr_t start, paddr_t end)
{
	/* Firmware may call pages below the image's own NVS: (1), so only the extent is checked. */
	if (info->protocol == BOOT_MULTIBOOT2 ? end > mem.ram_end : !is_ram(info, start, end))
		panic_bad_image("this machine has %llu MiB of memory, but %s lies at %#llx..%#llx: "
				"give it at least %llu MiB",
			(unsigned long long)(ram_bytes(info) >> 20), what,
			(unsigned long long)start, (unsigned long long)end,
			(unsigned long long)((end >> 20) + 2));
	for (uint32_t i = 0; i < info->module_count; i++)
		if (info->modules[i].start < end && info->modules[i].end > start)
			panic_bad_image("the boot loader put a module over %s at %#llx", what,
				(unsigned long long)start);
}

static void find_holes(const struct boot_info *info, const struct gosolo_image *image)
{
	add_hole(0, LOW_MEMORY_END); /* (3) */
	check_range(info, "the kernel", (paddr_t)kernel_slot_start, (paddr_t)kernel_end);
	add_hole((paddr_t)kernel_slot_start, (paddr_t)kernel_end);
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct gosolo_segment *s = &image->segments[i];

		check_range(info, "the program", s->vaddr, s->vaddr + s->file_bytes);
		add_hole(s->vaddr, s->vaddr + s->file_bytes);
	}
	if (image->archive_bytes) {
		paddr_t end = image->archive_va + image->archive_bytes;

		check_range(info, "the archive of files", image->archive_va, end);
		add_hole(image->archive_va, end);
	}
	for (uint32_t i = 0; i < info->module_count; i++)
		add_hole(info->modules[i].start, info->modules[i].end);
}

/* Calls fn for every piece of RAM that is in no hole. Stops when fn returns true. */
static bool each_free(const struct boot_info *info,
	bool (*fn)(paddr_t start, paddr_t end, void *arg), void *arg)
{
	for (uint32_t i = 0; i < info->ram_count; i++) {
		paddr_t at = info->ram[i].start;

		for (uint32_t h = 0; h < mem.hole_count && at < info->ram[i].end; h++) {
			if (mem.holes[h].end <= at)
				continue;
			if (mem.holes[h].start > at &&
				fn(at, MIN(mem.holes[h].start, info->ram[i].end), arg))
				return true;
			at = MAX(at, mem.holes[h].end);
		}
		if (at < info->ram[i].end && fn(at, info->ram[i].end, arg))
			return true;
	}
	return false;
}

struct place {
	size_t bytes;
	paddr_t at;
};

/* The frame table must be reachable before the final page tables exist: below 4 GiB. */
static bool place_table(paddr_t start, paddr_t end, void *arg)
{
	struct place *p = arg;

	if (start + p->bytes > end || start + p->bytes > 4 * GIB)
		return false;
	p->at = start;
	return true;
}

static bool give_range(paddr_t start, paddr_t end, void *arg unused_arg)
{
	pmm_add_range(start, end);
	return false;
}

static paddr_t table_alloc(void)
{
	return (paddr_t)pmm_alloc_zeroed(PMM_TABLE) << PAGE_SHIFT;
}

static void table_free(paddr_t pa)
{
	pmm_free(pa >> PAGE_SHIFT, 0);
}

static void map_or_die(int err)
{
	if (err)
		panic_bad_image("no memory for page tables");
}

/* (2) Direct map: 2 MiB pages, but 4 KiB ones where the image lies. */
static void map_direct(const struct gosolo_image *image)
{
	paddr_t first = ROUND_DOWN((paddr_t)kernel_slot_start, HUGE_PAGE_SIZE);
	paddr_t last = ROUND_UP(MAX((paddr_t)kernel_slot_end, image->image_end), HUGE_PAGE_SIZE);
	paddr_t end = ROUND_UP(mem.ram_end, HUGE_PAGE_SIZE);
	unsigned rw = PAGING_READ | PAGING_WRITE;

	last = MIN(last, end);
	map_or_die(paging_map_huge_range(ARCH_DIRECT_MAP, 0, first, rw));
	map_or_die(paging_map_range(ARCH_DIRECT_MAP + first, first, last - first, rw));
	map_or_die(paging_map_huge_range(ARCH_DIRECT_MAP + last, last, end - last, rw));
}

static void protect_alias(uint64_t start, uint64_t end)
{
	start = ROUND_DOWN(start, PAGE_SIZE);
	if (start < end)
		paging_protect_range(ARCH_DIRECT_MAP + start, end - start, PAGING_READ);
}

static void map_kernel(void)
{
	const struct {
		const char *start, *end;
		unsigned flags;
	} parts[] = {
		{ kernel_text_start, kernel_rodata_start, PAGING_READ | PAGING_EXEC },
		{ kernel_rodata_start, kernel_vdso_start, PAGING_READ },
		{ kernel_vdso_start, kernel_vdso_end, PAGING_READ | PAGING_EXEC },
		{ kernel_data_start, kernel_end, PAGING_READ | PAGING_WRITE },
	};

	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		uint64_t start = (uint64_t)parts[i].start;
		uint64_t end = ROUND_UP((uint64_t)parts[i].end, PAGE_SIZE);

		map_or_die(paging_map_range(start, start, end - start, parts[i].flags));
		if (!(parts[i].flags & PAGING_WRITE))
			protect_alias(start, end);
	}
	/* The kernel itself writes the vDSO's data through the direct map. */
	paging_protect(ARCH_DIRECT_MAP + (uint64_t)kernel_vvar_start, PAGING_READ | PAGING_WRITE);
}

void boot_memory_init(const struct boot_info *info, const struct gosolo_image *image)
{
	static const struct paging_frames frames = { table_alloc, table_free };
	struct place table = { 0, 0 };

	mem.ram_end = info->ram[info->ram_count - 1].end;
	find_holes(info, image);
	table.bytes = ROUND_UP(pmm_table_bytes(mem.ram_end), PAGE_SIZE);
	if (!each_free(info, place_table, &table))
		panic_bad_image("no room for the table of page frames (%llu KiB)",
			(unsigned long long)(table.bytes >> 10));
	add_hole(table.at, table.at + table.bytes);
	pmm_init(mem.ram_end, table.at);
	each_free(info, give_range, NULL);
	pmm_set_reserve(MIN(MAX(pmm_total_pages() / RESERVE_PART, RESERVE_MIN_PAGES + 0ul),
		RESERVE_MAX_PAGES + 0ul));

	map_or_die(paging_init(&frames));
	map_direct(image);
	map_kernel();
	for (uint32_t i = 0; i < image->segment_count; i++)
		if (!(image->segments[i].flags & 2)) /* PF_W */
			protect_alias(image->segments[i].vaddr,
				image->segments[i].vaddr + image->segments[i].file_bytes);
	if (image->archive_bytes) {
		uint64_t end = image->archive_va + image->archive_bytes;

		protect_alias(image->archive_va, end);
		/* The archive is read in place through the direct map. */
	}
	paging_activate();
}
