/*
 * smp.c: the other CPUs join.
 *
 * What:       each gets its tables, an idle thread and a stack, checks that its time stamp counter
 *             agrees with the boot CPU's, and goes into the idle loop, where it takes work.
 * Invariants: (1) cpu_count grows only after a CPU is ready to be sent work.
 * Locking:    none: one CPU is started at a time, by the boot CPU.
 * Failure:    a CPU without memory or that does not answer is left out, with one log line.
 * Source:     none.
 */
#include "kernel/sched/smp.h"

#include "arch/arch.h"
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/options.h"
#include "kernel/sched/sched.h"
#include "kernel/selftest.h"
#include "kernel/time/clock.h"
#include "kernel/trace.h"
#include "platform/platform.h"

enum { IDLE_STACK_ORDER = 2 };

static void secondary_main(struct arch_cpu *self)
{
	struct cpu *c = container_of(self, struct cpu, arch);

	sched_adopt_idle(c->idle);
	sched_idle_loop();
}

static bool start_one(struct cpu *c, uint32_t id, uint32_t apic_id)
{
	pfn_t stack = pmm_alloc(IDLE_STACK_ORDER, PMM_KERNEL);

	c->arch.id = id;
	c->arch.apic_id = apic_id;
	c->arch.tsc_offset = selftest_tsc_offset(options.selftest);
	c->arch.tables = kmem_zalloc(arch_cpu_tables_bytes());
	c->idle = kmem_zalloc(sizeof(*c->idle));
	trace_init_cpu(id);
	if (stack != PFN_NONE && c->arch.tables && c->idle &&
		arch_start_cpu(&c->arch, apic_id,
			(char *)pfn_to_virt(stack) + (PAGE_SIZE << IDLE_STACK_ORDER),
			clock_tsc_hz(), secondary_main))
		return true;
	kmem_free(c->arch.tables);
	kmem_free(c->idle);
	if (stack != PFN_NONE)
		pmm_free(stack, IDLE_STACK_ORDER);
	return false;
}

uint32_t smp_count_possible(void)
{
	uint32_t apic_ids[CPUS_MAX];

	return MAX(platform_find_cpus(apic_ids, CPUS_MAX), 1u);
}

static void check_time(const struct cpu *c)
{
	if (!c->arch.tsc_skew)
		return;
	log_warn("smp: the time stamps of CPU %u were %lld cycles ahead%s", c->arch.id,
		(long long)c->arch.tsc_skew,
		c->arch.tsc_made_up ? ": made up for, time is a system call" : ": set right");
	if (c->arch.tsc_made_up)
		clock_set_counters_differ();
}

void smp_start_cpus(void)
{
	uint32_t apic_ids[CPUS_MAX];
	uint32_t n = platform_find_cpus(apic_ids, CPUS_MAX);

	n = selftest_add_cpu(options.selftest, apic_ids, n, CPUS_MAX);
	arch_smp_init(&cpus[0].arch);
	for (uint32_t i = 0; i < n && cpu_count < CPUS_MAX; i++) {
		if (apic_ids[i] == cpus[0].arch.apic_id)
			continue;
		if (!start_one(&cpus[cpu_count], cpu_count, apic_ids[i])) {
			log_warn("smp: the CPU with APIC id %u did not start; going on without it",
				apic_ids[i]);
			continue;
		}
		check_time(&cpus[cpu_count]);
		cpu_count++; /* (1) */
	}
}
