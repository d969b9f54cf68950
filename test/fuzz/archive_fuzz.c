/* sources: fs/archive.c test/unit/shim/host.c */
/*
 * archive_fuzz.c: any bytes as the image's archive.
 *
 * What:       the whole tree is walked as far as it goes, every name looked up, every byte read.
 * Invariants: (1) what an entry names lies inside the archive. (2) a name found is the name asked
 *             for. (3) the walk ends: a child's number is above its parent's.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     include/gosolo_abi.h.
 */
#include <string.h>

#include "fs/archive.h"
#include "fs/stat.h"
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *base;
static size_t bytes;
static unsigned sum;

static void check_inside(const void *at, uint64_t n)
{
	const uint8_t *p = at;

	if (!n)
		return;
	CHECK(p >= base && n <= bytes && (size_t)(p - base) <= bytes - n); /* (1) */
	for (uint64_t i = 0; i < n; i += n / 16 + 1)
		sum += p[i];
	sum += p[n - 1];
}

static void look_at(uint32_t index)
{
	struct archive_entry e, child;
	uint32_t found;

	if (archive_get(index, &e) != 0)
		return;
	check_inside(e.name, e.name_len);
	if (e.data)
		check_inside(e.data, e.size_bytes);
	CHECK(e.child_count == 0 || (S_ISDIR(e.mode) && e.first_child > index)); /* (3) */
	for (uint32_t i = 0; i < e.child_count && i < 64; i++) {
		if (archive_get(e.first_child + i, &child) != 0)
			continue;
		if (archive_find(index, child.name, child.name_len, &found) != 0)
			continue;
		CHECK(archive_get(found, &e) == 0 && e.name_len == child.name_len &&
			memcmp(e.name, child.name, e.name_len) == 0); /* (2) */
		if (archive_get(index, &e) != 0)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	base = copy;
	bytes = size;
	if (archive_init(copy, size) == 0)
		for (uint32_t i = 0; i < 256; i++)
			look_at(i);
	CHECK(archive_init(NULL, 0) == 0);
	free(copy);
	return 0;
}
