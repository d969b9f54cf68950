/*
 * info.c: boot information of any protocol into one form.
 *
 * What:       loaders leave their structures in odd places, pages of ours included, so everything
 *             is copied before anything else happens.
 * Invariants: (1) out->ram is ascending and does not overlap, whatever the loader said.
 *             (2) nothing is read past the sizes that the structures state.
 * Locking:    none; one CPU, at boot.
 * Failure:    false: no usable memory map.
 * Source:     Xen arch-x86/hvm/start_info.h; Multiboot2 3.6; Linux asm/bootparam.h.
 */
#include "boot/info.h"

#include <asm/bootparam.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "base/units.h"
#include "lib/string.h"

enum {
	E820_USABLE = 1, /* the same number in all three protocols */
	MB2_TAG_END = 0,
	MB2_TAG_CMDLINE = 1,
	MB2_TAG_MODULE = 3,
	MB2_TAG_MMAP = 6,
	MB2_TAG_ACPI_OLD = 14,
	MB2_TAG_ACPI_NEW = 15,
};

struct mb2_tag {
	uint32_t type, size;
};
struct mb2_mmap_entry {
	uint64_t address, length;
	uint32_t type, reserved;
};

static void add_ram(struct boot_info *out, uint64_t start, uint64_t bytes)
{
	uint32_t i;

	start = ROUND_UP(start, PAGE_SIZE);
	if (!bytes || out->ram_count == BOOT_RANGES_MAX)
		return;
	for (i = out->ram_count; i > 0 && out->ram[i - 1].start > start; i--)
		out->ram[i] = out->ram[i - 1];
	out->ram[i].start = start;
	out->ram[i].end = ROUND_DOWN(start + bytes, PAGE_SIZE);
	out->ram_count++;
}

/* (1) Cuts what overlaps and drops what is empty. */
static void normalise(struct boot_info *out)
{
	paddr_t last = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < out->ram_count; i++) {
		struct boot_range r = out->ram[i];

		r.start = MAX(r.start, last);
		if (r.start >= r.end)
			continue;
		out->ram[n++] = r;
		last = r.end;
	}
	out->ram_count = n;
}

static void add_module(struct boot_info *out, uint64_t start, uint64_t bytes)
{
	if (out->module_count < BOOT_RANGES_MAX && bytes)
		out->modules[out->module_count++] = (struct boot_range){ start, start + bytes };
}

static void set_cmdline(struct boot_info *out, const char *s, size_t max)
{
	size_t n = strnlen(s, MIN(max, sizeof(out->cmdline) - 1));

	memcpy(out->cmdline, s, n);
	out->cmdline[n] = 0;
	out->cmdline_bytes = (uint32_t)n;
}

static bool read_pvh(paddr_t address, struct boot_info *out)
{
	const struct hvm_start_info *si = (const void *)address;
	const struct hvm_memmap_table_entry *map;
	const struct hvm_modlist_entry *mods;

	if (si->magic != XEN_HVM_START_MAGIC_VALUE || si->version < 1)
		return false;
	out->rsdp_pa = si->rsdp_paddr;
	if (si->cmdline_paddr)
		set_cmdline(out, (const char *)si->cmdline_paddr, BOOT_CMDLINE_MAX);
	map = (const void *)si->memmap_paddr;
	for (uint32_t i = 0; i < si->memmap_entries; i++)
		if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM)
			add_ram(out, map[i].addr, map[i].size);
	mods = (const void *)si->modlist_paddr;
	for (uint32_t i = 0; i < si->nr_modules; i++)
		add_module(out, mods[i].paddr, mods[i].size);
	return true;
}

static void read_mb2_map(const struct mb2_tag *tag, struct boot_info *out)
{
	const uint32_t *head = (const void *)(tag + 1); /* entry size, version */
	const char *p = (const char *)(head + 2), *end = (const char *)tag + tag->size;

	if (head[0] < sizeof(struct mb2_mmap_entry))
		return;
	for (; p + head[0] <= end; p += head[0]) {
		const struct mb2_mmap_entry *e = (const void *)p;

		if (e->type == E820_USABLE)
			add_ram(out, e->address, e->length);
	}
}

static void read_mb2_tag(const struct mb2_tag *tag, struct boot_info *out)
{
	const uint32_t *words = (const void *)(tag + 1);

	switch (tag->type) {
	case MB2_TAG_CMDLINE:
		set_cmdline(out, (const char *)words, tag->size - sizeof(*tag));
		break;
	case MB2_TAG_MODULE:
		add_module(out, words[0], words[1] - words[0]);
		break;
	case MB2_TAG_MMAP:
		read_mb2_map(tag, out);
		break;
	case MB2_TAG_ACPI_OLD:
	case MB2_TAG_ACPI_NEW:
		out->rsdp_pa = (paddr_t)words;
		break;
	}
}

static bool read_multiboot2(paddr_t address, struct boot_info *out)
{
	const uint32_t total = *(const uint32_t *)address;

	for (uint32_t at = 8; at + sizeof(struct mb2_tag) <= total;) {
		const struct mb2_tag *tag = (const void *)(address + at);

		if (tag->type == MB2_TAG_END || tag->size < sizeof(*tag) || tag->size > total - at)
			break;
		read_mb2_tag(tag, out);
		at += ROUND_UP(tag->size, 8u);
	}
	return true;
}

static bool read_linux64(paddr_t address, struct boot_info *out)
{
	const struct boot_params *bp = (const void *)address;
	uint32_t n = MIN(bp->e820_entries, (uint32_t)E820_MAX_ENTRIES_ZEROPAGE);
	uint64_t cmdline = bp->hdr.cmd_line_ptr | (uint64_t)bp->ext_cmd_line_ptr << 32;

	out->rsdp_pa = bp->acpi_rsdp_addr;
	if (cmdline && cmdline < 4 * GIB)
		set_cmdline(out, (const char *)cmdline, BOOT_CMDLINE_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (bp->e820_table[i].type == E820_USABLE)
			add_ram(out, bp->e820_table[i].addr, bp->e820_table[i].size);
	add_module(out, bp->hdr.ramdisk_image, bp->hdr.ramdisk_size);
	return true;
}

bool boot_info_read(enum boot_protocol protocol, paddr_t address, struct boot_info *out)
{
	bool ok = false;

	out->protocol = protocol;
	switch (protocol) {
	case BOOT_PVH:
		ok = read_pvh(address, out);
		break;
	case BOOT_MULTIBOOT2:
		ok = read_multiboot2(address, out);
		break;
	case BOOT_LINUX64:
		ok = read_linux64(address, out);
		break;
	}
	normalise(out);
	return ok && out->ram_count > 0;
}
