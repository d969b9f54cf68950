/*
 * cpu_priv.h: what the files of this folder share.
 */
#pragma once

#include "arch/arch.h"

#define ENTRY_STUB_BYTES 16

/* entry.S */
extern char entry_stubs[];
extern char uaccess_start[], uaccess_end[], peek_start[], peek_end[], uaccess_fault[];
void entry_syscall(void);
void thread_trampoline(void);
void switch_stacks(uint64_t *from_ksp, uint64_t to_ksp);
int uaccess_copy(void *dst, const void *src, size_t n);
long uaccess_str(char *dst, const char *src, size_t max);
int uaccess_zero(void *dst, size_t n);
int uaccess_cas_u32(uint32_t *dst, uint32_t expected, uint32_t desired, uint32_t *seen);
int uaccess_peek_u32(uint32_t *out, const uint32_t *src);

/* trap.c, called by entry.S */
void arch_trap_program(struct trapframe *tf);
void arch_trap_kernel(struct trapframe *tf);
noreturn_fn void arch_trap_fatal(struct trapframe *tf);

bool cpu_has_fsgsbase(void);
void fpu_init_cpu(void); /* control registers of this CPU; the first call also finds the sizes */
uint64_t fpu_read_xcr0(void); /* this CPU's; 0: it has no XSAVE */
void fpu_save(struct arch_thread *t);
void fpu_load(struct arch_thread *t);

uint64_t paging_root(void); /* physical address of the root table: CR3 */
/* smp.c. CPUs that run, from 0. */
uint32_t smp_cpu_count(void);
struct arch_cpu *smp_cpu(uint32_t id);

/* shootdown.c. The caller holds the vm lock. */
void shootdown_add_cpu(struct arch_cpu *c); /* before it is counted: it starts with an empty TLB */
/* This CPU forgets [start, end), then the others do; start == end: everything. When it returns, no
 * CPU has one of these translations, but for those that are away, which forget before they come
 * back. Returns the number of the flush; they ascend. */
uint64_t shootdown_flush(uint64_t start, uint64_t end);
bool shootdown_is_done(uint64_t flush); /* on every CPU, those that are away included */
void shootdown_finish(void); /* makes the last flush done everywhere, by interrupting who is away */

/* boot/linker.ld */
extern char kernel_text_start[], kernel_text_end[];
