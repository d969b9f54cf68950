/* sources: abi/linux/sys_mm.c abi/linux/sys_mlock.c kernel/mm/vm.c kernel/mm/vm_tree.c
 * kernel/mm/vm_pages.c kernel/mm/vm_fault.c kernel/mm/vm_ops.c kernel/mm/vm_limit.c
 * kernel/mm/vm_remap.c kernel/mm/vm_huge.c kernel/mm/vm_object.c test/unit/shim/host.c
 * test/unit/shim/host_ram.c test/unit/shim/host_pmm.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_paging.c */
/*
 * sys_mm_test.c: the memory calls' results, as Linux gives them.
 *
 * What:       a list of calls, one after the other in one address space, each with the result
 *             expected. `sys_mm_test native` makes the same calls to the kernel it runs on, so the
 *             list is known to be right. Calls marked OURS are not made there: the answers differ
 *             for a reason, or depend on the machine.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    prints every call whose result differs; status 1.
 * Source:     the manual pages; Linux 6.18, by running there.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/linux/limits_priv.h"
#include "abi/linux/sysargs.h"
#include "fs/data.h"
#include "fs/file.h"
#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "host.h"
#include "kernel/cred.h"
#include "kernel/mm/pmm.h"
#include "kernel/image.h"
#include "kernel/mm/vm.h"

#define B 0x300000000000ul /* the program and its sanitizer are elsewhere */
#define P PAGE_SIZE
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define FIXED (ANON | MAP_FIXED)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)
#define MOVE_FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)
#define NOFD 0xfffffffful /* Go's -1 */

enum { RDONLY = 10, RDWR, WRONLY, NOMAP }; /* descriptors: opened so by setup_files */

struct call {
	long number;
	uint64_t arg[6];
	long expected;
	enum { BOTH, OURS } where;
};

#define MMAP(...) \
	SYS_mmap, \
	{ \
		__VA_ARGS__ \
	}

static uint8_t vec[64];

/* clang-format off */
static const struct call calls[] = {
	/* mmap */
	{ MMAP(B, 0, RW, FIXED, NOFD, 0), -EINVAL, BOTH },
	{ MMAP(B, P, RW, MAP_ANONYMOUS, NOFD, 0), -EINVAL, BOTH },
	{ MMAP(B + 1, P, RW, FIXED, NOFD, 0), -EINVAL, BOTH },
	{ MMAP(B, P, RW, FIXED, NOFD, 1), -EINVAL, BOTH },
	{ MMAP(B, ~0ul, RW, FIXED, NOFD, 0), -ENOMEM, BOTH },
	{ MMAP(1ul << 47, P, RW, FIXED, NOFD, 0), -ENOMEM, BOTH },
	{ MMAP(B, P, RW, MAP_PRIVATE, 999, 0), -EBADF, BOTH },
	{ MMAP(B, P, RW, MAP_PRIVATE, NOFD, 0), -EBADF, BOTH },
	{ MMAP(B, 5 * P - 7, RW, FIXED, NOFD, 0), B, BOTH },
	{ MMAP(B, P, RW, ANON | MAP_FIXED_NOREPLACE, NOFD, 0), -EEXIST, BOTH },
	{ MMAP(B + 5 * P, P, RW, ANON, NOFD, 0), B + 5 * P, BOTH }, /* a free hint */
	{ MMAP(B + 6 * P + 123, P, RW, ANON, NOFD, 0), B + 6 * P, BOTH },
	{ MMAP(B + 7 * P, P, RW, MAP_PRIVATE, WRONLY, 0), -EACCES, BOTH },
	{ MMAP(B + 7 * P, P, RW, MAP_SHARED, RDONLY, 0), -EACCES, BOTH },
	{ MMAP(B + 7 * P, P, RW, MAP_PRIVATE, NOMAP, 0), -ENODEV, BOTH },
	{ MMAP(B + 7 * P, P, RW, MAP_PRIVATE, RDONLY, 0), B + 7 * P, BOTH },
	{ MMAP(B + 8 * P, P, PROT_READ, MAP_SHARED, RDONLY, 0), B + 8 * P, BOTH },
	{ MMAP(B + 9 * P, P, RW, MAP_SHARED, RDWR, 0), B + 9 * P, BOTH },
	{ MMAP(B + 10 * P, P, RW, MAP_SHARED | MAP_ANONYMOUS, NOFD, 0), B + 10 * P, BOTH },
	{ MMAP(B + 11 * P, P, 0, ANON | MAP_NORESERVE | MAP_STACK, NOFD, 0), B + 11 * P, BOTH },
	{ MMAP(B + 12 * P, P, RW, SHARED | MAP_GROWSDOWN, NOFD, 0), -EINVAL, BOTH },
	{ MMAP(B + 12 * P, P, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, NOFD, 0), -EINVAL, BOTH },
	{ MMAP(B + 600 * P, P, RW, FIXED | MAP_GROWSDOWN, NOFD, 0), B + 600 * P, BOTH },
	{ SYS_mprotect, { B + 600 * P, P, RW | PROT_GROWSDOWN }, 0, BOTH },
	{ SYS_mprotect, { B, P, RW | PROT_GROWSDOWN }, -EINVAL, BOTH },
	{ SYS_munmap, { B + 600 * P, P }, 0, BOTH },
	{ MMAP(0, 1ul << 45, RW, ANON, NOFD, 0), -ENOMEM, OURS }, /* as much as RAM allows there */
	/* mprotect */
	{ SYS_mprotect, { B + 1, P, RW }, -EINVAL, BOTH },
	{ SYS_mprotect, { B, P, 64 }, -EINVAL, BOTH },
	{ SYS_mprotect, { B, P, RW | PROT_GROWSDOWN | PROT_GROWSUP }, -EINVAL, BOTH },
	{ SYS_mprotect, { B, ~0ul, RW }, -ENOMEM, BOTH },
	{ SYS_mprotect, { B, 0, PROT_READ }, 0, BOTH },
	{ SYS_mprotect, { B + 11 * P, 2 * P, PROT_READ }, -ENOMEM, BOTH },
	{ SYS_mprotect, { B + 8 * P, P, RW }, -EACCES, BOTH },
	{ SYS_mprotect, { B + 7 * P, P, RW }, 0, BOTH },
	{ SYS_mprotect, { B + P, P, PROT_NONE }, 0, BOTH },
	{ SYS_mprotect, { B, 5 * P, RW }, 0, BOTH },
	/* madvise */
	{ SYS_madvise, { B + 1, P, MADV_DONTNEED }, -EINVAL, BOTH },
	{ SYS_madvise, { B, P, 12345 }, -EINVAL, BOTH },
	{ SYS_madvise, { B, 0, MADV_DONTNEED }, 0, BOTH },
	{ SYS_madvise, { B, 5 * P, MADV_DONTNEED }, 0, BOTH },
	{ SYS_madvise, { B + 11 * P, 2 * P, MADV_DONTNEED }, -ENOMEM, BOTH },
	{ SYS_madvise, { B, 5 * P, MADV_FREE }, 0, BOTH },
	{ SYS_madvise, { B, 5 * P, MADV_WILLNEED }, 0, BOTH },
	{ SYS_madvise, { B + 11 * P, 2 * P, MADV_RANDOM }, -ENOMEM, BOTH },
	{ SYS_madvise, { B, 5 * P, MADV_DONTDUMP }, 0, BOTH },
	{ SYS_madvise, { B, ~0ul, MADV_DONTNEED }, -EINVAL, BOTH },
	{ SYS_madvise, { B, 5 * P, MADV_HUGEPAGE }, 0, BOTH },
	{ SYS_madvise, { B, 5 * P, MADV_NOHUGEPAGE }, 0, BOTH },
	{ SYS_madvise, { B + 10 * P, P, MADV_FREE }, -EINVAL, BOTH }, /* shared */
	{ SYS_madvise, { B + 7 * P, P, MADV_FREE }, -EINVAL, BOTH }, /* a file */
	{ SYS_madvise, { B + P, P, MADV_POPULATE_WRITE }, 0, BOTH },
	{ SYS_madvise, { B + 8 * P, P, MADV_POPULATE_WRITE }, -EINVAL, BOTH },
	{ SYS_mprotect, { B + 11 * P, P, PROT_NONE }, 0, BOTH },
	{ SYS_madvise, { B + 11 * P, P, MADV_POPULATE_READ }, -EINVAL, BOTH },
	{ SYS_madvise, { B, 2 * P, MADV_POPULATE_WRITE }, 0, BOTH },
	/* mincore */
	{ SYS_mincore, { B + 1, P, (uint64_t)vec }, -EINVAL, BOTH },
	{ SYS_mincore, { B, 5 * P, (uint64_t)vec }, 0, BOTH },
	{ SYS_mincore, { B + 11 * P, 2 * P, (uint64_t)vec }, -ENOMEM, BOTH },
	{ SYS_mincore, { B, P, 8 }, -EFAULT, BOTH },
	/* mremap */
	{ SYS_mremap, { B + 1, P, P, 0, 0 }, -EINVAL, BOTH },
	{ SYS_mremap, { B, P, 0, 0, 0 }, -EINVAL, BOTH },
	{ SYS_mremap, { B, P, P, 8, 0 }, -EINVAL, BOTH },
	{ SYS_mremap, { B, 0, P, MREMAP_MAYMOVE, 0 }, -EINVAL, BOTH }, /* private */
	{ SYS_mremap, { B + 10 * P, 0, P, 0, 0 }, -ENOMEM, BOTH },
	{ SYS_mremap, { B + 10 * P, 0, P, MOVE_FIXED, B + 40 * P }, B + 40 * P, BOTH },
	{ SYS_mremap, { B, P, P, MREMAP_DONTUNMAP, 0 }, -EINVAL, BOTH },
	{ SYS_mremap, { B, P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0 }, -EINVAL, BOTH },
	{ SYS_mremap, { B + 3 * P, P, P, MOVE_FIXED | MREMAP_DONTUNMAP, B + 41 * P },
		B + 41 * P, BOTH },
	{ SYS_mremap, { B, P, P, MREMAP_FIXED, B + 20 * P }, -EINVAL, BOTH },
	{ SYS_mremap, { B + 30 * P, P, 2 * P, MREMAP_MAYMOVE, 0 }, -EFAULT, BOTH },
	{ SYS_mremap, { B, P, 2 * P, 0, 0 }, -ENOMEM, BOTH },
	{ SYS_mremap, { B, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, B }, -EINVAL, BOTH },
	{ SYS_mremap, { B, 2 * P, 3 * P, MREMAP_MAYMOVE | MREMAP_FIXED, B + 20 * P },
		B + 20 * P, BOTH },
	{ SYS_mremap, { B + 20 * P, 3 * P, 6 * P, 0, 0 }, B + 20 * P, BOTH },
	{ SYS_mremap, { B + 20 * P, 6 * P, P, 0, 0 }, B + 20 * P, BOTH },
	{ SYS_mincore, { B, 2 * P, (uint64_t)vec }, -ENOMEM, BOTH }, /* moved away */
	/* msync, mlock */
	{ SYS_msync, { B + 9 * P + 1, P, MS_SYNC }, -EINVAL, BOTH },
	{ SYS_msync, { B + 9 * P, P, MS_SYNC | MS_ASYNC }, -EINVAL, BOTH },
	{ SYS_msync, { B + 9 * P, P, 64 }, -EINVAL, BOTH },
	{ SYS_msync, { B + 9 * P, P, MS_SYNC }, 0, BOTH },
	{ SYS_msync, { B + 9 * P, P, MS_ASYNC }, 0, BOTH },
	{ SYS_msync, { B + 11 * P, 2 * P, MS_SYNC }, -ENOMEM, BOTH },
	{ SYS_mlock, { B + 2 * P + 5, P }, 0, BOTH },
	{ SYS_mlock, { B + 11 * P, 2 * P }, -ENOMEM, BOTH },
	{ SYS_madvise, { B + 2 * P, P, MADV_DONTNEED }, -EINVAL, BOTH }, /* locked */
	{ SYS_munlock, { B + 2 * P, 2 * P }, 0, BOTH },
	{ SYS_madvise, { B + 2 * P, P, MADV_DONTNEED }, 0, BOTH },
	{ SYS_mlock2, { B + 2 * P, P, 2 }, -EINVAL, BOTH },
	{ SYS_mlockall, { 0 }, -EINVAL, BOTH },
	{ SYS_mlockall, { 64 }, -EINVAL, BOTH },
	{ SYS_munlockall, { 0 }, 0, BOTH },
	/* munmap */
	{ SYS_munmap, { B + 1, P }, -EINVAL, BOTH },
	{ SYS_munmap, { B, 0 }, -EINVAL, BOTH },
	{ SYS_munmap, { B, ~0ul }, -EINVAL, BOTH },
	{ SYS_munmap, { B + 100 * P, P }, 0, BOTH }, /* nothing there */
	{ SYS_munmap, { B, 64 * P }, 0, BOTH },
	{ SYS_brk, { 0 }, 0x402000, OURS },
};
/* clang-format on */

const struct gosolo_image gosolo_image = { .segment_count = 1,
	.segments = { { .vaddr = 0x400000, .mem_bytes = 0x1234 } } };

/* ------------------------------------------------------------------ files */
static int page_of_file(struct vm_object *o, uint64_t index, bool write, pfn_t *pfn)
{
	(void)o;
	(void)index;
	(void)write;
	(void)pfn;
	return -EFAULT;
}

static int sync_file(struct vm_object *o, uint64_t first, uint64_t last)
{
	(void)o;
	(void)first;
	(void)last;
	return 0;
}

static int object_refs;

static void get_object(struct vm_object *o)
{
	(void)o;
	object_refs++;
}

static void put_object(struct vm_object *o)
{
	(void)o;
	object_refs--;
}

static const struct vm_object_ops object_ops = { get_object, put_object, page_of_file, sync_file,
	NULL };
static struct vm_object object = { .ops = &object_ops };

static int map_file(struct file *f, bool shared, struct vm_object **out)
{
	(void)f;
	(void)shared;
	get_object(&object);
	*out = &object;
	return 0;
}

int vfs_make_shared_memory(uint64_t bytes, struct vm_object **out)
{
	(void)bytes;
	get_object(&object);
	*out = &object;
	return 0;
}

static const struct file_ops mappable = { .map = map_file }, plain = { 0 };
static struct file files[] = { { .ops = &mappable, .flags = O_RDONLY },
	{ .ops = &mappable, .flags = O_RDWR }, { .ops = &mappable, .flags = O_WRONLY },
	{ .ops = &plain, .flags = O_RDWR } };

int fdtable_get_open(int fd, struct file **out)
{
	if (fd < RDONLY || fd > NOMAP)
		return -EBADF;
	*out = &files[fd - RDONLY];
	(*out)->refs++;
	return 0;
}

void file_put(struct file *f)
{
	f->refs--;
}

bool file_can_read(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}

uint64_t linux_soft_limit(uint32_t resource)
{
	(void)resource;
	return UINT64_MAX;
}

const struct cred *cred_current(void)
{
	return NULL;
}

bool cred_has(const struct cred *c, unsigned cap)
{
	(void)c;
	(void)cap;
	return true;
}

int user_copy_out(uaddr_t dst, const void *src, size_t n)
{
	if (dst < PAGE_SIZE)
		return -EFAULT;
	memcpy((void *)dst, src, n);
	return 0;
}

/* ------------------------------------------------------------------ running */
static long call_ours(const struct call *c)
{
	struct sysargs a = { .frame = NULL };

	memcpy(a.arg, c->arg, sizeof(a.arg));
	switch (c->number) {
#undef SYSCALL
#undef ERRNO
#define TRY(name) \
	case SYS_##name: \
		return sys_##name(&a);
		TRY(mmap)
		TRY(munmap)
		TRY(mprotect)
		TRY(madvise)
		TRY(mincore)
		TRY(mremap)
		TRY(msync)
		TRY(mlock)
		TRY(mlock2)
		TRY(munlock)
		TRY(mlockall)
		TRY(munlockall)
		TRY(brk)
	default:
		return -ENOSYS;
	}
}

static long call_native(const struct call *c)
{
	long r = syscall(c->number, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4],
		c->arg[5]);

	return r == -1 ? -errno : r;
}

static void setup_native(void)
{
	static const int flags[] = { O_RDONLY, O_RDWR, O_WRONLY };
	char path[] = "/tmp/sys_mm_test.XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(dup2(open(path, flags[i]), RDONLY + i) >= 0);
	CHECK(dup2(open("/proc", O_RDONLY | O_DIRECTORY), NOMAP) >= 0);
	unlink(path);
}

int main(int argc, char **argv)
{
	bool native = argc > 1 && !strcmp(argv[1], "native");
	unsigned failed = 0;

	host_ram_init(16 * MIB);
	pmm_init(16 * MIB, PAGE_SIZE);
	pmm_add_range(MIB, 16 * MIB);
	vm_init();
	if (native)
		setup_native();
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
		long r = 0;

		if (native && calls[i].where == OURS)
			continue;
		r = native ? call_native(&calls[i]) : call_ours(&calls[i]);
		if (r == calls[i].expected)
			continue;
		printf("call %u (number %ld): %#lx, expected %#lx\n", i, calls[i].number, r,
			calls[i].expected);
		failed++;
	}
	if (!native) {
		CHECK_EQ(object_refs, 0);
		for (unsigned i = 0; i < ARRAY_LEN(files); i++)
			CHECK_EQ(files[i].refs, 0);
		CHECK_EQ(host_paging_tables(), 0);
		CHECK_EQ(host_kmem_objects(), 0);
	}
	return failed != 0;
}
