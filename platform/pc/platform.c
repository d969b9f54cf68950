/*
 * platform.c: a PC: QEMU's microvm, q35 and pc, and what looks like them.
 *
 * What:       debug output, the way to end the machine, and which hypervisor this is.
 * Invariants: none.
 * Locking:    none.
 * Failure:    debug output may be lost when nobody listens.
 * Source:     QEMU docs (isa-debugcon), Linux arch/x86/kernel/reboot.c (triple fault).
 */
#include "platform/platform.h"

#include "arch/arch.h"
#include "gosolo_abi.h"
#include "platform/pc/pc_priv.h"

enum { DEBUGCON_ECHO = 0xe9 };

static struct {
	bool debugcon; /* QEMU's device answers reads with 0xe9 */
	paddr_t rsdp_pa; /* 0: none */
} pc;

void platform_init_early(const struct boot_info *info)
{
	pc.rsdp_pa = info->rsdp_pa;
	pc.debugcon = arch_in8(GOSOLO_DEBUG_PORT) == DEBUGCON_ECHO;
}

const void *pc_at(paddr_t pa, uint64_t bytes)
{
	uint64_t end = pa + bytes, size;
	unsigned flags;
	paddr_t frame;

	if (!pa || pa >= 4 * GIB || bytes > 4 * GIB - pa)
		return NULL;
	for (paddr_t at = ROUND_DOWN(pa, PAGE_SIZE); at < end; at += PAGE_SIZE)
		if (!paging_lookup(ARCH_DIRECT_MAP + at, &frame, &flags, &size))
			return NULL;
	return phys_to_virt(pa);
}

paddr_t pc_rsdp(void)
{
	return pc.rsdp_pa;
}

void platform_debug_write(const char *s, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (pc.debugcon)
			arch_out8(GOSOLO_DEBUG_PORT, (uint8_t)s[i]);
		else
			uart_write((uint8_t)s[i]);
}

void platform_init(void)
{
	ioapic_init();
}

void platform_irq_done(uint32_t line unused_arg)
{
	/* Level-triggered lines are completed by the local APIC's EOI. */
}

void platform_reset(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	/* A breakpoint without an interrupt table is a triple fault: the machine resets, which the
	 * command takes for its end. The keyboard controller's way does not exist on microvm. */
	__asm__ volatile("lidt %0\n\tint3" : : "m"(none));
	arch_halt_forever();
}
