/*
 * kmem.h: the kernel's own small objects.
 *
 * Size classes over pages; larger requests are whole pages. Locking: LOCK_KMEM inside. Any context.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

/* NULL: no memory. Contents undefined; aligned to 16, and to 64 from 64 bytes on. bytes > 0. */
void *kmem_alloc(size_t bytes) must_check;
void *kmem_zalloc(size_t bytes) must_check;
/* Old contents kept; NULL: no memory, old stays. p may be NULL. */
void *kmem_realloc(void *p, size_t bytes) must_check;
void kmem_free(void *p); /* NULL allowed */
size_t kmem_usable_bytes(const void *p);
uint64_t kmem_used_bytes(void);
/* Of the class-th size, from 0 on: how large objects of it are, and how many are handed out. false:
 * there is no such class. Larger objects are in kmem_large_pages. A moment's view. */
bool kmem_class_count(unsigned class, size_t *bytes, uint64_t *count);
uint64_t kmem_large_pages(void); /* in blocks of whole pages */
