/*
 * perm.h: may the calling thread do this to a node? Permission bits, owners, sticky directories.
 *
 * The thread's credentials for access to files decide (kernel/cred.h). No locks but the node's own,
 * inside; never sleeps.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"

enum perm { PERM_EXEC = 1, PERM_WRITE = 2, PERM_READ = 4 }; /* EXEC of a directory: search */

/* mask: PERM_* bits. -EACCES. */
int perm_check(struct inode *i, unsigned mask) must_check;
/* Searching directories needs no look at their bits: true for user 0. */
bool perm_may_search_all(void);
bool perm_is_owner(struct inode *i); /* or has the capability to act as such */
/* A name in dir may be made: -EACCES. */
int perm_check_create(struct inode *dir) must_check;
/* i's name in dir may be taken away: -EACCES, -EPERM (sticky directory of others). */
int perm_check_remove(struct inode *dir, struct inode *i) must_check;
/* The mode that chmod to mode leaves: without the set-group bit for those outside the group.
 * -EPERM: not the owner. */
int perm_check_mode(struct inode *i, uint32_t *mode) must_check;
/* chown to uid, gid (UINT32_MAX: as it is). -EPERM. */
int perm_check_owner(struct inode *i, uint32_t uid, uint32_t gid) must_check;
/* Owner, group and set-group bit of a node that is going to be made in dir. */
void perm_inherit(struct inode *dir, struct inode *made);
/* Its contents were written by somebody: set-user and set-group bits go, unless by user 0. */
void perm_contents_changed(struct inode *i);
