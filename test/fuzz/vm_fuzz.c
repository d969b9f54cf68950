/* sources: kernel/mm/vm.c kernel/mm/vm_tree.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c
 * kernel/mm/vm_ops.c kernel/mm/vm_limit.c kernel/mm/vm_remap.c kernel/mm/vm_huge.c
 * kernel/mm/vm_object.c test/fuzz/vm_model.c test/fuzz/vm_objects.c test/unit/shim/host.c
 * test/unit/shim/host_ram.c test/unit/shim/host_pmm.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_paging.c */
/*
 * vm_fuzz.c: random sequences of memory calls and faults, equal page by page to a model.
 *
 * What:       bytes of the input choose calls and arguments inside a window of WINDOW_PAGES; the
 *             rest of the address space is taken, so that every address the kernel chooses can be
 *             predicted. After each call mappings, rights, contents and counters are compared with
 *             vm_model.c. Calls of "other threads" run when a window opens or an object is asked.
 *             A libFuzzer target; test/unit/vm_fuzz_test.c feeds it random bytes.
 * Invariants: (1) at the end of an input all is unmapped, and no frame, node, table or reference
 *             is left.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/mm/vm.h.
 */
#include <stdint.h>
#include <string.h>

#include "base/errno.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "test/fuzz/vm_model.h"
#include "test/unit/shim/host.h"

#define RAM_BYTES (12 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void other_thread(void);

static struct {
	const uint8_t *data;
	size_t left;
	bool nested; /* an "other thread" runs */
	bool was_disturbed; /* … and has done something during this call */
	bool is_failing; /* an allocation of this call is going to fail */
} fuzz;

static unsigned next_byte(void)
{
	if (fuzz.left == 0)
		return 0;
	fuzz.left--;
	return *fuzz.data++;
}

static unsigned next_number(unsigned limit)
{
	unsigned high = next_byte();

	return (high << 8 | next_byte()) % limit;
}

/* Mostly near one of four places, so that calls meet. */
static unsigned next_page(void)
{
	unsigned how = next_byte();

	if (how >= 224)
		return next_number(WINDOW_PAGES);
	return how % 4 * (WINDOW_PAGES / 4) + (how >> 2) % 8;
}

/* A range in pages, mostly short, sometimes everything. */
static void next_range(unsigned *first, unsigned *count)
{
	unsigned how = next_byte();

	if (how < 12) {
		*first = 0;
		*count = WINDOW_PAGES;
		return;
	}
	*first = next_page();
	*count = 1 + next_number(how % 4 ? 12 : WINDOW_PAGES);
	if (*count > WINDOW_PAGES - *first)
		*count = WINDOW_PAGES - *first;
}

/* ------------------------------------------------------------------ failures */
static void arm_failure(void)
{
	unsigned n = next_byte();

	fuzz.is_failing = !fuzz.nested && n % 8 == 0;
	host_fail_alloc(fuzz.is_failing ? 1 + n / 8 % 8 : 0);
}

/* Whether err is the armed failure; disarms it. */
static bool is_injected(int err)
{
	bool failed = fuzz.is_failing && host_failed_alloc();

	host_fail_alloc(0);
	return failed && err == -ENOMEM;
}

/* ------------------------------------------------------------------ calls */
static void do_map(void)
{
	static const unsigned modes[] = { 0, 0, VM_FIXED, VM_FIXED, VM_FIXED_NOREPLACE, 0 };
	struct model_page as = { .mapped = true };
	struct vm_request r = { 0 };
	unsigned first, count, mode, kind;
	uint64_t addr = 0;
	int err, expected;
	bool is_denied;

	next_range(&first, &count);
	mode = next_byte() % 6;
	kind = next_byte();
	as.prot = kind % 3 ? VM_PROT_READ | VM_PROT_WRITE : next_byte() % 8;
	as.shared = (kind & 0x10) != 0;
	as.object = kind & 0x20 ? 1 + (kind >> 6 & 1) : 0;
	as.never_write = as.object && as.shared && (kind & 8);
	if (as.never_write)
		as.prot &= ~(unsigned)VM_PROT_WRITE;
	is_denied = as.shared && model_object_is_denied(as.object);
	as.index = as.object ? next_number(OBJECT_PAGES) : 0;
	r.addr = mode == 5 ? 0 : model_addr(first);
	r.bytes = count * PAGE_SIZE - (mode < 2 ? 5 : 0);
	r.prot = as.prot;
	r.flags = modes[mode] | (as.shared ? VM_SHARED : 0u) |
		(as.never_write ? VM_NEVER_WRITE : 0u);
	r.object = model_object(as.object);
	r.offset_bytes = as.index * PAGE_SIZE;
	arm_failure();
	err = vm_map(&r, &addr);
	if (is_injected(err))
		return;
	if (is_denied && as.prot & VM_PROT_WRITE)
		expected = -EPERM;
	else
		expected = model_place(&first, count, mode == 5, modes[mode]);
	CHECK_EQ(err, expected);
	if (err)
		return;
	CHECK_EQ(addr, model_addr(first));
	as.never_write |= is_denied;
	model_map(first, count, &as);
}

static void do_unmap(void)
{
	unsigned first, count;
	int err;

	next_range(&first, &count);
	arm_failure();
	err = vm_unmap(model_addr(first), count * PAGE_SIZE - 9);
	if (is_injected(err))
		return;
	CHECK_EQ(err, 0);
	model_unmap(first, count);
}

static void do_protect(void)
{
	unsigned first, count, all, prot;
	int err, expected;

	next_range(&first, &count);
	all = count;
	prot = next_byte() % 8;
	expected = model_can_protect(first, &count, prot);
	arm_failure();
	/* The mappings change at once, before any window opens. */
	if (!fuzz.is_failing)
		model_protect(first, count, prot);
	err = vm_protect(model_addr(first), all * PAGE_SIZE, prot);
	if (is_injected(err))
		return;
	CHECK_EQ(err, expected);
	if (fuzz.is_failing)
		model_protect(first, count, prot);
}

static void do_discard(void)
{
	unsigned first, count, all;
	int err, expected;
	bool own_only;

	next_range(&first, &count);
	all = count;
	own_only = next_byte() % 4 == 0;
	expected = model_can_discard(first, &count, own_only);
	err = vm_discard(model_addr(first), all * PAGE_SIZE, own_only);
	CHECK(fuzz.was_disturbed || err == expected);
	model_discard(first, fuzz.was_disturbed ? all : count, fuzz.was_disturbed);
}

static void do_advise(void)
{
	static const unsigned set[] = { VM_LOCKED, 0, VM_HUGE, VM_HUGE, VM_NO_HUGE, VM_HUGE };
	static const unsigned clear[] = { 0, VM_LOCKED, VM_NO_HUGE, VM_NO_HUGE, VM_HUGE,
		VM_NO_HUGE };
	unsigned first, count, how;
	int err;

	next_range(&first, &count);
	how = next_byte() % 6;
	err = vm_advise(model_addr(first), count * PAGE_SIZE, set[how], clear[how]);
	CHECK_EQ(err, model_is_covered(first, count) ? 0 : -ENOMEM);
	model_advise(first, count, set[how], clear[how]);
}

/* What is in memory stays the same; whether it is one page or 512 the program cannot see. */
static void do_collapse(void)
{
	unsigned first, count;
	int err;

	next_range(&first, &count);
	err = vm_collapse(model_addr(first), count * PAGE_SIZE);
	CHECK(err == 0 || err == -EINVAL || err == -ENOMEM);
}

static void do_touch(void)
{
	static const unsigned accesses[] = { VM_PROT_READ, VM_PROT_WRITE, VM_PROT_WRITE,
		VM_PROT_EXEC };
	unsigned page = next_page(), access = accesses[next_byte() % 4];
	unsigned value = 1 + next_number(255);
	enum vm_fault_result got = VM_FAULT_OK;
	bool injected;

	arm_failure();
	for (unsigned tries = 0; got == VM_FAULT_OK; tries++) {
		CHECK(tries < 3 || fuzz.was_disturbed);
		if (model_try_access(page, access, value, fuzz.nested || fuzz.was_disturbed))
			break;
		got = vm_fault(model_addr(page) + value, access);
	}
	injected = is_injected(-ENOMEM);
	if (got == VM_FAULT_NO_MEMORY)
		CHECK(injected);
	else if (!fuzz.was_disturbed && !fuzz.nested)
		CHECK_EQ(got, model_fault(page, access));
}

/* Many pages at once, so that batches fill up. */
static void do_populate(void)
{
	unsigned first, count;
	bool write;
	int err;

	next_range(&first, &count);
	write = next_byte() & 1;
	err = vm_populate(model_addr(first), count * PAGE_SIZE, write);
	if (!fuzz.was_disturbed)
		CHECK_EQ(err, model_populate(first, count, write));
	model_note_copies(first, count, fuzz.was_disturbed);
}

static void do_resident(void)
{
	uint8_t resident[WINDOW_PAGES];
	unsigned first, count;
	int err;

	next_range(&first, &count);
	err = vm_resident(model_addr(first), count * PAGE_SIZE, resident);
	CHECK_EQ(err, model_is_covered(first, count) ? 0 : -ENOMEM);
	for (unsigned i = 0; i < count && !err; i++)
		CHECK_EQ(resident[i], model_is_present(first + i));
}

static void do_sync(void)
{
	unsigned first, count;
	int err;

	next_range(&first, &count);
	err = vm_sync(model_addr(first), count * PAGE_SIZE);
	if (fuzz.was_disturbed)
		return;
	CHECK_EQ(err, model_is_covered(first, count) ? 0 : -ENOMEM);
	model_check_clean(first, count);
}

static void do_remap(void)
{
	struct model_remap m = { 0 };
	unsigned limit, kind;
	uint64_t addr = 0;
	int err, expected;

	next_range(&m.first, &m.old_count);
	limit = next_byte() % 4 ? 16 : WINDOW_PAGES;
	m.new_count = 1 + next_number(limit);
	m.may_move = next_byte() % 4 != 0;
	m.is_fixed = next_byte() % 3 == 0;
	m.to = next_page();
	kind = next_byte();
	m.keeps_old = kind % 4 == 0;
	if (m.keeps_old && kind % 8 == 0)
		m.new_count = m.old_count;
	if (kind % 16 == 1)
		m.old_count = 0;
	expected = model_can_remap(&m);
	arm_failure();
	host_relax = NULL; /* where it lands depends on when others come */
	err = vm_remap(model_addr(m.first), m.old_count ? m.old_count * PAGE_SIZE - 1 : 0,
		m.new_count * PAGE_SIZE,
		(m.may_move ? VM_REMAP_MAY_MOVE : 0u) | (m.keeps_old ? VM_REMAP_KEEP_OLD : 0u),
		m.is_fixed ? model_addr(m.to) : 0, &addr);
	host_relax = other_thread;
	if (is_injected(err)) {
		model_remap_failed(&m);
		return;
	}
	CHECK_EQ(err, expected);
	if (err)
		return;
	CHECK_EQ(addr, model_addr(m.to));
	model_remap(&m);
}

/* Mostly cuts off; sometimes makes a hole, seldom forbids to write. */
static void do_truncate(void)
{
	unsigned how = next_byte(), number = 1 + how % OBJECTS, first, count;

	if (how >= 250 && !fuzz.nested) {
		model_deny_write(number, how % 4 < 2);
		return;
	}
	if (how < 160) {
		model_truncate(number, next_number(OBJECT_PAGES + 1));
		return;
	}
	first = next_number(OBJECT_PAGES);
	count = 1 + next_byte() % (OBJECT_PAGES - first);
	model_object_make_hole(number, first, count);
	if (!fuzz.was_disturbed)
		model_check_hole(number, first, count);
}

/* ------------------------------------------------------------------ driver */
static void do_one(void)
{
	static void (*const calls[])(void) = { do_map, do_map, do_map, do_unmap, do_protect,
		do_protect, do_discard, do_touch, do_touch, do_touch, do_touch, do_populate,
		do_resident, do_sync, do_remap, do_remap, do_truncate, do_advise, do_advise,
		do_collapse };

	fuzz.was_disturbed = false;
	calls[next_byte() % ARRAY_LEN(calls)]();
}

/* What another thread does while the call of this one has let go of the lock. */
static void other_thread(void)
{
	static void (*const calls[])(void) = { do_map, do_unmap, do_protect, do_touch,
		do_truncate };
	unsigned what = next_byte();

	if (fuzz.nested || fuzz.is_failing || what % 2)
		return;
	fuzz.nested = true;
	fuzz.was_disturbed = false;
	calls[what / 2 % ARRAY_LEN(calls)]();
	fuzz.nested = false;
	fuzz.was_disturbed = true;
}

static void setup(void)
{
	static bool is_done;

	if (is_done)
		return;
	is_done = true;
	host_ram_init(RAM_BYTES);
	pmm_init(RAM_BYTES, PAGE_SIZE);
	pmm_add_range(MIB, RAM_BYTES);
	vm_init();
	CHECK(vm_map_image(VM_LOWEST, model_addr(0) - VM_LOWEST, VM_PROT_READ, VM_KERNEL) == 0);
	CHECK(vm_map_image(model_addr(WINDOW_PAGES),
		      ARCH_USER_END - PAGE_SIZE - model_addr(WINDOW_PAGES), VM_PROT_READ,
		      VM_KERNEL) == 0);
	host_relax = other_thread;
	model_object_asked = other_thread;
}

/* Nobody changes what is being checked. */
static void check(void)
{
	host_relax = NULL;
	model_check();
	host_relax = other_thread;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t frames, objects;

	setup();
	frames = pmm_free_pages();
	model_begin();
	objects = host_kmem_objects();
	fuzz.data = data;
	fuzz.left = size;
	while (fuzz.left > 0) {
		do_one();
		check();
	}
	CHECK(vm_unmap(model_addr(0), WINDOW_PAGES * PAGE_SIZE) == 0);
	model_unmap(0, WINDOW_PAGES);
	check();
	model_end();
	CHECK_EQ(host_paging_pages(), 0); /* (1) */
	CHECK_EQ(host_paging_tables(), 0);
	CHECK_EQ(host_kmem_objects(), objects);
	CHECK_EQ(pmm_free_pages(), frames);
	return 0;
}
