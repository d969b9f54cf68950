/*
 * mem.h: memory and growing containers for a short-lived command.
 *
 * Nothing here fails: a host without memory ends the command with one line and code 125. What is
 * allocated belongs to the process and is given back at its end unless a caller frees it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/report.h"

void *mem_alloc(size_t bytes); /* zeroed */
void *mem_resize(void *old, size_t bytes);
char *mem_copy_string(const char *text);
char *mem_format(const char *fmt, ...) printf_like(1, 2);

/* A list of strings; items[count] is always NULL, so that items is an argument vector. */
struct strvec {
	char **items;
	size_t count;
	size_t room;
};

void strvec_add(struct strvec *vec, const char *text); /* copies */
void strvec_addf(struct strvec *vec, const char *fmt, ...) printf_like(2, 3);

/* Growing bytes. */
struct bytebuf {
	uint8_t *data;
	size_t len;
	size_t room;
};

void bytebuf_add(struct bytebuf *buf, const void *data, size_t bytes);
void bytebuf_drop(struct bytebuf *buf, size_t bytes); /* the first ones */
void bytebuf_add_string(struct bytebuf *buf, const char *text); /* with its NUL */
