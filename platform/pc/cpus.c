/*
 * cpus.c: which CPUs there are: from ACPI's MADT, else from the MP table.
 *
 * What:       local APIC ids of the enabled CPUs.
 * Invariants: (1) tables come from outside: every length is checked, every sum too.
 * Locking:    none: boot only.
 * Failure:    no table: no CPU is listed, and the boot CPU stays alone.
 * Source:     ACPI 6.4 5.2.5, 5.2.12; Intel MultiProcessor Specification 1.4, chapter 4.
 */
#include "arch/arch.h"
#include "lib/string.h"
#include "platform/pc/pc_priv.h"
#include "platform/platform.h"

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[26];
};

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt_pa;
	uint32_t length;
	uint64_t xsdt_pa;
} __attribute__((packed));

struct mp_floating {
	char signature[4];
	uint32_t table_pa;
	uint8_t length, revision, checksum, features[5];
};

struct mp_table {
	char signature[4];
	uint16_t length;
	uint8_t revision, checksum;
	char oem[20];
	uint32_t oem_table;
	uint16_t oem_length, entry_count;
	uint32_t lapic_pa;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
};

enum {
	MADT_LAPIC = 0,
	MADT_X2APIC = 9,
	MADT_ENABLED = 1,
	MADT_ENTRIES = sizeof(struct acpi_header) + 8,
	MP_PROCESSOR = 0,
	MP_PROCESSOR_BYTES = 20,
	MP_OTHER_BYTES = 8,
	MP_ENABLED = 1,
	TABLE_MAX = 1 << 20,
	LOW_END = 1 << 20, /* where MP tables lie below */
};

static bool sum_is_zero(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *b++);
	return !sum;
}

static void add(uint32_t *ids, uint32_t max, uint32_t *n, uint32_t id)
{
	if (*n < max)
		ids[(*n)++] = id;
}

static void read_madt(const struct acpi_header *h, uint32_t *ids, uint32_t max, uint32_t *n)
{
	const uint8_t *p = (const uint8_t *)h + MADT_ENTRIES, *end = (const uint8_t *)h + h->length;
	uint32_t words[4];

	if (h->length < MADT_ENTRIES)
		return;
	for (; end - p >= 2 && p[1] >= 2 && p[1] <= end - p; p += p[1]) {
		if (p[0] == MADT_LAPIC && p[1] >= 8 && (p[4] & MADT_ENABLED))
			add(ids, max, n, p[3]);
		if (p[0] != MADT_X2APIC || p[1] < 16)
			continue;
		memcpy(words, p, sizeof(words));
		if (words[2] & MADT_ENABLED)
			add(ids, max, n, words[1]);
	}
}

static const struct acpi_header *table_at(paddr_t pa)
{
	const struct acpi_header *h = pc_at(pa, sizeof(*h));

	if (!h || h->length < sizeof(*h) || h->length > TABLE_MAX || !pc_at(pa, h->length))
		return NULL;
	return h;
}

static uint32_t from_acpi(paddr_t rsdp_pa, uint32_t *ids, uint32_t max)
{
	const struct acpi_rsdp *rsdp = pc_at(rsdp_pa, sizeof(*rsdp));
	bool wide = rsdp && rsdp->revision >= 2 && rsdp->xsdt_pa;
	const struct acpi_header *root;
	size_t step = wide ? 8 : 4;
	uint32_t n = 0;

	if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8))
		return 0;
	root = table_at(wide ? rsdp->xsdt_pa : rsdp->rsdt_pa);
	if (!root)
		return 0;
	for (size_t at = sizeof(*root); at + step <= root->length; at += step) {
		const struct acpi_header *h;
		uint64_t pa = 0;

		memcpy(&pa, (const char *)root + at, step);
		h = table_at(pa);
		if (h && !memcmp(h->signature, "APIC", 4) && sum_is_zero(h, h->length))
			read_madt(h, ids, max, &n);
	}
	return n;
}

/* bytes: that may belong to it. */
static uint32_t read_mp_table(const struct mp_table *t, uint64_t bytes, uint32_t *ids, uint32_t max)
{
	const uint8_t *p = (const uint8_t *)(t + 1), *end = (const uint8_t *)t + t->length;
	uint32_t n = 0;

	if (memcmp(t->signature, "PCMP", 4) || t->length < sizeof(*t) || t->length > bytes ||
		!sum_is_zero(t, t->length))
		return 0;
	/* By length, as Linux does: QEMU's qboot leaves entry_count 0. */
	while (p < end) {
		size_t step = *p == MP_PROCESSOR ? MP_PROCESSOR_BYTES : MP_OTHER_BYTES;

		if (step > (size_t)(end - p))
			break;
		if (*p == MP_PROCESSOR && (p[3] & MP_ENABLED))
			add(ids, max, &n, p[1]);
		p += step;
	}
	return n;
}

static uint32_t from_mp_table(uint32_t *ids, uint32_t max)
{
	/* The last KiB of base memory, and the BIOS ROM (MP 4). */
	static const struct {
		paddr_t start, end;
	} places[] = { { 0x9fc00, 0xa0000 }, { 0xf0000, 0x100000 } };

	for (unsigned i = 0; i < ARRAY_LEN(places); i++)
		for (paddr_t pa = places[i].start; pa < places[i].end; pa += 16) {
			const struct mp_floating *f = phys_to_virt(pa);

			if (*(const uint32_t *)f != 0x5f504d5f /* "_MP_" */ ||
				!sum_is_zero(f, sizeof(*f)) || !f->table_pa ||
				f->table_pa >= LOW_END - sizeof(struct mp_table))
				continue;
			return read_mp_table(phys_to_virt(f->table_pa), LOW_END - f->table_pa, ids,
				max);
		}
	return 0;
}

uint32_t platform_find_cpus(uint32_t *apic_ids, uint32_t max)
{
	uint32_t n = pc_rsdp() ? from_acpi(pc_rsdp(), apic_ids, max) : 0;

	return n ? n : from_mp_table(apic_ids, max);
}
