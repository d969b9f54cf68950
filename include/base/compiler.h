/*
 * compiler.h: the few compiler extensions the project uses, under one name each.
 */
#pragma once

#define must_check __attribute__((warn_unused_result))
#define noreturn_fn __attribute__((noreturn))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define aligned_to(n) __attribute__((aligned(n)))
#define in_section(s) __attribute__((section(s)))
#define unused_arg __attribute__((unused))

/* Compiler barrier: memory is not cached in registers across it. Orders nothing on the CPU. */
#define compiler_barrier() __asm__ volatile("" ::: "memory")

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
