/*
 * uart.c: the first serial port, for machines without a debug port: output only.
 *
 * What:       115200 baud, 8N1, polled.
 * Invariants: none.
 * Locking:    none; lines of two CPUs may mix.
 * Failure:    a transmitter that never becomes ready loses the byte.
 * Source:     NS16550A data sheet.
 */
#include "arch/arch.h"
#include "platform/pc/pc_priv.h"

enum {
	UART = 0x3f8,
	REG_DATA = 0,
	REG_IER = 1,
	REG_FCR = 2,
	REG_LCR = 3,
	REG_LSR = 5,
	LCR_DLAB = 0x80,
	LCR_8N1 = 3,
	LSR_THRE = 0x20,
	TRIES = 100000,
};

static void put(uint8_t c)
{
	for (unsigned i = 0; i < TRIES && !(arch_in8(UART + REG_LSR) & LSR_THRE); i++)
		arch_pause();
	arch_out8(UART + REG_DATA, c);
}

void uart_write(uint8_t c)
{
	static bool ready, absent;

	if (!ready) {
		ready = true;
		absent = arch_in8(UART + REG_LSR) == 0xff;
		arch_out8(UART + REG_IER, 0);
		arch_out8(UART + REG_LCR, LCR_DLAB);
		arch_out8(UART + REG_DATA, 1);
		arch_out8(UART + REG_IER, 0);
		arch_out8(UART + REG_LCR, LCR_8N1);
		arch_out8(UART + REG_FCR, 7);
	}
	if (absent)
		return;
	if (c == '\n')
		put('\r');
	put(c);
}
