/*
 * archive.c: collects the files of an image into a tree.
 *
 * What:       each add walks the guest path from the root and creates what is missing. Small
 *             files are read, large ones mapped. Children are kept sorted, so that a look-up is a
 *             binary search and the order on disk does not depend on the host's.
 * Invariants: (1) children are sorted by name as bytes; names are unique, never "." or "..".
 *             (2) a directory is never replaced by a file, nor a file by a directory.
 * Locking:    none; the command has one thread.
 * Failure:    unreadable host file, conflict, too much data: one line, 125.
 * Source:     include/gosolo_abi.h; SOURCE_DATE_EPOCH: reproducible-builds.org.
 */
#include "cli/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive_priv.h"
#include "cli/mem.h"

enum { MAP_FROM_BYTES = 64 * 1024, NAME_BYTES_MAX = 255 };

struct archive *archive_create(void)
{
	struct archive *archive = mem_alloc(sizeof(*archive));
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	archive->root.name = mem_copy_string("");
	archive->root.mode = S_IFDIR | 0755;
	archive->limit_bytes = 1ull << 30;
	archive->epoch_ns = INT64_MAX;
	if (epoch && *epoch)
		archive->epoch_ns = strtoll(epoch, NULL, 10) * 1000000000ll;
	return archive;
}

void archive_limit(struct archive *archive, uint64_t bytes)
{
	archive->limit_bytes = bytes;
}

uint64_t archive_data_bytes(const struct archive *archive)
{
	return archive->data_bytes;
}

/* Bytes as unsigned, a prefix first. */
static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (order)
		return order;
	return a_len < b_len ? -1 : a_len > b_len;
}

/* The child of that name, or NULL and the index where it belongs. */
static struct archive_entry *find_child(struct archive_entry *dir, const char *name, size_t len,
	size_t *index)
{
	size_t low = 0, high = dir->child_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		struct archive_entry *child = dir->children[middle];
		int order = compare_names(name, len, child->name, strlen(child->name));

		if (order == 0)
			return child;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*index = low;
	return NULL;
}

static struct archive_entry *insert_child(struct archive_entry *dir, const char *name, size_t len,
	size_t index)
{
	struct archive_entry *child = mem_alloc(sizeof(*child));

	child->name = mem_alloc(len + 1);
	memcpy(child->name, name, len);
	if (dir->child_count == dir->child_room) {
		dir->child_room = dir->child_room ? dir->child_room * 2 : 8;
		dir->children = mem_resize(dir->children,
			dir->child_room * sizeof(struct archive_entry *));
	}
	memmove(&dir->children[index + 1], &dir->children[index],
		(dir->child_count - index) * sizeof(struct archive_entry *));
	dir->children[index] = child;
	dir->child_count++;
	return child;
}

/* Splits the next component off *path; false at the end. */
static bool next_name(const char **path, const char **name, size_t *len)
{
	while (**path == '/')
		(*path)++;
	*name = *path;
	*len = strcspn(*path, "/");
	*path += *len;
	return *len != 0;
}

static struct archive_entry *refuse(const char *guest, const char *why)
{
	report_line("%s: %s", guest, why);
	return NULL;
}

/* Walks to `guest`, creating directories on the way and, with `mode`, the entry itself. NULL
 * after a report. */
static struct archive_entry *reach(struct archive *archive, const char *guest, uint16_t mode)
{
	struct archive_entry *at = &archive->root;
	const char *rest = guest, *name;
	size_t len, index = 0;

	while (next_name(&rest, &name, &len)) {
		bool is_last = rest[strspn(rest, "/")] == 0;
		struct archive_entry *child;

		if ((len == 1 && name[0] == '.') || (len == 2 && memcmp(name, "..", 2) == 0) ||
			len > NAME_BYTES_MAX)
			return refuse(guest, "not a usable name in the image");
		if (!S_ISDIR(at->mode))
			return refuse(guest, "something above it is a file in the image");
		child = find_child(at, name, len, &index);
		if (!child) {
			child = insert_child(at, name, len, index);
			child->mode = is_last ? mode : S_IFDIR | 0755;
		}
		at = child;
	}
	if (S_ISDIR(at->mode) != S_ISDIR(mode))
		return refuse(guest, "both a file and a directory in the image");
	return at;
}

static int64_t bounded_time(const struct archive *archive, int64_t mtime_ns)
{
	return mtime_ns < archive->epoch_ns ? mtime_ns : archive->epoch_ns;
}

int archive_add_data(struct archive *archive, const char *guest, const void *data, size_t bytes,
	int64_t mtime_ns)
{
	struct archive_entry *entry = reach(archive, guest, S_IFREG | 0644);

	if (!entry)
		return GOSOLO_CODE_FAILED;
	entry->mode = S_IFREG | 0644;
	entry->data = data;
	entry->size_bytes = bytes;
	entry->mtime_ns = bounded_time(archive, mtime_ns);
	archive->data_bytes += bytes;
	return 0;
}

int archive_add_directory(struct archive *archive, const char *guest)
{
	return reach(archive, guest, S_IFDIR | 0755) ? 0 : GOSOLO_CODE_FAILED;
}

bool archive_has(struct archive *archive, const char *guest)
{
	struct archive_entry *at = &archive->root;
	const char *name;
	size_t len, index;

	while (next_name(&guest, &name, &len)) {
		at = find_child(at, name, len, &index);
		if (!at)
			return false;
	}
	return true;
}

/* The file's bytes, read or mapped; NULL with errno set. */
static const void *load_file(int fd, uint64_t bytes)
{
	if (bytes >= MAP_FROM_BYTES) {
		void *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);

		return map == MAP_FAILED ? NULL : map;
	}

	uint8_t *data = mem_alloc(bytes);
	uint64_t done = 0;

	while (done < bytes) {
		ssize_t n = read(fd, data + done, bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(data);
			return NULL;
		}
		if (n == 0) /* it shrank meanwhile: what is gone reads as zero */
			break;
		done += (uint64_t)n;
	}
	return data;
}

static void set_stat(const struct archive *archive, struct archive_entry *entry,
	const struct stat *st)
{
	entry->mode = (uint16_t)((st->st_mode & S_IFMT) | (st->st_mode & 07777));
	entry->mtime_ns = bounded_time(archive,
		st->st_mtim.tv_sec * 1000000000ll + st->st_mtim.tv_nsec);
}

static int add_file(struct archive *archive, const char *host, const char *guest, int fd,
	const struct stat *st)
{
	struct archive_entry *entry;
	uint64_t bytes = (uint64_t)st->st_size;
	const void *data;
	if (bytes > archive->limit_bytes - archive->data_bytes)
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: one too many: more than %llu MiB of files for the image", host,
			(unsigned long long)(archive->limit_bytes >> 20));
	data = bytes ? load_file(fd, bytes) : "";
	if (!data)
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be read: %s", host,
			strerror(errno));
	entry = reach(archive, guest, S_IFREG | 0644);
	if (!entry)
		return GOSOLO_CODE_FAILED;
	set_stat(archive, entry, st);
	entry->data = data;
	entry->size_bytes = bytes;
	archive->data_bytes += bytes;
	return 0;
}

static int add_link(struct archive *archive, int dir_fd, const char *name, const char *host,
	const char *guest, const struct stat *st)
{
	struct archive_entry *entry;
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target));
	if (len < 0 || (size_t)len == sizeof(target))
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be read: %s", host,
			strerror(len < 0 ? errno : ENAMETOOLONG));
	entry = reach(archive, guest, S_IFLNK | 0777);
	if (!entry)
		return GOSOLO_CODE_FAILED;
	set_stat(archive, entry, st);
	entry->data = memcpy(mem_alloc((size_t)len), target, (size_t)len);
	entry->size_bytes = (uint64_t)len;
	return 0;
}

static int add_directory(struct archive *archive, int fd, const char *host, const char *guest,
	archive_filter_fn filter, const struct stat *st);

/* One name inside a directory that is open as dir_fd. */
static int add_name(struct archive *archive, int dir_fd, const char *name, const char *host,
	const char *guest, archive_filter_fn filter)
{
	struct stat st;
	int fd, code = 0;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT
			? 0
			: report_fail(GOSOLO_CODE_FAILED, "%s: %s", host, strerror(errno));
	if (S_ISLNK(st.st_mode))
		return add_link(archive, dir_fd, name, host, guest, &st);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be read: %s", host,
			strerror(errno));
	if (S_ISDIR(st.st_mode))
		return add_directory(archive, fd, host, guest, filter, &st); /* closes fd */
	code = add_file(archive, host, guest, fd, &st);
	close(fd);
	return code;
}

static int add_directory(struct archive *archive, int fd, const char *host, const char *guest,
	archive_filter_fn filter, const struct stat *st)
{
	struct archive_entry *entry;
	DIR *dir = fdopendir(fd);
	struct dirent *item;
	int code;

	if (!dir) {
		code = report_fail(GOSOLO_CODE_FAILED, "%s: %s", host, strerror(errno));
		close(fd);
		return code;
	}
	entry = reach(archive, guest, S_IFDIR | 0755);
	code = entry ? 0 : GOSOLO_CODE_FAILED;
	if (entry)
		set_stat(archive, entry, st);
	while (!code && (item = readdir(dir)) != NULL) {
		char *host_path, *guest_path;

		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		host_path = mem_format("%s/%s", host, item->d_name);
		guest_path = mem_format("%s/%s", guest, item->d_name);
		if (!filter || filter(host_path, item->d_name))
			code = add_name(archive, dirfd(dir), item->d_name, host_path, guest_path,
				filter);
		free(host_path);
		free(guest_path);
	}
	closedir(dir);
	return code;
}

int archive_add_host(struct archive *archive, const char *host, const char *guest,
	archive_filter_fn filter)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int code;

	if (fd < 0)
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be added to the image: %s", host,
			strerror(errno));
	if (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
		close(fd);
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: cannot be added to the image: neither a file nor a directory", host);
	}
	if (S_ISDIR(st.st_mode))
		return add_directory(archive, fd, host, guest, filter, &st); /* closes fd */
	code = add_file(archive, host, guest, fd, &st);
	close(fd);
	return code;
}
