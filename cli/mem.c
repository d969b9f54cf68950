/*
 * mem.c: memory and growing containers for a short-lived command.
 *
 * What:       malloc with the one sensible answer to its failure, a string list, a byte buffer.
 * Invariants: (1) strvec.items[count] is NULL once anything was added.
 * Locking:    none; the command has one thread.
 * Failure:    no memory: one line, exit code 125.
 * Source:     none.
 */
#include "cli/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/gosolo_abi.h"

static void *check(void *p)
{
	if (!p)
		exit(report_fail(GOSOLO_CODE_FAILED, "this machine has no memory left"));
	return p;
}

void *mem_alloc(size_t bytes)
{
	return check(calloc(1, bytes ? bytes : 1));
}

void *mem_resize(void *old, size_t bytes)
{
	return check(realloc(old, bytes ? bytes : 1));
}

char *mem_copy_string(const char *text)
{
	return check(strdup(text));
}

static char *format(const char *fmt, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	return check(text);
}

char *mem_format(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = format(fmt, args);

	va_end(args);
	return text;
}

static void add_owned(struct strvec *vec, char *text)
{
	if (vec->count + 2 > vec->room) {
		vec->room = vec->room ? vec->room * 2 : 16;
		vec->items = mem_resize(vec->items, vec->room * sizeof(*vec->items));
	}
	vec->items[vec->count++] = text;
	vec->items[vec->count] = NULL;
}

void strvec_add(struct strvec *vec, const char *text)
{
	add_owned(vec, mem_copy_string(text));
}

void strvec_addf(struct strvec *vec, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_owned(vec, format(fmt, args));
	va_end(args);
}

void bytebuf_add(struct bytebuf *buf, const void *data, size_t bytes)
{
	if (bytes > buf->room - buf->len) {
		buf->room = (buf->len + bytes) * 2;
		buf->data = mem_resize(buf->data, buf->room);
	}
	if (bytes)
		memcpy(buf->data + buf->len, data, bytes);
	buf->len += bytes;
}

void bytebuf_drop(struct bytebuf *buf, size_t bytes)
{
	buf->len -= bytes;
	memmove(buf->data, buf->data + bytes, buf->len);
}

void bytebuf_add_string(struct bytebuf *buf, const char *text)
{
	bytebuf_add(buf, text, strlen(text) + 1);
}
