/*
 * vm_limit.c: how much address space the program may have.
 *
 * What:       two limits, asked before a mapping is made, grows, or becomes writable: of all
 *             mappings, and of data (private and writable, no stacks). A third one is of each
 *             stack, asked when it grows. What is there stays when a limit falls below it.
 * Invariants: (1) vm.data_bytes is the size of the mappings for which vm_is_data holds.
 * Locking:    vm.lock. A mapping over others (VM_FIXED) is asked for before they go, and the lock
 *             is released meanwhile: other threads' mappings may then take it beyond a limit.
 * Failure:    none; the callers' is -ENOMEM.
 * Source:     setrlimit(2); Linux mm/vma.c (may_expand_vm), mm/mprotect.c (mprotect_fixup).
 */
#include "kernel/mm/vm_priv.h"

void vm_set_limits(uint64_t total_bytes, uint64_t data_bytes)
{
	spin_lock(&vm.lock);
	vm.limit_bytes = total_bytes;
	vm.limit_data_bytes = data_bytes;
	spin_unlock(&vm.lock);
}

void vm_set_stack_limit(uint64_t bytes)
{
	spin_lock(&vm.lock);
	vm.limit_stack_bytes = bytes;
	spin_unlock(&vm.lock);
}

bool vm_is_data(unsigned prot, unsigned flags)
{
	return prot & VM_PROT_WRITE && !(flags & (VM_SHARED | VM_GROWS_DOWN));
}

static bool fits(uint64_t have, uint64_t more, uint64_t limit)
{
	return !more || (have <= limit && more <= limit - have);
}

bool vm_may_add_locked(uint64_t bytes, bool is_data)
{
	lock_assert_held(&vm.lock);
	return fits(vm.reserved_bytes, bytes, vm.limit_bytes) &&
		(!is_data || fits(vm.data_bytes, bytes, vm.limit_data_bytes));
}

bool vm_may_become_data_locked(uint64_t bytes)
{
	lock_assert_held(&vm.lock);
	return fits(vm.data_bytes, bytes, vm.limit_data_bytes);
}

static uint64_t mapped_bytes_locked(uint64_t start, uint64_t end)
{
	uint64_t bytes = 0;

	for (struct vma *v = vma_find_locked(start); v && v->start < end; v = vma_next_locked(v))
		bytes += MIN(v->end, end) - MAX(v->start, start);
	return bytes;
}

bool vm_may_replace(uint64_t start, uint64_t end, bool is_data)
{
	uint64_t bytes = end - start;
	bool may;

	spin_lock(&vm.lock);
	may = vm_may_add_locked(bytes, is_data) ||
		vm_may_add_locked(bytes - mapped_bytes_locked(start, end), is_data);
	spin_unlock(&vm.lock);
	return may;
}
