/*
 * host_console.c: a host for the host channel.
 *
 * What:       see host_console.h.
 * Invariants: (1) a sleeper that nobody wakes is a failure, not a hang.
 * Locking:    one thread; program memory is touched without locks.
 * Failure:    a driver that breaks the protocol fails a check.
 * Source:     virtio 1.1 §5.3; include/gosolo_abi.h; the headers it stands in for.
 */
#include "host_console.h"

#include <linux/virtio_console.h>
#include <string.h>

#include "base/errno.h"
#include "drivers/virtio/console.h"
#include "host.h"
#include "kernel/mm/pmm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched/waitq.h"
#include "kernel/signal/signal.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "kernel/time/follow.h"
#include "lib/string.h"
#include "platform/platform.h"

enum { Q_CONTROL_IN = 2, Q_CONTROL_OUT = 3, RAM_BYTES = 8 << 20 };

struct host_port host_ports[PORTS + 1];
struct host_console host_console;

static const char *const port_names[PORTS + 1] = { NULL, GOSOLO_PORT_STDIO, GOSOLO_PORT_STDERR,
	GOSOLO_PORT_CONTROL };

struct options options;

/* ------------------------------------------------------------------ the kernel around it */
uint64_t clock_now_ns(void)
{
	return host_console.now_ns += 100000;
}

void clock_set_real_ns(int64_t now_real_ns)
{
	host_console.real_ns = now_real_ns;
}

bool follow_received(int64_t host_ns)
{
	(void)host_ns;
	return false; /* nobody asked: it is the host's first word */
}

int signal_send_process(const struct signal_info *info)
{
	host_console.last_signal = info->signo;
	host_console.signals++;
	return 0;
}

void log_set_sink(void (*sink)(enum gosolo_log_level level, const char *line, uint32_t bytes))
{
	host_console.sink = sink;
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

bool process_is_ending(void)
{
	return host_console.is_ending;
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

const char *stat_unit(enum stat s)
{
	(void)s;
	return "bytes";
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

	lock_assert_held(lock);
	host_console.waits++;
	if (deadline_ns != TIME_NEVER_NS) {
		spin_unlock(lock);
		if (host_console.while_waiting)
			host_console.while_waiting();
		spin_lock(lock);
		return -ETIMEDOUT;
	}
	CHECK_EQ(flags, WAIT_SIGNALS);
	if (!host_console.while_waiting)
		return -ERESTARTSYS;
	TAILQ_INSERT_TAIL(&q->waiters, &w, link);
	spin_unlock(lock);
	host_console.while_waiting();
	spin_lock(lock);
	CHECK(TAILQ_EMPTY(&q->waiters));
	return 0;
}

/* ------------------------------------------------------------------ the device */
void host_console_event(uint32_t id, uint16_t event, uint16_t value, const char *name)
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
			host_console_event(id, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
		return;
	case VIRTIO_CONSOLE_PORT_READY:
		CHECK(c->id >= 1 && c->id <= PORTS);
		host_console_event(c->id, VIRTIO_CONSOLE_PORT_NAME, 1, port_names[c->id]);
		if (!host_console.host_is_late)
			host_console_event(c->id, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
		return;
	case VIRTIO_CONSOLE_PORT_OPEN:
		host_console.opened |= 1u << c->id;
		return;
	default:
		CHECK(!"an event that a driver may send");
	}
}

void host_console_take(unsigned port)
{
	unsigned queue = 2 * port + 3;
	uint32_t bytes;
	uint16_t id;

	CHECK(host_console.opened & 1u << port);
	while (host_ports[port].may_take && host_queue_take(queue, &id)) {
		void *data = host_queue_buffer(queue, id, &bytes);

		CHECK(bytes > 0 && host_ports[port].count + bytes <= HOST_CONSOLE_BYTES);
		memcpy(host_ports[port].bytes + host_ports[port].count, data, bytes);
		host_ports[port].count += bytes;
		host_ports[port].may_take -= bytes < host_ports[port].may_take
			? bytes
			: host_ports[port].may_take;
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
		host_console_take((queue - 3) / 2);
}

void host_console_write(unsigned port, const void *data, uint32_t bytes)
{
	CHECK(host_queue_send(2 * port + 2, data, bytes));
}

void host_console_send(uint16_t type, const void *payload, uint32_t bytes)
{
	struct gosolo_msg m = { .type = type, .payload_bytes = bytes };
	char buffer[512];

	memcpy(buffer, &m, sizeof(m));
	memcpy(buffer + sizeof(m), payload, bytes);
	host_console_write(CONTROL, buffer, (uint32_t)sizeof(m) + bytes);
	(void)host_interrupt();
}

const struct host_message *host_console_message(unsigned n)
{
	static struct host_message m;
	size_t at = 0;

	for (;; n--) {
		if (at + sizeof(m.head) > host_ports[CONTROL].count)
			return NULL;
		memcpy(&m.head, host_ports[CONTROL].bytes + at, sizeof(m.head));
		at += sizeof(m.head);
		CHECK(m.head.payload_bytes <= sizeof(m.payload));
		memcpy(m.payload, host_ports[CONTROL].bytes + at, m.head.payload_bytes);
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
	host_console.notified[w - watchers]++;
}

void host_console_start(void)
{
	struct virtio_device d = { .regs = (char *)&host_console };
	uint32_t max_ports = 4;

	host_ram_init(RAM_BYTES);
	pmm_init(RAM_BYTES, 0);
	pmm_add_range(PAGE_SIZE, RAM_BYTES);
	host_device.offers = 1ull << VIRTIO_CONSOLE_F_MULTIPORT;
	memcpy(host_device.config + 4, &max_ports, sizeof(max_ports));
	host_device.on_notify = on_notify;
	for (int i = 1; i <= PORTS; i++)
		host_ports[i].may_take = SIZE_MAX;
	hostchan_init();
	for (int i = 0; i < HOSTCHAN_STREAMS; i++)
		pollq_add(hostchan_pollq((enum hostchan_stream)i), &watchers[i]);
	virtio_console_init(&d);
	CHECK(hostchan_is_connected());
}

long guest_write(enum hostchan_stream s, const void *text, size_t bytes, bool nonblock)
{
	char copy_of[200000];
	struct uio u = { .kernel = copy_of, .left_bytes = bytes };

	CHECK(bytes <= sizeof(copy_of));
	memcpy(copy_of, text, bytes);
	return hostchan_write(s, &u, nonblock);
}

long guest_read(void *buffer, size_t bytes, bool nonblock)
{
	struct uio u = { .kernel = buffer, .left_bytes = bytes };

	return hostchan_read(&u, nonblock);
}

void lock_report(void (*line)(const char *text, void *arg) unused_arg, void *arg unused_arg)
{
}
