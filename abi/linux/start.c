/*
 * start.c: the program's start: its mappings, its first stack, its first registers.
 *
 * What:       the loader has put the file-backed pages of every segment where they belong. Here
 *             they become mappings, what lies beyond them becomes demand-zero memory, and the first
 *             stack is written as execve would:
 *
 *               top   strings, 16 random bytes, platform name
 *                     auxiliary vector, environment, argv, argc     <- RSP, 16-aligned
 *                     … demand-zero down to RLIMIT_STACK
 *
 * Invariants: (1) the tail of a segment's last file page is zero when the program sees it: no
 *             loader is trusted. (2) AT_RANDOM's halves are not zero and can be written: Go 1.24
 *             rejects the one and every Go does the other.
 * Locking:    none; boot.
 * Failure:    -ENOMEM, -E2BIG.
 * Source:     System V AMD64 ABI 3.4.1; getauxval(3); Go runtime/os_linux.go sysargs, sysauxv.
 */
#include "abi/linux/start.h"

#include <linux/auxvec.h>

#include "abi/linux/start_priv.h"
#include "base/assert.h"
#include "base/errno.h"
#include "kernel/entropy.h"
#include "kernel/mm/vm.h"
#include "kernel/options.h"
#include "lib/string.h"

enum {
	ARGS_MAX_BYTES = 2 << 20, /* execve's: a quarter of the stack */
	STACK_FIRST_BYTES = 128 << 10, /* then it grows */
	AUXV_MAX = 24,
	CLOCK_TICKS = 100,
	SIGNAL_STACK_MIN = 4096, /* frame with AVX-512 state, and some room */
};

#define STACK_TOP 0x7ffffffff000ul

extern char vdso_start[]; /* abi/linux/vdso/vdso_blob.S */
extern char kernel_slot_start[], kernel_slot_end[]; /* boot/linker.ld, the next two too */
extern char kernel_vvar_start[], kernel_vdso_end[];

static struct {
	uint64_t auxv[2 * AUXV_MAX]; /* [I] */
	uint32_t auxv_words; /* [I] */
} start;

const void *linux_auxv(size_t *bytes)
{
	*bytes = start.auxv_words * sizeof(start.auxv[0]);
	return start.auxv;
}

static unsigned prot_of(uint32_t elf_flags)
{
	return (elf_flags & 4 ? VM_PROT_READ : 0) | (elf_flags & 2 ? VM_PROT_WRITE : 0) |
		(elf_flags & 1 ? VM_PROT_EXEC : 0);
}

static unsigned paging_of(uint32_t elf_flags)
{
	return PAGING_READ | (elf_flags & 2 ? PAGING_WRITE : 0) | (elf_flags & 1 ? PAGING_EXEC : 0);
}

static int map_segment(const struct gosolo_segment *s)
{
	uint64_t first = ROUND_DOWN(s->vaddr, PAGE_SIZE);
	uint64_t file_end = ROUND_UP(s->vaddr + s->file_bytes, PAGE_SIZE);
	uint64_t mem_end = ROUND_UP(s->vaddr + s->mem_bytes, PAGE_SIZE), addr;
	struct vm_request rest = {
		.addr = file_end,
		.bytes = mem_end - file_end,
		.prot = prot_of(s->flags),
		.flags = VM_FIXED,
	};
	int err = 0;

	if (s->flags & 2) /* (1) through the direct map: the program's mapping may be read-only */
		memset((char *)phys_to_virt(s->vaddr + s->file_bytes), 0,
			file_end - (s->vaddr + s->file_bytes));
	if (file_end > first)
		err = paging_map_range(first, first, file_end - first, paging_of(s->flags));
	if (!err && file_end > first)
		err = vm_map_image(first, file_end - first, prot_of(s->flags), 0);
	if (!err && rest.bytes)
		err = vm_map(&rest, &addr);
	return err;
}

static int map_image(const struct gosolo_image *image)
{
	int err = 0;

	for (uint32_t i = 0; i < image->segment_count && !err; i++)
		err = map_segment(&image->segments[i]);
	return err;
}

/* In the page tables since boot; mappings make the addresses taken, and the vDSO known. */
static int map_kernel_slot(void)
{
	uint64_t slot = (uint64_t)kernel_slot_start, slot_end = (uint64_t)kernel_slot_end;
	uint64_t vvar = (uint64_t)kernel_vvar_start, vdso_end = (uint64_t)kernel_vdso_end;
	int err = vm_map_image(slot, vvar - slot, VM_PROT_NONE, VM_KERNEL);

	if (!err)
		err = vm_map_image(vvar, vdso_end - vvar, VM_PROT_READ | VM_PROT_EXEC, VM_KERNEL);
	if (!err)
		err = vm_map_image(vdso_end, slot_end - vdso_end, VM_PROT_NONE, VM_KERNEL);
	return err;
}

/* Where the next string goes, downwards from the stack's top. */
struct cursor {
	uint64_t at;
	int err;
};

static uint64_t push_bytes(struct cursor *c, const void *data, size_t n)
{
	c->at -= n;
	if (!c->err && user_copy_out(c->at, data, n))
		c->err = -ENOMEM;
	return c->at;
}

static uint64_t push_string(struct cursor *c, const char *s)
{
	return push_bytes(c, s, strlen(s) + 1);
}

static void aux(uint64_t tag, uint64_t value)
{
	ASSERT(start.auxv_words + 2 <= ARRAY_LEN(start.auxv));
	start.auxv[start.auxv_words++] = tag;
	start.auxv[start.auxv_words++] = value;
}

static void build_auxv(const struct gosolo_image *image, struct cursor *c)
{
	uint64_t random[2];

	do
		entropy_fill(random, sizeof(random));
	while (!random[0] || !random[1]); /* (2) */
	aux(AT_SYSINFO_EHDR, (uint64_t)vdso_start);
	aux(AT_HWCAP, arch_hwcap());
	aux(AT_PAGESZ, PAGE_SIZE);
	aux(AT_CLKTCK, CLOCK_TICKS);
	aux(AT_PHDR, image->phdr_va);
	aux(AT_PHENT, 56);
	aux(AT_PHNUM, image->phdr_count);
	aux(AT_BASE, 0);
	aux(AT_FLAGS, 0);
	aux(AT_ENTRY, image->go_entry);
	aux(AT_UID, 0);
	aux(AT_EUID, 0);
	aux(AT_GID, 0);
	aux(AT_EGID, 0);
	aux(AT_SECURE, 0);
	aux(AT_RANDOM, push_bytes(c, random, sizeof(random)));
	aux(AT_HWCAP2, 0);
	aux(AT_EXECFN, push_string(c, options.argv[0]));
	aux(AT_PLATFORM, push_string(c, "x86_64"));
	aux(AT_MINSIGSTKSZ, SIGNAL_STACK_MIN);
	aux(AT_NULL, 0);
}

static size_t strings_bytes(void)
{
	size_t n = 0;

	for (uint32_t i = 0; i < options.argc; i++)
		n += strlen(options.argv[i]) + 1 + sizeof(uint64_t);
	for (uint32_t i = 0; i < options.envc; i++)
		n += strlen(options.envp[i]) + 1 + sizeof(uint64_t);
	return n;
}

static void store_word(struct cursor *c, uint64_t *at, uint64_t v)
{
	if (!c->err && user_store_u64(*at, v))
		c->err = -ENOMEM;
	*at += sizeof(v);
}

/* Writes vectors of pointers from at upwards while the strings go from c downwards. */
static void write_vectors(struct cursor *c, uint64_t at)
{
	store_word(c, &at, options.argc);
	for (uint32_t i = 0; i < options.argc; i++)
		store_word(c, &at, push_string(c, options.argv[i]));
	store_word(c, &at, 0);
	for (uint32_t i = 0; i < options.envc; i++)
		store_word(c, &at, push_string(c, options.envp[i]));
	store_word(c, &at, 0);
	if (!c->err && user_copy_out(at, start.auxv, start.auxv_words * sizeof(start.auxv[0])))
		c->err = -ENOMEM;
}

static int build_stack(const struct gosolo_image *image, uint64_t *rsp)
{
	struct vm_request stack = {
		.addr = STACK_TOP - STACK_FIRST_BYTES,
		.bytes = STACK_FIRST_BYTES,
		.prot = VM_PROT_READ | VM_PROT_WRITE,
		.flags = VM_FIXED | VM_GROWS_DOWN,
	};
	struct cursor c = { .at = STACK_TOP };
	uint64_t addr, vectors_bytes;
	int err = vm_map(&stack, &addr);

	if (err)
		return err;
	if (strings_bytes() > ARGS_MAX_BYTES)
		return -E2BIG;
	build_auxv(image, &c);
	vectors_bytes = (1 + options.argc + 1 + options.envc + 1 + start.auxv_words) *
		sizeof(uint64_t);
	*rsp = ROUND_DOWN(c.at - strings_bytes() - vectors_bytes, 16ul);
	write_vectors(&c, *rsp);
	ASSERT(c.at >= *rsp + vectors_bytes);
	return c.err;
}

int linux_start_program(const struct gosolo_image *image, struct trapframe *tf)
{
	uint64_t rsp;
	int err = map_kernel_slot();

	if (!err)
		err = map_image(image);
	if (!err)
		err = build_stack(image, &rsp);
	if (!err)
		err = linux_proc_init();
	if (err)
		return err;
	*tf = (struct trapframe){
		.rip = image->go_entry,
		.cs = ARCH_PROGRAM_CS,
		.rflags = RFLAGS_IF | 2, /* bit 1 is always set */
		.rsp = rsp,
		.ss = ARCH_PROGRAM_SS,
	};
	return 0;
}
