/*
 * socket_priv.h: the inside of a socket, shared by the kinds (TCP, UDP, UNIX, netlink).
 *
 * Letters: [I] set once, [n] LOCK_NET.
 */
#pragma once

#include <lwip/tcp.h>
#include <lwip/udp.h>

#include "base/compiler.h"
#include "base/tree.h"
#include "base/types.h"
#include "base/units.h"
#include "fs/file.h"
#include "kernel/sched/waitq.h"
#include "kernel/sync/pollq.h"
#include "net/port.h"
#include "net/socket.h"

#define SOCKET_BUFFER_MAX 212992u /* Linux's rmem_max and wmem_max */
#define SOCKET_BACKLOG_MAX 4096 /* somaxconn */

struct socket;
struct socket_filter;

/* A kind of socket. Called without lock, except where _locked is said. NULL: -EOPNOTSUPP. */
struct socket_ops {
	int (*bind)(struct socket *s, const struct socket_address *a);
	int (*connect)(struct socket *s, const struct socket_address *a, bool nonblock);
	int (*listen)(struct socket *s, int backlog);
	/* A socket with one reference, the caller's. */
	int (*accept)(struct socket *s, bool nonblock, struct socket **out,
		struct socket_address *peer);
	int (*get_name)(struct socket *s, bool peer, struct socket_address *out);
	int (*shut_down)(struct socket *s, enum socket_shutdown how);
	long (*send)(struct socket *s, struct socket_message *m, bool nonblock);
	long (*receive)(struct socket *s, struct socket_message *m, bool nonblock);
	uint32_t (*poll_locked)(struct socket *s);
	/* Kind's own options; -ENOPROTOOPT sends the question on to the common ones. */
	int (*set_option_locked)(struct socket *s, enum socket_option o, int64_t value);
	int (*get_option_locked)(struct socket *s, enum socket_option o, int64_t *value);
	int (*change_group_locked)(struct socket *s, const struct socket_group *g);
	int (*change_member_locked)(struct socket *s, const struct socket_member *m);
	void (*close)(struct socket *s); /* the file is gone; drops its reference in the end */
	/* The last reference is gone, no lock is held; the object, which the socket begins, is
	 * freed afterwards. NULL: it holds nothing. */
	void (*release)(struct socket *s);
	bool has_filter; /* net/filter.c asks it which packets are wanted */
	bool has_peek_offset; /* receive knows SO_PEEK_OFF */
	bool has_error_queue; /* receive knows SOCKET_MSG_ERROR; else there is never one */
	bool has_urgent; /* send and receive know SOCKET_MSG_URGENT */
	int urgent_error; /* else: what receive says to it; 0: nothing, as if it were not there */
};

struct socket {
	const struct socket_ops *ops; /* [I] */
	uint16_t family, type, protocol; /* [I] */
	uint32_t refs; /* [n] */
	uint64_t inode; /* [I] */
	uint32_t uid; /* [n] of who made it, or accepted it */
	struct file *file; /* [I] once it has one; its own, without a reference */
	int error; /* [n] -errno that waits to be told; 0: none */
	bool read_shut, write_shut; /* [n] */
	bool read_busy, write_busy; /* [n] a thread copies, unlocked */
	struct waitq turn; /* [n] who waits to be that thread */
	struct pollq pollq;
	struct waitq waitq; /* [n] everybody who waits for anything else */
	struct socket *dead_next; /* [n] */
	/* options [n] */
	bool reuse_addr, reuse_port, broadcast, keepalive, want_pktinfo, want_tos, want_ttl,
		want_credentials, want_timestamp, want_timestamp_ns;
	bool want_drops, filter_locked;
	bool urgent_inline; /* SO_OOBINLINE; TCP's */
	struct socket_filter *filter; /* net/filter.c; NULL: none */
	int32_t peek_offset; /* SO_PEEK_OFF; negative: off */
	uint8_t tos, ttl;
	uint16_t stamps; /* enum socket_stamp */
	uint32_t stamp_id; /* of the next datagram that is sent */
	uint32_t priority, mark, receive_lowat_bytes;
	uint32_t drops; /* what found no room to be received */
	int32_t incoming_cpu; /* that took the last packet for it; -1: none yet */
	int64_t linger_s; /* -1: off */
	uint64_t send_timeout_ns, receive_timeout_ns; /* 0: none */
	uint32_t send_buffer_bytes, receive_buffer_bytes;
};

static inline struct socket *socket_of(struct file *f)
{
	return f->object; /* when socket_is(f) */
}

/* ------------------------------------------------------------------ socket.c, for the kinds */
void socket_init_locked(void);
/* Fills in a zeroed object; one reference. */
void socket_init(struct socket *s, const struct socket_ops *ops, unsigned family, unsigned type,
	unsigned protocol);
void socket_get_locked(struct socket *s);
void socket_put_locked(struct socket *s); /* freed after the lock is released */
struct socket *socket_take_dead_locked(void); /* net.c: all of them, linked by dead_next */
/* Wakes who sleeps and tells who polls. events: EPOLL* hints. */
void socket_notify_locked(struct socket *s, uint32_t events);
/* Takes and clears the pending error: -errno or 0. */
int socket_take_error_locked(struct socket *s);
uint64_t socket_deadline_ns(uint64_t timeout_ns); /* locked; 0: never */
/* Sleeps once. -EAGAIN after the deadline, -EINTR or -ERESTARTSYS by a signal. */
int socket_wait_locked(struct socket *s, uint64_t deadline_ns) must_check;
/* One thread at a time copies to or from program memory; busy is s's read_busy or write_busy. Enter
 * may sleep, until another's copying is done. */
void socket_enter_locked(struct socket *s, bool *busy);
void socket_leave_locked(struct socket *s, bool *busy);
/* For who has entered: waits for something at `at`, as socket_wait_locked, and lets others enter
 * meanwhile. */
int socket_wait_outside_locked(struct socket *s, bool *busy, struct socket *at,
	uint64_t deadline_ns) must_check;
/* Copies up to bytes of a chain, from offset, out to the program. */
long socket_copy_chain(struct uio *u, const struct pbuf *p, uint32_t offset_bytes,
	uint64_t bytes) must_check;

/* ------------------------------------------------------------------ socket_count.c */
/* One more, or one fewer; any context. */
void socket_count(const struct socket *s, int change);
void socket_count_file(int change); /* that a file has */
uint32_t socket_count_used(void); /* that a file has */
uint32_t socket_count_tcp(void); /* TCP's in memory */

/* ------------------------------------------------------------------ socket_option.c */
/* Where a receive that peeks begins, by SO_PEEK_OFF; others begin at 0. */
uint64_t socket_peek_offset_locked(const struct socket *s, unsigned flags);
/* So many bytes were read, or seen. */
void socket_move_peek_offset_locked(struct socket *s, unsigned flags, uint64_t bytes);
int socket_set_common_option_locked(struct socket *s, enum socket_option o,
	int64_t value) must_check;

/* ------------------------------------------------------------------ kinds */
struct inet_socket {
	struct socket base;
	struct port_binding port; /* [n] */
	bool free_bind; /* [n] addresses that are not ours will do */
	uint8_t min_ttl, min_hops; /* [n] of TCP segments over IPv4, IPv6 (RFC 5082) */
};

/* -EINVAL, -EAFNOSUPPORT, -EADDRNOTAVAIL: not one of ours. */
int inet_check_bind_locked(const struct inet_socket *i, const struct socket_address *a,
	struct net_ip *out) must_check;
/* The address of a peer; "nobody" becomes ourselves. -EAFNOSUPPORT, -ENODEV, -ENETUNREACH. */
int inet_check_peer_locked(const struct inet_socket *i, const struct socket_address *a,
	struct net_ip *out) must_check;
void inet_init(struct inet_socket *i); /* after socket_init */
/* May the caller bind to it? -EACCES. */
int inet_check_port(uint16_t port) must_check;
/* It was bound to ip: who has an address of IPv6 speaks IPv6 only. */
void inet_note_bound(struct inet_socket *i, const struct net_ip *ip);
const struct net_ip *inet_any(const struct inet_socket *i); /* 0.0.0.0 or :: */
void inet_address(const struct inet_socket *i, struct socket_address *out, const struct net_ip *ip,
	uint16_t port);
uint32_t inet_random(void);
/* IPV6_V6ONLY, and what TCP knows of IPv6; get: the MTU, too. -ENOPROTOOPT: another option. */
int inet_set_option(struct inet_socket *i, enum socket_option o, int64_t value) must_check;
int inet_get_option(const struct inet_socket *i, enum socket_option o, int64_t *value) must_check;

int tcp_socket_new(unsigned family, struct socket **out) must_check;
int udp_socket_new(unsigned family, struct socket **out) must_check;
/* protocol: of IP; for packets an EtherType, network byte order. */
int raw_socket_new(unsigned family, unsigned type, unsigned protocol,
	struct socket **out) must_check;
int packet_socket_new(unsigned type, unsigned protocol, struct socket **out) must_check;
struct packet_facts {
	const struct socket *socket;
	uint16_t protocol; /* host byte order; 0: receives nothing */
	uint32_t interface_index; /* 0: all */
	uint64_t queue_bytes;
};
/* The n-th packet socket; false: there are not so many. */
bool packet_get_nth_locked(uint32_t n, struct packet_facts *out);
int unix_socket_new(unsigned type, struct socket **out) must_check;
int unix_socket_pair(unsigned type, struct socket *out[2]) must_check;
int netlink_socket_new(unsigned type, unsigned protocol, struct socket **out) must_check;
void tcp_socket_init(void);
void udp_socket_init(void);
int tcp_socket_info(struct socket *s, struct socket_tcp_info *out) must_check;
/* From ICMP: no such port, host or net. Ports in host byte order. */
void tcp_unreachable_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, uint32_t seq, int error);
/* … and a packet of TCP was too large for a path of mtu bytes. */
void tcp_path_mtu_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, uint32_t seq, uint32_t mtu);
