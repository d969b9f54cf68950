/*
 * proc_system.c: files about the machine: /proc/meminfo, cpuinfo, stat, sys/….
 *
 * What:       generators, one per file, with the fields that Go and common libraries parse.
 * Invariants: none.
 * Locking:    none but for the boot id; the numbers are a moment's view.
 * Failure:    none beyond proc.c's.
 * Source:     proc(5); prometheus/procfs and gopsutil for which fields are read.
 */

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/proc_priv.h"
#include "fs/vfs.h"
#include "kernel/entropy.h"
#include "kernel/irq.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/thread_info.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

#define SECOND_NS 1000000000ul
#define TICK_NS (SECOND_NS / 100) /* USER_HZ is 100 */

static struct {
	struct spinlock lock;
	bool has_boot_id; /* [lock] */
	uint8_t boot_id[16]; /* [lock] made when it is first asked for, as Linux's */
} proc_system = { .lock = SPINLOCK_INIT(LOCK_FS) };

static unsigned long pages_to_kib(uint64_t pages)
{
	return pages * (PAGE_SIZE / KIB);
}

static void make_meminfo(struct proc_text *t)
{
	uint64_t counts[PMM_OWNERS];
	unsigned long total = pages_to_kib(pmm_total_pages()),
		      left = pages_to_kib(pmm_free_pages());
	struct vm_stats vm;

	pmm_count_pages(counts);
	vm_get_stats(&vm);
	proc_print(t, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\n", total, left);
	proc_print(t, "MemAvailable:   %8lu kB\nBuffers:               0 kB\n", left);
	proc_print(t, "Cached:         %8lu kB\nSwapCached:            0 kB\n",
		pages_to_kib(counts[PMM_CACHE]));
	proc_print(t, "Active:         %8lu kB\nInactive:              0 kB\n",
		pages_to_kib(counts[PMM_PROGRAM] + counts[PMM_CACHE]));
	proc_print(t, "SwapTotal:             0 kB\nSwapFree:              0 kB\n");
	proc_print(t, "Dirty:                 0 kB\nWriteback:             0 kB\n");
	proc_print(t, "AnonPages:      %8lu kB\nMapped:         %8lu kB\n",
		pages_to_kib(vm.resident_pages - vm.object_pages), pages_to_kib(vm.object_pages));
	proc_print(t, "Shmem:                 0 kB\nSlab:           %8lu kB\n",
		pages_to_kib(counts[PMM_SLAB]));
	proc_print(t, "SReclaimable:          0 kB\nSUnreclaim:     %8lu kB\n",
		pages_to_kib(counts[PMM_SLAB]));
	proc_print(t, "PageTables:     %8lu kB\n", pages_to_kib(counts[PMM_TABLE]));
	proc_print(t, "CommitLimit:    %8lu kB\nCommitted_AS:   %8lu kB\n", total, total - left);
	proc_print(t, "VmallocTotal:          0 kB\nVmallocUsed:           0 kB\n");
	proc_print(t, "HugePages_Total:       0\nHugePages_Free:        0\n");
	proc_print(t, "Hugepagesize:       2048 kB\n");
}

static uint64_t boot_time_s(void)
{
	return (uint64_t)vfs_boot_time_ns() / SECOND_NS;
}

static void make_stat(struct proc_text *t)
{
	struct load l;

	load_get(&l);
	proc_make_cpu_stat(t);
	proc_print(t, "intr %lu\nctxt %lu\nbtime %lu\n", stat_sum(STAT_interrupts),
		stat_sum(STAT_context_switches), boot_time_s());
	proc_print(t, "processes %lu\nprocs_running %u\nprocs_blocked 0\n",
		1 + stat_sum(STAT_threads_created), MAX(l.running, 1u));
}

static void make_uptime(struct proc_text *t)
{
	uint64_t up = clock_now_ns(), busy = sched_process_cpu_ns();
	uint64_t all = up * cpu_count, idle = all > busy ? all - busy : 0;

	proc_print(t, "%lu.%02lu %lu.%02lu\n", up / SECOND_NS, up % SECOND_NS / 10000000,
		idle / SECOND_NS, idle % SECOND_NS / 10000000);
}

static void make_loadavg(struct proc_text *t)
{
	struct load l;

	load_get(&l);
	for (unsigned i = 0; i < ARRAY_LEN(l.average); i++) {
		uint64_t hundredths = (l.average[i] * 100 + (1u << LOAD_SHIFT) / 2) >> LOAD_SHIFT;

		proc_print(t, "%lu.%02lu ", hundredths / 100, hundredths % 100);
	}
	proc_print(t, "%u/%u %d\n", l.running, thread_count(), thread_current()->tid);
}

static void make_version(struct proc_text *t)
{
	proc_print(t, "Linux version 6.1.0-gosolo (gosolo %s) #1 SMP\n", GOSOLO_VERSION);
}

static void make_filesystems(struct proc_text *t)
{
	proc_print(t, "nodev\tramfs\nnodev\tproc\nnodev\tsysfs\n");
}

static void make_hostname(struct proc_text *t)
{
	proc_print(t, "%s\n", options.hostname);
}

/* ------------------------------------------------------------------ /proc/sys: constants */

#define CONSTANT(name, text) \
	static void make_##name(struct proc_text *t) \
	{ \
		proc_print(t, "%s\n", text); \
	}
CONSTANT(somaxconn, "4096")
CONSTANT(max_dgram_qlen, "10")
CONSTANT(osrelease, "6.1.0-gosolo")
CONSTANT(ostype, "Linux")
CONSTANT(pid_max, "4194304")
CONSTANT(threads_max, "65536")
CONSTANT(overcommit, "1")
CONSTANT(max_map_count, "1048576")
CONSTANT(nr_open, "1048576")
CONSTANT(port_range, "32768\t60999")
CONSTANT(file_max, "9223372036854775807")
CONSTANT(cap_last_cap, "40")
CONSTANT(swappiness, "0")
CONSTANT(entropy_bits, "256") /* all that Linux's generator ever has, too */
CONSTANT(inotify_events, "16384")
CONSTANT(inotify_watches, "1048576")
CONSTANT(pipe_max_size, "16777216") /* what pipe_set_capacity allows */
#undef CONSTANT

static void make_file_nr(struct proc_text *t)
{
	unsigned long open = 0;

	for (int fd = fdtable_next(0); fd >= 0; fd = fdtable_next(fd + 1))
		open++;
	proc_print(t, "%lu\t0\t9223372036854775807\n", open);
}

static void make_cpu_list(struct proc_text *t)
{
	proc_print(t, cpu_count > 1 ? "0-%u\n" : "%u\n", cpu_count - 1);
}

/* All are online, and none is kept from anything. */
static void make_no_cpus(struct proc_text *t)
{
	proc_print(t, "\n");
}

static void make_cpu_kernel_max(struct proc_text *t)
{
	proc_print(t, "%u\n", CPUS_MAX - 1);
}

static void make_clocksource(struct proc_text *t)
{
	proc_print(t, "tsc\n");
}

static void print_uuid(struct proc_text *t, const uint8_t *b)
{
	for (unsigned i = 0; i < 16; i++)
		proc_print(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
	proc_print(t, "\n");
}

/* RFC 4122, version 4. */
static void choose_uuid(uint8_t *b)
{
	entropy_fill(b, 16);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
}

static void make_uuid(struct proc_text *t)
{
	uint8_t b[16];

	choose_uuid(b);
	print_uuid(t, b);
}

/* No disk and no swap: what the files say then. */
static void make_empty(struct proc_text *t)
{
	(void)t;
}

static void make_swaps(struct proc_text *t)
{
	proc_print(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

static void make_boot_id(struct proc_text *t)
{
	uint8_t b[16];

	choose_uuid(b);
	spin_lock(&proc_system.lock);
	if (!proc_system.has_boot_id)
		memcpy(proc_system.boot_id, b, sizeof(b));
	proc_system.has_boot_id = true;
	memcpy(b, proc_system.boot_id, sizeof(b));
	spin_unlock(&proc_system.lock);
	print_uuid(t, b);
}

static void make_vmstat(struct proc_text *t)
{
	proc_print(t, "nr_free_pages %lu\npgfault %lu\npgmajfault 0\npswpin 0\npswpout 0\n",
		pmm_free_pages(), stat_sum(STAT_page_faults));
	proc_print(t, "oom_kill 0\n");
}

static void make_interrupts(struct proc_text *t)
{
	struct irq_info info;

	proc_print(t, "    ");
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		proc_print(t, "       CPU%-3u", cpu);
	proc_print(t, "\n");
	for (uint32_t slot = 0; irq_get_info(slot, &info); slot++) {
		proc_print(t, "%3u:", info.line);
		for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
			proc_print(t, " %10lu  ", irq_count(slot, cpu));
		proc_print(t, "   IO-APIC %3u-fasteoi   %s\n", info.line, info.name);
	}
}

static const struct proc_file files[] = {
	{ .path = "meminfo", .generate = make_meminfo },
	{ .path = "cpuinfo", .generate = proc_make_cpuinfo },
	{ .path = "stat", .generate = make_stat },
	{ .path = "uptime", .generate = make_uptime },
	{ .path = "loadavg", .generate = make_loadavg },
	{ .path = "version", .generate = make_version },
	{ .path = "filesystems", .generate = make_filesystems },
	{ .path = "sys/net/core/somaxconn", .generate = make_somaxconn },
	{ .path = "sys/net/unix/max_dgram_qlen", .generate = make_max_dgram_qlen },
	{ .path = "sys/net/ipv4/ip_local_port_range", .generate = make_port_range },
	{ .path = "sys/kernel/hostname", .generate = make_hostname },
	{ .path = "sys/kernel/osrelease", .generate = make_osrelease },
	{ .path = "sys/kernel/ostype", .generate = make_ostype },
	{ .path = "sys/kernel/pid_max", .generate = make_pid_max },
	{ .path = "sys/kernel/threads-max", .generate = make_threads_max },
	{ .path = "sys/vm/overcommit_memory", .generate = make_overcommit },
	{ .path = "sys/vm/max_map_count", .generate = make_max_map_count },
	{ .path = "sys/fs/nr_open", .generate = make_nr_open },
	{ .path = "sys/fs/inotify/max_queued_events", .generate = make_inotify_events },
	{ .path = "sys/fs/inotify/max_user_watches", .generate = make_inotify_watches },
	{ .path = "sys/fs/inotify/max_user_instances", .generate = make_inotify_watches },
	{ .path = "sys/fs/file-max", .generate = make_file_max },
	{ .path = "sys/fs/file-nr", .generate = make_file_nr },
	{ .path = "sys/fs/pipe-max-size", .generate = make_pipe_max_size },
	{ .path = "sys/kernel/cap_last_cap", .generate = make_cap_last_cap },
	{ .path = "sys/kernel/random/boot_id", .generate = make_boot_id },
	{ .path = "sys/kernel/random/uuid", .generate = make_uuid },
	{ .path = "sys/kernel/random/entropy_avail", .generate = make_entropy_bits },
	{ .path = "sys/kernel/random/poolsize", .generate = make_entropy_bits },
	{ .path = "sys/vm/swappiness", .generate = make_swappiness },
	{ .path = "vmstat", .generate = make_vmstat },
	{ .path = "interrupts", .generate = make_interrupts },
	{ .path = "diskstats", .generate = make_empty },
	{ .path = "swaps", .generate = make_swaps },
	{ .path = "/sys/devices/system/cpu/online", .generate = make_cpu_list },
	{ .path = "/sys/devices/system/cpu/possible", .generate = make_cpu_list },
	{ .path = "/sys/devices/system/cpu/present", .generate = make_cpu_list },
	{ .path = "/sys/devices/system/cpu/offline", .generate = make_no_cpus },
	{ .path = "/sys/devices/system/cpu/isolated", .generate = make_no_cpus },
	{ .path = "/sys/devices/system/cpu/kernel_max", .generate = make_cpu_kernel_max },
	{ .path = "/sys/devices/system/clocksource/clocksource0/current_clocksource",
		.generate = make_clocksource },
	{ .path = "/sys/devices/system/clocksource/clocksource0/available_clocksource",
		.generate = make_clocksource },
};

void proc_add_system(void)
{
	static struct proc_table table = { files, ARRAY_LEN(files), NULL };

	proc_add(&table);
}
