/*
 * host_paging.c: page tables of tests, and the rules for their use.
 *
 * What:       a radix tree of 512-entry tables, each paid for with a frame as the real ones are.
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

static struct table *table_of(uint64_t va)
{
	struct table *t = paging.root;

	for (unsigned level = LEVELS - 1; t && level > 0; level--)
		t = t->child[index_at(va, level)];
	return t;
}

static struct table *new_table(void)
{
	pfn_t frame = pmm_alloc(0, PMM_KERNEL);
	struct table *t;

	if (frame == PFN_NONE)
		return NULL;
	t = calloc(1, sizeof(*t));
	CHECK(t);
	t->frame = frame;
	paging.tables++;
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
	if (!paging.root && !(paging.root = new_table()))
		return -ENOMEM;
	t = paging.root;
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		struct table **next = &t->child[index_at(va, level)];

		if (!*next) {
			*next = new_table();
			if (!*next)
				return -ENOMEM;
			t->used++;
		}
		t = *next;
	}
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
	t = table_of(va);
	if (!t || t->page[index_at(va, 0)].pfn == PFN_NONE)
		return;
	if (t->page[index_at(va, 0)].flags & ~flags)
		note_stale(va, t->page[index_at(va, 0)].pfn);
	t->page[index_at(va, 0)].flags = flags;
}

static uint64_t next_in(const struct table *t, unsigned level, uint64_t va, uint64_t end)
{
	uint64_t span = 1ul << (PAGE_SHIFT + 9 * level);

	for (unsigned i = index_at(va, level); i < 512 && va < end; i++) {
		if (level == 0 && t->page[i].pfn != PFN_NONE)
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
