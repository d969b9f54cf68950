/*
 * perm.c: may the calling thread do this to a node?
 *
 * What:       the class of the thread (owner, group, others) picks three bits of the mode; a
 *             capability may stand in for what they refuse.
 * Invariants: none; no state.
 * Locking:    inode.lock, LOCK_OBJECT, for a look at mode and owner together.
 * Failure:    -EACCES where bits refuse, -EPERM where only the owner may.
 * Source:     path_resolution(7) "Permissions", capabilities(7), chmod(2), chown(2), unlink(2);
 *             Linux fs/namei.c generic_permission, fs/attr.c setattr_prepare for the rules.
 */
#include "fs/perm.h"

#include <linux/capability.h>

#include "base/errno.h"
#include "fs/tree_priv.h"
#include "kernel/cred.h"

struct owner {
	uint32_t mode, uid, gid;
};

static struct owner owner_of(struct inode *i)
{
	struct owner o;

	spin_lock(&i->lock);
	o = (struct owner){ i->mode, i->uid, i->gid };
	spin_unlock(&i->lock);
	return o;
}

/* The bits of the thread's class. */
static uint32_t bits_for(const struct owner *o, const struct cred *c)
{
	if (c->fsuid == o->uid)
		return o->mode >> 6;
	return cred_is_in_group(c, o->gid) ? o->mode >> 3 : o->mode;
}

static bool is_overridden(const struct owner *o, const struct cred *c, unsigned mask)
{
	bool dir = S_ISDIR(o->mode);

	if (cred_has(c, CAP_DAC_OVERRIDE) && (dir || !(mask & PERM_EXEC) || o->mode & 0111))
		return true;
	return cred_has(c, CAP_DAC_READ_SEARCH) && (dir ? !(mask & PERM_WRITE) : mask == PERM_READ);
}

int perm_check(struct inode *i, unsigned mask)
{
	const struct cred *c = cred_current();
	struct owner o;

	if (cred_has(c, CAP_DAC_OVERRIDE) && (inode_is_dir(i) || !(mask & PERM_EXEC)))
		return 0; /* most often */
	o = owner_of(i);
	if ((mask & ~bits_for(&o, c)) == 0 || is_overridden(&o, c, mask))
		return 0;
	return -EACCES;
}

bool perm_may_search_all(void)
{
	const struct cred *c = cred_current();

	return cred_has(c, CAP_DAC_OVERRIDE) || cred_has(c, CAP_DAC_READ_SEARCH);
}

bool perm_is_owner(struct inode *i)
{
	return cred_can(CAP_FOWNER) || cred_current()->fsuid == owner_of(i).uid;
}

int perm_check_create(struct inode *dir)
{
	return perm_check(dir, PERM_WRITE | PERM_EXEC);
}

int perm_check_remove(struct inode *dir, struct inode *i)
{
	int r = perm_check(dir, PERM_WRITE | PERM_EXEC);

	if (r < 0 || !(owner_of(dir).mode & S_ISVTX) || perm_is_owner(i))
		return r;
	return cred_current()->fsuid == owner_of(dir).uid ? 0 : -EPERM;
}

static bool may_set_group(uint32_t gid)
{
	return cred_is_in_group(cred_current(), gid) || cred_can(CAP_FSETID);
}

int perm_check_mode(struct inode *i, uint32_t *mode)
{
	if (!perm_is_owner(i))
		return -EPERM;
	if (!may_set_group(owner_of(i).gid))
		*mode &= ~(uint32_t)S_ISGID;
	return 0;
}

int perm_check_owner(struct inode *i, uint32_t uid, uint32_t gid)
{
	const struct cred *c = cred_current();
	struct owner o = owner_of(i);

	if (cred_has(c, CAP_CHOWN))
		return 0;
	if (uid != UINT32_MAX && (c->fsuid != o.uid || uid != o.uid))
		return -EPERM;
	if (gid != UINT32_MAX && (c->fsuid != o.uid || (gid != o.gid && !cred_is_in_group(c, gid))))
		return -EPERM;
	return 0;
}

void perm_inherit(struct inode *dir, struct inode *made)
{
	const struct cred *c = cred_current();
	struct owner o = owner_of(dir);

	made->uid = c->fsuid;
	made->gid = c->fsgid;
	if (!(o.mode & S_ISGID))
		return;
	made->gid = o.gid;
	if (S_ISDIR(made->mode))
		made->mode |= S_ISGID;
	else if ((made->mode & (S_ISGID | 010)) == (S_ISGID | 010) && !may_set_group(o.gid))
		made->mode &= ~(uint32_t)S_ISGID;
}

void perm_contents_changed(struct inode *i)
{
	/* A look without the lock: who sets the bits at this very moment writes afterwards. */
	if (!(i->mode & (S_ISUID | S_ISGID)) || cred_can(CAP_FSETID))
		return;
	spin_lock(&i->lock);
	if (i->mode & 010)
		i->mode &= ~(uint32_t)S_ISGID; /* without execution it means something else */
	i->mode &= ~(uint32_t)S_ISUID;
	spin_unlock(&i->lock);
}
