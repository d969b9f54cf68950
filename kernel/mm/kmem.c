/*
 * kmem.c: the kernel's own small objects: size classes over pages.
 *
 * What:       a slab is one page cut into objects of one class; free objects of a slab are linked
 *             through their first two bytes. The table of frames holds a slab's state and tells
 *             the class of any pointer, so objects have no header. Larger requests are blocks of
 *             pages, 2^n of them.
 *               slab: new -> partial [alloc_small] <-> full -> empty: one is kept per class
 * Invariants: (1) a slab is on its class's list exactly when it has a free object.
 *             (2) slab_used is the number of objects handed out; slab_first the unit (16 bytes) at
 *             which the first free object begins, UNIT_NONE when there is none.
 * Locking:    LOCK_KMEM inside, LOCK_PMM below it. Never sleeps. Any context.
 * Failure:    NULL: no memory, or more than 4 MiB asked for. Freeing what is not allocated: ASSERT.
 * Source:     Bonwick, "The Slab Allocator" (1994), without constructors.
 */
#include "kernel/mm/kmem.h"

#include "base/assert.h"
#include "kernel/mm/pmm.h"
#include "kernel/sync/spinlock.h"
#include "lib/string.h"

#define UNIT_BYTES 16u
#define UNIT_NONE 0xffffu
#define CLASS_PAGES 0xffu /* slab_class of a larger block */
#define SMALL_MAX_BYTES 2048u

/* From 64 on multiples of 64: a slab begins on a page, so the objects are aligned to 64. */
static const uint16_t class_bytes[] = { 16, 32, 48, 64, 128, 192, 256, 320, 384, 512, 640, 768,
	1024, 1344, 2048 };
#define CLASSES ARRAY_LEN(class_bytes)

static struct {
	struct spinlock lock;
	uint32_t partial[CLASSES]; /* [kmem lock] first slab with a free object; 0: none */
	uint32_t empty[CLASSES]; /* [kmem lock] slabs without any object handed out */
	uint64_t counts[CLASSES]; /* [kmem lock] objects handed out */
	uint64_t large_pages; /* [kmem lock] in blocks of pages */
} kmem = { .lock = SPINLOCK_INIT(LOCK_KMEM) };

/* ------------------------------------------------------------------ debug: poison
 *
 * Bytes of a free object behind its link. A write to a freed object is found when it is allocated
 * again.
 */
#ifdef GOSOLO_DEBUG
#define POISON_FREE 0x6b
#define POISON_NEW 0xa5

static void poison_free(void *p, size_t bytes)
{
	memset((char *)p + 2, POISON_FREE, bytes - 2);
}

static void check_poison(const void *p, size_t bytes)
{
	const unsigned char *c = p;

	for (size_t i = 2; i < bytes; i++)
		ASSERT(c[i] == POISON_FREE); /* else: written after it was freed */
}

static void poison_new(void *p, size_t bytes)
{
	memset(p, POISON_NEW, bytes);
}
#else
static void poison_free(void *p, size_t bytes)
{
	(void)p;
	(void)bytes;
}

static void check_poison(const void *p, size_t bytes)
{
	(void)p;
	(void)bytes;
}

static void poison_new(void *p, size_t bytes)
{
	(void)p;
	(void)bytes;
}
#endif

/* ------------------------------------------------------------------ slabs */
static unsigned class_of(size_t bytes)
{
	unsigned c = 0;

	if (bytes > 192)
		c = bytes > 512 ? 10 : 6;
	while (class_bytes[c] < bytes)
		c++;
	return c;
}

static pfn_t pfn_of(const void *p)
{
	return virt_to_phys(p) >> PAGE_SHIFT;
}

static void link_slab_locked(pfn_t pfn, unsigned class)
{
	struct frame *f = pmm_frame(pfn);

	f->link_prev = 0;
	f->link_next = kmem.partial[class];
	if (f->link_next)
		pmm_frame(f->link_next)->link_prev = (uint32_t)pfn;
	kmem.partial[class] = (uint32_t)pfn;
}

static void unlink_slab_locked(struct frame *f, unsigned class)
{
	if (f->link_next)
		pmm_frame(f->link_next)->link_prev = f->link_prev;
	if (f->link_prev)
		pmm_frame(f->link_prev)->link_next = f->link_next;
	else
		kmem.partial[class] = f->link_next;
}

/* A page of free objects on the class's list; false: no memory. */
static bool add_slab_locked(unsigned class)
{
	pfn_t pfn = pmm_alloc(0, PMM_SLAB);
	uint32_t bytes = class_bytes[class];
	uint32_t count = PAGE_SIZE / bytes;
	struct frame *f;
	char *page;

	if (pfn == PFN_NONE)
		return false;
	f = pmm_frame(pfn);
	page = pfn_to_virt(pfn);
	f->slab_class = class & 0xffu;
	f->slab_used = 0;
	f->slab_first = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t next = (i + 1) * bytes / UNIT_BYTES;

		if (i + 1 == count)
			next = UNIT_NONE;
		*(uint16_t *)(void *)(page + i * bytes) = (uint16_t)next;
		poison_free(page + i * bytes, bytes);
	}
	link_slab_locked(pfn, class);
	kmem.empty[class]++;
	return true;
}

static void *alloc_small_locked(unsigned class)
{
	struct frame *f;
	char *p;

	lock_assert_held(&kmem.lock);
	if (!kmem.partial[class] && !add_slab_locked(class))
		return NULL;
	f = pmm_frame(kmem.partial[class]);
	ASSERT(f->slab_first != UNIT_NONE); /* (1) */
	p = (char *)pfn_to_virt(kmem.partial[class]) + f->slab_first * UNIT_BYTES;
	f->slab_first = *(uint16_t *)(void *)p;
	if (f->slab_used++ == 0)
		kmem.empty[class]--;
	if (f->slab_first == UNIT_NONE)
		unlink_slab_locked(f, class);
	kmem.counts[class]++;
	check_poison(p, class_bytes[class]);
	poison_new(p, class_bytes[class]);
	return p;
}

static void free_small_locked(struct frame *f, void *p)
{
	unsigned class = f->slab_class;
	pfn_t pfn = pfn_of(p);

	lock_assert_held(&kmem.lock);
	ASSERT(class < CLASSES);
	ASSERT(f->slab_used != 0);
	DASSERT(((uintptr_t)p & PAGE_MASK) % class_bytes[class] == 0);
	poison_free(p, class_bytes[class]);
	*(uint16_t *)p = f->slab_first;
	if (f->slab_first == UNIT_NONE)
		link_slab_locked(pfn, class);
	f->slab_first = (uint16_t)(((uintptr_t)p & PAGE_MASK) / UNIT_BYTES);
	kmem.counts[class]--;
	if (--f->slab_used != 0 || kmem.empty[class]++ == 0)
		return;
	kmem.empty[class]--; /* one empty slab is enough */
	unlink_slab_locked(f, class);
	pmm_free(pfn, 0);
}

/* ------------------------------------------------------------------ blocks of pages */
static void *alloc_pages(size_t bytes)
{
	unsigned order = 0;
	struct frame *f;
	pfn_t pfn;

	while ((PAGE_SIZE << order) < bytes)
		if (++order > PMM_ORDER_MAX)
			return NULL;
	pfn = pmm_alloc(order, PMM_SLAB);
	if (pfn == PFN_NONE)
		return NULL;
	f = pmm_frame(pfn);
	f->slab_class = CLASS_PAGES;
	spin_lock(&kmem.lock);
	kmem.large_pages += 1ul << order;
	spin_unlock(&kmem.lock);
	return pfn_to_virt(pfn);
}

static void free_pages(struct frame *f, void *p)
{
	unsigned order = f->order;

	ASSERT(((uintptr_t)p & PAGE_MASK) == 0);
	spin_lock(&kmem.lock);
	kmem.large_pages -= 1ul << order;
	spin_unlock(&kmem.lock);
	pmm_free(pfn_of(p), order);
}

/* ------------------------------------------------------------------ contract */
void *kmem_alloc(size_t bytes)
{
	void *p;

	ASSERT(bytes != 0);
	if (bytes > SMALL_MAX_BYTES)
		return alloc_pages(bytes);
	spin_lock(&kmem.lock);
	p = alloc_small_locked(class_of(bytes));
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
	struct frame *f;

	if (!p)
		return;
	f = pmm_frame(pfn_of(p));
	ASSERT(f->owner == PMM_SLAB);
	if (f->slab_class == CLASS_PAGES) {
		free_pages(f, p);
		return;
	}
	spin_lock(&kmem.lock);
	free_small_locked(f, p);
	spin_unlock(&kmem.lock);
}

size_t kmem_usable_bytes(const void *p)
{
	struct frame *f = pmm_frame(pfn_of(p));

	ASSERT(f->owner == PMM_SLAB);
	return f->slab_class == CLASS_PAGES ? PAGE_SIZE << f->order : class_bytes[f->slab_class];
}

void *kmem_realloc(void *p, size_t bytes)
{
	size_t old_bytes;
	void *q;

	if (!p)
		return kmem_alloc(bytes);
	old_bytes = kmem_usable_bytes(p);
	/* Stays where it is unless that would waste more than half. */
	if (bytes <= old_bytes && bytes > old_bytes / 2)
		return p;
	q = kmem_alloc(bytes);
	if (!q)
		return NULL;
	memcpy(q, p, MIN(bytes, old_bytes));
	kmem_free(p);
	return q;
}

uint64_t kmem_used_bytes(void)
{
	uint64_t bytes = kmem.large_pages * PAGE_SIZE;

	for (unsigned c = 0; c < CLASSES; c++)
		bytes += kmem.counts[c] * class_bytes[c];
	return bytes;
}

bool kmem_class_count(unsigned class, size_t *bytes, uint64_t *count)
{
	if (class >= CLASSES)
		return false;
	*bytes = class_bytes[class];
	*count = kmem.counts[class];
	return true;
}

uint64_t kmem_large_pages(void)
{
	return kmem.large_pages;
}
