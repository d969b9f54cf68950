/*
 * types.h: integer types, and one type per kind of address so that kinds do not mix in a signature.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t uaddr_t; /* address in the program; only user_* (arch/arch.h) may access it */
typedef uint64_t paddr_t; /* guest physical address, bytes */
typedef uint64_t pfn_t; /* guest physical frame number: paddr >> PAGE_SHIFT */
