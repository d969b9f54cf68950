/* sources: kernel/log.c lib/fmt.c test/unit/shim/host.c */
/*
 * log_test.c: the log's ring, its replay to a late sink, and what happens inside a sink.
 *
 * What:       levels, order, forgetting whole lines only, long and dirty lines, a sink that logs.
 * Invariants: (1) a sink sees every line that the ring still has, once, in order.
 * Locking:    one thread; spin_trylock is this file's, so that a lock can be held already.
 * Failure:    aborts with the failed check.
 * Source:     kernel/log.h.
 */
#include "kernel/log.h"

#include <string.h>

#include "host.h"
#include "kernel/time/clock.h"
#include "platform/platform.h"

static struct {
	char debug[4096];
	size_t debug_bytes;
	unsigned seen; /* lines the sink got */
	unsigned next; /* number that the next numbered line must have */
	char last[512];
	bool logs_itself;
} test;

uint64_t clock_now_ns(void)
{
	return 1234567000;
}

void platform_debug_write(const char *s, size_t bytes)
{
	if (test.debug_bytes + bytes >= sizeof(test.debug))
		test.debug_bytes = 0;
	memcpy(test.debug + test.debug_bytes, s, bytes);
	test.debug_bytes += bytes;
	test.debug[test.debug_bytes] = 0;
}

bool spin_trylock(struct spinlock *l)
{
	if (l->owner)
		return false;
	spin_lock(l);
	return true;
}

static void sink(enum gosolo_log_level level, const char *line, uint32_t bytes)
{
	unsigned number;

	CHECK(host_holds(LOCK_LOG));
	CHECK(level <= GOSOLO_LOG_INFO);
	CHECK(bytes < sizeof(test.last));
	memcpy(test.last, line, bytes);
	test.last[bytes] = 0;
	if (sscanf(line, "[%*[^]]] number %u ", &number) == 1) {
		CHECK(test.next == 0 || number == test.next); /* (1) */
		test.next = number + 1;
	}
	test.seen++;
	if (test.logs_itself)
		log_error("from the sink");
}

static void test_before_the_sink(void)
{
	log_info("hello %d", 5);
	log_debug("not at this level");
	CHECK_EQ(test.debug_bytes, 0); /* it waits */
	log_warn("two");
	CHECK(strcmp(test.debug, "[    1.234567] hello 5\n[    1.234567] two\n") == 0);
	test.debug_bytes = 0;
	log_set_level(GOSOLO_LOG_ERROR);
	log_warn("not at this level either");
	CHECK_EQ(test.debug_bytes, 0);
	log_set_level(GOSOLO_LOG_DEBUG);
	log_debug("at once");
	CHECK(strcmp(test.debug, "[    1.234567] at once\n") == 0);
	log_set_level(GOSOLO_LOG_INFO);
	/* Far more than the ring holds: the newest remain. */
	for (unsigned i = 0; i < 5000; i++)
		log_info("number %u of a long row of lines %.*s", i, (int)(i % 60),
			"............................................................");
}

static void test_replay(void)
{
	log_set_sink(sink);
	CHECK(test.seen > 200 && test.seen < 1000);
	CHECK_EQ(test.next, 5000);
	test.seen = 0;
	log_info("number %u x", 5000u);
	CHECK_EQ(test.seen, 1);
	CHECK_EQ(test.next, 5001);
}

static void test_copy(void)
{
	static char all[LOG_TEXT_BYTES], few[100];
	uint32_t bytes = log_copy(all, sizeof(all)), n;

	CHECK(bytes > LOG_TEXT_BYTES / 2);
	CHECK(all[0] == '[' && all[bytes - 1] == '\n');
	CHECK(memcmp(all + bytes - 7, "5000 x\n", 7) == 0);
	n = log_copy(few, sizeof(few)); /* whole lines, the newest */
	CHECK(n > 0 && n <= sizeof(few));
	CHECK(few[0] == '[' && memcmp(few, all + bytes - n, n) == 0);
	CHECK_EQ(log_copy(few, 3), 0);
}

static void test_odd_lines(void)
{
	char big[2000];

	memset(big, 'x', sizeof(big));
	log_warn("%.*s", (int)sizeof(big), big);
	CHECK(strlen(test.last) > 400 && strlen(test.last) < 512);
	log_warn("two\nlines\tand %c", 7);
	CHECK(strcmp(test.last, "[    1.234567] two lines and  ") == 0);
	log_warn("%s", "");
	CHECK(strcmp(test.last, "[    1.234567] ") == 0);
}

static void test_sink_that_logs(void)
{
	test.logs_itself = true;
	test.debug_bytes = 0;
	test.seen = 0;
	log_warn("outer");
	test.logs_itself = false;
	CHECK_EQ(test.seen, 1);
	CHECK(strcmp(test.debug, "[    1.234567] from the sink\n") == 0);
}

int main(void)
{
	test_before_the_sink();
	test_replay();
	test_copy();
	test_odd_lines();
	test_sink_that_logs();
	CHECK_EQ(host_locks_held(), 0);
	return 0;
}
