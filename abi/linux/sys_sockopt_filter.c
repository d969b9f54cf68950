/*
 * sys_sockopt_filter.c: SO_ATTACH_FILTER, SO_DETACH_FILTER and SO_GET_FILTER.
 *
 * What:       carries a program between the caller's memory and net/socket.h.
 * Invariants: none.
 * Locking:    none.
 * Failure:    -ENOPROTOOPT another option or kind of socket, -EINVAL, -EPERM, -ENOENT, -EFAULT,
 *             -ENOMEM.
 * Source:     Linux socket(7); net/core/filter.c (sk_get_filter), net/core/sock.c.
 */
#include <asm/socket.h>
#include <linux/filter.h>

#include "abi/linux/sys_net_priv.h"
#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "lib/bpf.h"

struct linux_sock_fprog {
	uint16_t count, pad[3];
	uint64_t filter;
};

STATIC_ASSERT(sizeof(struct linux_sock_fprog) == sizeof(struct sock_fprog), "Linux");
STATIC_ASSERT(sizeof(struct bpf_instruction) == sizeof(struct sock_filter), "Linux");
STATIC_ASSERT(BPF_INSTRUCTIONS_MAX == BPF_MAXINSNS, "Linux");

static int attach(struct file *f, uaddr_t ua, uint32_t bytes)
{
	struct linux_sock_fprog p;
	struct bpf_instruction *program;
	int error = bytes != sizeof(p) ? -EINVAL : user_copy_in(&p, ua, sizeof(p));

	if (error == 0 && (p.count == 0 || p.count > BPF_INSTRUCTIONS_MAX || p.filter == 0))
		error = -EINVAL;
	if (error != 0)
		return error;
	program = kmem_alloc(p.count * sizeof(*program));
	if (program == NULL)
		return -ENOMEM;
	error = user_copy_in(program, p.filter, p.count * sizeof(*program));
	if (error == 0)
		error = socket_attach_filter(f, program, p.count);
	kmem_free(program);
	return error;
}

int linux_set_filter(struct file *f, int level, int name, uaddr_t ua, uint32_t bytes)
{
	if (level != SOL_SOCKET || (name != SO_ATTACH_FILTER && name != SO_DETACH_FILTER))
		return -ENOPROTOOPT;
	if (name == SO_ATTACH_FILTER)
		return attach(f, ua, bytes);
	return bytes < sizeof(int32_t) ? -EINVAL : socket_detach_filter(f);
}

int linux_get_filter(struct file *f, uaddr_t ua, uint32_t room, uint32_t *count)
{
	struct bpf_instruction *program = NULL;
	int error;

	room = MIN(room, BPF_INSTRUCTIONS_MAX);
	if (room != 0)
		program = kmem_alloc(room * sizeof(*program));
	if (room != 0 && program == NULL)
		return -ENOMEM;
	error = socket_copy_filter(f, program, room, count);
	if (error == 0 && room != 0)
		error = user_copy_out(ua, program, *count * sizeof(*program));
	kmem_free(program);
	return error;
}
