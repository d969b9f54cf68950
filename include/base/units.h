/*
 * units.h: sizes, times and rounding.
 */
#pragma once

#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (PAGE_SIZE - 1)
#define HUGE_PAGE_SIZE (2ul << 20)
#define KIB 1024ul
#define MIB (1024ul * KIB)
#define GIB (1024ul * MIB)

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define TIME_NEVER_NS UINT64_MAX /* a deadline that does not come */

/* a must be a power of two. */
#define ROUND_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define ROUND_UP(x, a) ROUND_DOWN((x) + ((__typeof__(x))(a)-1), a)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
