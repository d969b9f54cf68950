/*
 * vm_model.c: the address space as an array of pages: too simple to be wrong.
 *
 * What:       one struct per page says how it is mapped and what is in it; objects are those of
 *             vm_objects.c. The comparison walks everything the kernel shows: mappings, page
 *             tables, frames' bytes, counters.
 * Invariants: (1) a page is present only where something is mapped, and never with more rights.
 *             (2) in a private mapping an object's own page is never writable.
 *             (3) a shared page that is writable is dirty in its object.
 *             (4) neighbours that could be one mapping are one.
 * Locking:    one thread; LOCK_VM is feigned to look into the page tables.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/vm.h; mmap(2), mprotect(2), mremap(2).
 */
#include "test/fuzz/vm_model.h"

#include <string.h>

#include "base/errno.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "test/unit/shim/host.h"

#define HUGE_PAGES 512u

static struct {
	struct model_page pages[WINDOW_PAGES];
	struct spinlock peek;
} model = { .peek = SPINLOCK_INIT(LOCK_VM) };

void model_begin(void)
{
	memset(model.pages, 0, sizeof(model.pages));
	model_objects_begin();
}

void model_end(void)
{
	model_objects_end();
}

/* ------------------------------------------------------------------ the page tables */
static bool look(unsigned page, pfn_t *pfn, unsigned *flags)
{
	uint64_t bytes;
	paddr_t pa;
	bool present;

	spin_lock(&model.peek);
	present = paging_lookup(model_addr(page), &pa, flags, &bytes);
	spin_unlock(&model.peek);
	if (present)
		*pfn = pa >> PAGE_SHIFT;
	return present;
}

bool model_is_present(unsigned page)
{
	const struct model_page *p = &model.pages[page];
	unsigned flags;
	pfn_t pfn;

	return look(page, &pfn, &flags) || (p->object && p->index < model_object_size(p->object));
}

/* ------------------------------------------------------------------ values */
static bool has_own_value(const struct model_page *p)
{
	return p->object == 0 || p->own;
}

static unsigned *value_of(struct model_page *p)
{
	return has_own_value(p) ? &p->value : model_object_value(p->object, p->index);
}

static bool is_beyond(const struct model_page *p)
{
	return p->object && !p->own && p->index >= model_object_size(p->object);
}

bool model_try_access(unsigned page, unsigned access, unsigned value, bool is_unsure)
{
	struct model_page *p = &model.pages[page];
	unsigned flags, need = PAGING_READ;
	pfn_t pfn;

	if (access == VM_PROT_WRITE)
		need = PAGING_WRITE;
	if (access == VM_PROT_EXEC)
		need = PAGING_EXEC;
	if (!look(page, &pfn, &flags) || (need & ~flags))
		return false;
	CHECK(p->mapped || is_unsure);
	if (access == VM_PROT_WRITE) {
		if (p->object && !p->shared)
			p->own = true;
		*value_of(p) = value;
		model_fill_frame(pfn, value);
	} else if (!is_unsure) {
		CHECK_EQ(model_frame_value(pfn), *value_of(p));
	}
	return true;
}

int model_fault(unsigned page, unsigned access)
{
	const struct model_page *p = &model.pages[page];

	if (!p->mapped)
		return VM_FAULT_MAPERR;
	if (access == VM_PROT_READ ? p->prot == 0 : (p->prot & access) == 0)
		return VM_FAULT_ACCERR;
	return is_beyond(p) ? VM_FAULT_BUS : VM_FAULT_OK;
}

/* ------------------------------------------------------------------ calls */
static bool is_free(unsigned first, unsigned count)
{
	if (first + count > WINDOW_PAGES)
		return false;
	for (unsigned i = first; i < first + count; i++)
		if (model.pages[i].mapped)
			return false;
	return true;
}

static int highest_hole(unsigned count, unsigned *first)
{
	if (count > WINDOW_PAGES)
		return -ENOMEM;
	for (unsigned i = WINDOW_PAGES - count + 1; i-- > 0;) {
		if (is_free(i, count)) {
			*first = i;
			return 0;
		}
	}
	return -ENOMEM;
}

int model_place(unsigned *first, unsigned count, bool anywhere, unsigned flags)
{
	if (flags & VM_FIXED)
		return 0;
	if (!anywhere && is_free(*first, count))
		return 0;
	return flags & VM_FIXED_NOREPLACE ? -EEXIST : highest_hole(count, first);
}

void model_map(unsigned first, unsigned count, const struct model_page *as)
{
	for (unsigned i = 0; i < count; i++) {
		model.pages[first + i] = *as;
		if (as->object)
			model.pages[first + i].index += i;
	}
}

void model_unmap(unsigned first, unsigned count)
{
	memset(&model.pages[first], 0, count * sizeof(model.pages[0]));
}

bool model_is_covered(unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		if (!model.pages[i].mapped)
			return false;
	return true;
}

int model_can_protect(unsigned first, unsigned *count, unsigned prot)
{
	for (unsigned i = 0; i < *count; i++) {
		const struct model_page *p = &model.pages[first + i];

		if (p->mapped && !(prot & VM_PROT_WRITE && p->never_write))
			continue;
		*count = i;
		return p->mapped ? -EACCES : -ENOMEM;
	}
	return 0;
}

void model_protect(unsigned first, unsigned count, unsigned prot)
{
	for (unsigned i = first; i < first + count; i++)
		model.pages[i].prot = prot;
}

void model_advise(unsigned first, unsigned count, unsigned set, unsigned clear)
{
	for (unsigned i = first; i < first + count; i++)
		if (model.pages[i].mapped)
			model.pages[i].advice = (model.pages[i].advice & ~clear) | set;
}

int model_can_discard(unsigned first, unsigned *count, bool own_only)
{
	int err = 0;

	for (unsigned i = 0; i < *count; i++) {
		const struct model_page *p = &model.pages[first + i];

		if (!p->mapped) {
			err = -ENOMEM;
		} else if (p->advice & VM_LOCKED || (own_only && p->object)) {
			*count = i;
			return -EINVAL;
		}
	}
	return err;
}

void model_discard(unsigned first, unsigned count, bool disturbed)
{
	unsigned flags;
	pfn_t pfn;

	for (unsigned i = first; i < first + count; i++) {
		struct model_page *p = &model.pages[i];

		p->own = false;
		p->value = 0;
		if (!disturbed || !look(i, &pfn, &flags))
			continue;
		p->own = p->object && pmm_is_program(pfn);
		if (has_own_value(p))
			p->value = model_frame_value(pfn);
	}
}

int model_populate(unsigned first, unsigned count, bool write)
{
	if (!model_is_covered(first, count))
		return -ENOMEM;
	for (unsigned i = first; i < first + count; i++)
		if (model_fault(i, write ? VM_PROT_WRITE : VM_PROT_READ) != VM_FAULT_OK)
			return -EFAULT;
	return 0;
}

void model_note_copies(unsigned first, unsigned count, bool disturbed)
{
	unsigned flags;
	pfn_t pfn;

	for (unsigned i = first; i < first + count; i++) {
		struct model_page *p = &model.pages[i];

		if (!p->object || p->own || !look(i, &pfn, &flags) || !pmm_is_program(pfn))
			continue;
		/* The object may have changed since the copy was made. */
		p->value = disturbed ? model_frame_value(pfn) : *value_of(p);
		p->own = true;
	}
}

void model_truncate(unsigned number, unsigned pages)
{
	model_object_cut(number, pages);
	for (unsigned i = 0; i < WINDOW_PAGES; i++)
		if (model.pages[i].object == number && model.pages[i].index >= pages)
			model.pages[i].own = false;
}

void model_check_hole(unsigned number, unsigned first, unsigned count)
{
	unsigned flags;
	pfn_t pfn;

	for (unsigned i = 0; i < WINDOW_PAGES; i++) {
		const struct model_page *p = &model.pages[i];

		if (p->object == number && !p->own && p->index >= first && p->index < first + count)
			/* A private copy that a filling under way made is not known yet. */
			CHECK(!look(i, &pfn, &flags) || (!p->shared && pmm_is_program(pfn)));
	}
}

static bool may_write(const struct model_page *p, unsigned number)
{
	return p->mapped && p->object == number && p->shared && !p->never_write;
}

void model_deny_write(unsigned number, bool keep_old)
{
	int expected = 0;

	for (unsigned i = 0; i < WINDOW_PAGES && !keep_old; i++)
		if (may_write(&model.pages[i], number))
			expected = -EBUSY;
	model_object_deny_write(number, keep_old, expected);
}

/* ------------------------------------------------------------------ remap */
static bool is_one_mapping(const struct model_page *a, const struct model_page *b)
{
	return a->mapped && b->mapped && a->prot == b->prot && a->shared == b->shared &&
		a->never_write == b->never_write && a->advice == b->advice &&
		a->object == b->object && (!a->object || a->index + 1 == b->index);
}

static unsigned mapping_end(unsigned page)
{
	do
		page++;
	while (page < WINDOW_PAGES && is_one_mapping(&model.pages[page - 1], &model.pages[page]));
	return page;
}

/* Where a move anywhere lands: at the same offset in 2 MiB, if there is room for that. */
static int place_move(struct model_remap *m)
{
	unsigned hole;

	if (m->old_count < HUGE_PAGES || highest_hole(m->new_count + HUGE_PAGES - 1, &hole) != 0)
		return highest_hole(m->new_count, &m->to);
	m->to = ROUND_DOWN(hole, HUGE_PAGES) + m->first % HUGE_PAGES;
	if (m->to < hole)
		m->to += HUGE_PAGES;
	return 0;
}

static bool stays(const struct model_remap *m)
{
	return !m->is_fixed && !m->keeps_old && m->new_count <= m->old_count;
}

static int check_remap(const struct model_remap *m)
{
	const struct model_page *p = &model.pages[m->first];

	if (m->is_fixed && !m->may_move)
		return -EINVAL;
	if (m->keeps_old && (!m->may_move || m->old_count != m->new_count))
		return -EINVAL;
	if (!p->mapped)
		return -EFAULT;
	if (m->old_count == 0 && !(p->shared && p->object))
		return -EINVAL;
	return mapping_end(m->first) < m->first + m->old_count && !stays(m) ? -EFAULT : 0;
}

int model_can_remap(struct model_remap *m)
{
	unsigned old_end = m->first + m->old_count;
	int err = check_remap(m);

	if (err)
		return err;
	if (m->is_fixed) {
		if (m->to + m->new_count > WINDOW_PAGES)
			return -EINVAL;
		old_end = MAX(old_end, m->first + 1);
		return m->to < old_end && m->first < m->to + m->new_count ? -EINVAL : 0;
	}
	m->to = m->first;
	if (stays(m))
		return 0;
	if (!m->keeps_old && m->old_count && mapping_end(m->first) == old_end &&
		is_free(old_end, m->new_count - m->old_count))
		return 0;
	return m->may_move ? place_move(m) : -ENOMEM;
}

void model_remap(const struct model_remap *m)
{
	static struct model_page moved[WINDOW_PAGES];
	unsigned count = MIN(m->old_count, m->new_count);
	struct model_page as = model.pages[m->first];

	if (stays(m)) {
		model_unmap(m->first + m->new_count, m->old_count - m->new_count);
		return;
	}
	memcpy(moved, &model.pages[m->first], count * sizeof(moved[0]));
	as.own = false;
	as.value = 0;
	model_unmap(m->first, m->old_count);
	if (m->keeps_old)
		model_map(m->first, m->old_count, &as);
	model_map(m->to, m->new_count, &as);
	memcpy(&model.pages[m->to], moved, count * sizeof(moved[0]));
}

/* A whole range is gone, or nothing of it. */
static void note_if_gone(unsigned first, unsigned count)
{
	unsigned gone = 0, mapped = 0;

	for (unsigned i = first; i < first + count; i++) {
		mapped += model.pages[i].mapped;
		gone += model.pages[i].mapped && !vm_is_mapped(model_addr(i), PAGE_SIZE);
	}
	CHECK(gone == 0 || gone == mapped);
	if (gone)
		model_unmap(first, count);
}

void model_remap_failed(const struct model_remap *m)
{
	if (m->new_count < m->old_count)
		note_if_gone(m->first + m->new_count, m->old_count - m->new_count);
	if (m->is_fixed)
		note_if_gone(m->to, m->new_count);
}

/* ------------------------------------------------------------------ comparison */
struct walk {
	unsigned at; /* next page to see */
};

static int check_region(const struct vm_region *r, void *arg)
{
	struct walk *w = arg;
	const struct model_page *p;
	unsigned first, count;

	CHECK(r->start < r->end);
	if (r->flags & VM_KERNEL)
		return 0; /* what lies around the window */
	CHECK(r->start >= model_addr(w->at) && r->end <= model_addr(WINDOW_PAGES));
	first = (unsigned)((r->start - model_addr(0)) / PAGE_SIZE);
	count = (unsigned)((r->end - r->start) / PAGE_SIZE);
	CHECK(is_free(w->at, first - w->at));
	p = &model.pages[first];
	CHECK(p->mapped);
	CHECK(first == 0 || !is_one_mapping(p - 1, p)); /* (4) */
	CHECK_EQ(mapping_end(first), first + count);
	CHECK_EQ(r->prot, p->prot);
	CHECK_EQ(r->flags,
		p->advice | (p->shared ? VM_SHARED : 0) | (p->never_write ? VM_NEVER_WRITE : 0));
	CHECK(r->object == model_object(p->object));
	CHECK_EQ(r->offset_bytes, p->object ? p->index * PAGE_SIZE : 0);
	w->at = first + count;
	return 0;
}

static void check_page(unsigned page, pfn_t pfn, unsigned flags)
{
	struct model_page *p = &model.pages[page];

	CHECK(p->mapped); /* (1) */
	CHECK(!(flags & PAGING_WRITE) || p->prot & VM_PROT_WRITE);
	CHECK(!(flags & PAGING_EXEC) || p->prot & VM_PROT_EXEC);
	CHECK(!(flags & PAGING_READ) || p->prot != VM_PROT_NONE);
	CHECK(!is_beyond(p));
	CHECK_EQ(model_frame_value(pfn), *value_of(p));
	CHECK_EQ(pmm_is_program(pfn), has_own_value(p));
	if (has_own_value(p)) {
		CHECK_EQ(pmm_frame(pfn)->refs, 1);
		return;
	}
	CHECK_EQ(pfn, model_object_frame(p->object, p->index));
	if (flags & PAGING_WRITE) {
		CHECK(p->shared); /* (2) */
		CHECK(model_object_is_dirty(p->object, p->index)); /* (3) */
	}
}

void model_check(void)
{
	struct walk w = { 0 };
	struct vm_stats stats;
	uint64_t present = 0, of_objects = 0;
	unsigned flags;
	pfn_t pfn;

	CHECK_EQ(host_locks_held(), 0);
	vm_each(check_region, &w);
	CHECK(is_free(w.at, WINDOW_PAGES - w.at));
	for (unsigned i = 0; i < WINDOW_PAGES; i++) {
		struct model_page *p = &model.pages[i];

		if (look(i, &pfn, &flags)) {
			present++;
			of_objects += !pmm_is_program(pfn);
			check_page(i, pfn, flags);
		} else if (p->mapped && has_own_value(p)) {
			CHECK_EQ(p->value, 0); /* nothing that was written is lost */
			CHECK(!p->own);
		}
	}
	vm_get_stats(&stats);
	CHECK_EQ(stats.resident_pages, present);
	CHECK_EQ(stats.object_pages, of_objects);
	CHECK_EQ(host_paging_pages(), present);
}

void model_check_clean(unsigned first, unsigned count)
{
	unsigned flags;
	pfn_t pfn;

	for (unsigned i = first; i < first + count; i++)
		if (model.pages[i].shared && model.pages[i].object && look(i, &pfn, &flags))
			CHECK(!(flags & PAGING_WRITE));
}
