/*
 * qmp.h: QEMU's monitor (QMP), as much of it as a failed run needs: an NMI for the guest, a piece
 * of its memory, and word of its end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/mem.h"

struct qmp {
	int fd;
	struct bytebuf in; /* an unfinished line */
	bool is_ready; /* it takes commands */
	bool is_ended; /* the monitor has gone, or talks nonsense */
	bool guest_has_ended; /* reset or shut down by itself; QEMU holds it as it was */
	bool has_answered; /* the last command is done, well or not */
};

void qmp_init(struct qmp *qmp, int fd);
void qmp_read(struct qmp *qmp); /* when fd is readable; never blocks */
/* Both only when is_ready. Answers come through qmp_read. */
void qmp_inject_nmi(struct qmp *qmp);
/* Guest physical memory into the file that QEMU has open as file_fd. */
void qmp_save_memory(struct qmp *qmp, uint64_t address, uint64_t bytes, int file_fd);
