/*
 * info.h: boot information of any protocol into one form.
 */
#pragma once

#include "boot_info.h"

/* Copies what lies at address (protocol's own structure, below 4 GiB, identity-mapped) into out.
 * False: not understood (wrong magic, no memory map). */
bool boot_info_read(enum boot_protocol protocol, paddr_t address, struct boot_info *out);
