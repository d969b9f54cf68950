/*
 * socket_count.c: how many sockets there are, for /proc/net/sockstat.
 *
 * What:       two numbers: sockets that a file has, and TCP's in memory, which are more: some wait
 *             to be accepted, others for the last acknowledgement.
 * Invariants: none.
 * Locking:    none: atomic.
 * Failure:    none.
 * Source:     Linux net/socket.c (sockets_in_use), include/net/sock.h (sk_sockets_allocated_inc).
 */
#include "net/socket_priv.h"

static struct {
	uint32_t used, tcp; /* [a] */
} socket_counts;

void socket_count(const struct socket *s, int change)
{
	if (s->type == SOCKET_STREAM && s->family != SOCKET_UNIX)
		__atomic_add_fetch(&socket_counts.tcp, (uint32_t)change, __ATOMIC_RELAXED);
}

void socket_count_file(int change)
{
	__atomic_add_fetch(&socket_counts.used, (uint32_t)change, __ATOMIC_RELAXED);
}

uint32_t socket_count_used(void)
{
	return __atomic_load_n(&socket_counts.used, __ATOMIC_RELAXED);
}

uint32_t socket_count_tcp(void)
{
	return __atomic_load_n(&socket_counts.tcp, __ATOMIC_RELAXED);
}
