/*
 * unix.c: AF_UNIX sockets: not there yet.
 *
 * What:       answers what a kernel without them answers.
 * Invariants: none.
 * Locking:    none.
 * Failure:    -EAFNOSUPPORT.
 * Source:     Linux unix(7).
 */
#include "base/errno.h"
#include "net/socket_priv.h"

int unix_socket_new(unsigned type, struct socket **out)
{
	(void)type;
	(void)out;
	return -EAFNOSUPPORT;
}

int unix_socket_pair(unsigned type, struct socket *out[2])
{
	(void)type;
	(void)out;
	return -EAFNOSUPPORT;
}
