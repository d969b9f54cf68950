/*
 * netlink.c: AF_NETLINK sockets: not there yet.
 *
 * What:       answers what a kernel without them answers.
 * Invariants: none.
 * Locking:    none.
 * Failure:    -EAFNOSUPPORT.
 * Source:     Linux netlink(7).
 */
#include "base/errno.h"
#include "net/socket_priv.h"

int netlink_socket_new(unsigned type, unsigned protocol, struct socket **out)
{
	(void)type;
	(void)protocol;
	(void)out;
	return -EAFNOSUPPORT;
}
