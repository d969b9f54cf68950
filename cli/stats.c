/*
 * stats.c: the guest's statistics, set in columns.
 *
 * What:       takes the lines apart and writes three tables. What the guest says is not trusted: a
 *             line of another form is passed on as it is.
 * Invariants: (1) no line is dropped.
 * Locking:    none; the command has one thread.
 * Failure:    none.
 * Source:     include/gosolo_abi.h, GOSOLO_MSG_STATS; strace(1) -c for the table of calls.
 */
#include "cli/stats.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, UNIT_BYTES = 16, LINE_BYTES = 256 };

struct entry {
	char name[NAME_BYTES];
	uint64_t value, errors, time_ns;
	char unit[UNIT_BYTES];
	bool is_timed;
};

struct entries {
	struct entry *items;
	size_t count;
};

static void put(struct bytebuf *out, const char *line)
{
	bytebuf_add(out, line, strlen(line));
}

static void add_entry(struct entries *list, const struct entry *e)
{
	list->items = mem_resize(list->items, (list->count + 1) * sizeof(*e));
	list->items[list->count++] = *e;
}

/* False: another form. */
static bool parse(const char *line, struct entry *e)
{
	char unit[UNIT_BYTES] = "", tail[2] = "";
	int n;

	*e = (struct entry){ 0 };
	n = sscanf(line, "%63s %" SCNu64 " %15s %" SCNu64 " errors %" SCNu64 " ns%1s", e->name,
		&e->value, unit, &e->errors, &e->time_ns, tail);
	memcpy(e->unit, unit, sizeof(unit));
	e->is_timed = n == 5;
	return n == 3 || n == 5;
}

static int by_time(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? 1 : -1;
	if (a->value != b->value)
		return a->value < b->value ? 1 : -1;
	return strcmp(a->name, b->name);
}

static void put_calls(struct bytebuf *out, struct entries *calls)
{
	char line[LINE_BYTES];

	if (!calls->count)
		return;
	qsort(calls->items, calls->count, sizeof(calls->items[0]), by_time);
	snprintf(line, sizeof(line), "%-28s %10s %8s %14s %10s\n", "system call", "calls", "errors",
		"seconds", "us/call");
	put(out, line);
	for (size_t i = 0; i < calls->count; i++) {
		const struct entry *e = &calls->items[i];

		if (e->is_timed && e->value)
			snprintf(line, sizeof(line),
				"  %-26s %10" PRIu64 " %8" PRIu64 " %14.6f %10.1f\n", e->name,
				e->value, e->errors, (double)e->time_ns / 1e9,
				(double)e->time_ns / 1e3 / (double)e->value);
		else
			snprintf(line, sizeof(line), "  %-26s %10" PRIu64 "\n", e->name, e->value);
		put(out, line);
	}
}

static void put_entry(struct bytebuf *out, const struct entry *e, const char *indent)
{
	char line[LINE_BYTES];

	if (strcmp(e->unit, "bytes") == 0 && e->value >= 1 << 20)
		snprintf(line, sizeof(line), "%s%-28s %14" PRIu64 " bytes (%.1f MiB)\n", indent,
			e->name, e->value, (double)e->value / (1 << 20));
	else if (strcmp(e->unit, "ns") == 0)
		snprintf(line, sizeof(line), "%s%-28s %14" PRIu64 " ns (%.3f ms)\n", indent,
			e->name, e->value, (double)e->value / 1e6);
	else
		snprintf(line, sizeof(line), "%s%-28s %14" PRIu64 "%s%s\n", indent, e->name,
			e->value, strcmp(e->unit, "count") == 0 ? "" : " ",
			strcmp(e->unit, "count") == 0 ? "" : e->unit);
	put(out, line);
}

static void put_boot(struct bytebuf *out, const struct entries *boot)
{
	struct entry sum = { .name = "boot", .unit = "ns" };

	for (size_t i = 0; i < boot->count; i++)
		sum.value += boot->items[i].value;
	if (boot->count)
		put_entry(out, &sum, "");
	for (size_t i = 0; i < boot->count; i++)
		put_entry(out, &boot->items[i], "  ");
}

static void sort_in(const char *line, struct entries *boot, struct entries *calls,
	struct entries *others, struct bytebuf *out)
{
	struct entries *list = others;
	struct entry e;
	size_t prefix = 0;

	if (!parse(line, &e)) {
		put(out, line); /* (1) */
		put(out, "\n");
		return;
	}
	if (strncmp(e.name, "boot.", 5) == 0) {
		list = boot;
		prefix = 5;
	} else if (strncmp(e.name, "call.", 5) == 0) {
		list = calls;
		prefix = 5;
	}
	memmove(e.name, e.name + prefix, strlen(e.name + prefix) + 1);
	add_entry(list, &e);
}

void stats_format(const struct bytebuf *text, struct bytebuf *out)
{
	struct entries boot = { 0 }, calls = { 0 }, others = { 0 };
	char *copy = mem_alloc(text->len + 1), *rest = copy, *line;

	memcpy(copy, text->data, text->len);
	copy[text->len] = 0;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			sort_in(line, &boot, &calls, &others, out);
	put_boot(out, &boot);
	put_calls(out, &calls);
	for (size_t i = 0; i < others.count; i++)
		put_entry(out, &others.items[i], "");
	free(copy);
	free(boot.items);
	free(calls.items);
	free(others.items);
}
