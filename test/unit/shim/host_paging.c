/*
 * host_paging.c: page tables of tests, and the rules for their use.
 *
 * What:       a radix tree of 512-entry tables, each paid for with a frame as the real ones are.
 *             Entries of 2 MiB lie in the tables of level 1, beside those of tables.
 *             Entries that were cleared or lost rights are remembered until the flush: that is
 *             what another CPU may still use.
 * Invariants: (1) stale translations exist only while LOCK_VM is held.
 *             (2) a frame that a stale translation reaches is not free.
 * Locking:    LOCK_VM held by the caller, as the contract says.
 * Failure:    -ENOMEM as the real one.
 * Source:     arch/arch.h: page tables.
 */
#include <string.h>

#include "base/errno.h"
#include "host.h"
#include "kernel/mm/pmm.h"

#define LEVELS 4u /* 3: root … 0: table of pages */
#define STALE_MAX 8192u

struct table {
	pfn_t frame;
	unsigned used;
	union {
		struct table *child[512];
		struct {
			pfn_t pfn; /* PFN_NONE: not present */
			unsigned flags;
		} page[512];
	};
	struct {
		pfn_t pfn; /* level 1: 2 MiB; PFN_NONE: not present */
		unsigned flags;
	} huge[512];
};

static struct {
	struct table *root;
	uint64_t pages, tables;
	struct {
		uint64_t va;
		pfn_t pfn;
	} stale[STALE_MAX];
	unsigned stale_count;
} paging;

static unsigned index_at(uint64_t va, unsigned level)
{
	return (unsigned)(va >> (PAGE_SHIFT + 9 * level)) & 511;
}

static void enter(uint64_t va)
{
	CHECK(host_holds(LOCK_VM));
	CHECK((va & PAGE_MASK) == 0);
	CHECK(va < ARCH_USER_END);
}

static struct table *table_at(uint64_t va, unsigned wanted)
{
	struct table *t = paging.root;

	for (unsigned level = LEVELS - 1; t && level > wanted; level--)
		t = t->child[index_at(va, level)];
	return t;
}

static struct table *table_of(uint64_t va)
{
	return table_at(va, 0);
}

/* The table that has va's entry of 2 MiB, if there is one. */
static struct table *huge_table_of(uint64_t va)
{
	struct table *t = table_at(va, 1);

	return t && t->huge[index_at(va, 1)].pfn != PFN_NONE ? t : NULL;
}

static struct table *new_table_of(pfn_t frame)
{
	struct table *t;

	if (frame == PFN_NONE)
		return NULL;
	t = calloc(1, sizeof(*t));
	CHECK(t);
	t->frame = frame;
	paging.tables++;
	return t;
}

static struct table *new_table(void)
{
	return new_table_of(pmm_alloc(0, PMM_KERNEL));
}

/* The table of a level that has va's entry, made when it is not there; NULL: no memory. */
static struct table *table_create(uint64_t va, unsigned wanted)
{
	struct table *t;

	if (!paging.root && !(paging.root = new_table()))
		return NULL;
	t = paging.root;
	for (unsigned level = LEVELS - 1; level > wanted; level--) {
		struct table **next = &t->child[index_at(va, level)];

		CHECK(level > 1 || t->huge[index_at(va, 1)].pfn == PFN_NONE);
		if (!*next) {
			*next = new_table();
			if (!*next)
				return NULL;
			t->used++;
		}
		t = *next;
	}
	return t;
}

static void note_stale(uint64_t va, pfn_t pfn)
{
	CHECK(paging.stale_count < STALE_MAX);
	paging.stale[paging.stale_count].va = va;
	paging.stale[paging.stale_count++].pfn = pfn;
}

int paging_map(uint64_t va, paddr_t pa, unsigned flags)
{
	struct table *t;

	enter(va);
	CHECK((pa & PAGE_MASK) == 0 && pa != 0);
	CHECK(pmm_frame(pa >> PAGE_SHIFT)->owner != PMM_FREE);
	t = table_create(va, 0);
	if (!t)
		return -ENOMEM;
	CHECK(t->page[index_at(va, 0)].pfn == PFN_NONE);
	t->page[index_at(va, 0)].pfn = pa >> PAGE_SHIFT;
	t->page[index_at(va, 0)].flags = flags;
	t->used++;
	paging.pages++;
	return 0;
}

bool paging_lookup(uint64_t va, paddr_t *pa, unsigned *flags, uint64_t *size_bytes)
{
	struct table *t;

	enter(va);
	t = huge_table_of(va);
	if (t) {
		*pa = (t->huge[index_at(va, 1)].pfn + index_at(va, 0)) << PAGE_SHIFT;
		*flags = t->huge[index_at(va, 1)].flags;
		*size_bytes = HUGE_PAGE_SIZE;
		return true;
	}
	t = table_of(va);
	if (!t || t->page[index_at(va, 0)].pfn == PFN_NONE)
		return false;
	*pa = t->page[index_at(va, 0)].pfn << PAGE_SHIFT;
	*flags = t->page[index_at(va, 0)].flags;
	*size_bytes = PAGE_SIZE;
	return true;
}

bool paging_unmap(uint64_t va, paddr_t *old_pa, uint64_t *old_size_bytes)
{
	struct table *t;
	unsigned flags;

	if (!paging_lookup(va, old_pa, &flags, old_size_bytes))
		return false;
	t = huge_table_of(va);
	if (t) {
		*old_pa = ROUND_DOWN(*old_pa, HUGE_PAGE_SIZE);
		t->huge[index_at(va, 1)].pfn = PFN_NONE;
		t->used--;
		paging.pages -= 512;
		note_stale(va, *old_pa >> PAGE_SHIFT);
		return true;
	}
	t = table_of(va);
	t->page[index_at(va, 0)].pfn = PFN_NONE;
	t->used--;
	paging.pages--;
	note_stale(va, *old_pa >> PAGE_SHIFT);
	return true;
}

void paging_protect(uint64_t va, unsigned flags)
{
	struct table *t;

	enter(va);
	t = huge_table_of(va);
	if (t) {
		if (t->huge[index_at(va, 1)].flags & ~flags)
			note_stale(va, t->huge[index_at(va, 1)].pfn);
		t->huge[index_at(va, 1)].flags = flags;
		return;
	}
	t = table_of(va);
	if (!t || t->page[index_at(va, 0)].pfn == PFN_NONE)
		return;
	if (t->page[index_at(va, 0)].flags & ~flags)
		note_stale(va, t->page[index_at(va, 0)].pfn);
	t->page[index_at(va, 0)].flags = flags;
}

/* ------------------------------------------------------------------ 2 MiB */
int paging_map_huge(uint64_t va, paddr_t pa, unsigned flags, paddr_t *table)
{
	unsigned i = index_at(va, 1);
	struct table *t, *empty;
	pfn_t frame;

	enter(va);
	CHECK(((va | pa) & (HUGE_PAGE_SIZE - 1)) == 0 && pa != 0);
	CHECK(pmm_frame(pa >> PAGE_SHIFT)->order == 9);
	t = table_create(va, 1);
	if (!t)
		return -ENOMEM;
	CHECK(t->huge[i].pfn == PFN_NONE);
	empty = t->child[i];
	if (empty) {
		CHECK_EQ(empty->used, 0);
		frame = empty->frame;
		free(empty);
		paging.tables--;
		t->child[i] = NULL;
		t->used--;
	} else {
		frame = pmm_alloc(0, PMM_KERNEL);
		if (frame == PFN_NONE)
			return -ENOMEM;
	}
	*table = frame << PAGE_SHIFT;
	t->huge[i].pfn = pa >> PAGE_SHIFT;
	t->huge[i].flags = flags;
	t->used++;
	paging.pages += 512;
	return 0;
}

void paging_split(uint64_t va, paddr_t table)
{
	struct table *t = huge_table_of(va), *pages;
	unsigned i = index_at(va, 1);

	enter(va);
	CHECK(t);
	pages = new_table_of(table >> PAGE_SHIFT);
	for (unsigned n = 0; n < 512; n++) {
		pages->page[n].pfn = t->huge[i].pfn + n;
		pages->page[n].flags = t->huge[i].flags;
	}
	pages->used = 512;
	t->huge[i].pfn = PFN_NONE;
	t->child[i] = pages; /* used: one for the other */
}

static void swap_entries(struct table *a, unsigned i, struct table *b, unsigned j)
{
	struct table *child = a->child[i];
	pfn_t pfn = a->huge[i].pfn;
	unsigned flags = a->huge[i].flags;
	int used_a = a->child[i] || pfn != PFN_NONE;
	int used_b = b->child[j] || b->huge[j].pfn != PFN_NONE;

	a->child[i] = b->child[j];
	a->huge[i] = b->huge[j];
	b->child[j] = child;
	b->huge[j].pfn = pfn;
	b->huge[j].flags = flags;
	a->used += (unsigned)(used_b - used_a);
	b->used += (unsigned)(used_a - used_b);
}

static void note_stale_range(uint64_t va)
{
	uint64_t size;
	unsigned flags;
	paddr_t pa;

	for (uint64_t at = va; at < va + HUGE_PAGE_SIZE; at += PAGE_SIZE)
		if (paging_lookup(at, &pa, &flags, &size))
			note_stale(at, pa >> PAGE_SHIFT);
}

int paging_swap(uint64_t a, uint64_t b)
{
	struct table *at_a, *at_b;

	enter(a);
	enter(b);
	CHECK(((a | b) & (HUGE_PAGE_SIZE - 1)) == 0);
	at_a = table_create(a, 1);
	at_b = at_a ? table_create(b, 1) : NULL;
	if (!at_b)
		return -ENOMEM;
	note_stale_range(a);
	note_stale_range(b);
	swap_entries(at_a, index_at(a, 1), at_b, index_at(b, 1));
	return 0;
}

/* ------------------------------------------------------------------ walks */
static uint64_t next_in(const struct table *t, unsigned level, uint64_t va, uint64_t end)
{
	uint64_t span = 1ul << (PAGE_SHIFT + 9 * level);

	for (unsigned i = index_at(va, level); i < 512 && va < end; i++) {
		if (level == 0 && t->page[i].pfn != PFN_NONE)
			return va;
		if (level == 1 && t->huge[i].pfn != PFN_NONE)
			return va;
		if (level > 0 && t->child[i]) {
			uint64_t stop = MIN(end, ROUND_DOWN(va, span) + span);
			uint64_t found = next_in(t->child[i], level - 1, va, stop);

			if (found < stop)
				return found;
		}
		va = ROUND_DOWN(va, span) + span;
	}
	return end;
}

uint64_t paging_next_present(uint64_t va, uint64_t end)
{
	if (va >= end)
		return end;
	enter(va);
	return paging.root ? next_in(paging.root, LEVELS - 1, va, end) : end;
}

static void free_table(struct table *t)
{
	CHECK(t->used == 0);
	pmm_free(t->frame, 0);
	free(t);
	paging.tables--;
}

static void prune_in(struct table *t, unsigned level, uint64_t base, uint64_t start, uint64_t end)
{
	uint64_t span = 1ul << (PAGE_SHIFT + 9 * level);

	for (unsigned i = 0; level > 0 && i < 512; i++) {
		uint64_t low = base + i * span;

		if (!t->child[i] || low >= end || low + span <= start)
			continue;
		prune_in(t->child[i], level - 1, low, start, end);
		if (t->child[i]->used == 0) {
			free_table(t->child[i]);
			t->child[i] = NULL;
			t->used--;
		}
	}
}

void paging_prune(uint64_t start, uint64_t end)
{
	enter(start);
	CHECK(paging.stale_count == 0); /* after the flush */
	if (!paging.root)
		return;
	prune_in(paging.root, LEVELS - 1, 0, start, end);
	if (paging.root->used == 0) {
		free_table(paging.root);
		paging.root = NULL;
	}
}

void paging_flush(uint64_t start, uint64_t end)
{
	unsigned kept = 0;

	enter(start);
	for (unsigned i = 0; i < paging.stale_count; i++) {
		CHECK(pmm_frame(paging.stale[i].pfn)->owner != PMM_FREE); /* (2) */
		if (paging.stale[i].va < start || paging.stale[i].va >= end)
			paging.stale[kept++] = paging.stale[i];
	}
	paging.stale_count = kept;
}

void host_check_unlock(const struct spinlock *l)
{
	CHECK(l->rank != LOCK_VM || paging.stale_count == 0); /* (1) */
}

uint64_t host_paging_pages(void)
{
	return paging.pages;
}

uint64_t host_paging_tables(void)
{
	return paging.tables;
}
