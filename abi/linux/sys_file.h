/*
 * sys_file.h: what sys_file.c and sys_file_lock.c share.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

long linux_flock(int fd, uint32_t operation) must_check;
/* F_GETLK and its kin; flock_ua: struct flock. */
long linux_record_lock(struct file *f, uint32_t command, uaddr_t flock_ua) must_check;
