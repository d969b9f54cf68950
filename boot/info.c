/*
 * info.c: boot information of any protocol into one form.
 *
 * What:       loaders leave their structures in odd places, pages of ours included, so everything
 *             is copied before anything else happens.
 * Invariants: (1) out->ram is ascending and does not overlap, whatever the loader said.
 *             (2) nothing is read past the sizes that the structures state, nor outside what the
 *             first page tables map: boot/low.c.
 * Locking:    none; one CPU, at boot.
 * Failure:    false: no usable memory map.
 * Source:     Xen arch-x86/hvm/start_info.h; Multiboot2 3.6; Linux asm/bootparam.h.
 */
#include "boot/info.h"

#include <asm/bootparam.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "base/units.h"
#include "boot/low.h"
#include "lib/string.h"

#define PA_END (1ull << 52) /* physical addresses have at most 52 bits */

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

/* Only whole pages of RAM count. */
static void add_ram(struct boot_info *out, uint64_t start, uint64_t bytes)
{
	uint64_t end = ROUND_DOWN(start + MIN(bytes, PA_END), PAGE_SIZE);
	uint32_t i;

	if (start >= PA_END || out->ram_count == BOOT_RANGES_MAX)
		return;
	start = ROUND_UP(start, PAGE_SIZE);
	for (i = out->ram_count; i > 0 && out->ram[i - 1].start > start; i--)
		out->ram[i] = out->ram[i - 1];
	out->ram[i].start = start;
	out->ram[i].end = MIN(end, PA_END);
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
	if (out->module_count < BOOT_RANGES_MAX && bytes && start < PA_END && bytes < PA_END)
		out->modules[out->module_count++] = (struct boot_range){ start, start + bytes };
}

static void set_cmdline(struct boot_info *out, paddr_t pa, uint64_t max)
{
	uint64_t room = MIN(boot_room(pa), MIN(max, sizeof(out->cmdline) - 1));
	const char *s = boot_at(pa, room);
	size_t n = s ? strnlen(s, room) : 0;

	if (s)
		memcpy(out->cmdline, s, n);
	out->cmdline[n] = 0;
	out->cmdline_bytes = (uint32_t)n;
}

static bool read_pvh(paddr_t address, struct boot_info *out)
{
	const struct hvm_start_info *si = boot_at(address, sizeof(*si));
	const struct hvm_memmap_table_entry *map;
	const struct hvm_modlist_entry *mods;

	if (!si || si->magic != XEN_HVM_START_MAGIC_VALUE || si->version < 1)
		return false;
	out->rsdp_pa = si->rsdp_paddr;
	if (si->cmdline_paddr)
		set_cmdline(out, si->cmdline_paddr, BOOT_CMDLINE_MAX);
	map = boot_at(si->memmap_paddr, (uint64_t)si->memmap_entries * sizeof(*map));
	for (uint32_t i = 0; map && i < si->memmap_entries; i++)
		if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM)
			add_ram(out, map[i].addr, map[i].size);
	mods = boot_at(si->modlist_paddr, (uint64_t)si->nr_modules * sizeof(*mods));
	for (uint32_t i = 0; mods && i < si->nr_modules; i++)
		add_module(out, mods[i].paddr, mods[i].size);
	return true;
}

static void read_mb2_map(const struct mb2_tag *tag, struct boot_info *out)
{
	const uint32_t *head = (const void *)(tag + 1); /* entry size, version */
	const char *p = (const char *)(head + 2), *end = (const char *)tag + tag->size;

	if (tag->size < sizeof(*tag) + 2 * sizeof(head[0]) ||
		head[0] < sizeof(struct mb2_mmap_entry))
		return;
	for (; head[0] <= (size_t)(end - p); p += head[0]) {
		const struct mb2_mmap_entry *e = (const void *)p;

		if (e->type == E820_USABLE)
			add_ram(out, e->address, e->length);
	}
}

/* pa: of the tag. */
static void read_mb2_tag(const struct mb2_tag *tag, paddr_t pa, struct boot_info *out)
{
	const uint32_t *words = (const void *)(tag + 1);
	uint32_t bytes = tag->size - (uint32_t)sizeof(*tag);

	switch (tag->type) {
	case MB2_TAG_CMDLINE:
		set_cmdline(out, pa + sizeof(*tag), bytes);
		break;
	case MB2_TAG_MODULE:
		if (bytes >= 2 * sizeof(words[0]) && words[1] > words[0])
			add_module(out, words[0], words[1] - words[0]);
		break;
	case MB2_TAG_MMAP:
		read_mb2_map(tag, out);
		break;
	case MB2_TAG_ACPI_OLD:
	case MB2_TAG_ACPI_NEW:
		out->rsdp_pa = pa + sizeof(*tag);
		break;
	}
}

static bool read_multiboot2(paddr_t address, struct boot_info *out)
{
	const uint32_t *head = boot_at(address, 2 * sizeof(*head)); /* total size, reserved */
	const char *base = head ? boot_at(address, *head) : NULL;

	for (uint64_t at = 8; base && at + sizeof(struct mb2_tag) <= *head;) {
		const struct mb2_tag *tag = (const void *)(base + at);

		if (tag->type == MB2_TAG_END || tag->size < sizeof(*tag) || tag->size > *head - at)
			break;
		read_mb2_tag(tag, address + at, out);
		at += ROUND_UP((uint64_t)tag->size, 8ul);
	}
	return base != NULL;
}

static bool read_linux64(paddr_t address, struct boot_info *out)
{
	const struct boot_params *bp = boot_at(address, sizeof(*bp));
	uint64_t cmdline;
	uint32_t n;

	if (!bp)
		return false;
	n = MIN(bp->e820_entries, (uint32_t)E820_MAX_ENTRIES_ZEROPAGE);
	cmdline = bp->hdr.cmd_line_ptr | (uint64_t)bp->ext_cmd_line_ptr << 32;
	out->rsdp_pa = bp->acpi_rsdp_addr;
	if (cmdline)
		set_cmdline(out, cmdline, BOOT_CMDLINE_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (bp->e820_table[i].type == E820_USABLE)
			add_ram(out, bp->e820_table[i].addr, bp->e820_table[i].size);
	add_module(out, bp->hdr.ramdisk_image, bp->hdr.ramdisk_size);
	return true;
}

bool boot_info_read(enum boot_protocol protocol, paddr_t address, struct boot_info *out)
{
	bool ok = false;

	/* Not *out = { … }: the command line has 64 KiB. */
	out->protocol = protocol;
	out->ram_count = out->module_count = out->cmdline_bytes = 0;
	out->rsdp_pa = 0;
	out->cmdline[0] = 0;
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
