/*
 * exe.h: the program's own file: what /proc/self/exe leads to.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"

/* When the working directory is set. Memory too short: logged, and there is no such file. */
void exe_init(void);
struct inode *exe_inode(void); /* no reference: it stays; NULL: there is none */
/* Whether addr lies in what is loaded from the file, and where in the file. */
bool exe_contains(uint64_t addr, uint64_t *offset_bytes);
