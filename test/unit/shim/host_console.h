/*
 * host_console.h: the host's side of the channel, and the kernel around it, for tests.
 *
 * host_console.c plays a virtio-serial device with the three ports on host_virtio.h and stands in
 * for clock, signals, log, wait queues and program memory. A sleep runs while_waiting, and fails
 * the test when nobody woke the sleeper.
 */
#pragma once

#include "host_virtio.h"
#include "kernel/dev/hostchan.h"
#include "kernel/log.h"

enum { PORTS = 3, STDIO = 1, ERRPORT = 2, CONTROL = 3 }; /* port numbers */
enum { HOST_CONSOLE_BYTES = 1 << 20 };

struct host_port {
	char bytes[HOST_CONSOLE_BYTES]; /* what the guest wrote */
	size_t count;
	size_t may_take; /* bytes that the host still accepts */
};
extern struct host_port host_ports[PORTS + 1];

struct host_console {
	bool host_is_late; /* PORT_OPEN does not come by itself */
	bool is_ending; /* the program has ended */
	unsigned opened; /* bit per port that the guest opened */
	void (*sink)(enum gosolo_log_level level, const char *line, uint32_t bytes);
	uint64_t now_ns;
	int64_t real_ns;
	int last_signal, signals;
	unsigned notified[HOSTCHAN_STREAMS]; /* edges that pollers heard of */
	unsigned waits;
	void (*while_waiting)(void); /* NULL: a signal ends the sleep */
};
extern struct host_console host_console;

struct host_message {
	struct gosolo_msg head;
	char payload[GOSOLO_MSG_PAYLOAD_MAX];
};

void host_console_start(void); /* hostchan and the driver, on a fresh device */
void host_console_event(uint32_t id, uint16_t event, uint16_t value, const char *name);
void host_console_take(unsigned port); /* as much output as may_take allows */
void host_console_write(unsigned port, const void *data, uint32_t bytes);
/* One control message, and the interrupt. */
void host_console_send(uint16_t type, const void *payload, uint32_t bytes);
/* Message number n on the control port; NULL: not so many. Valid until the next call. */
const struct host_message *host_console_message(unsigned n);

/* The program's calls. */
long guest_write(enum hostchan_stream s, const void *text, size_t bytes, bool nonblock);
long guest_read(void *buffer, size_t bytes, bool nonblock);
