/*
 * follow.c: the wall clock follows the host's.
 *
 * What:       a thread asks the host for the time now and then, takes half of the way there and
 *             back for the answer's age, and sets the wall clock when it is off by more than that
 *             leaves open. Without a host channel it looks at the clock chip, which knows seconds.
 * Invariants: (1) monotonic time is never touched: after a pause of the machine it goes on where it
 *             stopped, and the wall clock catches up at the next question. (2) a clock that the
 *             program has set is the program's.
 * Locking:    follow.lock, LOCK_CLOCK, for the answer. The thread sleeps, and sets the clock
 *             without a lock.
 * Failure:    no thread, or no answer: the wall clock runs on at the counter's rate.
 * Source:     RFC 5905, 8, for the arithmetic of question and answer.
 */
#include "kernel/time/follow.h"

#include "base/errno.h"
#include "base/units.h"
#include "gosolo_abi.h"
#include "kernel/dev/hostchan.h"
#include "kernel/log.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/torture.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"
#include "kernel/time/step.h"
#include "platform/platform.h"

#define FIRST_NS (1 * NS_PER_S) /* until the first question; then twice as long each time */
#define PERIOD_NS (10 * NS_PER_S)
#define ANSWER_NS (1 * NS_PER_S) /* how long an answer may take */
#define TOLERANCE_NS ((int64_t)NS_PER_MS) /* less is left alone */
#define CHIP_TOLERANCE_NS ((int64_t)(2 * NS_PER_S)) /* the chip's seconds begin anywhere */

static struct {
	struct spinlock lock;
	struct thread *thread; /* [lock] */
	bool asked; /* [lock] and not answered yet */
	bool answered; /* [lock] */
	int64_t host_ns; /* [lock] the answer */
	uint64_t answered_ns; /* [lock] when it came, by the monotonic clock */
	_Atomic bool stopped; /* [a] */
} follow = { .lock = SPINLOCK_INIT(LOCK_CLOCK) };

bool follow_received(int64_t host_ns)
{
	uint64_t now = clock_now_ns();
	struct thread *t = NULL;

	spin_lock(&follow.lock);
	if (follow.asked) {
		follow.asked = false;
		follow.answered = true;
		follow.host_ns = host_ns;
		follow.answered_ns = now;
		t = follow.thread;
	}
	spin_unlock(&follow.lock);
	if (t)
		sched_unpark(t); /* it never ends */
	return t != NULL;
}

void follow_stop(void)
{
	atomic_store_explicit(&follow.stopped, true, memory_order_relaxed);
}

static void set_asked(bool asked)
{
	spin_lock(&follow.lock);
	follow.asked = asked;
	follow.answered = false;
	spin_unlock(&follow.lock);
}

/* real - host at one moment was -error_ns, give or take doubt_ns. */
static void correct(int64_t error_ns, int64_t doubt_ns)
{
	if ((error_ns < 0 ? -error_ns : error_ns) <= doubt_ns)
		return;
	if (atomic_load_explicit(&follow.stopped, memory_order_relaxed))
		return; /* (2) */
	step_set_real((int64_t)clock_now_ns() + clock_real_offset_ns() + error_ns);
	log_info("clock: the wall clock was set by %lld ms to the host's",
		(long long)(error_ns / (int64_t)NS_PER_MS));
}

static void use_answer(uint64_t asked_ns)
{
	uint64_t answered_ns;
	int64_t host_ns, half;
	bool answered;

	spin_lock(&follow.lock);
	answered = follow.answered;
	host_ns = follow.host_ns;
	answered_ns = follow.answered_ns;
	spin_unlock(&follow.lock);
	if (!answered)
		return;
	half = (int64_t)(answered_ns - asked_ns) / 2;
	correct(host_ns + half - ((int64_t)answered_ns + clock_real_offset_ns()),
		half + TOLERANCE_NS);
}

static void look_at_chip(void)
{
	int64_t chip_s = platform_rtc_seconds();

	if (chip_s)
		correct(chip_s * (int64_t)NS_PER_S -
				((int64_t)clock_now_ns() + clock_real_offset_ns()),
			CHIP_TOLERANCE_NS);
}

static bool has_answer(void)
{
	bool answered;

	spin_lock(&follow.lock);
	answered = follow.answered;
	spin_unlock(&follow.lock);
	return answered;
}

static void sleep_until(uint64_t deadline_ns, bool or_answer)
{
	while (clock_now_ns() < deadline_ns && !(or_answer && has_answer()))
		sched_park(deadline_ns, false);
}

static void compare_once(void)
{
	uint64_t asked_ns;

	set_asked(true);
	asked_ns = clock_now_ns();
	if (hostchan_send(GOSOLO_MSG_TIME_QUERY, NULL, 0)) {
		set_asked(false);
		look_at_chip();
		return;
	}
	sleep_until(asked_ns + ANSWER_NS, true);
	use_answer(asked_ns);
	set_asked(false);
}

static void run(void *arg unused_arg)
{
	uint64_t wait_ns = FIRST_NS;

	spin_lock(&follow.lock);
	follow.thread = thread_current();
	spin_unlock(&follow.lock);
	for (;;) {
		sleep_until(clock_now_ns() + wait_ns, false);
		if (!atomic_load_explicit(&follow.stopped, memory_order_relaxed))
			compare_once();
		wait_ns = MIN(2 * wait_ns, (uint64_t)PERIOD_NS);
	}
}

void follow_start(void)
{
	if (torture_is_on())
		return; /* a seed replays: what the host says must not come in between */
	if (thread_create_kernel("clock", run, NULL))
		log_warn("clock: no thread to follow the host's time");
}
