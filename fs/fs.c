/*
 * fs.c: what is in the tree when the program starts.
 *
 * What:       opens the archive, makes the directories a program may rely on, fills /dev, /proc
 *             and /etc. What the image brings itself stays as it is.
 * Invariants: none.
 * Locking:    boot only, but for fs_set_resolv.
 * Failure:    no memory at boot is a bug of the image's size: ASSERT.
 * Source:     Filesystem Hierarchy Standard 3.0; hosts(5) resolv.conf(5) passwd(5) group(5)
 *             nsswitch.conf(5).
 */
#include "fs/fs.h"

#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/archive.h"
#include "fs/console.h"
#include "fs/dev.h"
#include "fs/epoll.h"
#include "fs/exe.h"
#include "fs/fdtable.h"
#include "fs/proc.h"
#include "fs/vfs.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "lib/fmt.h"
#include "lib/string.h"

#define TEXT_BYTES 512u

static struct {
	bool own_resolv; /* [I] /etc/resolv.conf is ours to write */
} fs;

static void make_dirs(void)
{
	static const struct {
		const char *path;
		uint32_t mode;
	} dirs[] = { { "/tmp", 01777 }, { "/dev", 0755 }, { "/dev/shm", 01777 },
		{ "/dev/pts", 0755 }, { "/proc", 0555 }, { "/sys", 0555 }, { "/etc", 0755 },
		{ "/root", 0700 }, { "/var/tmp", 01777 }, { "/run", 0755 } };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		int r = vfs_make_dirs(dirs[i].path, dirs[i].mode);

		if (r < 0)
			log_warn("files: %s: error %d", dirs[i].path, -r);
	}
}

static bool exists(const char *path)
{
	struct vfs_at at = { .path = path };
	struct file_stat ignored;

	return vfs_stat(&at, VFS_NO_FOLLOW, &ignored) == 0;
}

static void write_text(const char *path, const char *text)
{
	int r = vfs_write_file(path, text, strlen(text), 0644);

	if (r < 0)
		log_warn("files: %s: error %d", path, -r);
}

static void write_missing(const char *path, const char *text)
{
	if (!exists(path))
		write_text(path, text);
}

static void make_etc(void)
{
	char text[TEXT_BYTES];

	fmt_snprintf(text, sizeof(text), "%s\n", options.hostname);
	write_missing("/etc/hostname", text);
	fmt_snprintf(text, sizeof(text),
		"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t%s\n",
		options.hostname);
	write_missing("/etc/hosts", text);
	write_missing("/etc/passwd",
		"root:x:0:0:root:/root:/bin/sh\n"
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
	write_missing("/etc/group", "root:x:0:\nnogroup:x:65534:\n");
	write_missing("/etc/os-release", "NAME=gosolo\nID=gosolo\nPRETTY_NAME=\"gosolo\"\n");
	write_missing("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
	fs.own_resolv = !exists("/etc/resolv.conf");
	fs_set_resolv(options.dns, options.dns_count, NULL);
}

void fs_set_resolv(const uint32_t *dns, uint32_t count, const char *search)
{
	char text[TEXT_BYTES];
	size_t at = 0;

	if (!fs.own_resolv)
		return;
	text[0] = 0;
	for (uint32_t i = 0; i < MIN(count, OPTIONS_DNS_MAX); i++) {
		uint8_t b[4];

		memcpy(b, &dns[i], sizeof(b));
		at += (size_t)fmt_snprintf(text + at, sizeof(text) - at, "nameserver %u.%u.%u.%u\n",
			b[0], b[1], b[2], b[3]);
	}
	if (search && search[0])
		fmt_snprintf(text + at, sizeof(text) - at, "search %.255s\n", search);
	write_text("/etc/resolv.conf", text);
}

void fs_init(const void *archive, uint64_t archive_bytes)
{
	if (archive_init(archive, archive_bytes) < 0)
		log_error("files: the image's archive is damaged; starting without its files");
	fdtable_init();
	epoll_init();
	vfs_init();
	make_dirs();
	dev_init();
	proc_init();
	make_etc();
}

/* Made if it is not there. */
static int enter_dir(const char *path)
{
	struct vfs_at at = { .path = path };
	struct inode *dir;
	int r = vfs_make_dirs(path, 0755);

	if (r == 0)
		r = vfs_resolve(&at, VFS_FOLLOW, &dir);
	if (r != 0)
		return r;
	r = vfs_set_cwd(dir);
	inode_put(dir);
	return r;
}

void fs_init_std(void)
{
	for (unsigned i = 0; i < 3; i++) {
		uint32_t flags = options.tty[i] ? O_RDWR : i == 0 ? O_RDONLY : O_WRONLY;
		struct file *f;
		int fd = -1;
		int r = console_open(i, flags, &f);

		if (r == 0)
			r = fdtable_install(f, i, false, &fd);
		ASSERT(r == 0);
		ASSERT(fd == (int)i);
	}
	if (options.cwd && enter_dir(options.cwd) != 0)
		log_warn("files: cannot enter the working directory %s", options.cwd);
	exe_init();
}
