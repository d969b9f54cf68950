/*
 * drivers.h: the room's face towards boot.
 */
#pragma once

/* Probes the transports of options.mmio and starts what it finds. Waits for nothing: handshakes go
 * on by interrupts. After irq and memory are up. */
void drivers_init(void);
