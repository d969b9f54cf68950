/*
 * proc_task.c: /proc/self/task: the threads; and the line that stat has of each and of all.
 *
 * What:       a directory per thread, made when it is asked for, with comm, stat and status.
 * Invariants: (1) a name is the decimal number of a thread of the program.
 * Locking:    look-ups run under the tree's lock and take LOCK_THREADS.
 * Failure:    -ENOENT for threads that are not there.
 * Source:     proc(5).
 */
#include "base/errno.h"
#include "base/units.h"
#include "fs/proc_priv.h"
#include "kernel/process.h"
#include "kernel/sched/cputime.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/thread_info.h"
#include "kernel/stats.h"
#include "lib/fmt.h"
#include "lib/string.h"

#define TICK_NS 10000000ul /* USER_HZ is 100 */
#define TID_ORDER 3u /* . is 1, .. is 2 */

/* The 52 fields. */
static void print_stat(struct proc_text *t, int32_t id, const struct thread_info *i, int32_t parent)
{
	struct proc_memory m;

	proc_get_memory(&m);
	proc_print(t, "%d (%.15s) %c %d %d %d 0 -1 4194304 %lu 0 0 0 ", id,
		i->name[0] ? i->name : proc_program_name(), i->runs ? 'R' : 'S', parent,
		PROCESS_PID, PROCESS_PID, i->faults);
	proc_print(t, "%lu %lu 0 0 %d %d %u 0 %lu %lu %lu ", i->user_ns / TICK_NS,
		i->system_ns / TICK_NS, 20 + i->nice, i->nice, thread_count(),
		process_start_ns() / TICK_NS, m.total_bytes,
		(m.anonymous_bytes + m.file_bytes) >> PAGE_SHIFT);
	proc_print(t, "18446744073709551615 %lu %lu 0 0 0 0 0 0 0 0 0 0 17 %u ", m.code_start,
		m.code_end, i->cpu);
	proc_print(t, "0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

/* The process goes by its first thread's name, if that is still there. */
static struct thread_info process_info(void)
{
	struct thread_info i = { 0 };
	struct cputime cpu;

	if (!thread_get_info(PROCESS_PID, &i))
		i.name[0] = 0;
	i.runs = true; /* it asks */
	cpu = cputime_of_process();
	i.user_ns = cpu.user_ns;
	i.system_ns = cpu.system_ns;
	i.faults = stat_sum(STAT_page_faults);
	return i;
}

void proc_make_stat(struct proc_text *t)
{
	struct thread_info i = process_info();

	print_stat(t, PROCESS_PID, &i, PROCESS_PPID);
}

void proc_make_comm(struct proc_text *t)
{
	struct thread_info i = process_info();

	proc_print(t, "%.15s\n", i.name[0] ? i.name : proc_program_name());
}

/* ------------------------------------------------------------------ files of one thread */

static void make_task_stat(struct proc_text *t, uint64_t tid)
{
	struct thread_info i;

	if (thread_get_info((int32_t)tid, &i))
		print_stat(t, (int32_t)tid, &i, PROCESS_PPID);
}

static void make_task_comm(struct proc_text *t, uint64_t tid)
{
	struct thread_info i;

	if (thread_get_info((int32_t)tid, &i))
		proc_print(t, "%.15s\n", i.name[0] ? i.name : proc_program_name());
}

static void make_task_status(struct proc_text *t, uint64_t tid)
{
	struct thread_info i;

	if (!thread_get_info((int32_t)tid, &i))
		return;
	proc_print(t, "Name:\t%.15s\nState:\t%s\n", i.name[0] ? i.name : proc_program_name(),
		i.runs ? "R (running)" : "S (sleeping)");
	proc_print(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\nThreads:\t%u\n",
		PROCESS_PID, (int32_t)tid, PROCESS_PPID, thread_count());
	proc_print(t,
		"voluntary_ctxt_switches:\t%lu\n"
		"nonvoluntary_ctxt_switches:\t%lu\n",
		i.sleeps, i.preemptions);
}

static const struct {
	const char *name;
	proc_numbered_generator *generate;
} task_files[] = {
	{ "comm", make_task_comm },
	{ "stat", make_task_stat },
	{ "status", make_task_status },
};

static int task_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	for (size_t i = 0; i < ARRAY_LEN(task_files); i++)
		if (strlen(task_files[i].name) == len && memcmp(task_files[i].name, name, len) == 0)
			return proc_make_text_node(proc_dir_number(dir), task_files[i].generate,
				out);
	return -ENOENT;
}

static int task_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	uint64_t n = after < TID_ORDER ? 0 : after - TID_ORDER + 1;

	if (n >= ARRAY_LEN(task_files))
		return -ENOENT;
	*out = (struct dir_item){
		.order = TID_ORDER + n,
		.inode = dir->number + 1 + n,
		.mode = S_IFREG,
	};
	out->len = (uint32_t)strlcpy(out->name, task_files[n].name, sizeof(out->name));
	return 0;
}

static const struct inode_ops task_ops = { .lookup = task_lookup, .list = task_list };

/* ------------------------------------------------------------------ the directory of threads */

static int tasks_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	int tid = proc_parse_number(name, len);
	struct thread_info ignored;

	if (tid <= 0 || !thread_get_info(tid, &ignored)) /* (1) */
		return -ENOENT;
	return proc_make_dir_node((uint64_t)tid, &task_ops, dir, name, len, out);
}

static int tasks_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	int32_t tid = thread_next_tid(after < TID_ORDER ? 0 : (int32_t)(after - TID_ORDER));

	if (tid == 0)
		return -ENOENT;
	*out = (struct dir_item){
		.order = TID_ORDER + (uint64_t)tid,
		.inode = dir->number + 2000000 + (uint64_t)tid,
		.mode = S_IFDIR,
	};
	out->len = (uint32_t)fmt_snprintf(out->name, sizeof(out->name), "%d", tid);
	return 0;
}

const struct inode_ops proc_task_ops = { .lookup = tasks_lookup, .list = tasks_list };
