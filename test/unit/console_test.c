/* sources: drivers/virtio/console.c drivers/virtio/console_stream.c
 * drivers/virtio/console_outbox.c drivers/virtio/ring.c kernel/dev/hostchan.c kernel/sync/pollq.c
 * lib/fmt.c test/unit/shim/host.c test/unit/shim/host_kmem.c test/unit/shim/host_pmm.c
 * test/unit/shim/host_ram.c test/unit/shim/host_virtio.c test/unit/shim/host_console.c */
/*
 * console_test.c: the host channel, from hostchan.h down to the rings, against a device.
 *
 * What:       handshake at once and late; order and completeness of output under back pressure,
 *             blocking and not; input and its end; control messages cut anywhere; last words; a
 *             device that writes garbage. Each case runs in a process of its own.
 * Invariants: (1) a writer that was told to wait hears when there is room: no lost wake-up. (2)
 *             every byte arrives once, in order. (3) HELLO is first and EXIT last.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    aborts with the failed check.
 * Source:     kernel/dev/hostchan.h, include/gosolo_abi.h.
 */
#include "host_console.h"

#include <linux/eventpoll.h>
#include <linux/virtio_console.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "kernel/options.h"

static bool has(unsigned port, const char *text)
{
	return host_ports[port].count == strlen(text) &&
		memcmp(host_ports[port].bytes, text, host_ports[port].count) == 0;
}

/* ------------------------------------------------------------------ cases */
static void test_conversation(void)
{
	struct gosolo_terminal terminal = { .local = 5, .chars = { 1, 2 } }, told;
	uint64_t total = 5;
	int64_t real = 1234567890123;
	uint32_t signo = 15;
	uint16_t window[2] = { 25, 80 }, rows, columns;
	unsigned next = 2;
	char got[16];

	host_console_start();
	CHECK_EQ(host_console.opened, 0xe);
	CHECK_EQ(host_console_message(0)->head.type, GOSOLO_MSG_HELLO); /* (3) */
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, "out", 3, true), 3);
	CHECK_EQ(guest_write(HOSTCHAN_STDERR, "err", 3, false), 3);
	CHECK(has(STDIO, "out") && has(ERRPORT, "err"));
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), 0);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDOUT), EPOLLOUT);
	CHECK_EQ(guest_read(got, 16, true), -EAGAIN);
	CHECK_EQ(guest_read(got, 16, false), -ERESTARTSYS);
	host_console_write(STDIO, "hello", 5);
	CHECK(host_interrupt());
	CHECK_EQ(host_console.notified[HOSTCHAN_STDIN], 1);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), EPOLLIN);
	CHECK_EQ(guest_read(got, 2, true), 2);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), EPOLLIN);
	host_console_send(GOSOLO_MSG_EOF, &total, sizeof(total));
	CHECK_EQ(guest_read(got + 2, 14, true), 3);
	CHECK(memcmp(got, "hello", 5) == 0);
	CHECK_EQ(guest_read(got, 1, false), 0);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), EPOLLIN | EPOLLHUP);
	host_console_send(GOSOLO_MSG_TIME, &real, sizeof(real));
	CHECK_EQ(host_console.real_ns, real);
	host_console_send(GOSOLO_MSG_SIGNAL, &signo, sizeof(signo));
	CHECK_EQ(host_console.last_signal, 15);
	host_console_send(GOSOLO_MSG_TERMINAL, &terminal, sizeof(terminal));
	hostchan_get_terminal(&told);
	CHECK(memcmp(&told, &terminal, sizeof(told)) == 0);
	host_console_send(GOSOLO_MSG_WINSIZE, window, sizeof(window));
	hostchan_window_size(&rows, &columns);
	CHECK(rows == 25 && columns == 80 && host_console.last_signal == 28);
	host_console.sink(GOSOLO_LOG_INFO, "a line", 6);
	CHECK_EQ(host_console_message(1)->head.type, GOSOLO_MSG_LOG);
	CHECK_EQ(host_console_message(1)->head.payload_bytes, 10);
	options.stats = true;
	hostchan_finish(GOSOLO_EXIT_CODE, 7, "x");
	CHECK_EQ(host_console_message(next)->head.type, GOSOLO_MSG_STATS);
	while (host_console_message(next)->head.type == GOSOLO_MSG_STATS)
		next++;
	CHECK_EQ(host_console_message(next)->head.type, GOSOLO_MSG_EXIT);
	CHECK(!host_console_message(next + 1));
	CHECK(!host_device.failure);
}

/* What is written before the host listens waits, in order, up to the pool's size. */
static void test_late_host(void)
{
	char page[PAGE_SIZE];
	int pages = 0;

	host_console.host_is_late = true;
	host_console_start();
	CHECK(!host_console_message(0));
	for (;; pages++) {
		memset(page, 'a' + pages, sizeof(page));
		if (guest_write(HOSTCHAN_STDOUT, page, sizeof(page), true) != PAGE_SIZE)
			break;
	}
	CHECK_EQ(pages, 16);
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, page, 1, true), -EAGAIN);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDOUT), 0);
	CHECK_EQ(guest_write(HOSTCHAN_STDERR, "e", 1, true), 1);
	for (uint32_t id = 1; id <= PORTS; id++)
		host_console_event(id, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	CHECK(host_interrupt());
	CHECK(host_console.notified[HOSTCHAN_STDOUT] > 0); /* (1) */
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDOUT), EPOLLOUT);
	CHECK_EQ(host_ports[STDIO].count, 16 * PAGE_SIZE);
	for (size_t i = 0; i < host_ports[STDIO].count; i++)
		CHECK_EQ(host_ports[STDIO].bytes[i], 'a' + (int)(i / PAGE_SIZE));
	CHECK(has(ERRPORT, "e"));
	CHECK_EQ(host_console_message(0)->head.type, GOSOLO_MSG_HELLO);
}

static void fill(char *data, size_t bytes)
{
	uint64_t seed = 3;

	for (size_t i = 0; i < bytes; i++)
		data[i] = (char)host_random(&seed);
}

static void host_takes_a_page(void)
{
	host_ports[STDIO].may_take = 1;
	host_console_take(STDIO);
	(void)host_interrupt();
}

static void test_back_pressure(void)
{
	static char data[200000];
	size_t sent;
	long n;

	fill(data, sizeof(data));
	host_console_start();
	host_ports[STDIO].may_take = 0;
	n = guest_write(HOSTCHAN_STDOUT, data, sizeof(data), true);
	CHECK_EQ(n, 16 * PAGE_SIZE);
	sent = (size_t)n;
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, data + sent, 10, true), -EAGAIN);
	host_console.notified[HOSTCHAN_STDOUT] = 0;
	host_takes_a_page();
	CHECK_EQ(host_console.notified[HOSTCHAN_STDOUT], 1); /* (1) */
	host_takes_a_page();
	CHECK_EQ(host_console.notified[HOSTCHAN_STDOUT], 1); /* nobody asked again */
	host_console.while_waiting = host_takes_a_page;
	n = guest_write(HOSTCHAN_STDOUT, data + sent, sizeof(data) - sent, false);
	CHECK_EQ(n, sizeof(data) - sent);
	CHECK(host_console.waits > 10);
	host_ports[STDIO].may_take = SIZE_MAX;
	host_console_take(STDIO);
	CHECK_EQ(host_ports[STDIO].count, sizeof(data));
	CHECK(memcmp(host_ports[STDIO].bytes, data, sizeof(data)) == 0); /* (2) */
	/* A signal in the middle: what went out counts. */
	host_console.while_waiting = NULL;
	host_ports[STDIO].may_take = 0;
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, data, sizeof(data), false), 16 * PAGE_SIZE);
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, data, 1, false), -ERESTARTSYS);
}

/* The program ends while its output waits for a slow reader: every byte, then the exit record. */
static void test_slow_end(void)
{
	static char data[50000];

	fill(data, sizeof(data));
	host_console_start();
	host_ports[STDIO].may_take = 0;
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, data, sizeof(data), true), sizeof(data));
	host_console.while_waiting = host_takes_a_page;
	host_console.is_ending = true;
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, data, 1, false), -ERESTARTSYS); /* another thread */
	hostchan_finish(GOSOLO_EXIT_CODE, 0, "");
	CHECK(host_console.waits >= 12);
	CHECK_EQ(host_ports[STDIO].count, sizeof(data));
	CHECK(memcmp(host_ports[STDIO].bytes, data, sizeof(data)) == 0);
	CHECK_EQ(host_console_message(1)->head.type, GOSOLO_MSG_EXIT);
}

static void test_input_pressure(void)
{
	static char data[40000], got[40000];
	size_t sent = 0, read = 0;

	fill(data, sizeof(data));
	host_console_start();
	while (read < sizeof(data)) {
		while (sent < sizeof(data)) {
			uint32_t n = (uint32_t)(sizeof(data) - sent < 3000 ? sizeof(data) - sent
									   : 3000);

			if (!host_queue_send(2 * STDIO + 2, data + sent, n))
				break; /* four pages wait for the program */
			sent += n;
		}
		CHECK(sent <= read + 4 * 3000);
		(void)host_interrupt();
		read += (size_t)guest_read(got + read, 1700, true);
	}
	CHECK(memcmp(data, got, sizeof(data)) == 0); /* (2) */
	CHECK_EQ(guest_read(got, 1, true), -EAGAIN);
}

static void test_cut_messages(void)
{
	char stream[4000];
	size_t bytes = 0, at = 0;
	uint64_t seed = 11;
	int expected = 0;

	host_console_start();
	while (bytes + 100 < sizeof(stream)) {
		struct gosolo_msg m = { .type = GOSOLO_MSG_SIGNAL, .payload_bytes = 4 };
		uint32_t signo = 1 + (uint32_t)expected % 60;

		if (host_random(&seed) % 8 == 0)
			m = (struct gosolo_msg){ .type = 99, .payload_bytes = 80 }; /* skipped */
		else
			expected++;
		memcpy(stream + bytes, &m, sizeof(m));
		memcpy(stream + bytes + sizeof(m), &signo, sizeof(signo));
		bytes += sizeof(m) + m.payload_bytes;
	}
	while (at < bytes) {
		size_t n = 1 + host_random(&seed) % 40;

		n = n < bytes - at ? n : bytes - at;
		host_console_write(CONTROL, stream + at, (uint32_t)n);
		(void)host_interrupt();
		at += n;
	}
	CHECK_EQ(host_console.signals, expected);
	CHECK_EQ(host_console.last_signal, 1 + (expected - 1) % 60);
	host_console_send(GOSOLO_MSG_SIGNAL, "\xff\xff\xff\x7f", 4); /* no such signal */
	host_console_send(GOSOLO_MSG_SIGNAL, "", 0);
	CHECK_EQ(host_console.signals, expected);
	struct gosolo_msg big = { .type = 17, .payload_bytes = GOSOLO_MSG_PAYLOAD_MAX + 1 };
	host_console_write(CONTROL, &big, sizeof(big));
	(void)host_interrupt();
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, "alive", 5, true), 5);
}

static void test_log_flood(void)
{
	char line[300];
	unsigned kept = 0;
	bool has_notice = false;

	host_console_start();
	host_ports[CONTROL].may_take = 0;
	memset(line, 'l', sizeof(line));
	for (int i = 0; i < 200; i++)
		host_console.sink(GOSOLO_LOG_INFO, line, sizeof(line));
	host_ports[CONTROL].may_take = SIZE_MAX;
	host_console_take(CONTROL);
	while (host_interrupt())
		continue; /* what had to wait goes out by the interrupt */
	host_console.sink(GOSOLO_LOG_INFO, "after", 5);
	for (unsigned i = 1; host_console_message(i); i++) {
		const char *text = host_console_message(i)->payload + 4;

		CHECK_EQ(host_console_message(i)->head.type, GOSOLO_MSG_LOG);
		kept += text[0] == 'l' && text[1] == 'l';
		has_notice = has_notice || memcmp(text, "log: ", 5) == 0;
	}
	CHECK(kept > 30 && kept < 200);
	CHECK(has_notice);
}

static void test_dying(void)
{
	host_console_start();
	host_ports[STDIO].may_take = 0;
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, "last", 4, true), 4);
	host_ports[ERRPORT].may_take =
		0; /* a host that takes nothing does not hold a dying machine */
	hostchan_finish(GOSOLO_EXIT_KERNEL_FAULT, 0, "why");
	CHECK_EQ(host_console_message(1)->head.type, GOSOLO_MSG_EXIT);
	CHECK_EQ(host_console_message(1)->payload[0], GOSOLO_EXIT_KERNEL_FAULT);
}

/* What a thread that sleeps for output or input lives through: the end is told. */
static void lie_to_another_thread(void)
{
	host_queue_use(2 * ERRPORT + 3, 31, 0);
	(void)hostchan_poll(HOSTCHAN_STDERR);
	(void)guest_write(HOSTCHAN_STDERR, "x", 1, true);
	(void)host_interrupt();
}

static void lie_to_the_log(void)
{
	host_queue_use(2 * CONTROL + 3, 31, 0);
	host_console.sink(GOSOLO_LOG_WARN, "line", 4);
	CHECK(host_device.failure);
	(void)host_interrupt();
}

static void lie_in_a_handler(void)
{
	host_queue_use(2 * STDIO + 2, 31, 0);
	host_device.irq_pending = true;
	(void)host_interrupt();
}

static void test_end_in_sleep(void (*lie)(void))
{
	static char data[200000];
	char got[8];

	host_console_start();
	(void)host_interrupt(); /* the handshake's */
	host_ports[STDIO].may_take = host_ports[ERRPORT].may_take = 0;
	host_console.while_waiting = lie;
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, data, sizeof(data), false), 16 * PAGE_SIZE);
	CHECK_EQ(host_console.waits, 1);
	CHECK_EQ(guest_write(HOSTCHAN_STDOUT, data, 1, false), -EIO);
	CHECK_EQ(guest_read(got, 1, false), -EIO);
	CHECK_EQ(host_console.waits, 1);
}

static void test_end_while_reading(void (*lie)(void))
{
	char got[8];

	host_console_start();
	(void)host_interrupt(); /* the handshake's */
	host_console.while_waiting = lie;
	CHECK_EQ(guest_read(got, 1, false), -EIO);
	CHECK_EQ(host_console.waits, 1);
}

static void test_ends_1(void)
{
	test_end_in_sleep(lie_to_another_thread);
}
static void test_ends_2(void)
{
	test_end_in_sleep(lie_to_the_log);
}
static void test_ends_3(void)
{
	test_end_in_sleep(lie_in_a_handler);
}
static void test_ends_4(void)
{
	test_end_while_reading(lie_to_another_thread);
}
static void test_ends_5(void)
{
	test_end_while_reading(lie_to_the_log);
}
static void test_ends_6(void)
{
	test_end_while_reading(lie_in_a_handler);
}

/* Everything the device can write, at random: nothing may be touched outside, no call may hang. */
static void test_garbage(uint64_t seed)
{
	bool uses_rings_well = seed & 2; /* lies with contents only */
	char data[8192], got[5000];

	host_console_start();
	host_device.on_notify = NULL;
	for (int step = 0; step < 300; step++) {
		uint64_t r = host_random(&seed);
		unsigned queue = 2 + (unsigned)(r >> 8) % 8;
		struct virtq *q = host_device.queues[queue].q;
		uint32_t room;
		uint16_t id;

		switch (r % 8) {
		case 0:
			if (!q->broken && !uses_rings_well)
				host_queue_use(queue, (uint32_t)(r >> 16) % 33,
					(uint32_t)(r >> 32) % 5000);
			break;
		case 1:
		case 2:
		case 3:
			if (host_queue_take(queue, &id)) {
				char *p = host_queue_buffer(queue, id, &room);

				for (uint32_t i = 0; i < room && queue % 2 == 0; i++)
					p[i] = (char)(host_random(&seed) % 9);
				host_queue_use(queue, id, (uint32_t)(r >> 32) % (room + 1));
			}
			break;
		case 4:
			(void)guest_write(HOSTCHAN_STDOUT, data, (r >> 20) % sizeof(data), true);
			break;
		case 5:
			(void)guest_read(got, (r >> 20) % sizeof(got), r & 64);
			break;
		case 6:
			host_console.sink(GOSOLO_LOG_WARN, data, 100);
			break;
		default:
			host_device.irq_pending = true;
			(void)host_interrupt();
			break;
		}
	}
	(void)hostchan_poll(HOSTCHAN_STDIN);
	hostchan_finish(seed & 1 ? GOSOLO_EXIT_NO_MEMORY : GOSOLO_EXIT_KERNEL_FAULT, 0, "");
}

static void run(void (*fn)(void), uint64_t seed)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		if (fn)
			fn();
		else
			test_garbage(seed);
		CHECK_EQ(host_locks_held(), 0);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status)
		fprintf(stderr, "case %p, seed %llu\n", (void *)(uintptr_t)fn,
			(unsigned long long)seed);
	CHECK_EQ(status, 0);
}

int main(void)
{
	run(test_conversation, 0);
	run(test_late_host, 0);
	run(test_back_pressure, 0);
	run(test_slow_end, 0);
	run(test_input_pressure, 0);
	run(test_cut_messages, 0);
	run(test_log_flood, 0);
	run(test_dying, 0);
	run(test_ends_1, 0);
	run(test_ends_2, 0);
	run(test_ends_3, 0);
	run(test_ends_4, 0);
	run(test_ends_5, 0);
	run(test_ends_6, 0);
	for (uint64_t seed = 1; seed <= 150; seed++)
		run(NULL, seed);
	return 0;
}
