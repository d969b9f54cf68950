/*
 * control_priv.h: control messages: what travels beside the bytes of sendmsg and recvmsg.
 */
#pragma once

#include "base/assert.h"
#include "base/compiler.h"
#include "base/types.h"

struct file;
struct socket_message;

struct linux_msghdr {
	uint64_t name;
	uint32_t name_bytes, pad;
	uint64_t iov, iov_count;
	uint64_t control, control_bytes;
	uint32_t flags, pad2;
};

STATIC_ASSERT(sizeof(struct linux_msghdr) == 56, "Linux struct user_msghdr");

/* What h sends along, for a socket. m->files is to be put by the caller, also after an error.
 * -EINVAL -EBADF -EPERM -ESRCH -EFAULT -ENOMEM -ENOBUFS -ETOOMANYREFS. */
int linux_load_control(struct file *f, const struct linux_msghdr *h,
	struct socket_message *m) must_check;
/* Stores what came along and its length in h; files that fit get descriptors and leave m->files.
 * True: something was cut (MSG_CTRUNC). */
bool linux_store_control(struct linux_msghdr *h, struct socket_message *m, bool close_on_exec);

/* Where what is told goes: the program's memory, cut when it does not fit. */
struct control_out {
	uaddr_t at;
	uint64_t left; /* room, in bytes */
	bool cut;
};

void linux_put_control(struct control_out *o, int level, int type, const void *data,
	uint32_t bytes);

/* control_ip.c: level is IPPROTO_IP or IPPROTO_IPV6. -EINVAL. */
int linux_take_ip_control(int level, int type, const uint8_t *data, uint64_t bytes,
	struct socket_message *m) must_check;
void linux_put_ip_controls(struct control_out *o, const struct socket_message *m);
