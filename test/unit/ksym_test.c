/* sources: kernel/ksym.c lib/string.c test/unit/shim/host.c */
/*
 * ksym_test.c: the kernel's table of functions, read back, and cut anywhere.
 *
 * What:       a small table by hand: look-ups at, in and beyond functions; every prefix of it.
 * Invariants: (1) a table that is cut short gives false or an earlier name, never a read outside.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/ksym.c for the format.
 */
#include "kernel/ksym.h"

#include <string.h>

#include "host.h"

#define TEXT 0x201000ul

/* boot/linker.ld's symbols: the linked-in table, which is empty here. */
const uint8_t kernel_symbols_start[1];
const char kernel_text_start[1];
__asm__(".globl kernel_symbols_end\nkernel_symbols_end = kernel_symbols_start");
__asm__(".globl kernel_text_end\nkernel_text_end = kernel_text_start");

static const uint8_t table[] = {
	0, 0, 5, 'e', 'n', 't', 'r', 'y', /* 0x201000 entry */
	0x80, 0x01, 0, 8, 'p', 'm', 'm', '_', 'i', 'n', 'i', 't', /* + 128 */
	16, 4, 5, 'a', 'l', 'l', 'o', 'c', /* + 16: pmm_alloc */
	32, 0, 0, /* + 32: the end */
};

static void test_names(void)
{
	static const struct {
		uint64_t pc;
		const char *name; /* NULL: not found */
		uint64_t offset_bytes;
	} cases[] = {
		{ TEXT - 1, NULL, 0 },
		{ TEXT, "entry", 0 },
		{ TEXT + 127, "entry", 127 },
		{ TEXT + 128, "pmm_init", 0 },
		{ TEXT + 144, "pmm_alloc", 0 },
		{ TEXT + 175, "pmm_alloc", 31 },
		{ TEXT + 176, NULL, 0 },
		{ UINT64_MAX, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ksym_found found;
		bool ok = ksym_find_in(table, sizeof(table), TEXT, cases[i].pc, &found);

		CHECK_EQ(ok, cases[i].name != NULL);
		if (!ok)
			continue;
		CHECK(strcmp(found.name, cases[i].name) == 0);
		CHECK_EQ(found.offset_bytes, cases[i].offset_bytes);
	}
}

static void test_cut_tables(void)
{
	for (size_t bytes = 0; bytes <= sizeof(table); bytes++) {
		uint8_t *copy = malloc(bytes ? bytes : 1); /* ASan sees its end */
		struct ksym_found found;

		memcpy(copy, table, bytes);
		CHECK(bytes == sizeof(table) ||
			!ksym_find_in(copy, bytes, TEXT, TEXT + 150, &found)); /* (1) */
		free(copy);
	}
}

static void test_without_table(void)
{
	char name[32], id[32];
	uint64_t offset;

	CHECK(!ksym_find(TEXT, name, sizeof(name), &offset));
	CHECK(!ksym_contains(TEXT));
	ksym_build_id(id, sizeof(id));
}

int main(void)
{
	test_names();
	test_cut_tables();
	test_without_table();
	return 0;
}
