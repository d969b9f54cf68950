/*
 * archive_default.c: certificate authorities and time zones from the host.
 *
 * What:       looks in the places where distributions keep them. Without a time zone directory
 *             Go's own lib/time/zoneinfo.zip serves; its entries are stored, not compressed.
 * Invariants: (1) what is missing on the host is left out, not an error: a program that needs it
 *             reports so itself.
 * Locking:    none; the command has one thread.
 * Failure:    125 when a file that is there cannot be read.
 * Source:     Go crypto/x509/root_linux.go (places), time/zoneinfo_unix.go, time/zoneinfo_read.go
 *             (zip); zip: PKWARE APPNOTE 4.3.7, 4.3.12, 4.3.16.
 */
#include "cli/archive_default.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/elf_read.h"
#include "cli/gobuild.h"
#include "cli/io.h"
#include "cli/mem.h"
#include "include/gosolo_abi.h"

enum {
	ZIP_END_BYTES = 22,
	ZIP_ENTRY_BYTES = 46,
	ZIP_LOCAL_BYTES = 30,
	ZIP_COMMENT_MAX = 65535,
};

static const char *first_readable(const char *const *places)
{
	for (; *places; places++)
		if (access(*places, R_OK) == 0)
			return *places;
	return NULL;
}

const char *archive_default_certs(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
		NULL,
	};

	return first_readable(places);
}

const char *archive_default_zones(void)
{
	static const char *const places[] = {
		"/usr/share/zoneinfo/UTC",
		"/usr/share/lib/zoneinfo/UTC",
		"/usr/lib/locale/TZ/UTC",
		NULL,
	};
	static char path[PATH_MAX];
	const char *found = first_readable(places);
	const char *root;

	if (found) {
		strcpy(path, found);
		*strrchr(path, '/') = 0;
		return path;
	}
	root = gobuild_goroot();
	if (!root || strlen(root) > sizeof(path) - 32)
		return NULL;
	strcpy(stpcpy(path, root), "/lib/time/zoneinfo.zip");
	return access(path, R_OK) == 0 ? path : NULL;
}

/* posix/ repeats the whole tree, right/ counts leap seconds (Go ignores both), the tables are for
 * people who choose a zone, localtime is the host's own choice. */
static bool is_zone(const char *host_path, const char *name)
{
	static const char *const skipped[] = {
		"posix",
		"right",
		"posixrules",
		"localtime",
		"leapseconds",
		"leap-seconds.list",
		"tzdata.zi",
		"+VERSION",
		NULL,
	};
	const char *dot = strrchr(name, '.');

	(void)host_path;
	for (size_t i = 0; skipped[i]; i++)
		if (strcmp(name, skipped[i]) == 0)
			return false;
	return !dot || strcmp(dot, ".tab") != 0;
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
		(uint32_t)at[3] << 24;
}

static uint32_t get_u16(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

/* The end record: the last one in the file. */
static const uint8_t *find_zip_end(const struct elf_file *zip)
{
	size_t tail = zip->size_bytes < ZIP_COMMENT_MAX ? zip->size_bytes : ZIP_COMMENT_MAX;

	if (tail < ZIP_END_BYTES)
		return NULL;
	for (size_t back = ZIP_END_BYTES; back <= tail; back++)
		if (memcmp(zip->data + zip->size_bytes - back, "PK\5\6", 4) == 0)
			return zip->data + zip->size_bytes - back;
	return NULL;
}

/* One entry of the central directory; *at moves past it. Returns false when it makes no sense. */
static bool read_zip_entry(const struct elf_file *zip, size_t *at, char name[256],
	const uint8_t **data, uint32_t *bytes)
{
	const uint8_t *entry = zip->data + *at;
	size_t name_len, local;

	if (zip->size_bytes - *at < ZIP_ENTRY_BYTES || memcmp(entry, "PK\1\2", 4) != 0)
		return false;
	name_len = get_u16(entry + 28);
	*bytes = get_u32(entry + 24);
	local = get_u32(entry + 42);
	if (name_len > 255 || zip->size_bytes - *at - ZIP_ENTRY_BYTES < name_len ||
		local > zip->size_bytes || zip->size_bytes - local < ZIP_LOCAL_BYTES ||
		get_u16(entry + 10) != 0)
		return false;
	memcpy(name, entry + ZIP_ENTRY_BYTES, name_len);
	name[name_len] = 0;
	*at += ZIP_ENTRY_BYTES + name_len + get_u16(entry + 30) + get_u16(entry + 32);
	local += ZIP_LOCAL_BYTES + get_u16(zip->data + local + 26) +
		get_u16(zip->data + local + 28);
	if (local > zip->size_bytes || *bytes > zip->size_bytes - local || *at > zip->size_bytes)
		return false;
	*data = zip->data + local;
	return true;
}

static int add_zip(struct archive *archive, const char *path)
{
	struct elf_file zip;
	struct stat st;
	const uint8_t *end, *data;
	char name[256];
	uint32_t count, bytes;
	size_t at;
	int code = elf_map_path(&zip, path);

	if (code)
		return code;
	end = find_zip_end(&zip);
	count = end ? get_u16(end + 10) : 0;
	at = end ? get_u32(end + 16) : 0;
	if (!end || at > zip.size_bytes || stat(path, &st) != 0)
		return report_fail(GOSOLO_CODE_FAILED, "%s: not a usable zip file", path);
	while (count-- && !code) {
		char *guest;

		if (!read_zip_entry(&zip, &at, name, &data, &bytes))
			return report_fail(GOSOLO_CODE_FAILED, "%s: not a usable zip file", path);
		if (name[0] == 0 || name[strlen(name) - 1] == '/')
			continue;
		guest = mem_format("%s/%s", ARCHIVE_ZONES_GUEST, name);
		code = archive_add_data(archive, guest, data, bytes,
			st.st_mtim.tv_sec * 1000000000ll);
		free(guest);
	}
	return code;
}

static int add_zones(struct archive *archive)
{
	const char *zones = archive_default_zones();
	const char *dot = zones ? strrchr(zones, '.') : NULL;

	if (!zones)
		return 0;
	if (dot && strcmp(dot, ".zip") == 0)
		return add_zip(archive, zones);
	return archive_add_host(archive, zones, ARCHIVE_ZONES_GUEST, is_zone);
}

int archive_add_defaults(struct archive *archive)
{
	const char *certs = archive_default_certs();
	int code = 0;

	if (certs && !archive_has(archive, ARCHIVE_CERTS_GUEST))
		code = archive_add_host(archive, certs, ARCHIVE_CERTS_GUEST, NULL);
	if (!code && !archive_has(archive, ARCHIVE_ZONES_GUEST))
		code = add_zones(archive);
	return code;
}
