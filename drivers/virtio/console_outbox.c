/*
 * console_outbox.c: the control port.
 *
 * What:       out: a ring of bytes holds whole messages; one stretch of it at a time is the
 *             device's, so that what comes meanwhile goes out together. In: a parser that takes
 *             the stream apart wherever the device cut it.
 * Invariants: (1) tail <= head <= tail + RING_BYTES; the device has [tail, tail + in_flight).
 *             (2) messages enter whole, in order.
 * Locking:    out: outbox.lock (LOCK_OUTBOX, innermost: the log's sink comes here with anything
 *             held), so nobody is woken and nothing logged under it. In: console.lock.
 * Failure:    no room: LOG messages are refused (-EAGAIN), others wait. A message that is too long
 *             ends the input from the host, with a line in the log.
 * Source:     include/gosolo_abi.h, "virtio-serial device".
 */
#include "arch/arch.h"
#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "drivers/virtio/console_priv.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

#define RING_ORDER 2u
#define RING_BYTES (PAGE_SIZE << RING_ORDER)
#define LOG_RESERVE 1024u /* bytes that log lines leave for other messages */

enum { IN_BUFFERS = 2, IN_BUFFER_BYTES = 512, PAYLOAD_KEPT = 64 };

static struct {
	struct spinlock lock;
	char *ring; /* [I] */
	uint64_t head, tail; /* [o] bytes ever put, ever taken by the device */
	uint64_t in_flight; /* [o] */
	struct virtq *tx; /* [o] NULL: the port is not open */
} outbox;

static struct {
	struct virtq *rx; /* [m] */
	char *buffers; /* [I] */
	struct gosolo_msg message; /* [m] being parsed */
	uint32_t have_bytes; /* [m] of it, header and payload */
	char payload[PAYLOAD_KEPT]; /* [m] its beginning; all messages that we know fit */
	bool is_lost; /* [m] out of step with the host */
} inbox;

int console_outbox_init(void)
{
	pfn_t pfn = pmm_alloc(RING_ORDER, PMM_KERNEL);

	spinlock_init(&outbox.lock, LOCK_OUTBOX);
	inbox.buffers = kmem_alloc(IN_BUFFERS * IN_BUFFER_BYTES);
	if (pfn == PFN_NONE || !inbox.buffers)
		return -ENOMEM;
	outbox.ring = pfn_to_virt(pfn);
	return 0;
}

/* ------------------------------------------------------------------ out */
/* Silently: the log ends here. console.c tells of it. */
static void stop_locked(void)
{
	if (!virtio_is_broken(&console.device))
		atomic_store_explicit(&console.is_end_untold, true, memory_order_relaxed);
	virtio_stop(&console.device);
}

static void reap_locked(void)
{
	uint32_t bytes;
	void *cookie;
	int got;

	while ((got = virtq_take(outbox.tx, &cookie, &bytes)) == 1) {
		outbox.tail += outbox.in_flight;
		outbox.in_flight = 0;
	}
	if (got < 0)
		stop_locked();
}

static void pump_locked(void)
{
	uint64_t at, bytes;

	if (!outbox.tx)
		return;
	for (;;) {
		reap_locked();
		if (virtio_is_broken(&console.device) || outbox.head == outbox.tail)
			return;
		if (outbox.in_flight) {
			if (virtq_interrupts_on(outbox.tx))
				continue;
			return; /* the interrupt sends the rest */
		}
		at = outbox.tail % RING_BYTES;
		bytes = MIN(outbox.head - outbox.tail, RING_BYTES - at);
		if (virtq_add_out(outbox.tx, outbox.ring + at, (uint32_t)bytes, NULL) != 0) {
			stop_locked();
			return;
		}
		outbox.in_flight = bytes;
		virtq_interrupts_off(outbox.tx);
		virtio_kick(&console.device, outbox.tx);
		if (bytes == outbox.head - outbox.tail)
			return;
	}
}

void console_outbox_pump(void)
{
	console_enter(&outbox.lock);
	pump_locked();
	console_leave(&outbox.lock);
}

static void put_bytes_locked(const void *data, uint32_t bytes)
{
	uint64_t at = outbox.head % RING_BYTES;
	uint64_t first = MIN(bytes, RING_BYTES - at);

	memcpy(outbox.ring + at, data, first);
	memcpy(outbox.ring, (const char *)data + first, bytes - first);
	outbox.head += bytes;
}

static int try_send(uint16_t type, const void *payload, uint32_t bytes)
{
	struct gosolo_msg message = { .type = type, .payload_bytes = bytes };
	uint64_t reserve = type == GOSOLO_MSG_LOG ? LOG_RESERVE : 0, room;
	int err = 0;

	console_enter(&outbox.lock);
	pump_locked();
	room = RING_BYTES - (outbox.head - outbox.tail); /* (1) */
	if (virtio_is_broken(&console.device)) {
		err = -EIO;
	} else if (room < sizeof(message) + bytes + reserve) {
		err = -EAGAIN;
	} else {
		put_bytes_locked(&message, sizeof(message));
		put_bytes_locked(payload, bytes); /* (2) */
		pump_locked();
	}
	console_leave(&outbox.lock);
	return err;
}

int console_send(uint16_t type, const void *payload, uint32_t bytes)
{
	uint64_t start_ns = clock_now_ns();

	ASSERT(bytes <= GOSOLO_MSG_PAYLOAD_MAX);
	for (;;) {
		int err = try_send(type, payload, bytes);

		if (err != -EAGAIN || type == GOSOLO_MSG_LOG)
			return err;
		console_poll_device();
		if (console_is_hopeless(start_ns))
			return -EIO;
		arch_pause();
	}
}

/* What was put now is the last that may stay behind, and so many bytes of it. */
static void await_taken(uint64_t left_bytes)
{
	uint64_t start_ns = clock_now_ns(), head = UINT64_MAX;

	for (;;) {
		bool is_taken;

		console_enter(&outbox.lock);
		pump_locked();
		head = MIN(head, outbox.head);
		is_taken = head - MIN(head, outbox.tail) <= left_bytes ||
			virtio_is_broken(&console.device);
		console_leave(&outbox.lock);
		if (is_taken || console_is_hopeless(start_ns))
			return;
		console_poll_device();
		if (console_is_alone())
			arch_pause();
		else
			sched_relax();
	}
}

void console_await_log_room(void)
{
	await_taken(RING_BYTES / 2);
}

void console_await_sent(void)
{
	await_taken(0);
}

bool console_outbox_is_open(void)
{
	bool is_open;

	console_enter(&outbox.lock);
	is_open = outbox.tx != NULL;
	console_leave(&outbox.lock);
	return is_open;
}

bool console_outbox_is_drained(void)
{
	bool is_drained;

	console_enter(&outbox.lock);
	pump_locked();
	is_drained = outbox.head == outbox.tail || virtio_is_broken(&console.device);
	console_leave(&outbox.lock);
	return is_drained;
}

/* ------------------------------------------------------------------ in */
static void act_locked(void)
{
	uint32_t bytes = inbox.message.payload_bytes;
	uint64_t total;

	if (inbox.message.type != GOSOLO_MSG_EOF || bytes != sizeof(total)) {
		hostchan_received(inbox.message.type, inbox.payload,
			MIN(bytes, (uint32_t)PAYLOAD_KEPT));
		return;
	}
	memcpy(&total, inbox.payload, sizeof(total));
	console_set_eof_locked(total);
}

/* Takes in up to one message's end; returns the bytes used, at least 1. */
static uint32_t parse_locked(const char *data, uint32_t bytes)
{
	uint32_t header = sizeof(inbox.message), n;

	if (inbox.have_bytes < header) {
		n = MIN(bytes, header - inbox.have_bytes);
		memcpy((char *)&inbox.message + inbox.have_bytes, data, n);
	} else {
		uint32_t at = inbox.have_bytes - header;

		n = MIN(bytes, inbox.message.payload_bytes - at);
		if (at < PAYLOAD_KEPT)
			memcpy(inbox.payload + at, data, MIN(n, PAYLOAD_KEPT - at));
	}
	inbox.have_bytes += n;
	if (inbox.have_bytes >= header && inbox.message.payload_bytes > GOSOLO_MSG_PAYLOAD_MAX) {
		log_error("host: a message of %u bytes; nothing more is taken from the host",
			inbox.message.payload_bytes);
		inbox.is_lost = true;
	} else if (inbox.have_bytes >= header &&
		inbox.have_bytes == header + inbox.message.payload_bytes) {
		inbox.have_bytes = 0;
		if (!console_is_alone())
			act_locked();
	}
	return n;
}

static void post_locked(char *buffer)
{
	if (virtq_add_in(inbox.rx, buffer, IN_BUFFER_BYTES, buffer) != 0)
		virtio_fail(&console.device, "control input queue");
}

void console_control_service_locked(void)
{
	uint32_t bytes, used;
	void *cookie;
	int got;

	if (!inbox.rx || inbox.is_lost)
		return;
	do {
		while ((got = virtq_take(inbox.rx, &cookie, &bytes)) == 1) {
			for (used = 0; used < bytes && !inbox.is_lost;)
				used += parse_locked((char *)cookie + used, bytes - used);
			post_locked(cookie);
		}
		if (got < 0)
			virtio_fail(&console.device, "bad used ring of the control input queue");
		virtio_kick(&console.device, inbox.rx);
	} while (virtq_interrupts_on(inbox.rx));
}

void console_outbox_open_locked(struct console_port *p)
{
	if (inbox.rx)
		return;
	inbox.rx = &p->rx;
	for (int i = 0; i < IN_BUFFERS; i++)
		post_locked(inbox.buffers + (long)i * IN_BUFFER_BYTES);
	console_enter(&outbox.lock);
	outbox.tx = &p->tx;
	pump_locked();
	console_leave(&outbox.lock);
}
