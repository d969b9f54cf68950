/*
 * fs.h: the files' face towards boot.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

/* The tree: the archive's contents (NULL: none), and what is always there. After memory and the
 * scheduler. A broken archive is logged and ignored. */
void fs_init(const void *archive, uint64_t archive_bytes);
/* Descriptors 0, 1 and 2. After the drivers. */
void fs_init_std(void);
/* /etc/resolv.conf from addresses in network byte order; search may be NULL. Does nothing when the
 * image brings its own. May be called again, as DHCP does. */
void fs_set_resolv(const uint32_t *dns, uint32_t count, const char *search);
