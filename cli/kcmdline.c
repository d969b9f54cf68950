/*
 * kcmdline.c: composes the kernel's command line.
 *
 * What:       %XX for the bytes that would end a word or that a loader might change.
 * Invariants: (1) words are separated by exactly one space.
 * Locking:    none; the command has one thread.
 * Failure:    none.
 * Source:     include/gosolo_abi.h, "kernel command line".
 */
#include "cli/kcmdline.h"

#include <string.h>

static void add_escaped(struct bytebuf *line, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		char escape[3] = { '%', digits[byte >> 4], digits[byte & 15] };

		if (byte <= ' ' || byte > 126 || byte == '%' || byte == '"')
			bytebuf_add(line, escape, sizeof(escape));
		else
			bytebuf_add(line, text, 1);
	}
}

void kcmdline_add_raw(struct bytebuf *line, const char *words)
{
	if (*words == 0)
		return;
	if (line->len)
		bytebuf_add(line, " ", 1);
	bytebuf_add(line, words, strlen(words));
}

void kcmdline_add(struct bytebuf *line, const char *key, const char *value)
{
	if (line->len)
		bytebuf_add(line, " ", 1);
	if (*key)
		add_escaped(line, key);
	else
		bytebuf_add(line, "%00", 3); /* an empty word would vanish between two spaces */
	if (value) {
		bytebuf_add(line, "=", 1);
		add_escaped(line, value);
	}
}

char *kcmdline_finish(struct bytebuf *line)
{
	bytebuf_add(line, "", 1);
	return (char *)line->data;
}
