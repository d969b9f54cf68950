/*
 * strace.c: system calls as they happen, into the log.
 *
 * What:       one line per call when it is over: thread, name, arguments by the kinds of
 *             syscalls.def, result, time. What arguments point at is looked at then, too; it is
 *             what the call left.
 * Invariants: (1) tracing changes nothing that the program sees but time: memory is only read.
 *             (2) no line is lost while the host reads: who is traced waits for room.
 * Locking:    none; looking at memory may sleep.
 * Failure:    what can't be read is shown as an address.
 * Source:     strace(1) for the form.
 */
#include "abi/linux/strace_priv.h"
#include "base/assert.h"
#include "base/units.h"
#include "kernel/dev/hostchan.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

static struct {
	uint64_t wanted[SYSCALLS_END / 64]; /* [I] */
} strace;

static const struct {
	const struct strace_kind *kinds;
	const size_t *count;
} kinds[] = {
	{ strace_value_kinds, &strace_value_kind_count },
	{ strace_memory_kinds, &strace_memory_kind_count },
	{ strace_socket_kinds, &strace_socket_kind_count },
};

static const struct strace_kind *find_kind(const char *kind, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (size_t k = 0; k < *kinds[i].count; k++)
			if (strace_is_word(kind, n, kinds[i].kinds[k].name))
				return &kinds[i].kinds[k];
	return NULL;
}

static void show_args(struct strace_text *t, const struct syscall_trace *tr, long result)
{
	const char *word = tr->entry->args ? tr->entry->args : "hex,hex,hex";
	const uint64_t *args = tr->args.arg;

	for (unsigned i = 0; *word && i < 6; i++) {
		size_t n = strace_word_bytes(word);
		const struct strace_kind *kind = find_kind(word, n);
		struct strace_arg a = { args[i], i ? args[i - 1] : 0, i < 5 ? args[i + 1] : 0,
			result };

		if (i)
			strace_put(t, ", ");
		if (kind)
			kind->show(t, &a);
		else
			strace_put(t, "%#llx", (unsigned long long)a.value);
		word += n;
		word += *word == ',';
	}
}

static bool has_known_kinds(const char *word)
{
	while (*word) {
		size_t n = strace_word_bytes(word);

		if (!find_kind(word, n))
			return false;
		word += n;
		word += *word == ',';
	}
	return true;
}

static bool is_table_good(const struct syscall_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].args && !has_known_kinds(entries[i].args))
			return false;
	return true;
}

/* Looking at the table takes more instructions than all else until the program starts: only who
 * traces pays for it. */
void strace_init(const struct syscall_entry *entries, size_t count)
{
	ASSERT(count <= SYSCALLS_END);
	DASSERT(is_table_good(entries, count));
	if (!options.strace)
		return;
	ASSERT(is_table_good(entries, count));
	strace_parse_filter(options.strace_filter, entries, count, strace.wanted);
}

bool strace_wants(uint64_t number)
{
	return options.strace && strace.wanted[number / 64] >> number % 64 & 1;
}

static bool is_call(const struct syscall_entry *e, const char *name)
{
	return !strcmp(e->name, name);
}

static void begin_line(struct strace_text *t, const struct syscall_trace *tr, long result)
{
	t->used = 0;
	strace_put(t, "strace: [%d] %s(", thread_current()->tid, tr->entry->name);
	show_args(t, tr, result);
	strace_put(t, ")");
}

static void write_line(const char *line)
{
	hostchan_await_log_room(); /* (2) */
	log_info("%s", line);
}

void strace_enter(struct syscall_trace *tr, const struct syscall_entry *e, const struct sysargs *a)
{
	struct strace_text t;

	tr->entry = e;
	tr->args = *a;
	tr->start_ns = clock_now_ns();
	if (!is_call(e, "exit") && !is_call(e, "exit_group"))
		return;
	begin_line(&t, tr, 0);
	strace_put(&t, " = ?"); /* it does not return */
	write_line(t.line);
}

static void put_result(struct strace_text *t, const struct syscall_entry *e, long result)
{
	const char *error = result < 0 && result > -4096 ? linux_error_name((int)-result) : NULL;
	bool is_address = is_call(e, "mmap") || is_call(e, "mremap") || is_call(e, "brk");

	if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)
		strace_put(t, " = ? %s (interrupted)", error);
	else if (error)
		strace_put(t, " = -1 %s", error);
	else if (is_address)
		strace_put(t, " = %#lx", (unsigned long)result);
	else
		strace_put(t, " = %ld", result);
}

void strace_leave(const struct syscall_trace *tr, long result)
{
	uint64_t ns = clock_now_ns() - tr->start_ns;
	struct strace_text t;

	begin_line(&t, tr, result);
	put_result(&t, tr->entry, result);
	strace_put(&t, " <%llu.%06llu>", (unsigned long long)(ns / NS_PER_S),
		(unsigned long long)(ns % NS_PER_S / NS_PER_US));
	write_line(t.line);
}

void strace_signal(int signo, int code, uint64_t addr)
{
	const char *name = strace_signal_name(signo);
	struct strace_text t = { .used = 0 };

	strace_put(&t, "strace: [%d] --- ", thread_current()->tid);
	if (name)
		strace_put(&t, "%s", name);
	else
		strace_put(&t, "SIGRT_%d", signo - 32);
	strace_put(&t, " {si_signo=%d, si_code=%d, si_addr=%#llx} ---", signo, code,
		(unsigned long long)addr);
	log_info("%s", t.line);
}
