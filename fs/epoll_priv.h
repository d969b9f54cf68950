/*
 * epoll_priv.h: an epoll set and its items, for fs/epoll.c and fs/epoll_wait.c.
 *
 * Letters: [R] epoll.lock, the registry's; [e] the set's own lock; [I] immutable; [a] atomic.
 * The registry's lock is taken before a set's.
 */
#pragma once

#include "base/tree.h"
#include "fs/epoll.h"
#include "kernel/sched/waitq.h"
#include "kernel/time/timer.h"

struct epoll_item {
	RB_ENTRY(epoll_item) node; /* [R] in set->items */
	TAILQ_ENTRY(epoll_item) file_link; /* [R] in file->epoll_items */
	TAILQ_ENTRY(epoll_item) ready_link; /* [e] in set->ready */
	struct pollq_watcher watcher;
	struct pollq *pollq; /* [I] where watcher is */
	struct epoll_set *set; /* [I] valid while !dead */
	struct file *file; /* [I] no reference; valid while in the registry */
	int fd; /* [I] */
	_Atomic uint32_t refs; /* [a] the registry's, and one per waiter that looks at it */
	uint32_t events; /* [e] what is asked for; EPOLLERR and EPOLLHUP unless disabled */
	uint64_t data; /* [e] */
	uint64_t scan; /* [e] the last scan that looked at it */
	bool ready; /* [e] on set->ready */
	bool dead; /* [e] left the registry */
};

RB_HEAD(epoll_tree, epoll_item);
TAILQ_HEAD(epoll_ready, epoll_item);
TAILQ_HEAD(epoll_item_list, epoll_item);

struct epoll_items {
	struct epoll_item_list list; /* [R] */
};

struct epoll_set {
	struct epoll_tree items; /* [R] */
	struct file *file; /* [I] the set's own description */
	struct spinlock lock; /* LOCK_EPOLL */
	struct epoll_ready ready; /* [e] may be ready; a look tells */
	struct waitq waiters; /* [e] */
	struct pollq pollq; /* those who poll the set itself */
	struct timer announce; /* tells pollq, from a context without locks */
};

void epoll_registry_lock(void);
void epoll_registry_unlock(void);
void epoll_item_put(struct epoll_item *item);
/* Caller holds the set's lock. */
void epoll_mark_ready_locked(struct epoll_set *set, struct epoll_item *item);
uint32_t epoll_set_poll(struct file *f);
