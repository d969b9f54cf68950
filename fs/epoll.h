/*
 * epoll.h: sets of files whose readiness is waited for together.
 *
 * A registration belongs to the open file description: it goes when the last reference does.
 * Events are EPOLL* bits. All functions may sleep and are called without locks, but for
 * epoll_file_closed, which takes LOCK_PIPE and above.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

struct epoll_result {
	uint64_t data;
	uint32_t events;
};

int epoll_create(struct file **out) must_check; /* -ENOMEM */
bool file_is_epoll(const struct file *f);
/* ep is an epoll file (-EINVAL otherwise), f what fd refers to.
 * -EPERM: f can't be polled; -EEXIST; -ENOENT; -ELOOP: sets would nest too deep or in a circle. */
int epoll_add(struct file *ep, int fd, struct file *f, uint32_t events, uint64_t data) must_check;
int epoll_change(struct file *ep, int fd, struct file *f, uint32_t events,
	uint64_t data) must_check;
int epoll_remove(struct file *ep, int fd, struct file *f) must_check;
/* Where results go, one by one; index counts from 0. May sleep. What cannot be stored (not 0) is
 * told again by the next wait. */
struct epoll_sink {
	int (*store)(struct epoll_sink *sink, uint32_t index, const struct epoll_result *result);
};

/* Tells up to max ready files; 0: none by deadline_ns (0: do not wait). -EINTR, -EINVAL; what store
 * said when that was not 0 for the first one. */
long epoll_wait(struct file *ep, struct epoll_sink *sink, uint32_t max,
	uint64_t deadline_ns) must_check;
void epoll_file_closed(struct file *f); /* fs/file.c: the last reference is going */
void epoll_init(void);
