/*
 * qemu.h: QEMU's argument vector, and QEMU as a child process.
 */
#pragma once

#include <sys/types.h>

#include "cli/options.h"

/* QEMU finds its connections at these descriptors: chosen, so that --dry-run shows what runs. */
enum qemu_fd {
	QEMU_FD_STDIO = 3,
	QEMU_FD_STDERR = 4,
	QEMU_FD_CONTROL = 5,
	QEMU_FD_EARLY = 6,
	QEMU_FD_IMAGE = 7,
	QEMU_FD_MONITOR = 8,
	QEMU_FD_MEMORY = 9, /* an empty file, for a piece of the guest's memory */
	QEMU_FD_END
};

/* virtio-mmio transports of the microvm machine without ACPI (checked: `info qtree` and `info
 * mtree` of QEMU 7.2; hw/i386/microvm.c: VIRTIO_MMIO_BASE, virtio_irq_base). */
#define QEMU_MMIO_BASE 0xfeb00000ull
enum { QEMU_MMIO_BYTES = 512, QEMU_MMIO_IRQ = 5 };
enum qemu_transport {
	QEMU_SLOT_SERIAL,
	QEMU_SLOT_NET,
	QEMU_SLOT_RNG,
	QEMU_SLOT_BALLOON = 4, /* the interrupt line of 3 is the real-time clock's, too */
};

struct qemu_request {
	const char *binary; /* path of qemu-system-x86_64 */
	const struct options *options;
	uint32_t mem_mib;
	uint32_t cpus;
	const char *accel; /* "kvm" or "tcg" */
	const char *cpu_model;
	const char *cmdline; /* for the kernel */
};

/* Path of qemu-system-x86_64; NULL after a report. Static memory. */
const char *qemu_find(void);

void qemu_compose(const struct qemu_request *request, struct strvec *argv);

/* Starts it in a session of its own, killed when we die. fds[i] becomes descriptor 3 + i there;
 * standard output and error go to `output`. Returns the process or -1 after a report. */
pid_t qemu_spawn(char *const *argv, const int *fds, int fd_count, int output) must_check;

/* Prints the vector as a line for a shell, to standard output. */
void qemu_print(char *const *argv);
