/*
 * poll.h: waiting for any of several files: poll and select.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

struct poll_request {
	struct file *file; /* NULL: ignored */
	uint32_t events; /* EPOLL* bits asked for; EPOLLERR and EPOLLHUP always are */
	uint32_t ready; /* out */
};

/* How many requests are ready; 0: none by deadline_ns (0: only looks). -EINTR, -ENOMEM. Sleeps. */
long poll_wait(struct poll_request *requests, uint32_t count, uint64_t deadline_ns) must_check;
