/*
 * host_fs.h: what fs/ needs on the host beyond host.h: sleeping, time, program memory.
 *
 * Program addresses are host addresses; those below HOST_FS_BAD_END fault. waitq_wait calls
 * host_fs_sleep, which does what another thread would do; when there is none, the wait times out.
 */
#pragma once

#include "kernel/cred.h"

#include "base/types.h"
#include "fs/file.h"

#define HOST_FS_BAD_END 0x10000ul

/* Called instead of sleeping, without locks. True: woken; false: a signal ends the wait. */
extern bool (*host_fs_sleep)(void);
extern unsigned host_fs_sigpipes; /* sent so far */
extern uint64_t host_fs_now_ns;

/* RAM, the tree with the archive (NULL: none), descriptors. */
void host_fs_init(const void *archive, uint64_t archive_bytes);
void host_fs_timers_fire(void); /* all that are armed */

/* As read(2) and write(2) on an open file, at its position. */
long host_fs_read(struct file *f, void *buf, size_t bytes);
long host_fs_write(struct file *f, const void *data, size_t bytes);
/* openat from the root; the file or NULL with *error. */
struct file *host_fs_open(const char *path, uint32_t flags, int *error);

/* Who the code under test acts as: user 0 until a test says otherwise. */
extern struct cred host_fs_cred;
