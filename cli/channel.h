/*
 * channel.h: the host's side of a running machine: carries its streams, passes signals on, keeps
 * its log, watches the clock, and says how it ended.
 */
#pragma once

#include <sys/types.h>

#include "cli/control.h"
#include "cli/klog.h"

/* What connects us to the machine; all descriptors are the host's ends. */
struct channel_ends {
	pid_t pid; /* QEMU */
	int stdio_fd;
	int stderr_fd;
	int control_fd;
	int early_fd; /* debug port */
	int vmm_fd; /* QEMU's own standard output and error */
	int monitor_fd; /* QMP */
	int memory_fd; /* a file that QEMU has open as memory_vmm_fd: for the guest's log ring */
	int memory_vmm_fd;
	uint64_t log_pa; /* where the ring is in the guest; 0: not known */
	uint64_t log_bytes;
};

enum channel_end {
	CHANNEL_EXIT, /* an exit record came */
	CHANNEL_VMM_ENDED, /* QEMU ended without one */
	CHANNEL_GUEST_ENDED, /* the guest reset or shut down without one; QEMU was fine */
	CHANNEL_TIMEOUT, /* has_exit: and the program or the kernel said its last words */
	CHANNEL_KILLED, /* the same signal twice */
	CHANNEL_OUTPUT_FAILED, /* our standard output or error cannot be written */
	CHANNEL_PROTOCOL, /* the guest spoke nonsense */
};

struct channel_result {
	enum channel_end end;
	bool has_hello;
	bool has_exit; /* exit is set */
	int wait_status; /* of QEMU, when it ended by itself */
	int number; /* the signal, or the errno of the output */
	const char *error; /* CHANNEL_PROTOCOL */
	struct gosolo_exit exit; /* when has_exit */
	struct bytebuf stats; /* text from the guest */
	struct bytebuf vmm_text; /* what QEMU said, at most the last 16 KiB or so */
};

/* Returns when the machine has ended or has to; QEMU is gone then. timeout_ns 0: no limit. After
 * that the program is asked for its goroutines (SIGQUIT), then the kernel for all threads (NMI),
 * then the log is read from the guest's memory, each with a few seconds. */
void channel_run(const struct channel_ends *ends, struct klog *log, uint64_t timeout_ns,
	struct channel_result *result);
