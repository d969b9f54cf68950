/*
 * cred.h: who a thread acts as: users, groups, capabilities.
 *
 * Each thread has its own, as on Linux; a new one begins with a copy of its creator's. Only the
 * thread itself changes them. User 0 with every capability is what the machine begins with, and
 * what kernel threads are. Capabilities are CAP_* of linux/capability.h, a bit each.
 * May sleep: nothing here. Locking: LOCK_KMEM inside.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

#define CRED_GROUPS_MAX 65536u /* NGROUPS_MAX */

struct cred_groups; /* shared by threads, never changed */

struct cred { /* [t]: others may read the numbers, not the groups */
	uint32_t uid, euid, suid, fsuid; /* real, effective, saved, for access to files */
	uint32_t gid, egid, sgid, fsgid;
	uint64_t effective, permitted, inheritable, ambient, bounding; /* bit per CAP_* */
	uint32_t securebits; /* SECBIT_* of linux/securebits.h */
	bool no_new_privs;
	struct cred_groups *groups; /* NULL: none */
};

void cred_init(struct cred *c); /* user 0 */
void cred_clone(struct cred *to, const struct cred *from);
void cred_put(struct cred *c); /* the thread has ended */
const struct cred *cred_current(void);
/* The calling thread's new numbers; groups must be the old ones. */
void cred_set(const struct cred *c);

bool cred_has(const struct cred *c, unsigned cap);
static inline bool cred_can(unsigned cap)
{
	return cred_has(cred_current(), cap);
}
/* The group for access to files is gid, or one of the further ones is. */
bool cred_is_in_group(const struct cred *c, uint32_t gid);

/* The calling thread's further groups: ascending. */
uint32_t cred_group_count(void);
uint32_t cred_group(uint32_t index);
/* A copy of gids, which are ascending. -ENOMEM. */
int cred_set_groups(const uint32_t *gids, uint32_t count) must_check;
