/*
 * console_priv.h: what the three files of the console driver share.
 *
 * console.c         the device: handshake, interrupt, draining, registration
 * console_stream.c  the program's streams: input, output, error
 * console_outbox.c  the control port: messages out, and the parser of messages in
 *
 * Letters: [I] set at boot; [m] console.lock; [o] outbox lock; [a] atomic.
 */
#pragma once

#include <stdatomic.h>

#include "base/tree.h"
#include "drivers/virtio/mmio.h"
#include "gosolo_abi.h"
#include "kernel/dev/hostchan.h"
#include "kernel/sched/waitq.h"
#include "kernel/sync/spinlock.h"

enum {
	CONSOLE_PORT_FIRST = 1, /* number 0 is the classic console's */
	CONSOLE_PORTS = 3,
	CONSOLE_QUEUE_SIZE = 16, /* of each port's queues: as many as a stream has buffers */
	CONSOLE_IN_BUFFERS = 4,
};

enum console_stream {
	CONSOLE_STREAM_NONE,
	CONSOLE_STREAM_STDIO,
	CONSOLE_STREAM_STDERR,
	CONSOLE_STREAM_CONTROL,
};

struct console_port {
	struct virtq rx, tx; /* tx of the control port: [o], else [m] */
	enum console_stream stream; /* [m] by its name */
	bool host_open; /* [m] somebody listens at the host's end */
};

struct console_buffer {
	STAILQ_ENTRY(console_buffer) link; /* [m] */
	char *page; /* [I] once made */
	uint32_t bytes; /* filled */
	uint32_t done_bytes; /* input: consumed */
};
STAILQ_HEAD(console_buffers, console_buffer);

/* Standard output or error. A buffer is free, a writer's, in the backlog, or the device's. */
struct console_out {
	struct console_port *port; /* [m] NULL: not known or not open yet */
	struct console_buffers free, backlog; /* [m] */
	struct console_buffer buffers[CONSOLE_QUEUE_SIZE];
	uint32_t made; /* [m] buffers that have a page */
	bool want_room; /* [m] somebody was told to wait: say when there is room */
	struct waitq room; /* [m] */
};

/* Standard input. A buffer is the device's, or ready. */
struct console_in {
	struct console_port *port; /* [m] */
	struct console_buffers ready; /* [m] filled, oldest first */
	struct console_buffer buffers[CONSOLE_IN_BUFFERS];
	bool is_busy; /* [m] a reader copies out of the first ready buffer */
	uint64_t consumed_bytes; /* [m] */
	uint64_t eof_bytes; /* [m] input ends after so many; UINT64_MAX: not known yet */
	struct waitq data; /* [m] */
};

struct console {
	struct virtio_device device;
	struct spinlock lock; /* LOCK_CONSOLE */
	_Atomic bool is_alone; /* [a] the machine is dying: no locks, no wake-ups */
	_Atomic bool is_end_untold; /* [a] stopped where nothing could be logged */
	uint32_t port_count; /* [I] */
	struct console_port ports[CONSOLE_PORTS];
	struct console_in in;
	struct console_out out, err;
};

extern struct console console; /* drivers/virtio/console.c */

/* The two locks; free for all when the machine is dying. */
void console_enter(struct spinlock *l);
void console_leave(struct spinlock *l);
static inline bool console_is_alone(void)
{
	return atomic_load_explicit(&console.is_alone, memory_order_relaxed);
}
/* Does what an interrupt would do. No console lock held. */
void console_poll_device(void);
/* Whether waiting for the channel to come up has taken too long; start_ns: when it began. */
bool console_is_hopeless(uint64_t start_ns);

/* ------------------------------------------------------------------ console_stream.c */
int console_streams_init(void) must_check; /* -ENOMEM */
void console_in_open_locked(struct console_port *p);
void console_out_open_locked(struct console_out *o, struct console_port *p);
/* Takes what the device has done, wakes who waits for it. */
void console_streams_service_locked(void);
void console_set_eof_locked(uint64_t total_bytes);
bool console_streams_are_drained(void);
/* Sleeps until the device has taken some output, or a short while. A thread, no lock held. */
void console_streams_rest(void);
long console_read(struct uio *u, bool nonblock);
long console_write(enum hostchan_stream s, struct uio *u, bool nonblock);
uint32_t console_poll(enum hostchan_stream s);
void console_panic_write(enum hostchan_stream s, const void *data, uint32_t bytes);

/* ------------------------------------------------------------------ console_outbox.c */
int console_outbox_init(void) must_check; /* -ENOMEM */
void console_outbox_open_locked(struct console_port *p);
/* Messages in. console.lock held. */
void console_control_service_locked(void);
/* Hands waiting messages to the device. Takes the outbox lock; lower ranks may be held. */
void console_outbox_pump(void);
/* Until half of the ring is free, or the device or the host is given up. Takes the outbox lock. */
void console_await_log_room(void);
void console_await_sent(void); /* the same, until all is the device's that was put so far */
bool console_outbox_is_open(void);
bool console_outbox_is_drained(void);
int console_send(uint16_t type, const void *payload, uint32_t bytes);
