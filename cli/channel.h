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
};

enum channel_end {
	CHANNEL_EXIT, /* an exit record came */
	CHANNEL_VMM_ENDED, /* QEMU ended without one */
	CHANNEL_TIMEOUT,
	CHANNEL_KILLED, /* the same signal twice */
	CHANNEL_OUTPUT_FAILED, /* our standard output or error cannot be written */
	CHANNEL_PROTOCOL, /* the guest spoke nonsense */
};

struct channel_result {
	enum channel_end end;
	bool has_hello;
	int wait_status; /* of QEMU, when it ended by itself */
	int number; /* the signal, or the errno of the output */
	const char *error; /* CHANNEL_PROTOCOL */
	struct gosolo_exit exit; /* CHANNEL_EXIT */
	struct bytebuf stats; /* text from the guest */
	struct bytebuf vmm_text; /* what QEMU said, at most the last 16 KiB or so */
};

/* Returns when the machine has ended or has to; QEMU is gone then. timeout_ns 0: no limit. */
void channel_run(const struct channel_ends *ends, struct klog *log, uint64_t timeout_ns,
	struct channel_result *result);

/* Signals that the program gets are held back from now on; call before the machine starts. The
 * child has to undo it with channel_release_signals. */
void channel_hold_signals(void);
void channel_release_signals(void);
