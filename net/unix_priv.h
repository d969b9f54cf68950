/*
 * unix_priv.h: a UNIX socket, shared by unix.c (names, connections) and unix_io.c (bytes).
 */
#pragma once

#include "net/socket_priv.h"

struct inode;

enum unix_phase { UNIX_FRESH, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_message {
	STAILQ_ENTRY(unix_message) link;
	uint32_t bytes, done_bytes; /* done: read (streams) */
	struct socket_address from; /* datagrams */
	char data[];
};

STAILQ_HEAD(unix_messages, unix_message);
TAILQ_HEAD(unix_queue, unix_socket);
LIST_HEAD(unix_list, unix_socket);

/* All fields [n]. */
struct unix_socket {
	struct socket base;
	enum unix_phase phase;
	struct socket_address name; /* path_bytes 0: none */
	struct inode *inode; /* of a bound path, with a reference */
	LIST_ENTRY(unix_socket) named_link; /* while it has a name of its own */
	bool has_name;
	struct unix_socket *peer; /* with a reference */
	LIST_ENTRY(unix_socket) peer_link; /* in the peer's list of those that send to it */
	struct unix_list senders;
	bool peer_closed; /* it was connected, and the other end is gone */
	bool want_space;

	struct unix_queue accept_queue;
	TAILQ_ENTRY(unix_socket) accept_link;
	int accept_count, backlog;

	struct unix_messages messages; /* to be read here */
	uint64_t queued_bytes; /* with what they cost */
};

static inline struct unix_socket *unix_of(struct socket *s)
{
	return (struct unix_socket *)(void *)s;
}

/* unix.c */
/* The socket that a name belongs to, with a reference. No lock. -ECONNREFUSED, -ENOENT … */
int unix_find(const struct socket_address *a, struct unix_socket **out) must_check;
void unix_set_peer_locked(struct unix_socket *u, struct unix_socket *peer); /* NULL: none */

/* unix_io.c */
long unix_send(struct socket *s, struct socket_message *m, bool nonblock) must_check;
long unix_receive(struct socket *s, struct socket_message *m, bool nonblock) must_check;
uint32_t unix_poll_locked(struct socket *s);
void unix_drop_messages_locked(struct unix_socket *u);
