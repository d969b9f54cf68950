/*
 * low.c: memory as the first page tables map it.
 *
 * What:       addresses in what loaders leave are checked here, in one place, so that a bad one is
 *             an absent structure and not a fault before there is anybody to report it.
 * Invariants: none.
 * Locking:    none; boot.
 * Failure:    NULL, 0.
 * Source:     boot/entry.S, build_tables.
 */
#include "boot/low.h"

#include "base/units.h"

#define MAPPED_END (4 * GIB)

uint64_t boot_room(paddr_t pa)
{
	return pa < MAPPED_END ? MAPPED_END - pa : 0;
}

const void *boot_at(paddr_t pa, uint64_t bytes)
{
	return pa && pa < MAPPED_END && bytes <= boot_room(pa) ? (const void *)pa : NULL;
}
