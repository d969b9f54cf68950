/*
 * strace.c: system calls as they happen, into the log.
 *
 * What:       one line per call when it is over: thread, name, arguments by the kinds of
 *             syscalls.def, result, time. What arguments point at is looked at then, too; it is
 *             what the call left.
 * Invariants: (1) tracing changes nothing that the program sees but time: memory is only read.
 * Locking:    none; looking at memory may sleep.
 * Failure:    what can't be read is shown as an address.
 * Source:     strace(1) for the form.
 */
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "abi/linux/dispatch_priv.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"
#include "lib/string.h"

enum { SHOWN_BYTES = 32, SHOWN_STRING = 96, LINE_BYTES = 448 };

struct text {
	char line[LINE_BYTES];
	size_t used;
};

struct flag_name {
	uint64_t bit;
	const char *name;
};

/* ------------------------------------------------------------------ text */
static void put(struct text *t, const char *format, ...) printf_like(2, 3);
static void put(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = fmt_vsnprintf(t->line + t->used, sizeof(t->line) - t->used, format, ap);
	va_end(ap);
	t->used = MIN(t->used + (size_t)MAX(n, 0), sizeof(t->line) - 1);
}

static void put_bytes(struct text *t, const char *bytes, size_t n)
{
	put(t, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n')
			put(t, "\\n");
		else if (c == '"' || c == '\\')
			put(t, "\\%c", c);
		else if (c >= ' ' && c < 127)
			put(t, "%c", c);
		else
			put(t, "\\x%02x", c);
	}
	put(t, "\"");
}

static void put_flags(struct text *t, uint64_t v, const struct flag_name *names, size_t count)
{
	const char *between = "";

	for (size_t i = 0; i < count; i++) {
		if (!(v & names[i].bit))
			continue;
		put(t, "%s%s", between, names[i].name);
		between = "|";
		v &= ~names[i].bit;
	}
	if (v || !*between)
		put(t, "%s%#llx", between, (unsigned long long)v);
}

/* ------------------------------------------------------------------ kinds of arguments */
static void show_string(struct text *t, uint64_t v)
{
	char s[SHOWN_STRING];
	long n = user_copy_str(s, v, sizeof(s));

	if (n == -ENAMETOOLONG) {
		put_bytes(t, s, sizeof(s));
		put(t, "...");
	} else if (n < 0) {
		put(t, "%#llx", (unsigned long long)v);
	} else {
		put_bytes(t, s, (size_t)n);
	}
}

static void show_buffer(struct text *t, uint64_t v, uint64_t bytes)
{
	size_t n = MIN(bytes, (uint64_t)SHOWN_BYTES);
	char s[SHOWN_BYTES];

	if (!v || user_copy_in(s, v, n)) {
		put(t, "%#llx", (unsigned long long)v);
		return;
	}
	put_bytes(t, s, n);
	if (n < bytes)
		put(t, "...");
}

static void show_timespec(struct text *t, uint64_t v)
{
	uint64_t ns;

	if (!v)
		put(t, "NULL");
	else if (linux_load_timespec(v, &ns))
		put(t, "%#llx", (unsigned long long)v);
	else
		put(t, "{%llu.%09llu}", (unsigned long long)(ns / NS_PER_S),
			(unsigned long long)(ns % NS_PER_S));
}

static void show_sigset(struct text *t, uint64_t v)
{
	uint64_t set;

	if (!v)
		put(t, "NULL");
	else if (user_load_u64(&set, v))
		put(t, "%#llx", (unsigned long long)v);
	else
		put(t, "[%#llx]", (unsigned long long)set);
}

static void show_mapflags(struct text *t, uint64_t v)
{
	static const struct flag_name names[] = { { MAP_SHARED, "MAP_SHARED" },
		{ MAP_PRIVATE, "MAP_PRIVATE" }, { MAP_FIXED, "MAP_FIXED" },
		{ MAP_ANONYMOUS, "MAP_ANONYMOUS" }, { MAP_NORESERVE, "MAP_NORESERVE" },
		{ MAP_POPULATE, "MAP_POPULATE" }, { MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE" } };

	put_flags(t, v, names, ARRAY_LEN(names));
}

static void show_prot(struct text *t, uint64_t v)
{
	static const struct flag_name names[] = { { PROT_READ, "PROT_READ" },
		{ PROT_WRITE, "PROT_WRITE" }, { PROT_EXEC, "PROT_EXEC" } };

	if (v)
		put_flags(t, v, names, ARRAY_LEN(names));
	else
		put(t, "PROT_NONE");
}

static void show_cloneflags(struct text *t, uint64_t v)
{
	static const struct flag_name names[] = { { CLONE_VM, "CLONE_VM" },
		{ CLONE_FS, "CLONE_FS" }, { CLONE_FILES, "CLONE_FILES" },
		{ CLONE_SIGHAND, "CLONE_SIGHAND" }, { CLONE_THREAD, "CLONE_THREAD" },
		{ CLONE_SYSVSEM, "CLONE_SYSVSEM" }, { CLONE_SETTLS, "CLONE_SETTLS" },
		{ CLONE_VFORK, "CLONE_VFORK" }, { CLONE_PIDFD, "CLONE_PIDFD" } };

	put_flags(t, v, names, ARRAY_LEN(names));
}

static void show_name(struct text *t, uint64_t v, const char *const *names, size_t count)
{
	if (v < count && names[v])
		put(t, "%s", names[v]);
	else
		put(t, "%llu", (unsigned long long)v);
}

static void show_futexop(struct text *t, uint64_t v)
{
	static const char *const names[] = { "FUTEX_WAIT", "FUTEX_WAKE", "FUTEX_FD",
		"FUTEX_REQUEUE", "FUTEX_CMP_REQUEUE", "FUTEX_WAKE_OP", "FUTEX_LOCK_PI",
		"FUTEX_UNLOCK_PI", "FUTEX_TRYLOCK_PI", "FUTEX_WAIT_BITSET", "FUTEX_WAKE_BITSET" };

	show_name(t, v & (uint32_t)FUTEX_CMD_MASK, names, ARRAY_LEN(names));
	if (v & FUTEX_PRIVATE_FLAG)
		put(t, "_PRIVATE");
}

static void show_clock(struct text *t, uint64_t v)
{
	static const char *const names[] = { "CLOCK_REALTIME", "CLOCK_MONOTONIC",
		"CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID", "CLOCK_MONOTONIC_RAW",
		"CLOCK_REALTIME_COARSE", "CLOCK_MONOTONIC_COARSE", "CLOCK_BOOTTIME" };

	show_name(t, v, names, ARRAY_LEN(names));
}

static void show_how(struct text *t, uint64_t v)
{
	static const char *const names[] = { "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK" };

	show_name(t, v, names, ARRAY_LEN(names));
}

static const char *signal_name(int signo)
{
	static const char *const names[] = { "0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL",
		"SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
		"SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",
		"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ",
		"SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS" };

	return signo >= 0 && (size_t)signo < ARRAY_LEN(names) ? names[signo] : NULL;
}

static void show_signal(struct text *t, uint64_t v)
{
	const char *name = signal_name((int)v);

	if (name)
		put(t, "%s", name);
	else
		put(t, "%d", (int)v);
}

static void show_dirfd(struct text *t, uint64_t v)
{
	if ((int32_t)v == -100)
		put(t, "AT_FDCWD");
	else
		put(t, "%d", (int)v);
}

static void show_int(struct text *t, uint64_t v)
{
	put(t, "%d", (int)v);
}

static void show_unsigned(struct text *t, uint64_t v)
{
	put(t, "%llu", (unsigned long long)v);
}

static void show_signed(struct text *t, uint64_t v)
{
	put(t, "%lld", (long long)v);
}

static void show_hex(struct text *t, uint64_t v)
{
	put(t, "%#llx", (unsigned long long)v);
}

static void show_mode(struct text *t, uint64_t v)
{
	put(t, "0%o", (unsigned)v);
}

static void show_pointer(struct text *t, uint64_t v)
{
	if (v)
		put(t, "%#llx", (unsigned long long)v);
	else
		put(t, "NULL");
}

static const struct {
	const char *kind;
	void (*show)(struct text *t, uint64_t v);
} kinds[] = {
	{ "fd", show_int },
	{ "int", show_int },
	{ "uint", show_unsigned },
	{ "hex", show_hex },
	{ "ptr", show_pointer },
	{ "str", show_string },
	{ "len", show_unsigned },
	{ "off", show_signed },
	{ "flags", show_hex },
	{ "prot", show_prot },
	{ "mapflags", show_mapflags },
	{ "sig", show_signal },
	{ "mode", show_mode },
	{ "dirfd", show_dirfd },
	{ "ts", show_timespec },
	{ "clock", show_clock },
	{ "sigset", show_sigset },
	{ "how", show_how },
	{ "cloneflags", show_cloneflags },
	{ "futexop", show_futexop },
	{ "rlimit", show_int },
	{ "prctl", show_int },
};

static bool is_word(const char *at, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(at, word, n);
}

static void show_one(struct text *t, const char *kind, size_t n, uint64_t v)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!is_word(kind, n, kinds[i].kind))
			continue;
		kinds[i].show(t, v);
		return;
	}
	show_hex(t, v);
}

/* ------------------------------------------------------------------ calls */

/* Where the word ends that begins at s. */
static size_t word_bytes(const char *s)
{
	const char *comma = strchr(s, ',');

	return comma ? (size_t)(comma - s) : strlen(s);
}

/* How much of a buffer means something: what was read, or what was to be written. */
static uint64_t buffer_bytes(const struct syscall_trace *tr, unsigned i, long result)
{
	uint64_t given = i < 5 ? tr->args.arg[i + 1] : 0;

	return result < 0 ? 0 : MIN((uint64_t)result, given);
}

static void show_args(struct text *t, const struct syscall_trace *tr, long result)
{
	const char *kind = tr->entry->args ? tr->entry->args : "hex,hex,hex";

	for (unsigned i = 0; *kind && i < 6; i++) {
		size_t n = word_bytes(kind);

		if (i)
			put(t, ", ");
		if (is_word(kind, n, "buf"))
			show_buffer(t, tr->args.arg[i], buffer_bytes(tr, i, result));
		else
			show_one(t, kind, n, tr->args.arg[i]);
		kind += n;
		kind += *kind == ',';
	}
}

bool strace_wants(const struct syscall_entry *e)
{
	const char *names = options.strace_filter;

	if (!names || !*names)
		return true;
	while (*names) {
		size_t n = word_bytes(names);

		if (is_word(names, n, e->name))
			return true;
		names += n;
		names += *names == ',';
	}
	return false;
}

static bool returns(const struct syscall_entry *e)
{
	return !is_word(e->name, strlen(e->name), "exit") &&
		!is_word(e->name, strlen(e->name), "exit_group");
}

static void begin_line(struct text *t, const struct syscall_trace *tr, long result)
{
	t->used = 0;
	put(t, "strace: [%d] %s(", thread_current()->tid, tr->entry->name);
	show_args(t, tr, result);
	put(t, ")");
}

void strace_enter(struct syscall_trace *tr, const struct syscall_entry *e, const struct sysargs *a)
{
	struct text t;

	tr->entry = e;
	tr->args = *a;
	tr->start_ns = clock_now_ns();
	if (returns(e))
		return;
	begin_line(&t, tr, 0);
	log_info("%s = ?", t.line);
}

static void put_result(struct text *t, long result)
{
	const char *error = result < 0 ? linux_error_name((int)-result) : NULL;

	if (error)
		put(t, " = -1 %s", error);
	else if (result < -4096 || result > INT32_MAX)
		put(t, " = %#lx", (unsigned long)result);
	else
		put(t, " = %ld", result);
}

void strace_leave(const struct syscall_trace *tr, long result)
{
	uint64_t ns = clock_now_ns() - tr->start_ns;
	struct text t;

	begin_line(&t, tr, result);
	put_result(&t, result);
	put(&t, " <%llu.%06llu>", (unsigned long long)(ns / NS_PER_S),
		(unsigned long long)(ns % NS_PER_S / NS_PER_US));
	log_info("%s", t.line);
}

void strace_signal(int signo, int code, uint64_t addr)
{
	const char *name = signal_name(signo);

	log_info("strace: [%d] --- %s %d code %d addr %#llx ---", thread_current()->tid,
		name ? name : "signal", signo, code, (unsigned long long)addr);
}
