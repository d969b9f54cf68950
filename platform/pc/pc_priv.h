/*
 * pc_priv.h: what the files of this folder share.
 */
#pragma once

#include "base/types.h"

void ioapic_init(void);
void uart_write(uint8_t c); /* first serial port; set up at the first use; LF becomes CR LF */
/* bytes of a table at pa; NULL: not all of it is in the direct map, or it lies above 4 GiB. */
const void *pc_at(paddr_t pa, uint64_t bytes);
paddr_t pc_rsdp(void); /* ACPI's root pointer as the boot loader gave it; 0: none */
