/*
 * proc_priv.h: what the files of /proc share.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"
#include "fs/proc.h"

/* A node of any kind, directories above it made. */
int proc_make_node(const char *path, uint32_t mode, const struct inode_ops *ops,
	void *private) must_check;
void proc_add_self(void); /* fs/proc_self.c */
void proc_add_system(void); /* fs/proc_system.c */
void proc_add_gosolo(void); /* fs/proc_gosolo.c */
