/*
 * vm.c: the program's address space: making and removing mappings, and what is asked about them.
 *
 * What:       a call checks its arguments, takes vm.lock, checks the mappings it touches, splits
 *             them at its borders (the only step that needs memory), and then acts, which cannot
 *             fail. A range with many pages is emptied in batches with windows for interrupts, its
 *             mappings still in place, so nobody else can be given the addresses meanwhile.
 * Invariants: (1) addresses without a mapping have no pages.
 *             (2) VM_KERNEL mappings never change; the image's change their protection only.
 *             See vm_tree.c and vm_pages.c for theirs.
 * Locking:    vm.lock inside; LOCK_KMEM and LOCK_PMM below it. Callers hold no lock: windows.
 * Failure:    -errno as in vm.h; a failed call has changed nothing a program can see, save that
 *             pages of a range it asked to replace may be gone when memory ran out midway, and
 *             all of it when another thread forbade the object to be written meanwhile.
 * Source:     mmap(2), munmap(2); Go's runtime/mem_linux.go.
 */
#include "kernel/mm/vm.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/vm_priv.h"
#include "kernel/sched/sched.h"

#define PROT_ALL (VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC)
#define POPULATE_BATCH_PAGES 64u
/* Where VM_LOW mappings lie: Linux's own bounds. */
#define LOW_START (1 * GIB)
#define LOW_END (2 * GIB)
#define FILL_KEEPS_FREE 16u /* filling stops when this part of RAM is left */

struct vm_space vm = {
	.lock = SPINLOCK_INIT(LOCK_VM),
	.tree = RB_INITIALIZER(&vm.tree),
	.limit_bytes = UINT64_MAX,
	.limit_data_bytes = UINT64_MAX,
	.limit_stack_bytes = VM_STACK_MAX_BYTES,
};

void vm_init(void)
{
	ASSERT(vm.count == 0);
	RB_INIT(&vm.tree);
}

/* ------------------------------------------------------------------ checks */
bool vm_check_range(uint64_t addr, uint64_t *bytes)
{
	if (addr & PAGE_MASK || *bytes > ARCH_USER_END || addr > ARCH_USER_END)
		return false;
	*bytes = ROUND_UP(*bytes, PAGE_SIZE);
	return *bytes <= ARCH_USER_END - addr;
}

bool vm_has_image_locked(uint64_t start, uint64_t end)
{
	for (struct vma *v = vma_find_locked(start); v && v->start < end; v = vma_next_locked(v))
		if (v->flags & (VM_KERNEL | VMA_IMAGE))
			return true;
	return false;
}

bool vm_is_covered_locked(uint64_t start, uint64_t end)
{
	struct vma *v = vma_at_locked(start);

	while (start < end) {
		if (!v || v->start > start)
			return false;
		start = v->end;
		v = vma_next_locked(v);
	}
	return true;
}

bool vm_is_mapped(uint64_t addr, uint64_t bytes)
{
	bool covered;

	if (!vm_check_range(ROUND_DOWN(addr, PAGE_SIZE), &bytes))
		return false;
	spin_lock(&vm.lock);
	covered = vm_is_covered_locked(addr, addr + bytes);
	spin_unlock(&vm.lock);
	return covered;
}

bool vm_is_readable(uint64_t addr, uint64_t bytes, bool write)
{
	uint64_t end;
	bool is;
	struct vma *v;

	if (!vm_check_range(addr, &bytes))
		return false;
	end = addr + bytes;
	spin_lock(&vm.lock);
	is = vm_is_covered_locked(addr, end);
	for (v = vma_find_locked(addr); is && v && v->start < end; v = vma_next_locked(v))
		is = write ? v->prot & VM_PROT_WRITE : v->prot != VM_PROT_NONE;
	spin_unlock(&vm.lock);
	return is;
}

bool vm_is_impossible(uint64_t bytes)
{
	return bytes > (pmm_total_pages() << PAGE_SHIFT) + VM_OVERCOMMIT_BYTES;
}

static bool is_free_locked(uint64_t addr, uint64_t bytes)
{
	struct vma *v;

	if (addr < VM_LOWEST || addr > VM_HIGHEST || bytes > VM_HIGHEST - addr)
		return false;
	v = vma_find_locked(addr);
	return !v || v->start >= addr + bytes;
}

int vm_choose_locked(uint64_t hint, uint64_t bytes, uint64_t *addr)
{
	lock_assert_held(&vm.lock);
	*addr = hint;
	if (hint != 0 && is_free_locked(hint, bytes))
		return 0;
	*addr = vma_find_hole_locked(bytes);
	return *addr ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ clearing */
static int prepare_clear_locked(uint64_t start, uint64_t end, bool adds_one)
{
	if (vm_has_image_locked(start, end))
		return -EINVAL;
	if (adds_one && vm.count > VM_MAPPINGS_MAX)
		return -ENOMEM;
	return vma_split_locked(start, end);
}

static void take_all_locked(uint64_t start, uint64_t end, struct vma **dead)
{
	struct vma *v = vma_find_locked(start), *next;

	for (; v && v->start < end; v = next) {
		next = vma_next_locked(v);
		vma_take_locked(v, dead);
	}
}

int vm_clear_range_lock(uint64_t start, uint64_t end, bool adds_one, struct vma **dead)
{
	uint64_t at = start;
	int err;

	for (;;) {
		spin_lock(&vm.lock);
		err = prepare_clear_locked(start, end, adds_one);
		if (err) {
			vma_merge_locked(start, end, dead);
			spin_unlock(&vm.lock);
			return err;
		}
		at = vm_drop_batch_locked(at, end);
		if (at >= end)
			break;
		spin_unlock(&vm.lock);
		sched_relax();
	}
	vm_drop_locked(start, end); /* what another thread touched in a window */
	take_all_locked(start, end, dead);
	return 0;
}

int vm_unmap(uint64_t addr, uint64_t bytes)
{
	struct vma *dead = NULL;
	int err;

	if (bytes == 0 || !vm_check_range(addr, &bytes))
		return -EINVAL;
	err = vm_clear_range_lock(addr, addr + bytes, false, &dead);
	if (!err) {
		vm_prune_locked(addr, addr + bytes);
		DASSERT(vm.count > 64 || vma_tree_is_sane_locked());
		spin_unlock(&vm.lock);
	}
	vma_bury(dead);
	return err;
}

/* ------------------------------------------------------------------ mapping */
/* Of a request with an object: its owner lets no new shared mapping write. */
static bool is_denied(const struct vm_request *r)
{
	return r->flags & VM_SHARED &&
		atomic_load_explicit(&r->object->no_new_writers, memory_order_relaxed);
}

static bool wants_denied(const struct vm_request *r)
{
	return r->prot & VM_PROT_WRITE && is_denied(r);
}

/* Checks r; its size in pages, rounded, to bytes. */
static int check_request(const struct vm_request *r, uint64_t *bytes)
{
	bool fixed = r->flags & (VM_FIXED | VM_FIXED_NOREPLACE);

	*bytes = r->bytes;
	if (r->bytes == 0 || r->prot & ~(unsigned)PROT_ALL || r->offset_bytes & PAGE_MASK)
		return -EINVAL;
	if (fixed && r->addr & PAGE_MASK)
		return -EINVAL;
	if (r->bytes > VM_HIGHEST - VM_LOWEST)
		return -ENOMEM;
	*bytes = ROUND_UP(r->bytes, PAGE_SIZE);
	if (fixed && r->addr < VM_LOWEST)
		return -EPERM;
	if (fixed && (r->addr > VM_HIGHEST || *bytes > VM_HIGHEST - r->addr))
		return -ENOMEM;
	if (r->object && r->offset_bytes + *bytes < r->offset_bytes)
		return -EOVERFLOW;
	if (r->prot & VM_PROT_WRITE && !r->object && !(r->flags & VM_UNCOUNTED) &&
		vm_is_impossible(*bytes))
		return -ENOMEM;
	return r->object && wants_denied(r) ? -EPERM : 0;
}

static int choose_for_locked(const struct vm_request *r, uint64_t bytes, uint64_t *addr)
{
	uint64_t hint = ROUND_DOWN(r->addr, PAGE_SIZE);

	if (!(r->flags & VM_LOW) ||
		(hint && hint + bytes <= LOW_END && is_free_locked(hint, bytes)))
		return vm_choose_locked(hint, bytes, addr);
	*addr = bytes < LOW_END ? vma_find_low_hole_locked(bytes, LOW_START, LOW_END) : 0;
	return *addr ? 0 : -ENOMEM;
}

/* Decides where, makes room there, and leaves the lock held; on error it is not held. */
static int place_lock(const struct vm_request *r, uint64_t bytes, uint64_t *addr, struct vma **dead)
{
	bool is_data = vm_is_data(r->prot, r->flags);
	int err = 0;

	*addr = r->addr;
	if (r->flags & VM_FIXED && !(r->flags & VM_FIXED_NOREPLACE)) {
		if (!vm_may_replace(*addr, *addr + bytes, is_data))
			return -ENOMEM;
		err = vm_clear_range_lock(*addr, *addr + bytes, true, dead);
		if (err)
			return err;
	} else {
		spin_lock(&vm.lock);
		if (vm.count > VM_MAPPINGS_MAX)
			err = -ENOMEM;
		else if (!(r->flags & VM_FIXED_NOREPLACE))
			err = choose_for_locked(r, bytes, addr);
		else if (!is_free_locked(*addr, bytes))
			err = -EEXIST;
		if (!err && !vm_may_add_locked(bytes, is_data))
			err = -ENOMEM;
	}
	if (err)
		spin_unlock(&vm.lock);
	return err;
}

/* Adds v as r says. */
static int add_locked(const struct vm_request *r, unsigned more_flags, struct vma *v,
	struct vma **dead)
{
	lock_assert_held(&vm.lock);
	if (r->object && wants_denied(r))
		return -EPERM; /* since vm_map looked */
	v->prot = r->prot;
	v->flags = (r->flags & VMA_KEPT_FLAGS) | more_flags | vm.future_flags;
	v->object = r->object;
	if (v->object) {
		v->offset_bytes = r->offset_bytes;
		v->object->ops->get(v->object);
		if (is_denied(r))
			v->flags |= VM_NEVER_WRITE;
	}
	vma_add_locked(v, dead);
	DASSERT(vm.count > 64 || vma_tree_is_sane_locked());
	return 0;
}

static int map(const struct vm_request *r, unsigned more_flags, uint64_t *addr, uint64_t bytes)
{
	struct vma *v = kmem_zalloc(sizeof(*v)), *dead = NULL;
	int err;

	if (!v)
		return -ENOMEM;
	err = place_lock(r, bytes, addr, &dead);
	if (!err) {
		v->start = *addr;
		v->end = *addr + bytes;
		err = add_locked(r, more_flags, v, &dead);
		if (err)
			vm_prune_locked(v->start, v->end);
		spin_unlock(&vm.lock);
	}
	if (err)
		kmem_free(v);
	vma_bury(dead);
	return err;
}

static bool fills_future(void)
{
	bool fills;

	spin_lock(&vm.lock);
	fills = vm.fills_future;
	spin_unlock(&vm.lock);
	return fills;
}

int vm_map(const struct vm_request *r, uint64_t *addr)
{
	uint64_t bytes;
	int err = check_request(r, &bytes);

	if (err)
		return err;
	err = map(r, 0, addr, bytes);
	if (!err && r->prot != VM_PROT_NONE && (r->flags & VM_POPULATE || fills_future()))
		vm_fill(*addr, bytes);
	return err;
}

int vm_map_image(uint64_t addr, uint64_t bytes, unsigned prot, unsigned flags)
{
	struct vm_request r = {
		.addr = addr, .bytes = bytes, .prot = prot, .flags = VM_FIXED_NOREPLACE | flags
	};
	unsigned written = prot & VM_PROT_WRITE ? VMA_WRITTEN : 0;
	int err;

	/* Not check_request: an image may be larger than what it leaves of RAM. */
	if (bytes == 0 || addr < VM_LOWEST || !vm_check_range(addr, &r.bytes))
		return -EINVAL;
	err = map(&r, VMA_IMAGE | written, &addr, r.bytes);
	return err;
}

int vm_populate(uint64_t addr, uint64_t bytes, bool write)
{
	unsigned access = write ? VM_PROT_WRITE : VM_PROT_READ;

	if (!vm_check_range(addr, &bytes))
		return -EINVAL;
	if (!vm_is_mapped(addr, bytes))
		return -ENOMEM;
	for (uint64_t done = 0; done < bytes; done += PAGE_SIZE) {
		enum vm_fault_result r = vm_fault(addr + done, access);

		if (r == VM_FAULT_NO_MEMORY || r == VM_FAULT_MAPERR)
			return -ENOMEM;
		if (r != VM_FAULT_OK)
			return -EFAULT;
		if (done / PAGE_SIZE % POPULATE_BATCH_PAGES == POPULATE_BATCH_PAGES - 1)
			sched_relax();
	}
	return 0;
}

/* The next piece of [at, end) that may be filled, one mapping or part of one. */
static bool next_filled_piece(uint64_t at, uint64_t end, struct vm_region *piece)
{
	struct vma *v;

	spin_lock(&vm.lock);
	for (v = vma_find_locked(at); v && v->start < end; v = vma_next_locked(v))
		if (v->prot != VM_PROT_NONE && !(v->flags & VMA_IMAGE))
			break;
	if (v) {
		piece->start = MAX(v->start, at);
		piece->end = MIN(v->end, end);
		piece->prot = v->prot;
	}
	spin_unlock(&vm.lock);
	return v && piece->start < end;
}

void vm_fill(uint64_t addr, uint64_t bytes)
{
	uint64_t end = addr + bytes, step = POPULATE_BATCH_PAGES * PAGE_SIZE;
	struct vm_region p;

	while (addr < end && next_filled_piece(addr, end, &p)) {
		bool write = p.prot & VM_PROT_WRITE;

		addr = MIN(p.end, p.start + step);
		/* Without memory the first touch will say so, and beyond a file's end too. */
		if (pmm_free_pages() < pmm_total_pages() / FILL_KEEPS_FREE)
			return;
		if (vm_populate(p.start, addr - p.start, write) != 0)
			addr = p.end;
	}
}

/* ------------------------------------------------------------------ questions */
bool vm_find_stack(uint64_t addr, uint64_t *start)
{
	bool found;
	struct vma *v;

	spin_lock(&vm.lock);
	v = vma_at_locked(addr);
	found = v && v->flags & VM_GROWS_DOWN;
	if (found)
		*start = v->start;
	spin_unlock(&vm.lock);
	return found;
}

void vm_get_stats(struct vm_stats *s)
{
	spin_lock(&vm.lock);
	s->mappings = vm.count;
	s->reserved_bytes = vm.reserved_bytes;
	s->resident_pages = vm.resident_pages;
	s->resident_peak_pages = vm.resident_peak_pages;
	s->object_pages = vm.object_pages;
	spin_unlock(&vm.lock);
}

/* The first mapping that ends above addr, with a reference to its object. */
static bool get_region(uint64_t addr, struct vm_region *out)
{
	struct vma *v;

	spin_lock(&vm.lock);
	v = vma_find_locked(addr);
	if (v) {
		*out = (struct vm_region){ .start = v->start,
			.end = v->end,
			.offset_bytes = v->offset_bytes,
			.prot = v->prot,
			.flags = v->flags & VMA_KEPT_FLAGS,
			.object = v->object };
		if (v->object)
			v->object->ops->get(v->object);
	}
	spin_unlock(&vm.lock);
	return v != NULL;
}

void vm_each(int (*fn)(const struct vm_region *r, void *arg), void *arg)
{
	struct vm_region r;
	int stop = 0;

	lock_assert_none();
	for (uint64_t at = 0; !stop && get_region(at, &r); at = r.end) {
		stop = fn(&r, arg);
		if (r.object)
			r.object->ops->put(r.object);
		sched_relax();
	}
}
