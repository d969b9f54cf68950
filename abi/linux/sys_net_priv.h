/*
 * sys_net_priv.h: addresses and options of Linux's socket calls, shared by sys_net*.c.
 */
#pragma once

#include "abi/linux/sysargs.h"
#include "net/socket.h"

struct file;

#define LINUX_SOL_PACKET 263 /* include/linux/socket.h */
#define LINUX_SOCKADDR_MAX 128u /* struct sockaddr_storage */

/* The address at ua. -EINVAL: length. -EFAULT. */
int linux_load_sockaddr(uaddr_t ua, int64_t bytes, struct socket_address *out) must_check;
/* … of a bind or connect: -EINVAL also when f's kind has longer ones. */
int linux_load_address_for(const struct file *f, uaddr_t ua, int64_t bytes,
	struct socket_address *out) must_check;
/* … of a send. */
int linux_load_destination(const struct file *f, uaddr_t ua, int64_t bytes,
	struct socket_address *out) must_check;
/* Stores the address, cut to *length_ua, and its whole length. ua 0: nothing. a
 * NULL: an empty one. */
int linux_store_sockaddr(uaddr_t ua, uaddr_t length_ua, const struct socket_address *a) must_check;
/* The options that change a socket's multicast groups. -ENOPROTOOPT: another option. */
int linux_set_group(struct file *f, int level, int name, uaddr_t ua, uint32_t bytes) must_check;
/* SO_ATTACH_FILTER, SO_DETACH_FILTER. -ENOPROTOOPT: another option. */
int linux_set_filter(struct file *f, int level, int name, uaddr_t ua, uint32_t bytes) must_check;
/* SO_GET_FILTER: room and count are of instructions; room 0 asks for the count only. */
int linux_get_filter(struct file *f, uaddr_t ua, uint32_t room, uint32_t *count) must_check;
/* SIOCGIF* and their kin. -ENOTTY: another command, or no socket. */
int linux_interface_ioctl(struct file *f, uint32_t command, uaddr_t arg) must_check;
/* Bytes of the address in Linux's form. */
uint32_t linux_encode_sockaddr(uint8_t out[LINUX_SOCKADDR_MAX], const struct socket_address *a);
