/*
 * archive_write.c: lays the tree out as struct gosolo_archive and writes it.
 *
 * What:       numbers the entries breadth first, so that the children of every directory are
 *             consecutive, places names and data, and writes header, nodes and names in one
 *             piece. Files with the same contents share their data (time zones: half of them).
 * Invariants: (1) files of a page or more begin on a page. (2) what lies between is a hole.
 * Locking:    none; the command has one thread.
 * Failure:    write errors: one line, 125.
 * Source:     include/gosolo_abi.h.
 */
#include "cli/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive_priv.h"
#include "cli/io.h"
#include "cli/mem.h"

enum { PAGE_BYTES = 4096, SMALL_ALIGN = 8, SHARE_BELOW = 64 * 1024 };

/* An open hash table from contents to the first entry that has them. */
struct share_table {
	struct archive_entry **slots;
	size_t mask;
};

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static size_t count_entries(const struct archive_entry *entry)
{
	size_t count = 1;

	for (size_t i = 0; i < entry->child_count; i++)
		count += count_entries(entry->children[i]);
	return count;
}

static void number_entries(struct archive *archive)
{
	size_t next = 1;

	archive->node_count = count_entries(&archive->root);
	archive->order = mem_alloc(archive->node_count * sizeof(struct archive_entry *));
	archive->order[0] = &archive->root;
	for (size_t i = 0; i < archive->node_count; i++) {
		struct archive_entry *entry = archive->order[i];

		entry->first_child = entry->child_count ? (uint32_t)next : 0;
		for (size_t k = 0; k < entry->child_count; k++)
			archive->order[next++] = entry->children[k];
	}
}

/* FNV-1a over 8-byte words; only spreads, equality is decided by comparing. */
static uint64_t hash_bytes(const uint8_t *data, uint64_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ bytes;

	while (bytes >= 8) {
		uint64_t word;

		memcpy(&word, data, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ull;
		hash ^= hash >> 29;
		data += 8;
		bytes -= 8;
	}
	while (bytes--)
		hash = (hash ^ *data++) * 0x100000001b3ull;
	return hash ^ hash >> 32;
}

/* The earlier entry with the same contents, or NULL after remembering this one. */
static struct archive_entry *find_shared(struct share_table *table, struct archive_entry *entry)
{
	size_t slot = hash_bytes(entry->data, entry->size_bytes) & table->mask;

	while (table->slots[slot]) {
		struct archive_entry *other = table->slots[slot];

		if (other->size_bytes == entry->size_bytes &&
			memcmp(other->data, entry->data, entry->size_bytes) == 0)
			return other;
		slot = (slot + 1) & table->mask;
	}
	table->slots[slot] = entry;
	return NULL;
}

static uint64_t place_data(struct archive *archive, uint64_t at)
{
	struct share_table table = { .mask = 63 };

	while (table.mask < archive->node_count * 2)
		table.mask = table.mask * 2 + 1;
	table.slots = mem_alloc((table.mask + 1) * sizeof(struct archive_entry *));
	for (size_t i = 0; i < archive->node_count; i++) {
		struct archive_entry *entry = archive->order[i], *same = NULL;

		if (S_ISDIR(entry->mode) || entry->size_bytes == 0)
			continue;
		if (entry->size_bytes < SHARE_BELOW)
			same = find_shared(&table, entry);
		if (same) {
			entry->data_off = same->data_off;
			entry->data = NULL; /* nothing to write */
			continue;
		}
		at = round_up(at, entry->size_bytes >= PAGE_BYTES ? PAGE_BYTES : SMALL_ALIGN);
		entry->data_off = at;
		at += entry->size_bytes;
	}
	free(table.slots);
	return at;
}

static void fill_meta(struct archive *archive)
{
	struct gosolo_archive_node *nodes;
	uint32_t name_off = 0;
	uint8_t *names;

	archive->meta_bytes = archive->header.names_off + archive->header.names_bytes;
	archive->meta = mem_alloc(archive->meta_bytes);
	memcpy(archive->meta, &archive->header, sizeof(archive->header));
	nodes = (void *)(archive->meta + archive->header.nodes_off);
	names = archive->meta + archive->header.names_off;
	for (size_t i = 0; i < archive->node_count; i++) {
		const struct archive_entry *entry = archive->order[i];
		size_t len = strlen(entry->name);

		nodes[i] = (struct gosolo_archive_node){
			.name_off = name_off,
			.name_len = (uint16_t)len,
			.mode = entry->mode,
			.first_child = entry->first_child,
			.child_count = (uint32_t)entry->child_count,
			.data_off = entry->data_off,
			.size_bytes = entry->size_bytes,
			.mtime_ns = entry->mtime_ns,
		};
		memcpy(names + name_off, entry->name, len);
		name_off += (uint32_t)len;
	}
}

uint64_t archive_layout(struct archive *archive)
{
	struct gosolo_archive *header = &archive->header;
	size_t names_bytes = 0;

	number_entries(archive);
	for (size_t i = 0; i < archive->node_count; i++)
		names_bytes += strlen(archive->order[i]->name);
	memcpy(header->magic, GOSOLO_ARCHIVE_MAGIC, sizeof(header->magic));
	header->node_count = (uint32_t)archive->node_count;
	header->names_bytes = (uint32_t)names_bytes;
	header->nodes_off = sizeof(*header);
	header->names_off = header->nodes_off +
		archive->node_count * sizeof(struct gosolo_archive_node);
	header->data_off = round_up(header->names_off + names_bytes, SMALL_ALIGN);
	header->total_bytes = place_data(archive, header->data_off);
	fill_meta(archive);
	return header->total_bytes;
}

int archive_write(struct archive *archive, int fd, uint64_t offset, const char *out)
{
	struct io_batch batch = { .fd = fd, .path = out };

	io_batch_add(&batch, archive->meta, archive->meta_bytes, offset);
	for (size_t i = 0; i < archive->node_count; i++) {
		const struct archive_entry *entry = archive->order[i];

		if (!S_ISDIR(entry->mode) && entry->size_bytes && entry->data)
			io_batch_add(&batch, entry->data, entry->size_bytes,
				offset + entry->data_off);
	}
	return io_batch_finish(&batch);
}
