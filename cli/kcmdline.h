/*
 * kcmdline.h: composes the kernel's command line: words, escaped as include/gosolo_abi.h says.
 */
#pragma once

#include "cli/mem.h"

/* Adds one word: key, "=", value; only the key when value is NULL. Both are escaped. */
void kcmdline_add(struct bytebuf *line, const char *key, const char *value);

/* Adds text that is already in words. */
void kcmdline_add_raw(struct bytebuf *line, const char *words);

/* NUL-terminates and returns the line. */
char *kcmdline_finish(struct bytebuf *line);
