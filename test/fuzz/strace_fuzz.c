/* sources: abi/linux/strace.c abi/linux/strace_text.c abi/linux/strace_values.c
 * abi/linux/strace_memory.c abi/linux/strace_sockets.c abi/linux/strace_filter.c
 * abi/linux/errno_names.c lib/fmt.c test/unit/shim/host.c test/fuzz/fuzz_memory.c */
/*
 * strace_fuzz.c: any call with any arguments and memory, traced.
 *
 * What:       the input names a call of syscalls.def, its arguments and result; what is left is
 *             the program's memory, which arguments often point into.
 * Invariants: (1) a line is whole: it names the call, ends with the time, and has no control
 *             characters. (2) tracing writes nothing to the program's memory.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     abi/linux/strace.c.
 */
#include <string.h>

#include "abi/linux/dispatch_priv.h"
#include "host.h"
#include "kernel/dev/hostchan.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"
#include "test/fuzz/fuzz_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SYSCALL(nr, call, kinds, support, note) [nr] = { #call, kinds, NULL, 0 },
#define ERRNO(nr, call, error, note) [nr] = { #call, NULL, NULL, error },
static const struct syscall_entry entries[SYSCALLS_END] = {
#include "abi/linux/syscalls.def"
};

struct input {
	uint16_t number, points; /* bit i: argument i is an offset into memory */
	uint32_t small[6];
	int32_t result;
};

extern struct cpu host_cpus[2]; /* host.c */
struct options options;
static struct thread thread = { .tid = 7 };
static const char *name;
static unsigned lines;

void klog(enum gosolo_log_level level, const char *format, ...)
{
	char line[600];
	size_t n;
	va_list ap;

	va_start(ap, format);
	fmt_vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	n = strlen(line);
	CHECK(level <= GOSOLO_LOG_INFO && n < sizeof(line) - 1);
	for (size_t i = 0; name && i < n; i++)
		CHECK((unsigned char)line[i] >= ' ' && (unsigned char)line[i] < 127); /* (1) */
	if (name)
		CHECK(strncmp(line, "strace: [7] ", 12) == 0 &&
			strncmp(line + 12, name, strlen(name)) == 0);
	lines++;
}

uint64_t clock_now_ns(void)
{
	static uint64_t now;

	return now += 1234567;
}

void hostchan_await_log_room(void)
{
}

static void set_up(void)
{
	host_cpus[0].current = &thread;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct syscall_trace trace;
	struct sysargs args = { .frame = NULL };
	struct input in = { 0 };
	size_t head = MIN(size, sizeof(in));
	char filter[64] = "";

	set_up();
	memcpy(&in, data, head);
	data += head;
	size -= head;
	fuzz_memory_set(data, size);
	memcpy(filter, data, MIN(size, sizeof(filter) - 1));
	name = NULL;
	options.strace = true;
	options.strace_filter = filter;
	if (in.points >> 12 == 0)
		strace_init(entries, SYSCALLS_END); /* costly: parses the filter */
	in.number %= SYSCALLS_END;
	(void)strace_wants(in.number);
	for (unsigned i = 0; i < 6; i++)
		args.arg[i] = in.points >> i & 1 ? FUZZ_BASE_UA + in.small[i] % (size + 1)
						 : (uint64_t)(int32_t)in.small[i];
	name = entries[in.number].name;
	if (name) {
		strace_enter(&trace, &entries[in.number], &args);
		strace_leave(&trace, in.result);
		name = NULL;
		strace_signal(in.result & 127, in.result, in.small[0]);
	}
	fuzz_memory_reset();
	return 0;
}
