/*
 * proc_priv.h: what the files of /proc share.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"
#include "fs/proc.h"

#define PROC_STACK_END 0x7ffffffff000ul /* abi/linux/start.c puts it there */

extern const struct inode_ops proc_generated_ops; /* private is the generator */
/* path is "/proc" or "/sys"; prefix is what the paths of its nodes begin with. */
void proc_tree_init(const char *path, const char *prefix);
int proc_parse_number(const char *name, size_t len); /* decimal, no leading zeros; -1: is none */
long proc_copy_link(char *buf, size_t size, const char *text); /* what a readlink op returns */
const char *proc_program_name(void);

extern const struct inode_ops proc_fd_ops, proc_fdinfo_ops; /* fs/proc_fd.c */
extern const struct inode_ops proc_task_ops; /* fs/proc_task.c */
void proc_make_stat(struct proc_text *t);
void proc_make_comm(struct proc_text *t);
/* fs/proc_memory.c */
struct proc_memory {
	uint64_t total_bytes, data_bytes, stack_bytes, library_bytes, locked_bytes; /* mapped */
	uint64_t code_start, code_end; /* of the program's file */
	uint64_t anonymous_bytes, file_bytes, peak_bytes; /* resident */
};
void proc_get_memory(struct proc_memory *m);
void proc_make_statm(struct proc_text *t);
void proc_print_memory(struct proc_text *t); /* the lines of status */
void proc_make_cpuinfo(struct proc_text *t); /* fs/proc_cpu.c */
void proc_make_cpu_stat(struct proc_text *t); /* the lines of /proc/stat */
void proc_make_maps(struct proc_text *t); /* fs/proc_maps.c */
void proc_make_smaps(struct proc_text *t);
void proc_add_self(void); /* fs/proc_self.c */
void proc_add_system(void); /* fs/proc_system.c */
void proc_add_gosolo(void); /* fs/proc_gosolo.c */
