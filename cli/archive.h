/*
 * archive.h: builds the read-only archive that becomes the machine's root file system.
 *
 * Use: archive_create, any number of archive_add_*, archive_layout once, archive_write. What is
 * added later replaces what was added earlier under the same name. Layout of the result:
 * include/gosolo_abi.h. The same input gives the same bytes: entries are sorted, directories that
 * were only implied have time 0, and SOURCE_DATE_EPOCH bounds every time when it is set.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/report.h"

struct archive;
struct stat;

struct archive *archive_create(void);

/* Decides for each host path below a directory whether it goes in. NULL: all of it. */
typedef bool (*archive_filter_fn)(const char *host_path, const char *name);

/* A host file, or a directory with everything below it; symbolic links below it stay links.
 * Sockets, pipes and devices are left out. `guest` is absolute. Reports 125 when unreadable. */
int archive_add_host(struct archive *archive, const char *host, const char *guest,
	archive_filter_fn filter) must_check;

/* File data that the caller keeps alive until archive_write. Reports a conflict. */
int archive_add_data(struct archive *archive, const char *guest, const void *data, size_t bytes,
	int64_t mtime_ns) must_check;

/* An empty directory; what exists stays. */
int archive_add_directory(struct archive *archive, const char *guest) must_check;

bool archive_has(struct archive *archive, const char *guest);

/* Upper bound for the bytes of file data that archive_add_host may take in; past it, adding
 * reports and fails. Default: 1 GiB. */
void archive_limit(struct archive *archive, uint64_t bytes);
uint64_t archive_data_bytes(const struct archive *archive);

/* Fixes the layout. Returns the total size in bytes. */
uint64_t archive_layout(struct archive *archive);

/* Writes the laid-out archive at `offset` (page aligned) of fd. Reports. */
int archive_write(struct archive *archive, int fd, uint64_t offset, const char *out) must_check;
