/*
 * host_fs.c: fs/'s surroundings on the host.
 *
 * What:       stands in for waits, timers, clock, signals, the console and uaccess.
 * Invariants: (1) nothing sleeps or touches program memory with a lock held.
 * Locking:    one thread.
 * Failure:    a failed check ends the program.
 * Source:     kernel/sched/waitq.h, kernel/time/timer.h, arch/arch.h.
 */
#include "host_fs.h"

#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/archive.h"
#include "fs/console.h"
#include "fs/epoll.h"
#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "host.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "kernel/sched/waitq.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

bool (*host_fs_sleep)(void);
unsigned host_fs_sigpipes;
uint64_t host_fs_now_ns = 1000000000ull;

static struct timer *armed[8];

/* ------------------------------------------------------------------ waits */
void waitq_init(struct waitq *q)
{
	TAILQ_INIT(&q->waiters);
}

int waitq_wait(struct waitq *q, struct spinlock *lock, uint64_t deadline_ns, unsigned flags)
{
	bool woken;

	(void)q;
	(void)deadline_ns;
	lock_assert_held(lock);
	spin_unlock(lock);
	lock_assert_none(); /* (1) */
	if (!host_fs_sleep) {
		spin_lock(lock);
		CHECK(flags & WAIT_SIGNALS); /* a wait without end and without help */
		return -ETIMEDOUT;
	}
	woken = host_fs_sleep();
	spin_lock(lock);
	return woken ? 0 : -ERESTARTSYS;
}

unsigned waitq_wake_one(struct waitq *q)
{
	(void)q;
	return 0;
}

unsigned waitq_wake_all(struct waitq *q)
{
	(void)q;
	return 0;
}

/* ------------------------------------------------------------------ time */
uint64_t clock_now_ns(void)
{
	return host_fs_now_ns++;
}

int64_t clock_real_offset_ns(void)
{
	return 0;
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	*t = (struct timer){ .fire = fire };
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	size_t i = 0;

	(void)deadline_ns;
	while (i < ARRAY_LEN(armed) && armed[i] && armed[i] != t)
		i++;
	CHECK(i < ARRAY_LEN(armed));
	armed[i] = t;
}

bool timer_cancel(struct timer *t)
{
	for (size_t i = 0; i < ARRAY_LEN(armed); i++) {
		if (armed[i] == t) {
			armed[i] = NULL;
			return true;
		}
	}
	return false;
}

void host_fs_timers_fire(void)
{
	for (size_t i = 0; i < ARRAY_LEN(armed); i++) {
		struct timer *t = armed[i];

		armed[i] = NULL;
		if (t)
			t->fire(t);
	}
}

/* ------------------------------------------------------------------ program memory */
static bool is_bad(uaddr_t ua, size_t n)
{
	lock_assert_none(); /* (1) */
	return n > 0 && ua < HOST_FS_BAD_END;
}

int user_copy_in(void *dst, uaddr_t src, size_t n)
{
	if (is_bad(src, n))
		return -EFAULT;
	memcpy(dst, (const void *)src, n);
	return 0;
}

int user_copy_out(uaddr_t dst, const void *src, size_t n)
{
	if (is_bad(dst, n))
		return -EFAULT;
	memcpy((void *)dst, src, n);
	return 0;
}

int user_zero(uaddr_t dst, size_t n)
{
	if (is_bad(dst, n))
		return -EFAULT;
	memset((void *)dst, 0, n);
	return 0;
}

/* ------------------------------------------------------------------ the rest */
void signal_send_thread(struct thread *t, const struct signal_info *info)
{
	(void)t;
	host_fs_sigpipes += info->signo == 13;
}

void vm_object_drop(struct vm_object *o, uint64_t first, uint64_t last)
{
	(void)o;
	(void)first;
	(void)last;
}

void vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t last)
{
	(void)o;
	CHECK(first <= last);
}

int vm_object_deny_write(struct vm_object *o, bool keep_old)
{
	(void)o;
	(void)keep_old;
	return 0;
}

bool file_is_console(const struct file *f)
{
	(void)f;
	return false;
}

int console_reopen(const struct file *f, uint32_t flags, struct file **out)
{
	(void)f;
	(void)flags;
	(void)out;
	return -ENXIO;
}

void host_fs_init(const void *archive, uint64_t archive_bytes)
{
	host_ram_init(32 * MIB);
	pmm_init(host_ram_bytes, 0);
	pmm_add_range(PAGE_SIZE, host_ram_bytes); /* frame 0 is PFN_NONE */
	CHECK_EQ(archive_init(archive, archive_bytes), 0);
	fdtable_init();
	epoll_init();
	vfs_init();
}

long host_fs_read(struct file *f, void *buf, size_t bytes)
{
	struct uio_range range = { (uaddr_t)buf, bytes };
	struct uio u;

	uio_init_range(&u, &range);
	return file_read(f, &u, FILE_AT_POSITION);
}

long host_fs_write(struct file *f, const void *data, size_t bytes)
{
	struct uio_range range = { (uaddr_t)data, bytes };
	struct uio u;

	uio_init_range(&u, &range);
	return file_write(f, &u, FILE_AT_POSITION);
}

struct file *host_fs_open(const char *path, uint32_t flags, int *error)
{
	struct vfs_at at = { .path = path };
	struct file *f = NULL;

	*error = vfs_open(&at, flags, 0666, &f);
	return *error ? NULL : f;
}

/* ------------------------------------------------------------------ mappings: there are none */
void vm_each(int (*fn)(const struct vm_region *r, void *arg), void *arg)
{
	(void)fn;
	(void)arg;
}

/* ------------------------------------------------------------------ credentials */
struct cred host_fs_cred = { .effective = UINT64_MAX };

const struct cred *cred_current(void)
{
	return &host_fs_cred;
}

bool cred_has(const struct cred *c, unsigned cap)
{
	return c->effective >> cap & 1;
}

bool cred_is_in_group(const struct cred *c, uint32_t gid)
{
	return c->fsgid == gid;
}
