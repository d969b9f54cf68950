/*
 * cpu.c: descriptor tables, control registers and small instructions.
 *
 * What:       brings one CPU into the state that all kernel and program code expects: one code and
 *             one data segment, a TSS with an interrupt stack for every kind of event, SYSCALL
 *             pointing at our entry, write protection in ring 0, GS at the CPU's own data.
 * Invariants: (1) every IDT gate has an IST slot. (2) GS base is set once and never changes.
 *             (3) FMASK clears IF, so kernel code begins with interrupts off. (4) shared_registers
 *             are the same on every CPU: a thread runs on any.
 * Locking:    none; each CPU touches its own tables, the IDT is written once at boot.
 * Failure:    none.
 * Source:     Intel SDM 3A 2.5, 6.14, 8.7; AMD APM 2 6.1.
 */
#include "arch/x86_64/cpu_priv.h"

#include "arch/arch.h"
#include "arch/cpuid.h"
#include "arch/x86_64/regs.h"
#include "base/assert.h"
#include "lib/string.h"

STATIC_ASSERT(__builtin_offsetof(struct arch_cpu, self) == ARCH_CPU_SELF, "percpu.h");
STATIC_ASSERT(__builtin_offsetof(struct arch_cpu, kstack_top) == ARCH_CPU_KSTACK_TOP, "percpu.h");
STATIC_ASSERT(__builtin_offsetof(struct arch_cpu, scratch) == ARCH_CPU_SCRATCH, "percpu.h");

/* SDM 3A 6.14.1 */
struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};
STATIC_ASSERT(sizeof(struct idt_gate) == 16, "SDM 6.14.1");

/* SDM 3A 8.7 */
struct tss {
	uint32_t reserved0;
	uint32_t rsp[6], reserved1[2];
	struct {
		uint32_t low, high;
	} ist[7];
	uint32_t reserved2[2];
	uint16_t reserved3, iomap_base;
};
STATIC_ASSERT(sizeof(struct tss) == 104, "SDM 8.7");

/* The two small slots hold one hardware frame and are left at once; the others run C code. */
enum { IST_SMALL_BYTES = 256, IST_LARGE_BYTES = 8192 };

struct cpu_tables {
	uint64_t gdt[5];
	struct tss tss aligned_to(16);
	char small[2][IST_SMALL_BYTES] aligned_to(16);
	char large[2][IST_LARGE_BYTES] aligned_to(16);
};

struct shared_registers {
	uint64_t cr0, cr4, efer, star, lstar, fmask, pat, xcr0;
};

static struct {
	struct idt_gate idt[256] aligned_to(16);
	struct cpu_tables boot;
	uint32_t hwcap;
	bool rdrand, rdseed, fsgsbase;
	struct shared_registers shared; /* [I] the first CPU's */
} cpu;

static const uint64_t gdt_template[3] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

static void set_ist(struct tss *t, unsigned slot, const char *stack, size_t bytes)
{
	uint64_t top = (uint64_t)stack + bytes;

	t->ist[slot - 1].low = (uint32_t)top;
	t->ist[slot - 1].high = (uint32_t)(top >> 32);
}

static unsigned ist_of(unsigned vector)
{
	switch (vector) {
	case VECTOR_PAGE_FAULT:
		return IST_PAGE_FAULT;
	case VECTOR_DOUBLE_FAULT:
		return IST_DOUBLE_FAULT;
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_MACHINE_CHECK:
		return IST_MACHINE_CHECK;
	default:
		return IST_COMMON;
	}
}

static void build_idt(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t entry = (uint64_t)entry_stubs + v * ENTRY_STUB_BYTES;

		cpu.idt[v] = (struct idt_gate){
			.offset_low = (uint16_t)entry,
			.selector = SELECTOR_CODE,
			.ist = (uint8_t)ist_of(v), /* (1) */
			.type = 0x8e, /* present, interrupt gate: IF off */
			.offset_mid = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32),
		};
	}
}

static void load_tables(struct cpu_tables *t)
{
	uint64_t base = (uint64_t)&t->tss;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = { sizeof(t->gdt) - 1, (uint64_t)t->gdt },
				  idtr = { sizeof(cpu.idt) - 1, (uint64_t)cpu.idt };

	for (unsigned i = 0; i < 3; i++)
		t->gdt[i] = gdt_template[i];
	t->gdt[3] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		(base >> 24 & 0xff) << 56;
	t->gdt[4] = base >> 32;
	t->tss.iomap_base = sizeof(struct tss);
	set_ist(&t->tss, IST_COMMON, t->small[0], IST_SMALL_BYTES);
	set_ist(&t->tss, IST_PAGE_FAULT, t->small[1], IST_SMALL_BYTES);
	set_ist(&t->tss, IST_DOUBLE_FAULT, t->large[0], IST_LARGE_BYTES);
	set_ist(&t->tss, IST_MACHINE_CHECK, t->large[0], IST_LARGE_BYTES); /* both are the end */
	set_ist(&t->tss, IST_NMI, t->large[1], IST_LARGE_BYTES);
	__asm__ volatile("lgdt %0\n\tlidt %1\n\tltr %w2"
			 :
			 : "m"(gdtr), "m"(idtr), "r"(SELECTOR_TSS));
	__asm__ volatile(
		"pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:"
		"\n\tmovl %1, %%eax\n\tmovw %%ax, %%ss\n\tmovw %%ax, %%ds\n\tmovw %%ax, %%es"
		"\n\txorl %%eax, %%eax\n\tmovw %%ax, %%fs\n\tmovw %%ax, %%gs"
		:
		: "i"(SELECTOR_CODE), "i"(SELECTOR_DATA)
		: "rax", "memory");
}

static void set_control_registers(void)
{
	uint64_t cr0, cr4;

	__asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
	/* INIT leaves a CPU's caches off (SDM 3A 9.1.1). */
	cr0 &= ~(uint64_t)(CR0_EM | CR0_TS | CR0_AM | CR0_CD | CR0_NW);
	cr0 |= CR0_MP | CR0_NE | CR0_WP;
	__asm__ volatile("movq %0, %%cr0" : : "r"(cr0));
	__asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (cpu.fsgsbase)
		cr4 |= CR4_FSGSBASE;
	__asm__ volatile("movq %0, %%cr4" : : "r"(cr4));
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
	msr_write(MSR_STAR, (uint64_t)SELECTOR_CODE << 32);
	msr_write(MSR_LSTAR, (uint64_t)entry_syscall);
	/* (3) TF, IF, DF, IOPL, NT, AC */
	msr_write(MSR_FMASK, 0x47700);
}

static void read_shared(struct shared_registers *r)
{
	*r = (struct shared_registers){
		.efer = msr_read(MSR_EFER),
		.star = msr_read(MSR_STAR),
		.lstar = msr_read(MSR_LSTAR),
		.fmask = msr_read(MSR_FMASK),
		.pat = msr_read(MSR_PAT),
		.xcr0 = fpu_read_xcr0(),
	};
	__asm__ volatile("movq %%cr0, %0" : "=r"(r->cr0));
	__asm__ volatile("movq %%cr4, %0" : "=r"(r->cr4));
}

static void read_features(void)
{
	struct cpuid_regs one = cpuid(1, 0);

	cpu.hwcap = one.edx;
	cpu.rdrand = one.ecx >> 30 & 1;
	if (cpuid(0, 0).eax >= 7) {
		uint32_t ebx = cpuid(7, 0).ebx;

		cpu.fsgsbase = ebx & 1;
		cpu.rdseed = ebx >> 18 & 1;
	}
}

void arch_cpu_init_boot(struct arch_cpu *self)
{
	read_features();
	build_idt();
	load_tables(&cpu.boot);
	self->self = self;
	self->id = 0;
	msr_write(MSR_GS_BASE, (uint64_t)self); /* (2) */
	set_control_registers();
	fpu_init_cpu();
	read_shared(&cpu.shared);
}

void arch_cpu_init_secondary(struct arch_cpu *self)
{
	struct shared_registers own;

	load_tables(self->tables);
	self->self = self;
	msr_write(MSR_GS_BASE, (uint64_t)self); /* (2) */
	set_control_registers();
	fpu_init_cpu();
	msr_write(MSR_PAT, cpu.shared.pat); /* firmware may not have done it here */
	read_shared(&own);
	ASSERT(!memcmp(&own, &cpu.shared, sizeof(own))); /* (4) */
}

size_t arch_cpu_tables_bytes(void)
{
	return sizeof(struct cpu_tables);
}

bool cpu_has_fsgsbase(void)
{
	return cpu.fsgsbase;
}

bool arch_is_virtual(void)
{
	return cpuid(1, 0).ecx >> 31;
}

uint32_t arch_hwcap(void)
{
	return cpu.hwcap;
}

bool arch_random_u64(uint64_t *out)
{
	uint64_t v = 0;
	uint8_t ok = 0;

	/* Both may be empty for a moment: the manual asks for ten tries of RDRAND. */
	for (unsigned i = 0; i < 10 && !ok && cpu.rdseed; i++)
		__asm__ volatile("rdseed %0\n\tsetc %1" : "=r"(v), "=qm"(ok) : : "cc");
	for (unsigned i = 0; i < 10 && !ok && cpu.rdrand; i++)
		__asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(v), "=qm"(ok) : : "cc");
	*out = v;
	return ok;
}

void arch_irq_window(void)
{
	__asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

void arch_idle_wait(void)
{
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

bool arch_irqs_enabled(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags));
	return flags & RFLAGS_IF;
}

void arch_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

struct arch_cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r = cpuid(leaf, subleaf);

	return (struct arch_cpuid_regs){ r.eax, r.ebx, r.ecx, r.edx };
}

void arch_msr_write(uint32_t msr, uint64_t v)
{
	msr_write(msr, v);
}
