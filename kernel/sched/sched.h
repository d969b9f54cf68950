/*
 * sched.h: which thread runs where.
 */
#pragma once

#include "kernel/sched/thread.h"

/* The calling context becomes the boot CPU's idle thread. */
void sched_init(struct thread *boot_thread);
void sched_adopt_idle(struct thread *idle); /* the same for another CPU, on it */
/* First thing on a new thread's stack: completes the switch to it. */
void sched_first_run(void);
/* Sleeps until unparked, until deadline_ns, or (signals) until a signal is deliverable. Consumes a
 * wake that came before. Spurious returns are allowed: callers test their condition. No lock
 * held. */
void sched_park(uint64_t deadline_ns, bool signals);
/* Makes t run again; remembered when it is not parked yet. Any lock below LOCK_SCHED may be
 * held. */
void sched_unpark(struct thread *t);
/* Lets other runnable threads of this CPU go first. No lock held. */
void sched_yield_cpu(void);
/* Interrupts the CPUs that threads were queued on since the last call. Any context, better without
 * locks; the scheduler and the return to the program do it, so nobody else needs to. */
void sched_send_kicks(void);
/* In long operations: takes interrupts, and yields when the slice is over. No lock held. */
void sched_relax(void);
/* Puts a new thread on a run queue. */
void sched_start(struct thread *t);
/* Switches away from a dead thread. */
noreturn_fn void sched_exit(void);
/* On return to the program: switches when the slice is over. */
void sched_return_to_program(void);
/* Asks the CPU that runs t to look at t->signal_work (IPI when it is another CPU). */
void sched_kick(struct thread *t);
void sched_interrupt_others(void); /* every other CPU enters the kernel once */
int sched_set_affinity(struct thread *t, uint64_t mask) must_check; /* -EINVAL: no online CPU */
/* RUNQ_NICE_MIN to RUNQ_NICE_MAX. From now on; takes LOCK_SCHED. */
void sched_set_nice(struct thread *t, int32_t nice);
noreturn_fn void sched_idle_loop(void);
uint64_t sched_thread_cpu_ns(struct thread *t); /* CPU time so far; takes LOCK_SCHED */
uint64_t sched_process_cpu_ns(void);
uint64_t sched_process_system_ns(void); /* what of it was the kernel's, by samples */
