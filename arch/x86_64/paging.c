/*
 * paging.c: the one set of page tables.
 *
 * What:       four levels, tables allocated when first needed and freed when empty. An entry whose
 *             page must not be accessed but is kept (PROT_NONE) is not present, with its frame and
 *             a mark of ours.
 * Invariants: (1) an entry is 0, present, or held. (2) tables above a 4 KiB or 2 MiB entry are
 *             writable and executable: rights are in the last level only. (3) every table is
 *             reachable through the direct map. (4) a table that was unlinked is freed after a
 *             flush that began later is done on every CPU: until then a CPU may still walk it (SDM
 *             4.10.3), finds nothing in it, and faults for no reason, which makes it look again.
 * Locking:    the caller's (LOCK_VM).
 * Failure:    -ENOMEM when no frame for a table can be had; nothing has changed then.
 * Source:     Intel SDM 3A 4.5.
 */
#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "base/assert.h"
#include "base/errno.h"
#include "lib/string.h"

#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_HELD (1ull << 9) /* ours: frame kept, no access */
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
#define PTE_TABLE (PTE_P | PTE_W)
#define PTES 512u

enum { LEVEL_PT = 0, LEVEL_PD = 1, LEVEL_PDPT = 2, LEVEL_PML4 = 3 };
enum { FLUSH_SINGLE_MAX = 32 }; /* pages; more are cheaper by reloading CR3 */
enum { UNLINKED_MAX = 32 }; /* tables that wait for idle CPUs before these are woken for them */

static struct {
	uint64_t *root;
	const struct paging_frames *frames;
	uint64_t device_next;
	uint64_t *unlinked; /* empty tables to be freed, chained through their first words */
	uint32_t unlinked_count;
	uint64_t unlinked_before; /* the flush that must be done for it */
	uint64_t last_flush;
} paging = { .device_next = ARCH_DEVICE_MAP };

static unsigned shift_of(int level)
{
	return PAGE_SHIFT + 9 * (unsigned)level;
}

static unsigned index_of(uint64_t va, int level)
{
	return va >> shift_of(level) & (PTES - 1);
}

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(entry & PTE_ADDR);
}

static uint64_t *alloc_table(void)
{
	paddr_t pa = paging.frames->alloc();

	return pa ? phys_to_virt(pa) : NULL;
}

/* The entry for va at the wanted level, making tables on the way; NULL: no memory. */
static uint64_t *entry_create(uint64_t va, int wanted)
{
	uint64_t *table = paging.root;

	for (int level = LEVEL_PML4; level > wanted; level--) {
		uint64_t *e = &table[index_of(va, level)];

		if (!*e) {
			uint64_t *next = alloc_table();

			if (!next)
				return NULL;
			*e = virt_to_phys(next) | PTE_TABLE; /* (2) */
		}
		ASSERT(!(*e & PTE_PS));
		table = table_of(*e);
	}
	return &table[index_of(va, wanted)];
}

/* The last-level entry for va that exists, and its level; NULL when a table is missing. */
static uint64_t *entry_find(uint64_t va, int *level_out)
{
	uint64_t *table = paging.root;

	for (int level = LEVEL_PML4;; level--) {
		uint64_t *e = &table[index_of(va, level)];

		if (level == LEVEL_PT || (*e & PTE_PS)) {
			*level_out = level;
			return e;
		}
		if (!*e)
			return NULL;
		table = table_of(*e);
	}
}

static uint64_t bits_of(unsigned flags)
{
	uint64_t bits = flags & (PAGING_READ | PAGING_WRITE | PAGING_EXEC) ? PTE_P : PTE_HELD;

	if (flags & PAGING_WRITE)
		bits |= PTE_W;
	if (!(flags & PAGING_EXEC))
		bits |= PTE_NX;
	if (flags & PAGING_DEVICE)
		bits |= PTE_PCD | PTE_PWT;
	return bits;
}

static unsigned flags_of(uint64_t e)
{
	if (!(e & PTE_P))
		return 0;
	return PAGING_READ | (e & PTE_W ? PAGING_WRITE : 0) | (e & PTE_NX ? 0 : PAGING_EXEC) |
		(e & PTE_PCD ? PAGING_DEVICE : 0);
}

int paging_init(const struct paging_frames *frames)
{
	paging.frames = frames;
	paging.root = alloc_table();
	return paging.root ? 0 : -ENOMEM;
}

uint64_t paging_root(void)
{
	return virt_to_phys(paging.root);
}

void paging_activate(void)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(virt_to_phys(paging.root)) : "memory");
}

int paging_map(uint64_t va, paddr_t pa, unsigned flags)
{
	uint64_t *e = entry_create(va, LEVEL_PT);

	if (!e)
		return -ENOMEM;
	ASSERT(!*e);
	*e = pa | bits_of(flags);
	return 0;
}

int paging_map_range(uint64_t va, paddr_t pa, uint64_t bytes, unsigned flags)
{
	uint64_t bits = bits_of(flags), end = va + bytes;

	while (va < end) {
		uint64_t *e = entry_create(va, LEVEL_PT);
		uint64_t stop = MIN(end, ROUND_DOWN(va, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE);

		if (!e)
			return -ENOMEM;
		for (; va < stop; va += PAGE_SIZE, pa += PAGE_SIZE) {
			ASSERT(!*e);
			*e++ = pa | bits;
		}
	}
	return 0;
}

int paging_map_huge_range(uint64_t va, paddr_t pa, uint64_t bytes, unsigned flags)
{
	uint64_t bits = bits_of(flags) | PTE_PS, end = va + bytes;

	while (va < end) {
		uint64_t *e = entry_create(va, LEVEL_PD);
		uint64_t stop = MIN(end, ROUND_DOWN(va, GIB) + GIB);

		if (!e)
			return -ENOMEM;
		for (; va < stop; va += HUGE_PAGE_SIZE, pa += HUGE_PAGE_SIZE) {
			ASSERT(!*e);
			*e++ = pa | bits;
		}
	}
	return 0;
}

/* An empty table may be left at e. A CPU that still goes through it finds nothing there, faults,
 * and forgets it (SDM 3A 4.10.4.1): so it stays as it is, and is the one for a split. */
static paddr_t take_empty_table(uint64_t *e)
{
	const uint64_t *t = table_of(*e);

	ASSERT(!(*e & PTE_PS));
	for (unsigned i = 0; i < PTES; i++)
		ASSERT(!t[i]);
	return *e & PTE_ADDR;
}

int paging_map_huge(uint64_t va, paddr_t pa, unsigned flags, paddr_t *table)
{
	uint64_t *e = entry_create(va, LEVEL_PD);

	if (!e)
		return -ENOMEM;
	*table = *e ? take_empty_table(e) : paging.frames->alloc();
	if (!*table)
		return -ENOMEM;
	*e = pa | bits_of(flags) | PTE_PS;
	return 0;
}

bool paging_lookup(uint64_t va, paddr_t *pa, unsigned *flags, uint64_t *size_bytes)
{
	int level;
	uint64_t *e = entry_find(va, &level);
	uint64_t size;

	if (!e || !*e)
		return false;
	size = 1ull << shift_of(level);
	*size_bytes = size;
	*flags = flags_of(*e);
	*pa = (*e & PTE_ADDR & ~(size - 1)) | (va & (size - 1) & ~PAGE_MASK);
	return true;
}

bool paging_unmap(uint64_t va, paddr_t *old_pa, uint64_t *old_size_bytes)
{
	int level;
	uint64_t *e = entry_find(va, &level);

	if (!e || !*e)
		return false;
	*old_size_bytes = 1ull << shift_of(level);
	*old_pa = *e & PTE_ADDR & ~(*old_size_bytes - 1);
	*e = 0;
	return true;
}

void paging_split(uint64_t va, paddr_t table)
{
	int level;
	uint64_t *e = entry_find(va, &level), *t = phys_to_virt(table);
	uint64_t bits;

	ASSERT(e && *e && level == LEVEL_PD);
	bits = *e & ~(PTE_PS | (HUGE_PAGE_SIZE - PAGE_SIZE));
	for (unsigned i = 0; i < PTES; i++)
		t[i] = bits + i * PAGE_SIZE;
	/* Processors do not like translations of two sizes for one address. */
	*e = 0;
	va = ROUND_DOWN(va, HUGE_PAGE_SIZE);
	paging_flush(va, va + HUGE_PAGE_SIZE);
	*e = table | PTE_TABLE;
}

int paging_swap(uint64_t a, uint64_t b)
{
	uint64_t *at_a = entry_create(a, LEVEL_PD), *at_b, old;

	if (!at_a)
		return -ENOMEM;
	at_b = entry_create(b, LEVEL_PD);
	if (!at_b)
		return -ENOMEM;
	old = *at_a;
	*at_a = *at_b;
	*at_b = old;
	return 0;
}

static uint64_t with_rights(uint64_t entry, uint64_t bits)
{
	return entry ? (entry & (PTE_ADDR | PTE_PS | PTE_D)) | bits : 0;
}

void paging_protect(uint64_t va, unsigned flags)
{
	int level;
	uint64_t *e = entry_find(va, &level);

	if (e)
		*e = with_rights(*e, bits_of(flags));
}

void paging_protect_range(uint64_t va, uint64_t bytes, unsigned flags)
{
	uint64_t bits = bits_of(flags), end = va + bytes;

	while (va < end) {
		uint64_t stop = MIN(end, ROUND_DOWN(va, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE);
		int level = LEVEL_PT;
		uint64_t *e = entry_find(va, &level);

		ASSERT(level == LEVEL_PT);
		for (; va < stop; va += PAGE_SIZE, e += e != NULL)
			if (e)
				*e = with_rights(*e, bits);
	}
}

bool paging_take_dirty(uint64_t va)
{
	int level;
	uint64_t *e = entry_find(va, &level);

	if (!e || !(*e & PTE_D))
		return false;
	*e &= ~PTE_D;
	return true;
}

/* First entry in use at or above va within one table, descending; end when there is none. */
static uint64_t next_in(const uint64_t *table, int level, uint64_t va, uint64_t end)
{
	uint64_t step = 1ull << shift_of(level);

	while (va < end) {
		uint64_t e = table[index_of(va, level)];
		uint64_t stop = ROUND_DOWN(va, step) + step;

		if (e && (level == LEVEL_PT || (e & PTE_PS)))
			return va;
		if (e) {
			uint64_t below = MIN(stop, end);
			uint64_t found = next_in(table_of(e), level - 1, va, below);

			if (found < below)
				return found;
		}
		va = stop;
		if (!index_of(va, level))
			break; /* end of this table */
	}
	return end;
}

uint64_t paging_next_present(uint64_t va, uint64_t end)
{
	ASSERT(end <= ARCH_USER_END);
	return va < end ? next_in(paging.root, LEVEL_PML4, va, end) : end;
}

/* Unlinks what is empty below table for [start, end); true when table itself is empty. */
static bool unlink_empty(uint64_t *table, int level, uint64_t start, uint64_t end)
{
	uint64_t step = 1ull << shift_of(level);

	for (uint64_t va = start; level > LEVEL_PT && va < end; va = ROUND_DOWN(va, step) + step) {
		uint64_t *e = &table[index_of(va, level)], *below;
		uint64_t stop = MIN(end, ROUND_DOWN(va, step) + step);

		if (!*e || (*e & PTE_PS))
			continue;
		below = table_of(*e);
		if (!unlink_empty(below, level - 1, va, stop))
			continue;
		*e = 0;
		*below = (uint64_t)paging.unlinked; /* reads as an entry that is not present */
		paging.unlinked = below;
		paging.unlinked_count++;
		paging.unlinked_before = paging.last_flush + 1; /* (4) */
	}
	if (level == LEVEL_PML4)
		return false;
	for (unsigned i = 0; i < PTES; i++)
		if (table[i])
			return false;
	return true;
}

static void free_list(uint64_t *table)
{
	while (table) {
		uint64_t *next = (uint64_t *)*table;

		*table = 0;
		paging.frames->free(virt_to_phys(table));
		table = next;
	}
}

/* (4) Frees the unlinked tables if no CPU can know them any more, or, forced, makes that so. */
static void reclaim(bool force)
{
	uint64_t *unlinked = paging.unlinked;

	if (!unlinked)
		return;
	if (force) {
		(void)shootdown_flush(0, 0);
		shootdown_finish();
	} else if (!shootdown_is_done(paging.unlinked_before)) {
		return;
	}
	paging.unlinked = NULL;
	paging.unlinked_count = 0;
	free_list(unlinked);
}

void paging_prune(uint64_t start, uint64_t end)
{
	ASSERT(end <= ARCH_USER_END);
	unlink_empty(paging.root, LEVEL_PML4, start, end);
	if (paging.unlinked_count > UNLINKED_MAX)
		reclaim(true);
}

void paging_flush(uint64_t start, uint64_t end)
{
	bool all = (end - start) >> PAGE_SHIFT > FLUSH_SINGLE_MAX;

	paging.last_flush = shootdown_flush(all ? 0 : start, all ? 0 : end);
	reclaim(false);
}

void *arch_map_device(paddr_t pa, size_t bytes)
{
	uint64_t offset = pa & PAGE_MASK, va = paging.device_next;
	uint64_t length = ROUND_UP(offset + bytes, PAGE_SIZE);

	if (paging_map_range(va, pa - offset, length, PAGING_READ | PAGING_WRITE | PAGING_DEVICE))
		return NULL;
	paging.device_next += length;
	return (void *)(va + offset);
}
