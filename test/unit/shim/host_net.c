/*
 * host_net.c: the network core's surroundings on the host.
 *
 * What:       time that passes only when told, timers, sleeping, a device on a mirroring wire,
 *             and sockets in short. host_net_kernel.c has the rest of the kernel.
 * Invariants: (1) nothing happens by itself: a test decides when frames arrive and time passes.
 * Locking:    host.c's, so that ranks are checked.
 * Failure:    a failed check ends the program.
 * Source:     kernel/time/timer.h, kernel/sched/waitq.h, kernel/dev/netdev.h, fs/file.h.
 */
#include "host_net.h"

#include <string.h>

#include "base/errno.h"
#include "base/units.h"
#include "host.h"
#include "kernel/dev/netdev.h"
#include "kernel/mm/kmem.h"
#include "kernel/options.h"
#include "kernel/sched/waitq.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/uio.h"
#include "net/net.h"

#define FLIGHT_NS NS_PER_MS
#define LATE_NS (5 * NS_PER_MS)
#define O_NONBLOCK 04000u
#define FRAME_MAX 2048u

struct frame {
	TAILQ_ENTRY(frame) link;
	uint64_t due_ns;
	uint32_t bytes;
	_Alignas(16) uint8_t room[FRAME_MAX]; /* data at 2: the IP header is aligned */
	struct netdev_rx rx;
};

TAILQ_HEAD(frames, frame);

static struct {
	uint64_t now_ns;
	struct timer *timers[8];
	unsigned timer_count;
	struct netdev dev;
	struct frames flying;
	unsigned long buffers;
} test_net = { .now_ns = 1000 * NS_PER_S };

struct options options = { .ip_mode = OPTIONS_IP_STATIC,
	.ip6_mode = OPTIONS_IP6_NONE, /* the mirror would take every address for its own */
	.ip = HOST_NET_IP,
	.prefix_bits = 8,
	.hostname = "test" };
unsigned long host_net_wakes, host_net_frames;
bool host_net_frames_first;
enum host_net_fate (*host_net_fate)(const uint8_t *frame, uint32_t bytes);
bool (*host_net_while_asleep)(void);

/* ------------------------------------------------------------------ time */
uint64_t clock_now_ns(void)
{
	return test_net.now_ns;
}

uint64_t host_net_now_ns(void)
{
	return test_net.now_ns;
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	memset(t, 0, sizeof(*t));
	t->fire = fire;
	CHECK(test_net.timer_count < ARRAY_LEN(test_net.timers));
	test_net.timers[test_net.timer_count++] = t;
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	t->deadline_ns = deadline_ns;
	t->armed = true;
}

bool timer_cancel(struct timer *t)
{
	bool was = t->armed;

	t->armed = false;
	return was;
}

static struct timer *first_timer(void)
{
	struct timer *first = NULL;

	for (unsigned i = 0; i < test_net.timer_count; i++) {
		struct timer *t = test_net.timers[i];

		if (t->armed && (first == NULL || t->deadline_ns < first->deadline_ns))
			first = t;
	}
	return first;
}

static struct frame *first_frame(void)
{
	struct frame *f, *first = NULL;

	TAILQ_FOREACH(f, &test_net.flying, link)
		if (first == NULL || f->due_ns < first->due_ns)
			first = f;
	return first;
}

static void land(struct frame *f)
{
	TAILQ_REMOVE(&test_net.flying, f, link);
	test_net.buffers++;
	test_net.dev.receiver->receive(&test_net.dev, &f->rx);
	test_net.dev.receiver->batch_end(&test_net.dev);
}

/* The next event before the limit; false: none. */
static bool step(uint64_t until_ns)
{
	struct timer *t = first_timer();
	struct frame *f = first_frame();

	if (f != NULL && f->due_ns <= until_ns &&
		(t == NULL || f->due_ns <= t->deadline_ns ||
			(host_net_frames_first && f->due_ns <= test_net.now_ns))) {
		test_net.now_ns = MAX(test_net.now_ns, f->due_ns);
		land(f);
		return true;
	}
	if (t == NULL || t->deadline_ns > until_ns)
		return false;
	test_net.now_ns = MAX(test_net.now_ns, t->deadline_ns);
	t->armed = false;
	host_net_wakes++;
	t->fire(t);
	return true;
}

void host_net_advance(uint64_t ns)
{
	uint64_t until_ns = test_net.now_ns + ns;

	CHECK_EQ(host_locks_held(), 0);
	while (step(until_ns))
		;
	test_net.now_ns = until_ns;
}

void host_net_stand_still(uint64_t ns)
{
	test_net.now_ns += ns;
}

/* ------------------------------------------------------------------ sleeping */
void waitq_init(struct waitq *q)
{
	TAILQ_INIT(&q->waiters);
}

int waitq_wait(struct waitq *q, struct spinlock *lock, uint64_t deadline_ns, unsigned flags)
{
	bool progress;

	(void)q;
	(void)flags;
	CHECK_EQ(host_locks_held(), 1);
	spin_unlock(lock);
	progress = host_net_while_asleep != NULL && host_net_while_asleep();
	if (!progress)
		progress = step(deadline_ns == TIME_NEVER_NS ? UINT64_MAX - 1 : deadline_ns);
	if (!progress) {
		CHECK(deadline_ns != TIME_NEVER_NS); /* it would sleep for ever */
		test_net.now_ns = MAX(test_net.now_ns, deadline_ns);
	}
	spin_lock(lock);
	return progress ? 0 : -ETIMEDOUT;
}

unsigned waitq_wake_all(struct waitq *q)
{
	(void)q;
	return 0;
}

/* ------------------------------------------------------------------ the wire */
static void give_back(struct netdev_rx *rx)
{
	struct frame *f = container_of(rx, struct frame, rx);

	test_net.buffers--;
	free(f);
}

static struct frame *new_frame(uint32_t bytes, uint64_t delay_ns)
{
	struct frame *f = calloc(1, sizeof(*f));

	CHECK(f != NULL && bytes <= FRAME_MAX - 2);
	f->bytes = bytes;
	f->due_ns = test_net.now_ns + delay_ns;
	f->rx.data = f->room + 2;
	f->rx.bytes = bytes;
	f->rx.free = give_back;
	TAILQ_INSERT_TAIL(&test_net.flying, f, link);
	return f;
}

void host_net_inject(const void *frame, uint32_t bytes)
{
	memcpy(new_frame(bytes, 0)->room + 2, frame, bytes);
}

void host_net_link(bool up)
{
	test_net.dev.link_up = up;
	test_net.dev.receiver->link_changed(&test_net.dev, up);
}

void host_net_inject_trusted(const void *frame, uint32_t bytes)
{
	struct frame *f = new_frame(bytes, 0);

	memcpy(f->room + 2, frame, bytes);
	f->rx.csum_ok = true;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	while (n-- != 0) {
		uint8_t t = a[n];

		a[n] = b[n];
		b[n] = t;
	}
}

static void mirror(uint8_t *frame, uint64_t delay_ns, uint32_t bytes)
{
	uint8_t *to = new_frame(bytes, delay_ns)->room + 2;

	memcpy(to, frame, bytes);
	if (to[12] == 8 && to[13] == 6) { /* ARP question: everybody answers with one address */
		if (to[21] != 1)
			to[0] = 0xff; /* an answer to a mirrored question: nobody's */
		to[21] = 2;
		swap(to + 22, to + 32, 10);
		memcpy(to + 22, "\2\0\0\0\0\2", 6);
		memcpy(to, test_net.dev.mac, 6);
		return;
	}
	memcpy(to, test_net.dev.mac, 6);
	swap(to + 26, to + 30, 4);
}

static int transmit(struct netdev *dev, const struct netdev_tx *tx)
{
	uint8_t frame[FRAME_MAX];
	uint32_t bytes = 0;
	enum host_net_fate fate;

	(void)dev;
	CHECK(host_holds(LOCK_NET));
	for (uint32_t i = 0; i < tx->seg_count; i++) {
		CHECK(bytes + tx->segs[i].bytes <= FRAME_MAX - 2);
		memcpy(frame + bytes, tx->segs[i].data, tx->segs[i].bytes);
		bytes += tx->segs[i].bytes;
	}
	host_net_frames++;
	fate = host_net_fate == NULL ? HOST_NET_DELIVER : host_net_fate(frame, bytes);
	if (fate == HOST_NET_LOSE)
		return 0;
	mirror(frame, fate == HOST_NET_LATE ? LATE_NS : FLIGHT_NS, bytes);
	if (fate == HOST_NET_TWICE)
		mirror(frame, FLIGHT_NS, bytes);
	return 0;
}

static void flush(struct netdev *dev)
{
	(void)dev;
}

static const struct netdev_ops wire_ops = { transmit, flush };

struct netdev *netdev_first(void)
{
	return test_net.dev.ops == NULL ? NULL : &test_net.dev;
}

void netdev_attach(struct netdev *dev, const struct netdev_receiver *r, void *data)
{
	dev->receiver_data = data;
	dev->receiver = r;
}

unsigned long host_net_buffers(void)
{
	return test_net.buffers;
}

/* ------------------------------------------------------------------ start */
void host_net_init(bool device)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

	TAILQ_INIT(&test_net.flying);
	if (device) {
		memcpy(test_net.dev.mac, mac, sizeof(mac));
		test_net.dev.mtu = 1500;
		test_net.dev.link_up = true;
		test_net.dev.ops = &wire_ops;
	}
	net_init();
}

/* ------------------------------------------------------------------ sockets, in short */
struct file *host_net_socket(unsigned type, bool nonblock)
{
	struct file *f;

	CHECK_EQ(socket_open(SOCKET_INET, type, 0, 2 | (nonblock ? O_NONBLOCK : 0), &f), 0);
	return f;
}

struct socket_address host_net_address(uint32_t ip, uint16_t port)
{
	return (struct socket_address){
		.family = SOCKET_INET, .ip = net_ip_of_v4(ip), .port = port
	};
}

int host_net_bind(struct file *f, uint32_t ip, uint16_t port)
{
	struct socket_address a = host_net_address(ip, port);

	return socket_bind(f, &a);
}

int host_net_connect(struct file *f, uint32_t ip, uint16_t port)
{
	struct socket_address a = host_net_address(ip, port);

	return socket_connect(f, &a);
}

int host_net_accept(struct file *f, struct file **out)
{
	struct socket_address peer;

	return socket_accept(f, file_flags(f), out, &peer);
}

uint16_t host_net_port(struct file *f)
{
	struct socket_address a;

	CHECK_EQ(socket_get_name(f, false, &a), 0);
	return a.port;
}

long host_net_send(struct file *f, const void *data, uint64_t bytes)
{
	struct uio u;
	struct socket_message m = { .data = &u, .flags = SOCKET_MSG_NOSIGNAL };

	uio_init_kernel(&u, (void *)(uintptr_t)data, bytes);
	return socket_send(f, &m);
}

long host_net_receive(struct file *f, void *data, uint64_t bytes, unsigned flags)
{
	struct uio u;
	struct socket_message m = { .data = &u, .flags = flags };
	long got;

	uio_init_kernel(&u, data, bytes);
	got = socket_receive(f, &m);
	socket_put_files(m.files);
	return got;
}

int host_net_error(struct file *f)
{
	int64_t value;

	CHECK_EQ(socket_get_option(f, SOCKET_OPT_ERROR, &value), 0);
	return -(int)value;
}

uint32_t host_net_poll(struct file *f)
{
	return f->ops->poll(f);
}
