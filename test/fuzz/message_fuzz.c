/* sources: abi/linux/sys_message.c abi/linux/sys_net.c abi/linux/control.c
 * abi/linux/control_ip.c abi/linux/time.c kernel/uio.c test/unit/shim/host.c
 * test/fuzz/fuzz_memory.c */
/*
 * message_fuzz.c: any arguments and memory for the calls with addresses, ranges, headers and times.
 *
 * What:       the input names a call and its arguments, which often point into what is left of it;
 *             a socket that is not there moves the bytes and checks what it was asked for.
 * Invariants: (1) an address that reaches a socket is whole: its path lies inside. (2) data goes
 *             through the ranges given and no others. (3) results are counts or errors.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     send(2), recv(2), bind(2), sendmmsg(2), recvmmsg(2), clock_nanosleep(2).
 */
#include <string.h>

#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/errno.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "host.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "net/socket.h"
#include "test/fuzz/fuzz_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOVED_MAX = 1 << 16 };

struct input {
	uint8_t call, points; /* bit i: argument i is an offset into memory */
	uint16_t offsets[6];
	uint8_t family, how;
};

extern struct cpu host_cpus[2]; /* host.c */
static struct thread thread = { .tid = 1 };
static struct file file;
static struct input in;
static bool has_reserved; /* a descriptor, which has to be settled */

/* ------------------------------------------------------------------ below the calls */
int fdtable_get(int fd, struct file **out)
{
	*out = &file;
	return fd == -1 ? -EBADF : 0;
}

void file_put(struct file *f)
{
	CHECK(f == &file);
}

int fdtable_install(struct file *f, uint32_t min, bool close_on_exec, int *fd)
{
	(void)close_on_exec;
	CHECK(f == &file && min == 0);
	*fd = 3;
	return in.how & 1 ? -EMFILE : 0;
}

int fdtable_reserve(bool close_on_exec, int *fd)
{
	(void)close_on_exec;
	CHECK(!has_reserved);
	if (in.how & 1)
		return -EMFILE;
	has_reserved = true;
	*fd = 3;
	return 0;
}

void fdtable_settle(int fd, struct file *f)
{
	CHECK(has_reserved && fd == 3 && (!f || f == &file));
	has_reserved = false;
}

int fdtable_close(int fd)
{
	CHECK_EQ(fd, 3);
	return 0;
}

void file_get(struct file *f)
{
	CHECK(f == &file);
}

const struct cred *cred_current(void)
{
	static const struct cred cred;

	return &cred;
}

bool cred_has(const struct cred *c unused_arg, unsigned cap unused_arg)
{
	return in.how & 32;
}

uint64_t clock_now_ns(void)
{
	static uint64_t now;

	return now += NS_PER_S;
}

int64_t clock_real_offset_ns(void)
{
	return 0;
}

uint64_t clock_deadline_ns(struct clock_deadline d)
{
	(void)d;
	return 0;
}

bool signal_is_deliverable(const struct thread *t)
{
	CHECK(t == &thread);
	return true;
}

void sched_park(uint64_t deadline_ns, bool signals)
{
	(void)deadline_ns;
	(void)signals;
}

static void check_address(const struct socket_address *a)
{
	CHECK(a->path_bytes <= sizeof(a->path)); /* (1) */
}

static void make_address(struct socket_address *a)
{
	memset(a, 0, sizeof(*a));
	a->family = in.family & 1 ? SOCKET_UNIX : SOCKET_INET;
	a->port = 80;
	a->path_bytes = a->family == SOCKET_UNIX ? in.family >> 1 & 63 : 0;
	memset(a->path, 'p', a->path_bytes);
}

unsigned socket_family(const struct file *f unused_arg)
{
	return in.family & 1 ? SOCKET_UNIX : SOCKET_INET;
}

bool socket_is_stream(const struct file *f unused_arg)
{
	return in.how & 64;
}

bool socket_has_connections(const struct file *f unused_arg)
{
	return in.how & 64;
}

/* SO_ERROR: what waits to be told. */
int socket_get_option(struct file *f unused_arg, enum socket_option option, int64_t *value)
{
	CHECK(option == SOCKET_OPT_ERROR);
	*value = in.how & 128 ? ECONNREFUSED : 0;
	return 0;
}

void socket_postpone_error(struct file *f unused_arg, int error)
{
	CHECK(error != 0);
}

void socket_put_files(struct socket_files *files)
{
	kmem_free(files);
}

bool socket_is(const struct file *f)
{
	return f == &file;
}

int socket_open(unsigned family, unsigned type, unsigned protocol, uint32_t flags,
	struct file **out)
{
	(void)family;
	(void)type;
	(void)protocol;
	(void)flags;
	*out = &file;
	return 0;
}

int socket_open_pair(unsigned family, unsigned type, unsigned protocol, uint32_t flags,
	struct file *out[2])
{
	out[1] = &file;
	return socket_open(family, type, protocol, flags, &out[0]);
}

int socket_bind(struct file *f, const struct socket_address *a)
{
	CHECK(f == &file);
	check_address(a);
	return 0;
}

int socket_connect(struct file *f, const struct socket_address *a)
{
	return socket_bind(f, a);
}

int socket_listen(struct file *f, int backlog)
{
	CHECK(f == &file);
	return backlog < 0 ? -EINVAL : 0;
}

int socket_accept(struct file *f, uint32_t flags, struct file **out, struct socket_address *peer)
{
	(void)f;
	(void)flags;
	*out = &file;
	if (peer)
		make_address(peer);
	return 0;
}

int socket_get_name(struct file *f, bool peer, struct socket_address *out)
{
	(void)f;
	(void)peer;
	make_address(out);
	return 0;
}

int socket_shut_down(struct file *f, enum socket_shutdown how)
{
	(void)f;
	CHECK(how <= SOCKET_SHUT_BOTH);
	return 0;
}

/* (2) In pieces; ASan and fuzz_memory.c watch. */
static long move(struct uio *u, bool in_bound)
{
	char piece[100] = "data";
	long total = 0;

	while (u->left_bytes && total < MOVED_MAX) {
		long n = in_bound ? uio_copy_to(u, piece, sizeof(piece))
				  : uio_copy_from(u, piece, sizeof(piece));

		CHECK(n == -EFAULT || (n > 0 && n <= (long)sizeof(piece)));
		if (n < 0)
			return total ? total : n;
		total += n;
	}
	return total;
}

long socket_send(struct file *f, struct socket_message *m)
{
	CHECK(f == &file);
	if (m->has_address)
		check_address(&m->address);
	return move(m->data, false);
}

long socket_receive(struct file *f, struct socket_message *m)
{
	long n = move(m->data, true);

	CHECK(f == &file);
	m->has_address = in.how & 2;
	if (m->has_address)
		make_address(&m->address);
	m->truncated = in.how & 4;
	m->datagram_bytes = (uint64_t)(n < 0 ? 0 : n) + 10;
	m->has_ttl = m->has_tos = in.how & 8;
	m->has_pktinfo = in.how & 16;
	return n;
}

/* ------------------------------------------------------------------ the calls */
static long call_time(const struct sysargs *a)
{
	uint64_t ns;
	int err = linux_load_timespec(a->arg[0], &ns);

	if (!err)
		err = linux_store_timespec(a->arg[1], ns);
	if (!linux_load_timeval(a->arg[2], &ns))
		(void)linux_deadline_at(linux_deadline_after(ns), in.how & 1);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static long (*const calls[])(const struct sysargs *a) = { sys_sendto, sys_recvfrom,
		sys_sendmsg, sys_recvmsg, sys_sendmmsg, sys_recvmmsg, sys_bind, sys_connect,
		sys_accept4, sys_getsockname, sys_getpeername, sys_socketpair, sys_socket,
		sys_listen, sys_shutdown, call_time };
	size_t head = MIN(size, sizeof(in));
	struct sysargs args = { .frame = NULL };
	long result;

	host_cpus[0].current = &thread;
	memset(&in, 0, sizeof(in));
	memcpy(&in, data, head);
	fuzz_memory_set(data + head, size - head);
	for (unsigned i = 0; i < 6; i++)
		args.arg[i] = in.points >> i & 1 ? FUZZ_BASE_UA + in.offsets[i] % (size - head + 1)
						 : (uint64_t)(int16_t)in.offsets[i];
	result = calls[in.call % ARRAY_LEN(calls)](&args);
	CHECK(result >= -4095 || result == -ERESTARTSYS); /* (3) */
	CHECK(!has_reserved);
	fuzz_memory_reset();
	CHECK_EQ(host_locks_held(), 0);
	return 0;
}
