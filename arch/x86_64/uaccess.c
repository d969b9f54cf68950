/*
 * uaccess.c: the only code that touches program memory on the kernel's behalf.
 *
 * What:       range checks, then assembly whose faults are resolved or turned into -EFAULT.
 * Invariants: (1) the kernel's own slot below the program, and everything from ARCH_USER_END on, is
 *             never reachable through a pointer that the program passes.
 * Locking:    none may be held (user_peek_u32 excepted): a fault may sleep.
 * Failure:    -EFAULT.
 * Source:     go-linux-abi: bad pointers give EFAULT, never a fault in the kernel.
 */
#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "base/errno.h"

/* boot/linker.ld: the 2 MiB that the kernel occupies in front of the program */
extern char kernel_slot_start[], kernel_slot_end[];

static bool is_program_range(uaddr_t addr, size_t n)
{
	uaddr_t end = addr + n;

	if (end < addr || end > ARCH_USER_END)
		return false;
	return end <= (uint64_t)kernel_slot_start || addr >= (uint64_t)kernel_slot_end;
}

int user_copy_in(void *dst, uaddr_t src, size_t n)
{
	if (!is_program_range(src, n))
		return -EFAULT;
	return uaccess_copy(dst, (const void *)src, n);
}

int user_copy_out(uaddr_t dst, const void *src, size_t n)
{
	if (!is_program_range(dst, n))
		return -EFAULT;
	return uaccess_copy((void *)dst, src, n);
}

long user_copy_str(char *dst, uaddr_t src, size_t max)
{
	uint64_t reach;
	long n;

	if (!is_program_range(src, 1))
		return -EFAULT;
	/* (1) A string may end just before the kernel's slot, or before the end: never read on. */
	reach = src < (uint64_t)kernel_slot_start ? (uint64_t)kernel_slot_start : ARCH_USER_END;
	reach = MIN(reach - src, (uint64_t)max);
	n = uaccess_str(dst, (const char *)src, reach);
	if (n < 0 || (uint64_t)n < reach)
		return n;
	return reach < max ? -EFAULT : -ENAMETOOLONG;
}

int user_load_u32(uint32_t *out, uaddr_t src)
{
	return user_copy_in(out, src, sizeof(*out));
}

int user_load_u64(uint64_t *out, uaddr_t src)
{
	return user_copy_in(out, src, sizeof(*out));
}

int user_store_u32(uaddr_t dst, uint32_t v)
{
	return user_copy_out(dst, &v, sizeof(v));
}

int user_store_u64(uaddr_t dst, uint64_t v)
{
	return user_copy_out(dst, &v, sizeof(v));
}

int user_cas_u32(uaddr_t dst, uint32_t expected, uint32_t desired, uint32_t *seen)
{
	if (!is_program_range(dst, sizeof(*seen)))
		return -EFAULT;
	return uaccess_cas_u32((uint32_t *)dst, expected, desired, seen);
}

int user_zero(uaddr_t dst, size_t n)
{
	if (!is_program_range(dst, n))
		return -EFAULT;
	return uaccess_zero((void *)dst, n);
}

int user_peek_u32(uint32_t *out, uaddr_t src)
{
	if (!is_program_range(src, sizeof(*out)))
		return -EFAULT;
	return uaccess_peek_u32(out, (const uint32_t *)src);
}

int arch_peek_any_u32(uint32_t *out, uint64_t src)
{
	return uaccess_peek_u32(out, (const uint32_t *)src);
}
