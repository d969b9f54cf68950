/*
 * arch.h: the processor's contract: what the rooms above may ask of a CPU.
 *
 * Unless a function says otherwise it takes no lock, never sleeps, and is called with
 * interrupts off, as all kernel code runs.
 */
#pragma once

#include "arch/x86_64/percpu.h"
#include "base/compiler.h"
#include "base/types.h"
#include "base/units.h"

#define ARCH_DIRECT_MAP 0xffff888000000000ul /* all RAM, writable, not executable */
#define ARCH_DEVICE_MAP 0xffffc90000000000ul /* device registers, uncached */
#define ARCH_USER_END 0x0000800000000000ul /* first address the program can never have */
#define ARCH_CPUS_MAX 64u
#define ARCH_KSTACK_BYTES (16 * KIB)

/* ------------------------------------------------------------------ registers of the program
 *
 * The same frame is built at every entry to the kernel from the program: call, fault, interrupt.
 * It lies at the top of the thread's kernel stack; changing it changes what the program resumes
 * with.
 */
struct trapframe {
	uint64_t r15, r14, r13, r12, rbp, rbx; /* pushed last … */
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector; /* exception or interrupt vector; TRAP_CALL for a system call */
	uint64_t error; /* hardware error code; for a call: its number (the original RAX) */
	uint64_t rip, cs, rflags, rsp, ss; /* … as the CPU pushes them */
};

#define ARCH_PROGRAM_CS 0x08ul /* the program runs at our own privilege level */
#define ARCH_PROGRAM_SS 0x10ul
#define TRAP_CALL 0x100ul /* trapframe.vector of a system call */
#define TRAP_IRQ_FIRST 32ul /* vectors below are exceptions */

#define RFLAGS_IF (1ul << 9)
#define RFLAGS_TF (1ul << 8)
/* Flags a program may set by rt_sigreturn: CF PF AF ZF SF TF DF OF AC (and RF, ID). */
#define RFLAGS_PROGRAM_MASK 0x00250dd5ul

/* ------------------------------------------------------------------ upcalls (tools/upcalls.txt)
 *
 * Declared here, defined above. tf is the program's frame, or for faults in kernel code the
 * kernel's own (from_program false).
 */
void linux_handle_syscall(struct trapframe *tf); /* abi/linux/dispatch.c */
/* kernel/trap.c. Page fault at addr. Returns true when resolved (retry the instruction); for the
 * program's faults a signal has been queued when it was not. For kernel faults false means: take
 * the fix-up (-EFAULT) or panic. */
bool kernel_handle_page_fault(struct trapframe *tf, uaddr_t addr, bool from_program);
void kernel_handle_exception(struct trapframe *tf); /* kernel/trap.c: program's other exceptions */
void kernel_handle_irq(uint32_t vector); /* kernel/irq.c */
void kernel_handle_timer(void); /* kernel/time/timer.c */
void kernel_handle_reschedule(void); /* kernel/sched/sched.c: another CPU asks */
/* kernel/trap.c. Last step of every return to the program: switches threads and delivers
 * signals. */
void kernel_return_to_program(struct trapframe *tf);
/* kernel/panic.c. On the NMI's own stack; whatever was interrupted may hold any lock. */
noreturn_fn void kernel_handle_nmi(struct trapframe *tf);
noreturn_fn void kernel_panic_trap(struct trapframe *tf, const char *what); /* kernel/panic.c */

/* ------------------------------------------------------------------ CPU */
/* Descriptor tables, control registers, FPU and GS of the boot CPU. */
void arch_cpu_init_boot(struct arch_cpu *self);
/* The same for another CPU, which calls it on its own stack; self->tables must be
 * arch_cpu_tables_bytes() long, 16-byte aligned, zero. */
void arch_cpu_init_secondary(struct arch_cpu *self);
size_t arch_cpu_tables_bytes(void);

/* ------------------------------------------------------------------ other CPUs */
void arch_smp_init(struct arch_cpu *boot); /* after lapic_init */
/* Starts the CPU with that APIC id: it calls entry(c) on the given stack and never returns from it.
 * False: it did not come up within 0.4 s. Boot CPU only. A time stamp counter that differs from the
 * boot CPU's is set right where the CPU can do so, else c->tsc_offset makes up for it in
 * arch_cycles; c->tsc_skew says by how much it differed. An offset that is set before is a fault on
 * purpose: such a counter is not set right. */
bool arch_start_cpu(struct arch_cpu *c, uint32_t apic_id, char *stack_top, uint64_t tsc_hz,
	void (*entry)(struct arch_cpu *self));
/* Does what other CPUs asked for. In every loop that waits for another CPU. */
void arch_poll_requests(void);
/* Around a wait in which this CPU touches nothing of the program's: it is not interrupted to
 * forget translations, but does so when it comes back. Returns what was set before. */
bool arch_set_away(bool away);
void arch_set_idle(bool idle); /* the same, and says that there is no thread to run */

static inline void arch_pause(void)
{
	__asm__ volatile("pause");
}
/* A full barrier for memory that a device shares. Not the locked instruction that compilers make of
 * a fence: QEMU's TCG emulates that without any barrier where there is one CPU, though its devices
 * have threads of their own (do_nonatomic_op of tcg/tcg-op.c). */
static inline void arch_device_fence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}
/* Takes pending interrupts now: enables them for one instruction. Caller holds no lock and runs on
 * a thread's or the idle stack. */
void arch_irq_window(void);
/* Sleeps until the next interrupt and takes it. Idle thread only. */
void arch_idle_wait(void);
bool arch_irqs_enabled(void);
noreturn_fn void arch_halt_forever(void);
/* Jumps into the program for the first time; kernel stack is at its top, tf complete. */
noreturn_fn void arch_enter_program(struct trapframe *tf);

/* The time stamp counter, the same on all CPUs but for what no message between them is quick enough
 * to show; not ordered against other instructions. */
static inline uint64_t arch_cycles(void)
{
	return cpu_raw_cycles() - (uint64_t)arch_cpu_self()->tsc_offset;
}
bool arch_random_u64(uint64_t *out); /* RDSEED, else RDRAND; false when there is neither */
bool arch_is_virtual(void); /* under a hypervisor or emulator, which may stop a CPU for any time */
uint32_t arch_hwcap(void); /* AT_HWCAP: CPUID.1:EDX */
bool arch_debug_was_step(void); /* after #DB: it was RFLAGS.TF; forgets it */

static inline void arch_out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline uint8_t arch_in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* ------------------------------------------------------------------ threads */
struct arch_thread {
	uint64_t ksp; /* saved kernel stack pointer while not running */
	uint64_t fs_base; /* program's TLS; reloaded at every switch */
	/* vector state, arch_fpu_bytes() long, 64-byte aligned; NULL: kernel-only thread */
	void *fpu;
	uint32_t fpu_cpu; /* CPU that last loaded it */
	bool fpu_live; /* area holds state worth restoring */
};

/* Makes a thread that starts in entry(arg) on the given kernel stack. Its program registers, if it
 * has any, are the trapframe that arch_thread_frame gives. */
void arch_thread_init(struct arch_thread *t, char *kstack, void (*entry)(void *), void *arg);
struct trapframe *arch_thread_frame(char *kstack);
/* Where a thread that does not run will continue in the kernel; false: it has no saved stack. */
bool arch_thread_saved(const struct arch_thread *t, uint64_t *pc, uint64_t *fp);
/* Leaves from, continues to. Saves vector state of from and loads that of to when both are program
 * threads; sets FS base and the entry stack (kstack_top). */
void arch_switch(struct arch_thread *from, struct arch_thread *to, uint64_t to_kstack_top);
void arch_set_fs_base(struct arch_thread *t, uint64_t base); /* of the running thread */

/* ------------------------------------------------------------------ vector state */
size_t arch_fpu_bytes(void); /* size of one XSAVE area in standard format */
void arch_fpu_init_area(void *area); /* state at program start: MXCSR 0x1f80, FCW 0x37f, zero */
void arch_fpu_clone(struct arch_thread *to); /* MXCSR and FCW of the running thread, rest initial */
void arch_fpu_save_now(struct arch_thread *t); /* the running thread's registers into its area */
void arch_fpu_reload(struct arch_thread *t); /* area changed: registers are loaded from it */
uint64_t arch_fpu_mask(void); /* XCR0 */
/* After #MF, or #XM (sse): the exceptions that are flagged and not masked. */
uint32_t arch_fpu_exceptions(bool sse);

/* ------------------------------------------------------------------ program memory
 *
 * May page-fault, and so may sleep: never under a lock. n may be 0.
 * Errors: -EFAULT when any byte is not accessible (earlier bytes may have been copied).
 */
/* n bytes at ua lie in the program's half of the addresses, whatever is there. Linux asks so much
 * before a call does anything. */
static inline bool user_can_be(uaddr_t ua, uint64_t n)
{
	return n <= ARCH_USER_END && ua <= ARCH_USER_END - n;
}
int user_copy_in(void *dst, uaddr_t src, size_t n) must_check;
int user_copy_out(uaddr_t dst, const void *src, size_t n) must_check;
/* Length without NUL, at most max-1; -ENAMETOOLONG when there is no NUL within max bytes. */
long user_copy_str(char *dst, uaddr_t src, size_t max) must_check;
int user_load_u32(uint32_t *out, uaddr_t src) must_check;
int user_load_u64(uint64_t *out, uaddr_t src) must_check;
int user_store_u32(uaddr_t dst, uint32_t v) must_check;
int user_store_u64(uaddr_t dst, uint64_t v) must_check;
int user_zero(uaddr_t dst, size_t n) must_check;
/* Stores desired when expected is there, in one step; what was there goes to seen. */
int user_cas_u32(uaddr_t dst, uint32_t expected, uint32_t desired, uint32_t *seen) must_check;
/* Reads a word that is already mapped, without ever faulting in: usable under a lock.
 * -EFAULT when the page is not present. */
int user_peek_u32(uint32_t *out, uaddr_t src) must_check;
/* The same for any address, the kernel's too: for reports only. */
int arch_peek_any_u32(uint32_t *out, uint64_t src) must_check;

/* ------------------------------------------------------------------ page tables
 *
 * One address space. All functions: caller holds the vm lock (or runs alone at boot).
 */
enum paging_flag {
	PAGING_READ = 1u,
	PAGING_WRITE = 2u,
	PAGING_EXEC = 4u,
	PAGING_DEVICE = 8u, /* uncached */
};

/* Where tables come from: a zeroed frame, 0 when there is none; and back. */
struct paging_frames {
	paddr_t (*alloc)(void);
	void (*free)(paddr_t pa);
};
int paging_init(const struct paging_frames *frames) must_check; /* an empty root; -ENOMEM */
void paging_activate(void); /* loads the root on this CPU */
/* Maps one page; replaces nothing (ASSERT). -ENOMEM: no frame for a table. */
int paging_map(uint64_t va, paddr_t pa, unsigned flags) must_check;
/* The same for consecutive pages and frames. On -ENOMEM a part may be mapped: the caller unmaps. */
int paging_map_range(uint64_t va, paddr_t pa, uint64_t bytes, unsigned flags) must_check;
/* The same by pages of 2 MiB that are never split. */
int paging_map_huge_range(uint64_t va, paddr_t pa, uint64_t bytes, unsigned flags) must_check;
/* 2 MiB; va and pa aligned; nothing may be mapped in the range. -ENOMEM, and nothing has changed.
 * *table: what a later paging_split takes, the caller's to keep. */
int paging_map_huge(uint64_t va, paddr_t pa, unsigned flags, paddr_t *table) must_check;
/* Looks one address up. Returns false when not present. size: 4096 or 2 MiB. */
bool paging_lookup(uint64_t va, paddr_t *pa, unsigned *flags, uint64_t *size_bytes);
/* Clears the entry, of 2 MiB as a whole; false when none. Does not flush: collect and call
 * paging_flush. */
bool paging_unmap(uint64_t va, paddr_t *old_pa, uint64_t *old_size_bytes);
/* A 2 MiB entry into 4 KiB ones, same frames, same rights; no CPU has the old one afterwards. */
void paging_split(uint64_t va, paddr_t table);
/* Exchanges what is mapped, with its tables, in the 2 MiB from a and from b, both aligned. -ENOMEM.
 * Caller flushes both. */
int paging_swap(uint64_t a, uint64_t b) must_check;
/* New flags for a present entry; no-op when absent. PAGING_READ missing means no access. */
void paging_protect(uint64_t va, unsigned flags);
void paging_protect_range(uint64_t va, uint64_t bytes, unsigned flags); /* of 4 KiB pages */
/* Next present page at or above va and below end: its address, or end. Skips empty tables. */
uint64_t paging_next_present(uint64_t va, uint64_t end);
/* Takes out tables that became empty in [start, end), after their pages were flushed; they are
 * freed with a later flush. */
void paging_prune(uint64_t start, uint64_t end);
/* Removes stale translations of [start, end) on all CPUs before it returns. */
void paging_flush(uint64_t start, uint64_t end);
/* Accessed and dirty bits: true and cleared. Caller flushes. */
bool paging_take_dirty(uint64_t va);

static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(ARCH_DIRECT_MAP + pa);
}
static inline paddr_t virt_to_phys(const void *va)
{
	return (paddr_t)va - ARCH_DIRECT_MAP; /* direct-map addresses only */
}
/* Device registers. Mapped for ever. NULL: out of memory. Boot and device set-up only. */
void *arch_map_device(paddr_t pa, size_t bytes);

/* ------------------------------------------------------------------ local interrupt controller */
/* Of this CPU. The boot CPU's comes before there are page tables of our own; when there are, and
 * before boot/entry.S's go, lapic_map: -ENOMEM. */
void lapic_init(void);
int lapic_map(void) must_check;
uint32_t lapic_id(void);
void lapic_eoi(void);
/* One-shot timer on this CPU: fires once, delay_ns from now (rounded up); 0 is at once. */
void lapic_timer_arm(uint64_t delay_ns);
void lapic_timer_stop(void);
/* Counts down from arming; rate of the counter in Hz, 0: unknown (then lapic_timer_set_hz). */
uint64_t lapic_timer_hz(void);
void lapic_timer_set_hz(uint64_t hz);
/* The raw counter, for calibration: started at 2^32-1 by lapic_count_start, counting down. */
void lapic_count_start(void);
uint32_t lapic_count_read(void);
/* Use the TSC deadline instead of the counter, where the CPU has it. hz: rate of the TSC. */
bool lapic_timer_use_tsc(uint64_t tsc_hz);
void lapic_send_ipi(uint32_t apic_id, uint32_t vector);
bool lapic_can_reach(uint32_t apic_id); /* its id fits the way we address messages */
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, uint32_t page);

enum {
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE = 0xf1,
	VECTOR_TLB = 0xf2,
	VECTOR_SPURIOUS = 0xff,
};
