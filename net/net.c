/*
 * net.c: the network core's lock, its clock and its way in and out.
 *
 * What:       everything that happens in the network happens between net_lock and net_unlock:
 *             system calls, received frames, one timer. Leaving delivers what was looped back,
 *             arms the timer for the earliest need of any protocol, and kicks each device once.
 *             How often and how long the lock is held is counted: the statistics show it.
 * Invariants: (1) lwIP runs only under the lock, and never re-enters itself: looped packets wait
 *             for loopback_drain_locked. (2) When the lock is free, the timer is armed for the
 *             earliest need or earlier, or nothing is pending. So an idle machine is never woken.
 * Locking:    LOCK_NET. May sleep: net_wait_locked only. From interrupts: yes.
 * Failure:    none.
 * Source:     lwIP 2.1.3 doc/NO_SYS_SampleCode.c for the order of initialisation.
 */
#include "net/net.h"

#include <lwip/err.h>
#include <lwip/init.h>

#include "base/errno.h"
#include "base/units.h"
#include "kernel/mm/kmem.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "net/filter.h"
#include "net/lwip_port_priv.h"
#include "net/net_priv.h"
#include "net/socket_priv.h"
#include "net/tcp_cookie.h"
#include "net/tcp_table.h"

static struct {
	struct spinlock lock;
	struct timer timer; /* [n] */
	uint64_t armed_ns; /* [n] TIME_NEVER_NS: not armed */
	uint64_t now_ns; /* [n] */
	uint64_t held_since_ns; /* [n] */
} net = { .lock = SPINLOCK_INIT(LOCK_NET), .armed_ns = TIME_NEVER_NS };

static void fire(struct timer *t);

void net_assert_locked(void)
{
	lock_assert_held(&net.lock);
}

uint64_t net_now_ns(void)
{
	return net.now_ns;
}

static void sync_clock(void)
{
	net.now_ns = clock_now_ns();
	tcp_table_sync_locked(net.now_ns);
}

/* The lock was just taken, or is about to be let go of. */
static void begin_hold(void)
{
	sync_clock();
	net.held_since_ns = net.now_ns;
}

static void end_hold(void)
{
	uint64_t held_ns = clock_now_ns() - net.held_since_ns;

	stat_inc(STAT_net_lock_holds);
	stat_add(STAT_net_lock_hold_ns, held_ns);
	stat_raise(STAT_net_lock_hold_max_ns, held_ns);
}

void net_lock(void)
{
	spin_lock(&net.lock);
	begin_hold();
}

static void arm_timer(void)
{
	uint64_t next_ns = tcp_table_next_ns_locked();

	next_ns = MIN(next_ns, loopback_next_ns_locked());
	next_ns = MIN(next_ns, device_next_ns_locked());
	next_ns = MIN(next_ns, config_next_ns_locked());
	next_ns = MIN(next_ns, ip_guard_next_ns_locked());
	next_ns = MIN(next_ns, multicast_next_ns_locked());
	next_ns = MIN(next_ns, config6_next_ns_locked());
	next_ns = MIN(next_ns, neighbour_next_ns_locked());
	/* An armed timer that is too early costs one look; moving it on each packet, more. */
	if (next_ns >= net.armed_ns)
		return;
	net.armed_ns = next_ns;
	timer_arm(&net.timer, next_ns);
}

/* True when packets were delivered. */
static bool settle(void)
{
	bool looped = loopback_drain_locked();

	tcp_table_settle_locked();
	arm_timer();
	device_flush_locked();
	return looped;
}

static void free_sockets(struct socket *dead)
{
	struct socket *next;

	for (; dead != NULL; dead = next) {
		next = dead->dead_next;
		if (dead->ops->release)
			dead->ops->release(dead);
		filter_free(dead);
		kmem_free(dead);
	}
}

void net_unlock(void)
{
	struct socket *dead;

	settle();
	dead = socket_take_dead_locked();
	end_hold();
	spin_unlock(&net.lock);
	free_sockets(dead);
}

void net_unlock_batch(void)
{
	end_hold();
	spin_unlock(&net.lock);
}

int net_wait_locked(struct waitq *q, uint64_t deadline_ns, unsigned flags)
{
	int error;

	lock_assert_held(&net.lock);
	if (settle())
		return 0;
	end_hold();
	error = waitq_wait(q, &net.lock, deadline_ns, flags);
	begin_hold();
	return error;
}

static void fire(struct timer *t)
{
	(void)t;
	net_lock();
	net.armed_ns = TIME_NEVER_NS;
	tcp_table_tick_locked(net.now_ns);
	device_tick_locked(net.now_ns);
	config_tick_locked(net.now_ns);
	ip_guard_tick_locked(net.now_ns);
	multicast_tick_locked(net.now_ns);
	config6_tick_locked(net.now_ns);
	neighbour_tick_locked(); /* what the others found out */
	net_unlock();
}

int net_errno(int lwip_error)
{
	switch (lwip_error) {
	case ERR_OK:
		return 0;
	case ERR_MEM:
		return -ENOMEM;
	case ERR_BUF:
		return -ENOBUFS;
	case ERR_TIMEOUT:
		return -ETIMEDOUT;
	case ERR_RTE:
		return -ENETUNREACH;
	case ERR_USE:
		return -EADDRINUSE;
	case ERR_ALREADY:
		return -EALREADY;
	case ERR_ISCONN:
		return -EISCONN;
	case ERR_CONN:
		return -ENOTCONN;
	case ERR_IF:
		return -ENETDOWN;
	case ERR_ABRT:
		return -ECONNABORTED;
	case ERR_RST:
		return -ECONNRESET;
	case ERR_CLSD:
		return -ENOTCONN;
	default:
		return -EINVAL;
	}
}

int net_take_payload(struct uio *data, pbuf_layer layer, uint32_t bytes_max, struct pbuf **out)
{
	uint64_t bytes = data->left_bytes;
	struct pbuf *p;

	if (bytes > bytes_max)
		return -EMSGSIZE;
	p = pbuf_alloc(layer, (u16_t)bytes, PBUF_RAM);
	if (p == NULL)
		return -ENOBUFS;
	if (bytes != 0 && uio_copy_from(data, p->payload, bytes) != (long)bytes) {
		pbuf_free(p);
		return -EFAULT;
	}
	*out = p;
	return 0;
}

void net_init(void)
{
	timer_init(&net.timer, fire);
	spin_lock(&net.lock);
	net.now_ns = net.held_since_ns = clock_now_ns();
	lwip_port_init();
	tcp_table_init_locked(net.now_ns);
	tcp_cookie_init_locked();
	socket_init_locked();
	lwip_init();
	loopback_init_locked();
	device_init_locked();
	net_unlock();
	net_proc_init();
}
