/*
 * qemu.c: QEMU's argument vector, and QEMU as a child process.
 *
 * What:       a microvm with nothing but what is spelled out: virtio devices on fixed
 *             transports, the debug port for early text, the image by descriptor.
 * Invariants: (1) the child is in a session of its own: the terminal's Ctrl-C is ours to pass on.
 *             (2) the child dies with us (PR_SET_PDEATHSIG).
 * Locking:    none; the command has one thread.
 * Failure:    one line; a child that cannot be executed ends with 127 and says why.
 * Source:     qemu(1) 7.2; docs/system/i386/microvm.rst; prctl(2).
 */
#include "cli/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/gobuild.h"
#include "cli/signals.h"
#include "include/gosolo_abi.h"

#define INSTALL_HINT "apt-get install qemu-system-x86"
#define TAP_QUEUES_MAX 8u /* pairs of queues that the kernel uses at most */
#define TAP_MTU_MIN 68u
#define TAP_MTU_USUAL 1500u

const char *qemu_find(void)
{
	const char *found = gobuild_find_command("qemu-system-x86_64");

	if (!found)
		report_line("qemu-system-x86_64 is not installed: " INSTALL_HINT);
	return found;
}

static void add(struct strvec *argv, const char *option, const char *value)
{
	strvec_add(argv, option);
	strvec_add(argv, value);
}

static void add_port(struct strvec *argv, int fd, int number, const char *id, const char *name)
{
	strvec_add(argv, "-chardev");
	strvec_addf(argv, "socket,id=%s,fd=%d", id, fd);
	strvec_add(argv, "-device");
	strvec_addf(argv, "virtserialport,bus=ports.0,nr=%d,chardev=%s,name=%s", number, id, name);
}

/* A number that Linux tells of a network interface; 0: it does not. */
static unsigned read_interface(const char *name, const char *what)
{
	char *path = mem_format("/sys/class/net/%s/%s", name, what), text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	free(path);
	return (unsigned)strtoul(text, NULL, 0);
}

/* An interface made with multi_queue takes nobody who asks for one queue only. */
static void add_tap(struct strvec *argv, const char *name, uint32_t cpus)
{
	bool is_multi = read_interface(name, "tun_flags") & IFF_MULTI_QUEUE;
	unsigned mtu = read_interface(name, "mtu");
	uint32_t queues = cpus < 2 ? 2 : cpus > TAP_QUEUES_MAX ? TAP_QUEUES_MAX : cpus;
	struct bytebuf device = { 0 };
	char *text = mem_format("virtio-net-device,netdev=n0,bus=virtio-mmio-bus.%d",
		QEMU_SLOT_NET);

	if (is_multi)
		strvec_addf(argv, "tap,id=n0,ifname=%s,script=no,downscript=no,queues=%u", name,
			queues);
	else
		strvec_addf(argv, "tap,id=n0,ifname=%s,script=no,downscript=no", name);
	bytebuf_add(&device, text, strlen(text));
	free(text);
	if (is_multi)
		bytebuf_add(&device, ",mq=on", 6);
	if (mtu >= TAP_MTU_MIN && mtu != TAP_MTU_USUAL) {
		text = mem_format(",host_mtu=%u", mtu);
		bytebuf_add(&device, text, strlen(text));
		free(text);
	}
	bytebuf_add(&device, "", 1);
	add(argv, "-device", (const char *)device.data);
	free(device.data);
}

static void add_network(struct strvec *argv, const struct options *options, uint32_t cpus)
{
	struct bytebuf netdev = { 0 };

	if (options->net == OPTIONS_NET_NONE)
		return;
	strvec_add(argv, "-netdev");
	if (options->net == OPTIONS_NET_TAP) {
		add_tap(argv, options->tap, cpus);
		return;
	}
	bytebuf_add(&netdev, "user,id=n0", 10);
	for (size_t i = 0; i < options->port_count; i++) {
		const struct port_forward *port = &options->ports[i];
		char *text = mem_format(",hostfwd=%s:%s:%u-:%u", port->is_udp ? "udp" : "tcp",
			port->address, port->host, port->guest);

		bytebuf_add(&netdev, text, strlen(text));
	}
	bytebuf_add(&netdev, "", 1);
	strvec_add(argv, (const char *)netdev.data);
	strvec_add(argv, "-device");
	strvec_addf(argv, "virtio-net-device,netdev=n0,bus=virtio-mmio-bus.%d", QEMU_SLOT_NET);
}

static void add_devices(struct strvec *argv, const struct options *options, uint32_t cpus)
{
	add(argv, "-global", "virtio-mmio.force-legacy=false");
	strvec_add(argv, "-device");
	strvec_addf(argv, "virtio-serial-device,id=ports,max_ports=4,bus=virtio-mmio-bus.%d",
		QEMU_SLOT_SERIAL);
	add_port(argv, QEMU_FD_STDIO, 1, "stdio", GOSOLO_PORT_STDIO);
	add_port(argv, QEMU_FD_STDERR, 2, "stderr", GOSOLO_PORT_STDERR);
	add_port(argv, QEMU_FD_CONTROL, 3, "control", GOSOLO_PORT_CONTROL);
	strvec_add(argv, "-chardev");
	strvec_addf(argv, "socket,id=early,fd=%d", QEMU_FD_EARLY);
	strvec_add(argv, "-device");
	strvec_addf(argv, "isa-debugcon,iobase=0x%x,chardev=early", GOSOLO_DEBUG_PORT);
	strvec_add(argv, "-chardev");
	strvec_addf(argv, "socket,id=monitor,fd=%d", QEMU_FD_MONITOR);
	add(argv, "-mon", "chardev=monitor,mode=control");
	add_network(argv, options, cpus);
	strvec_add(argv, "-device");
	strvec_addf(argv, "virtio-rng-device,bus=virtio-mmio-bus.%d", QEMU_SLOT_RNG);
	/* Memory that the program gave up goes back to the host. */
	strvec_add(argv, "-device");
	strvec_addf(argv, "virtio-balloon-device,free-page-reporting=on,bus=virtio-mmio-bus.%d",
		QEMU_SLOT_BALLOON);
}

/* TCG leaves atomics and barriers of the guest's out where there can be one CPU only, and forgets
 * that devices have threads of their own (QEMU's tcg_gen_mb; barriers are back since 8.1, atomics
 * are not): a notification got lost, and with it the network. So there could be a second CPU. */
static void add_cpus(struct strvec *argv, const struct qemu_request *request)
{
	strvec_add(argv, "-smp");
	if (request->cpus == 1 && strcmp(request->accel, "tcg") == 0)
		strvec_add(argv, "1,maxcpus=2,sockets=2");
	else
		strvec_addf(argv, "%u", request->cpus);
}

void qemu_compose(const struct qemu_request *request, struct strvec *argv)
{
	const struct options *options = request->options;

	strvec_add(argv, request->binary);
	add(argv, "-M",
		"microvm,acpi=off,auto-kernel-cmdline=off,pit=off,pic=off,rtc=on,"
		"isa-serial=off");
	add(argv, "-accel", request->accel);
	add(argv, "-cpu", request->cpu_model);
	add_cpus(argv, request);
	strvec_add(argv, "-m");
	strvec_addf(argv, "%uM", request->mem_mib);
	strvec_add(argv, "-nodefaults");
	strvec_add(argv, "-no-user-config");
	/* A guest that ends by itself is held as it is, so that its log can be read. */
	add(argv, "-action", "reboot=shutdown,shutdown=pause");
	add(argv, "-display", "none");
	add(argv, "-bios", "qboot.rom");
	add_devices(argv, options, request->cpus);
	if (options->gdb_port) {
		strvec_add(argv, "-S");
		strvec_add(argv, "-gdb");
		strvec_addf(argv, "tcp:127.0.0.1:%u", options->gdb_port);
	}
	strvec_add(argv, "-kernel");
	strvec_addf(argv, "/dev/fd/%d", QEMU_FD_IMAGE);
	add(argv, "-append", request->cmdline);
	for (size_t i = 0; i < options->vmm_args.count; i++)
		strvec_add(argv, options->vmm_args.items[i]);
}

/* In the child: only calls that are safe there; ends in QEMU or with 127. */
static void become(char *const *argv, const int *fds, int fd_count, int output, pid_t parent)
{
	int high[QEMU_FD_END], nothing = open("/dev/null", O_RDONLY), moved = 0;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* it died before prctl */
	signals_release();
	dup2(nothing, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	/* Out of the way first: a source may have a number that is a destination. */
	for (int i = 0; i < fd_count && moved >= 0; i++)
		moved = high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, QEMU_FD_END);
	for (int i = 0; i < fd_count && moved >= 0; i++)
		moved = dup2(high[i], QEMU_FD_STDIO + i);
	if (moved >= 0)
		execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

pid_t qemu_spawn(char *const *argv, const int *fds, int fd_count, int output)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become(argv, fds, fd_count, output, parent);
	if (pid < 0)
		report_line("%s: cannot be started: %s", argv[0], strerror(errno));
	return pid;
}

static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_=,.:/@%+";

	return *text && text[strspn(text, plain)] == 0;
}

void qemu_print(char *const *argv)
{
	for (size_t i = 0; argv[i]; i++) {
		if (i)
			putchar(' ');
		if (is_plain(argv[i])) {
			fputs(argv[i], stdout);
			continue;
		}
		putchar('\'');
		for (const char *at = argv[i]; *at; at++) {
			if (*at == '\'')
				fputs("'\\''", stdout);
			else
				putchar(*at);
		}
		putchar('\'');
	}
	putchar('\n');
}
