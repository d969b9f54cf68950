/*
 * channel.c: the host's side of a running machine.
 *
 * What:       one poll loop over the ports, our own standard files, signals and QEMU's end.
 *             RUNNING -> FINISHING [an exit record came] -> done [ports are empty]. A run that is
 *             over its time, or whose guest died, goes through enum stage for last words.
 *             Everything else that ends a run goes straight to done.
 * Invariants: (1) output is read from a port only when there is room, so a slow reader slows the
 *             program and nothing is lost. (2) QEMU is dead when channel_run returns.
 * Locking:    none; the command has one thread.
 * Failure:    see enum channel_end.
 * Source:     include/gosolo_abi.h; pidfd_open(2).
 */
#include "cli/channel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/logring.h"
#include "cli/pump.h"
#include "cli/qmp.h"
#include "cli/signals.h"
#include "cli/terminal.h"

enum {
	VMM_TEXT_MAX = 16 * 1024,
	BACKGROUND_POLL_MS = 300, /* how often we look whether the terminal is ours again */
	TWIN_MS = 5, /* timeout(1) sends a signal to its child and to the group, at once */
	TWIN_GRACE_MS = 5000,
	LAST_WORDS_MS = 3000, /* for each of the ways to learn why a run is stuck */
};

/* A run that is over its time, or a guest that ended without a word. */
enum stage { STAGE_RUNNING, STAGE_QUIT, STAGE_NMI, STAGE_MEMORY };

enum slot {
	STDIN,
	STDOUT,
	STDERR,
	IO_PORT,
	ERR_PORT,
	CONTROL,
	EARLY,
	VMM,
	MONITOR,
	SIGNALS,
	PROCESS,
	SLOTS
};

static struct {
	const struct channel_ends *ends;
	struct channel_result *result;
	struct klog *log;
	struct control control;
	struct qmp monitor;
	enum stage stage;
	enum channel_end late_end; /* how the run ends when the last stage is over */
	uint64_t stage_end_ns;
	struct pump in, out, err;
	struct pollfd polls[SLOTS];
	int signal_fd;
	int process_fd;
	uint64_t first_ns[32]; /* when a signal came first; 0: not yet */
	uint64_t kill_ns; /* end the machine then, unless it has ended; 0: never */
	bool is_done;
	bool has_vmm_ended;
	bool has_sent_eof;
	bool is_terminal_in;
	uint64_t deadline_ns; /* 0: none */
} channel;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void finish(enum channel_end end)
{
	if (channel.is_done)
		return;
	channel.is_done = true;
	channel.result->end = end;
}

static void send_window_size(void)
{
	struct winsize size;
	uint16_t payload[2];

	if (!terminal_window(&size))
		return;
	payload[0] = size.ws_row;
	payload[1] = size.ws_col;
	control_send(&channel.control, GOSOLO_MSG_WINSIZE, payload, sizeof(payload));
}

/* Ctrl-Z stops the machine with us, and fg wakes both. */
static void stop_both(void)
{
	kill(channel.ends->pid, SIGSTOP);
	terminal_leave();
	signals_stop_self();
	terminal_enter();
	kill(channel.ends->pid, SIGCONT);
}

/* The second ends the machine at once; one on the heels of the first may be its twin, so the
 * program has time for an orderly end. */
static void take_second(uint32_t number)
{
	uint64_t now = now_ns();

	channel.result->number = (int)number;
	if (now - channel.first_ns[number] >= TWIN_MS * 1000000ull)
		finish(CHANNEL_KILLED);
	else
		channel.kill_ns = now + TWIN_GRACE_MS * 1000000ull;
}

static void take_signal(void)
{
	uint32_t number = signals_take(channel.signal_fd);

	if (!number)
		return;
	if (number == SIGWINCH) {
		send_window_size();
	} else if (number == SIGTSTP) {
		stop_both();
	} else if ((number == SIGINT || number == SIGTERM) && channel.first_ns[number]) {
		take_second(number);
	} else {
		channel.first_ns[number & 31] = now_ns();
		control_send(&channel.control, GOSOLO_MSG_SIGNAL, &number, sizeof(number));
	}
}

static void read_early(void)
{
	char text[1024];
	ssize_t n = recv(channel.ends->early_fd, text, sizeof(text), MSG_DONTWAIT);

	if (n > 0)
		klog_add_early(channel.log, text, (size_t)n);
	else if (n == 0)
		channel.polls[EARLY].fd = -1;
}

static void read_vmm(void)
{
	struct bytebuf *text = &channel.result->vmm_text;
	char piece[1024];
	ssize_t n = recv(channel.ends->vmm_fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n == 0)
		channel.polls[VMM].fd = -1;
	if (n <= 0)
		return;
	if (text->len > VMM_TEXT_MAX)
		bytebuf_drop(text, text->len / 2);
	bytebuf_add(text, piece, (size_t)n);
}

static void want(enum slot slot, int fd, bool readable, bool writable)
{
	short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));

	channel.polls[slot].fd = events ? fd : -1;
	channel.polls[slot].events = events;
	channel.polls[slot].revents = 0;
}

/* The shorter of timeout_ms (-1: none) and the time until at_ns (0: none). */
static int sooner(int timeout_ms, uint64_t at_ns)
{
	uint64_t now = now_ns(), left_ms = now < at_ns ? (at_ns - now) / 1000000 + 1 : 0;

	if (!at_ns || (timeout_ms >= 0 && (uint64_t)timeout_ms <= left_ms))
		return timeout_ms;
	return left_ms > 1u << 30 ? 1 << 30 : (int)left_ms;
}

static bool wants_control(void)
{
	return !channel.control.is_ended && !channel.control.has_exit &&
		!channel.control.has_terminal && !channel.log->copy.len;
}

static int prepare_poll(void)
{
	const struct channel_ends *ends = channel.ends;
	bool wants_stdin = pump_wants_read(&channel.in) && !channel.control.has_exit;
	int timeout_ms = -1;

	if (wants_stdin && channel.is_terminal_in && !terminal_is_ours(STDIN_FILENO)) {
		wants_stdin = false;
		timeout_ms = BACKGROUND_POLL_MS;
	}
	want(STDIN, STDIN_FILENO, wants_stdin, false);
	want(STDOUT, channel.out.to, false, pump_wants_write(&channel.out));
	want(STDERR, channel.err.to, false, pump_wants_write(&channel.err));
	want(IO_PORT, ends->stdio_fd, pump_wants_read(&channel.out), pump_wants_write(&channel.in));
	want(ERR_PORT, ends->stderr_fd, pump_wants_read(&channel.err), false);
	want(CONTROL, ends->control_fd, wants_control(), control_wants_write(&channel.control));
	want(MONITOR, ends->monitor_fd, !channel.monitor.is_ended, false);
	timeout_ms = sooner(timeout_ms,
		channel.stage == STAGE_RUNNING ? channel.deadline_ns : channel.stage_end_ns);
	return sooner(timeout_ms, channel.kill_ns);
}

static bool is_ready(enum slot slot, short events)
{
	return channel.polls[slot].fd >= 0 && (channel.polls[slot].revents & events);
}

/* What the program wrote before it set its terminal is shown by the settings of then. */
static void hold_output(void)
{
	if (!channel.control.has_terminal)
		return;
	pump_hold(&channel.out, channel.control.terminal.stdout_bytes);
	pump_hold(&channel.err, channel.control.terminal.stderr_bytes);
}

/* All messages that are there now. */
static void read_control(void)
{
	size_t left = pump_waiting_bytes(channel.ends->control_fd), n = 1;

	while (wants_control() && n && left) {
		n = control_read(&channel.control);
		left -= n < left ? n : left;
	}
}

/* Output is measured, then messages are read, then no more output than that: so a setting of the
 * terminal is known before what the program wrote after it is read. */
static void read_ports(void)
{
	const short in = POLLIN | POLLHUP | POLLERR | POLLNVAL;
	size_t out_bytes = pump_waiting_bytes(channel.ends->stdio_fd);
	size_t err_bytes = pump_waiting_bytes(channel.ends->stderr_fd);

	read_control();
	hold_output();
	if (is_ready(IO_PORT, in) && pump_wants_read(&channel.out))
		pump_read(&channel.out, out_bytes);
	if (is_ready(ERR_PORT, in) && pump_wants_read(&channel.err))
		pump_read(&channel.err, err_bytes);
}

static void move_bytes(void)
{
	const short in = POLLIN | POLLHUP | POLLERR | POLLNVAL, out = POLLOUT | POLLERR | POLLNVAL;

	if (is_ready(STDOUT, out))
		pump_write(&channel.out);
	if (is_ready(STDERR, out))
		pump_write(&channel.err);
	if (is_ready(IO_PORT, out) && pump_wants_write(&channel.in))
		pump_write(&channel.in);
	read_ports();
	if (is_ready(STDIN, in))
		pump_read(&channel.in, PUMP_BYTES);
	if (is_ready(CONTROL, out) && control_wants_write(&channel.control))
		control_write(&channel.control);
	if (is_ready(EARLY, in))
		read_early();
	if (is_ready(VMM, in))
		read_vmm();
	if (is_ready(MONITOR, in))
		qmp_read(&channel.monitor);
	if (is_ready(SIGNALS, in))
		take_signal();
}

/* Log lines that are shown go the way of the program's own, so that they wait for a slow reader,
 * and the guest with them. */
static void show_log(void)
{
	struct bytebuf *copy = &channel.log->copy;
	size_t room = pump_room(&channel.err), bytes = copy->len < room ? copy->len : room;

	if (!bytes)
		return;
	pump_add(&channel.err, copy->data, bytes);
	bytebuf_drop(copy, bytes);
}

/* Nothing that is held back for the terminal's sake is left, and nothing that was promised before
 * it is still to come: of a guest that has ended nothing is. */
static bool may_set_terminal(const struct pump *pump)
{
	return pump_is_held_empty(pump) ||
		(channel.monitor.guest_has_ended && pump_is_drained(pump));
}

static void set_terminal(void)
{
	if (!channel.control.has_terminal)
		return;
	if (!may_set_terminal(&channel.out) || !may_set_terminal(&channel.err))
		return;
	terminal_set(&channel.control.terminal.terminal);
	pump_release(&channel.out);
	pump_release(&channel.err);
	control_terminal_is_set(&channel.control);
}

static void send_eof(void)
{
	uint64_t total = channel.in.total_bytes;

	if (!channel.in.is_ended || pump_wants_write(&channel.in) || channel.has_sent_eof)
		return;
	channel.has_sent_eof = true;
	control_send(&channel.control, GOSOLO_MSG_EOF, &total, sizeof(total));
}

static void judge_output(const struct pump *pump)
{
	/* A closed descriptor swallows output, as it does for any program. */
	if (!pump->error || pump->error == EBADF)
		return;
	channel.result->number = pump->error;
	finish(CHANNEL_OUTPUT_FAILED);
}

/* ------------------------------------------------------------------ last words */
static void enter_stage(enum stage stage)
{
	uint32_t quit = SIGQUIT;

	channel.stage = stage;
	channel.stage_end_ns = now_ns() + LAST_WORDS_MS * 1000000ull;
	if (stage == STAGE_QUIT)
		control_send(&channel.control, GOSOLO_MSG_SIGNAL, &quit, sizeof(quit));
	else if (stage == STAGE_NMI)
		qmp_inject_nmi(&channel.monitor);
	else
		qmp_save_memory(&channel.monitor, channel.ends->log_pa, channel.ends->log_bytes,
			channel.ends->memory_vmm_fd);
}

static bool can_ask_monitor(void)
{
	return channel.monitor.is_ready && !channel.monitor.is_ended;
}

static void next_stage(void)
{
	if (channel.stage < STAGE_QUIT && channel.control.has_hello &&
		channel.late_end == CHANNEL_TIMEOUT)
		enter_stage(STAGE_QUIT);
	else if (channel.stage < STAGE_NMI && can_ask_monitor() &&
		channel.late_end == CHANNEL_TIMEOUT)
		enter_stage(STAGE_NMI);
	else if (channel.stage < STAGE_MEMORY && can_ask_monitor() && channel.ends->log_pa)
		enter_stage(STAGE_MEMORY);
	else
		finish(channel.late_end);
}

/* The guest has ended by itself, a stage is over, or its time is. That it has ended comes by
 * another way than its last messages, and may be heard before them. */
static void judge_late(bool is_drained)
{
	if (channel.stage == STAGE_RUNNING && channel.monitor.guest_has_ended &&
		!channel.control.has_exit && control_is_drained(&channel.control)) {
		channel.late_end = CHANNEL_GUEST_ENDED;
		next_stage();
		return;
	}
	if (channel.stage == STAGE_RUNNING)
		return;
	if (channel.control.has_exit && is_drained)
		finish(channel.late_end);
	if (channel.stage == STAGE_MEMORY && channel.monitor.has_answered) {
		logring_take_file(channel.log, channel.ends->memory_fd, channel.ends->log_bytes);
		finish(channel.late_end);
	}
	if (now_ns() >= channel.stage_end_ns)
		next_stage();
}

static void judge(void)
{
	bool is_drained = pump_is_drained(&channel.out) && pump_is_drained(&channel.err) &&
		!channel.log->copy.len;

	if (is_ready(PROCESS, POLLIN)) {
		channel.has_vmm_ended = true;
		channel.polls[PROCESS].fd = -1;
	}
	judge_output(&channel.out);
	judge_output(&channel.err);
	if (channel.control.error) {
		channel.result->error = channel.control.error;
		finish(CHANNEL_PROTOCOL);
	}
	judge_late(is_drained);
	if (channel.control.has_exit && is_drained)
		finish(CHANNEL_EXIT);
	/* QEMU's end counts once everything that it had sent is read. */
	if (channel.has_vmm_ended && !channel.control.has_exit && channel.control.is_ended &&
		is_drained)
		finish(CHANNEL_VMM_ENDED);
	if (channel.stage == STAGE_RUNNING && channel.deadline_ns &&
		now_ns() >= channel.deadline_ns) {
		channel.late_end = CHANNEL_TIMEOUT;
		next_stage();
	}
	if (channel.kill_ns && now_ns() >= channel.kill_ns)
		finish(CHANNEL_KILLED);
}

static void end_machine(void)
{
	int status = 0;

	if (channel.result->end != CHANNEL_VMM_ENDED)
		kill(channel.ends->pid, SIGKILL);
	while (waitpid(channel.ends->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	channel.result->wait_status = status;
	while (channel.polls[EARLY].fd >= 0 &&
		recv(channel.ends->early_fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		read_early();
	while (channel.polls[VMM].fd >= 0 &&
		recv(channel.ends->vmm_fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		read_vmm();
}

static void start(const struct channel_ends *ends, struct klog *log, uint64_t timeout_ns)
{
	struct gosolo_terminal terminal = { 0 };

	channel.ends = ends;
	channel.log = log;
	channel.deadline_ns = timeout_ns ? now_ns() + timeout_ns : 0;
	control_init(&channel.control, ends->control_fd, log);
	qmp_init(&channel.monitor, ends->monitor_fd);
	pump_init(&channel.in, STDIN_FILENO, ends->stdio_fd);
	pump_init(&channel.out, ends->stdio_fd, STDOUT_FILENO);
	pump_init(&channel.err, ends->stderr_fd, STDERR_FILENO);
	channel.is_terminal_in = isatty(STDIN_FILENO) == 1;
	channel.signal_fd = signals_open();
	channel.process_fd = pidfd_open(ends->pid, 0);
	want(EARLY, ends->early_fd, true, false);
	want(VMM, ends->vmm_fd, true, false);
	want(SIGNALS, channel.signal_fd, true, false);
	want(PROCESS, channel.process_fd, true, false);
	if (channel.signal_fd < 0 || channel.process_fd < 0) {
		channel.result->error = strerror(errno);
		finish(CHANNEL_PROTOCOL);
	}
	if (terminal_begin(&terminal))
		control_send(&channel.control, GOSOLO_MSG_TERMINAL, &terminal, sizeof(terminal));
	send_window_size();
}

void channel_run(const struct channel_ends *ends, struct klog *log, uint64_t timeout_ns,
	struct channel_result *result)
{
	*result = (struct channel_result){ 0 };
	channel.result = result;
	start(ends, log, timeout_ns);
	while (!channel.is_done) {
		int timeout_ms = prepare_poll();

		if (poll(channel.polls, SLOTS, timeout_ms) < 0 && errno != EINTR) {
			result->error = strerror(errno);
			finish(CHANNEL_PROTOCOL);
		}
		move_bytes();
		set_terminal();
		show_log();
		send_eof();
		judge();
	}
	end_machine();
	terminal_leave();
	signals_drop();
	result->has_hello = channel.control.has_hello;
	result->has_exit = channel.control.has_exit;
	result->exit = channel.control.exit;
	result->stats = channel.control.stats;
}
