/*
 * socket.h: sockets, in neutral form. Values equal Linux's (asserted in abi/linux/sys_net.c).
 *
 * All functions may sleep unless the file is non-blocking or the message says so; no lock held.
 * Results: 0 or a count, or -errno as Linux gives it; -ENOTSOCK when the file is none.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"
#include "kernel/uio.h"
#include "net/ip.h"

struct bpf_instruction;
struct file;

enum socket_family {
	SOCKET_UNSPEC = 0,
	SOCKET_UNIX = 1,
	SOCKET_INET = 2,
	SOCKET_INET6 = 10,
	SOCKET_NETLINK = 16,
	SOCKET_PACKET = 17,
};
enum socket_type {
	SOCKET_STREAM = 1,
	SOCKET_DATAGRAM = 2,
	SOCKET_RAW = 3,
	SOCKET_SEQPACKET = 5,
};
enum socket_shutdown { SOCKET_SHUT_READ, SOCKET_SHUT_WRITE, SOCKET_SHUT_BOTH };

#define SOCKET_PATH_MAX 108u

/* PACKET: an interface and an address there. */
struct socket_link {
	uint32_t interface_index; /* 0: any */
	uint16_t protocol; /* EtherType, network byte order */
	uint16_t hardware; /* ARPHRD_* */
	uint8_t kind; /* receive: PACKET_HOST … PACKET_OUTGOING */
	uint8_t address_bytes;
	uint8_t address[8];
};
#define SOCKET_FILES_MAX 253u /* in one message */

struct socket_address {
	uint16_t family; /* enum socket_family */
	uint16_t port; /* INET and INET6, host byte order */
	struct net_ip ip; /* INET and INET6; scope: sin6_scope_id */
	struct socket_link link; /* PACKET */
	uint32_t flow; /* INET6: sin6_flowinfo, network byte order */
	uint32_t netlink_pid, netlink_groups; /* NETLINK */
	uint32_t path_bytes; /* UNIX: 0 is unnamed; path[0] == 0: abstract */
	char path[SOCKET_PATH_MAX];
};

enum socket_message_flag {
	SOCKET_MSG_URGENT = 0x1, /* send: its last byte. receive: the last such byte, alone */
	SOCKET_MSG_PEEK = 0x2,
	SOCKET_MSG_TRUNCATE = 0x20, /* receive: report the datagram's whole length */
	SOCKET_MSG_DONTWAIT = 0x40,
	SOCKET_MSG_WAITALL = 0x100,
	SOCKET_MSG_ERROR = 0x2000, /* receive: from the queue of errors, never waiting */
	SOCKET_MSG_NOSIGNAL = 0x4000,
	SOCKET_MSG_MORE = 0x8000,
};

/* What came back to a socket that asked for all errors (SOCKET_OPT_RECVERR). */
struct socket_queued_error {
	int error; /* errno, positive */
	uint8_t origin, type, code; /* Linux's SO_EE_ORIGIN_*; ICMP's */
	uint32_t info; /* the path's MTU; 0 */
	uint32_t data; /* the number of what was sent */
	struct net_ip offender; /* who said it; any: this machine */
};

/* Open files that travel with a message of a UNIX socket: a reference each, from kmem. */
struct socket_files {
	uint32_t count;
	struct file *file[];
};

struct socket_credentials {
	int32_t pid; /* 0: nobody */
	uint32_t uid, gid;
};

struct socket_message {
	struct uio *data;
	unsigned flags; /* enum socket_message_flag */
	/* send: destination when has_address. receive: source; has_address false: none to tell. */
	struct socket_address address;
	bool has_address;
	/* UNIX. send: what goes along; NULL after it was queued, else still the caller's. receive:
	 * the caller's. socket_put_files ends it. */
	struct socket_files *files;
	bool has_credentials; /* send: given. receive: asked for by SOCKET_OPT_PASSCRED */
	struct socket_credentials credentials;
	/* receive */
	bool truncated; /* the datagram was longer than data */
	uint64_t datagram_bytes; /* its whole length */
	bool is_urgent;
	/* What goes along: send: to be used for this datagram; receive: what was asked for. On
	 * sending has_pktinfo, has_ttl and has_tos are for both families. */
	bool has_pktinfo, has_pktinfo6;
	uint32_t interface_index;
	struct net_ip local_ip; /* receive: where it was sent to; send: from where */
	struct net_ip spec_ip; /* receive, IPv4: our address where local_ip is a group or all */
	bool has_ttl, has_tos, has_hops6, has_class6;
	uint8_t ttl, tos;
	bool has_timestamp,
		timestamp_in_ns; /* receive, when asked for; the form that it is told in */
	bool has_stamp; /* SOCKET_OPT_TIMESTAMPING's */
	uint64_t arrived_ns; /* monotonic */
	bool has_original, has_original6;
	uint16_t local_port; /* receive, with local_ip; host byte order */
	uint32_t segment_bytes; /* send: UDP_SEGMENT; 0: as the socket says */
	bool has_drops;
	uint32_t drops; /* receive, when asked for: datagrams lost before this one */
	bool has_error; /* receive: with SOCKET_MSG_ERROR */
	struct socket_queued_error queued_error;
};

/* When a datagram came or left, in software only. Others are for hardware, of which there is none
 * here. */
enum socket_stamp {
	SOCKET_STAMP_OUT = 1 << 1, /* told by the queue of errors; with ONLY */
	SOCKET_STAMP_ID = 1 << 7, /* … with its number */
	SOCKET_STAMP_ONLY = 1 << 11, /* … and not the packet */
	SOCKET_STAMP_HARDWARE_IN = 1 << 2,
	SOCKET_STAMP_IN = 1 << 3, /* note it … */
	SOCKET_STAMP_TELL = 1 << 4, /* … and tell it */
	SOCKET_STAMP_HARDWARE_TELL = 1 << 5 | 1 << 6,
};

enum socket_option {
	SOCKET_OPT_REUSEADDR,
	SOCKET_OPT_REUSEPORT,
	SOCKET_OPT_BROADCAST,
	SOCKET_OPT_KEEPALIVE,
	SOCKET_OPT_OOBINLINE,
	SOCKET_OPT_LINGER, /* seconds; -1: off */
	SOCKET_OPT_SNDBUF, /* bytes; reported doubled, as Linux does */
	SOCKET_OPT_RCVBUF,
	SOCKET_OPT_SNDTIMEO, /* ns; 0: none */
	SOCKET_OPT_RCVTIMEO,
	SOCKET_OPT_ERROR, /* positive errno; reading clears it */
	SOCKET_OPT_TYPE,
	SOCKET_OPT_PROTOCOL,
	SOCKET_OPT_DOMAIN,
	SOCKET_OPT_ACCEPTCONN,
	SOCKET_OPT_NODELAY,
	SOCKET_OPT_CORK,
	SOCKET_OPT_MAXSEG,
	SOCKET_OPT_KEEPIDLE, /* seconds */
	SOCKET_OPT_KEEPINTVL,
	SOCKET_OPT_KEEPCNT,
	SOCKET_OPT_TOS,
	SOCKET_OPT_TTL,
	SOCKET_OPT_PKTINFO,
	SOCKET_OPT_RECVTOS,
	SOCKET_OPT_RECVTTL,
	SOCKET_OPT_RECVORIGINAL, /* address and port that a datagram was sent to */
	SOCKET_OPT_RECVORIGINAL6,
	SOCKET_OPT_FREEBIND, /* addresses that are not ours may be bound to */
	SOCKET_OPT_FREEBIND6,
	SOCKET_OPT_MINTTL, /* TCP drops what has gone further */
	SOCKET_OPT_MINHOPCOUNT6,
	SOCKET_OPT_SEGMENT, /* bytes of the datagrams that one send becomes; 0: one */
	SOCKET_OPT_MTU_DISCOVER,
	SOCKET_OPT_MTU, /* get only: of the path to the peer */
	SOCKET_OPT_RECVERR,
	SOCKET_OPT_MULTICAST_TTL,
	SOCKET_OPT_MULTICAST_LOOP,
	SOCKET_OPT_MULTICAST_ALL,
	SOCKET_OPT_MULTICAST_IF, /* get only: IPv4 address, network byte order */
	SOCKET_OPT_HDRINCL,
	SOCKET_OPT_HDRINCL6,
	SOCKET_OPT_CHECKSUM6, /* where in the packet its sum is made; -1: nowhere */
	SOCKET_OPT_ICMP_FILTER, /* bit n set: ICMP type n is not wanted */
	SOCKET_OPT_V6ONLY,
	SOCKET_OPT_UNICAST_HOPS6,
	SOCKET_OPT_TCLASS6,
	SOCKET_OPT_RECVPKTINFO6,
	SOCKET_OPT_RECVHOPLIMIT6,
	SOCKET_OPT_RECVTCLASS6,
	SOCKET_OPT_RECVERR6,
	SOCKET_OPT_MTU_DISCOVER6,
	SOCKET_OPT_DONTFRAG6,
	SOCKET_OPT_MULTICAST_HOPS6,
	SOCKET_OPT_MULTICAST_LOOP6,
	SOCKET_OPT_MULTICAST_ALL6,
	SOCKET_OPT_MULTICAST_IF6, /* get only: interface index */
	SOCKET_OPT_PASSCRED,
	SOCKET_OPT_SNDBUF_FORCE, /* set only: beyond the limit, for who may */
	SOCKET_OPT_RCVBUF_FORCE,
	SOCKET_OPT_TIMESTAMP, /* of datagrams, in microseconds */
	SOCKET_OPT_TIMESTAMP_NS,
	SOCKET_OPT_TIMESTAMPING, /* bits: enum socket_stamp; -EINVAL others */
	SOCKET_OPT_RCVLOWAT, /* bytes */
	SOCKET_OPT_PRIORITY,
	SOCKET_OPT_MARK,
	SOCKET_OPT_RXQ_OVFL, /* tell with each datagram how many were dropped before it */
	SOCKET_OPT_INCOMING_CPU, /* get only */
	SOCKET_OPT_DEVICE, /* index of the only interface to be used; 0: any */
	SOCKET_OPT_USER_TIMEOUT, /* ms; 0: the system's times */
	SOCKET_OPT_QUICKACK,
	SOCKET_OPT_DEFER_ACCEPT, /* seconds */
	SOCKET_OPT_UNSENT_LOWAT, /* bytes; 0: none */
	SOCKET_OPT_COOKIE, /* get only: a number that no other socket has or had */
	SOCKET_OPT_SNDLOWAT, /* get only */
	SOCKET_OPT_NETLINK_JOIN, /* set only: number of a group */
	SOCKET_OPT_NETLINK_LEAVE,
	SOCKET_OPT_NETLINK_CAP_ACK,
	SOCKET_OPT_LOCK_FILTER, /* once on it stays */
	SOCKET_OPT_PEEK_OFFSET, /* bytes; negative: off. -EOPNOTSUPP */
	SOCKET_OPT_FRAME_COUNTS, /* get only, once: frames that came, and << 32 the lost ones */
	SOCKET_OPT_AT_MARK, /* get only: the next byte is an urgent one, of TCP (SIOCATMARK) */
	SOCKET_OPT_QUEUED, /* get only: bytes that can be read now (FIONREAD) */
	SOCKET_OPT_UNSENT, /* get only: bytes not yet acknowledged (TIOCOUTQ) */
	SOCKET_OPTIONS
};

/* What a packet socket wants to see of an interface. */
struct socket_member {
	uint32_t interface_index;
	uint32_t address_bytes;
	bool wants_address; /* frames to one address; else all, or all to groups */
	bool leave;
};

/* Multicast groups: which, by which interface. */
struct socket_group {
	enum {
		SOCKET_GROUP_JOIN,
		SOCKET_GROUP_LEAVE,
		SOCKET_GROUP_INTERFACE,
		/* of one source: joined for it and others like it, or for all but it and others */
		SOCKET_GROUP_ADD_SOURCE,
		SOCKET_GROUP_DROP_SOURCE,
		SOCKET_GROUP_BLOCK_SOURCE,
		SOCKET_GROUP_UNBLOCK_SOURCE,
	} change;
	struct net_ip source;
	struct net_ip group; /* INTERFACE: only its family counts */
	uint32_t interface_index; /* 0: by the address below, or by the route when that is any */
	struct net_ip interface_ip; /* IPv4 */
};

/* What TCP_INFO can say truly. */
struct socket_tcp_info {
	uint8_t state; /* Linux's TCP_ESTABLISHED 1, SYN_SENT 2 … */
	uint8_t retransmits, snd_wscale, rcv_wscale;
	bool wscale_ok, sack_ok;
	uint32_t rto_us, rtt_us, rttvar_us, snd_mss, rcv_mss, unacked, snd_cwnd, snd_ssthresh;
	uint32_t last_data_ms, rcv_space;
};

/* file_flags: O_NONBLOCK and access. -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -ENOMEM. */
int socket_open(unsigned family, unsigned type, unsigned protocol, uint32_t file_flags,
	struct file **out) must_check;
int socket_open_pair(unsigned family, unsigned type, unsigned protocol, uint32_t file_flags,
	struct file *out[2]) must_check;
int socket_bind(struct file *f, const struct socket_address *a) must_check;
int socket_connect(struct file *f, const struct socket_address *a) must_check;
int socket_listen(struct file *f, int backlog) must_check;
int socket_accept(struct file *f, uint32_t file_flags, struct file **out,
	struct socket_address *peer) must_check;
int socket_get_name(struct file *f, bool peer, struct socket_address *out) must_check;
int socket_shut_down(struct file *f, enum socket_shutdown how) must_check;
/* Sends SIGPIPE itself, unless told not to. */
long socket_send(struct file *f, struct socket_message *m) must_check;
long socket_receive(struct file *f, struct socket_message *m) must_check;
/* -ENOPROTOOPT: not for this kind of socket. */
int socket_set_option(struct file *f, enum socket_option option, int64_t value) must_check;
int socket_get_option(struct file *f, enum socket_option option, int64_t *value) must_check;
/* Joins or leaves, of all sources or of one, or says by which interface to send. -EINVAL no group,
 * or not that kind of membership, -ENODEV, -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS, -EPROTO on
 * streams. */
int socket_change_group(struct file *f, const struct socket_group *g) must_check;
/* -ENODEV, -EINVAL no such address, -ENOPROTOOPT not a packet socket. */
int socket_change_member(struct file *f, const struct socket_member *m) must_check;
/* Bit n set: ICMPv6 type n is not wanted. -ENOPROTOOPT: not such a raw socket. */
int socket_set_icmp6_filter(struct file *f, const uint32_t filter[8]) must_check;
/* The filter that says which packets the socket gets, and how much of each; it takes the place of
 * another one. -EINVAL a bad program, -EPERM it is locked, -ENOENT there is none, -ENOMEM,
 * -ENOPROTOOPT not for this kind: packet, raw and UDP sockets have filters. */
int socket_attach_filter(struct file *f, const struct bpf_instruction *program,
	uint32_t count) must_check;
int socket_detach_filter(struct file *f) must_check;
/* Its instructions, when room is not 0; -EINVAL: room is too little. */
int socket_copy_filter(struct file *f, struct bpf_instruction *out, uint32_t room,
	uint32_t *count) must_check;
int socket_get_tcp_info(struct file *f, struct socket_tcp_info *out) must_check;
/* Who the peer was when it connected or listened; pid 0 and all bits: nobody. */
int socket_get_peer_credentials(struct file *f, struct socket_credentials *out) must_check;
/* Drops the files of a message. No lock; may sleep. NULL: nothing to do. */
void socket_put_files(struct socket_files *files);
bool socket_is(const struct file *f);
/* When socket_is(f). */
unsigned socket_family(const struct file *f);
bool socket_is_stream(const struct file *f);
bool socket_has_connections(const struct file *f); /* streams, and records of UNIX */
/* Told by the next call that asks for errors (SO_ERROR, a receive). error: -errno. */
void socket_postpone_error(struct file *f, int error);
