/*
 * thread_priv.h: what else the beginning and the end of threads ask for, for sys_thread.c.
 */
#pragma once

#include "base/types.h"

struct thread;

bool linux_may_add_thread(void); /* limits.c: RLIMIT_NPROC allows another one */
void linux_robust_exit(struct thread *t); /* robust.c; may sleep */
