/*
 * control.c: the control port's protocol, host side.
 *
 * What:       collects bytes into messages and acts on each; queues messages to the guest until
 *             it has said hello, with the time in front of all others.
 * Invariants: (1) HELLO comes first and once; after EXIT nothing is looked at any more.
 * Locking:    none; the command has one thread.
 * Failure:    control.error names what the guest got wrong.
 * Source:     include/gosolo_abi.h.
 */
#include "cli/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void control_init(struct control *control, int fd, struct klog *log)
{
	memset(control, 0, sizeof(*control));
	control->fd = fd;
	control->log = log;
}

void control_send(struct control *control, uint16_t type, const void *payload, uint32_t bytes)
{
	struct gosolo_msg header = { .type = type, .payload_bytes = bytes };

	bytebuf_add(&control->out, &header, sizeof(header));
	bytebuf_add(&control->out, payload, bytes);
}

bool control_wants_write(const struct control *control)
{
	return control->has_hello && !control->is_ended && !control->is_deaf &&
		control->sent < control->out.len;
}

static void send_time(struct control *control)
{
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_sec * 1000000000ll + now.tv_nsec;
	control_send(control, GOSOLO_MSG_TIME, &ns, sizeof(ns));
}

/* The time goes in front of what was queued while the guest booted. */
static void answer_hello(struct control *control)
{
	struct bytebuf waiting = control->out;

	control->out = (struct bytebuf){ 0 };
	send_time(control);
	bytebuf_add(&control->out, waiting.data, waiting.len);
}

static const char *take_hello(struct control *control, const uint8_t *payload, uint32_t bytes)
{
	if (control->has_hello || bytes < sizeof(control->hello))
		return "a malformed hello";
	memcpy(&control->hello, payload, sizeof(control->hello));
	if (control->hello.abi_version != GOSOLO_ABI_VERSION)
		return "a kernel of another interface version";
	control->has_hello = true;
	answer_hello(control);
	return NULL;
}

static const char *take_message(struct control *control, const struct gosolo_msg *header,
	const uint8_t *payload)
{
	uint32_t bytes = header->payload_bytes, level;

	if (!control->has_hello && header->type != GOSOLO_MSG_HELLO)
		return "a message before its hello";
	switch (header->type) {
	case GOSOLO_MSG_HELLO:
		return take_hello(control, payload, bytes);
	case GOSOLO_MSG_LOG:
		if (bytes < sizeof(level))
			return "a malformed log line";
		memcpy(&level, payload, sizeof(level));
		klog_add_line(control->log, level, (const char *)payload + sizeof(level),
			bytes - sizeof(level));
		return NULL;
	case GOSOLO_MSG_TIME_QUERY:
		send_time(control);
		return NULL;
	case GOSOLO_MSG_STATS:
		bytebuf_add(&control->stats, payload, bytes);
		return NULL;
	case GOSOLO_MSG_SET_TERMINAL:
		if (bytes < sizeof(control->terminal))
			return "a malformed terminal setting";
		memcpy(&control->terminal, payload, sizeof(control->terminal));
		control->has_terminal = true;
		return NULL;
	case GOSOLO_MSG_EXIT:
		if (bytes < sizeof(control->exit))
			return "a malformed exit record";
		memcpy(&control->exit, payload, sizeof(control->exit));
		control->exit.text[sizeof(control->exit.text) - 1] = 0;
		control->has_exit = true;
		return NULL;
	default:
		return "a message of unknown type";
	}
}

static void take_messages(struct control *control)
{
	size_t at = 0;

	while (!control->has_exit && !control->has_terminal && !control->error) {
		struct gosolo_msg header;

		if (control->in_len - at < sizeof(header))
			break;
		memcpy(&header, control->in + at, sizeof(header));
		if (header.payload_bytes > GOSOLO_MSG_PAYLOAD_MAX) {
			control->error = "a message that is too long";
			break;
		}
		if (control->in_len - at < sizeof(header) + header.payload_bytes)
			break;
		control->error = take_message(control, &header, control->in + at + sizeof(header));
		at += sizeof(header) + header.payload_bytes;
	}
	memmove(control->in, control->in + at, control->in_len - at);
	control->in_len -= at;
}

size_t control_read(struct control *control)
{
	ssize_t n = recv(control->fd, control->in + control->in_len,
		sizeof(control->in) - control->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		control->is_ended = true;
		return 0;
	}
	control->in_len += (size_t)n;
	take_messages(control);
	return (size_t)n;
}

void control_terminal_is_set(struct control *control)
{
	control->has_terminal = false;
	take_messages(control);
}

bool control_is_drained(const struct control *control)
{
	char byte;

	return !control->has_terminal &&
		(control->is_ended || recv(control->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0);
}

void control_write(struct control *control)
{
	ssize_t n = send(control->fd, control->out.data + control->sent,
		control->out.len - control->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		control->is_deaf = true;
		return;
	}
	control->sent += (size_t)n;
	if (control->sent == control->out.len)
		control->sent = control->out.len = 0;
}
