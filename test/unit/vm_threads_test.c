/* sources: kernel/mm/vm.c kernel/mm/vm_tree.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c
 * kernel/mm/vm_ops.c kernel/mm/vm_limit.c kernel/mm/vm_remap.c
 * kernel/mm/vm_huge.c kernel/mm/vm_object.c kernel/mm/pmm.c kernel/mm/pmm_single.c kernel/mm/kmem.c
 * test/unit/shim/host.c test/unit/shim/host_ram.c test/unit/shim/host_paging.c
 * test/unit/shim/host_threads.c */
/*
 * vm_threads_test.c: the address space, frames and heap under several CPUs at once.
 *
 * What:       each thread keeps a window of its own, whose contents it knows, and tears at a common
 *             one, where anything may happen but corruption. With the real frame allocator and
 *             heap. Build it with -fsanitize=thread to look for races: `vm_threads_test 20000`.
 * Invariants: (1) at the end nothing is mapped and no frame is missing.
 * Locking:    the kernel's own.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/vm.h, pmm.h, kmem.h.
 */
#include <pthread.h>
#include <string.h>

#include "host.h"
#include "host_threads.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/vm_priv.h"

#define THREADS 3u
#define RAM_BYTES (32 * MIB)
#define WINDOW_PAGES 400u
#define PAGES(n) ((n)*PAGE_SIZE)
#define COMMON (GIB - PAGES(WINDOW_PAGES / 2))
#define RW (VM_PROT_READ | VM_PROT_WRITE)

struct worker {
	pthread_t thread;
	unsigned number;
	uint64_t seed, base;
	bool mapped[WINDOW_PAGES];
	uint8_t value[WINDOW_PAGES];
};

static unsigned long steps;

/* The byte of a page as a CPU would reach it, under the lock that keeps the page there. */
static bool access_page(uint64_t addr, bool write, uint8_t *value)
{
	unsigned need = write ? PAGING_WRITE : PAGING_READ, flags = 0;
	uint64_t bytes;
	bool done = false;
	uint8_t *p;
	paddr_t pa;

	for (unsigned tries = 0; !done && tries < 50; tries++) {
		if (vm_fault(addr, write ? VM_PROT_WRITE : VM_PROT_READ) != VM_FAULT_OK)
			return false;
		spin_lock(&vm.lock);
		done = paging_lookup(addr, &pa, &flags, &bytes) && (flags & need);
		if (done) {
			p = phys_to_virt(pa);
			CHECK_EQ(p[0], p[PAGE_SIZE - 1]);
			if (write)
				memset(p, *value, PAGE_SIZE);
			*value = p[0];
		}
		spin_unlock(&vm.lock);
	}
	return done;
}

static void map_range(uint64_t addr, unsigned pages)
{
	struct vm_request r = {
		.addr = addr, .bytes = PAGES(pages), .prot = RW, .flags = VM_FIXED
	};
	uint64_t got;

	CHECK(vm_map(&r, &got) == 0 && got == addr);
}

static void step_own(struct worker *w, uint64_t r)
{
	unsigned first = (unsigned)(r >> 8) % WINDOW_PAGES, count = 1 + (unsigned)(r >> 24) % 24;
	uint8_t value = 1 + (uint8_t)(r >> 40) % 255, seen = value;

	count = MIN(count, WINDOW_PAGES - first);
	if (r % 8 < 2) {
		map_range(w->base + PAGES(first), count);
		memset(&w->mapped[first], 1, count);
		memset(&w->value[first], 0, count);
	} else if (r % 8 == 2) {
		CHECK_EQ(vm_unmap(w->base + PAGES(first), PAGES(count)), 0);
		memset(&w->mapped[first], 0, count);
	} else if (r % 8 == 3) {
		(void)!vm_discard(w->base + PAGES(first), PAGES(count), false);
		memset(&w->value[first], 0, count);
	} else {
		CHECK_EQ(access_page(w->base + PAGES(first), r & 16, &seen), w->mapped[first]);
		if (w->mapped[first] && r & 16)
			w->value[first] = value;
		else if (w->mapped[first])
			CHECK_EQ(seen, w->value[first]);
	}
}

static void step_common(uint64_t r)
{
	uint64_t addr = COMMON + PAGES((r >> 8) % WINDOW_PAGES), bytes = PAGES(1 + (r >> 24) % 64),
		 to;
	uint8_t value = (uint8_t)r;
	struct vm_stats stats;

	switch (r >> 4 & 7) {
	case 0:
		map_range(addr, (unsigned)(bytes / PAGE_SIZE));
		break;
	case 1:
		CHECK_EQ(vm_unmap(addr, bytes), 0);
		break;
	case 2:
		(void)!vm_protect(addr, bytes, r >> 60 ? RW : VM_PROT_READ);
		break;
	case 3:
		(void)!vm_discard(addr, bytes, false);
		break;
	case 4:
		(void)!vm_remap(addr, PAGE_SIZE, PAGES(2), true,
			COMMON + PAGES((r >> 40) % WINDOW_PAGES), &to);
		break;
	case 5:
		vm_get_stats(&stats);
		CHECK(stats.resident_pages <= pmm_total_pages());
		break;
	default:
		(void)access_page(addr, r & 8, &value);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	void *kept[16] = { NULL };

	host_thread_enter(w->number);
	for (unsigned long i = 0; i < steps; i++) {
		uint64_t r = host_random(&w->seed);

		step_own(w, r);
		step_common(host_random(&w->seed));
		kmem_free(kept[r % 16]);
		kept[r % 16] = kmem_alloc(1 + (r >> 20) % 3000);
	}
	for (unsigned i = 0; i < 16; i++)
		kmem_free(kept[i]);
	CHECK_EQ(vm_unmap(w->base, PAGES(WINDOW_PAGES)), 0);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS];
	uint64_t kept;

	steps = argc > 1 ? strtoul(argv[1], NULL, 0) : 1500;
	host_thread_enter(THREADS);
	host_ram_init(RAM_BYTES);
	pmm_init(RAM_BYTES, PAGE_SIZE);
	pmm_add_range(MIB, RAM_BYTES);
	vm_init();
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].number = i;
		workers[i].seed = i + 1;
		workers[i].base = (8 + i) * GIB - PAGES(WINDOW_PAGES / 2);
		CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(workers[i].thread, NULL) == 0);
	CHECK_EQ(vm_unmap(VM_LOWEST, VM_HIGHEST - VM_LOWEST), 0);
	CHECK_EQ(host_paging_tables(), 0);
	CHECK_EQ(kmem_used_bytes(), 0);
	kept = pmm_total_pages() - pmm_free_pages();
	CHECK(kept <= 15); /* (1); the heap keeps a page per class */
	return 0;
}
