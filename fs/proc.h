/*
 * proc.h: generated files: /proc and the few of /sys, whose contents are made when they are opened.
 *
 * Other rooms add their own with proc_register, at boot.
 */
#pragma once

#include <stdarg.h>

#include "base/compiler.h"
#include "base/types.h"
#include "fs/inode.h"

/* A text that grows. */
struct proc_text {
	char *data;
	size_t len, room;
	bool failed; /* no memory: the open will say -ENOMEM */
};

void proc_print(struct proc_text *t, const char *format, ...) printf_like(2, 3);
void proc_append(struct proc_text *t, const void *data, size_t bytes);

/* Writes the whole contents; called at open, without a lock, may sleep. */
typedef void proc_generator(struct proc_text *t);

void proc_init(void);
/* Contents of /proc/self/auxv, copied; when the program is started. -ENOMEM. */
int proc_set_auxv(const void *auxv, size_t bytes) must_check;
/* path below /proc, such as "net/igmp"; its directories are made. Boot only. -EEXIST, -ENOMEM. */
int proc_register(const char *path, proc_generator *generate) must_check;
/* The same for an absolute path (/sys/...). */
int proc_register_at(const char *path, proc_generator *generate) must_check;
