/*
 * tcp_socket_priv.h: a TCP socket, shared by tcp.c (its life), tcp_listen.c, tcp_io.c,
 * tcp_receive.c and tcp_urgent.c (its bytes) and tcp_option.c.
 */
#pragma once

#include <lwip/priv/tcp_priv.h>

#include "net/socket_priv.h"

#define TCP_FIRST_RTO_TICKS (1000 / TCP_SLOW_INTERVAL) /* lwIP's own is 3 s */
#define TCP_QUICK_ACKS 16u
#define TCP_RTO_MIN_TICKS 3 /* 200 to 300 ms: the first tick may be cut short */

enum tcp_phase {
	TCP_FRESH, /* neither listens nor connects; may be bound */
	TCP_LISTENING,
	TCP_CONNECTING, /* SYN sent */
	TCP_FAILED, /* a connect failed and the next one will say so */
	TCP_CONNECTED, /* was established, whatever became of it since */
};

/* The last byte that the peer marked as urgent. */
enum tcp_urgent {
	TCP_URGENT_NONE,
	TCP_URGENT_COMING, /* announced */
	TCP_URGENT_HERE, /* MSG_OOB reads it */
	TCP_URGENT_READ, /* … has read it; the mark is still ahead */
};

/* Bytes on their way to the peer, in one piece of memory that lwIP's segments refer to. */
struct tx_chunk {
	STAILQ_ENTRY(tx_chunk) link;
	uint32_t room_bytes, filled_bytes, acked_bytes; /* [n] */
	bool pinned; /* [n] a thread copies into it, unlocked */
	char data[];
};

TAILQ_HEAD(tcp_queue, tcp_socket);
STAILQ_HEAD(tx_chunks, tx_chunk);

/* All fields [n]. */
struct tcp_socket {
	struct inet_socket inet;
	enum tcp_phase phase;
	struct tcp_pcb *pcb; /* lwIP's; NULL: none yet, or no more. It holds a reference */
	bool peer_fin; /* all of the peer's bytes are here or read */
	bool fin_sent;
	bool connect_told; /* a connect has returned 0 */
	bool reset; /* ended by an error: nothing can be sent */
	bool aborting; /* we do it: no error to report */
	bool closed; /* the file is gone */
	bool want_space; /* somebody was told to wait for room */

	/* listening */
	struct tcp_queue accept_queue;
	TAILQ_ENTRY(tcp_socket) accept_link;
	int accept_count, half_open, backlog;
	uint32_t defer_s; /* TCP_DEFER_ACCEPT; 0: off */
	struct tcp_queue deferred_queue; /* connected, but without data yet; counted as half-open */
	/* … and such a connection */
	struct tcp_socket *deferred_by; /* the listener, a reference; NULL: not deferred */
	uint32_t deferred_until; /* slow tick */

	/* received, in order; linked through pbuf.next across packets, tot_len not kept */
	struct pbuf *rx_head, *rx_tail;
	struct pbuf *rx_collector; /* rx_tail, when bytes can be added to it; NULL */
	uint32_t rx_count; /* pbufs */
	uint32_t rx_offset_bytes; /* of rx_head that was read */
	uint64_t rx_bytes;

	enum tcp_urgent urgent;
	uint8_t urgent_byte;
	uint64_t urgent_ahead; /* bytes to be read before it */

	struct tx_chunks tx_chunks;
	uint64_t tx_bytes; /* written, not acknowledged */
	bool urgent_sent; /* and not acknowledged: what is before urgent_end */
	uint32_t urgent_end; /* sequence number */

	bool nodelay, cork;
	bool more; /* the last write said MSG_MORE */
	bool delay_acks; /* TCP_QUICKACK 0 */
	uint16_t user_mss; /* TCP_MAXSEG; 0: none */
	uint32_t quick_acks; /* so many segments to come are acknowledged at once */
	uint32_t keep_idle_s, keep_interval_s, keep_count;
	uint32_t user_timeout_ms; /* 0: lwIP's own times */
	uint32_t unsent_lowat_bytes; /* TCP_NOTSENT_LOWAT; 0: none */

	/* deadlines, in slow ticks */
	bool stalled; /* nothing new was acknowledged since stalled_since */
	uint32_t stalled_since;
	bool held, flushing; /* held: the segment at hold_seq, which may grow until hold_until */
	uint32_t hold_seq, hold_until;
};

static inline struct tcp_socket *tcp_of(struct socket *s)
{
	return (struct tcp_socket *)(void *)s;
}

/* The connection's socket; NULL: half-open, then it is its listener's, or nobody's. */
static inline struct tcp_socket *tcp_socket_of_pcb(const struct tcp_pcb *pcb)
{
	struct tcp_socket *t = pcb->callback_arg;

	return t != NULL && t->pcb == pcb ? t : NULL;
}

/* tcp.c */
struct tcp_socket *tcp_alloc_socket(unsigned family); /* NULL: no memory; one reference */
struct port_table *tcp_ports(void); /* LOCK_NET */
void tcp_attach_locked(struct tcp_socket *t, struct tcp_pcb *pcb); /* it takes a reference */
void tcp_select_locked(const struct tcp_socket *t); /* its connection's bucket; pcb is not NULL */
bool tcp_can_send_locked(const struct tcp_socket *t);

/* tcp_end.c */
void tcp_stop_locked(struct tcp_socket *t); /* nobody will use its connection any more */
void tcp_disconnect_locked(struct tcp_socket *t); /* a connection; back to TCP_FRESH */
int tcp_shut_down(struct socket *s, enum socket_shutdown how) must_check;
void tcp_close_file(struct socket *s);
void tcp_acked_after_close_locked(struct tcp_pcb *pcb); /* wakes who lingers */

/* tcp_listen.c */
int tcp_listen_on(struct socket *s, int backlog) must_check;
int tcp_accept_from(struct socket *s, bool nonblock, struct socket **out,
	struct socket_address *peer) must_check;
void tcp_stop_listening_locked(struct tcp_socket *t);
/* A deferred connection has data, or has waited long enough: it can be accepted. */
void tcp_listen_deliver_locked(struct tcp_socket *t);
/* … or is gone. */
void tcp_listen_forget_locked(struct tcp_socket *t);

/* tcp_io.c */
void tcp_io_attach_locked(struct tcp_socket *t); /* lwIP's callback */
long tcp_send(struct socket *s, struct socket_message *m, bool nonblock) must_check;
bool tcp_has_space_locked(const struct tcp_socket *t); /* a third of the buffer: EPOLLOUT */
void tcp_drop_unsent_locked(struct tcp_socket *t);

/* tcp_receive.c */
void tcp_receive_attach_locked(struct tcp_socket *t); /* lwIP's callback */
long tcp_receive(struct socket *s, struct socket_message *m, bool nonblock) must_check;
bool tcp_is_readable_locked(const struct tcp_socket *t); /* SO_RCVLOWAT's bytes: EPOLLIN */
void tcp_open_window_locked(struct tcp_socket *t); /* offers what the receive buffer has room for */
void tcp_drop_received_locked(struct tcp_socket *t);
/* Takes bytes off the stream; the window stays as it is. For who reads, or when nobody does. */
void tcp_take_front_locked(struct tcp_socket *t, uint64_t bytes);

/* tcp_urgent.c */
/* A segment is for a connection: before it is looked at otherwise. The header is lwIP's, in the
 * host's byte order but for urgp; p begins with the data. */
void tcp_urgent_see_locked(struct tcp_socket *t, const struct tcp_hdr *header,
	const struct pbuf *p);
void tcp_urgent_passed_locked(struct tcp_socket *t,
	uint64_t bytes); /* were read; there is a mark */
/* The mark is so far ahead. */
static inline bool tcp_urgent_is_at_locked(const struct tcp_socket *t, uint64_t offset_bytes)
{
	return t->urgent != TCP_URGENT_NONE && t->urgent_ahead == offset_bytes;
}
/* … and its byte is not part of the stream. */
static inline bool tcp_urgent_hides_locked(const struct tcp_socket *t, uint64_t offset_bytes)
{
	return tcp_urgent_is_at_locked(t, offset_bytes) && !t->inet.base.urgent_inline;
}
/* How many of bytes from offset on come before the mark, if it is ahead. There is one. */
uint64_t tcp_urgent_limit_locked(const struct tcp_socket *t, uint64_t offset_bytes, uint64_t bytes);
/* MSG_OOB. Releases the lock while it copies. */
long tcp_urgent_receive_locked(struct tcp_socket *t, struct socket_message *m) must_check;
void tcp_urgent_mark_locked(struct tcp_socket *t); /* the last byte that was written */
/* Writes what the header of a segment says of it; urgent_sent. */
void tcp_urgent_stamp_locked(struct tcp_socket *t, struct tcp_hdr *header);

/* tcp_deadline.c */
/* The slow tick at which to look at a connection; UINT32_MAX: no need. */
uint32_t tcp_deadline_tick_locked(const struct tcp_pcb *pcb);
/* Looks at the connections of the current bucket. After lwIP's slow tick. */
void tcp_deadline_run_locked(void);
void tcp_deadline_progress_locked(struct tcp_pcb *pcb); /* something new was acknowledged */

/* tcp_mtu.c */
void tcp_mtu_attach_locked(struct tcp_pcb *pcb); /* a new connection: what is known of its path */

/* tcp_option.c */
void tcp_option_defaults(struct tcp_socket *t);
void tcp_option_apply_locked(struct tcp_socket *t); /* to a new pcb */
/* What is said in the SYN; before it is sent. t: the listener or the socket itself. */
void tcp_option_limit_locked(const struct tcp_socket *t, struct tcp_pcb *pcb);
void tcp_option_inherit_locked(struct tcp_socket *child, const struct tcp_socket *listener);
/* The packet at hand has come further than IP_MINTTL or IPV6_MINHOPCOUNT allow. */
bool tcp_option_is_far_locked(const struct tcp_socket *t);
int tcp_set_option_locked(struct socket *s, enum socket_option o, int64_t value) must_check;
int tcp_get_option_locked(struct socket *s, enum socket_option o, int64_t *value) must_check;
/* In Linux's numbers (include/net/tcp_states.h); NULL: closed. */
uint8_t tcp_linux_state(const struct tcp_pcb *pcb);
