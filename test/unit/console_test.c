/* sources: drivers/virtio/console.c drivers/virtio/console_stream.c
 * drivers/virtio/console_outbox.c drivers/virtio/ring.c kernel/dev/hostchan.c kernel/sync/pollq.c
 * lib/fmt.c test/unit/shim/host.c test/unit/shim/host_kmem.c test/unit/shim/host_pmm.c
 * test/unit/shim/host_ram.c test/unit/shim/host_virtio.c */
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
#include "drivers/virtio/console.h"

#include <linux/eventpoll.h>
#include <linux/virtio_console.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/errno.h"
#include "host.h"
#include "host_virtio.h"
#include "kernel/dev/hostchan.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched/waitq.h"
#include "kernel/signal/signal.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "lib/string.h"
#include "platform/platform.h"

enum { PORTS = 3, Q_CONTROL_IN = 2, Q_CONTROL_OUT = 3, RAM_BYTES = 8 << 20, BYTES_MAX = 1 << 20 };
enum { STDIO = 1, ERRPORT = 2, CONTROL = 3 }; /* port numbers */

static const char *const port_names[PORTS + 1] = { NULL, GOSOLO_PORT_STDIO, GOSOLO_PORT_STDERR,
	GOSOLO_PORT_CONTROL };

static struct {
	char bytes[BYTES_MAX];
	size_t count;
	size_t may_take; /* bytes that the host still accepts */
} ports[PORTS + 1];

static struct {
	bool host_is_late; /* PORT_OPEN does not come by itself */
	unsigned opened; /* bit per port that the guest opened */
	void (*sink)(enum gosolo_log_level level, const char *line, uint32_t bytes);
	uint64_t now_ns;
	int64_t real_ns;
	int last_signal, signals;
	unsigned notified[HOSTCHAN_STREAMS];
	unsigned waits;
	void (*while_waiting)(void);
} test;

struct options options;

/* ------------------------------------------------------------------ the kernel around it */
uint64_t clock_now_ns(void)
{
	return test.now_ns += 100000;
}

void clock_set_real_ns(int64_t now_real_ns)
{
	test.real_ns = now_real_ns;
}

void signal_send_process(const struct signal_info *info)
{
	test.last_signal = info->signo;
	test.signals++;
}

void log_set_sink(void (*sink)(enum gosolo_log_level level, const char *line, uint32_t bytes))
{
	test.sink = sink;
}

void platform_debug_write(const char *s, size_t bytes)
{
	(void)s;
	(void)bytes;
}

void klog(enum gosolo_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

void boot_report(void (*line)(const char *text, void *arg), void *arg)
{
	line("boot.test 1 ns", arg);
}

uint64_t stat_sum(enum stat s)
{
	return (uint64_t)s;
}

const char *stat_name(enum stat s)
{
	(void)s;
	return "counter_bytes";
}

size_t strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
	snprintf(dst, size, "%s", src);
	return strlen(src);
}

static long copy(struct uio *u, void *kernel, uint64_t n, bool is_read)
{
	CHECK_EQ(host_locks_held(), 0);
	n = n < u->left_bytes ? n : u->left_bytes;
	if (is_read)
		memcpy(u->kernel, kernel, n);
	else
		memcpy(kernel, u->kernel, n);
	u->kernel += n;
	u->left_bytes -= n;
	return (long)n;
}

long uio_copy_to(struct uio *u, const void *src, uint64_t n)
{
	static char bounce[PAGE_SIZE];

	CHECK(n <= sizeof(bounce));
	memcpy(bounce, src, n);
	return copy(u, bounce, n, true);
}

long uio_copy_from(struct uio *u, void *dst, uint64_t n)
{
	return copy(u, dst, n, false);
}

void waitq_init(struct waitq *q)
{
	TAILQ_INIT(&q->waiters);
}

unsigned waitq_wake_all(struct waitq *q)
{
	unsigned n = TAILQ_EMPTY(&q->waiters) ? 0 : 1;

	TAILQ_INIT(&q->waiters);
	return n;
}

/* (1): what happens meanwhile must have woken us, or we would sleep for ever. */
int waitq_wait(struct waitq *q, struct spinlock *lock, uint64_t deadline_ns, unsigned flags)
{
	struct waiter w = { 0 };

	CHECK(deadline_ns == TIME_NEVER_NS && flags == WAIT_SIGNALS);
	lock_assert_held(lock);
	test.waits++;
	if (!test.while_waiting)
		return -ERESTARTSYS;
	TAILQ_INSERT_TAIL(&q->waiters, &w, link);
	spin_unlock(lock);
	test.while_waiting();
	spin_lock(lock);
	CHECK(TAILQ_EMPTY(&q->waiters));
	return 0;
}

/* ------------------------------------------------------------------ the device */
static void send_event(uint32_t id, uint16_t event, uint16_t value, const char *name)
{
	char buffer[128];
	struct virtio_console_control c = { .id = id, .event = event, .value = value };
	size_t n = name ? strlen(name) : 0;

	memcpy(buffer, &c, sizeof(c));
	memcpy(buffer + sizeof(c), name ? name : "", n);
	CHECK(host_queue_send(Q_CONTROL_IN, buffer, (uint32_t)(sizeof(c) + n)));
}

static void answer(const struct virtio_console_control *c)
{
	switch (c->event) {
	case VIRTIO_CONSOLE_DEVICE_READY:
		for (uint32_t id = 1; id <= PORTS; id++)
			send_event(id, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
		return;
	case VIRTIO_CONSOLE_PORT_READY:
		CHECK(c->id >= 1 && c->id <= PORTS);
		send_event(c->id, VIRTIO_CONSOLE_PORT_NAME, 1, port_names[c->id]);
		if (!test.host_is_late)
			send_event(c->id, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
		return;
	case VIRTIO_CONSOLE_PORT_OPEN:
		test.opened |= 1u << c->id;
		return;
	default:
		CHECK(!"an event that a driver may send");
	}
}

static void take_output(unsigned port)
{
	unsigned queue = 2 * port + 3;
	uint32_t bytes;
	uint16_t id;

	CHECK(test.opened & 1u << port);
	while (ports[port].may_take && host_queue_take(queue, &id)) {
		void *data = host_queue_buffer(queue, id, &bytes);

		CHECK(bytes > 0 && ports[port].count + bytes <= BYTES_MAX);
		memcpy(ports[port].bytes + ports[port].count, data, bytes);
		ports[port].count += bytes;
		ports[port].may_take -= bytes < ports[port].may_take ? bytes : ports[port].may_take;
		host_queue_use(queue, id, 0);
	}
}

static void on_notify(unsigned queue)
{
	struct virtio_console_control c;
	uint32_t bytes;
	uint16_t id;

	if (queue == Q_CONTROL_OUT)
		while (host_queue_take(queue, &id)) {
			memcpy(&c, host_queue_buffer(queue, id, &bytes), sizeof(c));
			CHECK_EQ(bytes, sizeof(c));
			host_queue_use(queue, id, 0);
			answer(&c);
		}
	else if (queue > Q_CONTROL_OUT && queue % 2 == 1)
		take_output((queue - 3) / 2);
}

static void host_writes(unsigned port, const void *data, uint32_t bytes)
{
	CHECK(host_queue_send(2 * port + 2, data, bytes));
}

static void host_sends(uint16_t type, const void *payload, uint32_t bytes)
{
	struct gosolo_msg m = { .type = type, .payload_bytes = bytes };
	char buffer[512];

	memcpy(buffer, &m, sizeof(m));
	memcpy(buffer + sizeof(m), payload, bytes);
	host_writes(CONTROL, buffer, (uint32_t)sizeof(m) + bytes);
	(void)host_interrupt();
}

struct message {
	struct gosolo_msg head;
	char payload[GOSOLO_MSG_PAYLOAD_MAX];
};

/* Message number n on the control port; NULL: not so many. Valid until the next call. */
static const struct message *message(unsigned n)
{
	static struct message m;
	size_t at = 0;

	for (;; n--) {
		if (at + sizeof(m.head) > ports[CONTROL].count)
			return NULL;
		memcpy(&m.head, ports[CONTROL].bytes + at, sizeof(m.head));
		at += sizeof(m.head);
		CHECK(m.head.payload_bytes <= sizeof(m.payload));
		memcpy(m.payload, ports[CONTROL].bytes + at, m.head.payload_bytes);
		at += m.head.payload_bytes;
		if (n == 0)
			return &m;
	}
}

static void note(struct pollq_watcher *w, uint32_t events);
static struct pollq_watcher watchers[HOSTCHAN_STREAMS] = { { .notify = note }, { .notify = note },
	{ .notify = note } };

static void note(struct pollq_watcher *w, uint32_t events)
{
	CHECK(events);
	test.notified[w - watchers]++;
}

static void start(void)
{
	struct virtio_device d = { .regs = (char *)&test };
	uint32_t max_ports = 4;

	host_ram_init(RAM_BYTES);
	pmm_init(RAM_BYTES, 0);
	pmm_add_range(PAGE_SIZE, RAM_BYTES);
	host_device.offers = 1ull << VIRTIO_CONSOLE_F_MULTIPORT;
	memcpy(host_device.config + 4, &max_ports, sizeof(max_ports));
	host_device.on_notify = on_notify;
	for (int i = 1; i <= PORTS; i++)
		ports[i].may_take = SIZE_MAX;
	hostchan_init();
	for (int i = 0; i < HOSTCHAN_STREAMS; i++)
		pollq_add(hostchan_pollq((enum hostchan_stream)i), &watchers[i]);
	virtio_console_init(&d);
	CHECK(hostchan_is_connected());
}

static long write_text(enum hostchan_stream s, const void *text, size_t bytes, bool nonblock)
{
	char copy_of[200000];
	struct uio u = { .kernel = copy_of, .left_bytes = bytes };

	CHECK(bytes <= sizeof(copy_of));
	memcpy(copy_of, text, bytes);
	return hostchan_write(s, &u, nonblock);
}

static long read_text(void *buffer, size_t bytes, bool nonblock)
{
	struct uio u = { .kernel = buffer, .left_bytes = bytes };

	return hostchan_read(&u, nonblock);
}

static bool has(unsigned port, const char *text)
{
	return ports[port].count == strlen(text) &&
		memcmp(ports[port].bytes, text, ports[port].count) == 0;
}

/* ------------------------------------------------------------------ cases */
static void test_conversation(void)
{
	uint64_t total = 5;
	int64_t real = 1234567890123;
	uint32_t signo = 15;
	uint16_t window[2] = { 25, 80 }, rows, columns;
	char got[16];

	start();
	CHECK_EQ(test.opened, 0xe);
	CHECK_EQ(message(0)->head.type, GOSOLO_MSG_HELLO); /* (3) */
	CHECK_EQ(write_text(HOSTCHAN_STDOUT, "out", 3, true), 3);
	CHECK_EQ(write_text(HOSTCHAN_STDERR, "err", 3, false), 3);
	CHECK(has(STDIO, "out") && has(ERRPORT, "err"));
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), 0);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDOUT), EPOLLOUT);
	CHECK_EQ(read_text(got, 16, true), -EAGAIN);
	CHECK_EQ(read_text(got, 16, false), -ERESTARTSYS);
	host_writes(STDIO, "hello", 5);
	CHECK(host_interrupt());
	CHECK_EQ(test.notified[HOSTCHAN_STDIN], 1);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), EPOLLIN);
	CHECK_EQ(read_text(got, 2, true), 2);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), EPOLLIN);
	host_sends(GOSOLO_MSG_EOF, &total, sizeof(total));
	CHECK_EQ(read_text(got + 2, 14, true), 3);
	CHECK(memcmp(got, "hello", 5) == 0);
	CHECK_EQ(read_text(got, 1, false), 0);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDIN), EPOLLIN | EPOLLHUP);
	host_sends(GOSOLO_MSG_TIME, &real, sizeof(real));
	CHECK_EQ(test.real_ns, real);
	host_sends(GOSOLO_MSG_SIGNAL, &signo, sizeof(signo));
	CHECK_EQ(test.last_signal, 15);
	host_sends(GOSOLO_MSG_WINSIZE, window, sizeof(window));
	hostchan_window_size(&rows, &columns);
	CHECK(rows == 25 && columns == 80 && test.last_signal == 28);
	test.sink(GOSOLO_LOG_INFO, "a line", 6);
	CHECK_EQ(message(1)->head.type, GOSOLO_MSG_LOG);
	CHECK_EQ(message(1)->head.payload_bytes, 10);
	options.stats = true;
	hostchan_finish(GOSOLO_EXIT_CODE, 7, "x");
	CHECK_EQ(message(2)->head.type, GOSOLO_MSG_STATS);
	CHECK_EQ(message(3)->head.type, GOSOLO_MSG_EXIT);
	CHECK(!message(4));
	CHECK(!host_device.failure);
}

/* What is written before the host listens waits, in order, up to the pool's size. */
static void test_late_host(void)
{
	char page[PAGE_SIZE];
	int pages = 0;

	test.host_is_late = true;
	start();
	CHECK(!message(0));
	for (;; pages++) {
		memset(page, 'a' + pages, sizeof(page));
		if (write_text(HOSTCHAN_STDOUT, page, sizeof(page), true) != PAGE_SIZE)
			break;
	}
	CHECK_EQ(pages, 16);
	CHECK_EQ(write_text(HOSTCHAN_STDOUT, page, 1, true), -EAGAIN);
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDOUT), 0);
	CHECK_EQ(write_text(HOSTCHAN_STDERR, "e", 1, true), 1);
	for (uint32_t id = 1; id <= PORTS; id++)
		send_event(id, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	CHECK(host_interrupt());
	CHECK(test.notified[HOSTCHAN_STDOUT] > 0); /* (1) */
	CHECK_EQ(hostchan_poll(HOSTCHAN_STDOUT), EPOLLOUT);
	CHECK_EQ(ports[STDIO].count, 16 * PAGE_SIZE);
	for (size_t i = 0; i < ports[STDIO].count; i++)
		CHECK_EQ(ports[STDIO].bytes[i], 'a' + (int)(i / PAGE_SIZE));
	CHECK(has(ERRPORT, "e"));
	CHECK_EQ(message(0)->head.type, GOSOLO_MSG_HELLO);
}

static void fill(char *data, size_t bytes)
{
	uint64_t seed = 3;

	for (size_t i = 0; i < bytes; i++)
		data[i] = (char)host_random(&seed);
}

static void host_takes_a_page(void)
{
	ports[STDIO].may_take = 1;
	take_output(STDIO);
	(void)host_interrupt();
}

static void test_back_pressure(void)
{
	static char data[200000];
	size_t sent;
	long n;

	fill(data, sizeof(data));
	start();
	ports[STDIO].may_take = 0;
	n = write_text(HOSTCHAN_STDOUT, data, sizeof(data), true);
	CHECK_EQ(n, 16 * PAGE_SIZE);
	sent = (size_t)n;
	CHECK_EQ(write_text(HOSTCHAN_STDOUT, data + sent, 10, true), -EAGAIN);
	test.notified[HOSTCHAN_STDOUT] = 0;
	host_takes_a_page();
	CHECK_EQ(test.notified[HOSTCHAN_STDOUT], 1); /* (1) */
	host_takes_a_page();
	CHECK_EQ(test.notified[HOSTCHAN_STDOUT], 1); /* nobody asked again */
	test.while_waiting = host_takes_a_page;
	n = write_text(HOSTCHAN_STDOUT, data + sent, sizeof(data) - sent, false);
	CHECK_EQ(n, sizeof(data) - sent);
	CHECK(test.waits > 10);
	ports[STDIO].may_take = SIZE_MAX;
	take_output(STDIO);
	CHECK_EQ(ports[STDIO].count, sizeof(data));
	CHECK(memcmp(ports[STDIO].bytes, data, sizeof(data)) == 0); /* (2) */
	/* A signal in the middle: what went out counts. */
	test.while_waiting = NULL;
	ports[STDIO].may_take = 0;
	CHECK_EQ(write_text(HOSTCHAN_STDOUT, data, sizeof(data), false), 16 * PAGE_SIZE);
	CHECK_EQ(write_text(HOSTCHAN_STDOUT, data, 1, false), -ERESTARTSYS);
}

static void test_input_pressure(void)
{
	static char data[40000], got[40000];
	size_t sent = 0, read = 0;

	fill(data, sizeof(data));
	start();
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
		read += (size_t)read_text(got + read, 1700, true);
	}
	CHECK(memcmp(data, got, sizeof(data)) == 0); /* (2) */
	CHECK_EQ(read_text(got, 1, true), -EAGAIN);
}

static void test_cut_messages(void)
{
	char stream[4000];
	size_t bytes = 0, at = 0;
	uint64_t seed = 11;
	int expected = 0;

	start();
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
		host_writes(CONTROL, stream + at, (uint32_t)n);
		(void)host_interrupt();
		at += n;
	}
	CHECK_EQ(test.signals, expected);
	CHECK_EQ(test.last_signal, 1 + (expected - 1) % 60);
	host_sends(GOSOLO_MSG_SIGNAL, "\xff\xff\xff\x7f", 4); /* no such signal */
	host_sends(GOSOLO_MSG_SIGNAL, "", 0);
	CHECK_EQ(test.signals, expected);
	struct gosolo_msg big = { .type = 17, .payload_bytes = GOSOLO_MSG_PAYLOAD_MAX + 1 };
	host_writes(CONTROL, &big, sizeof(big));
	(void)host_interrupt();
	CHECK_EQ(write_text(HOSTCHAN_STDOUT, "alive", 5, true), 5);
}

static void test_log_flood(void)
{
	char line[300];
	unsigned kept = 0;
	bool has_notice = false;

	start();
	ports[CONTROL].may_take = 0;
	memset(line, 'l', sizeof(line));
	for (int i = 0; i < 200; i++)
		test.sink(GOSOLO_LOG_INFO, line, sizeof(line));
	ports[CONTROL].may_take = SIZE_MAX;
	take_output(CONTROL);
	while (host_interrupt())
		continue; /* what had to wait goes out by the interrupt */
	test.sink(GOSOLO_LOG_INFO, "after", 5);
	for (unsigned i = 1; message(i); i++) {
		const char *text = message(i)->payload + 4;

		CHECK_EQ(message(i)->head.type, GOSOLO_MSG_LOG);
		kept += text[0] == 'l' && text[1] == 'l';
		has_notice = has_notice || memcmp(text, "log: ", 5) == 0;
	}
	CHECK(kept > 30 && kept < 200);
	CHECK(has_notice);
}

static void test_dying(void)
{
	start();
	ports[STDIO].may_take = 0;
	CHECK_EQ(write_text(HOSTCHAN_STDOUT, "last", 4, true), 4);
	ports[ERRPORT].may_take = 0; /* a host that takes nothing does not hold a dying machine */
	hostchan_finish(GOSOLO_EXIT_KERNEL_FAULT, 0, "why");
	CHECK_EQ(message(1)->head.type, GOSOLO_MSG_EXIT);
	CHECK_EQ(message(1)->payload[0], GOSOLO_EXIT_KERNEL_FAULT);
}

/* Everything the device can write, at random: nothing may be touched outside, no call may hang. */
static void test_garbage(uint64_t seed)
{
	bool uses_rings_well = seed & 2; /* lies with contents only */
	char data[8192], got[5000];

	start();
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
			(void)write_text(HOSTCHAN_STDOUT, data, (r >> 20) % sizeof(data), true);
			break;
		case 5:
			(void)read_text(got, (r >> 20) % sizeof(got), r & 64);
			break;
		case 6:
			test.sink(GOSOLO_LOG_WARN, data, 100);
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
	run(test_input_pressure, 0);
	run(test_cut_messages, 0);
	run(test_log_flood, 0);
	run(test_dying, 0);
	for (uint64_t seed = 1; seed <= 150; seed++)
		run(NULL, seed);
	return 0;
}
