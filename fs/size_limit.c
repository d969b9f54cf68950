/*
 * size_limit.c: how large the program may make files.
 *
 * What:       one number, which writes, truncations and allocations of regular files look at before
 *             they make a file larger. A write is cut off at the limit; one that begins there is
 *             an error and a signal. What is as large already stays.
 * Invariants: none.
 * Locking:    the number is atomic; LOCK_SIGNAL to send.
 * Failure:    -EFBIG with SIGXFSZ.
 * Source:     getrlimit(2); Linux generic_write_check_limits, inode_newsize_ok.
 */
#include "fs/size_limit.h"

#include "base/errno.h"
#include "base/units.h"
#include "kernel/process.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"

#define SIGNAL_FILE_SIZE 25

_Atomic uint64_t size_limit_bytes = UINT64_MAX;

int size_limit_refuse(void)
{
	struct signal_info info = { .signo = SIGNAL_FILE_SIZE, .pid = PROCESS_PID };

	signal_send_thread(thread_current(), &info);
	return -EFBIG;
}

uint64_t size_limit_room(uint64_t offset_bytes, uint64_t bytes)
{
	uint64_t limit = atomic_load_explicit(&size_limit_bytes, memory_order_relaxed);

	return offset_bytes >= limit ? 0 : MIN(bytes, limit - offset_bytes);
}
