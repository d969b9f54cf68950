/* sources: fs/archive.c fs/vfs.c fs/vfs_names.c fs/vfs_open.c fs/vfs_setup.c fs/path.c fs/dir.c
 * fs/inode.c fs/perm.c fs/xattr.c fs/data.c fs/data_allocate.c fs/size_limit.c fs/data_map.c
 * fs/page_tree.c fs/node_file.c
 * fs/file.c fs/fdtable.c
 * fs/lock.c fs/inotify.c fs/mutex.c lib/fmt.c
 * fs/pipe.c fs/pipe_ring.c fs/epoll.c fs/epoll_wait.c kernel/sync/pollq.c kernel/uio.c
 * test/unit/shim/host.c test/unit/shim/host_ram.c test/unit/shim/host_pmm.c
 * test/unit/shim/host_kmem.c test/unit/shim/host_fs.c */
/*
 * fs_open_test.c: what open files add to the tree: locks, descriptors, events.
 *
 * What:       locks of both kinds between two open files; the table of descriptors, filled and
 *             emptied; what inotify tells of changes, merges, loses and says at the end.
 * Invariants: (1) what a test made it removes: objects are as before.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     fs/lock.h, fs/fdtable.h, fs/inotify.h; fcntl(2), dup(2), inotify(7).
 */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "base/errno.h"
#include "fs/fdtable.h"
#include "fs/inotify.h"
#include "fs/lock.h"
#include "fs/vfs.h"
#include "host.h"
#include "host_fs.h"

#define AT(p) (&(struct vfs_at){ .path = (p) })

static void test_locks(void)
{
	struct lock_range all = { .last = UINT64_MAX, .exclusive = true };
	struct lock_range part = { .first = 10, .last = 19, .exclusive = true };
	struct lock_range probe = part;
	int error;
	struct file *a = host_fs_open("/k", O_RDWR | O_CREAT, &error);
	struct file *b = host_fs_open("/k", O_RDWR, &error);

	CHECK_EQ(lock_set(a, LOCK_KIND_FLOCK, &all, false), 0);
	CHECK_EQ(lock_set(b, LOCK_KIND_FLOCK, &all, false), -EAGAIN);
	CHECK_EQ(lock_set(a, LOCK_KIND_RECORD, &all, false), 0); /* another kind */
	CHECK_EQ(lock_clear(a, LOCK_KIND_RECORD, &part), 0); /* a hole in the middle */
	CHECK_EQ(lock_set(b, LOCK_KIND_RECORD, &part, false), 0);
	CHECK_EQ(lock_set(a, LOCK_KIND_RECORD, &part, false), -EAGAIN);
	CHECK(lock_test(a, &probe));
	CHECK(probe.first == 10 && probe.last == 19 && probe.exclusive && !probe.of_process);
	file_put(a);
	CHECK_EQ(lock_set(b, LOCK_KIND_FLOCK, &all, false), 0);
	CHECK_EQ(lock_set(b, LOCK_KIND_RECORD, &all, false), 0);
	file_put(b);
	CHECK_EQ(vfs_unlink(AT("/k"), false), 0);
}

static void test_descriptors(void)
{
	struct file *f, *got;
	int error, fd;

	f = host_fs_open("/", O_RDONLY, &error);
	CHECK_EQ(fdtable_install(f, 0, false, &fd), 0);
	CHECK_EQ(fd, 0);
	for (int i = 1; i < 1300; i++) {
		file_get(f);
		CHECK_EQ(fdtable_install(f, 0, i & 1, &fd), 0);
		CHECK_EQ(fd, i);
	}
	CHECK_EQ(fdtable_get_flags(1299), 1);
	CHECK_EQ(fdtable_get_flags(1298), 0);
	CHECK_EQ(fdtable_get_flags(1300), -EBADF);
	CHECK_EQ(fdtable_close(700), 0);
	CHECK_EQ(fdtable_close(700), -EBADF);
	CHECK_EQ(fdtable_get(700, &got), -EBADF);
	CHECK_EQ(fdtable_close(30), 0);
	CHECK_EQ(fdtable_next(30), 31);
	CHECK_EQ(fdtable_dup_at(5, 700, true), 0);
	file_get(f);
	CHECK_EQ(fdtable_install(f, 100, false, &fd), 0);
	CHECK_EQ(fd, 1300); /* the lowest from 100 on */
	file_get(f);
	CHECK_EQ(fdtable_install(f, 0, false, &fd), 0);
	CHECK_EQ(fd, 30);
	CHECK_EQ(fdtable_reserve(true, &fd), 0);
	CHECK_EQ(fd, 1301);
	CHECK_EQ(fdtable_get(1301, &got), -EBADF);
	CHECK_EQ(fdtable_close(1301), -EBADF);
	CHECK_EQ(fdtable_dup_at(0, 1301, false), -EBUSY);
	CHECK_EQ(fdtable_next(1301), -1);
	file_get(f);
	fdtable_settle(1301, f);
	CHECK_EQ(fdtable_get_flags(1301), 1);
	CHECK_EQ(fdtable_reserve(false, &fd), 0);
	CHECK_EQ(fd, 1302);
	fdtable_settle(1302, NULL);
	CHECK_EQ(fdtable_reserve(false, &fd), 0);
	CHECK_EQ(fd, 1302); /* given back */
	fdtable_settle(1302, NULL);
	CHECK_EQ(fdtable_dup_at(0, FDTABLE_LIMIT, false), -EBADF);
	CHECK_EQ(fdtable_dup_at(0, FDTABLE_LIMIT - 1, false), 0);
	for (fd = fdtable_next(0); fd >= 0; fd = fdtable_next(fd + 1))
		CHECK_EQ(fdtable_close(fd), 0);
	CHECK_EQ(fdtable_next(0), -1);
}

/* The masks of the events that are there, as one number each, until none is left. */
static unsigned read_events(struct file *f, uint32_t *masks, unsigned room)
{
	static char buf[4096];
	unsigned n = 0;
	long got;

	while ((got = host_fs_read(f, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + got;) {
			struct inotify_event *e = (void *)at;

			CHECK(n < room);
			masks[n++] = e->mask;
			at += sizeof(*e) + e->len;
		}
	}
	CHECK_EQ(got, -EAGAIN);
	return n;
}

static void test_inotify(void)
{
	static uint32_t masks[20000];
	struct file *f, *file;
	struct inode *dir;
	int error;

	CHECK_EQ(vfs_make_dirs("/i/d", 0755), 0);
	CHECK_EQ(vfs_resolve(AT("/i"), VFS_FOLLOW, &dir), 0);
	CHECK_EQ(inotify_create(O_NONBLOCK, &f), 0);
	CHECK_EQ(inotify_add(f, dir, IN_ALL_EVENTS), 1);
	CHECK_EQ(inotify_add(f, dir, IN_ALL_EVENTS & ~(uint32_t)IN_OPEN), 1);
	file = host_fs_open("/i/f", O_RDWR | O_CREAT, &error);
	for (int i = 0; i < 3; i++) /* the same three times is told once */
		CHECK_EQ(host_fs_write(file, "x", 1), 1);
	file_put(file);
	CHECK_EQ(vfs_rename(AT("/i/f"), AT("/i/d/f"), 0), 0);
	CHECK_EQ(vfs_unlink(AT("/i/d/f"), false), 0);
	CHECK_EQ(vfs_unlink(AT("/i/d"), true), 0);
	CHECK_EQ(read_events(f, masks, 20000), 5);
	CHECK(masks[0] == IN_CREATE && masks[1] == IN_MODIFY && masks[2] == IN_CLOSE_WRITE);
	CHECK(masks[3] == IN_MOVED_FROM && masks[4] == (IN_DELETE | IN_ISDIR));
	for (int i = 0; i < 9000; i++) {
		CHECK_EQ(vfs_write_file("/i/g", "", 0, 0644), 0);
		CHECK_EQ(vfs_unlink(AT("/i/g"), false), 0);
	}
	CHECK_EQ(read_events(f, masks, 20000), 16385);
	CHECK_EQ(masks[16384], IN_Q_OVERFLOW);
	CHECK_EQ(vfs_unlink(AT("/i"), true), 0);
	inode_put(dir);
	CHECK_EQ(read_events(f, masks, 20000), 2);
	CHECK(masks[0] == IN_DELETE_SELF && masks[1] == IN_IGNORED);
	CHECK_EQ(inotify_remove(f, 1), -EINVAL);
	CHECK_EQ(vfs_make_dirs("/i", 0755), 0);
	CHECK_EQ(vfs_resolve(AT("/i"), VFS_FOLLOW, &dir), 0);
	CHECK_EQ(inotify_add(f, dir, IN_CREATE), 2);
	inode_put(dir);
	CHECK_EQ(vfs_unlink(AT("/i"), true), 0);
	CHECK_EQ(vfs_make_dirs("/i", 0755), 0);
	CHECK_EQ(vfs_resolve(AT("/i"), VFS_FOLLOW, &dir), 0);
	CHECK_EQ(inotify_add(f, dir, IN_CREATE), 3);
	inode_put(dir);
	file_put(f); /* with a watch and an event left */
	CHECK_EQ(vfs_unlink(AT("/i"), true), 0);
}

int main(void)
{
	uint64_t objects;

	host_fs_init(NULL, 0);
	for (int round = 0; round < 2; round++) {
		objects = host_kmem_objects();
		test_locks();
		test_descriptors();
		test_inotify();
		if (round > 0)
			CHECK_EQ(host_kmem_objects(),
				objects); /* (1); chunks of descriptors stay */
	}
	return 0;
}
