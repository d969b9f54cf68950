/* sources: fs/archive.c fs/vfs.c fs/vfs_names.c fs/vfs_open.c fs/vfs_setup.c fs/path.c fs/dir.c
 * fs/inode.c fs/perm.c fs/xattr.c fs/data.c fs/data_allocate.c fs/size_limit.c fs/data_map.c
 * fs/page_tree.c fs/node_file.c
 * fs/file.c fs/fdtable.c
 * fs/lock.c fs/inotify.c fs/mutex.c lib/fmt.c
 * fs/pipe.c fs/pipe_ring.c fs/epoll.c fs/epoll_wait.c kernel/sync/pollq.c kernel/uio.c
 * test/unit/shim/host.c test/unit/shim/host_ram.c test/unit/shim/host_pmm.c
 * test/unit/shim/host_kmem.c test/unit/shim/host_fs.c */
/*
 * fs_tree_test.c: paths, names and contents of the tree.
 *
 * What:       the calls of fs/vfs.h with the errors that Linux gives; a directory listed while it
 *             changes; files that are sparse, truncated, appended to, out of memory.
 * Invariants: (1) what a test made it removes: objects and frames are as before.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     fs/vfs.h; path_resolution(7), rename(2), unlink(2).
 */
#include <linux/fcntl.h>
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/data.h"
#include "fs/vfs.h"
#include "gosolo_abi.h"
#include "host.h"
#include "host_fs.h"
#include "kernel/mm/pmm.h"

#define AT(p) (&(struct vfs_at){ .path = (p) })

static void make_file(const char *path, const char *text)
{
	CHECK_EQ(vfs_write_file(path, text, strlen(text), 0644), 0);
}

static bool has_text(const char *path, const char *text)
{
	char buf[64] = { 0 };
	int error;
	struct file *f = host_fs_open(path, O_RDONLY, &error);
	long n;

	if (!f)
		return false;
	n = host_fs_read(f, buf, sizeof(buf));
	file_put(f);
	return n == (long)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static int link_paths(const char *from, const char *to)
{
	struct inode *i;
	int r = vfs_resolve(AT(from), VFS_NO_FOLLOW, &i);

	if (r == 0) {
		r = vfs_link(i, AT(to));
		inode_put(i);
	}
	return r;
}

static int stat_error(const char *path)
{
	struct file_stat s;

	return vfs_stat(AT(path), VFS_FOLLOW, &s);
}

static uint32_t links_of(const char *path)
{
	struct file_stat s;

	CHECK_EQ(vfs_stat(AT(path), VFS_NO_FOLLOW, &s), 0);
	return s.links;
}

static void test_paths(void)
{
	char name[300];

	CHECK_EQ(vfs_make_dirs("/a/b/c", 0755), 0);
	make_file("/a/b/f", "text");
	CHECK_EQ(stat_error("/a/b/f"), 0);
	CHECK_EQ(stat_error("//a/./b/../b//f"), 0);
	CHECK_EQ(stat_error("/../../a/b/f"), 0);
	CHECK_EQ(stat_error("/a/b/f/"), -ENOTDIR);
	CHECK_EQ(stat_error("/a/b/f/."), -ENOTDIR);
	CHECK_EQ(stat_error("/a/b/f/.."), -ENOTDIR);
	CHECK_EQ(stat_error("/a/b/c/"), 0);
	CHECK_EQ(stat_error("/a/x/c"), -ENOENT);
	CHECK_EQ(stat_error("/a/x"), -ENOENT);
	CHECK_EQ(stat_error(""), -ENOENT);
	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[256] = 0;
	CHECK_EQ(stat_error(name), -ENOENT); /* 255 */
	name[256] = 'n';
	name[257] = 0;
	CHECK_EQ(stat_error(name), -ENAMETOOLONG);
	CHECK_EQ(vfs_unlink(AT("/a/b/f"), false), 0);
	CHECK_EQ(vfs_unlink(AT("/a/b"), true), -ENOTEMPTY);
	CHECK_EQ(vfs_unlink(AT("/a/b/c"), false), -EISDIR);
	CHECK_EQ(vfs_unlink(AT("/a/b/c/."), true), -EINVAL);
	CHECK_EQ(vfs_unlink(AT("/a/b/c/.."), true), -ENOTEMPTY);
	CHECK_EQ(vfs_unlink(AT("/"), true), -EBUSY);
	CHECK_EQ(vfs_unlink(AT("/a/b/c/"), true), 0);
	CHECK_EQ(vfs_unlink(AT("/a/b"), true), 0);
	CHECK_EQ(vfs_unlink(AT("/a"), true), 0);
}

static void test_links(void)
{
	struct file *f;
	int error;

	CHECK_EQ(vfs_make_dirs("/l/d", 0755), 0);
	CHECK_EQ(vfs_symlink("d", AT("/l/to_d")), 0);
	CHECK_EQ(vfs_symlink("/l/d/new", AT("/l/to_new")), 0);
	CHECK_EQ(vfs_symlink("loop", AT("/l/loop")), 0);
	CHECK_EQ(vfs_symlink("x", AT("/l/to_d")), -EEXIST);
	CHECK_EQ(vfs_symlink("", AT("/l/empty")), -ENOENT);
	CHECK_EQ(stat_error("/l/loop"), -ELOOP);
	CHECK_EQ(stat_error("/l/to_d/"), 0);
	CHECK_EQ(stat_error("/l/to_d/../to_d/."), 0);
	CHECK_EQ(stat_error("/l/to_new"), -ENOENT);
	f = host_fs_open("/l/to_new", O_RDWR | O_CREAT | O_EXCL, &error);
	CHECK_EQ(error, -EEXIST);
	f = host_fs_open("/l/to_new", O_RDWR | O_NOFOLLOW, &error);
	CHECK_EQ(error, -ELOOP);
	f = host_fs_open("/l/to_new", O_RDWR | O_CREAT, &error); /* makes what it points to */
	CHECK(f != NULL);
	CHECK_EQ(host_fs_write(f, "new", 3), 3);
	file_put(f);
	CHECK(has_text("/l/to_d/new", "new"));
	CHECK_EQ(link_paths("/l/d/new", "/l/second"), 0);
	CHECK_EQ(links_of("/l/second"), 2);
	CHECK_EQ(link_paths("/l/d", "/l/dir2"), -EPERM);
	CHECK_EQ(links_of("/l"), 3);
	CHECK_EQ(vfs_unlink(AT("/l/to_d"), true), -ENOTDIR);
	CHECK_EQ(vfs_unlink(AT("/l/d/new"), false), 0);
	CHECK(has_text("/l/second", "new"));
	CHECK_EQ(links_of("/l/second"), 1);
	for (const char **p =
			(const char *[]){ "/l/second", "/l/loop", "/l/to_new", "/l/to_d", NULL };
		*p; p++)
		CHECK_EQ(vfs_unlink(AT(*p), false), 0);
	CHECK_EQ(vfs_unlink(AT("/l/d"), true), 0);
	CHECK_EQ(vfs_unlink(AT("/l"), true), 0);
}

static void test_rename(void)
{
	CHECK_EQ(vfs_make_dirs("/r/d/e", 0755), 0);
	make_file("/r/f", "f");
	make_file("/r/g", "g");
	CHECK_EQ(vfs_rename(AT("/r/none"), AT("/r/x"), 0), -ENOENT);
	CHECK_EQ(vfs_rename(AT("/r/d"), AT("/r/d/e/d"), 0), -EINVAL);
	CHECK_EQ(vfs_rename(AT("/r/f"), AT("/r/d"), 0), -EISDIR);
	CHECK_EQ(vfs_rename(AT("/r/d"), AT("/r/f"), 0), -ENOTDIR);
	CHECK_EQ(vfs_rename(AT("/r/f"), AT("/r/g"), VFS_RENAME_NOREPLACE), -EEXIST);
	CHECK_EQ(vfs_rename(AT("/r/f"), AT("/r/g"), VFS_RENAME_EXCHANGE), 0);
	CHECK(has_text("/r/f", "g") && has_text("/r/g", "f"));
	CHECK_EQ(vfs_rename(AT("/r/f"), AT("/r/g"), 0), 0);
	CHECK_EQ(stat_error("/r/f"), -ENOENT);
	CHECK(has_text("/r/g", "g"));
	CHECK_EQ(vfs_rename(AT("/r/g"), AT("/r/d/moved"), 0), 0);
	CHECK(has_text("/r/d/moved", "g"));
	CHECK_EQ(vfs_make_dirs("/r/full/x", 0755), 0);
	CHECK_EQ(vfs_rename(AT("/r/d"), AT("/r/full"), 0), -ENOTEMPTY);
	CHECK_EQ(vfs_unlink(AT("/r/full/x"), true), 0);
	CHECK_EQ(vfs_rename(AT("/r/d"), AT("/r/full"), 0), 0);
	CHECK_EQ(links_of("/r"), 3);
	CHECK_EQ(links_of("/r/full"), 3);
	CHECK(has_text("/r/full/e/../moved", "g"));
	CHECK_EQ(vfs_rename(AT("/r/full/."), AT("/r/y"), 0), -EBUSY);
	CHECK_EQ(vfs_unlink(AT("/r/full/moved"), false), 0);
	CHECK_EQ(vfs_unlink(AT("/r/full/e"), true), 0);
	CHECK_EQ(vfs_unlink(AT("/r/full"), true), 0);
	CHECK_EQ(vfs_unlink(AT("/r"), true), 0);
}

/* ------------------------------------------------------------------ listing */

struct listing {
	unsigned count, room;
	char seen[128];
};

static bool note_item(const struct dir_item *item, void *arg)
{
	struct listing *l = arg;

	if (l->count == l->room)
		return false;
	l->count++;
	if (item->name[0] == 'n')
		l->seen[atoi(item->name + 1)]++;
	return true;
}

static void name_of(unsigned i, char *path)
{
	snprintf(path, 32, "/n/n%u", i);
}

static void test_listing(void)
{
	struct listing l = { 0 };
	struct file *f;
	char path[32];
	int error;

	CHECK_EQ(vfs_make_dirs("/n", 0755), 0);
	for (unsigned i = 0; i < 100; i++) {
		name_of(i, path);
		make_file(path, "");
	}
	f = host_fs_open("/n", O_RDONLY | O_DIRECTORY, &error);
	CHECK(f != NULL);
	for (unsigned i = 0; i < 100;
		i++) { /* remove each name after it was shown, and one before */
		l.room = i == 0 ? 3 : l.count + 1;
		CHECK_EQ(vfs_read_dir(f, note_item, &l), 0);
		name_of(i, path);
		CHECK_EQ(vfs_unlink(AT(path), false), 0);
	}
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(l.seen[i], 1);
	CHECK_EQ(f->ops->seek(f, 0, 0), 0);
	l = (struct listing){ .room = 9 };
	CHECK_EQ(vfs_read_dir(f, note_item, &l), 0);
	CHECK_EQ(l.count, 2); /* . and .. */
	CHECK_EQ(vfs_unlink(AT("/n"), true), 0);
	CHECK_EQ(vfs_make_dir(&(struct vfs_at){ .base = f->inode, .path = "x" }, 0755), -ENOENT);
	file_put(f);
}

/* ------------------------------------------------------------------ contents */

static void test_contents(void)
{
	char buf[3 * PAGE_SIZE];
	struct file_stat s;
	int error;
	struct file *f = host_fs_open("/c", O_RDWR | O_CREAT, &error);

	CHECK(f != NULL);
	CHECK_EQ(host_fs_write(f, "begin", 5), 5);
	CHECK_EQ(f->ops->seek(f, 1 << 30, 0), 1 << 30);
	CHECK_EQ(host_fs_write(f, "end", 3), 3);
	CHECK_EQ(file_stat(f, &s), 0);
	CHECK_EQ(s.size_bytes, (1 << 30) + 3);
	CHECK_EQ(s.allocated_bytes, 2 * PAGE_SIZE);
	CHECK_EQ(data_seek(f->inode, 5, true), 5);
	CHECK_EQ(data_seek(f->inode, 0, false), (long)PAGE_SIZE);
	CHECK_EQ(data_seek(f->inode, PAGE_SIZE, true), 1 << 30);
	CHECK_EQ(data_seek(f->inode, (1 << 30) + 3, true), -ENXIO);
	CHECK_EQ(f->ops->seek(f, 4, 0), 4);
	CHECK_EQ(host_fs_read(f, buf, sizeof(buf)), sizeof(buf));
	CHECK(buf[0] == 'n' && buf[1] == 0 && buf[sizeof(buf) - 1] == 0);
	CHECK_EQ(data_truncate(f->inode, 2), 0);
	CHECK_EQ(data_truncate(f->inode, 5), 0); /* what was cut off is zero now */
	CHECK_EQ(f->ops->seek(f, 0, 0), 0);
	CHECK_EQ(host_fs_read(f, buf, sizeof(buf)), 5);
	CHECK(memcmp(buf, "be\0\0\0", 5) == 0);
	file_set_flags(f, O_APPEND);
	CHECK_EQ(f->ops->seek(f, 0, 0), 0);
	CHECK_EQ(host_fs_write(f, "more", 4), 4);
	CHECK_EQ(f->position_bytes, 9);
	CHECK_EQ(host_fs_write(f, (void *)1, 4), -EFAULT);
	CHECK_EQ(vfs_unlink(AT("/c"), false), 0);
	CHECK_EQ(file_stat(f, &s), 0);
	CHECK_EQ(s.links, 0);
	CHECK_EQ(f->ops->seek(f, 0, 0), 0);
	CHECK_EQ(host_fs_read(f, buf, sizeof(buf)), 9);
	file_put(f);
}

static void test_full(void)
{
	static char chunk[MIB];
	long n, total = 0;
	int error;
	struct file *f = host_fs_open("/big", O_RDWR | O_CREAT, &error);

	CHECK(f != NULL);
	do {
		n = host_fs_write(f, chunk, sizeof(chunk));
		total += n > 0 ? n : 0;
	} while (n > 0);
	CHECK_EQ(n, -ENOSPC);
	CHECK(total > (long)(16 * MIB));
	CHECK(pmm_free_pages() >= 255); /* the reserve is the program's */
	CHECK_EQ(vfs_make_dir(AT("/no"), 0755), -ENOSPC);
	file_put(f);
	CHECK_EQ(vfs_unlink(AT("/big"), false), 0);
}

static void try_unlink(const char *path, bool dir)
{
	int error = vfs_unlink(AT(path), dir);

	CHECK(error == 0 || error == -ENOENT || error == -ENOTDIR);
}

/* Every allocation fails once: nothing leaks, nothing is half done. */
static void test_failing(void)
{
	for (unsigned long n = 1;; n++) {
		struct file *f;
		int error;

		host_fail_alloc(n);
		error = vfs_make_dirs("/x/y", 0755);
		if (error == 0)
			error = vfs_symlink("/x/y", AT("/x/l"));
		f = error ? NULL : host_fs_open("/x/l/f", O_RDWR | O_CREAT, &error);
		if (f) {
			if (host_fs_write(f, "data", 4) < 0)
				error = -ENOMEM;
			file_put(f);
		}
		host_fail_alloc(0);
		try_unlink("/x/y/f", false);
		try_unlink("/x/l", false);
		try_unlink("/x/y", true);
		try_unlink("/x", true);
		CHECK(error == 0 || error == -ENOMEM);
		if (error == 0)
			return;
	}
}

/* ------------------------------------------------------------------ the archive's files */

static void test_archive(void)
{
	static struct {
		struct gosolo_archive header;
		struct gosolo_archive_node nodes[4];
		char names[16], data[16];
	} image = {
		.header = { .magic = { 'G', 'S', 'A', 'R', 'C', 'H', '0', '1' },
			.node_count = 4,
			.names_bytes = 16 },
		.nodes = { { .mode = 0040755, .first_child = 1, .child_count = 3 },
			{ .name_off = 0, .name_len = 1, .mode = 0100644, .size_bytes = 5 },
			{ .name_off = 1, .name_len = 1, .mode = 0100600, .size_bytes = 4 },
			{ .name_off = 2, .name_len = 1, .mode = 0120777, .size_bytes = 1 } },
		.names = "pqs",
		.data = "helloworlp",
	};
	int error;
	struct file *f;

	image.header.nodes_off = (uint64_t)((char *)image.nodes - (char *)&image);
	image.header.names_off = (uint64_t)(image.names - (char *)&image);
	image.nodes[1].data_off = (uint64_t)(image.data - (char *)&image);
	image.nodes[2].data_off = image.nodes[1].data_off + 5;
	image.nodes[3].data_off = image.nodes[1].data_off + 9;
	image.header.total_bytes = sizeof(image);
	host_fs_init(&image, sizeof(image));
	CHECK(has_text("/p", "hello") && has_text("/s", "hello"));
	f = host_fs_open("/p", O_RDWR, &error);
	CHECK_EQ(host_fs_write(f, "J", 1), 1); /* copied at the first write */
	file_put(f);
	CHECK(has_text("/s", "Jello"));
	CHECK(memcmp(image.data, "hello", 5) == 0);
	CHECK_EQ(vfs_unlink(AT("/q"), false), 0);
	CHECK_EQ(stat_error("/q"), -ENOENT); /* and stays away */
	f = host_fs_open("/q", O_RDWR | O_CREAT | O_EXCL, &error);
	CHECK_EQ(error, 0);
	file_put(f);
	CHECK(has_text("/q", ""));
}

int main(void)
{
	uint64_t objects;

	test_archive(); /* sets the tree up */
	for (int round = 0; round < 2; round++) {
		objects = host_kmem_objects();
		test_paths();
		test_links();
		test_rename();
		test_listing();
		test_contents();
		test_full();
		test_failing();
		if (round > 0)
			CHECK_EQ(host_kmem_objects(), objects); /* (1) */
	}
	return 0;
}
