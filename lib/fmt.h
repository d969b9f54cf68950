/*
 * fmt.h: printf-style formatting into a buffer (stb_sprintf, without floating point).
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/compiler.h"

/* As snprintf: at most size bytes with the NUL; returns what the whole text would need. */
int fmt_snprintf(char *buf, size_t size, const char *format, ...) printf_like(3, 4);
int fmt_vsnprintf(char *buf, size_t size, const char *format, va_list ap) printf_like(3, 0);
