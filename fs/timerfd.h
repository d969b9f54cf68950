/*
 * timerfd.h: a timer that is read and polled.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

int timerfd_create(bool real, uint32_t flags, struct file **out) must_check; /* -ENOMEM */
bool file_is_timerfd(const struct file *f);
bool timerfd_is_real(const struct file *f); /* made for the wall clock */

struct timerfd_setting {
	uint64_t deadline_ns; /* monotonic; 0: not armed. From get: time left */
	uint64_t interval_ns; /* 0: once */
	bool follows_real; /* a time of the wall clock: moves when that is set */
	bool cancel_on_set; /* and a read then fails with -ECANCELED */
};
/* f is a timerfd. old may be NULL; it holds the time left, not a deadline. -ECANCELED: done, but
 * the wall clock was set since, and nobody has read of it. */
int timerfd_set(struct file *f, const struct timerfd_setting *s,
	struct timerfd_setting *old) must_check;
void timerfd_get(struct file *f, struct timerfd_setting *out);
