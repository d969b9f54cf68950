/*
 * proc_self.c: /proc/1, which /proc/self is a link to: files about the process.
 *
 * What:       generators, the directory of descriptors, and the links exe, cwd and root.
 * Invariants: (1) a name of /proc/self/fd is the decimal number of an open descriptor, without
 *             leading zeros.
 * Locking:    look-ups run under the tree's lock and take LOCK_FDTABLE.
 * Failure:    -ENOENT for what is not open.
 * Source:     proc(5).
 */
#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/proc_priv.h"
#include "fs/tree_priv.h"
#include "kernel/cred.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/vm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"
#include "lib/string.h"

#define TICK_NS 10000000ul /* USER_HZ is 100 */
#define NAME_BYTES 16u
#define FD_ORDER 3u /* of descriptor 0 in the directory */

static struct {
	void *auxv; /* [I] once the program runs */
	size_t auxv_bytes;
} proc_self;

int proc_set_auxv(const void *auxv, size_t bytes)
{
	proc_self.auxv = kmem_alloc(bytes);
	if (!proc_self.auxv)
		return -ENOMEM;
	memcpy(proc_self.auxv, auxv, bytes);
	proc_self.auxv_bytes = bytes;
	return 0;
}

/* ------------------------------------------------------------------ generators */

static void make_auxv(struct proc_text *t)
{
	if (proc_self.auxv)
		proc_append(t, proc_self.auxv, proc_self.auxv_bytes);
}

static void make_cmdline(struct proc_text *t)
{
	for (uint32_t i = 0; i < options.argc; i++)
		proc_append(t, options.argv[i], strlen(options.argv[i]) + 1);
}

static void make_environ(struct proc_text *t)
{
	for (uint32_t i = 0; i < options.envc; i++)
		proc_append(t, options.envp[i], strlen(options.envp[i]) + 1);
}

static const char *program_name(void)
{
	const char *path = options.argc ? options.argv[0] : "/";
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void make_comm(struct proc_text *t)
{
	proc_print(t, "%.15s\n", program_name());
}

/* The file a mapping is of, as far as it has a name. */
static void print_object_path(struct proc_text *t, const struct vm_region *r)
{
	char *path;
	long n;

	if (!r->object || r->object->ops != &data_object_ops)
		return;
	path = kmem_alloc(VFS_PATH_MAX);
	if (!path)
		return;
	n = vfs_inode_path(container_of(r->object, struct inode, vm_object), path, VFS_PATH_MAX);
	if (n > 0) {
		proc_print(t, "                  ");
		proc_append(t, path, (size_t)n);
	}
	kmem_free(path);
}

static uint64_t object_inode(const struct vm_region *r)
{
	if (!r->object || r->object->ops != &data_object_ops)
		return 0;
	return container_of(r->object, struct inode, vm_object)->number;
}

static int print_region(const struct vm_region *r, void *arg)
{
	struct proc_text *t = arg;

	proc_print(t, "%08lx-%08lx %c%c%c%c %08lx 00:00 %lu", r->start, r->end,
		r->prot & VM_PROT_READ ? 'r' : '-', r->prot & VM_PROT_WRITE ? 'w' : '-',
		r->prot & VM_PROT_EXEC ? 'x' : '-', r->flags & VM_SHARED ? 's' : 'p',
		r->offset_bytes, object_inode(r));
	print_object_path(t, r);
	proc_print(t, "\n");
	return 0;
}

static void make_maps(struct proc_text *t)
{
	vm_each(print_region, t);
}

static void make_statm(struct proc_text *t)
{
	struct vm_stats s;

	vm_get_stats(&s);
	proc_print(t, "%lu %lu 0 0 0 %lu 0\n", s.reserved_bytes >> PAGE_SHIFT, s.resident_pages,
		s.resident_pages);
}

static void make_stat(struct proc_text *t)
{
	uint64_t cpu = sched_process_cpu_ns() / TICK_NS;
	struct vm_stats s;

	vm_get_stats(&s);
	proc_print(t, "%d (%.15s) R %d %d %d 0 -1 4194304 0 0 0 0 %lu 0 0 0 20 0 %u 0 %lu %lu %lu ",
		PROCESS_PID, program_name(), PROCESS_PPID, PROCESS_PID, PROCESS_PID, cpu,
		thread_count(), process_start_ns() / TICK_NS, s.reserved_bytes, s.resident_pages);
	proc_print(t,
		"18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

/* Of the thread that asks: it is the one that may read its groups. */
static void print_cred(struct proc_text *t)
{
	const struct cred *c = cred_current();

	proc_print(t, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	proc_print(t, "Gid:\t%u\t%u\t%u\t%u\nFDSize:\t256\nGroups:\t", c->gid, c->egid, c->sgid,
		c->fsgid);
	for (uint32_t i = 0; i < cred_group_count(); i++)
		proc_print(t, "%u ", cred_group(i));
	proc_print(t, "\n");
}

static void print_capabilities(struct proc_text *t)
{
	const struct cred *c = cred_current();

	proc_print(t, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n",
		(unsigned long long)c->inheritable, (unsigned long long)c->permitted,
		(unsigned long long)c->effective);
	proc_print(t, "CapBnd:\t%016llx\nCapAmb:\t%016llx\nNoNewPrivs:\t%u\n",
		(unsigned long long)c->bounding, (unsigned long long)c->ambient, c->no_new_privs);
}

static void make_status(struct proc_text *t)
{
	struct vm_stats s;

	vm_get_stats(&s);
	proc_print(t, "Name:\t%.15s\nUmask:\t0022\nState:\tR (running)\n", program_name());
	proc_print(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", PROCESS_PID,
		PROCESS_PID, PROCESS_PPID);
	print_cred(t);
	proc_print(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\n", s.reserved_bytes / KIB,
		s.reserved_bytes / KIB);
	proc_print(t, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", s.resident_pages * 4,
		s.resident_pages * 4);
	proc_print(t, "VmSwap:\t       0 kB\nThreads:\t%u\n", thread_count());
	print_capabilities(t);
	proc_print(t, "Cpus_allowed_list:\t0-%u\nMems_allowed_list:\t0\n", cpu_count - 1);
	proc_print(t, "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
}

static void make_limits(struct proc_text *t)
{
	static const struct {
		const char *name, *soft, *hard, *units;
	} rows[] = {
		{ "Max cpu time", "unlimited", "unlimited", "seconds" },
		{ "Max file size", "unlimited", "unlimited", "bytes" },
		{ "Max data size", "unlimited", "unlimited", "bytes" },
		{ "Max stack size", "8388608", "unlimited", "bytes" },
		{ "Max core file size", "0", "unlimited", "bytes" },
		{ "Max resident set", "unlimited", "unlimited", "bytes" },
		{ "Max processes", "65536", "65536", "processes" },
		{ "Max locked memory", "unlimited", "unlimited", "bytes" },
		{ "Max address space", "unlimited", "unlimited", "bytes" },
	};
	char soft[12], hard[12];

	proc_print(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		proc_print(t, "%-25s %-20s %-20s %-10s\n", rows[i].name, rows[i].soft, rows[i].hard,
			rows[i].units);
	fmt_snprintf(soft, sizeof(soft), "%u", fdtable_limits().soft);
	fmt_snprintf(hard, sizeof(hard), "%u", fdtable_limits().hard);
	proc_print(t, "%-25s %-20s %-20s %-10s\n", "Max open files", soft, hard, "files");
}

/* As in a machine whose only control group is the root: no limits. */
static void make_cgroup(struct proc_text *t)
{
	proc_print(t, "0::/\n");
}

static void make_mountinfo(struct proc_text *t)
{
	proc_print(t, "21 1 0:21 / / rw,relatime - ramfs ramfs rw\n");
	proc_print(t, "22 21 0:22 / /proc rw,relatime - proc proc rw\n");
	proc_print(t, "23 21 0:22 / /sys ro,relatime - sysfs sysfs ro\n");
}

static void make_io(struct proc_text *t)
{
	/* Nothing is counted per process: the lines are there for those who parse them. */
	proc_print(t, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n");
	proc_print(t, "cancelled_write_bytes: 0\n");
}

static void make_oom_score(struct proc_text *t)
{
	proc_print(t, "0\n");
}

static void make_loginuid(struct proc_text *t)
{
	proc_print(t, "4294967295\n");
}

static void make_mounts(struct proc_text *t)
{
	proc_print(t, "ramfs / ramfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\n");
	proc_print(t, "sysfs /sys sysfs ro,relatime 0 0\n");
}

/* ------------------------------------------------------------------ links */

static long copy_link(char *buf, size_t size, const char *text)
{
	size_t n = MIN(strlen(text), size);

	memcpy(buf, text, n);
	return (long)n;
}

static long exe_readlink(struct inode *i, char *buf, size_t size)
{
	(void)i;
	return copy_link(buf, size, options.argc ? options.argv[0] : "/");
}

static long cwd_readlink(struct inode *i, char *buf, size_t size)
{
	(void)i;
	return tree_path_locked(tree_cwd_locked(), buf, size);
}

static int cwd_follow(struct inode *i, struct inode **to, struct file **file)
{
	(void)i;
	(void)file;
	*to = tree_cwd_locked();
	inode_get(*to);
	return 0;
}

static long root_readlink(struct inode *i, char *buf, size_t size)
{
	(void)i;
	return copy_link(buf, size, "/");
}

static const struct inode_ops exe_ops = { .readlink = exe_readlink };
static const struct inode_ops cwd_ops = { .readlink = cwd_readlink, .follow = cwd_follow };
static const struct inode_ops root_ops = { .readlink = root_readlink };

/* ------------------------------------------------------------------ fd */

/* The link's private. A file that was looked at under the tree's lock is put when the link is
 * freed, without it: it might be the last reference, and closing takes locks. */
struct fd_link {
	int fd;
	struct file *held; /* [t] */
};

static long file_text(struct file *f, char *buf, size_t size)
{
	size_t len = strlen(f->ops->kind);
	struct file_stat st;
	char text[64];

	if (f->ops->kind[len - 1] == ':' && file_stat(f, &st) == 0)
		fmt_snprintf(text, sizeof(text), "%s[%lu]", f->ops->kind, st.inode);
	else
		strlcpy(text, f->ops->kind, sizeof(text));
	return copy_link(buf, size, text);
}

static long fd_readlink(struct inode *i, char *buf, size_t size)
{
	struct fd_link *l = i->private;
	struct inode *node;
	long n;

	if (l->held)
		return file_text(l->held, buf, size);
	if (fdtable_get_node(l->fd, &node, &l->held) < 0)
		return -ENOENT;
	if (!node)
		return file_text(l->held, buf, size);
	n = tree_path_locked(node, buf, size);
	inode_put(node);
	return n;
}

static int fd_follow(struct inode *i, struct inode **to, struct file **file)
{
	const struct fd_link *l = i->private;

	return fdtable_get_node(l->fd, to, file) < 0 ? -ENOENT : 0;
}

static void fd_free(struct inode *i)
{
	struct fd_link *l = i->private;

	if (l->held)
		file_put(l->held);
	kmem_free(l);
}

static const struct inode_ops fd_ops = {
	.readlink = fd_readlink,
	.follow = fd_follow,
	.free = fd_free,
};

static int parse_fd(const char *name, size_t len)
{
	int n = 0;

	if (len == 0 || len > 7 || (name[0] == '0' && len > 1)) /* (1) */
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

static int fd_dir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	int fd = parse_fd(name, len), r;
	struct fd_link *l;

	(void)dir;
	if (fd < 0 || fdtable_get_flags(fd) < 0)
		return -ENOENT;
	l = kmem_zalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	r = inode_alloc(S_IFLNK | 0700, out);
	if (r < 0) {
		kmem_free(l);
		return r;
	}
	l->fd = fd;
	(*out)->ops = &fd_ops;
	(*out)->private = l;
	(*out)->device = VFS_DEVICE_PROC;
	(*out)->links = 1;
	return 0;
}

static int fd_dir_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	int fd = fdtable_next(after < FD_ORDER ? 0 : (int)(after - FD_ORDER) + 1);

	if (fd < 0)
		return -ENOENT;
	*out = (struct dir_item){
		.order = FD_ORDER + (uint64_t)fd,
		.inode = dir->number + 1000000 + (uint64_t)fd,
		.mode = S_IFLNK,
	};
	out->len = (uint32_t)fmt_snprintf(out->name, sizeof(out->name), "%d", fd);
	return 0;
}

static const struct inode_ops fd_dir_ops = { .lookup = fd_dir_lookup, .list = fd_dir_list };

/* ------------------------------------------------------------------ putting it there */

static void add(const char *path, uint32_t mode, const struct inode_ops *ops)
{
	int r = proc_make_node(path, mode, ops, NULL);

	if (r < 0)
		log_warn("files: %s: error %d", path, -r);
}

static void add_files(void)
{
	static const struct {
		const char *path;
		proc_generator *generate;
	} files[] = {
		{ "1/auxv", make_auxv },
		{ "1/cmdline", make_cmdline },
		{ "1/environ", make_environ },
		{ "1/comm", make_comm },
		{ "1/maps", make_maps },
		{ "1/statm", make_statm },
		{ "1/stat", make_stat },
		{ "1/status", make_status },
		{ "1/limits", make_limits },
		{ "1/cgroup", make_cgroup },
		{ "1/mountinfo", make_mountinfo },
		{ "1/mounts", make_mounts },
		{ "1/io", make_io },
		{ "1/oom_score_adj", make_oom_score },
		{ "1/oom_score", make_oom_score },
		{ "1/loginuid", make_loginuid },
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int r = proc_register(files[i].path, files[i].generate);

		if (r < 0)
			log_warn("files: /proc/%s: error %d", files[i].path, -r);
	}
}

static void add_link(const char *target, const char *path)
{
	struct vfs_at at = { .path = path, .by_kernel = true };
	int r = vfs_symlink(target, &at);

	if (r < 0)
		log_warn("files: %s: error %d", path, -r);
}

void proc_add_self(void)
{
	add_files();
	add("/proc/1/exe", S_IFLNK | 0777, &exe_ops);
	add("/proc/1/cwd", S_IFLNK | 0777, &cwd_ops);
	add("/proc/1/root", S_IFLNK | 0777, &root_ops);
	add("/proc/1/fd", S_IFDIR | 0500, &fd_dir_ops);
	add_link("1", "/proc/self");
	add_link("self/mounts", "/proc/mounts");
}
