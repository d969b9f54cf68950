/*
 * hostchan.c: the channel to the host, above its driver.
 *
 * What:       passes the program's streams to the driver, or to the platform's debug output when
 *             there is none; acts on control messages; carries the log; says the last words.
 * Invariants: (1) HELLO is the first message, EXIT the last. (2) EXIT is sent after the device has
 *             taken all output.
 * Locking:    none of its own; [a] atomics. The log's sink runs under LOCK_LOG, so send for LOG
 *             messages takes LOCK_OUTBOX only and never waits.
 * Failure:    without a channel input is at its end and output goes to the debug port. Log lines
 *             without room are counted, and the count is logged.
 * Source:     include/gosolo_abi.h, "virtio-serial device".
 */
#include "kernel/dev/hostchan.h"

#include <asm/termbits.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/signal/signal.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "kernel/time/follow.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "platform/platform.h"

#define LOG_TEXT_MAX 512u

static struct {
	_Atomic(const struct hostchan_ops *) ops; /* [a] set once; NULL: no channel */
	struct pollq readiness[HOSTCHAN_STREAMS]; /* [I] */
	_Atomic uint32_t window; /* [a] rows << 16 | columns */
	_Atomic uint64_t written_bytes[HOSTCHAN_STREAMS]; /* [a] */
	uint32_t lines_lost; /* LOCK_LOG */
} hostchan;

/* Until the host has told: what Linux gives a fresh terminal (its tty_std_termios). */
static struct {
	struct spinlock lock; /* LOCK_POLLQ: taken when the driver's lock is held */
	struct gosolo_terminal now; /* [lock] */
} terminal = {
	SPINLOCK_INIT(LOCK_POLLQ),
	{
		.input = ICRNL | IXON,
		.output = OPOST | ONLCR,
		.control = B38400 | CS8 | CREAD | HUPCL,
		.local = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.chars = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22 },
	},
};

static const struct hostchan_ops *get_ops(void)
{
	/* Acquire pairs with the release in hostchan_register. */
	return atomic_load_explicit(&hostchan.ops, memory_order_acquire);
}

void hostchan_init(void)
{
	for (int i = 0; i < HOSTCHAN_STREAMS; i++)
		pollq_init(&hostchan.readiness[i]);
}

static int send_log_line(const struct hostchan_ops *ops, uint32_t level, const char *line,
	uint32_t bytes)
{
	struct {
		uint32_t level;
		char text[LOG_TEXT_MAX];
	} message = { .level = level };

	bytes = MIN(bytes, LOG_TEXT_MAX);
	memcpy(message.text, line, bytes);
	return ops->send(GOSOLO_MSG_LOG, &message, (uint32_t)sizeof(message.level) + bytes);
}

static void log_sink(enum gosolo_log_level level, const char *line, uint32_t bytes)
{
	const struct hostchan_ops *ops = get_ops();
	char notice[64];
	int err = 0, n;

	if (hostchan.lines_lost) {
		n = fmt_snprintf(notice, sizeof(notice), "log: %u lines had no room",
			hostchan.lines_lost);
		err = send_log_line(ops, GOSOLO_LOG_WARN, notice, (uint32_t)n);
		if (!err)
			hostchan.lines_lost = 0;
	}
	if (!err)
		err = send_log_line(ops, level, line, bytes);
	if (err == -EAGAIN) {
		hostchan.lines_lost++;
	} else if (err) {
		platform_debug_write(line,
			bytes); /* the channel is dead; something may listen here */
		platform_debug_write("\n", 1);
	}
}

void hostchan_register(const struct hostchan_ops *ops)
{
	struct gosolo_hello hello = { .abi_version = GOSOLO_ABI_VERSION };

	ASSERT(get_ops() == NULL);
	(void)strlcpy(hello.kernel_version, GOSOLO_VERSION, sizeof(hello.kernel_version));
	(void)ops->send(GOSOLO_MSG_HELLO, &hello, sizeof(hello)); /* (1) */
	atomic_store_explicit(&hostchan.ops, ops, memory_order_release);
	log_set_sink(log_sink);
}

bool hostchan_is_connected(void)
{
	return get_ops() != NULL;
}

long hostchan_read(struct uio *u, bool nonblock)
{
	const struct hostchan_ops *ops = get_ops();

	return ops ? ops->read(u, nonblock) : 0;
}

long hostchan_write(enum hostchan_stream s, struct uio *u, bool nonblock)
{
	const struct hostchan_ops *ops = get_ops();
	char piece[256];
	long total = 0;

	if (ops) {
		total = ops->write(s, u, nonblock);
		if (total > 0)
			atomic_fetch_add_explicit(&hostchan.written_bytes[s], (uint64_t)total,
				memory_order_relaxed);
		return total;
	}
	while (u->left_bytes) {
		long n = uio_copy_from(u, piece, sizeof(piece));

		if (n <= 0)
			return total ? total : n;
		platform_debug_write(piece, (size_t)n);
		total += n;
	}
	return total;
}

uint32_t hostchan_poll(enum hostchan_stream s)
{
	const struct hostchan_ops *ops = get_ops();

	if (ops)
		return ops->poll(s);
	return s == HOSTCHAN_STDIN ? EPOLLIN | EPOLLHUP : EPOLLOUT;
}

struct pollq *hostchan_pollq(enum hostchan_stream s)
{
	return &hostchan.readiness[s];
}

int hostchan_send(uint16_t type, const void *payload, uint32_t bytes)
{
	const struct hostchan_ops *ops = get_ops();

	return ops ? ops->send(type, payload, bytes) : -ENODEV;
}

void hostchan_drain(void)
{
	const struct hostchan_ops *ops = get_ops();

	if (ops)
		ops->drain();
}

void hostchan_go_alone(void)
{
	const struct hostchan_ops *ops = get_ops();

	if (ops)
		ops->panic_write(HOSTCHAN_STDERR, "", 0);
}

void hostchan_await_log_room(void)
{
	const struct hostchan_ops *ops = get_ops();

	if (ops && ops->await_log_room)
		ops->await_log_room();
}

void hostchan_window_size(uint16_t *rows, uint16_t *columns)
{
	uint32_t window = atomic_load_explicit(&hostchan.window, memory_order_relaxed);

	*rows = (uint16_t)(window >> 16);
	*columns = (uint16_t)window;
}

static void send_signal(uint32_t signo)
{
	struct signal_info info = { .signo = (int32_t)signo }; /* SI_USER, from outside: pid 0 */

	if (signo < 1 || signo > SIGNALS_MAX)
		log_warn("host: no signal has number %u", signo);
	else
		signal_send_process(&info);
}

static void set_window(const void *payload)
{
	uint16_t size[2]; /* rows, columns */

	memcpy(size, payload, sizeof(size));
	atomic_store_explicit(&hostchan.window, (uint32_t)size[0] << 16 | size[1],
		memory_order_relaxed);
	send_signal(SIGWINCH);
}

static void keep_terminal(const struct gosolo_terminal *t)
{
	spin_lock(&terminal.lock);
	terminal.now = *t;
	spin_unlock(&terminal.lock);
}

void hostchan_get_terminal(struct gosolo_terminal *out)
{
	spin_lock(&terminal.lock);
	*out = terminal.now;
	spin_unlock(&terminal.lock);
}

static uint64_t written_bytes(enum hostchan_stream s)
{
	return atomic_load_explicit(&hostchan.written_bytes[s], memory_order_relaxed);
}

int hostchan_set_terminal(const struct gosolo_terminal *t)
{
	struct gosolo_terminal_wish wish = {
		.stdout_bytes = written_bytes(HOSTCHAN_STDOUT),
		.stderr_bytes = written_bytes(HOSTCHAN_STDERR),
		.terminal = *t,
	};
	const struct hostchan_ops *ops = get_ops();
	int err;

	keep_terminal(t);
	err = hostchan_send(GOSOLO_MSG_SET_TERMINAL, &wish, sizeof(wish));
	/* Before anything that is written from now on: the host counts on it. */
	if (!err && ops->await_sent)
		ops->await_sent();
	return err;
}

void hostchan_received(uint16_t type, const void *payload, uint32_t bytes)
{
	uint32_t signo;
	int64_t now_ns;

	if (type == GOSOLO_MSG_TIME && bytes == sizeof(now_ns)) {
		memcpy(&now_ns, payload, sizeof(now_ns));
		if (!follow_received(now_ns))
			clock_set_real_ns(now_ns);
	} else if (type == GOSOLO_MSG_SIGNAL && bytes == sizeof(signo)) {
		memcpy(&signo, payload, sizeof(signo));
		send_signal(signo);
	} else if (type == GOSOLO_MSG_TERMINAL && bytes == sizeof(struct gosolo_terminal)) {
		keep_terminal(payload);
	} else if (type == GOSOLO_MSG_WINSIZE && bytes == 2 * sizeof(uint16_t)) {
		set_window(payload);
	} else {
		log_warn("host: message of type %u with %u bytes is not understood", type, bytes);
	}
}

/* ------------------------------------------------------------------ last words */
struct report {
	uint32_t bytes;
	char text[1024];
};

static void report_send(struct report *r)
{
	if (r->bytes)
		(void)hostchan_send(GOSOLO_MSG_STATS, r->text, r->bytes);
	r->bytes = 0;
}

static void report_line(const char *text, void *arg)
{
	struct report *r = arg;
	uint32_t bytes = (uint32_t)strnlen(text, 256);

	if (r->bytes + bytes + 1 > sizeof(r->text))
		report_send(r);
	memcpy(r->text + r->bytes, text, bytes);
	r->text[r->bytes + bytes] = '\n';
	r->bytes += bytes + 1;
}

static void report_value(struct report *r, const char *name, uint64_t value, const char *unit)
{
	char line[96];

	(void)fmt_snprintf(line, sizeof(line), "%s %llu %s", name, (unsigned long long)value, unit);
	report_line(line, r);
}

static void (*more_report)(void (*line)(const char *text, void *arg), void *arg); /* [I] */

void hostchan_set_report(void (*report)(void (*line)(const char *text, void *arg), void *arg))
{
	more_report = report;
}

static void report_all(void)
{
	struct report r = { .bytes = 0 };

	boot_report(report_line, &r);
	if (more_report)
		more_report(report_line, &r);
	for (int i = 0; i < STAT_COUNT; i++) {
		enum stat s = (enum stat)i;

		report_value(&r, stat_name(s), stat_sum(s), stat_unit(s));
	}
	lock_report(report_line, &r);
	report_value(&r, "memory_total", pmm_total_pages() * PAGE_SIZE, "bytes");
	report_value(&r, "memory_free", pmm_free_pages() * PAGE_SIZE, "bytes");
	report_value(&r, "memory_peak", pmm_peak_pages() * PAGE_SIZE, "bytes");
	report_value(&r, "kernel_heap", kmem_used_bytes(), "bytes");
	report_value(&r, "uptime", clock_now_ns(), "ns");
	report_send(&r);
}

static void finish_without_channel(const struct gosolo_exit *e)
{
	static const char *const kinds[] = {
		[GOSOLO_EXIT_CODE] = "exit code",
		[GOSOLO_EXIT_SIGNAL] = "ended by signal",
		[GOSOLO_EXIT_NO_MEMORY] = "out of memory",
		[GOSOLO_EXIT_KERNEL_FAULT] = "kernel fault",
		[GOSOLO_EXIT_BAD_IMAGE] = "image cannot run",
		[GOSOLO_EXIT_REPORTED] = "stopped by an NMI",
	};
	char line[320];
	int n = fmt_snprintf(line, sizeof(line), "gosolo: %s %u %s\n",
		e->kind < ARRAY_LEN(kinds) ? kinds[e->kind] : "end", e->value, e->text);

	platform_debug_write(line, MIN((size_t)n, sizeof(line) - 1));
}

void hostchan_finish(enum gosolo_exit_kind kind, uint32_t value, const char *text)
{
	struct gosolo_exit e = { .kind = kind, .value = value };
	const struct hostchan_ops *ops = get_ops();

	(void)strlcpy(e.text, text ? text : "", sizeof(e.text));
	if (!ops) {
		finish_without_channel(&e);
		return;
	}
	/* After a fault locks may be held for ever: from its first panic_write on the driver takes
	 * none. */
	if (kind != GOSOLO_EXIT_CODE && kind != GOSOLO_EXIT_SIGNAL)
		hostchan_go_alone();
	else if (options.stats)
		report_all();
	ops->drain(); /* (2) */
	(void)ops->send(GOSOLO_MSG_EXIT, &e, sizeof(e));
	ops->drain();
}
