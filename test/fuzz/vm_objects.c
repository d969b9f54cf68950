/*
 * vm_objects.c: two objects whose pages are always in memory.
 *
 * What:       stand for files: each has its frames from the beginning on, says which page is dirty,
 *             and may fail for want of memory when the host's allocator is to fail.
 * Invariants: (1) a page that may be written by the program is noted as dirty before.
 *             (2) beside ours, each reference is a mapping's.
 * Locking:    one thread; called without locks, as objects are.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/vm.h.
 */
#include "test/fuzz/vm_objects.h"

#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "test/unit/shim/host.h"

struct object {
	struct vm_object base;
	unsigned refs, pages; /* pages: its size now */
	pfn_t frames[OBJECT_PAGES];
	unsigned values[OBJECT_PAGES];
	bool dirty[OBJECT_PAGES];
	bool denied;
};

static struct object objects[OBJECTS];

void (*model_object_asked)(void);

static void object_get(struct vm_object *o)
{
	((struct object *)o)->refs++;
}

static void object_put(struct vm_object *o)
{
	struct object *f = (struct object *)o;

	CHECK_EQ(host_locks_held(), 0);
	CHECK(f->refs > 1);
	f->refs--;
}

static int object_page(struct vm_object *o, uint64_t index, bool write, pfn_t *pfn)
{
	struct object *f = (struct object *)o;

	CHECK_EQ(host_locks_held(), 0);
	CHECK(f->refs > 1);
	if (model_object_asked)
		model_object_asked();
	if (index >= f->pages)
		return -EFAULT;
	if (host_alloc_fails())
		return -ENOMEM;
	f->dirty[index] |= write;
	pmm_get(f->frames[index]);
	*pfn = f->frames[index];
	return 0;
}

static int object_sync(struct vm_object *o, uint64_t first, uint64_t last)
{
	struct object *f = (struct object *)o;

	for (uint64_t i = first; i <= last && i < OBJECT_PAGES; i++)
		f->dirty[i] = false; /* first: others may write again as soon as a page is clean */
	vm_object_clean(o, first, last);
	return 0;
}

static bool object_has(struct vm_object *o, uint64_t index)
{
	CHECK_EQ(host_locks_held(), 0);
	return index < ((struct object *)o)->pages;
}

static const struct vm_object_ops object_ops = { object_get, object_put, object_page, object_sync,
	object_has };

struct vm_object *model_object(unsigned number)
{
	return number ? &objects[number - 1].base : NULL;
}

void model_fill_frame(pfn_t pfn, unsigned value)
{
	memset(pfn_to_virt(pfn), (int)value, PAGE_SIZE);
}

/* Every byte counts, but the ends are enough. */
unsigned model_frame_value(pfn_t pfn)
{
	const uint8_t *p = pfn_to_virt(pfn);

	CHECK_EQ(p[0], p[PAGE_SIZE - 1]);
	CHECK_EQ(p[0], p[PAGE_SIZE / 2]);
	return p[0];
}

void model_objects_begin(void)
{
	for (unsigned n = 0; n < OBJECTS; n++) {
		struct object *f = &objects[n];

		f->base.ops = &object_ops;
		f->base.no_new_writers = f->denied = false;
		f->refs = 1;
		f->pages = OBJECT_PAGES;
		for (unsigned i = 0; i < OBJECT_PAGES; i++) {
			f->frames[i] = pmm_alloc(0, PMM_CACHE);
			f->values[i] = 128 + n * OBJECT_PAGES + i;
			f->dirty[i] = false;
			model_fill_frame(f->frames[i], f->values[i]);
		}
	}
}

void model_objects_end(void)
{
	for (unsigned n = 0; n < OBJECTS; n++) {
		CHECK_EQ(objects[n].refs, 1);
		CHECK_EQ(objects[n].base.writers, 0);
		for (unsigned i = 0; i < OBJECT_PAGES; i++) {
			CHECK_EQ(pmm_frame(objects[n].frames[i])->refs, 1);
			pmm_put(objects[n].frames[i]);
		}
	}
}

unsigned model_object_size(unsigned number)
{
	return objects[number - 1].pages;
}

unsigned *model_object_value(unsigned number, unsigned index)
{
	return &objects[number - 1].values[index];
}

pfn_t model_object_frame(unsigned number, unsigned index)
{
	return objects[number - 1].frames[index];
}

bool model_object_is_dirty(unsigned number, unsigned index)
{
	return objects[number - 1].dirty[index];
}

void model_object_cut(unsigned number, unsigned pages)
{
	struct object *f = &objects[number - 1];

	for (unsigned i = pages; i < OBJECT_PAGES; i++) {
		f->values[i] = 0;
		model_fill_frame(f->frames[i], 0);
	}
	f->pages = pages;
	vm_object_drop(&f->base, pages, UINT64_MAX >> PAGE_SHIFT);
}

void model_object_make_hole(unsigned number, unsigned first, unsigned count)
{
	struct object *f = &objects[number - 1];

	for (unsigned i = first; i < first + count; i++) {
		f->values[i] = 0;
		model_fill_frame(f->frames[i], 0);
	}
	vm_object_unmap(&f->base, first, first + count - 1);
}

void model_object_deny_write(unsigned number, bool keep_old, int expected)
{
	struct object *f = &objects[number - 1];

	CHECK_EQ(vm_object_deny_write(&f->base, keep_old), expected);
	f->denied |= expected == 0;
}

bool model_object_is_denied(unsigned number)
{
	return number && objects[number - 1].denied;
}
