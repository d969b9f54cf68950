/* sources: fs/archive.c fs/vfs.c fs/vfs_names.c fs/vfs_open.c fs/vfs_setup.c fs/path.c fs/dir.c
 * fs/inode.c fs/perm.c fs/xattr.c fs/data.c fs/data_allocate.c fs/size_limit.c fs/data_map.c
 * fs/page_tree.c fs/node_file.c
 * fs/file.c fs/fdtable.c
 * fs/lock.c fs/inotify.c fs/mutex.c lib/fmt.c
 * fs/pipe.c fs/pipe_ring.c fs/eventfd.c fs/epoll.c fs/epoll_wait.c fs/poll.c
 * kernel/sync/pollq.c kernel/uio.c test/unit/shim/host.c test/unit/shim/host_ram.c
 * test/unit/shim/host_pmm.c test/unit/shim/host_kmem.c test/unit/shim/host_fs.c */
/*
 * fs_stream_test.c: pipes, eventfd, epoll and poll.
 *
 * What:       bytes through pipes of all sizes against a model; blocking with another thread's part
 *             played by a hook; level, edge and one-shot events; sets within sets; closing.
 * Invariants: (1) every byte arrives once and in order. (2) nothing is left at the end.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     pipe(7), eventfd(2), epoll(7).
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/epoll.h"
#include "fs/eventfd.h"
#include "fs/pipe.h"
#include "fs/poll.h"
#include "host.h"
#include "host_fs.h"
#include "kernel/mm/pmm.h"
#include "kernel/signal/signal.h"

static struct file *ends[2];

static void open_pipe(uint32_t flags)
{
	CHECK_EQ(pipe_create(flags, &ends[0], &ends[1]), 0);
}

static void close_pipe(void)
{
	file_put(ends[0]);
	file_put(ends[1]);
}

/* ------------------------------------------------------------------ pipes */

static void test_pipe_bytes(uint32_t capacity)
{
	static uint8_t out[20000], in[20000];
	uint64_t seed = capacity, sent = 0, received = 0;

	open_pipe(O_NONBLOCK);
	CHECK_EQ(pipe_set_capacity(file_pipe(ends[0]), capacity), capacity);
	while (received < MIB) {
		uint64_t r = host_random(&seed);
		size_t want = 1 + r % (r & 1 ? 300 : sizeof(out));
		long n;

		for (size_t i = 0; i < want; i++)
			out[i] = (uint8_t)((sent + i) * 31 >> 3);
		n = host_fs_write(ends[1], out, want);
		CHECK(n > 0 || n == -EAGAIN);
		if (want <= PIPE_ATOMIC_BYTES)
			CHECK(n == (long)want || n == -EAGAIN);
		sent += n > 0 ? (uint64_t)n : 0;
		n = host_fs_read(ends[0], in, 1 + (r >> 32) % sizeof(in));
		CHECK(n > 0 || (n == -EAGAIN && sent == received));
		for (long i = 0; i < n; i++)
			CHECK_EQ(in[i], (uint8_t)((received + (uint64_t)i) * 31 >> 3)); /* (1) */
		received += n > 0 ? (uint64_t)n : 0;
		CHECK(sent - received <= capacity);
	}
	close_pipe();
}

static void test_pipe_ends(void)
{
	char buf[16];

	open_pipe(O_NONBLOCK);
	CHECK_EQ(host_fs_read(ends[0], buf, 1), -EAGAIN);
	CHECK_EQ(host_fs_read(ends[1], buf, 1), -EBADF);
	CHECK_EQ(host_fs_write(ends[0], buf, 1), -EBADF);
	CHECK_EQ(host_fs_write(ends[1], "abc", 3), 3);
	CHECK_EQ(host_fs_read(ends[0], (void *)1, 3), -EFAULT);
	CHECK_EQ(ends[0]->ops->poll(ends[0]), EPOLLIN | EPOLLRDNORM);
	CHECK_EQ(ends[1]->ops->poll(ends[1]), EPOLLOUT | EPOLLWRNORM);
	file_put(ends[1]);
	CHECK_EQ(ends[0]->ops->poll(ends[0]), EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	CHECK_EQ(host_fs_read(ends[0], buf, 16), 3);
	CHECK_EQ(host_fs_read(ends[0], buf, 16), 0);
	CHECK_EQ(ends[0]->ops->poll(ends[0]), EPOLLHUP);
	file_put(ends[0]);
	open_pipe(0);
	file_put(ends[0]);
	host_fs_sigpipes = 0;
	CHECK_EQ(host_fs_write(ends[1], "x", 1), -EPIPE);
	CHECK_EQ(host_fs_sigpipes, 1);
	CHECK(ends[1]->ops->poll(ends[1]) & EPOLLERR);
	file_put(ends[1]);
}

static bool write_a_bit(void)
{
	CHECK_EQ(host_fs_write(ends[1], "late", 4), 4);
	return true;
}

static bool read_a_bit(void)
{
	static char buf[5000];

	CHECK(host_fs_read(ends[0], buf, sizeof(buf)) > 0);
	return true;
}

static bool interrupt(void)
{
	return false;
}

static void test_pipe_blocking(void)
{
	static char big[200000], buf[70000];

	open_pipe(0);
	host_fs_sleep = write_a_bit;
	CHECK_EQ(host_fs_read(ends[0], buf, 16), 4);
	host_fs_sleep = read_a_bit;
	CHECK_EQ(host_fs_write(ends[1], big, sizeof(big)), sizeof(big));
	host_fs_sleep = interrupt;
	CHECK(host_fs_write(ends[1], big, sizeof(big)) > 0); /* what fitted */
	CHECK_EQ(host_fs_write(ends[1], "x", 1), -ERESTARTSYS);
	while (host_fs_read(ends[0], buf, sizeof(buf)) > 0)
		;
	CHECK_EQ(host_fs_read(ends[0], buf, 1), -ERESTARTSYS);
	host_fs_sleep = NULL;
	close_pipe();
}

static void test_pipe_capacity(void)
{
	static char big[70000];

	open_pipe(O_NONBLOCK);
	CHECK_EQ(pipe_capacity_bytes(file_pipe(ends[0])), 65536);
	CHECK_EQ(host_fs_write(ends[1], big, sizeof(big)), 65536);
	CHECK_EQ(pipe_set_capacity(file_pipe(ends[0]), 4096), -EBUSY);
	CHECK_EQ(pipe_set_capacity(file_pipe(ends[0]), 100000), 131072);
	CHECK_EQ(host_fs_write(ends[1], big, sizeof(big)), 65536);
	CHECK_EQ(host_fs_read(ends[0], big, 65537), 65537);
	CHECK_EQ(pipe_set_capacity(file_pipe(ends[0]), 1), -EBUSY);
	CHECK_EQ(pipe_set_capacity(file_pipe(ends[0]), 65536), 65536);
	CHECK_EQ(host_fs_read(ends[0], big, 65536), 65535);
	CHECK_EQ(pipe_set_capacity(file_pipe(ends[0]), 1), 4096);
	CHECK_EQ(pipe_set_capacity(file_pipe(ends[0]), 1ul << 40), -EINVAL);
	close_pipe();
}

/* ------------------------------------------------------------------ eventfd */

static void test_eventfd(void)
{
	uint64_t v = 3;
	struct file *f;

	CHECK_EQ(eventfd_create(0, false, O_NONBLOCK, &f), 0);
	CHECK_EQ(host_fs_read(f, &v, 8), -EAGAIN);
	CHECK_EQ(f->ops->poll(f), EPOLLOUT);
	CHECK_EQ(host_fs_write(f, &v, 8), 8);
	CHECK_EQ(host_fs_write(f, &v, 7), -EINVAL);
	CHECK_EQ(host_fs_write(f, &v, 8), 8);
	CHECK_EQ(f->ops->poll(f), EPOLLIN | EPOLLOUT);
	CHECK_EQ(host_fs_read(f, &v, 7), -EINVAL);
	CHECK_EQ(host_fs_read(f, &v, 8), 8);
	CHECK_EQ(v, 6);
	v = UINT64_MAX;
	CHECK_EQ(host_fs_write(f, &v, 8), -EINVAL);
	v = UINT64_MAX - 1;
	CHECK_EQ(host_fs_write(f, &v, 8), 8);
	CHECK_EQ(f->ops->poll(f), EPOLLIN);
	v = 1;
	CHECK_EQ(host_fs_write(f, &v, 8), -EAGAIN);
	file_put(f);
	CHECK_EQ(eventfd_create(2, true, O_NONBLOCK, &f), 0);
	CHECK_EQ(host_fs_read(f, &v, 8), 8);
	CHECK_EQ(v, 1);
	CHECK_EQ(host_fs_read(f, &v, 8), 8);
	CHECK_EQ(host_fs_read(f, &v, 8), -EAGAIN);
	file_put(f);
}

/* ------------------------------------------------------------------ epoll */

static struct file *set;
static struct epoll_result got[64];

static uint32_t room = 64; /* in got */

static int store(struct epoll_sink *sink, uint32_t index, const struct epoll_result *result)
{
	(void)sink;
	if (index >= room)
		return -EFAULT;
	got[index] = *result;
	return 0;
}

static struct epoll_sink sink = { .store = store };

static long wait_now(uint32_t max)
{
	return epoll_wait(set, &sink, max, 0);
}

/* What could not be stored is told by the next wait: levels, edges, and what is armed for once. */
static void test_epoll_unstored(void)
{
	static const uint32_t kinds[] = { EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT };
	struct file *e[30];
	uint64_t seen = 0;

	CHECK_EQ(epoll_create(&set), 0);
	for (int i = 0; i < 30; i++) {
		CHECK_EQ(eventfd_create(1, false, O_NONBLOCK, &e[i]), 0);
		CHECK_EQ(epoll_add(set, i, e[i], kinds[i % 3], (uint64_t)i), 0);
	}
	room = 0;
	CHECK_EQ(wait_now(64), -EFAULT);
	room = 7;
	for (int round = 0; round < 8; round++) {
		CHECK_EQ(wait_now(64), 7);
		for (unsigned i = 0; i < 7; i++)
			seen |= 1ull << got[i].data;
	}
	CHECK_EQ(seen, (1ull << 30) - 1);
	room = 64;
	CHECK_EQ(wait_now(64), 10); /* the level-triggered ones */
	file_put(set);
	for (int i = 0; i < 30; i++)
		file_put(e[i]);
}

static void test_epoll_levels(void)
{
	char buf[8];

	CHECK_EQ(epoll_create(&set), 0);
	open_pipe(O_NONBLOCK);
	CHECK_EQ(epoll_add(set, 3, ends[0], EPOLLIN, 77), 0);
	CHECK_EQ(epoll_add(set, 3, ends[0], EPOLLIN, 77), -EEXIST);
	CHECK_EQ(epoll_change(set, 4, ends[0], EPOLLIN, 77), -ENOENT);
	CHECK_EQ(epoll_add(set, 5, set, EPOLLIN, 0), -EINVAL);
	CHECK_EQ(wait_now(8), 0);
	CHECK_EQ(host_fs_write(ends[1], "ab", 2), 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(wait_now(8), 1);
		CHECK(got[0].events == EPOLLIN && got[0].data == 77);
	}
	CHECK_EQ(host_fs_read(ends[0], buf, 8), 2);
	CHECK_EQ(wait_now(8), 0);
	CHECK_EQ(epoll_change(set, 3, ends[0], EPOLLIN | EPOLLET, 78), 0);
	CHECK_EQ(host_fs_write(ends[1], "a", 1), 1);
	CHECK_EQ(wait_now(8), 1);
	CHECK_EQ(got[0].data, 78);
	CHECK_EQ(wait_now(8), 0);
	CHECK_EQ(host_fs_write(ends[1], "b", 1), 1); /* another edge, nothing was read */
	CHECK_EQ(wait_now(8), 1);
	CHECK_EQ(epoll_change(set, 3, ends[0], EPOLLIN | EPOLLONESHOT, 79), 0);
	CHECK_EQ(wait_now(8), 1);
	CHECK_EQ(host_fs_write(ends[1], "c", 1), 1);
	CHECK_EQ(wait_now(8), 0);
	CHECK_EQ(epoll_change(set, 3, ends[0], EPOLLIN | EPOLLONESHOT, 80), 0);
	CHECK_EQ(wait_now(8), 1);
	CHECK_EQ(epoll_change(set, 3, ends[0], EPOLLIN, 81), 0);
	file_put(ends[1]);
	CHECK_EQ(wait_now(8), 1);
	CHECK_EQ(got[0].events, EPOLLIN | EPOLLHUP);
	file_put(ends[0]); /* the last close: the registration goes */
	CHECK_EQ(wait_now(8), 0);
	file_put(set);
}

static void test_epoll_many(void)
{
	struct file *e[50];
	uint64_t v = 1, seen = 0;

	CHECK_EQ(epoll_create(&set), 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(eventfd_create(0, false, O_NONBLOCK, &e[i]), 0);
		CHECK_EQ(epoll_add(set, i, e[i], EPOLLIN | (i & 1 ? EPOLLET : 0), (uint64_t)i), 0);
		CHECK_EQ(host_fs_write(e[i], &v, 8), 8);
	}
	for (int round = 0; round < 20; round++) { /* maxevents is full each time: none is lost */
		long n = wait_now(5);

		for (long i = 0; i < n; i++)
			seen |= 1ull << got[i].data;
	}
	CHECK_EQ(seen, (1ull << 50) - 1);
	CHECK_EQ(wait_now(64), 25); /* the level-triggered ones, each once */
	CHECK_EQ(epoll_remove(set, 0, e[0]), 0);
	CHECK_EQ(epoll_remove(set, 0, e[0]), -ENOENT);
	CHECK_EQ(wait_now(64), 24);
	file_put(set); /* before its files */
	for (int i = 0; i < 50; i++)
		file_put(e[i]);
}

static bool wake_by_event(void)
{
	uint64_t v = 1;

	CHECK_EQ(host_fs_write(ends[0], &v, 8), 8);
	return true;
}

static void test_epoll_waiting(void)
{
	uint64_t v;

	CHECK_EQ(epoll_create(&set), 0);
	CHECK_EQ(eventfd_create(0, false, O_NONBLOCK, &ends[0]), 0);
	CHECK_EQ(epoll_add(set, 3, ends[0], EPOLLIN, 1), 0);
	host_fs_sleep = wake_by_event;
	CHECK_EQ(epoll_wait(set, &sink, 8, TIME_NEVER_NS), 1);
	CHECK_EQ(got[0].events, EPOLLIN); /* exactly: Go insists */
	CHECK_EQ(host_fs_read(ends[0], &v, 8), 8);
	host_fs_sleep = interrupt;
	CHECK_EQ(epoll_wait(set, &sink, 8, TIME_NEVER_NS), -EINTR);
	host_fs_sleep = NULL;
	CHECK_EQ(epoll_wait(set, &sink, 8, 1), 0); /* times out */
	CHECK_EQ(epoll_wait(ends[0], &sink, 8, 0), -EINVAL);
	file_put(ends[0]);
	file_put(set);
}

static void test_epoll_nested(void)
{
	struct file *inner, *e, *deep[6];
	uint64_t v = 1;

	CHECK_EQ(epoll_create(&set), 0);
	CHECK_EQ(epoll_create(&inner), 0);
	CHECK_EQ(eventfd_create(0, false, O_NONBLOCK, &e), 0);
	CHECK_EQ(epoll_add(set, 3, inner, EPOLLIN | EPOLLET, 3), 0);
	CHECK_EQ(epoll_add(inner, 4, set, EPOLLIN, 4), -ELOOP);
	CHECK_EQ(epoll_add(inner, 4, e, EPOLLIN, 4), 0);
	CHECK_EQ(wait_now(8), 0);
	CHECK_EQ(host_fs_write(e, &v, 8), 8);
	host_fs_timers_fire();
	CHECK_EQ(wait_now(8), 1);
	CHECK_EQ(got[0].data, 3);
	CHECK_EQ(inner->ops->poll(inner), EPOLLIN | EPOLLRDNORM);
	CHECK_EQ(inner->ops->poll(inner), EPOLLIN | EPOLLRDNORM); /* looking takes nothing away */
	CHECK_EQ(host_fs_read(e, &v, 8), 8);
	CHECK_EQ(inner->ops->poll(inner), 0);
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(epoll_create(&deep[i]), 0);
		if (i > 0)
			CHECK_EQ(epoll_add(deep[i], i, deep[i - 1], EPOLLIN, 0),
				i < 5 ? 0 : -ELOOP);
	}
	for (int i = 0; i < 6; i++)
		file_put(deep[i]);
	file_put(e);
	file_put(inner);
	file_put(set);
}

/* ------------------------------------------------------------------ poll */

static void test_poll(void)
{
	struct poll_request q[3];

	open_pipe(O_NONBLOCK);
	q[0] = (struct poll_request){ .file = ends[0], .events = EPOLLIN };
	q[1] = (struct poll_request){ .file = ends[1], .events = EPOLLIN };
	q[2] = (struct poll_request){ 0 };
	CHECK_EQ(poll_wait(q, 3, 0), 0);
	host_fs_sleep = write_a_bit;
	CHECK_EQ(poll_wait(q, 3, TIME_NEVER_NS), 1);
	CHECK(q[0].ready == EPOLLIN && q[1].ready == 0);
	q[0].events = 0;
	host_fs_sleep = interrupt;
	CHECK_EQ(poll_wait(q, 3, TIME_NEVER_NS), -EINTR);
	host_fs_sleep = NULL;
	CHECK_EQ(poll_wait(q, 3, 1), 0);
	file_put(ends[0]);
	q[0].file = NULL;
	CHECK_EQ(poll_wait(q, 3, TIME_NEVER_NS), 1); /* EPOLLERR needs no asking */
	CHECK_EQ(q[1].ready, EPOLLERR);
	file_put(ends[1]);
}

/* No signals here: polls end by readiness or time. */
bool signal_is_deliverable(const struct thread *t)
{
	(void)t;
	return false;
}

int main(void)
{
	uint64_t objects, frames;

	host_fs_init(NULL, 0);
	objects = host_kmem_objects();
	frames = pmm_free_pages();
	for (uint32_t capacity = 4096; capacity <= 131072; capacity *= 2)
		test_pipe_bytes(capacity);
	test_pipe_ends();
	test_pipe_blocking();
	test_pipe_capacity();
	test_eventfd();
	test_epoll_levels();
	test_epoll_many();
	test_epoll_waiting();
	test_epoll_unstored();
	test_epoll_nested();
	test_poll();
	CHECK_EQ(host_kmem_objects(), objects); /* (2) */
	CHECK_EQ(pmm_free_pages(), frames);
	return 0;
}
