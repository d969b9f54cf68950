/*
 * timerfd.c: a timer that is read and polled.
 *
 * What:       counts expirations; read takes the count and waits while it is 0. A periodic timer
 *             that has expired rests until somebody looks: what it missed is counted then, and it
 *             is armed for the next time that is still to come. So the shortest interval costs one
 *             interrupt a look, and who polls is told once.
 * Invariants: (1) next_ns is 0 exactly when the timer is neither armed nor at rest.
 * Locking:    t->lock, LOCK_PIPE; the callback takes it, so it is not held while the timer is
 *             cancelled. timerfds.lock, LOCK_FS, around it when the clock is set. Read sleeps.
 * Failure:    -EAGAIN, -ECANCELED, -EINVAL (short buffer), -ERESTARTSYS, -EFAULT.
 * Source:     timerfd_create(2); Linux fs/timerfd.c.
 */
#include "fs/timerfd.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/waitq.h"
#include "kernel/time/clock.h"
#include "kernel/time/step.h"
#include "kernel/time/timer.h"

struct timerfd {
	struct spinlock lock;
	struct timer timer;
	uint64_t next_ns; /* [lock] (1) */
	uint64_t interval_ns; /* [lock] */
	uint64_t expirations; /* [lock] since the last read */
	struct waitq wait_read; /* [lock] */
	struct pollq pollq;
	bool rests; /* [lock] has expired, is not armed, and next_ns may be over */
	bool real; /* [I] */
	bool follows_real; /* [lock] next_ns stands for a time of the wall clock */
	bool cancel_on_set; /* [lock] */
	bool cancelled; /* [lock] the wall clock was set, and nobody has read of it */
	LIST_ENTRY(timerfd) link; /* [g] those made for the wall clock */
};

static struct { /* [g]: lock */
	struct spinlock lock; /* LOCK_FS */
	LIST_HEAD(, timerfd) real; /* [g] */
	bool listens; /* [g] */
} timerfds = { .lock = SPINLOCK_INIT(LOCK_FS) };

static const struct file_ops timerfd_ops;

bool file_is_timerfd(const struct file *f)
{
	return f->ops == &timerfd_ops;
}

bool timerfd_is_real(const struct file *f)
{
	const struct timerfd *t = f->object;

	return t->real;
}

/* Counts what has expired by now. */
static void count_locked(struct timerfd *t)
{
	uint64_t now = clock_now_ns(), missed;

	lock_assert_held(&t->lock);
	if (!t->next_ns || t->next_ns > now)
		return;
	missed = t->interval_ns ? (now - t->next_ns) / t->interval_ns : 0;
	t->expirations += 1 + missed;
	t->next_ns = t->interval_ns ? t->next_ns + (1 + missed) * t->interval_ns : 0;
}

static void timer_fired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);

	spin_lock(&t->lock);
	if (!t->rests && t->next_ns && t->next_ns <= clock_now_ns()) {
		t->expirations++;
		t->next_ns = t->interval_ns ? t->next_ns + t->interval_ns : 0;
		t->rests = t->next_ns != 0;
	} else if (!t->rests && t->next_ns) {
		timer_arm(&t->timer, t->next_ns);
	}
	if (t->expirations || t->cancelled)
		waitq_wake_all(&t->wait_read);
	spin_unlock(&t->lock);
	pollq_notify(&t->pollq, EPOLLIN);
}

static void end_rest_locked(struct timerfd *t)
{
	lock_assert_held(&t->lock);
	if (!t->rests)
		return;
	count_locked(t);
	t->rests = false;
	timer_arm(&t->timer, t->next_ns);
}

static void get_locked(const struct timerfd *t, struct timerfd_setting *out)
{
	uint64_t now = clock_now_ns();

	lock_assert_held(&t->lock);
	*out = (struct timerfd_setting){ .interval_ns = t->interval_ns };
	if (t->next_ns) /* armed, so there is time left: 0 would say that it is not */
		out->deadline_ns = t->next_ns > now ? t->next_ns - now : 1;
}

void timerfd_get(struct file *f, struct timerfd_setting *out)
{
	struct timerfd *t = f->object;

	spin_lock(&t->lock);
	end_rest_locked(t);
	get_locked(t, out);
	spin_unlock(&t->lock);
}

/* The wall clock went forward by delta_ns. The callback does the rest, at once when it has to. */
static void move(struct timerfd *t, int64_t delta_ns)
{
	timer_cancel(&t->timer);
	spin_lock(&t->lock);
	if (t->next_ns && t->follows_real) {
		if (delta_ns > 0 && t->next_ns <= (uint64_t)delta_ns)
			t->next_ns = 1; /* (1) long past, but armed */
		else
			t->next_ns -= (uint64_t)delta_ns;
	}
	t->cancelled |= t->cancel_on_set;
	if (t->cancel_on_set)
		timer_arm(&t->timer, 0);
	else if (t->next_ns && !t->rests)
		timer_arm(&t->timer, t->next_ns);
	spin_unlock(&t->lock);
}

static void clock_stepped(int64_t delta_ns)
{
	struct timerfd *t;

	spin_lock(&timerfds.lock);
	LIST_FOREACH(t, &timerfds.real, link)
		move(t, delta_ns);
	spin_unlock(&timerfds.lock);
}

static struct step_listener listener = { .stepped = clock_stepped };

static void list_real(struct timerfd *t)
{
	bool listen;

	spin_lock(&timerfds.lock);
	LIST_INSERT_HEAD(&timerfds.real, t, link);
	listen = !timerfds.listens;
	timerfds.listens = true;
	spin_unlock(&timerfds.lock);
	if (listen)
		step_listen(&listener);
}

int timerfd_set(struct file *f, const struct timerfd_setting *s, struct timerfd_setting *old)
{
	struct timerfd *t = f->object;
	bool was_cancelled;

	timer_cancel(&t->timer);
	spin_lock(&t->lock);
	if (old && t->rests)
		count_locked(t); /* for the time that is left; the count itself ends here */
	if (old)
		get_locked(t, old);
	t->rests = false;
	t->next_ns = s->deadline_ns;
	t->interval_ns = s->interval_ns;
	t->expirations = 0;
	t->follows_real = s->follows_real;
	t->cancel_on_set = s->cancel_on_set;
	was_cancelled = t->cancelled;
	t->cancelled = false;
	if (t->next_ns)
		timer_arm(&t->timer, t->next_ns);
	spin_unlock(&t->lock);
	return was_cancelled ? -ECANCELED : 0;
}

static long timerfd_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct timerfd *t = f->object;
	uint64_t count;
	long r = 0;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (u->left_bytes < sizeof(count))
		return -EINVAL;
	spin_lock(&t->lock);
	while (r == 0 && t->expirations == 0 && !t->cancelled) {
		r = -EAGAIN;
		if (!file_is_nonblocking(f))
			r = waitq_wait(&t->wait_read, &t->lock, TIME_NEVER_NS, WAIT_SIGNALS);
	}
	if (r == 0 && t->cancelled)
		r = -ECANCELED;
	t->cancelled &= r != -ECANCELED;
	if (r == 0)
		end_rest_locked(t);
	count = t->expirations;
	if (r == 0 || r == -ECANCELED)
		t->expirations = 0;
	spin_unlock(&t->lock);
	if (r < 0)
		return r;
	return uio_copy_to(u, &count, sizeof(count)) == (long)sizeof(count) ? (long)sizeof(count)
									    : -EFAULT;
}

static uint32_t timerfd_poll(struct file *f)
{
	struct timerfd *t = f->object;
	uint32_t events;

	spin_lock(&t->lock);
	events = t->expirations || t->cancelled ? EPOLLIN : 0;
	spin_unlock(&t->lock);
	return events;
}

static struct pollq *timerfd_pollq(struct file *f)
{
	struct timerfd *t = f->object;

	return &t->pollq;
}

static int timerfd_stat(struct file *f, struct file_stat *out)
{
	(void)f;
	vfs_stat_anonymous(out);
	return 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->object;

	if (t->real) {
		spin_lock(&timerfds.lock);
		LIST_REMOVE(t, link);
		spin_unlock(&timerfds.lock);
	}
	spin_lock(&t->lock);
	t->next_ns = 0; /* a callback that runs now does not arm it again */
	t->rests = false;
	spin_unlock(&t->lock);
	timer_cancel(&t->timer);
	kmem_free(t);
}

static const struct file_ops timerfd_ops = {
	.kind = "anon_inode:[timerfd]",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.pollq = timerfd_pollq,
	.stat = timerfd_stat,
	.release = timerfd_release,
};

int timerfd_create(bool real, uint32_t flags, struct file **out)
{
	struct timerfd *t = kmem_zalloc(sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	spinlock_init(&t->lock, LOCK_PIPE);
	timer_init(&t->timer, timer_fired);
	waitq_init(&t->wait_read);
	pollq_init(&t->pollq);
	t->real = real;
	r = file_alloc(&timerfd_ops, t, flags | O_RDWR, out);
	if (r < 0)
		kmem_free(t);
	else if (real)
		list_real(t);
	return r;
}
