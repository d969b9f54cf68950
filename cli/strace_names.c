/*
 * strace_names.c: what --strace=NAMES may name: calls and classes of calls.
 *
 * What:       the kernel's own tables, looked through before a machine is started.
 * Invariants: (1) a word that passes here is known to the kernel of the same build.
 * Locking:    none; the command has one thread.
 * Failure:    one line, 125.
 * Source:     abi/linux/syscalls.def, abi/linux/strace_classes.def.
 */
#include "cli/strace_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "include/gosolo_abi.h"

static const char *const classes[] = {
#define STRACE_CLASS(name, kinds, calls) name,
#include "abi/linux/strace_classes.def"
#undef STRACE_CLASS
};

static const char *const calls[] = {
#define SYSCALL(nr, call, kinds, support, note) #call,
#define ERRNO(nr, call, error, note) #call,
#include "abi/linux/syscalls.def"
#undef SYSCALL
#undef ERRNO
};

static bool contains(const char *const *names, size_t count, const char *word, size_t bytes)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i]) == bytes && memcmp(names[i], word, bytes) == 0)
			return true;
	return false;
}

static bool is_known(const char *word, size_t bytes)
{
	const size_t class_count = sizeof(classes) / sizeof(classes[0]);
	const size_t call_count = sizeof(calls) / sizeof(calls[0]);

	if (*word == '%')
		return contains(classes, class_count, word + 1, bytes - 1);
	return (bytes == 3 && memcmp(word, "all", 3) == 0) ||
		contains(classes, class_count, word, bytes) ||
		contains(calls, call_count, word, bytes);
}

int strace_check_names(const char *list)
{
	for (const char *word = list + (*list == '!'); *word;) {
		size_t bytes = strcspn(word, ",");

		if (bytes && !is_known(word, bytes))
			return report_fail(GOSOLO_CODE_FAILED,
				"--strace: no system call or class is called \"%.*s\"; calls are "
				"named as in Linux, classes are file, desc, network, memory, "
				"signal, process and time",
				(int)bytes, word);
		word += bytes;
		word += *word == ',';
	}
	return 0;
}
