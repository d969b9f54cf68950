/*
 * host_net.h: the network core as a host process: virtual time, and a wire that mirrors.
 *
 * The one network device has the address 10.0.0.1. Every other address of 10.0.0.0/8 is the same
 * machine behind a mirror: the wire swaps source and destination of each frame and brings it back,
 * so that one stack plays both ends. (Swapping does not change the checksums.)
 */
#pragma once

#include "fs/file.h"
#include "net/socket.h"

#define HOST_NET_IP 0x0100000au /* 10.0.0.1, network byte order */
#define HOST_NET_PEER 0x0200000au /* 10.0.0.2 */
#define HOST_NET_LOOPBACK 0x0100007fu

void host_net_init(bool device);
/* Lets time pass: timers fire in order, frames arrive 1 ms after they were sent. */
void host_net_advance(uint64_t ns);
/* The machine is stopped for so long: nothing happens, and then the clock is later. */
void host_net_stand_still(uint64_t ns);
uint64_t host_net_now_ns(void);
extern bool host_net_frames_first; /* before timers that are due as well */
extern unsigned long host_net_wakes; /* timers that fired */
extern unsigned long host_net_frames; /* frames sent */

/* The wire: what happens to a frame. */
enum host_net_fate { HOST_NET_DELIVER, HOST_NET_LOSE, HOST_NET_TWICE, HOST_NET_LATE };
extern enum host_net_fate (*host_net_fate)(const uint8_t *frame, uint32_t bytes);
/* A frame from outside, as it is. */
void host_net_inject(const void *frame, uint32_t bytes);
/* The same, with checksums that the device says are good. */
void host_net_inject_trusted(const void *frame, uint32_t bytes);
void host_net_link(bool up); /* the cable comes and goes */
unsigned long host_net_buffers(void); /* received buffers that were not given back */

/* What others do while a call sleeps; NULL or false: time passes. */
extern bool (*host_net_while_asleep)(void);

/* Sockets, in short. Results as in net/socket.h. */
struct file *host_net_socket(unsigned type, bool nonblock);
struct socket_address host_net_address(uint32_t ip, uint16_t port);
int host_net_bind(struct file *f, uint32_t ip, uint16_t port);
int host_net_connect(struct file *f, uint32_t ip, uint16_t port);
int host_net_accept(struct file *f, struct file **out);
uint16_t host_net_port(struct file *f);
long host_net_send(struct file *f, const void *data, uint64_t bytes);
long host_net_receive(struct file *f, void *data, uint64_t bytes, unsigned flags);
int host_net_error(struct file *f); /* SO_ERROR, as -errno */
uint32_t host_net_poll(struct file *f);
