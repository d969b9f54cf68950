/*
 * archive_priv.h: the tree that archive.c builds, for archive_write.c.
 */
#pragma once

#include "cli/archive.h"
#include "include/gosolo_abi.h"

struct archive_entry {
	char *name; /* owned; "" for the root */
	uint16_t mode;
	int64_t mtime_ns;
	const void *data; /* files: contents; links: target */
	uint64_t size_bytes;
	struct archive_entry **children; /* directories; sorted by name after archive_sort */
	size_t child_count;
	size_t child_room;
	uint32_t first_child; /* set by the layout */
	uint64_t data_off; /* set by the layout */
};

struct archive {
	struct archive_entry root;
	uint64_t limit_bytes;
	uint64_t data_bytes; /* taken in so far */
	int64_t epoch_ns; /* SOURCE_DATE_EPOCH; INT64_MAX: not set */
	/* set by the layout */
	struct archive_entry **order; /* node number -> entry */
	size_t node_count;
	struct gosolo_archive header;
	uint8_t *meta; /* header, nodes, names */
	size_t meta_bytes;
};
