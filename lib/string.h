/*
 * string.h: memory and string functions the compiler and third-party code expect by these names.
 *
 * Semantics are C11's (and POSIX's for strnlen, strncasecmp). No vector registers.
 */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);
char *strncpy(char *restrict dst, const char *restrict src, size_t n);
/* Copies at most size-1 bytes and always ends with NUL; returns strlen(src). */
size_t strlcpy(char *restrict dst, const char *restrict src, size_t size);
int atoi(const char *s);
/* Zeroes whole pages: page is page-aligned. */
void page_zero(void *page);
void page_copy(void *restrict dst, const void *restrict src);
