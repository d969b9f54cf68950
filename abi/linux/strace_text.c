/*
 * strace_text.c: the trace's lines: numbers, names, flags, bytes.
 *
 * What:       a line that grows to its size and no further.
 * Invariants: (1) used < sizeof(line), and line[used] is NUL.
 * Locking:    none; a line belongs to its thread.
 * Failure:    what does not fit is cut.
 * Source:     strace(1) for the form.
 */
#include "abi/linux/strace_priv.h"

#include <stdarg.h>

#include "base/units.h"
#include "lib/fmt.h"
#include "lib/string.h"

void strace_put(struct strace_text *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = fmt_vsnprintf(t->line + t->used, sizeof(t->line) - t->used, format, ap);
	va_end(ap);
	t->used = MIN(t->used + (size_t)MAX(n, 0), sizeof(t->line) - 1); /* (1) */
}

static void put_byte(struct strace_text *t, unsigned char c)
{
	static const char escaped[] = "\n\t\r\"\\", letters[] = "ntr\"\\";
	const char *at = c ? strchr(escaped, c) : NULL;

	if (at)
		strace_put(t, "\\%c", letters[at - escaped]);
	else if (c >= ' ' && c < 127)
		strace_put(t, "%c", c);
	else
		strace_put(t, "\\x%02x", c);
}

void strace_put_bytes(struct strace_text *t, const char *bytes, size_t n)
{
	strace_put(t, "\"");
	for (size_t i = 0; i < n; i++)
		put_byte(t, (unsigned char)bytes[i]);
	strace_put(t, "\"");
}

void strace_put_flags(struct strace_text *t, uint64_t v, const struct strace_name *names,
	size_t count, const char *zero)
{
	const char *between = "";

	if (!v) {
		strace_put(t, "%s", zero ? zero : "0");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!names[i].value || (v & names[i].value) != names[i].value)
			continue;
		strace_put(t, "%s%s", between, names[i].name);
		between = "|";
		v &= ~names[i].value;
	}
	if (v)
		strace_put(t, "%s%#llx", between, (unsigned long long)v);
}

void strace_put_name(struct strace_text *t, uint64_t v, const struct strace_name *names,
	size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].value == v) {
			strace_put(t, "%s", names[i].name);
			return;
		}
	strace_put(t, v > 0xffff ? "%#llx" : "%llu", (unsigned long long)v);
}

const char *strace_signal_name(int signo)
{
	static const char *const names[] = { NULL, "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL",
		"SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
		"SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",
		"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ",
		"SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS" };

	return signo >= 0 && (size_t)signo < ARRAY_LEN(names) ? names[signo] : NULL;
}

static unsigned count_bits(uint64_t v)
{
	unsigned n = 0;

	for (; v; v &= v - 1)
		n++;
	return n;
}

void strace_put_sigset(struct strace_text *t, uint64_t set)
{
	bool most = count_bits(set) > 32;
	const char *between = "";

	if (most)
		set = ~set;
	strace_put(t, most ? "~[" : "[");
	for (int signo = 1; signo <= 64; signo++) {
		const char *name = strace_signal_name(signo);

		if (!(set >> (signo - 1) & 1))
			continue;
		if (name)
			strace_put(t, "%s%s", between, name + 3);
		else
			strace_put(t, "%sRT_%d", between, signo - 32);
		between = " ";
	}
	strace_put(t, "]");
}
