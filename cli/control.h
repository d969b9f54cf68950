/*
 * control.h: the control port's protocol (include/gosolo_abi.h), host side.
 */
#pragma once

#include "cli/klog.h"
#include "cli/mem.h"
#include "include/gosolo_abi.h"

struct control {
	int fd;
	struct klog *log;
	bool has_hello;
	bool has_exit;
	bool has_terminal; /* nothing more is taken until control_terminal_is_set */
	bool is_ended; /* the machine closed the port */
	bool is_deaf; /* it takes nothing any more; what it has said can still be read */
	const char *error; /* protocol error; NULL: none */
	struct gosolo_hello hello;
	struct gosolo_exit exit;
	struct gosolo_terminal_wish terminal;
	struct bytebuf stats; /* text */
	struct bytebuf out; /* to be sent */
	size_t sent;
	size_t in_len;
	uint8_t in[sizeof(struct gosolo_msg) + GOSOLO_MSG_PAYLOAD_MAX];
};

void control_init(struct control *control, int fd, struct klog *log);
void control_send(struct control *control, uint16_t type, const void *payload, uint32_t bytes);
bool control_wants_write(const struct control *control); /* nothing is sent before HELLO */
size_t control_read(struct control *control); /* bytes; 0: none are there */
void control_terminal_is_set(struct control *control);
bool control_is_drained(const struct control *control); /* of what the machine has sent so far */
void control_write(struct control *control);
