/*
 * gosym.c: names of Go functions, for reports.
 *
 * What:       the table that Go's own tracebacks use lies in the image: sorted pairs of a
 *             function's offset in the text and where its description lies, which names it.
 * Invariants: (1) no read outside the table.
 * Locking:    none; read-only data.
 * Failure:    false.
 * Source:     Go runtime/symtab.go (pcHeader, functab, _func), format 0xfffffff1 since Go 1.20.
 */
#include "kernel/gosym.h"

#include "base/units.h"
#include "kernel/image.h"
#include "lib/string.h"

enum { PCLNTAB_MAGIC = (int)0xfffffff1, NAME_OFFSET = 4 };

struct pc_header {
	uint32_t magic;
	uint8_t zero[2], min_lc, pointer_bytes;
	uint64_t function_count, file_count, text_start, names_off, cu_off, files_off, pcs_off,
		funcs_off;
};

struct function_entry {
	uint32_t start_off, description_off; /* from the text's start; from funcs_off */
};

struct table {
	const char *base;
	uint64_t bytes;
	struct pc_header h;
};

static bool read(const struct table *t, uint64_t off, void *out, size_t n)
{
	if (off > t->bytes || n > t->bytes - off) /* (1) */
		return false;
	memcpy(out, t->base + off, n);
	return true;
}

static bool entry_at(const struct table *t, uint64_t i, struct function_entry *e)
{
	return i <= t->h.function_count && t->h.funcs_off <= t->bytes &&
		read(t, t->h.funcs_off + i * sizeof(*e), e, sizeof(*e));
}

/* The last function that begins at or before off. */
static bool search(const struct table *t, uint64_t off, struct function_entry *found)
{
	uint64_t low = 0, high = t->h.function_count;
	struct function_entry e;

	while (low + 1 < high) {
		uint64_t mid = low + (high - low) / 2;

		if (!entry_at(t, mid, &e))
			return false;
		if (e.start_off <= off)
			low = mid;
		else
			high = mid;
	}
	return entry_at(t, low, found) && found->start_off <= off;
}

bool gosym_find_in(const struct gosym_table *table, uint64_t pc, char *name, size_t size,
	uint64_t *offset_bytes)
{
	struct table t = { table->base, table->bytes, { 0 } };
	struct function_entry e;
	uint64_t off = pc - table->text_va, at;
	uint32_t name_off;
	size_t n;

	if (!t.base || pc < table->text_va || off >= table->text_bytes)
		return false;
	if (!read(&t, 0, &t.h, sizeof(t.h)) || t.h.magic != (uint32_t)PCLNTAB_MAGIC ||
		t.h.function_count > t.bytes / sizeof(e))
		return false;
	if (!search(&t, off, &e) ||
		!read(&t, t.h.funcs_off + e.description_off + NAME_OFFSET, &name_off,
			sizeof(name_off)))
		return false;
	at = t.h.names_off + name_off;
	if (t.h.names_off > t.bytes || at >= t.bytes)
		return false;
	n = strnlen(t.base + at, MIN(size - 1, t.bytes - at));
	memcpy(name, t.base + at, n);
	name[n] = 0;
	*offset_bytes = off - e.start_off;
	return true;
}

bool gosym_find(uint64_t pc, char *name, size_t size, uint64_t *offset_bytes)
{
	struct gosym_table table = { (const char *)gosolo_image.pclntab_va,
		gosolo_image.pclntab_bytes, gosolo_image.text_va, gosolo_image.text_bytes };

	return gosym_find_in(&table, pc, name, size, offset_bytes);
}
