/*
 * strace_filter.c: which calls are traced.
 *
 * What:       turns the words of strace=NAMES into a set of call numbers, once, at boot.
 * Invariants: none.
 * Locking:    none; boot.
 * Failure:    a word that names nothing is one line in the log, and traces nothing.
 * Source:     strace(1), -e trace= and its classes.
 */
#include "abi/linux/strace_priv.h"

#include "base/units.h"
#include "kernel/log.h"
#include "lib/string.h"

/* A class: all calls that have an argument of one of these kinds, and those named. */
static const struct {
	const char *name;
	const char *kinds;
	const char *calls;
} classes[] = {
#define STRACE_CLASS(name, kinds, calls) { name, kinds, calls },
#include "abi/linux/strace_classes.def"
#undef STRACE_CLASS
};

size_t strace_word_bytes(const char *s)
{
	const char *comma = strchr(s, ',');

	return comma ? (size_t)(comma - s) : strlen(s);
}

bool strace_is_word(const char *at, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(at, word, n);
}

static bool contains(const char *list, const char *word, size_t n)
{
	while (*list) {
		size_t bytes = strace_word_bytes(list);

		if (bytes == n && !memcmp(list, word, n))
			return true;
		list += bytes;
		list += *list == ',';
	}
	return false;
}

static bool shares_word(const char *a, const char *b)
{
	while (*a) {
		size_t n = strace_word_bytes(a);

		if (contains(b, a, n))
			return true;
		a += n;
		a += *a == ',';
	}
	return false;
}

static bool is_in_class(const struct syscall_entry *e, size_t class)
{
	return contains(classes[class].calls, e->name, strlen(e->name)) ||
		(e->args && shares_word(e->args, classes[class].kinds));
}

static size_t find_class(const char *word, size_t n)
{
	size_t i = 0;

	while (i < ARRAY_LEN(classes) && !strace_is_word(word, n, classes[i].name))
		i++;
	return i;
}

/* True when the word is a class or a call of the table. */
static bool add_word(const char *word, size_t n, const struct syscall_entry *entries, size_t count,
	uint64_t *wanted)
{
	bool is_class = *word == '%', known = false;
	size_t class = find_class(word + is_class, n - is_class);

	for (size_t i = 0; i < count; i++) {
		bool hit = entries[i].name &&
			(class < ARRAY_LEN(classes)
					? is_in_class(&entries[i], class)
					: !is_class && strace_is_word(word, n, entries[i].name));

		if (hit)
			wanted[i / 64] |= 1ull << i % 64;
		known |= hit;
	}
	return known;
}

void strace_parse_filter(const char *filter, const struct syscall_entry *entries, size_t count,
	uint64_t *wanted)
{
	bool others = !filter || !*filter || *filter == '!';

	memset(wanted, 0, ROUND_UP(count, 64ul) / 8);
	for (const char *at = filter && *filter == '!' ? filter + 1 : filter; at && *at;) {
		size_t n = strace_word_bytes(at);

		if (n && !strace_is_word(at, n, "all") && !add_word(at, n, entries, count, wanted))
			log_warn("strace: no system call or class is called \"%.*s\"", (int)n, at);
		else if (strace_is_word(at, n, "all"))
			memset(wanted, 0xff, ROUND_UP(count, 64ul) / 8);
		at += n;
		at += *at == ',';
	}
	for (size_t i = 0; others && i < ROUND_UP(count, 64ul) / 64; i++)
		wanted[i] = ~wanted[i];
}
