/*
 * report.h: where things stand, into the log: registers, stacks, threads.
 *
 * For a machine that is about to end: reads what it can without locks, waits for room in the
 * channel so that nothing is lost, and never faults. Any context.
 */
#pragma once

#include "arch/arch.h"
#include "base/compiler.h"

/* First of all: other CPUs stop at their next lock, ours waits for none. */
void report_begin(void);
void report_line(const char *format, ...) printf_like(1, 2);
void report_registers(const struct trapframe *tf);
/* Return addresses along saved frame pointers; sp: where the stack pointer was, 0: not known. */
void report_stack(const char *whose, uint64_t pc, uint64_t fp, uint64_t sp);
struct thread;
/* Registers and Go stack of a thread of the program, as of its last entry to the kernel. */
void report_program(struct thread *t);
/* Every thread, with both stacks; frames: what each CPU was doing (NULL: it did not say). */
void report_threads(const struct trapframe *const *frames);
/* Boot: what a call of that number is called, NULL: none. */
void report_set_call_names(const char *(*name)(uint64_t number));
