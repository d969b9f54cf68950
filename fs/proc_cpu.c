/*
 * proc_cpu.c: /proc/cpuinfo, and the CPUs' lines of /proc/stat.
 *
 * What:       what CPUID says, once for each CPU; and how long each has worked and rested.
 * Invariants: none.
 * Locking:    none; the numbers are a moment's view.
 * Failure:    none beyond proc.c's.
 * Source:     proc(5); Linux arch/x86/kernel/cpu/proc.c (show_cpuinfo), fs/proc/stat.c.
 */
#include "base/units.h"
#include "fs/proc_priv.h"
#include "kernel/cpufacts.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/cputime.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"

#define TICK_NS 10000000ul /* USER_HZ is 100 */

static void print_feature(const char *name, void *arg)
{
	proc_print(arg, " %s", name);
}

static void print_cpu(struct proc_text *t, const struct cpu_facts *f, uint32_t i)
{
	uint64_t khz = clock_tsc_hz() / 1000;

	proc_print(t, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\n", i, f->vendor,
		f->family);
	proc_print(t, "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", f->model,
		f->model_name[0] ? f->model_name : "unknown", f->stepping);
	proc_print(t, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
	if (f->cache_kib)
		proc_print(t, "cache size\t: %u KB\n", f->cache_kib);
	proc_print(t, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n", cpu_count, i);
	proc_print(t, "cpu cores\t: %u\napicid\t\t: %u\n", cpu_count, cpus[i].arch.apic_id);
	proc_print(t, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
		f->level);
	proc_print(t, "flags\t\t:");
	cpu_each_feature(print_feature, t);
	proc_print(t, "\nbogomips\t: %lu.%02lu\n", khz / 500, khz % 500 / 5);
	proc_print(t, "clflush size\t: %u\ncache_alignment\t: %u\n", f->line_bytes, f->line_bytes);
	proc_print(t, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
		f->physical_bits, f->virtual_bits);
}

void proc_make_cpuinfo(struct proc_text *t)
{
	struct cpu_facts f;

	cpu_get_facts(&f);
	for (uint32_t i = 0; i < cpu_count; i++)
		print_cpu(t, &f, i);
}

static void print_times(struct proc_text *t, uint64_t busy_ns, uint64_t idle_ns,
	const struct cputime *share)
{
	uint64_t all_ms = (share->user_ns + share->system_ns) / NS_PER_MS; /* for their product */
	uint64_t system_ms = all_ms == 0
		? 0
		: busy_ns / NS_PER_MS * (share->system_ns / NS_PER_MS) / all_ms;
	uint64_t system_ns = MIN(system_ms * NS_PER_MS, busy_ns);

	proc_print(t, " %lu 0 %lu %lu 0 0 0 0 0 0\n", (busy_ns - system_ns) / TICK_NS,
		system_ns / TICK_NS, idle_ns / TICK_NS);
}

/* Which part of a CPU's work was the kernel's is known of all of them together. */
void proc_make_cpu_stat(struct proc_text *t)
{
	struct cputime share = cputime_of_process();
	uint64_t up = clock_now_ns(), idle_ns[CPUS_MAX] = { 0 }, idle = 0, all = up * cpu_count;

	for (uint32_t i = 0; i < cpu_count; i++) {
		idle_ns[i] = MIN(sched_thread_cpu_ns(cpus[i].idle), up);
		idle += idle_ns[i];
	}
	proc_print(t, "cpu ");
	print_times(t, all - idle, idle, &share);
	for (uint32_t i = 0; i < cpu_count; i++) {
		proc_print(t, "cpu%u", i);
		print_times(t, up - idle_ns[i], idle_ns[i], &share);
	}
}
