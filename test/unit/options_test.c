/* sources: lib/ip_text.c lib/fmt.c lib/number.c kernel/options.c
 * test/unit/shim/host.c test/unit/shim/host_kmem.c */
/*
 * options_test.c: the kernel's command line, well-formed and not.
 *
 * What:       every word of the syntax, defaults before the line, escapes, what must be refused,
 *             and random text (ASan watches).
 * Invariants: (1) a word that is not understood is one log line and changes nothing.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     include/gosolo_abi.h, "kernel command line".
 */
#include "base/units.h"
#include "kernel/options.h"

#include <string.h>

#include "base/errno.h"
#include "host.h"
#include "kernel/image.h"
#include "kernel/log.h"

const struct gosolo_image gosolo_image = { .program = "prog" };

static struct options pristine;
static unsigned complaints;
static int level_set;

void klog(enum gosolo_log_level level, const char *format, ...)
{
	(void)format;
	CHECK_EQ(level, GOSOLO_LOG_WARN);
	complaints++;
}

void log_set_level(enum gosolo_log_level level)
{
	level_set = (int)level;
}

static void parse(const char *defaults, const char *line, unsigned expected_complaints)
{
	options = pristine;
	complaints = 0;
	CHECK_EQ(options_parse(defaults, line), 0);
	if (complaints != expected_complaints)
		fprintf(stderr, "line: %s\n", line);
	CHECK_EQ(complaints, expected_complaints);
}

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static uint32_t ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	uint8_t bytes[4] = { a, b, c, d };
	uint32_t ip;

	memcpy(&ip, bytes, sizeof(ip));
	return ip;
}

static void test_empty(void)
{
	parse("", "", 0);
	CHECK_EQ(options.argc, 1);
	CHECK(same(options.argv[0], "/prog") && !options.argv[1]);
	CHECK_EQ(options.envc, 0);
	CHECK(!options.envp[0]);
	CHECK(same(options.cwd, "/") && same(options.hostname, "gosolo"));
	CHECK_EQ(options.ip_mode, OPTIONS_IP_DHCP);
	CHECK_EQ(level_set, GOSOLO_LOG_INFO);
	parse("   ", "\t \n ", 0);
	CHECK_EQ(options.argc, 1);
}

static void test_words(void)
{
	parse("",
		"arg0=/x/y cwd=/tmp hostname=h ip=10.0.2.15/24 gw=10.0.2.2 dns=1.2.3.4 "
		"dns=255.0.0.1 tty=02 log=debug strace=read,write stats tsc_khz=2100000\n",
		0);
	CHECK(same(options.argv[0], "/x/y") && same(options.cwd, "/tmp"));
	CHECK(same(options.hostname, "h"));
	CHECK_EQ(options.ip_mode, OPTIONS_IP_STATIC);
	CHECK_EQ(options.ip, ipv4(10, 0, 2, 15));
	CHECK_EQ(options.prefix_bits, 24);
	CHECK_EQ(options.gateway, ipv4(10, 0, 2, 2));
	CHECK_EQ(options.dns_count, 2);
	CHECK_EQ(options.dns[1], ipv4(255, 0, 0, 1));
	CHECK(options.tty[0] && !options.tty[1] && options.tty[2]);
	CHECK_EQ(level_set, GOSOLO_LOG_DEBUG);
	CHECK(options.strace && same(options.strace_filter, "read,write"));
	CHECK(options.stats);
	CHECK_EQ(options.tsc_khz, 2100000);
	parse("ip6=auto", "ip6=fec0::9/64 gw6=fe80::2 ip6=2001:db8::1/64", 0);
	CHECK_EQ(options.ip6_mode, OPTIONS_IP6_STATIC);
	CHECK_EQ(options.ip6_count, 2);
	CHECK(options.ip6[0][0] == 0xfe && options.ip6[0][15] == 9 && options.ip6[1][3] == 0xb8);
	CHECK(options.gateway6[0] == 0xfe && options.gateway6[15] == 2);
	parse("ip6=none", "", 0);
	CHECK_EQ(options.ip6_mode, OPTIONS_IP6_NONE);
	parse("", "ip6=::1 ip6=fec0::9/63 ip6=fec0::9/645 ip6=x/64 gw6=1.2.3.4 gw6=::1/64", 6);
	CHECK_EQ(options.ip6_mode, OPTIONS_IP6_AUTO);
	CHECK_EQ(options.ip6_count, 0);
	parse("ip=none", "strace", 0);
	CHECK(options.strace && !options.strace_filter);
	CHECK_EQ(options.ip_mode, OPTIONS_IP_NONE);
	parse("ip=none", "ip=dhcp", 0);
	CHECK_EQ(options.ip_mode, OPTIONS_IP_DHCP);
}

static void test_environment_and_arguments(void)
{
	parse("env=A=1 env=B=2 -- d1", "env=A=3 env=C=x%20y%3D%25 env=AA= -- -v %00 a%20b -- 100%",
		0);
	CHECK_EQ(options.envc, 4);
	CHECK(same(options.envp[0], "A=3") && same(options.envp[1], "B=2"));
	CHECK(same(options.envp[2], "C=x y=%") && same(options.envp[3], "AA="));
	CHECK(!options.envp[4]);
	CHECK_EQ(options.argc, 7);
	CHECK(same(options.argv[1], "d1") && same(options.argv[2], "-v"));
	CHECK(same(options.argv[3], "") && same(options.argv[4], "a b"));
	CHECK(same(options.argv[5], "--") && same(options.argv[6], "100%"));
	CHECK(!options.argv[7]);
	parse("", "%65nv=X=%4a%zz%", 0); /* names may be escaped; what is no escape stays */
	CHECK(same(options.envp[0], "X=J%zz%"));
}

static bool has_limit(const char *defaults, const char *line, uint64_t free_bytes, const char *want)
{
	uint32_t count;

	parse(defaults, line, 0);
	count = options.envc;
	options_limit_memory(free_bytes);
	CHECK(!options.envp[options.envc]);
	if (!want)
		return options.envc == count;
	return options.envc == count + 1 && same(options.envp[count], want);
}

static void test_memory_limit(void)
{
	CHECK(has_limit("", "", GIB, NULL));
	CHECK(has_limit("memlimit=auto", "", 80 * MIB, "GOMEMLIMIT=73400320"));
	CHECK(has_limit("memlimit=auto", "env=A=1", 3 * MIB, "GOMEMLIMIT=8388608"));
	CHECK(has_limit("memlimit=auto", "env=GOMEMLIMIT=off", GIB, NULL));
	CHECK(has_limit("memlimit=auto env=GOMEMLIMIT=1GiB", "", GIB, NULL));
	CHECK(has_limit("memlimit=auto", "env=GOMEMLIMITS=1", 8 * GIB, "GOMEMLIMIT=7516192768"));
	parse("memlimit=never ram=green", "ram=zero", 2);
	CHECK(!options.limits_memory);
	CHECK(options_has_word("  a=b\tram=zero", "ram=zero"));
	CHECK(options_has_word("ram=zero -- x", "ram=zero"));
	CHECK(!options_has_word("ram=zeros xram=zero -- ram=zero", "ram=zero"));
	CHECK(!options_has_word("", "ram=zero"));
}

static void test_devices(void)
{
	char line[2000] = "";

	parse("", "virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=4K@0xd0000000:5:3", 0);
	CHECK_EQ(options.mmio_count, 2);
	CHECK_EQ(options.mmio[0].base_pa, 0xfeb00e00);
	CHECK_EQ(options.mmio[0].bytes, 512);
	CHECK_EQ(options.mmio[0].irq, 12);
	CHECK_EQ(options.mmio[1].bytes, 4096);
	CHECK_EQ(options.mmio[1].irq, 5);
	for (unsigned i = 0; i < OPTIONS_MMIO_MAX + 2; i++)
		strcat(line, "virtio_mmio.device=512@0x1000:1 ");
	parse("", line, 2);
	CHECK_EQ(options.mmio_count, OPTIONS_MMIO_MAX);
}

static void test_refusals(void)
{
	static const char *const bad[] = { "nonsense", "env=", "env=A", "env==x", "env", "cwd=tmp",
		"hostname=", "ip=", "ip=1.2.3", "ip=1.2.3.256", "ip=1.2.3.4/33", "ip=1.2.3.4/",
		"ip=1.2.3.4/8x", "ip=1..2.3", "gw=a.b.c.d", "gw=1.2.3.4.5", "dns=", "tty=3",
		"tty=01x", "log=loud", "log", "stats=1", "tsc_khz=", "tsc_khz=12k",
		"tsc_khz=99999999999999999999", "virtio_mmio.device",
		"virtio_mmio.device=", "virtio_mmio.device=512",
		"virtio_mmio.device=512@0xfeb00000",
		"virtio_mmio.device=512@0xfeb00000:", "virtio_mmio.device=16@0xfeb00000:1",
		"virtio_mmio.device=512@0x1:1", "virtio_mmio.device=512@0xffffffffffffffff:1",
		"virtio_mmio.device=99999999999G@0x1000:1", "virtio_mmio.device=512@0x1000:1x",
		"virtio_mmio.device=512@0x1000:4294967296", "virtio_mmio.device=0x@0x1000:1", "%",
		"=", "%00" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct options before;

		parse("", "", 0);
		before = options;
		parse("", bad[i], 1); /* (1) */
		before.argv = options.argv;
		before.envp = options.envp;
		CHECK(memcmp(&before.argc, &options.argc, sizeof(options.argc)) == 0);
		CHECK_EQ(before.envc, options.envc);
		CHECK_EQ(before.mmio_count, options.mmio_count);
		CHECK_EQ(before.ip_mode, options.ip_mode);
		CHECK_EQ(before.dns_count, options.dns_count);
		CHECK(same(before.cwd, options.cwd) && same(before.hostname, options.hostname));
	}
	parse("", "dns=1.1.1.1 dns=2.2.2.2 dns=3.3.3.3 dns=4.4.4.4", 1);
	CHECK_EQ(options.dns_count, OPTIONS_DNS_MAX);
}

static void test_random_text(void)
{
	static const char *const pieces[] = { "env=", "A=", "%", "%4", "%00", " ", "--", "=",
		"ip=", "1.2.3.4", "/24", "virtio_mmio.device=", "512@", "0x", ":7", "tty=012",
		"strace", "\x80\xff", "tsc_khz=", "99999999999999999999999", "\n", "dns=", "K",
		"G@" };
	uint64_t seed = 7;
	char line[512];

	for (int run = 0; run < 20000; run++) {
		line[0] = 0;
		for (uint64_t n = host_random(&seed) % 24; n > 0; n--)
			strcat(line, pieces[host_random(&seed) % ARRAY_LEN(pieces)]);
		options = pristine;
		CHECK_EQ(options_parse(run & 1 ? line : "", line), 0);
		for (uint32_t i = 0; i < options.argc; i++)
			CHECK(options.argv[i] != NULL);
		for (uint32_t i = 0; i < options.envc; i++)
			CHECK(strchr(options.envp[i], '=') != NULL);
		CHECK(!options.argv[options.argc] && !options.envp[options.envc]);
	}
}

static void test_no_memory(void)
{
	for (unsigned long n = 1; n <= 3; n++) {
		options = pristine;
		host_fail_alloc(n);
		CHECK_EQ(options_parse("", "env=A=1"), -ENOMEM);
		host_fail_alloc(0);
	}
}

int main(void)
{
	pristine = options;
	test_empty();
	test_words();
	test_environment_and_arguments();
	test_memory_limit();
	test_devices();
	test_refusals();
	test_random_text();
	test_no_memory();
	_Exit(0); /* what options point to lives for ever: no leak check */
}
