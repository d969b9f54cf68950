/* sources: fs/archive.c test/unit/shim/host.c */
/*
 * fs_archive_test.c: the archive reader: what a good archive says, and that a bad one harms nobody.
 *
 * What:       a small archive in memory that ends where its allocation ends, so that ASan sees
 *             every read beyond it; then each of its bytes is changed, at random and one by one.
 * Invariants: (1) whatever archive_get gives lies inside the archive.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     include/gosolo_abi.h.
 */
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/archive.h"
#include "fs/stat.h"
#include "gosolo_abi.h"
#include "host.h"

enum { NODES = 6, NAMES_BYTES = 16, DATA_BYTES = 32 };

struct image {
	struct gosolo_archive header;
	struct gosolo_archive_node nodes[NODES];
	char names[NAMES_BYTES];
	char data[DATA_BYTES];
};

static const struct image good = {
	.header = {
		.magic = { 'G', 'S', 'A', 'R', 'C', 'H', '0', '1' },
		.node_count = NODES,
		.names_bytes = NAMES_BYTES,
		.nodes_off = offsetof(struct image, nodes),
		.names_off = offsetof(struct image, names),
		.data_off = offsetof(struct image, data),
		.total_bytes = sizeof(struct image),
	},
	.nodes = {
		{ .mode = S_IFDIR | 0755, .first_child = 1, .child_count = 3 },
		{ .name_off = 0, .name_len = 1, .mode = S_IFDIR | 0700, .first_child = 4,
			.child_count = 2 },
		{ .name_off = 1, .name_len = 2, .mode = S_IFREG | 0644,
			.data_off = offsetof(struct image, data), .size_bytes = 5 },
		{ .name_off = 3, .name_len = 4, .mode = S_IFLNK | 0777,
			.data_off = offsetof(struct image, data) + 5, .size_bytes = 4 },
		{ .name_off = 10, .name_len = 3, .mode = S_IFREG | 0600 },
		{ .name_off = 7, .name_len = 3, .mode = S_IFDIR | 0755 },
	},
	.names = "aabblnkxonetwo",
	.data = "hello/etc",
};

static void test_good(void)
{
	struct archive_entry e;
	uint32_t index;

	CHECK_EQ(archive_init(&good, sizeof(good)), 0);
	CHECK_EQ(archive_get(0, &e), 0);
	CHECK_EQ(e.child_count, 3);
	CHECK_EQ(archive_find(0, "ab", 2, &index), 0);
	CHECK_EQ(index, 2);
	CHECK_EQ(archive_get(2, &e), 0);
	CHECK(e.size_bytes == 5 && memcmp(e.data, "hello", 5) == 0);
	CHECK_EQ(archive_find(0, "blnk", 4, &index), 0);
	CHECK_EQ(archive_find(0, "abc", 3, &index), -ENOENT);
	CHECK_EQ(archive_find(0, "", 0, &index), -ENOENT);
	CHECK_EQ(archive_find(1, "two", 3, &index), -ENOENT);
	CHECK_EQ(archive_find(1, "xon", 3, &index), 0);
	CHECK_EQ(archive_find(1, "etw", 3, &index), 0);
	CHECK_EQ(archive_find(2, "ab", 2, &index), -ENOENT); /* a file has no children */
	CHECK_EQ(archive_get(NODES, &e), -ENOENT);
	CHECK_EQ(archive_find(NODES, "a", 1, &index), -ENOENT);
}

static void test_headers(void)
{
	struct image bad = good;

	CHECK_EQ(archive_init(NULL, 0), 0);
	CHECK_EQ(archive_init(&good, sizeof(struct gosolo_archive) - 1), -EINVAL);
	CHECK_EQ(archive_init(&good, sizeof(good) - 1), -EINVAL);
	bad.header.magic[7] = '2';
	CHECK_EQ(archive_init(&bad, sizeof(bad)), -EINVAL);
	bad = good;
	bad.header.node_count = UINT32_MAX;
	CHECK_EQ(archive_init(&bad, sizeof(bad)), -EINVAL);
	bad = good;
	bad.header.nodes_off = UINT64_MAX - 8;
	CHECK_EQ(archive_init(&bad, sizeof(bad)), -EINVAL);
	bad = good;
	bad.header.names_off = sizeof(bad);
	CHECK_EQ(archive_init(&bad, sizeof(bad)), -EINVAL);
	bad = good;
	bad.header.total_bytes = UINT64_MAX;
	CHECK_EQ(archive_init(&bad, sizeof(bad)), -EINVAL);
}

static void test_bad_nodes(void)
{
	struct image bad = good;
	struct archive_entry e;

	CHECK_EQ(archive_init(&bad, sizeof(bad)), 0);
	bad.nodes[1].first_child = 1; /* its own child */
	CHECK_EQ(archive_get(1, &e), -ENOENT);
	bad.nodes[1].first_child = 5;
	CHECK_EQ(archive_get(1, &e), -ENOENT); /* beyond the last node */
	bad.nodes[2].data_off = UINT64_MAX - 2;
	CHECK_EQ(archive_get(2, &e), -ENOENT);
	bad.nodes[2].data_off = 0;
	bad.nodes[2].size_bytes = UINT64_MAX;
	CHECK_EQ(archive_get(2, &e), -ENOENT);
	bad.nodes[3].size_bytes = 0;
	CHECK_EQ(archive_get(3, &e), -ENOENT); /* a link to nowhere */
	bad.nodes[4].name_off = UINT32_MAX;
	CHECK_EQ(archive_get(4, &e), -ENOENT);
	bad.nodes[5].mode = S_IFCHR;
	CHECK_EQ(archive_get(5, &e), -ENOENT);
	memcpy(bad.names, "a/..", 4);
	bad.nodes[4] = good.nodes[4];
	bad.nodes[4].name_off = 0;
	CHECK_EQ(archive_get(4, &e), -ENOENT); /* a slash */
	bad.nodes[4].name_off = 2;
	bad.nodes[4].name_len = 2;
	CHECK_EQ(archive_get(4, &e), -ENOENT); /* .. */
}

/* (1) */
static void look_everywhere(const struct image *at)
{
	const uint8_t *start = (const uint8_t *)at, *end = start + sizeof(*at);
	struct archive_entry e;
	uint32_t index;

	if (archive_init(at, sizeof(*at)) < 0)
		return;
	for (uint32_t i = 0; i < NODES + 2; i++) {
		if (archive_get(i, &e) < 0)
			continue;
		CHECK((const uint8_t *)e.name >= start &&
			(const uint8_t *)e.name + e.name_len <= end);
		if (e.data)
			CHECK(e.data >= start && e.data + e.size_bytes <= end);
		CHECK(e.child_count == 0 || e.first_child > i);
		if (archive_find(i, "blnk", 4, &index) == 0)
			CHECK_EQ(archive_get(index, &e), 0);
	}
}

static void test_damage(void)
{
	struct image *copy = malloc(sizeof(*copy));
	uint64_t seed = 1;

	CHECK(copy);
	for (size_t i = 0; i < sizeof(*copy); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			*copy = good;
			((uint8_t *)copy)[i] ^= (uint8_t)(1u << bit);
			look_everywhere(copy);
		}
	}
	for (unsigned round = 0; round < 200000; round++) {
		*copy = good;
		for (unsigned n = 0; n < 4; n++) {
			uint64_t r = host_random(&seed);

			((uint8_t *)copy)[r % sizeof(*copy)] = (uint8_t)(r >> 32);
		}
		look_everywhere(copy);
	}
	free(copy);
}

int main(void)
{
	test_good();
	test_headers();
	test_bad_nodes();
	test_damage();
	return 0;
}
