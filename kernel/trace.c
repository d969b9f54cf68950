/*
 * trace.c: what each CPU did last: a ring of small binary records, always written.
 *
 * What:       one ring per CPU. A report merges them by time, from the newest backwards.
 * Invariants: (1) only its CPU writes a ring, with interrupts off, so records are whole; a reader
 *             on another CPU may see one that is being overwritten, and nothing worse.
 * Locking:    none.
 * Failure:    a CPU without memory for its ring is not traced.
 * Source:     none.
 */
#include "kernel/trace.h"

#include "base/units.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"

struct record {
	uint64_t cycles;
	uint64_t event; /* enum trace_event */
	uint64_t a, b;
};

struct ring {
	uint64_t next; /* [c] records ever written */
	struct record records[TRACE_RECORDS]; /* [c] */
};

static struct ring *rings[CPUS_MAX]; /* [I] once its CPU runs */

static const char *const formats[TRACE_EVENTS] = {
#define X(name, format) [TRACE_##name] = format,
	TRACE_LIST(X)
#undef X
};

void trace_init_cpu(uint32_t cpu)
{
	rings[cpu] = kmem_zalloc(sizeof(*rings[cpu]));
}

void trace(enum trace_event event, uint64_t a, uint64_t b)
{
	struct ring *r = rings[this_cpu()->arch.id];
	struct record *record;

	if (unlikely(!r))
		return;
	record = &r->records[r->next++ & (TRACE_RECORDS - 1)]; /* (1) */
	record->cycles = arch_cycles();
	record->event = event;
	record->a = a;
	record->b = b;
}

/* Records of a CPU that are left when its newest `taken` are gone. */
static const struct record *newest(uint32_t cpu, uint32_t taken)
{
	const struct ring *r = rings[cpu];

	if (!r || taken >= MIN(r->next, (uint64_t)TRACE_RECORDS))
		return NULL;
	return &r->records[(r->next - 1 - taken) & (TRACE_RECORDS - 1)];
}

static void print(const struct record *record, uint32_t cpu, uint64_t now_ns, uint64_t now_cycles,
	void (*line)(const char *text, void *arg), void *arg)
{
	uint64_t age_ns = clock_cycles_to_ns(now_cycles - record->cycles);
	uint64_t at_us = (now_ns - MIN(age_ns, now_ns)) / NS_PER_US;
	char what[80], text[120];

	fmt_snprintf(what, sizeof(what),
		record->event < TRACE_EVENTS ? formats[record->event] : "?",
		(unsigned long long)record->a, (unsigned long long)record->b);
	fmt_snprintf(text, sizeof(text), "%llu.%06llu cpu %u %s",
		(unsigned long long)(at_us / 1000000), (unsigned long long)(at_us % 1000000), cpu,
		what);
	line(text, arg);
}

void trace_report(void (*line)(const char *text, void *arg), void *arg, uint32_t count)
{
	static struct {
		const struct record *record;
		uint32_t cpu;
	} found[TRACE_LINES_MAX]; /* two readers at once mix their lines, which is harmless */
	uint64_t now_ns = clock_now_ns(), now_cycles = arch_cycles();
	uint32_t taken[CPUS_MAX] = { 0 }, n;

	for (n = 0; n < MIN(count, TRACE_LINES_MAX); n++) {
		const struct record *best = NULL;

		for (uint32_t i = 0; i < cpu_count; i++) {
			const struct record *r = newest(i, taken[i]);

			if (!r || (best && r->cycles <= best->cycles))
				continue;
			best = r;
			found[n].cpu = i;
		}
		if (!best)
			break;
		found[n].record = best;
		taken[found[n].cpu]++;
	}
	while (n--)
		print(found[n].record, found[n].cpu, now_ns, now_cycles, line, arg);
}
