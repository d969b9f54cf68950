/*
 * archive.c: reads the image's archive in place.
 *
 * What:       header, nodes, names and data lie one after the other; the children of a directory
 *             are consecutive and sorted, so a name is found by halving.
 * Invariants: (1) nothing outside [base, base + bytes) is read, whatever the archive says.
 *             (2) a child's index is above its parent's, so no chain of directories is endless.
 * Locking:    none; read-only after archive_init.
 * Failure:    -EINVAL for the header; -ENOENT for anything else that is wrong.
 * Source:     include/gosolo_abi.h.
 */
#include "fs/archive.h"

#include "base/errno.h"
#include "base/units.h"
#include "fs/stat.h"
#include "gosolo_abi.h"
#include "lib/string.h"

#define NAME_LEN_MAX 255u
#define LINK_LEN_MAX 4095u

static struct {
	const uint8_t *base; /* [I] NULL: none */
	uint64_t bytes; /* [I] */
	struct gosolo_archive header; /* [I] checked copy */
} archive;

static bool is_inside(uint64_t offset, uint64_t length, uint64_t total)
{
	return offset <= total && length <= total - offset;
}

int archive_init(const void *start, uint64_t bytes)
{
	struct gosolo_archive h;

	archive.base = NULL;
	if (!start || bytes == 0)
		return 0;
	if (bytes < sizeof(h))
		return -EINVAL;
	memcpy(&h, start, sizeof(h));
	if (memcmp(h.magic, GOSOLO_ARCHIVE_MAGIC, sizeof(h.magic)) != 0 || h.total_bytes > bytes)
		return -EINVAL;
	if (!is_inside(h.nodes_off, (uint64_t)h.node_count * sizeof(struct gosolo_archive_node),
		    h.total_bytes) ||
		!is_inside(h.names_off, h.names_bytes, h.total_bytes) || h.node_count == 0)
		return -EINVAL;
	archive.header = h;
	archive.base = start;
	archive.bytes = h.total_bytes;
	return 0;
}

/* One path component that a walk could have asked for. */
static bool is_name_good(const char *name, uint32_t len)
{
	if (len == 0 || len > NAME_LEN_MAX || memchr(name, '/', len) || memchr(name, 0, len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

static bool is_node_good(uint32_t index, const struct gosolo_archive_node *n)
{
	switch (n->mode & S_IFMT) {
	case S_IFDIR:
		return n->child_count == 0 ||
			(n->first_child > index && /* (2) */
				is_inside(n->first_child, n->child_count,
					archive.header.node_count));
	case S_IFREG:
		return n->size_bytes <= INT64_MAX;
	case S_IFLNK:
		return n->size_bytes > 0 && n->size_bytes <= LINK_LEN_MAX;
	default:
		return false;
	}
}

int archive_get(uint32_t index, struct archive_entry *out)
{
	struct gosolo_archive_node n;
	bool is_dir;

	if (!archive.base || index >= archive.header.node_count)
		return -ENOENT;
	memcpy(&n, archive.base + archive.header.nodes_off + index * sizeof(n), sizeof(n));
	is_dir = S_ISDIR(n.mode);
	if (!is_node_good(index, &n) ||
		!is_inside(n.name_off, n.name_len, archive.header.names_bytes))
		return -ENOENT;
	if (!is_dir && !is_inside(n.data_off, n.size_bytes, archive.bytes))
		return -ENOENT; /* (1) */
	*out = (struct archive_entry){
		.name = (const char *)archive.base + archive.header.names_off + n.name_off,
		.name_len = n.name_len,
		.mode = n.mode,
		.uid = n.uid,
		.gid = n.gid,
		.first_child = is_dir ? n.first_child : 0,
		.child_count = is_dir ? n.child_count : 0,
		.data = is_dir ? NULL : archive.base + n.data_off,
		.size_bytes = is_dir ? 0 : n.size_bytes,
		.mtime_ns = n.mtime_ns,
	};
	if (index == 0)
		return is_dir ? 0 : -ENOENT;
	return is_name_good(out->name, out->name_len) ? 0 : -ENOENT;
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, MIN(a_len, b_len));

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

int archive_find(uint32_t dir, const char *name, size_t len, uint32_t *index)
{
	struct archive_entry e;
	uint64_t low, high;

	if (archive_get(dir, &e) < 0)
		return -ENOENT;
	low = e.first_child;
	high = low + e.child_count;
	while (low < high) {
		uint32_t middle = (uint32_t)(low + (high - low) / 2);
		int c;

		if (archive_get(middle, &e) < 0)
			return -ENOENT;
		c = compare_names(name, len, e.name, e.name_len);
		if (c == 0) {
			*index = middle;
			return 0;
		}
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}
