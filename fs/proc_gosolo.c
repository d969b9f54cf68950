/*
 * proc_gosolo.c: /proc/gosolo: what the kernel knows of itself, for the program to read.
 *
 * What:       stats and memory ("NAME VALUE" per line), boot (time of each step), log (the last
 *             lines), version, locks (longest holds; debug kernels), trace (what each CPU did
 *             last). abi adds calls.
 * Invariants: none.
 * Locking:    none; the numbers are a moment's view.
 * Failure:    none beyond proc.c's.
 * Source:     none: these files are ours.
 */
#include "base/units.h"
#include "fs/proc_priv.h"
#include "kernel/image.h"
#include "kernel/ksym.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/process.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"
#include "kernel/trace.h"

static void make_stats(struct proc_text *t)
{
	for (unsigned s = 0; s < STAT_COUNT; s++)
		proc_print(t, "%s %lu\n", stat_name(s), stat_sum(s));
	proc_print(t, "uptime_ns %lu\n", clock_now_ns());
}

/* Frames by what they are used for. */
static void make_pages(struct proc_text *t)
{
	static const char *const names[PMM_OWNERS] = { [PMM_KERNEL] = "kernel_pages",
		[PMM_TABLE] = "table_pages",
		[PMM_SLAB] = "slab_pages",
		[PMM_PIPE] = "pipe_pages",
		[PMM_PROGRAM] = "program_pages",
		[PMM_CACHE] = "file_pages" };
	uint64_t counts[PMM_OWNERS];

	pmm_count_pages(counts);
	for (unsigned i = 0; i < PMM_OWNERS; i++)
		if (names[i])
			proc_print(t, "%s %lu\n", names[i], counts[i]);
}

/* The kernel's objects by size. */
static void make_objects(struct proc_text *t)
{
	uint64_t count;
	size_t bytes;

	for (unsigned c = 0; kmem_class_count(c, &bytes, &count); c++)
		proc_print(t, "objects_of_%lu %lu\n", bytes, count);
	proc_print(t, "objects_pages %lu\n", kmem_large_pages());
}

static void make_memory(struct proc_text *t)
{
	proc_print(t, "total_bytes %lu\n", pmm_total_pages() * PAGE_SIZE);
	proc_print(t, "free_bytes %lu\n", pmm_free_pages() * PAGE_SIZE);
	proc_print(t, "peak_bytes %lu\n", pmm_peak_pages() * PAGE_SIZE);
	proc_print(t, "kernel_heap_bytes %lu\n", kmem_used_bytes());
	make_pages(t);
	make_objects(t);
}

static void add_line(const char *text, void *arg)
{
	proc_print(arg, "%s\n", text);
}

static void make_boot(struct proc_text *t)
{
	boot_report(add_line, t);
}

static void make_locks(struct proc_text *t)
{
	lock_report(add_line, t);
}

static void make_log(struct proc_text *t)
{
	char *text = kmem_alloc(LOG_TEXT_BYTES);

	if (!text) {
		t->failed = true;
		return;
	}
	proc_append(t, text, log_copy(text, LOG_TEXT_BYTES));
	kmem_free(text);
}

static void make_trace(struct proc_text *t)
{
	trace_report(add_line, t, TRACE_LINES_MAX);
}

static void make_version(struct proc_text *t)
{
	char id[32];

	ksym_build_id(id, sizeof(id));
	proc_print(t, "gosolo %s\nbuild %s\nprogram %s\ngo %s\n", GOSOLO_VERSION, id,
		gosolo_image.program, gosolo_image.go_version);
}

static const struct proc_file files[] = {
	{ .path = "gosolo/stats", .generate = make_stats },
	{ .path = "gosolo/memory", .generate = make_memory },
	{ .path = "gosolo/boot", .generate = make_boot },
	{ .path = "gosolo/log", .generate = make_log },
	{ .path = "gosolo/version", .generate = make_version },
	{ .path = "gosolo/locks", .generate = make_locks },
	{ .path = "gosolo/trace", .generate = make_trace },
};

void proc_add_gosolo(void)
{
	static struct proc_table table = { files, ARRAY_LEN(files), NULL };

	proc_add(&table);
}
