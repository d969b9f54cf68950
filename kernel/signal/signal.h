/*
 * signal.h: signals of the one process: actions, what is pending where, who shall take it.
 *
 * Neutral half: numbers, masks, actions and queueing. The frame on the program's stack is made by
 * abi/linux/sigframe.c (upcall linux_deliver_signal).
 */
#pragma once

#include "kernel/sched/thread.h"

#define SIGNALS_MAX 64
#define SIGNAL_BIT(n) (1ull << ((n)-1))

/* What the handler is told; 0 in fields that the kind does not use. Values are Linux's. */
struct signal_info {
	int32_t signo; /* 0: slot is free */
	int32_t code; /* SI_USER 0, SI_TKILL -6, SI_TIMER -2, SI_KERNEL 0x80, SEGV_MAPERR 1, … */
	int32_t error;
	int32_t pid, uid; /* sender, for SI_USER and SI_TKILL */
	uint64_t addr; /* faults */
	uint64_t value; /* sigqueue, timers */
	int32_t timer_id, overrun; /* SI_TIMER */
	uint32_t timer_setting; /* which of that timer's settings sent it; 0: no timer has */
};

struct signal_action {
	uint64_t handler; /* 0 SIG_DFL, 1 SIG_IGN, else the program's address */
	uint64_t flags; /* SA_* */
	uint64_t restorer;
	uint64_t mask;
};

#define SIGNALS_QUEUED_MAX 32768u

void signal_init(void);
/* How many signals may be pending with their details, and timers be there, in all: at most
 * SIGNALS_QUEUED_MAX. What the kernel and kill send of the standard signals goes beyond it. */
void signal_set_queue_limit(uint32_t limit);
/* A place for a timer's signal, kept until it is given back. False: none is left. */
bool signal_reserve(void) must_check;
void signal_unreserve(void);
void signal_forget(struct thread *t); /* t is gone: what was pending for it is freed */
void signal_get_action(int signo, struct signal_action *out);
/* Also drops pending ones that are now ignored. */
void signal_set_action(int signo, const struct signal_action *act);
/* Asynchronous. Ignored signals vanish; a standard one that is pending stays one. */
void signal_send_thread(struct thread *t, const struct signal_info *info);
/* The same to the program's thread of that number, alive or not; signo 0 only asks. -ESRCH;
 * -EAGAIN: a real-time signal, and no room for its details. */
int signal_send_tid(int32_t tid, const struct signal_info *info) must_check;
/* To a thread that does not block it. -EAGAIN: as above. */
int signal_send_process(const struct signal_info *info);
/* A fault of the current thread: cannot be ignored or blocked (then the process ends by it). */
void signal_send_fault(const struct signal_info *info);
uint64_t signal_get_mask(void);
void signal_set_mask(uint64_t mask); /* of the current thread; SIGKILL and SIGSTOP never blocked */
uint64_t signal_pending_set(void); /* current thread's and the process's, for sigpending */
/* A signal that would be delivered to t now. */
bool signal_is_deliverable(const struct thread *t);
/* Until it is called with 0 the thread waits for the signals of set, which it blocks: senders wake
 * it, they count as deliverable, and none of them is ignored. */
void signal_wait_for(uint64_t set);
/* Takes one pending signal out of set (sigtimedwait, signalfd); 0: none. May sleep. */
int signal_take_set(uint64_t set, struct signal_info *info);

/* Delivers what is deliverable to the current thread (default actions may end the process). Called
 * on return to the program. */
void signal_deliver(struct trapframe *tf);
/* Upcall, abi/linux/sigframe.c: builds the frame for info, redirects tf to the handler. -EFAULT
 * when the stack is bad. */
int linux_deliver_signal(struct trapframe *tf, const struct signal_info *info,
	const struct signal_action *act, uint64_t mask_to_save) must_check;
/* Upcall, abi/linux/sys_timer.c: info was taken out, and will be told or delivered; a timer's
 * counts what the timer has missed until now. False: the timer is gone or was set since, and nobody
 * is to hear of it. May sleep. */
bool linux_signal_taken(struct signal_info *info) must_check;
/* Upcall, abi/linux/restart.c: before a handler runs or none does: an interrupted call in tf is
 * set to restart or to EINTR. act NULL: no handler runs. */
void linux_fix_restart(struct trapframe *tf, const struct signal_action *act);
