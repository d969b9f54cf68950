/*
 * vm_steps.c: steps of the address space's tests.
 *
 * What:       see the header.
 * Invariants: (1) after a test nothing is mapped and nothing has leaked.
 * Locking:    one thread; LOCK_VM is feigned to look into the page tables.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/vm.h.
 */
#include "vm_steps.h"

static struct spinlock peek = SPINLOCK_INIT(LOCK_VM);

int map(uint64_t *addr, uint64_t bytes, unsigned prot, unsigned flags)
{
	struct vm_request r = { .addr = *addr, .bytes = bytes, .prot = prot, .flags = flags };

	return vm_map(&r, addr);
}

uint64_t map_any(uint64_t bytes, unsigned prot)
{
	uint64_t addr = 0;

	CHECK_EQ(map(&addr, bytes, prot, 0), 0);
	return addr;
}

pfn_t frame_at(uint64_t addr, unsigned *flags)
{
	uint64_t bytes;
	paddr_t pa;
	bool present;

	spin_lock(&peek);
	present = paging_lookup(ROUND_DOWN(addr, PAGE_SIZE), &pa, flags, &bytes);
	spin_unlock(&peek);
	return present ? pa >> PAGE_SHIFT : PFN_NONE;
}

enum vm_fault_result touch(uint64_t addr, bool store, uint8_t **byte)
{
	unsigned flags = 0;
	enum vm_fault_result r = VM_FAULT_OK;
	pfn_t pfn = frame_at(addr, &flags);

	if (pfn == PFN_NONE || !(flags & (store ? PAGING_WRITE : PAGING_READ)))
		r = vm_fault(addr, store ? VM_PROT_WRITE : VM_PROT_READ);
	if (r != VM_FAULT_OK)
		return r;
	pfn = frame_at(addr, &flags);
	CHECK(pfn != PFN_NONE && flags & (store ? PAGING_WRITE : PAGING_READ));
	*byte = (uint8_t *)pfn_to_virt(pfn) + (addr & PAGE_MASK);
	return VM_FAULT_OK;
}

uint8_t load(uint64_t addr)
{
	uint8_t *p = NULL;

	CHECK_EQ(touch(addr, false, &p), VM_FAULT_OK);
	return *p;
}

void store(uint64_t addr, uint8_t v)
{
	uint8_t *p = NULL;

	CHECK_EQ(touch(addr, true, &p), VM_FAULT_OK);
	*p = v;
}

uint64_t resident(void)
{
	struct vm_stats s;

	vm_get_stats(&s);
	return s.resident_pages;
}

uint64_t resident_of_objects(void)
{
	struct vm_stats s;

	vm_get_stats(&s);
	return s.object_pages;
}

uint64_t mappings(void)
{
	struct vm_stats s;

	vm_get_stats(&s);
	return s.mappings;
}

void unmap(uint64_t addr, uint64_t bytes)
{
	CHECK_EQ(vm_unmap(addr, bytes), 0);
}

/* ------------------------------------------------------------------ an object */
struct steps_file file;

static void file_get(struct vm_object *o)
{
	(void)o;
	file.refs++;
}

static void file_put(struct vm_object *o)
{
	(void)o;
	file.refs--;
}

static int file_page(struct vm_object *o, uint64_t index, bool write, pfn_t *pfn)
{
	CHECK(o == &file.base && host_locks_held() == 0);
	if (file.on_page)
		file.on_page();
	if (file.error)
		return file.error;
	if (index >= FILE_PAGES)
		return -EFAULT;
	file.writes += write;
	pmm_get(file.frames[index]);
	*pfn = file.frames[index];
	return 0;
}

static int file_sync(struct vm_object *o, uint64_t first, uint64_t last)
{
	file.syncs++;
	vm_object_clean(o, first, last);
	return 0;
}

static const struct vm_object_ops file_ops = { file_get, file_put, file_page, file_sync, NULL };

uint64_t map_file(uint64_t pages, unsigned prot, unsigned flags, uint64_t first)
{
	struct vm_request r = { .bytes = PAGES(pages),
		.prot = prot,
		.flags = flags,
		.object = &file.base,
		.offset_bytes = PAGES(first) };
	uint64_t addr;

	CHECK_EQ(vm_map(&r, &addr), 0);
	return addr;
}

static void file_setup(void)
{
	file.base.ops = &file_ops;
	file.refs = 1;
	file.on_page = NULL;
	file.error = 0;
	file.writes = 0;
	for (unsigned i = 0; i < FILE_PAGES; i++) {
		file.frames[i] = pmm_alloc(0, PMM_CACHE);
		memset(pfn_to_virt(file.frames[i]), 'a' + (int)i, PAGE_SIZE);
	}
}

static void file_teardown(void)
{
	CHECK_EQ(file.refs, 1);
	for (unsigned i = 0; i < FILE_PAGES; i++) {
		CHECK_EQ(pmm_frame(file.frames[i])->refs, 1);
		pmm_put(file.frames[i]);
	}
}

void put_image_page(uint64_t addr, unsigned flags)
{
	spin_lock(&peek);
	CHECK_EQ(paging_map(addr, addr, flags), 0);
	spin_unlock(&peek);
}

/* ------------------------------------------------------------------ one test */
void setup_machine(void)
{
	host_ram_init(STEPS_RAM_BYTES);
	pmm_init(STEPS_RAM_BYTES, PAGE_SIZE);
	pmm_add_range(8 * MIB, STEPS_RAM_BYTES);
	vm_init();
}

void run_test(const char *name, void (*test)(void), bool may_leave_mappings)
{
	uint64_t frames = pmm_free_pages(), objects = host_kmem_objects(), maps = mappings();

	file_setup();
	test();
	file_teardown();
	host_relax = NULL;
	CHECK_EQ(host_locks_held(), 0);
	if (may_leave_mappings)
		return;
	if (mappings() != maps || host_paging_tables() || host_kmem_objects() != objects ||
		pmm_free_pages() != frames) /* (1) */
		host_check_failed(__FILE__, __LINE__, name);
}
