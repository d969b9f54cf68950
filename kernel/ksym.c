/*
 * ksym.c: names of the kernel's functions, for reports.
 *
 * What:       the second link puts a table behind the code (tools/kernel-symbols.sh): 16 digits of
 *             build id, then one entry per function in ascending order: distance from the one
 *             before (LEB128), how many characters of the name before are kept, how many follow,
 *             and these. The last entry has no name and is the text's end. It is read from its
 *             beginning each time: a report has a few dozen look-ups of some microseconds.
 * Invariants: (1) no read outside the table.
 * Locking:    none; read-only data.
 * Failure:    false; also when the kernel was linked without a table.
 * Source:     none.
 */
#include "kernel/ksym.h"

#include "base/units.h"
#include "lib/string.h"

enum { ID_BYTES = 16, NAME_MAX_BYTES = 64 };

/* boot/linker.ld */
extern const uint8_t kernel_symbols_start[], kernel_symbols_end[];
extern const char kernel_text_start[], kernel_text_end[];

struct cursor {
	const uint8_t *at, *end;
	uint64_t address;
	char name[NAME_MAX_BYTES];
	size_t name_bytes;
};

static bool next_byte(struct cursor *c, uint8_t *out)
{
	if (c->at == c->end) /* (1) */
		return false;
	*out = *c->at++;
	return true;
}

static bool next_distance(struct cursor *c, uint64_t *out)
{
	uint8_t byte = 0x80;

	*out = 0;
	for (unsigned shift = 0; byte & 0x80; shift += 7) {
		if (shift > 56 || !next_byte(c, &byte))
			return false;
		*out |= (uint64_t)(byte & 0x7f) << shift;
	}
	return true;
}

static bool next_entry(struct cursor *c)
{
	uint8_t kept, added;
	uint64_t distance;

	if (!next_distance(c, &distance) || !next_byte(c, &kept) || !next_byte(c, &added))
		return false;
	if (kept > c->name_bytes || kept + added >= NAME_MAX_BYTES ||
		added > (size_t)(c->end - c->at))
		return false;
	memcpy(c->name + kept, c->at, added);
	c->at += added;
	c->name_bytes = (size_t)kept + added;
	c->name[c->name_bytes] = 0;
	c->address += distance;
	return true;
}

bool ksym_find_in(const uint8_t *table, size_t bytes, uint64_t text, uint64_t pc,
	struct ksym_found *found)
{
	struct cursor c = { .at = table, .end = table + bytes, .address = text };

	found->name[0] = 0;
	while (next_entry(&c)) {
		if (c.address > pc)
			return found->name[0] != 0;
		memcpy(found->name, c.name, sizeof(found->name));
		found->offset_bytes = pc - c.address;
	}
	return false;
}

static size_t table_bytes(void)
{
	return (size_t)(kernel_symbols_end - kernel_symbols_start);
}

bool ksym_find(uint64_t pc, char *name, size_t size, uint64_t *offset_bytes)
{
	struct ksym_found found;

	if (table_bytes() < ID_BYTES ||
		!ksym_find_in(kernel_symbols_start + ID_BYTES, table_bytes() - ID_BYTES,
			(uint64_t)kernel_text_start, pc, &found))
		return false;
	(void)strlcpy(name, found.name, size);
	*offset_bytes = found.offset_bytes;
	return true;
}

bool ksym_contains(uint64_t pc)
{
	return pc >= (uint64_t)kernel_text_start && pc < (uint64_t)kernel_text_end;
}

void ksym_build_id(char *id, size_t size)
{
	size_t n = MIN(size - 1, MIN(table_bytes(), (size_t)ID_BYTES));

	memcpy(id, kernel_symbols_start, n);
	id[n] = 0;
}
