/*
 * host.h: what kernel sources need to run as a host process, and what tests may do to them.
 *
 * host.c      locks with rank checks, panic and assert, log, counters, sched_relax
 * host_ram.c  RAM behind phys_to_virt (arch/arch.h of this folder)
 * host_pmm.c  kernel/mm/pmm.h over that RAM: simple, strict, failing on demand
 * host_kmem.c kernel/mm/kmem.h over malloc, so that ASan sees every object
 * host_paging.c  page tables of arch/arch.h, with a check that flushes are not forgotten
 * host_threads.c  locks, CPUs and windows for tests with real threads
 *
 * Without the last one there is one thread; what others would do is called from hooks.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/types.h"
#include "kernel/sync/spinlock.h"

#define CHECK(cond) ((cond) ? (void)0 : host_check_failed(__FILE__, __LINE__, #cond))
#define CHECK_EQ(a, b) host_check_equal(__FILE__, __LINE__, #a " == " #b, (long)(a), (long)(b))

_Noreturn void host_check_failed(const char *file, int line, const char *what);
void host_check_equal(const char *file, int line, const char *what, long a, long b);

/* Runs fn; true when an assertion of the kernel stopped it. Held locks are forgotten then. */
bool host_stops(void (*fn)(void *arg), void *arg);

/* The CPU that runs, 0 or 1: this_cpu(). */
extern unsigned host_cpu;

unsigned host_locks_held(void);
bool host_holds(enum lock_rank rank);
/* Called before each release; host_paging.c has one that looks for forgotten flushes. */
void host_check_unlock(const struct spinlock *l);

/* What happens in sched_relax, for one test; NULL: nothing. */
extern void (*host_relax)(void);
extern unsigned long host_relax_count;

/* The n-th allocation of host_pmm.c or host_kmem.c from now on fails (once); 0: none. */
void host_fail_alloc(unsigned long n);
bool host_alloc_fails(void); /* for the allocators: counts one allocation */
bool host_failed_alloc(void); /* the armed failure has happened */

/* RAM: physical 0 … bytes, filled with garbage. */
void host_ram_init(uint64_t bytes);
extern char *host_ram;
extern uint64_t host_ram_bytes;

uint64_t host_kmem_objects(void); /* allocated and not freed */

/* Page tables: number of present pages and of tables (each takes a frame). */
uint64_t host_paging_pages(void);
uint64_t host_paging_tables(void);

/* Pseudo-random numbers: the same for the same seed. */
uint64_t host_random(uint64_t *state);
