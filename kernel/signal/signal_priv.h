/*
 * signal_priv.h: what signal.c, which sends, and deliver.c, which takes, share.
 */
#pragma once

#include <asm/signal.h>

#include "kernel/signal/queue_priv.h"

enum { HANDLER_DEFAULT = 0, HANDLER_IGNORE = 1, CODE_KERNEL = 0x80 };

#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

struct signal_state {
	struct spinlock lock;
	struct signal_action actions[SIGNALS_MAX]; /* [lock] index: number - 1 */
	uint64_t pending; /* [lock] for the process: any thread may take them */
	struct signal_info *info; /* [lock] their details (queue_priv.h) */
};

extern struct signal_state signals; /* signal.c */

bool signal_is_ignored_locked(int signo); /* unless it is blocked or waited for */
/* Of the current thread t: drops what is ignored, and brings signal_work up to date. */
void signal_update_locked(struct thread *t);
/* Its mask; what it blocks newly is offered to others. */
void signal_set_mask_locked(struct thread *t, uint64_t mask);
