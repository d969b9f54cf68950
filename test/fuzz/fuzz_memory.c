/*
 * fuzz_memory.c: memory for fuzz targets: a heap that is forgotten at once, and the program's.
 *
 * What:       see the header.
 * Invariants: (1) a block from kmem ends where ASan sees it.
 * Locking:    one thread.
 * Failure:    none: malloc does not fail here.
 * Source:     kernel/mm/kmem.h, arch/arch.h.
 */
#include "test/fuzz/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "host.h"
#include "kernel/mm/kmem.h"

struct block {
	struct block *next, *before;
	size_t bytes;
	_Alignas(64) char data[];
};

static struct {
	struct block *blocks;
	uint8_t *program;
	size_t program_bytes;
} memory;

/* ------------------------------------------------------------------ kmem */
static struct block *block_of(const void *p)
{
	return (struct block *)((uintptr_t)p - offsetof(struct block, data));
}

void *kmem_alloc(size_t bytes)
{
	struct block *b;

	CHECK(bytes != 0 && bytes < 1ul << 32);
	b = aligned_alloc(64, (sizeof(*b) + bytes + 63) & ~63ul);
	CHECK(b != NULL);
	b->bytes = bytes;
	b->before = NULL;
	b->next = memory.blocks;
	if (b->next)
		b->next->before = b;
	memory.blocks = b;
	memset(b->data, 0xa5, bytes);
	return b->data;
}

void *kmem_zalloc(size_t bytes)
{
	return memset(kmem_alloc(bytes), 0, bytes);
}

void kmem_free(void *p)
{
	struct block *b = p ? block_of(p) : NULL;

	if (!b)
		return;
	if (b->before)
		b->before->next = b->next;
	else
		memory.blocks = b->next;
	if (b->next)
		b->next->before = b->before;
	free(b);
}

void *kmem_realloc(void *p, size_t bytes)
{
	void *q = kmem_alloc(bytes);

	if (p)
		memcpy(q, p, MIN(bytes, block_of(p)->bytes));
	kmem_free(p);
	return q;
}

/* ------------------------------------------------------------------ the program's memory */
void fuzz_memory_set(const uint8_t *data, size_t size)
{
	memory.program = malloc(size ? size : 1);
	memory.program_bytes = size;
	memcpy(memory.program, data, size);
}

void fuzz_memory_reset(void)
{
	while (memory.blocks)
		kmem_free(memory.blocks->data);
	free(memory.program);
	memory.program = NULL;
	memory.program_bytes = 0;
}

static uint8_t *at(uaddr_t ua, size_t n)
{
	uint64_t off = ua - FUZZ_BASE_UA;

	if (ua < FUZZ_BASE_UA || off > memory.program_bytes || n > memory.program_bytes - off)
		return NULL;
	return memory.program + off;
}

int user_copy_in(void *dst, uaddr_t src, size_t n)
{
	const uint8_t *from = at(src, n);

	if (from)
		memcpy(dst, from, n);
	return from ? 0 : -EFAULT;
}

int user_copy_out(uaddr_t dst, const void *src, size_t n)
{
	uint8_t *to = at(dst, n);

	if (to)
		memcpy(to, src, n);
	return to ? 0 : -EFAULT;
}

int user_zero(uaddr_t dst, size_t n)
{
	uint8_t *to = at(dst, n);

	if (to)
		memset(to, 0, n);
	return to ? 0 : -EFAULT;
}

long user_copy_str(char *dst, uaddr_t src, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		const uint8_t *from = at(src + i, 1);

		if (!from)
			return -EFAULT;
		dst[i] = (char)*from;
		if (!dst[i])
			return (long)i;
	}
	return -ENAMETOOLONG;
}

int user_load_u32(uint32_t *out, uaddr_t src)
{
	return user_copy_in(out, src, sizeof(*out));
}

int user_load_u64(uint64_t *out, uaddr_t src)
{
	return user_copy_in(out, src, sizeof(*out));
}

int user_store_u32(uaddr_t dst, uint32_t v)
{
	return user_copy_out(dst, &v, sizeof(v));
}

int user_store_u64(uaddr_t dst, uint64_t v)
{
	return user_copy_out(dst, &v, sizeof(v));
}
