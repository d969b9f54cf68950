/*
 * unix_priv.h: a UNIX socket, shared by unix.c (connections), unix_name.c, unix_io.c (bytes),
 * unix_queue.c (room) and unix_rights.c (files that travel).
 */
#pragma once

#include "net/socket_priv.h"

struct inode;

enum unix_phase { UNIX_FRESH, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_message {
	STAILQ_ENTRY(unix_message) link;
	uint32_t bytes, done_bytes; /* done: read (streams) */
	uint64_t arrived_ns;
	struct unix_socket *sender; /* with a reference: whose buffer it counts against */
	struct socket_address from; /* path_bytes 0: who has no name */
	struct socket_files *files; /* that travel along; NULL: none */
	struct socket_credentials credentials; /* of who sent it */
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
	bool closed; /* its file is gone */
	LIST_ENTRY(unix_socket) all_link; /* until it is freed */

	struct unix_queue accept_queue;
	TAILQ_ENTRY(unix_socket) accept_link;
	int accept_count, backlog;

	struct unix_messages messages; /* to be read here */
	uint32_t message_count; /* of messages */
	bool was_full; /* it found its receiver's queue full, and wants to hear of room */
	uint64_t outbound_bytes; /* sent from here and not read yet, with what they cost */
	bool has_peer_credentials;
	struct socket_credentials peer_credentials;

	/* unix_rights.c: how many messages on their way refer to this socket's file */
	uint32_t in_flight;
	TAILQ_ENTRY(unix_socket) flight_link; /* while in_flight != 0 */
	uint32_t unexplained; /* while garbage is looked for */
	bool is_suspect, is_reached;
	TAILQ_ENTRY(unix_socket) work_link; /* while a search has still to deal with it */
};

static inline struct unix_socket *unix_of(struct socket *s)
{
	return (struct unix_socket *)(void *)s;
}

/* unix_name.c */
int unix_bind(struct socket *s, const struct socket_address *a) must_check;
/* A name of the kernel's choice, when it has none. */
void unix_bind_any_locked(struct unix_socket *u);
void unix_forget_name_locked(struct unix_socket *u);
/* The socket of this type that a name belongs to, with a reference. No lock. -ECONNREFUSED,
 * -EPROTOTYPE, -ENOENT … */
int unix_find(const struct socket_address *a, unsigned type, struct unix_socket **out) must_check;

/* unix.c */
void unix_set_peer_locked(struct unix_socket *u, struct unix_socket *peer); /* NULL: none */
struct unix_list *unix_all(void); /* LOCK_NET; linked by all_link, closed ones among them */

/* A datagram socket with a peer hears nobody else. */
static inline bool unix_may_send_locked(const struct unix_socket *u, const struct unix_socket *to)
{
	return to->peer == NULL || to->peer == u;
}

/* unix_io.c */
long unix_send(struct socket *s, struct socket_message *m, bool nonblock) must_check;
long unix_receive(struct socket *s, struct socket_message *m, bool nonblock) must_check;

/* unix_queue.c */
#define UNIX_COST_BYTES 256u /* of a message besides its bytes */
uint64_t unix_cost_bytes(const struct unix_message *message);
uint64_t unix_limit_bytes_locked(const struct unix_socket *u); /* that u may have on the way */
/* Whether to takes no more datagrams from u. */
bool unix_is_full_locked(const struct unix_socket *u, const struct unix_socket *to);
uint32_t unix_poll_locked(struct socket *s);
void unix_drop_first_locked(struct unix_socket *u); /* it was read */
void unix_drop_messages_locked(struct unix_socket *u); /* unix_rights_settle follows */
uint32_t unix_inbound_bytes_locked(const struct unix_socket *u); /* FIONREAD */

/* unix_rights.c */
struct socket_credentials unix_own_credentials(void); /* of the calling thread */
/* May files go on their way now? -ETOOMANYREFS. */
int unix_rights_check_locked(const struct socket_files *files) must_check;
/* m->files is in a queue from now on. */
void unix_rights_depart_locked(const struct unix_message *m);
/* m->files left its queue: to a receiver, who owns it now. */
struct socket_files *unix_rights_arrive_locked(struct unix_message *m);
/* m was taken from its queue: frees it, its files after the lock is released. */
void unix_rights_drop_locked(struct unix_message *m);
/* Empties queues that only sockets in such queues refer to. */
void unix_rights_collect_locked(void);
/* After the lock is released: closes the files that were dropped. May sleep. */
void unix_rights_settle(void);
/* A second reference to each; NULL: no memory. */
struct socket_files *unix_rights_copy_locked(const struct socket_files *files);
