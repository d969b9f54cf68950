/*
 * vm_object.c: mappings seen from their objects: write-back, truncation, what is in memory.
 *
 * What:       msync asks the objects behind a range to write back. The owner of an object asks for
 *             its pages to be made read-only or dropped wherever they are mapped; there are no
 *             reverse maps, so that looks at every mapping. And it can forbid new writers.
 * Invariants: vm_pages.c's: flushed before the lock is released, put after the flush.
 * Locking:    vm.lock inside, not held while an object is called. May sleep: vm_sync.
 * Failure:    the object's -errno; -ENOMEM for a hole.
 * Source:     msync(2), mincore(2); POSIX on truncation of mapped files (SIGBUS).
 */
#include "kernel/mm/vm_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/sched/sched.h"

struct object_piece {
	uint64_t start, end;
	struct vm_object *object; /* with a reference */
	uint64_t first, last; /* pages of the object */
};

static bool can_sync(const struct vma *v)
{
	return v->flags & VM_SHARED && v->object->ops->sync;
}

static bool can_tell(const struct vma *v)
{
	return v->object->ops->has;
}

/* The next mapping of [at, end) with an object, if wanted. hole: there was one on the way. */
static bool next_piece_locked(uint64_t at, uint64_t end, bool (*wanted)(const struct vma *v),
	struct object_piece *p, bool *hole)
{
	struct vma *v;

	for (v = vma_find_locked(at); v && v->start < end; v = vma_next_locked(v)) {
		*hole |= v->start > at;
		p->start = MAX(v->start, at);
		at = p->end = MIN(v->end, end);
		if (!v->object || !wanted(v))
			continue;
		p->object = v->object;
		p->object->ops->get(p->object);
		p->first = (p->start - v->start + v->offset_bytes) >> PAGE_SHIFT;
		p->last = p->first + ((p->end - p->start) >> PAGE_SHIFT) - 1;
		return true;
	}
	*hole |= at < end;
	return false;
}

/* ------------------------------------------------------------------ msync, mincore */
int vm_sync(uint64_t addr, uint64_t bytes)
{
	struct object_piece p;
	bool hole = false, found;
	uint64_t end;
	int err = 0, one;

	lock_assert_none();
	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	for (end = addr + bytes; addr < end; addr = p.end) {
		spin_lock(&vm.lock);
		found = next_piece_locked(addr, end, can_sync, &p, &hole);
		spin_unlock(&vm.lock);
		if (!found)
			break;
		one = p.object->ops->sync(p.object, p.first, p.last);
		err = err ? err : one;
		p.object->ops->put(p.object);
	}
	return err ? err : hole ? -ENOMEM : 0;
}

/* Present pages into resident[]. -ENOMEM: a hole. */
static int note_present_locked(uint64_t addr, uint64_t end, uint8_t *resident)
{
	uint64_t va, last, bytes;
	unsigned flags;
	paddr_t pa;

	if (!vm_is_covered_locked(addr, end))
		return -ENOMEM;
	/* Image pages too: they are present. */
	for (va = paging_next_present(addr, end); va < end; va = paging_next_present(va, end)) {
		bool present = paging_lookup(va, &pa, &flags, &bytes);

		ASSERT(present);
		for (last = MIN(ROUND_DOWN(va, bytes) + bytes, end); va < last; va += PAGE_SIZE)
			resident[(va - addr) / PAGE_SIZE] = 1;
	}
	return 0;
}

int vm_resident(uint64_t addr, uint64_t bytes, uint8_t *resident)
{
	struct object_piece p;
	uint64_t at = addr, end;
	bool hole = false, found;
	int err;

	lock_assert_none();
	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	end = addr + bytes;
	for (uint64_t i = 0; i < bytes / PAGE_SIZE; i++)
		resident[i] = 0;
	spin_lock(&vm.lock);
	err = note_present_locked(addr, end, resident);
	spin_unlock(&vm.lock);
	for (; !err && at < end; at = p.end) {
		spin_lock(&vm.lock);
		found = next_piece_locked(at, end, can_tell, &p, &hole);
		spin_unlock(&vm.lock);
		if (!found)
			break;
		for (uint64_t i = (p.start - addr) / PAGE_SIZE; p.first <= p.last; i++, p.first++)
			resident[i] |= p.object->ops->has(p.object, p.first);
		p.object->ops->put(p.object);
	}
	return err;
}

/* ------------------------------------------------------------------ for owners of objects */
/* Makes one batch read-only; returns where to go on, or end. */
static uint64_t clean_batch_locked(uint64_t start, uint64_t end)
{
	uint64_t first = end, last = start, bytes, va;
	unsigned flags;
	paddr_t pa;

	va = paging_next_present(start, end);
	for (unsigned n = 0; va < end && n < VM_PROT_BATCH_PAGES; n++) {
		if (paging_lookup(va, &pa, &flags, &bytes) && flags & PAGING_WRITE) {
			paging_protect(va, flags & ~(unsigned)PAGING_WRITE);
			first = MIN(first, va);
			last = va + PAGE_SIZE;
		}
		va = paging_next_present(va + PAGE_SIZE, end);
	}
	if (first < last)
		paging_flush(first, last);
	return va;
}

/* The first mapped range at or above at with pages [first, last] of o. */
static bool find_range_locked(struct vm_object *o, uint64_t first, uint64_t last, uint64_t at,
	uint64_t *start, uint64_t *end)
{
	for (struct vma *v = vma_find_locked(at); v; v = vma_next_locked(v)) {
		uint64_t v_first = v->offset_bytes >> PAGE_SHIFT;
		uint64_t v_last = v_first + ((v->end - v->start) >> PAGE_SHIFT) - 1;

		if (v->object != o || v_first > last || v_last < first)
			continue;
		*start = v->start + ((MAX(first, v_first) - v_first) << PAGE_SHIFT);
		*end = v->start + ((MIN(last, v_last) + 1 - v_first) << PAGE_SHIFT);
		if (*end <= at)
			continue;
		*start = MAX(*start, at);
		return true;
	}
	return false;
}

static void for_each_batch(struct vm_object *o, uint64_t first, uint64_t last,
	uint64_t (*batch_locked)(uint64_t start, uint64_t end))
{
	uint64_t at = 0, start, end;
	bool found;

	lock_assert_none();
	for (;;) {
		spin_lock(&vm.lock);
		found = find_range_locked(o, first, last, at, &start, &end);
		if (found)
			at = batch_locked(start, end);
		spin_unlock(&vm.lock);
		if (!found)
			return;
		sched_relax();
	}
}

void vm_object_clean(struct vm_object *o, uint64_t first, uint64_t last)
{
	for_each_batch(o, first, last, clean_batch_locked);
}

/* A fault that has asked for a page already, and has not mapped it yet, asks again. */
static void note_drop(struct vm_object *o)
{
	spin_lock(&vm.lock);
	o->drops++;
	spin_unlock(&vm.lock);
}

void vm_object_drop(struct vm_object *o, uint64_t first, uint64_t last)
{
	note_drop(o);
	for_each_batch(o, first, last, vm_drop_batch_locked);
}

void vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t last)
{
	note_drop(o);
	for_each_batch(o, first, last, vm_drop_foreign_batch_locked);
}

int vm_object_deny_write(struct vm_object *o, bool keep_old)
{
	int err = 0;

	spin_lock(&vm.lock);
	if (o->writers && !keep_old)
		err = -EBUSY;
	else /* mappings are added under the same lock: vm.c add_locked */
		atomic_store_explicit(&o->no_new_writers, true, memory_order_relaxed);
	spin_unlock(&vm.lock);
	return err;
}
