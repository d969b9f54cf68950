/*
 * thread_priv.h: what happens to the calling thread's own affairs when it ends, for sys_thread.c.
 */
#pragma once

struct thread;

void linux_robust_exit(struct thread *t); /* robust.c; may sleep */
