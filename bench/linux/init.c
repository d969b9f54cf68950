/*
 * init.c: what a Linux guest needs before a Go server can run, and nothing more.
 *
 * What:       mounts /dev, /proc and /sys; loads the modules that /modules lists; brings lo up,
 *             and eth0 with 10.0.2.15/24 behind 10.0.2.2; becomes /app. Freestanding, raw system
 *             calls: a baseline must not lose to its own init.
 * Invariants: none.
 * Locking:    none; one thread.
 * Failure:    one line on the console, and on it goes: the measurement then shows it.
 * Source:     netdevice(7), rtentry in linux/route.h.
 */
#include <asm/unistd.h>
#include <linux/if.h>
#include <linux/in.h>
#include <linux/route.h>
#include <linux/sockios.h>

static long call(long number, const void *a, const void *b, const void *c, const void *d, long e)
{
	long result;
	register const void *r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

#define NUM(n) ((const void *)(long)(n))

static long length(const char *s)
{
	long n = 0;

	while (s[n])
		n++;
	return n;
}

static void must(const char *what, long result)
{
	if (result >= 0)
		return;
	call(__NR_write, NUM(1), "init: ", NUM(6), 0, 0);
	call(__NR_write, NUM(1), what, NUM(length(what)), 0, 0);
	call(__NR_write, NUM(1), " failed\n", NUM(8), 0, 0);
}

static void load_modules(void)
{
	static char list[1024];
	long fd = call(__NR_open, "/modules", NUM(0), 0, 0, 0);
	long n = call(__NR_read, NUM(fd), list, NUM(sizeof(list) - 1), 0, 0);
	char *name = list;

	for (char *p = list; p < list + n; p++) {
		if (*p != '\n')
			continue;
		*p = 0;
		fd = call(__NR_open, name, NUM(0), 0, 0, 0);
		must(name, call(__NR_finit_module, NUM(fd), "", NUM(0), 0, 0));
		call(__NR_close, NUM(fd), 0, 0, 0, 0);
		name = p + 1;
	}
}

static void set_name(struct ifreq *r, const char *name)
{
	for (long i = 0; i <= length(name); i++)
		r->ifr_name[i] = name[i];
}

static void bring_up(long fd, const char *name)
{
	static struct ifreq r;

	set_name(&r, name);
	must(name, call(__NR_ioctl, NUM(fd), NUM(SIOCGIFFLAGS), &r, 0, 0));
	r.ifr_flags |= IFF_UP;
	must(name, call(__NR_ioctl, NUM(fd), NUM(SIOCSIFFLAGS), &r, 0, 0));
}

static void fill(struct sockaddr *to, unsigned int address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = __builtin_bswap32(address);
}

static void set_up_network(void)
{
	static struct ifreq r;
	static struct rtentry route;
	long fd = call(__NR_socket, NUM(AF_INET), NUM(2), NUM(0), 0, 0);

	set_name(&r, "eth0");
	bring_up(fd, "lo");
	fill(&r.ifr_addr, 0x0a00020f);
	must("address", call(__NR_ioctl, NUM(fd), NUM(SIOCSIFADDR), &r, 0, 0));
	fill(&r.ifr_addr, 0xffffff00);
	must("mask", call(__NR_ioctl, NUM(fd), NUM(SIOCSIFNETMASK), &r, 0, 0));
	bring_up(fd, "eth0");
	fill(&route.rt_dst, 0);
	fill(&route.rt_genmask, 0);
	fill(&route.rt_gateway, 0x0a000202);
	route.rt_flags = RTF_UP | RTF_GATEWAY;
	must("route", call(__NR_ioctl, NUM(fd), NUM(SIOCADDRT), &route, 0, 0));
	call(__NR_close, NUM(fd), 0, 0, 0, 0);
}

void start(void)
{
	static const char *argv[] = { "/app", 0 };
	static const char *envp[] = { "HOME=/", 0 };

	must("/dev", call(__NR_mount, "dev", "/dev", "devtmpfs", 0, 0));
	must("/proc", call(__NR_mount, "proc", "/proc", "proc", 0, 0));
	must("/sys", call(__NR_mount, "sys", "/sys", "sysfs", 0, 0));
	load_modules();
	set_up_network();
	must("/app", call(__NR_execve, argv[0], argv, envp, 0, 0));
	for (;;)
		call(__NR_pause, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tand $-16, %rsp\n\tcall start\n");
