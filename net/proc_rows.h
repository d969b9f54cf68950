/*
 * proc_rows.h: rows of /proc/net's tables of IP sockets, gathered under LOCK_NET in batches.
 */
#pragma once

#include "base/compiler.h"
#include "fs/proc.h"
#include "net/ip.h"

#define PROC_ROWS 12u /* of a batch, which lies on the stack */

/* Linux's TCP_*: include/net/tcp_states.h. */
enum {
	PROC_ESTABLISHED = 1,
	PROC_SYN_RECV = 3,
	PROC_TIME_WAIT = 6,
	PROC_CLOSE = 7,
	PROC_CLOSE_WAIT = 8,
	PROC_LISTEN = 10,
};

/* What a table has of one socket. */
struct proc_row {
	struct net_ip local, remote;
	uint16_t local_port, remote_port;
	uint8_t state, timer;
	uint32_t uid;
	uint64_t tx_bytes, rx_bytes, timer_ticks, inode; /* ticks: of 10 ms */
	uint32_t repeats, probes, refs;
	uint32_t rto_ticks, cwnd, ssthresh, drops; /* windows in segments; UINT32_MAX: no bound */
	bool is_interactive;
};

/* A part of a list: rows behind those that were there before, until the room is used up. */
struct proc_batch {
	struct proc_row rows[PROC_ROWS];
	uint32_t count, seen, skip;
	bool started, more;
	unsigned family; /* whose rows are wanted */
	uint32_t printed; /* rows so far, over all lists */
};

struct socket;

/* Before each walk over a list; false: all of it was seen. */
bool proc_begin_batch(struct proc_batch *b);
/* Another list: rows go on being counted. */
void proc_begin_list(struct proc_batch *b);
/* Room for one more, zeroed; NULL: it was there before, or the room is used up. */
struct proc_row *proc_next_row(struct proc_batch *b);
/* Owner, inode, references. closed: no descriptor has it. */
void proc_take_socket(struct proc_row *r, const struct socket *s, bool closed);
/* Up to and with the inode. number_width: of the row's number. */
void proc_print_row(struct proc_text *t, const struct proc_batch *b, const struct proc_row *r,
	int number_width);
/* Linux fills lines of IPv4 up with blanks. start: where the line began. */
void proc_end_row(struct proc_text *t, size_t start, size_t width);
/* rest: columns behind the inode; width: of IPv4's. */
void proc_print_row_header(struct proc_text *t, unsigned family, const char *rest, size_t width);
