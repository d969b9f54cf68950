/*
 * host_kmem.c: the kernel heap of tests: malloc, so that ASan sees every object.
 *
 * What:       counts objects, so that a test can say that nothing leaked.
 * Invariants: none.
 * Locking:    as the real one, LOCK_KMEM, so that ranks are checked.
 * Failure:    NULL when host_fail_alloc says so.
 * Source:     kernel/mm/kmem.h.
 */
#include <malloc.h>
#include <string.h>

#include "base/units.h"
#include "host.h"
#include "kernel/mm/kmem.h"

static struct {
	struct spinlock lock;
	uint64_t objects;
	uint64_t bytes;
} kmem = { .lock = SPINLOCK_INIT(LOCK_KMEM) };

void *kmem_alloc(size_t bytes)
{
	void *p = NULL;

	CHECK(bytes != 0);
	spin_lock(&kmem.lock);
	if (!host_alloc_fails()) {
		CHECK(posix_memalign(&p, bytes >= 64 ? 64 : 16, bytes) == 0);
		memset(p, 0xa5, bytes);
		kmem.objects++;
		kmem.bytes += malloc_usable_size(p);
	}
	spin_unlock(&kmem.lock);
	return p;
}

void *kmem_zalloc(size_t bytes)
{
	void *p = kmem_alloc(bytes);

	if (p)
		memset(p, 0, bytes);
	return p;
}

void kmem_free(void *p)
{
	if (!p)
		return;
	spin_lock(&kmem.lock);
	kmem.objects--;
	kmem.bytes -= malloc_usable_size(p);
	spin_unlock(&kmem.lock);
	free(p);
}

void *kmem_realloc(void *p, size_t bytes)
{
	void *q = kmem_alloc(bytes);

	if (q && p) {
		memcpy(q, p, MIN(bytes, malloc_usable_size(p)));
		kmem_free(p);
	}
	return q;
}

size_t kmem_usable_bytes(const void *p)
{
	return malloc_usable_size((void *)(uintptr_t)p);
}

uint64_t kmem_used_bytes(void)
{
	return kmem.bytes;
}

uint64_t host_kmem_objects(void)
{
	return kmem.objects;
}
