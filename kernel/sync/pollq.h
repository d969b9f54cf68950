/*
 * pollq.h: who wants to hear that an object's readiness changed.
 *
 * An object that can be polled (pipe, socket, console, …) has one struct pollq. epoll and
 * poll/select put watchers on it. The object calls pollq_notify after each change that may make
 * it ready: the edge. Spurious notifications are harmless, a missing one hangs a goroutine.
 *
 * Locking: pollq_notify may be called with locks ranked below LOCK_POLLQ held; it takes LOCK_POLLQ
 * and calls each watcher's notify under it, which may take LOCK_EPOLL and wake threads, nothing
 * lower.
 * pollq_add and pollq_take are called without LOCK_EPOLL.
 */
#pragma once

#include "base/tree.h"
#include "kernel/sync/spinlock.h"

struct pollq_watcher {
	TAILQ_ENTRY(pollq_watcher) link; /* pollq lock */
	/* events: EPOLL* bits that may have become true (a hint; EPOLLIN and so on). */
	void (*notify)(struct pollq_watcher *w, uint32_t events); /* [I] */
};

struct pollq {
	struct spinlock lock;
	TAILQ_HEAD(pollq_watchers, pollq_watcher) watchers;
};

void pollq_init(struct pollq *q);
void pollq_add(struct pollq *q, struct pollq_watcher *w);
/* After it returns w's notify is not running and will not run again. */
void pollq_take(struct pollq *q, struct pollq_watcher *w);
void pollq_notify(struct pollq *q, uint32_t events);
