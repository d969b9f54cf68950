/*
 * proc_self.c: /proc/1, which /proc/self is a link to: files about the process.
 *
 * What:       generators, and the links exe, cwd and root.
 * Invariants: none.
 * Locking:    links are read under the tree's lock.
 * Failure:    -ENOENT for what is not open.
 * Source:     proc(5).
 */
#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/exe.h"
#include "fs/fdtable.h"
#include "fs/proc_priv.h"
#include "fs/tree_priv.h"
#include "kernel/cred.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/vm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/thread_info.h"
#include "kernel/stats.h"
#include "lib/fmt.h"
#include "lib/string.h"

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

const char *proc_program_name(void)
{
	const char *path = options.argc ? options.argv[0] : "/";
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Of the thread that asks: it is the one that may read its groups. */
static void print_cred(struct proc_text *t)
{
	const struct cred *c = cred_current();

	proc_print(t, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	proc_print(t, "Gid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", c->gid, c->egid, c->sgid,
		c->fsgid, fdtable_size());
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
	struct thread_info first = { .runs = true };

	(void)thread_get_info(PROCESS_PID, &first);
	proc_print(t, "Name:\t%.15s\nUmask:\t0022\nState:\tR (running)\n", proc_program_name());
	proc_print(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", PROCESS_PID,
		PROCESS_PID, PROCESS_PPID);
	print_cred(t);
	proc_print_memory(t);
	proc_print(t, "Threads:\t%u\n", thread_count());
	print_capabilities(t);
	proc_print(t, "Cpus_allowed_list:\t0-%u\nMems_allowed_list:\t0\n", cpu_count - 1);
	proc_print(t,
		"voluntary_ctxt_switches:\t%lu\n"
		"nonvoluntary_ctxt_switches:\t%lu\n",
		first.sleeps, first.preemptions); /* the first thread's, as on Linux */
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
	proc_print(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", stat_sum(STAT_read_bytes),
		stat_sum(STAT_write_bytes), stat_sum(STAT_read_calls), stat_sum(STAT_write_calls));
	/* Of disks: there is none. */
	proc_print(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
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

static long exe_readlink(struct inode *i, char *buf, size_t size)
{
	(void)i;
	if (exe_inode())
		return tree_path_locked(exe_inode(), buf, size);
	return proc_copy_link(buf, size, options.argc ? options.argv[0] : "/");
}

static int exe_follow(struct inode *i, struct inode **to, struct file **file)
{
	(void)i;
	(void)file;
	*to = exe_inode();
	if (!*to)
		return -ENOENT;
	inode_get(*to);
	return 0;
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
	return proc_copy_link(buf, size, "/");
}

static const struct inode_ops exe_ops = { .readlink = exe_readlink, .follow = exe_follow };
static const struct inode_ops cwd_ops = { .readlink = cwd_readlink, .follow = cwd_follow };
static long thread_self_readlink(struct inode *i, char *buf, size_t size)
{
	char text[32];

	(void)i;
	fmt_snprintf(text, sizeof(text), "%d/task/%d", PROCESS_PID, thread_current()->tid);
	return proc_copy_link(buf, size, text);
}

static const struct inode_ops thread_self_ops = { .readlink = thread_self_readlink };
static const struct inode_ops root_ops = { .readlink = root_readlink };

/* ------------------------------------------------------------------ the table */

static const struct proc_file files[] = {
	{ .path = "1/auxv", .generate = make_auxv },
	{ .path = "1/cmdline", .generate = make_cmdline },
	{ .path = "1/environ", .generate = make_environ },
	{ .path = "1/comm", .generate = proc_make_comm },
	{ .path = "1/maps", .generate = proc_make_maps },
	{ .path = "1/smaps", .generate = proc_make_smaps },
	{ .path = "1/statm", .generate = proc_make_statm },
	{ .path = "1/stat", .generate = proc_make_stat },
	{ .path = "1/status", .generate = make_status },
	{ .path = "1/cgroup", .generate = make_cgroup },
	{ .path = "1/mountinfo", .generate = make_mountinfo },
	{ .path = "1/mounts", .generate = make_mounts },
	{ .path = "1/io", .generate = make_io },
	{ .path = "1/oom_score_adj", .generate = make_oom_score },
	{ .path = "1/oom_score", .generate = make_oom_score },
	{ .path = "1/loginuid", .generate = make_loginuid },
	{ .path = "1/exe", .mode = S_IFLNK | 0777, .ops = &exe_ops },
	{ .path = "1/cwd", .mode = S_IFLNK | 0777, .ops = &cwd_ops },
	{ .path = "1/root", .mode = S_IFLNK | 0777, .ops = &root_ops },
	{ .path = "1/fd", .mode = S_IFDIR | 0500, .ops = &proc_fd_ops },
	{ .path = "1/fdinfo", .mode = S_IFDIR | 0500, .ops = &proc_fdinfo_ops },
	{ .path = "1/task", .mode = S_IFDIR | 0555, .ops = &proc_task_ops },
	{ .path = "thread-self", .mode = S_IFLNK | 0777, .ops = &thread_self_ops },
	{ .path = "self", .mode = S_IFLNK | 0777, .target = "1" },
	{ .path = "mounts", .mode = S_IFLNK | 0777, .target = "self/mounts" },
};

void proc_add_self(void)
{
	static struct proc_table table = { files, ARRAY_LEN(files), NULL };

	proc_add(&table);
}
