/*
 * console.c: virtio-serial with several ports: the device itself.
 *
 * What:       the handshake finds three ports by name and opens them:
 *               we: DEVICE_READY -> it: PORT_ADD n -> we: PORT_READY n -> it: PORT_NAME n, and
 *               PORT_OPEN n when the host listens -> we: PORT_OPEN n.
 *             It runs by interrupts (and by itself, where the device answers within the kick);
 *             what is written before its end waits in buffers.
 * Invariants: (1) all queues exist before DRIVER_OK. (2) output is given to the device only after
 *             the host's end is open: QEMU throws earlier bytes away.
 * Locking:    console.lock (LOCK_CONSOLE), never across a copy to or from the program; the outbox
 *             lock (LOCK_OUTBOX) for the control port's way out. In a dying machine, neither.
 * Failure:    a device that lies is stopped: reads and writes give -EIO, the log goes elsewhere.
 * Source:     virtio 1.1 §5.3 (console), linux/virtio_console.h, QEMU hw/char/virtio-serial-bus.c.
 */
#include "drivers/virtio/console.h"

#include <linux/virtio_console.h>
#include <linux/virtio_ring.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "base/units.h"
#include "drivers/virtio/console_priv.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

enum {
	QUEUE_CONTROL_IN = 2,
	QUEUE_CONTROL_OUT = 3,
	CONTROL_QUEUE_SIZE = 32,
	EVENT_BYTES = 128, /* an event and a port's name */
};
#define HANDSHAKE_TIMEOUT_NS (2 * NS_PER_S)
#define DRAIN_LOOKS 1000u /* before we sleep between them */

struct console console;

static struct {
	struct virtq in, out; /* [m] */
	char *events; /* [I] CONTROL_QUEUE_SIZE buffers of EVENT_BYTES */
	struct virtio_console_control *answers; /* [I] CONTROL_QUEUE_SIZE of them */
	uint32_t answers_used; /* [m] bit per answer in flight */
} handshake;

void console_enter(struct spinlock *l)
{
	if (!console_is_alone())
		spin_lock(l);
}

void console_leave(struct spinlock *l)
{
	if (!console_is_alone())
		spin_unlock(l);
}

/* ------------------------------------------------------------------ handshake */
/* Kicked by the caller. */
static void answer_locked(uint32_t id, uint16_t event)
{
	void *cookie;
	uint32_t bytes, slot;
	int got;

	while ((got = virtq_take(&handshake.out, &cookie, &bytes)) == 1)
		handshake.answers_used &= ~(1u
			<< ((struct virtio_console_control *)cookie - handshake.answers));
	if (got < 0) {
		virtio_fail(&console.device, "bad used ring of the answers' queue");
		return;
	}
	if (~handshake.answers_used == 0) {
		virtio_fail(&console.device, "more control events than it takes answers");
		return;
	}
	slot = (uint32_t)__builtin_ctz(~handshake.answers_used);
	handshake.answers[slot] = (struct virtio_console_control){
		.id = id, .event = event, .value = 1
	};
	if (virtq_add_out(&handshake.out, &handshake.answers[slot], sizeof(handshake.answers[slot]),
		    &handshake.answers[slot]) == 0)
		handshake.answers_used |= 1u << slot;
}

static struct console_port *find_port(uint32_t id)
{
	uint32_t index = id - CONSOLE_PORT_FIRST;

	return index < console.port_count ? &console.ports[index] : NULL;
}

static void name_port_locked(struct console_port *p, uint32_t id, const char *name)
{
	if (p->stream != CONSOLE_STREAM_NONE)
		return;
	if (strcmp(name, GOSOLO_PORT_STDIO) == 0)
		p->stream = CONSOLE_STREAM_STDIO;
	else if (strcmp(name, GOSOLO_PORT_STDERR) == 0)
		p->stream = CONSOLE_STREAM_STDERR;
	else if (strcmp(name, GOSOLO_PORT_CONTROL) == 0)
		p->stream = CONSOLE_STREAM_CONTROL;
	else
		return;
	answer_locked(id, VIRTIO_CONSOLE_PORT_OPEN);
}

static void handle_event_locked(const struct virtio_console_control *event, const char *name)
{
	struct console_port *p = find_port(event->id);

	if (!p) {
		if (event->event == VIRTIO_CONSOLE_PORT_ADD)
			log_info("virtio-console: port %u is not used: only 1 to %u are", event->id,
				console.port_count);
		return;
	}
	switch (event->event) {
	case VIRTIO_CONSOLE_PORT_ADD:
		answer_locked(event->id, VIRTIO_CONSOLE_PORT_READY);
		break;
	case VIRTIO_CONSOLE_PORT_NAME:
		name_port_locked(p, event->id, name);
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		p->host_open = p->host_open || event->value;
		break;
	case VIRTIO_CONSOLE_PORT_REMOVE:
		log_warn("virtio-console: port %u was removed", event->id);
		break;
	default:
		break; /* console resizing: the control port says it better */
	}
}

static void post_event_buffer_locked(char *buffer)
{
	if (virtq_add_in(&handshake.in, buffer, EVENT_BYTES, buffer) != 0)
		virtio_fail(&console.device, "control queue");
}

/* A port is of use when its name is known and the host listens (2). Called again and again. */
static void open_port_locked(struct console_port *p)
{
	if (!p->host_open)
		return;
	if (p->stream == CONSOLE_STREAM_STDIO) {
		console_in_open_locked(p);
		console_out_open_locked(&console.out, p);
	} else if (p->stream == CONSOLE_STREAM_STDERR) {
		console_out_open_locked(&console.err, p);
	} else if (p->stream == CONSOLE_STREAM_CONTROL) {
		console_outbox_open_locked(p);
	}
}

static void take_event_locked(char *buffer, uint32_t bytes)
{
	struct virtio_console_control event;
	char name[EVENT_BYTES];

	if (bytes >= sizeof(event)) {
		memcpy(&event, buffer, sizeof(event));
		memcpy(name, buffer + sizeof(event), bytes - sizeof(event));
		name[bytes - sizeof(event)] = 0;
		handle_event_locked(&event, name);
	}
	post_event_buffer_locked(buffer);
}

static void service_handshake_locked(void)
{
	uint32_t bytes;
	void *cookie;
	int got;

	do {
		while ((got = virtq_take(&handshake.in, &cookie, &bytes)) == 1)
			take_event_locked(cookie, bytes);
		if (got < 0)
			virtio_fail(&console.device, "bad used ring of the control queue");
		virtio_kick(&console.device, &handshake.in);
		virtio_kick(&console.device, &handshake.out);
		for (uint32_t i = 0; i < console.port_count; i++)
			open_port_locked(
				&console.ports[i]); /* after the device has our PORT_OPEN */
	} while (virtq_interrupts_on(&handshake.in));
}

/* ------------------------------------------------------------------ service */
void console_poll_device(void)
{
	console_enter(&console.lock);
	if (!virtio_is_broken(&console.device)) {
		service_handshake_locked();
		console_control_service_locked();
	}
	console_streams_service_locked();
	console_leave(&console.lock);
	console_outbox_pump();
	if (!virtio_is_broken(&console.device))
		return;
	if (!console_is_alone() &&
		atomic_exchange_explicit(&console.is_end_untold, false, memory_order_relaxed)) {
		stat_inc(STAT_device_errors);
		log_error("virtio-console: device stopped: bad used ring of the control port");
	}
	console_enter(&console.lock); /* whoever waits must hear */
	console_streams_service_locked();
	console_leave(&console.lock);
}

static void handle_irq(void *arg unused_arg)
{
	(void)virtio_irq_ack(&console.device);
	console_poll_device();
}

bool console_is_hopeless(uint64_t start_ns)
{
	bool is_open;

	if (virtio_is_broken(&console.device))
		return true;
	console_enter(&console.lock);
	is_open = console.out.port && console.err.port && console_outbox_is_open();
	console_leave(&console.lock);
	/* An open channel may make us wait for ever: back pressure. A dying machine does not. */
	return (!is_open || console_is_alone()) && clock_now_ns() - start_ns > HANDSHAKE_TIMEOUT_NS;
}

static void drain(void)
{
	uint64_t start_ns = clock_now_ns();

	for (unsigned looks = 0;; looks++) {
		console_poll_device();
		if (console_streams_are_drained() && console_outbox_is_drained())
			return;
		if (console_is_hopeless(start_ns))
			return;
		if (looks < DRAIN_LOOKS || console_is_alone())
			arch_pause();
		else
			console_streams_rest(); /* whoever reads the output is in no hurry */
	}
}

/* ------------------------------------------------------------------ start */
static const struct hostchan_ops ops = {
	.read = console_read,
	.write = console_write,
	.poll = console_poll,
	.send = console_send,
	.await_log_room = console_await_log_room,
	.await_sent = console_await_sent,
	.drain = drain,
	.panic_write = console_panic_write,
};

static int add_queues(void)
{
	struct virtio_device *d = &console.device;
	int err = virtio_add_queue(d, &handshake.in, QUEUE_CONTROL_IN, CONTROL_QUEUE_SIZE);

	if (!err)
		err = virtio_add_queue(d, &handshake.out, QUEUE_CONTROL_OUT, CONTROL_QUEUE_SIZE);
	for (uint32_t i = 0; i < console.port_count && !err; i++) {
		uint16_t first = (uint16_t)(2 * (i + CONSOLE_PORT_FIRST) + 2);

		err = virtio_add_queue(d, &console.ports[i].rx, first, CONSOLE_QUEUE_SIZE);
		if (!err)
			err = virtio_add_queue(d, &console.ports[i].tx, (uint16_t)(first + 1),
				CONSOLE_QUEUE_SIZE);
		if (!err)
			virtq_interrupts_off(&console.ports[i].tx);
	}
	if (!err)
		virtq_interrupts_off(&handshake.out);
	return err;
}

static int set_up(void)
{
	uint32_t ports;
	int err = virtio_negotiate(&console.device, "virtio-console",
		1ull << VIRTIO_CONSOLE_F_MULTIPORT, 1ull << VIRTIO_RING_F_EVENT_IDX);

	if (err)
		return err;
	ports = virtio_config_u32(&console.device,
		__builtin_offsetof(struct virtio_console_config, max_nr_ports));
	console.port_count = ports > CONSOLE_PORT_FIRST
		? MIN(ports - CONSOLE_PORT_FIRST, (uint32_t)CONSOLE_PORTS)
		: 0;
	handshake.events = kmem_alloc(CONTROL_QUEUE_SIZE * EVENT_BYTES);
	handshake.answers = kmem_alloc(CONTROL_QUEUE_SIZE * sizeof(*handshake.answers));
	if (!handshake.events || !handshake.answers)
		return -ENOMEM;
	err = console_streams_init();
	if (!err)
		err = console_outbox_init();
	if (!err)
		err = add_queues();
	return err ? err : virtio_start(&console.device, handle_irq, NULL);
}

void virtio_console_init(const struct virtio_device *d)
{
	int err;

	if (console.device.regs) {
		log_warn("virtio-console: a second device stays unused");
		return;
	}
	console.device = *d;
	spinlock_init(&console.lock, LOCK_CONSOLE);
	err = set_up();
	if (err) {
		log_warn("virtio-console: not usable (error %d)", -err);
		virtio_stop(&console.device);
		return;
	}
	console_enter(&console.lock);
	for (uint32_t i = 0; i < handshake.in.size; i++)
		post_event_buffer_locked(handshake.events + i * EVENT_BYTES);
	virtio_kick(&console.device, &handshake.in);
	answer_locked(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY);
	virtio_kick(&console.device, &handshake.out);
	console_leave(&console.lock);
	hostchan_register(&ops);
	console_poll_device();
}
