/*
 * strace_priv.h: what the files of the trace share.
 */
#pragma once

#include "abi/linux/dispatch_priv.h"
#include "base/compiler.h"
#include "base/types.h"

/* ------------------------------------------------------------------ abi/linux/strace_text.c */
struct strace_text {
	char line[440]; /* NUL-terminated; what does not fit is left out */
	size_t used;
};

struct strace_name {
	uint64_t value; /* a number, or bits */
	const char *name;
};

void strace_put(struct strace_text *t, const char *format, ...) printf_like(2, 3);
/* Quoted, as a C string. */
void strace_put_bytes(struct strace_text *t, const char *bytes, size_t n);
/* Names of the bits joined by '|'; bits without a name as one number. zero: for none; NULL: 0. */
void strace_put_flags(struct strace_text *t, uint64_t v, const struct strace_name *names,
	size_t count, const char *zero);
/* The name of a number, or the number. */
void strace_put_name(struct strace_text *t, uint64_t v, const struct strace_name *names,
	size_t count);
const char *strace_signal_name(int signo); /* NULL: none of that number */
/* "[INT TERM]" or, when most are in it, "~[KILL STOP]", as strace(1) has it. */
void strace_put_sigset(struct strace_text *t, uint64_t set);

/* ------------------------------------------------------------------ kinds of arguments */
struct strace_arg {
	uint64_t value;
	uint64_t before, after; /* the arguments beside it; 0: none */
	long result; /* of the call */
};

struct strace_kind {
	const char *name; /* as in syscalls.def */
	void (*show)(struct strace_text *t, const struct strace_arg *a);
};

extern const struct strace_kind strace_value_kinds[]; /* abi/linux/strace_values.c */
extern const size_t strace_value_kind_count;
extern const struct strace_kind strace_memory_kinds[]; /* abi/linux/strace_memory.c */
extern const size_t strace_memory_kind_count;

extern const struct strace_kind strace_socket_kinds[]; /* abi/linux/strace_sockets.c */
extern const size_t strace_socket_kind_count;

/* strace_memory.c: ranges, and of their contents as many bytes as were moved. */
void strace_put_iovec(struct strace_text *t, uint64_t ua, uint64_t count, uint64_t bytes);

/* ------------------------------------------------------------------ abi/linux/strace_filter.c */
/* Marks in wanted (a bit per number) what a filter names: call names and groups (%file, file, ...),
 * separated by commas; a leading '!' means all others; NULL or "": all. entries: the table, indexed
 * by number. Names that are neither are logged. */
void strace_parse_filter(const char *filter, const struct syscall_entry *entries, size_t count,
	uint64_t *wanted);
/* Whether a word of comma-separated words begins at at and has n characters. */
size_t strace_word_bytes(const char *s);
bool strace_is_word(const char *at, size_t n, const char *word);
