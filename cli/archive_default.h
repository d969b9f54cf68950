/*
 * archive_default.h: what every image gets unless the user adds something else there: the host's
 * certificate authorities and a time zone database.
 */
#pragma once

#include "cli/archive.h"

#define ARCHIVE_CERTS_GUEST "/etc/ssl/certs/ca-certificates.crt"
#define ARCHIVE_ZONES_GUEST "/usr/share/zoneinfo"

/* The first of the host's usual places that is readable; NULL: there is none. */
const char *archive_default_certs(void);

/* The host's time zone directory, or Go's zoneinfo.zip, or NULL. */
const char *archive_default_zones(void);

/* Adds both, as far as the host has them and `archive` does not hold them yet. */
int archive_add_defaults(struct archive *archive) must_check;
