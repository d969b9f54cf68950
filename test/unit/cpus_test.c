/* sources: platform/pc/cpus.c test/unit/shim/host.c */
/*
 * cpus_test.c: which CPUs the firmware's tables list: MADT, MP table, and broken ones of both.
 *
 * What:       writes the tables into the first MiB of a machine's memory and asks for the CPUs.
 * Invariants: none.
 * Locking:    none.
 * Failure:    aborts with the failed check.
 * Source:     ACPI 6.4 5.2.5, 5.2.12; Intel MultiProcessor Specification 1.4, chapter 4.
 */
#include <string.h>

#include "host.h"
#include "platform/pc/pc_priv.h"
#include "platform/platform.h"

enum { RSDP = 0xe0000, ROOT = 0xe1000, MADT = 0xe2000, FLOATING = 0x9fc00, MP = 0xf1000 };
enum { HEADER = 36, RAM_BYTES = 16 << 20 };

static char ram[RAM_BYTES];
char *host_ram = ram;
static paddr_t rsdp;

paddr_t pc_rsdp(void)
{
	return rsdp;
}

const void *pc_at(paddr_t pa, uint64_t bytes)
{
	return pa && pa + bytes <= RAM_BYTES ? ram + pa : NULL;
}

static void put(uint32_t at, const void *bytes, size_t n)
{
	memcpy(ram + at, bytes, n);
}

static void put_u32(uint32_t at, uint32_t v)
{
	put(at, &v, sizeof(v));
}

/* Makes the sum of n bytes 0 by the one at sum_at. */
static void seal(uint32_t at, size_t n, uint32_t sum_at)
{
	uint8_t sum = 0;

	ram[sum_at] = 0;
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)ram[at + i]);
	ram[sum_at] = (char)-sum;
}

static uint32_t put_acpi(const uint8_t *entries, uint32_t bytes, bool wide)
{
	rsdp = RSDP;
	put(RSDP, "RSD PTR ", 8);
	ram[RSDP + 15] = wide ? 2 : 0;
	put_u32(RSDP + 16, wide ? 0 : ROOT);
	put_u32(RSDP + 24, wide ? ROOT : 0);
	put(ROOT, wide ? "XSDT" : "RSDT", 4);
	put_u32(ROOT + 4, HEADER + (wide ? 8 : 4));
	put_u32(ROOT + HEADER, MADT);
	put(MADT, "APIC", 4);
	put_u32(MADT + 4, HEADER + 8 + bytes);
	put(MADT + HEADER + 8, entries, bytes);
	seal(MADT, HEADER + 8 + bytes, MADT + 9);
	return HEADER + 8 + bytes;
}

static void put_mp(const uint8_t *entries, uint16_t bytes)
{
	uint16_t length = (uint16_t)(44 + bytes);

	put(FLOATING, "_MP_", 4);
	put_u32(FLOATING + 4, MP);
	ram[FLOATING + 8] = 1;
	seal(FLOATING, 16, FLOATING + 10);
	put(MP, "PCMP", 4);
	put(MP + 4, &length, sizeof(length));
	put(MP + 44, entries, bytes);
	seal(MP, length, MP + 7);
}

/* CPUs 0, 3 and 300; CPU 2 is not enabled; other kinds between; a last entry that is cut off. */
static const uint8_t madt_entries[] = { 0, 8, 0, 0, 1, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 8, 1, 2, 0, 0, 0, 0, 9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 3, 1,
	0, 0, 0, 0, 8, 3, 4 };

/* A bus, CPUs 0 and 5, CPU 1 not enabled. */
static const uint8_t mp_entries[68] = { [0] = 1,
	[8] = 0,
	[9] = 0,
	[11] = 1,
	[28] = 0,
	[29] = 1,
	[48] = 0,
	[49] = 5,
	[51] = 3 };

static void begin(void)
{
	memset(ram, 0, sizeof(ram));
	rsdp = 0;
}

static void check_ids(const uint32_t *want, uint32_t count)
{
	uint32_t ids[8], n = platform_find_cpus(ids, 8);

	CHECK_EQ(n, count);
	for (uint32_t i = 0; i < count; i++)
		CHECK_EQ(ids[i], want[i]);
}

int main(void)
{
	static const uint32_t madt_ids[] = { 0, 300, 3 }, mp_ids[] = { 0, 5 };
	uint32_t ids[2], bytes;

	begin();
	check_ids(NULL, 0);
	for (int wide = 0; wide < 2; wide++) {
		begin();
		put_mp(mp_entries, sizeof(mp_entries));
		bytes = put_acpi(madt_entries, sizeof(madt_entries), wide);
		check_ids(madt_ids, 3);
		CHECK_EQ(platform_find_cpus(ids, 2), 2); /* no more than there is room for */
		ram[MADT + bytes - 20] ^= 1; /* a wrong sum: the other table */
		check_ids(mp_ids, 2);
		put(RSDP, "RSD PTX ", 8);
		check_ids(mp_ids, 2);
	}
	begin();
	put_mp(mp_entries, sizeof(mp_entries));
	check_ids(mp_ids, 2);
	put_mp(mp_entries, sizeof(mp_entries) - 1); /* its last entry does not fit */
	check_ids(mp_ids, 1);
	put_mp(mp_entries, sizeof(mp_entries));
	ram[MP + 50] ^= 1;
	check_ids(NULL, 0);
	printf("cpus_test: ok\n");
	return 0;
}
