/* sources: kernel/sync/futex.c */
/*
 * futex_test.c: the futex code under real threads.
 *
 * What:       kernel/sync/futex.c with park and unpark over condition variables: results one by
 *             one, then mutexes, ping-pong and requeues for many rounds, with parks that end for no
 *             reason and pages that vanish between the two looks at a word.
 * Invariants: (1) a lost wake-up hangs the test: an alarm ends it then.
 * Locking:    spin locks as the kernel's; each thread's parking place has a mutex.
 * Failure:    aborts with the failed check, or by SIGALRM.
 * Source:     kernel/sync/futex.h; U. Drepper, "Futexes are tricky" (mutex 2).
 */
#include "kernel/sync/futex.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

enum { THREADS = 4, ROUNDS = 20000, SECONDS_MAX = 120, BAD_ADDRESS = 16 };

#define CHECK(cond) ((cond) ? (void)0 : failed(__LINE__, #cond))

struct place {
	struct thread thread;
	struct cpu cpu;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool wake;
	_Atomic bool signal;
	unsigned seed;
};

static _Thread_local struct place *self;
static bool nasty; /* spurious ends of parks, vanishing pages */

static _Noreturn void failed(int line, const char *what)
{
	fprintf(stderr, "futex_test.c:%d: check failed: %s\n", line, what);
	abort();
}

void assert_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
	abort();
}

/* ------------------------------------------------------------------ the kernel's surroundings */
struct arch_cpu *host_cpu_self(void)
{
	return &self->cpu.arch;
}

void arch_poll_requests(void)
{
	sched_yield();
}

void spinlock_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK_INIT(rank);
}

void spin_lock(struct spinlock *l)
{
	CHECK(self->cpu.locks_held == 0);
	while (atomic_exchange(&l->owner, 1))
		sched_yield();
	self->cpu.locks_held = 1;
}

void spin_unlock(struct spinlock *l)
{
	self->cpu.locks_held = 0;
	atomic_store(&l->owner, 0);
}

void lock_assert_held(const struct spinlock *l)
{
	CHECK(atomic_load(&l->owner) != 0);
}

void stat_add(enum stat s unused_arg, uint64_t n unused_arg)
{
}

uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static struct place *place_of(struct thread *t)
{
	return container_of(t, struct place, thread);
}

bool signal_is_deliverable(const struct thread *t)
{
	return atomic_load(&((const struct place *)(const void *)t)->signal);
}

void sched_park(uint64_t deadline_ns, bool signals)
{
	struct timespec until = { .tv_sec = (time_t)MIN(deadline_ns / NS_PER_S, 1ull << 40),
		.tv_nsec = (long)(deadline_ns % NS_PER_S) };

	CHECK(self->cpu.locks_held == 0);
	CHECK(signals);
	if (nasty && rand_r(&self->seed) % 8 == 0)
		return;
	pthread_mutex_lock(&self->mutex);
	while (!self->wake && !pthread_cond_timedwait(&self->changed, &self->mutex, &until))
		;
	self->wake = false;
	pthread_mutex_unlock(&self->mutex);
}

void sched_unpark(struct thread *t)
{
	struct place *p = place_of(t);

	pthread_mutex_lock(&p->mutex);
	p->wake = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->mutex);
}

int user_load_u32(uint32_t *out, uaddr_t src)
{
	CHECK(self->cpu.locks_held == 0);
	if (src < PAGE_SIZE)
		return -EFAULT;
	*out = atomic_load((_Atomic uint32_t *)src);
	return 0;
}

int user_peek_u32(uint32_t *out, uaddr_t src)
{
	if (nasty && rand_r(&self->seed) % 8 == 0)
		return -EFAULT;
	*out = atomic_load((_Atomic uint32_t *)src);
	return 0;
}

static struct clock_deadline until(uint64_t ns)
{
	return (struct clock_deadline){ .ns = ns };
}

uint64_t clock_deadline_ns(struct clock_deadline d)
{
	return d.ns;
}

/* ------------------------------------------------------------------ threads */
static void enter(struct place *p, unsigned seed)
{
	pthread_condattr_t attr;

	*p = (struct place){ .mutex = PTHREAD_MUTEX_INITIALIZER, .seed = seed };
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	p->cpu.current = &p->thread;
	p->cpu.arch.self = &p->cpu.arch;
	self = p;
}

static void run(void *(*body)(void *), unsigned threads)
{
	pthread_t ids[THREADS * 2];

	for (unsigned i = 0; i < threads; i++)
		CHECK(!pthread_create(&ids[i], NULL, body, (void *)(uintptr_t)i));
	for (unsigned i = 0; i < threads; i++)
		CHECK(!pthread_join(ids[i], NULL));
}

static uaddr_t at(_Atomic uint32_t *word)
{
	return (uaddr_t)word;
}

/* ------------------------------------------------------------------ one by one */
static void *wake_soon(void *word)
{
	struct place p;

	enter(&p, 1);
	while (futex_wake((uaddr_t)word, 1, 2) == 0)
		usleep(1000);
	return NULL;
}

static struct place *waiting;

static void *signal_soon(void *arg)
{
	struct place p;

	enter(&p, 1);
	usleep(20000);
	atomic_store(&waiting->signal, true);
	sched_unpark(&waiting->thread);
	return arg;
}

static void test_results(void)
{
	_Atomic uint32_t word = 5;
	uint64_t start = clock_now_ns();
	pthread_t id;

	CHECK(futex_wait(at(&word), 4, until(TIME_NEVER_NS), 1) == -EAGAIN);
	CHECK(futex_wait(BAD_ADDRESS, 4, until(TIME_NEVER_NS), 1) == -EFAULT);
	CHECK(futex_wait(at(&word), 5, until(start + 5 * NS_PER_MS), 1) == -ETIMEDOUT);
	CHECK(clock_now_ns() - start >= 5 * NS_PER_MS);
	CHECK(futex_wait(at(&word), 5, until(1), 1) == -ETIMEDOUT);
	CHECK(futex_wake(at(&word), 1, UINT32_MAX) == 0);
	CHECK(futex_requeue(at(&word), 1, 1, at(&word) + 4, true, 6) == -EAGAIN);
	CHECK(futex_requeue(BAD_ADDRESS, 1, 1, at(&word), true, 6) == -EFAULT);
	CHECK(futex_requeue(at(&word), 1, 1, at(&word) + 4, false, 0) == 0);

	CHECK(!pthread_create(&id, NULL, wake_soon, &word));
	CHECK(futex_wait(at(&word), 5, until(TIME_NEVER_NS), 3) == 0); /* bit 2 is among 3 */
	CHECK(!pthread_join(id, NULL));

	waiting = self;
	CHECK(!pthread_create(&id, NULL, signal_soon, NULL));
	CHECK(futex_wait(at(&word), 5, until(TIME_NEVER_NS), 3) == -ERESTARTSYS);
	CHECK(!pthread_join(id, NULL));
	atomic_store(&self->signal, false);
}

/* ------------------------------------------------------------------ mutexes */
static _Atomic uint32_t mutexes[2];
static unsigned long counters[2];

static void mutex_lock(_Atomic uint32_t *m)
{
	uint32_t free = 0;

	if (atomic_compare_exchange_strong(m, &free, 1))
		return;
	while (atomic_exchange(m, 2) != 0)
		(void)!futex_wait(at(m), 2, until(TIME_NEVER_NS), UINT32_MAX);
}

static void mutex_unlock(_Atomic uint32_t *m)
{
	if (atomic_exchange(m, 0) == 2)
		futex_wake(at(m), 1, UINT32_MAX);
}

static void *count(void *arg)
{
	struct place p;

	enter(&p, (unsigned)(uintptr_t)arg);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned which = i & 1;

		mutex_lock(&mutexes[which]);
		counters[which]++;
		mutex_unlock(&mutexes[which]);
	}
	return NULL;
}

/* ------------------------------------------------------------------ ping-pong: every wake-up
 * counts */
static _Atomic uint32_t turn;

static void *play(void *arg)
{
	uint32_t mine = (uint32_t)(uintptr_t)arg, now;
	struct place p;

	enter(&p, mine);
	for (unsigned i = 0; i < ROUNDS; i++) {
		while ((now = atomic_load(&turn)) % 2 != mine)
			(void)!futex_wait(at(&turn), now, until(TIME_NEVER_NS), UINT32_MAX);
		atomic_fetch_add(&turn, 1);
		CHECK(futex_wake(at(&turn), 1, UINT32_MAX) <= 1);
	}
	return NULL;
}

/* ------------------------------------------------------------------ requeue: as a condition
 * variable */
static _Atomic uint32_t condition, gate, passed, finished;

static void *wait_for_condition(void *arg)
{
	struct place p;

	enter(&p, (unsigned)(uintptr_t)arg);
	for (unsigned i = 0; i < ROUNDS / 10; i++) {
		uint32_t seen = atomic_load(&condition);

		/* 0 comes only from a wake, directly or after having been moved to the gate. Some
		 * time out. */
		if (!futex_wait(at(&condition), seen,
			    until(clock_now_ns() + (i % 3) * 10 * NS_PER_MS), UINT32_MAX))
			atomic_fetch_add(&passed, 1);
	}
	atomic_fetch_add(&finished, 1);
	return NULL;
}

static void *move_waiters(void *arg)
{
	unsigned long moved = 0;
	struct place p;
	uint32_t seen;
	long n;

	enter(&p, 99);
	while (atomic_load(&finished) < THREADS) {
		seen = atomic_fetch_add(&condition, 1) + 1;
		n = futex_requeue(at(&condition), seen & 1, UINT32_MAX, at(&gate), true, seen);
		CHECK(n >= 0 || n == -EAGAIN);
		moved += n > 0 ? (unsigned long)n : 0;
		CHECK(futex_wake(at(&gate), UINT32_MAX, UINT32_MAX) >= 0);
	}
	CHECK(futex_wake(at(&gate), UINT32_MAX, UINT32_MAX) == 0);
	CHECK(futex_wake(at(&condition), UINT32_MAX, UINT32_MAX) == 0);
	CHECK(moved > 0 && atomic_load(&passed) > 0);
	return arg;
}

static void *requeue_body(void *arg)
{
	return (uintptr_t)arg == THREADS ? move_waiters(arg) : wait_for_condition(arg);
}

static void test_rounds(void)
{
	counters[0] = counters[1] = 0;
	run(count, THREADS);
	CHECK(counters[0] + counters[1] == (unsigned long)THREADS * ROUNDS);
	atomic_store(&turn, 0);
	run(play, 2);
	CHECK(atomic_load(&turn) == 2 * ROUNDS);
	atomic_store(&finished, 0);
	run(requeue_body, THREADS + 1);
}

int main(void)
{
	struct place p;

	alarm(SECONDS_MAX); /* (1) */
	enter(&p, 1);
	futex_init();
	test_results();
	test_rounds();
	nasty = true;
	test_results();
	test_rounds();
	printf("futex_test: ok\n");
	return 0;
}
