/*
 * proc.h: generated files: /proc and the few of /sys, whose contents are made when they are opened.
 *
 * Other rooms add tables of their own with proc_add, at boot.
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

/* One node. Its directories are implied, and made with it: when somebody asks for them. */
struct proc_file {
	const char *path; /* below /proc, such as "net/igmp"; or absolute, below /sys */
	proc_generator *generate; /* a file that everybody may read; NULL: what follows says */
	uint32_t mode; /* type and permissions */
	const struct inode_ops *ops;
	const char *target; /* of a symbolic link without ops */
};

/* For directories with a lookup of their own: nodes that exist only while somebody has them, each
 * with a reference. Under the tree's lock, as lookup is. -ENOMEM. */
typedef void proc_numbered_generator(struct proc_text *t, uint64_t number); /* as proc_generator */
int proc_make_text_node(uint64_t number, proc_numbered_generator *generate,
	struct inode **out) must_check;
int proc_make_link_node(const char *target, struct inode **out) must_check;
/* The directory's private is the number; parent and its name in there are for "..". */
int proc_make_dir_node(uint64_t number, const struct inode_ops *ops, struct inode *parent,
	const char *name, size_t len, struct inode **out) must_check;
uint64_t proc_dir_number(const struct inode *dir);

struct proc_table {
	const struct proc_file *files;
	size_t count;
	struct proc_table *next; /* fs/proc_tree.c's */
};
/* Boot only, before anybody lists /proc; the table stays. Of two nodes of one path the one that was
 * added last counts. */
void proc_add(struct proc_table *table);
