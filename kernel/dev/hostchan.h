/*
 * hostchan.h: the channel to the host: the program's standard files, and the control messages.
 *
 * Implemented by a driver (drivers/virtio/console.c) that registers itself; without one the
 * platform's console carries output and error, and input is at its end.
 */
#pragma once

#include "gosolo_abi.h"
#include "kernel/sync/pollq.h"
#include "kernel/uio.h"

enum hostchan_stream { HOSTCHAN_STDIN, HOSTCHAN_STDOUT, HOSTCHAN_STDERR, HOSTCHAN_STREAMS };

struct hostchan_ops {
	/* Bytes moved (> 0), 0 at the end of input, -EAGAIN when nonblock, -ERESTARTSYS. May
	 * sleep. */
	long (*read)(struct uio *u, bool nonblock);
	long (*write)(enum hostchan_stream s, struct uio *u, bool nonblock);
	uint32_t (*poll)(enum hostchan_stream s); /* EPOLLIN, EPOLLOUT, EPOLLHUP */
	/* One control message; waits for room; -EIO when the device is broken. Kernel context. */
	int (*send)(uint16_t type, const void *payload, uint32_t bytes);
	/* Until log lines have room again, while the host takes them; polls the device. NULL: they
	 * always have. Kernel context, no lock. */
	void (*await_log_room)(void);
	/* Until the device has taken what was sent so far. NULL: it has at once. As above. */
	void (*await_sent)(void);
	/* Until the device has taken all output; polls the device, may run with everything else
	 * dead. */
	void (*drain)(void);
	/* Output without sleeping, interrupts or locks: for panic. */
	void (*panic_write)(enum hostchan_stream s, const void *data, uint32_t bytes);
};

void hostchan_register(const struct hostchan_ops *ops); /* sends HELLO, takes over the log */
/* The calls below go to the driver, or to the platform's console. */
long hostchan_read(struct uio *u, bool nonblock) must_check;
long hostchan_write(enum hostchan_stream s, struct uio *u, bool nonblock) must_check;
uint32_t hostchan_poll(enum hostchan_stream s);
struct pollq *hostchan_pollq(enum hostchan_stream s);
bool hostchan_is_connected(void);
int hostchan_send(uint16_t type, const void *payload, uint32_t bytes);
void hostchan_drain(void);
/* The machine dies: from now on the driver takes no lock and wakes nobody. */
void hostchan_go_alone(void);
void hostchan_await_log_room(void); /* for those who log much and must not lose a line */
void hostchan_window_size(uint16_t *rows, uint16_t *columns); /* 0, 0: unknown */
/* What the host's terminal is set to. */
void hostchan_get_terminal(struct gosolo_terminal *out);
int hostchan_set_terminal(const struct gosolo_terminal *t) must_check; /* -EIO; sleeps */
/* Driver: a control message arrived (interrupt context): SIGNAL, TIME, WINSIZE, TERMINAL are acted
 * on here. */
void hostchan_received(uint16_t type, const void *payload, uint32_t bytes);
void hostchan_init(void);
/* Last words: statistics if asked, exit record, drain. Returns; the caller resets the machine. */
void hostchan_finish(enum gosolo_exit_kind kind, uint32_t value, const char *text);
/* Boot: what a room above adds to the statistics, line by line. */
void hostchan_set_report(void (*report)(void (*line)(const char *text, void *arg), void *arg));
