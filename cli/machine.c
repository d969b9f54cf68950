/*
 * machine.c: boots an image and gives back how the program ended.
 *
 * What:       composes the kernel's command line and QEMU's, connects five sockets, runs the
 *             channel and turns its result into an exit code and, on failure, a report.
 * Invariants: (1) no file is left: images that were packed for this run live in memory.
 *             (2) standard error gets something of ours only on failure (or when asked for).
 * Locking:    none; the command has one thread.
 * Failure:    125 and one line, then the kernel's log and QEMU's words where they help.
 * Source:     include/gosolo_abi.h; docs/command-line.md.
 */
#include "cli/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/accel.h"
#include "cli/channel.h"
#include "cli/gdb.h"
#include "cli/kcmdline.h"
#include "cli/qemu.h"
#include "cli/signals.h"
#include "cli/stats.h"

enum {
	MEM_MIB_DEFAULT = 256,
	MEM_MIB_BESIDE = 192,
	LOG_BYTES_MAX = 1 << 20,
	MEM_MIB_SPARE = 4, /* what even the smallest program needs beside its image */
	REPORT_S = 3,
	SOCKETS = 6, /* the four ports, QEMU's own output, its monitor */
	DESCRIPTORS_LEAST = 40, /* ours and QEMU's, without connections to published ports */
};

/* As many as may be: QEMU needs one for each connection to a published port. */
static int get_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* else it stays as it is */
	if (limit.rlim_max >= DESCRIPTORS_LEAST)
		return 0;
	return report_fail(GOSOLO_CODE_FAILED,
		"a machine takes %d open files, and only %llu are allowed: raise that (ulimit -n)",
		DESCRIPTORS_LEAST, (unsigned long long)limit.rlim_max);
}

static int check_port(const struct port_forward *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port->host) };
	int fd = socket(AF_INET, (port->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int on = 1, code = 0;

	if (port->address[0])
		inet_pton(AF_INET, port->address, &address.sin_addr);
	if (!port->is_udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		(!port->is_udp && listen(fd, 1) != 0))
		code = report_fail(GOSOLO_CODE_FAILED, "-p: port %u of this machine: %s",
			port->host, errno == EADDRINUSE ? "in use already" : strerror(errno));
	close(fd);
	return code;
}

/* QEMU would make one as root, that leads nowhere. */
static int check_tap(const char *name)
{
	char *path = mem_format("/sys/class/net/%s/tun_flags", name);
	bool is_there = access(path, F_OK) == 0;

	free(path);
	if (is_there)
		return 0;
	return report_fail(GOSOLO_CODE_FAILED,
		"--net tap=%s: there is no such tap interface; ip tuntap add %s mode tap", name,
		name);
}

int machine_check(const struct options *options)
{
	struct port_forward gdb = { .address = "127.0.0.1", .host = (uint16_t)options->gdb_port };
	int code = get_descriptors();

	if (!code && options->gdb_port)
		code = check_port(&gdb);
	for (size_t i = 0; !code && i < options->port_count; i++)
		code = check_port(&options->ports[i]);
	if (!code && options->net == OPTIONS_NET_TAP)
		code = check_tap(options->tap);
	return code;
}

int machine_create_file(void)
{
	int fd = memfd_create("gosolo-image", MFD_CLOEXEC);

	if (fd < 0)
		report_line("no memory for the image: %s", strerror(errno));
	return fd;
}

static void add_terminals(struct bytebuf *line)
{
	char digits[4] = "";
	size_t count = 0;

	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd) == 1)
			digits[count++] = (char)('0' + fd);
	if (count)
		kcmdline_add(line, "tty", digits);
}

static void add_transport(struct bytebuf *line, enum qemu_transport slot)
{
	char *words = mem_format("virtio_mmio.device=%d@0x%llx:%d", QEMU_MMIO_BYTES,
		QEMU_MMIO_BASE + (unsigned)slot * QEMU_MMIO_BYTES, QEMU_MMIO_IRQ + (int)slot);

	kcmdline_add_raw(line, words);
	free(words);
}

static void add_network(struct bytebuf *line, const struct options *options)
{
	bool is_user = options->net == OPTIONS_NET_USER;

	if (options->net == OPTIONS_NET_NONE) {
		kcmdline_add(line, "ip", "none");
		return;
	}
	add_transport(line, QEMU_SLOT_NET);
	/* What QEMU's user network would hand out by DHCP, without the time that takes. */
	kcmdline_add(line, "ip", options->ip ? options->ip : is_user ? "10.0.2.15/24" : "dhcp");
	if (options->gw || (is_user && !options->ip))
		kcmdline_add(line, "gw", options->gw ? options->gw : "10.0.2.2");
	for (size_t i = 0; i < options->ip6.count; i++)
		kcmdline_add(line, "ip6", options->ip6.items[i]);
	if (options->gw6)
		kcmdline_add(line, "gw6", options->gw6);
	for (size_t i = 0; i < options->dns.count; i++)
		kcmdline_add(line, "dns", options->dns.items[i]);
	if (is_user && !options->ip && !options->dns.count)
		kcmdline_add(line, "dns", "10.0.2.3");
}

static char *compose_line(const struct machine_request *request)
{
	const struct options *options = request->options;
	struct bytebuf line = { 0 };

	add_terminals(&line);
	add_transport(&line, QEMU_SLOT_SERIAL);
	add_network(&line, options);
	add_transport(&line, QEMU_SLOT_RNG);
	add_transport(&line, QEMU_SLOT_BALLOON);
	/* QEMU's RAM is anonymous memory, and microvm's firmware keeps below 1 MiB. What is
	 * added by hand may load something into RAM, or take it from a file. */
	if (!options->vmm_args.count)
		kcmdline_add(&line, "ram", "zero");
	if (options->log_level)
		kcmdline_add(&line, "log", options->log_level);
	if (options->strace)
		kcmdline_add(&line, "strace", options->strace[0] ? options->strace : NULL);
	if (options->has_stats)
		kcmdline_add(&line, "stats", NULL);
	if (request->arg0)
		kcmdline_add(&line, "arg0", request->arg0);
	if (request->cwd)
		kcmdline_add(&line, "cwd", request->cwd);
	for (size_t i = 0; i < options->kernel_args.count; i++)
		kcmdline_add_raw(&line, options->kernel_args.items[i]);
	for (size_t i = 0; i < options->env.count; i++)
		kcmdline_add(&line, "env", options->env.items[i]);
	if (request->args[0])
		kcmdline_add_raw(&line, "--");
	for (size_t i = 0; request->args[i]; i++)
		kcmdline_add(&line, request->args[i], NULL);
	return kcmdline_finish(&line);
}

/* 256 MiB, or what leaves a big image enough beside itself. */
static uint32_t default_memory(const struct gosolo_image *image)
{
	uint64_t roomy_mib = (image->image_end >> 20) + MEM_MIB_BESIDE;

	return roomy_mib > MEM_MIB_DEFAULT ? (uint32_t)roomy_mib : MEM_MIB_DEFAULT;
}

static int check_memory(const struct machine_request *request, uint32_t mem_mib)
{
	uint64_t needed_mib = ((request->image->image_end + (1 << 20) - 1) >> 20) + MEM_MIB_SPARE;

	if (mem_mib >= needed_mib)
		return 0;
	return report_fail(GOSOLO_CODE_FAILED,
		"%s: too big for %u MiB of memory; give it more: -m %lluM or above", request->name,
		mem_mib, (unsigned long long)needed_mib);
}

/* Where the guest's log lies in its memory; an image that says something odd has none. */
static void find_log(const struct gosolo_image *image, struct channel_ends *ends)
{
	bool is_sound = image->log_bytes <= LOG_BYTES_MAX && image->log_pa <= image->image_end;

	ends->log_pa = is_sound ? image->log_pa : 0;
	ends->log_bytes = is_sound ? image->log_bytes : 0;
}

/* Connections: ours[i] to theirs[i]. */
static int start_machine(const struct machine_request *request, char *const *argv,
	struct channel_ends *ends)
{
	int ours[SOCKETS], theirs[SOCKETS], memory_fd = machine_create_file();

	for (int i = 0; i < SOCKETS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
			return report_fail(GOSOLO_CODE_FAILED, "no socket pair: %s",
				strerror(errno));
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	if (memory_fd < 0)
		return GOSOLO_CODE_FAILED;
	*ends = (struct channel_ends){
		.stdio_fd = ours[0],
		.stderr_fd = ours[1],
		.control_fd = ours[2],
		.early_fd = ours[3],
		.vmm_fd = ours[4],
		.monitor_fd = ours[5],
		.memory_fd = memory_fd,
		.memory_vmm_fd = QEMU_FD_MEMORY,
	};
	find_log(request->image, ends);
	/* In the order of enum qemu_fd. */
	int fds[] = { theirs[0], theirs[1], theirs[2], theirs[3], request->image_fd, theirs[5],
		memory_fd };

	ends->pid = qemu_spawn(argv, fds, (int)(sizeof(fds) / sizeof(fds[0])), theirs[4]);
	for (int i = 0; i < SOCKETS; i++)
		close(theirs[i]);
	return ends->pid > 0 ? 0 : GOSOLO_CODE_FAILED;
}

static void print_vmm_text(const struct channel_result *result)
{
	static const char heading[] = "--- QEMU's own words:\n";

	if (!result->vmm_text.len)
		return;
	report_text(heading, sizeof(heading) - 1);
	report_text(result->vmm_text.data, result->vmm_text.len);
}

static int fail_with_log(const char *name, const char *what, const struct klog *log,
	const struct channel_result *result)
{
	report_line("%s: %s", name, what);
	klog_print_tail(log);
	print_vmm_text(result);
	return GOSOLO_CODE_FAILED;
}

static int end_by_exit(const struct machine_request *request, const struct klog *log,
	const struct channel_result *result)
{
	const struct gosolo_exit *end = &result->exit;
	const char *colon = end->text[0] ? ": " : "";
	char what[512];

	switch (end->kind) {
	case GOSOLO_EXIT_CODE:
		return (int)(end->value & 255);
	case GOSOLO_EXIT_SIGNAL:
		return 128 + (int)(end->value & 127);
	case GOSOLO_EXIT_NO_MEMORY:
		snprintf(what, sizeof(what),
			"the machine is out of memory%s%s; give it more with -m", colon, end->text);
		break;
	case GOSOLO_EXIT_KERNEL_FAULT:
		snprintf(what, sizeof(what), "the kernel failed%s%s", colon, end->text);
		break;
	case GOSOLO_EXIT_BAD_IMAGE:
		snprintf(what, sizeof(what), "the image cannot run on this machine%s%s", colon,
			end->text);
		break;
	case GOSOLO_EXIT_REPORTED:
		snprintf(what, sizeof(what), "the machine was stopped by an NMI");
		break;
	default:
		snprintf(what, sizeof(what), "ended in a way this command does not know (%u)",
			end->kind);
	}
	return fail_with_log(request->name, what, log, result);
}

/* QEMU refused to start and says why in one line: that is the report. */
static bool is_plain_refusal(const struct channel_result *result, const struct klog *log)
{
	const struct bytebuf *text = &result->vmm_text;
	const uint8_t *end = text->len ? memchr(text->data, '\n', text->len) : NULL;

	return !result->has_hello && log->tail_len == 0 && WIFEXITED(result->wait_status) &&
		WEXITSTATUS(result->wait_status) && end && end + 1 == text->data + text->len;
}

static int end_without_record(const struct machine_request *request, const struct klog *log,
	const struct channel_result *result)
{
	const char *hello = result->has_hello ? "" : " before the kernel said hello";
	int status = result->wait_status;
	char what[256];

	if (is_plain_refusal(result, log))
		return report_fail(GOSOLO_CODE_FAILED, "%s: the machine did not start: %.*s",
			request->name, (int)result->vmm_text.len - 1,
			(const char *)result->vmm_text.data);
	if (result->end == CHANNEL_GUEST_ENDED)
		snprintf(what, sizeof(what), "the machine ended%s without saying how", hello);
	else if (WIFSIGNALED(status))
		snprintf(what, sizeof(what), "the machine ended%s (QEMU died by signal %d: %s)",
			hello, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		snprintf(what, sizeof(what), "the machine ended%s (QEMU's exit status %d)", hello,
			WEXITSTATUS(status));
	else
		snprintf(what, sizeof(what), "the machine ended%s without saying how", hello);
	return fail_with_log(request->name, what, log, result);
}

static int end_by_timeout(const struct machine_request *request, const struct klog *log,
	const struct channel_result *result)
{
	double seconds = (double)request->options->timeout_ns / 1e9;
	bool has_report = result->has_exit && result->exit.kind == GOSOLO_EXIT_REPORTED;
	char what[256];

	/* SIGQUIT was enough: the program has shown its goroutines, or ended as it likes. */
	if (result->has_exit && !has_report)
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: not finished after %g s (--timeout): stopped by SIGQUIT",
			request->name, seconds);
	if (!result->has_hello)
		snprintf(what, sizeof(what),
			"the kernel has not said hello after %g s (--timeout): stopped", seconds);
	else
		snprintf(what, sizeof(what),
			"not finished after %g s (--timeout), and SIGQUIT does not end it: "
			"stopped%s",
			seconds, has_report ? "; every thread is in the log" : "");
	return fail_with_log(request->name, what, log, result);
}

static void print_stats(const struct channel_result *result)
{
	struct bytebuf text = { 0 };

	if (result->stats.len)
		stats_format(&result->stats, &text);
	report_text(text.data, text.len);
	free(text.data);
}

static volatile sig_atomic_t impatient_code;

static void leave(int number)
{
	(void)number;
	_exit(impatient_code);
}

/* A run that was to be stopped ends soon, also when nobody takes the report of it. */
static void be_impatient(int code)
{
	impatient_code = code;
	signal(SIGALRM, leave);
	alarm(REPORT_S);
}

static int conclude(const struct machine_request *request, const struct klog *log,
	const struct channel_result *result)
{
	char what[256];

	if (result->end == CHANNEL_TIMEOUT)
		be_impatient(GOSOLO_CODE_FAILED);
	else if (result->end == CHANNEL_KILLED)
		be_impatient(128 + result->number);
	print_stats(result);
	switch (result->end) {
	case CHANNEL_EXIT:
		return end_by_exit(request, log, result);
	case CHANNEL_VMM_ENDED:
	case CHANNEL_GUEST_ENDED:
		return end_without_record(request, log, result);
	case CHANNEL_TIMEOUT:
		return end_by_timeout(request, log, result);
	case CHANNEL_KILLED:
		report_line("%s: stopped at the second %s", request->name,
			strsignal(result->number));
		return 128 + result->number;
	case CHANNEL_OUTPUT_FAILED:
		if (result->number == EPIPE)
			return 128 + SIGPIPE; /* as any program whose reader has gone */
		return report_fail(GOSOLO_CODE_FAILED, "%s: its output cannot be written: %s",
			request->name, strerror(result->number));
	case CHANNEL_PROTOCOL:
		break;
	}
	snprintf(what, sizeof(what), "the channel to the machine failed: %s", result->error);
	return fail_with_log(request->name, what, log, result);
}

static void announce(const struct machine_request *request, const struct accel_choice *choice,
	struct klog *log)
{
	const struct options *options = request->options;

	if (choice->why[0]) {
		klog_note(log, "%s: using TCG, which is slower", choice->why);
		report_progress("%s: using TCG, which is slower", choice->why);
	}
	if (options->gdb_port)
		gdb_announce(request->image_fd, options->kernel, options->gdb_port);
}

int machine_run(const struct machine_request *request)
{
	const struct options *options = request->options;
	struct accel_choice choice;
	struct channel_result result;
	struct channel_ends ends;
	struct strvec argv = { 0 };
	struct klog log;
	struct qemu_request qemu = {
		.binary = request->qemu,
		.options = options,
		.mem_mib = options->mem_mib ? options->mem_mib : request->image->default_mem_mib,
		.cpus = options->cpus ? options->cpus : request->image->default_cpus,
	};
	int code = accel_choose(options->accel, request->qemu, &choice);

	if (code)
		return code;
	qemu.mem_mib = qemu.mem_mib ? qemu.mem_mib : default_memory(request->image);
	qemu.cpus = qemu.cpus ? qemu.cpus : 1;
	qemu.accel = choice.accel;
	qemu.cpu_model = choice.cpu_model;
	qemu.cmdline = compose_line(request);
	if (strlen(qemu.cmdline) > GOSOLO_CMDLINE_BYTES_MAX)
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: arguments and environment are too long: %zu bytes, %u at most",
			request->name, strlen(qemu.cmdline), GOSOLO_CMDLINE_BYTES_MAX);
	qemu_compose(&qemu, &argv);
	code = check_memory(request, qemu.mem_mib);
	if (code)
		return code;
	if (options->is_dry_run) {
		qemu_print(argv.items);
		return 0;
	}
	code = klog_open(&log, options->log);
	if (code)
		return code;
	log.copies_to_stderr = options->strace && !options->log;
	announce(request, &choice, &log);
	signals_hold();
	code = start_machine(request, argv.items, &ends);
	if (!code)
		channel_run(&ends, &log, options->timeout_ns, &result);
	klog_flush_copy(&log);
	return code ? code : conclude(request, &log, &result);
}
