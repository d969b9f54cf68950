/*
 * main.c: the boot, from the first line of C to the first instruction of the program.
 *
 * What:       boot_main is the list of everything that happens, in order. Nothing in it waits.
 * Invariants: (1) each step uses only what the steps above it have set up.
 * Locking:    one CPU, interrupts off; they are first taken in the idle loop.
 * Failure:    panic_bad_image: this image cannot run on this machine, and why.
 * Source:     none.
 */
#include "abi/linux/start.h"
#include "arch/arch.h"
#include "boot/info.h"
#include "boot/memory.h"
#include "drivers/drivers.h"
#include "fs/fs.h"
#include "kernel/dev/hostchan.h"
#include "kernel/entropy.h"
#include "kernel/image.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "kernel/options.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/report.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/smp.h"
#include "kernel/sched/thread_info.h"
#include "kernel/sched/torture.h"
#include "kernel/selftest.h"
#include "kernel/signal/signal.h"
#include "kernel/sync/futex.h"
#include "kernel/time/clock.h"
#include "kernel/time/follow.h"
#include "kernel/trace.h"
#include "net/net.h"
#include "platform/platform.h"

void boot_main(enum boot_protocol protocol, paddr_t address); /* called by boot/entry.S */

static struct boot_info info in_section(".bss.boot"); /* not cleared: boot_info_read writes it */
static struct thread idle; /* this context: it becomes the boot CPU's idle thread */

static void check_image(void)
{
	if (gosolo_image.abi_version != GOSOLO_ABI_VERSION ||
		gosolo_image.struct_bytes != sizeof(struct gosolo_image))
		panic_bad_image("the image was packed for another version of the kernel");
	if (!gosolo_image.go_entry)
		panic_bad_image("this is a kernel without a program: pack one with gosolo build");
}

static const void *archive(void)
{
	return gosolo_image.archive_bytes ? phys_to_virt(gosolo_image.archive_va) : NULL;
}

static void start_program(void)
{
	struct trapframe frame;
	struct thread *first;

	options_limit_memory(pmm_free_pages() * PAGE_SIZE);
	if (linux_start_program(&gosolo_image, &frame) || thread_create_first(&frame, &first))
		panic_no_memory("the start of the program");
	process_set_started();
	sched_start(first);
}

void boot_main(enum boot_protocol protocol, paddr_t address)
{
	bool understood = boot_info_read(protocol, address, &info);

	arch_cpu_init_boot(&cpus[0].arch);
	platform_init_early(&info);
	boot_mark("entry");
	sched_init(&idle);
	if (!understood)
		panic_bad_image("the boot loader gave no memory map");
	check_image();
	if (options_has_word(info.cmdline, "ram=zero"))
		pmm_trust_zero();
	lapic_init();
	clock_begin();
	boot_memory_init(&info, &gosolo_image);
	if (lapic_map())
		panic_no_memory("the local interrupt controller");
	boot_mark("memory");
	if (options_parse(gosolo_image.defaults, info.cmdline))
		panic_no_memory("the command line");
	log_set_level((enum gosolo_log_level)options.log_level);
	platform_init();
	clock_init();
	boot_mark("clock");
	selftest_early(options.selftest);
	timer_setup();
	thread_init();
	torture_init(options.torture_seed);
	futex_init();
	signal_init();
	entropy_init();
	vm_init();
	boot_mark("kernel");
	trace_init_cpu(0);
	hostchan_init();
	syscalls_init();
	hostchan_set_report(syscalls_report);
	report_set_call_names(syscalls_name);
	fs_init(archive(), gosolo_image.archive_bytes);
	boot_mark("files");
	drivers_init();
	boot_mark("devices");
	net_init();
	boot_mark("network");
	fs_init_std();
	load_init();
	smp_start_cpus();
	irq_spread();
	boot_mark("cpus");
	start_program();
	follow_start(); /* after it: the first thread is the process's number */
	selftest_late(options.selftest);
	boot_mark("program");
	sched_idle_loop();
}
