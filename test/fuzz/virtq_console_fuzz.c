/* sources: drivers/virtio/console_stream.c drivers/virtio/ring.c kernel/sync/pollq.c
 * test/fuzz/virtq_moves.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_pmm.c test/unit/shim/host_ram.c test/unit/shim/host_virtio.c */
/*
 * virtq_console_fuzz.c: whatever a virtio-serial device writes, the console driver lives.
 *
 * What:       the driver with its three ports against a device that the input plays: used entries
 *             with any id and length, indices that jump, any event of the handshake at any time, a
 *             device that asks for a reset; meanwhile the program reads and writes.
 * Invariants: (1) no access outside of what the driver owns, no failed claim, no lock left held.
 *             (2) every buffer is in one place. (3) a stopped device stays stopped, and a queue
 *             that contradicted itself stops it. (4) its end is told once: a line and a counter.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     virtio 1.1 §2.6, §5.3; two of the driver's files are included, so that each input
 *             has a driver that was never used.
 */
#include "drivers/virtio/console.c"
#include "drivers/virtio/console_outbox.c"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "host_virtio.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/uio.h"
#include "test/fuzz/virtq_moves.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_RAM_BYTES = 64 * 4096, QUEUE_FIRST = 2, QUEUE_END = 10, MAX_PORTS = 4 };

struct options options;

static struct {
	struct pollq readiness[HOSTCHAN_STREAMS];
	const struct hostchan_ops *ops;
	uint64_t now_ns, errors_before;
	unsigned lines; /* that told of a stopped device */
} fuzz;

/* ------------------------------------------------------------------ the kernel around it */
uint64_t clock_now_ns(void)
{
	return fuzz.now_ns += NS_PER_MS;
}

void klog(enum gosolo_log_level level, const char *format, ...)
{
	if (level == GOSOLO_LOG_ERROR && strstr(format, "device stopped") != NULL)
		fuzz.lines++;
}

void hostchan_register(const struct hostchan_ops *o)
{
	struct gosolo_hello hello = { .abi_version = GOSOLO_ABI_VERSION };

	fuzz.ops = o;
	(void)o->send(GOSOLO_MSG_HELLO, &hello, sizeof(hello));
}

void hostchan_received(uint16_t type unused_arg, const void *payload, uint32_t bytes)
{
	char copy[PAYLOAD_KEPT];

	CHECK(bytes <= sizeof(copy));
	memcpy(copy, payload, bytes);
}

struct pollq *hostchan_pollq(enum hostchan_stream s)
{
	return &fuzz.readiness[s];
}

bool process_is_ending(void)
{
	return false;
}

long uio_copy_to(struct uio *u, const void *src, uint64_t n)
{
	CHECK_EQ(host_locks_held(), 0);
	n = MIN(n, u->left_bytes);
	memcpy(u->kernel, src, n);
	u->kernel += n;
	u->left_bytes -= n;
	return (long)n;
}

long uio_copy_from(struct uio *u, void *dst, uint64_t n)
{
	CHECK_EQ(host_locks_held(), 0);
	n = MIN(n, u->left_bytes);
	memcpy(dst, u->kernel, n);
	u->kernel += n;
	u->left_bytes -= n;
	return (long)n;
}

void waitq_init(struct waitq *q)
{
	TAILQ_INIT(&q->waiters);
}

unsigned waitq_wake_all(struct waitq *q unused_arg)
{
	return 0;
}

/* The program's calls here do not block. */
int waitq_wait(struct waitq *q unused_arg, struct spinlock *lock, uint64_t deadline_ns unused_arg,
	unsigned flags unused_arg)
{
	lock_assert_held(lock);
	return -ERESTARTSYS;
}

/* ------------------------------------------------------------------ a machine for each input */
static void start_machine(void)
{
	struct virtio_device d = { .regs = (char *)&fuzz };
	uint32_t max_ports = MAX_PORTS;

	memset(&host_device, 0, sizeof(host_device));
	memset(&console, 0, sizeof(console));
	memset(&handshake, 0, sizeof(handshake));
	memset(&outbox, 0, sizeof(outbox));
	memset(&inbox, 0, sizeof(inbox));
	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.errors_before = stat_sum(STAT_device_errors);
	if (host_ram != NULL)
		ASAN_UNPOISON_MEMORY_REGION(host_ram, host_ram_bytes); /* free pages of before */
	host_ram_init(FUZZ_RAM_BYTES);
	pmm_init(FUZZ_RAM_BYTES, 0);
	pmm_add_range(PAGE_SIZE, FUZZ_RAM_BYTES);
	host_device.offers = 1ull << VIRTIO_CONSOLE_F_MULTIPORT;
	memcpy(host_device.config + 4, &max_ports, sizeof(max_ports));
	for (int i = 0; i < HOSTCHAN_STREAMS; i++)
		pollq_init(&fuzz.readiness[i]);
	virtio_console_init(&d);
	CHECK(fuzz.ops != NULL && console.port_count == CONSOLE_PORTS);
}

static void end_machine(void)
{
	for (unsigned i = QUEUE_FIRST; i < QUEUE_END; i++)
		virtq_fini(host_device.queues[i].q);
	kmem_free(handshake.events);
	kmem_free(handshake.answers);
	kmem_free(inbox.buffers);
	CHECK_EQ(host_kmem_objects(), 0);
}

/* ------------------------------------------------------------------ what must hold */
/* A bit per buffer: in no two places. */
static unsigned mark(unsigned seen, long index)
{
	CHECK(index >= 0 && index < CONSOLE_QUEUE_SIZE && (seen & 1u << index) == 0); /* (2) */
	return seen | 1u << index;
}

static unsigned mark_queue(unsigned seen, const struct virtq *q, const struct console_buffer *first)
{
	for (unsigned i = 0; i < q->size; i++)
		if (q->slots[i].in_flight)
			seen = mark(seen,
				(const struct console_buffer *)q->slots[i].cookie - first);
	return seen;
}

static void check_output(struct console_out *o)
{
	const struct console_buffer *b;
	unsigned seen = 0;

	STAILQ_FOREACH(b, &o->free, link)
		seen = mark(seen, b - o->buffers);
	STAILQ_FOREACH(b, &o->backlog, link)
		seen = mark(seen, b - o->buffers);
	if (o->port != NULL)
		seen = mark_queue(seen, &o->port->tx, o->buffers);
	CHECK_EQ(seen, (1u << o->made) - 1);
}

static void check_input(void)
{
	const struct console_buffer *b;
	unsigned seen = 0;

	if (console.in.port == NULL)
		return;
	STAILQ_FOREACH(b, &console.in.ready, link)
		seen = mark(seen, b - console.in.buffers);
	seen = mark_queue(seen, &console.in.port->rx, console.in.buffers);
	CHECK(seen == (1u << CONSOLE_IN_BUFFERS) - 1 || virtio_is_broken(&console.device));
}

static void check(bool was_stopped)
{
	CHECK_EQ(host_locks_held(), 0); /* (1) */
	check_output(&console.out);
	check_output(&console.err);
	check_input();
	CHECK(outbox.tail <= outbox.head && outbox.head - outbox.tail <= RING_BYTES);
	CHECK(outbox.in_flight <= outbox.head - outbox.tail);
	CHECK(handshake.out.broken ||
		(unsigned)__builtin_popcount(handshake.answers_used) ==
			virtq_in_flight(&handshake.out));
	CHECK(!was_stopped || virtio_is_broken(&console.device)); /* (3) */
	CHECK(fuzz.lines <= 1); /* (4) */
}

static void check_end(void)
{
	char byte;
	struct uio u = { .kernel = &byte, .left_bytes = 1 };
	bool is_stopped = virtio_is_broken(&console.device);

	for (unsigned i = QUEUE_FIRST; i < QUEUE_END; i++)
		CHECK(!host_device.queues[i].q->broken || is_stopped); /* (3) */
	CHECK_EQ(fuzz.lines, is_stopped); /* (4) */
	CHECK_EQ(stat_sum(STAT_device_errors) - fuzz.errors_before, is_stopped);
	if (!is_stopped)
		return;
	CHECK_EQ(fuzz.ops->write(HOSTCHAN_STDOUT, &u, false), -EIO);
	CHECK_EQ(fuzz.ops->send(GOSOLO_MSG_LOG, &byte, 1), -EIO);
	fuzz.ops->drain(); /* comes back */
	fuzz.ops->await_log_room();
}

/* ------------------------------------------------------------------ the device's moves */
static void interrupt(void)
{
	host_device.irq_pending = true;
	(void)host_interrupt();
}

static void send_event(uint32_t id, uint16_t event, uint16_t value, const char *name)
{
	struct virtio_console_control c = { .id = id, .event = event, .value = value };
	char buffer[64];
	size_t n = strlen(name);

	memcpy(buffer, &c, sizeof(c));
	memcpy(buffer + sizeof(c), name, n);
	(void)host_queue_send(QUEUE_CONTROL_IN, buffer, (uint32_t)(sizeof(c) + n));
}

static const char *name_of(unsigned n)
{
	static const char *const names[] = { GOSOLO_PORT_STDIO, GOSOLO_PORT_STDERR,
		GOSOLO_PORT_CONTROL, "stranger" };

	return names[n % ARRAY_LEN(names)];
}

/* A good device's part of the handshake. */
static void shake_hands(void)
{
	for (uint32_t id = 1; id <= CONSOLE_PORTS; id++) {
		send_event(id, VIRTIO_CONSOLE_PORT_ADD, 1, "");
		send_event(id, VIRTIO_CONSOLE_PORT_NAME, 1, name_of(id - 1));
		send_event(id, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	}
	interrupt();
}

/* It takes all that was written, and answers nothing. */
static void take_all(void)
{
	uint16_t id;

	for (unsigned queue = QUEUE_CONTROL_OUT; queue < QUEUE_END; queue += 2)
		while (host_queue_take(queue, &id))
			host_queue_use(queue, id, 0);
}

static void send_messages(void)
{
	char buffer[IN_BUFFER_BYTES];
	struct gosolo_msg m = { .type = (uint16_t)moves_next() };
	uint32_t bytes = moves_next();

	m.payload_bytes = bytes | (moves_next() & 3) << 8;
	memset(buffer, 0, sizeof(buffer));
	memcpy(buffer, &m, sizeof(m));
	(void)host_queue_send(2 * CONSOLE_PORTS + 2, buffer, (uint32_t)sizeof(m) + bytes);
}

/* ------------------------------------------------------------------ the program's calls */
static void write_out(unsigned how)
{
	static char text[3 * PAGE_SIZE];
	struct uio u = { .kernel = text };

	u.left_bytes = (moves_next() << 6) % sizeof(text);
	(void)!fuzz.ops->write((how & 1) != 0 ? HOSTCHAN_STDERR : HOSTCHAN_STDOUT, &u, true);
	(void)fuzz.ops->poll((enum hostchan_stream)(how % HOSTCHAN_STREAMS));
}

static void read_in(void)
{
	char text[300];
	struct uio u = { .kernel = text, .left_bytes = moves_next() + 1 };

	(void)!fuzz.ops->read(&u, true);
}

static void send_log(void)
{
	char line[512];

	memset(line, 'l', sizeof(line));
	(void)fuzz.ops->send(GOSOLO_MSG_LOG, line, moves_next() * 2);
}

static void step(void)
{
	unsigned r = moves_next(), id, event;

	switch (r >> 4) {
	case 8:
		shake_hands();
		break;
	case 9:
		id = moves_next();
		event = moves_next();
		send_event(id == 0xff ? ~0u : id, (uint16_t)(event % 16), r & 1, name_of(r >> 1));
		break;
	case 10:
		interrupt();
		break;
	case 11:
		write_out(r & 15);
		break;
	case 12:
		read_in();
		break;
	case 13:
		send_log();
		break;
	case 14:
		take_all();
		break;
	case 15:
		if ((r & 15) != 0) {
			send_messages();
			break;
		}
		virtio_fail(&console.device, "it says that it needs a reset"); /* as the ack does */
		interrupt();
		break;
	default:
		moves_on_queue(r & 7, QUEUE_FIRST + (r >> 4), moves_write);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool was_stopped = false;

	moves_begin(data, size);
	start_machine();
	while (moves_are_left()) {
		step();
		check(was_stopped);
		was_stopped = virtio_is_broken(&console.device);
	}
	interrupt();
	interrupt();
	check(was_stopped);
	check_end();
	end_machine();
	return 0;
}
