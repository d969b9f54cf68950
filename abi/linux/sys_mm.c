/*
 * sys_mm.c: the memory calls: Linux's flags into neutral requests.
 *
 * What:       each handler checks and decodes its arguments, then calls kernel/mm/vm.h. Flags that
 *             are pure advice, or that state what is always so here (nothing is ever swapped out,
 *             there is no fork and no core dump), answer 0; flags that ask for something that does
 *             not exist answer the error Linux gives where it does not exist either.
 * Invariants: none; no state.
 * Locking:    none held; everything may open interrupt windows, and sleep for objects.
 * Failure:    -errno of the manual pages.
 * Source:     mmap(2), mprotect(2), madvise(2), mremap(2), msync(2), mincore(2), brk(2);
 *             Linux 6.18, by running there, for the order of the checks. Go: runtime/mem_linux.go.
 */
#include "abi/linux/limits_priv.h"
#include "abi/linux/sysargs.h"

#include <asm/fcntl.h>
#include <linux/mman.h>

#include "base/assert.h"
#include "base/units.h"
#include "fs/data.h"
#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "kernel/image.h"
#include "kernel/mm/vm.h"

#define MINCORE_BATCH_PAGES 512u

STATIC_ASSERT(PROT_READ == VM_PROT_READ, "prot bits are passed on");
STATIC_ASSERT(PROT_WRITE == VM_PROT_WRITE, "prot bits are passed on");
STATIC_ASSERT(PROT_EXEC == VM_PROT_EXEC, "prot bits are passed on");

/* Linux's TASK_SIZE: nothing is ever mapped in the last page of the program's half. */
#define TASK_BYTES (ARCH_USER_END - PAGE_SIZE)

#define PROT_BITS ((unsigned)(PROT_READ | PROT_WRITE | PROT_EXEC))
#define PROT_GROWS (PROT_GROWSDOWN | PROT_GROWSUP)

/* ------------------------------------------------------------------ mmap */
static const struct {
	uint64_t linux_flag;
	unsigned flag;
} map_flags[] = {
	{ MAP_FIXED, VM_FIXED },
	{ MAP_FIXED_NOREPLACE, VM_FIXED_NOREPLACE },
	{ MAP_POPULATE, VM_POPULATE },
	{ MAP_LOCKED, VM_POPULATE | VM_LOCKED },
	{ MAP_GROWSDOWN, VM_GROWS_DOWN },
	{ MAP_NORESERVE, VM_UNCOUNTED },
	{ MAP_32BIT, VM_LOW },
};

static int decode_map_flags(uint64_t flags, unsigned *out)
{
	uint64_t type = flags & MAP_TYPE;

	*out = 0;
	if (type != MAP_SHARED && type != MAP_PRIVATE &&
		(type != MAP_SHARED_VALIDATE || flags & MAP_ANONYMOUS))
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && flags & MAP_SYNC)
		return -EOPNOTSUPP; /* no persistent memory */
	if (flags & MAP_HUGETLB)
		return -ENOMEM; /* as Linux without a pool of huge pages */
	if (flags & MAP_GROWSDOWN && (type != MAP_PRIVATE || !(flags & MAP_ANONYMOUS)))
		return -EINVAL;
	if (type != MAP_PRIVATE)
		*out |= VM_SHARED;
	for (unsigned i = 0; i < ARRAY_LEN(map_flags); i++)
		if (flags & map_flags[i].linux_flag)
			*out |= map_flags[i].flag;
	return 0;
}

/* Shared memory of no file is a file without a name, as on Linux: mremap can make a second mapping
 * of it, and MADV_DONTNEED does not empty it. */
static int get_shared_memory(struct vm_request *r)
{
	if (r->bytes > ARCH_USER_END)
		return -ENOMEM;
	if (r->prot & VM_PROT_WRITE && !(r->flags & VM_UNCOUNTED) && vm_is_impossible(r->bytes))
		return -ENOMEM;
	return vfs_make_shared_memory(r->bytes, &r->object);
}

/* The file's pages, with a reference, into r. */
static int get_file_object(int fd, struct vm_request *r)
{
	bool shared = r->flags & VM_SHARED, write = r->prot & VM_PROT_WRITE;
	struct file *f;
	uint32_t mode;
	int err = fdtable_get_open(fd, &f);

	if (err)
		return err;
	mode = file_flags(f) & O_ACCMODE;
	if (r->bytes == 0)
		err = -EINVAL;
	else if (!file_can_read(f) || (shared && write && mode != O_RDWR))
		err = -EACCES;
	else if (!f->ops->map)
		err = -ENODEV;
	else
		err = f->ops->map(f, shared, &r->object);
	if (!err && shared && mode != O_RDWR)
		r->flags |= VM_NEVER_WRITE;
	file_put(f);
	return err;
}

/* It may be locked because it asks for that, or because all that is mapped is. */
static int check_locked(const struct vm_request *r)
{
	if (r->flags & VM_LOCKED)
		return linux_may_map_locked(r->bytes);
	return vm_get_future() & VM_LOCKED ? linux_may_grow_locked(r->bytes) : 0;
}

long sys_mmap(const struct sysargs *a)
{
	struct vm_request r = {
		.addr = a->arg[0], .bytes = a->arg[1], .prot = (unsigned)a->arg[2] & PROT_BITS
	};
	uint64_t addr;
	int err;

	if (a->arg[5] & PAGE_MASK || (r.bytes == 0 && a->arg[3] & MAP_ANONYMOUS))
		return -EINVAL;
	err = decode_map_flags(a->arg[3], &r.flags);
	if (err)
		return err;
	if (!(a->arg[3] & MAP_ANONYMOUS)) {
		r.offset_bytes = a->arg[5];
		err = get_file_object(sysarg_int(a, 4), &r);
	} else if (r.flags & VM_SHARED) {
		err = get_shared_memory(&r);
	}
	if (err)
		return err;
	err = check_locked(&r);
	if (!err)
		err = vm_map(&r, &addr);
	if (r.object)
		r.object->ops->put(r.object); /* the mapping has its own reference */
	return err ? err : (long)addr;
}

long sys_munmap(const struct sysargs *a)
{
	if (a->arg[0] > TASK_BYTES || a->arg[1] > TASK_BYTES - a->arg[0])
		return -EINVAL;
	return vm_unmap(a->arg[0], a->arg[1]);
}

long sys_mprotect(const struct sysargs *a)
{
	uint64_t addr = a->arg[0], bytes = a->arg[1], prot = a->arg[2], start;

	if ((prot & PROT_GROWS) == PROT_GROWS || addr & PAGE_MASK)
		return -EINVAL;
	if (bytes == 0)
		return 0;
	if (bytes > ARCH_USER_END || addr > ARCH_USER_END - bytes)
		return -ENOMEM;
	if (prot & ~(uint64_t)(PROT_BITS | PROT_SEM | PROT_GROWS))
		return -EINVAL;
	if (prot & PROT_GROWSUP) /* nothing grows up on this processor */
		return -EINVAL;
	if (prot & PROT_GROWSDOWN) {
		if (!vm_find_stack(addr, &start))
			return -EINVAL;
		bytes += addr - start;
		addr = start;
	}
	return vm_protect(addr, bytes, (unsigned)prot & PROT_BITS);
}

/* What is locked stays so when it gets longer. */
static int check_growth(uint64_t addr, uint64_t old_bytes, uint64_t new_bytes)
{
	if (addr & PAGE_MASK || new_bytes <= old_bytes || new_bytes > ARCH_USER_END ||
		!vm_has_flags(addr, VM_LOCKED))
		return 0;
	return linux_may_grow_locked(ROUND_UP(new_bytes, PAGE_SIZE) -
		ROUND_UP(old_bytes, PAGE_SIZE));
}

long sys_mremap(const struct sysargs *a)
{
	uint64_t flags = a->arg[3], addr;
	bool fixed = flags & MREMAP_FIXED;
	unsigned how = 0;
	int err;

	if (flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (fixed && (!(flags & MREMAP_MAYMOVE) || a->arg[4] == 0))
		return -EINVAL;
	if (flags & MREMAP_MAYMOVE)
		how |= VM_REMAP_MAY_MOVE;
	if (flags & MREMAP_DONTUNMAP)
		how |= VM_REMAP_KEEP_OLD;
	if (a->arg[0] >= ARCH_USER_END && !(a->arg[0] & PAGE_MASK) && a->arg[2])
		return -EFAULT; /* no mapping */
	err = check_growth(a->arg[0], a->arg[1], a->arg[2]);
	if (!err)
		err = vm_remap(a->arg[0], a->arg[1], a->arg[2], how, fixed ? a->arg[4] : 0, &addr);
	return err ? err : (long)addr;
}

long sys_msync(const struct sysargs *a)
{
	uint64_t flags = a->arg[2];

	if (flags & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if (flags & MS_ASYNC && flags & MS_SYNC)
		return -EINVAL;
	if (a->arg[0] & PAGE_MASK)
		return -EINVAL;
	if (!user_can_be(a->arg[0], a->arg[1]))
		return a->arg[1] ? -ENOMEM : 0;
	if (!(flags & MS_SYNC)) /* mappings and files share their pages: nothing to start */
		return a->arg[1] == 0 || vm_is_mapped(a->arg[0], a->arg[1]) ? 0 : -ENOMEM;
	return vm_sync(a->arg[0], a->arg[1]);
}

/* ------------------------------------------------------------------ madvise */
/* Linux's answers, where the kernel below has its own. */
static long populate(uint64_t addr, uint64_t bytes, bool write)
{
	int err = vm_populate(addr, bytes, write);

	if (err != -EFAULT)
		return err;
	return vm_is_readable(addr, bytes, write) ? -EFAULT : -EINVAL;
}

/* Advice that changes what is in memory. -ENOSYS: it is none. */
static long advise_contents(uint64_t addr, uint64_t bytes, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		return vm_discard(addr, bytes, false);
	case MADV_FREE: /* may be dropped at any time: now */
		return vm_discard(addr, bytes, true);
	case MADV_POPULATE_READ:
		return populate(addr, bytes, false);
	case MADV_POPULATE_WRITE:
		return populate(addr, bytes, true);
	case MADV_HUGEPAGE:
		return vm_advise(addr, bytes, VM_HUGE, VM_NO_HUGE);
	case MADV_COLLAPSE:
		return bytes ? vm_collapse(addr, bytes) : 0;
	case MADV_NOHUGEPAGE:
		return vm_advise(addr, bytes, VM_NO_HUGE, VM_HUGE);
	default:
		return -ENOSYS;
	}
}

static bool is_mere_advice(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT: /* there is nowhere to page out to */
	case MADV_DONTFORK: /* nobody forks */
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP: /* nobody dumps */
	case MADV_DODUMP:
		return true;
	default:
		return false;
	}
}

long sys_madvise(const struct sysargs *a)
{
	uint64_t addr = a->arg[0], bytes = a->arg[1];
	int advice = sysarg_int(a, 2);
	long r;

	if (addr & PAGE_MASK || bytes > ROUND_DOWN(-addr - 1, PAGE_SIZE))
		return -EINVAL;
	if (bytes && !user_can_be(addr, bytes)) /* nothing is there, if it is advice at all */
		return advise_contents(addr, 0, advice) == -ENOSYS && !is_mere_advice(advice)
			? -EINVAL
			: -ENOMEM;
	r = advise_contents(addr, bytes, advice);
	if (r != -ENOSYS)
		return r;
	if (!is_mere_advice(advice))
		return -EINVAL;
	return bytes == 0 || vm_is_mapped(addr, bytes) ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ mincore, brk */
long sys_mincore(const struct sysargs *a)
{
	uint8_t resident[MINCORE_BATCH_PAGES];
	uint64_t addr = a->arg[0], pages, n;
	uaddr_t vec = a->arg[2];
	int err;

	if (addr & PAGE_MASK)
		return -EINVAL;
	if (addr > ARCH_USER_END || a->arg[1] > ARCH_USER_END - addr)
		return -ENOMEM;
	for (pages = (a->arg[1] + PAGE_MASK) / PAGE_SIZE; pages; pages -= n) {
		n = MIN(pages, MINCORE_BATCH_PAGES);
		err = vm_resident(addr, n * PAGE_SIZE, resident);
		if (err)
			return err;
		err = user_copy_out(vec, resident, n);
		if (err)
			return err;
		addr += n * PAGE_SIZE;
		vec += n;
	}
	return 0;
}

/* The break lies behind the program, where Linux has it, and stays there: the call's way to say so
 * is to return the old one. */
long sys_brk(const struct sysargs *a)
{
	const struct gosolo_segment *last;

	(void)a;
	if (NEVER(!gosolo_image.segment_count))
		return 0;
	last = &gosolo_image.segments[gosolo_image.segment_count - 1];
	return (long)ROUND_UP(last->vaddr + last->mem_bytes, PAGE_SIZE);
}
