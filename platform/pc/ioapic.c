/*
 * ioapic.c: routes interrupt lines to vectors and CPUs.
 *
 * What:       one controller at its usual address. Lines are level-triggered, active high, as
 *             QEMU's virtio-mmio devices drive them.
 * Invariants: (1) a line is masked until it is routed. (2) a move writes one register, so
 *             the line always names one CPU or the other.
 * Locking:    the caller's: an access takes two steps.
 * Failure:    -ENOENT for a line that the controller does not have.
 * Source:     Intel 82093AA data sheet.
 */
#include "arch/arch.h"
#include "base/errno.h"
#include "platform/pc/pc_priv.h"
#include "platform/platform.h"

enum {
	IOAPIC_PA = 0xfec00000,
	WINDOW_SELECT = 0,
	WINDOW_DATA = 4, /* 32-bit words */
	REG_VERSION = 1,
	REG_TABLE = 0x10,
	ENTRY_LEVEL = 1 << 15,
	ENTRY_MASKED = 1 << 16,
	DESTINATION_ALL = 0xff, /* names are 8 bits wide */
};

static struct {
	volatile uint32_t *regs; /* NULL: could not be mapped */
	uint32_t lines;
} ioapic;

static uint32_t reg_read(uint32_t reg)
{
	ioapic.regs[WINDOW_SELECT] = reg;
	return ioapic.regs[WINDOW_DATA];
}

static void reg_write(uint32_t reg, uint32_t v)
{
	ioapic.regs[WINDOW_SELECT] = reg;
	ioapic.regs[WINDOW_DATA] = v;
}

void ioapic_init(void)
{
	ioapic.regs = arch_map_device(IOAPIC_PA, PAGE_SIZE);
	if (ioapic.regs)
		ioapic.lines = (reg_read(REG_VERSION) >> 16 & 0xff) + 1;
}

int platform_irq_route(uint32_t line, uint32_t vector)
{
	if (line >= ioapic.lines)
		return -ENOENT;
	reg_write(REG_TABLE + 2 * line + 1, lapic_id() << 24);
	reg_write(REG_TABLE + 2 * line, vector | ENTRY_LEVEL);
	return 0;
}

void platform_irq_move(uint32_t line, uint32_t apic_id)
{
	if (line < ioapic.lines && apic_id < DESTINATION_ALL)
		reg_write(REG_TABLE + 2 * line + 1, apic_id << 24); /* (2) */
}
