/* sources: boot/info.c platform/pc/cpus.c test/unit/shim/host.c */
/*
 * boot_fuzz.c: any bytes as what a boot loader and firmware leave.
 *
 * What:       the input is copied into the first MiB, where structures of all protocols, ACPI's and
 *             the MP table are then looked for; pointers among it are relative to its place.
 * Invariants: (1) RAM ranges ascend and do not overlap. (2) no more CPUs than there is room for.
 *             (3) the command line ends.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     boot/info.c, platform/pc/cpus.c.
 */
#include <string.h>

#include "base/units.h"
#include "boot/info.h"
#include "boot/low.h"
#include "host.h"
#include "platform/pc/pc_priv.h"
#include "platform/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Structures at 64 KiB, or where the MP table is looked for. */
enum { RAM = 1 << 20, AT_LOW = 0x10000, AT_EBDA = 0x9fc00, AT_ROM = 0xf0000, IDS = 8 };

static char ram[RAM];
static struct boot_info info;
static paddr_t rsdp;
char *host_ram;

uint64_t boot_room(paddr_t pa)
{
	return pa < RAM ? RAM - pa : 0;
}

const void *boot_at(paddr_t pa, uint64_t bytes)
{
	return pa && pa < RAM && bytes <= boot_room(pa) ? host_ram + pa : NULL;
}

const void *pc_at(paddr_t pa, uint64_t bytes)
{
	return boot_at(pa, bytes);
}

paddr_t pc_rsdp(void)
{
	return rsdp;
}

static void check_info(void)
{
	for (uint32_t i = 0; i < info.ram_count; i++) {
		CHECK(info.ram[i].start < info.ram[i].end);
		CHECK(i == 0 || info.ram[i - 1].end <= info.ram[i].start); /* (1) */
		CHECK(info.ram[i].start % PAGE_SIZE == 0 && info.ram[i].end % PAGE_SIZE == 0);
	}
	for (uint32_t i = 0; i < info.module_count; i++)
		CHECK(info.modules[i].start < info.modules[i].end);
	CHECK(strlen(info.cmdline) == info.cmdline_bytes); /* (3) */
}

/* So that tables need no checksum from the fuzzer. */
static void fix_sum(uint8_t *table, size_t bytes, size_t sum_at)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + table[i]);
	table[sum_at] = (uint8_t)(table[sum_at] - sum);
}

static void fix_sums(uint8_t *at, size_t size)
{
	uint32_t length;

	for (size_t i = 0; i + 44 <= size; i += 4) {
		memcpy(&length, at + i + 4, 4);
		if (memcmp(at + i, "_MP_", 4) == 0)
			fix_sum(at + i, 16, 10);
		else if (memcmp(at + i, "PCMP", 4) == 0 && (length & 0xffff) <= size - i)
			fix_sum(at + i, length & 0xffff, 7);
		else if (memcmp(at + i, "APIC", 4) == 0 && length <= size - i)
			fix_sum(at + i, length, 9);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t places[] = { AT_LOW, AT_EBDA, AT_ROM, AT_LOW + 8 };
	uint32_t ids[IDS], place = places[size ? data[0] & 3 : 0], offset = 0;

	host_ram = ram;
	rsdp = offset ? place + offset : 0;
	if (size > 4)
		memcpy(&offset, data + 1, 2);
	data += MIN(size, 4ul);
	size -= MIN(size, 4ul);
	size = MIN(size, (size_t)(place == AT_EBDA ? 1024 : 32768));
	memcpy(host_ram + place, data, size);
	fix_sums((uint8_t *)host_ram + place, size);
	for (int protocol = BOOT_PVH; protocol <= BOOT_LINUX64; protocol++) {
		memset(&info, 0, sizeof(info) - sizeof(info.cmdline));
		info.cmdline[0] = 0;
		info.cmdline_bytes = 0;
		(void)boot_info_read((enum boot_protocol)protocol, place, &info);
		check_info();
		if (info.rsdp_pa)
			rsdp = info.rsdp_pa;
	}
	CHECK(platform_find_cpus(ids, IDS) <= IDS); /* (2) */
	memset(host_ram + place, 0, size);
	return 0;
}
