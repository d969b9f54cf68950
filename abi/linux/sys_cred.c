/*
 * sys_cred.c: users and groups of the calling thread.
 *
 * What:       the rules by which a thread may become another user or group, and what that does to
 *             its capabilities. What follows from who it is, is asked elsewhere (kernel/cred.h).
 * Invariants: (1) a call changes the calling thread only, as Linux's do: Go's AllThreadsSyscall
 *             makes it for every thread. (2) a call that fails has changed nothing.
 * Locking:    none: a thread's credentials are its own.
 * Failure:    -EPERM: not allowed without CAP_SETUID or CAP_SETGID. -EINVAL: -1 is no number.
 * Source:     setuid(2), setreuid(2), setresuid(2), setfsuid(2), setgroups(2); capabilities(7),
 *             "Effect of user ID changes on capabilities".
 */
#include <linux/capability.h>
#include <linux/securebits.h>

#include "abi/linux/sysargs.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"

#define KEEP UINT32_MAX /* -1: this number stays */
#define CAP_BIT(cap) (1ull << (cap))
/* What user 0 gains with fsuid 0, and loses with another. */
#define FILE_CAPS \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
		CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) | \
		CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_MAC_OVERRIDE))

static uint32_t id_arg(const struct sysargs *a, unsigned i)
{
	return (uint32_t)a->arg[i];
}

/* ------------------------------------------------------------------ asking */
long sys_getuid(const struct sysargs *a unused_arg)
{
	return cred_current()->uid;
}

long sys_geteuid(const struct sysargs *a unused_arg)
{
	return cred_current()->euid;
}

long sys_getgid(const struct sysargs *a unused_arg)
{
	return cred_current()->gid;
}

long sys_getegid(const struct sysargs *a unused_arg)
{
	return cred_current()->egid;
}

static long store_ids(const struct sysargs *a, uint32_t real, uint32_t effective, uint32_t saved)
{
	if (user_store_u32(a->arg[0], real) || user_store_u32(a->arg[1], effective) ||
		user_store_u32(a->arg[2], saved))
		return -EFAULT;
	return 0;
}

long sys_getresuid(const struct sysargs *a)
{
	const struct cred *c = cred_current();

	return store_ids(a, c->uid, c->euid, c->suid);
}

long sys_getresgid(const struct sysargs *a)
{
	const struct cred *c = cred_current();

	return store_ids(a, c->gid, c->egid, c->sgid);
}

/* ------------------------------------------------------------------ users */
static bool is_root_anywhere(const struct cred *c)
{
	return !c->uid || !c->euid || !c->suid;
}

/* Capabilities follow the change of users from old to c. */
static void become(struct cred *c, const struct cred *old)
{
	if (!(c->securebits & (1 << SECURE_NO_SETUID_FIXUP))) {
		if (is_root_anywhere(old) && !is_root_anywhere(c)) {
			if (!(c->securebits & (1 << SECURE_KEEP_CAPS)))
				c->permitted = c->effective = 0;
			c->ambient = 0;
		}
		if (!old->euid && c->euid)
			c->effective = 0;
		if (old->euid && !c->euid)
			c->effective = c->permitted;
	}
	cred_set(c);
}

static bool is_own_uid(const struct cred *c, uint32_t id)
{
	return id == c->uid || id == c->euid || id == c->suid;
}

long sys_setuid(const struct sysargs *a)
{
	const struct cred old = *cred_current();
	struct cred c = old;
	uint32_t id = id_arg(a, 0);

	if (id == KEEP)
		return -EINVAL;
	if (cred_has(&old, CAP_SETUID))
		c.uid = c.suid = id;
	else if (id != old.uid && id != old.suid)
		return -EPERM;
	c.euid = c.fsuid = id;
	become(&c, &old);
	return 0;
}

long sys_setreuid(const struct sysargs *a)
{
	const struct cred old = *cred_current();
	struct cred c = old;
	uint32_t real = id_arg(a, 0), effective = id_arg(a, 1);
	bool any = cred_has(&old, CAP_SETUID);

	if (real != KEEP && !any && real != old.uid && real != old.euid)
		return -EPERM;
	if (effective != KEEP && !any && !is_own_uid(&old, effective))
		return -EPERM;
	if (real != KEEP)
		c.uid = real;
	if (effective != KEEP)
		c.euid = effective;
	if (real != KEEP || (effective != KEEP && effective != old.uid))
		c.suid = c.euid;
	c.fsuid = c.euid;
	become(&c, &old);
	return 0;
}

long sys_setresuid(const struct sysargs *a)
{
	const struct cred old = *cred_current();
	struct cred c = old;
	uint32_t *fields[] = { &c.uid, &c.euid, &c.suid };

	for (unsigned i = 0; i < 3; i++) {
		if (id_arg(a, i) == KEEP)
			continue;
		if (!cred_has(&old, CAP_SETUID) && !is_own_uid(&old, id_arg(a, i)))
			return -EPERM;
		*fields[i] = id_arg(a, i);
	}
	c.fsuid = c.euid;
	become(&c, &old);
	return 0;
}

/* No error: the answer is the old number, and a second call shows whether it changed. */
long sys_setfsuid(const struct sysargs *a)
{
	const struct cred old = *cred_current();
	struct cred c = old;
	uint32_t id = id_arg(a, 0);

	if (id == KEEP || !(is_own_uid(&old, id) || id == old.fsuid || cred_has(&old, CAP_SETUID)))
		return old.fsuid;
	c.fsuid = id;
	if (!(c.securebits & (1 << SECURE_NO_SETUID_FIXUP))) {
		if (!old.fsuid && id)
			c.effective &= ~FILE_CAPS;
		if (old.fsuid && !id)
			c.effective |= c.permitted & FILE_CAPS;
	}
	cred_set(&c);
	return old.fsuid;
}

/* ------------------------------------------------------------------ groups */
static bool is_own_gid(const struct cred *c, uint32_t id)
{
	return id == c->gid || id == c->egid || id == c->sgid;
}

long sys_setgid(const struct sysargs *a)
{
	struct cred c = *cred_current();
	uint32_t id = id_arg(a, 0);

	if (id == KEEP)
		return -EINVAL;
	if (cred_has(&c, CAP_SETGID))
		c.gid = c.sgid = id;
	else if (id != c.gid && id != c.sgid)
		return -EPERM;
	c.egid = c.fsgid = id;
	cred_set(&c);
	return 0;
}

long sys_setregid(const struct sysargs *a)
{
	const struct cred old = *cred_current();
	struct cred c = old;
	uint32_t real = id_arg(a, 0), effective = id_arg(a, 1);
	bool any = cred_has(&old, CAP_SETGID);

	if (real != KEEP && !any && real != old.gid && real != old.egid)
		return -EPERM;
	if (effective != KEEP && !any && !is_own_gid(&old, effective))
		return -EPERM;
	if (real != KEEP)
		c.gid = real;
	if (effective != KEEP)
		c.egid = effective;
	if (real != KEEP || (effective != KEEP && effective != old.gid))
		c.sgid = c.egid;
	c.fsgid = c.egid;
	cred_set(&c);
	return 0;
}

long sys_setresgid(const struct sysargs *a)
{
	const struct cred old = *cred_current();
	struct cred c = old;
	uint32_t *fields[] = { &c.gid, &c.egid, &c.sgid };

	for (unsigned i = 0; i < 3; i++) {
		if (id_arg(a, i) == KEEP)
			continue;
		if (!cred_has(&old, CAP_SETGID) && !is_own_gid(&old, id_arg(a, i)))
			return -EPERM;
		*fields[i] = id_arg(a, i);
	}
	c.fsgid = c.egid;
	cred_set(&c);
	return 0;
}

long sys_setfsgid(const struct sysargs *a)
{
	const struct cred old = *cred_current();
	struct cred c = old;
	uint32_t id = id_arg(a, 0);

	if (id == KEEP || !(is_own_gid(&old, id) || id == old.fsgid || cred_has(&old, CAP_SETGID)))
		return old.fsgid;
	c.fsgid = id;
	cred_set(&c);
	return old.fsgid;
}

long sys_getgroups(const struct sysargs *a)
{
	int32_t room = sysarg_int(a, 0);
	uint32_t n = cred_group_count();

	if (room < 0 || (room && (uint32_t)room < n))
		return -EINVAL;
	for (uint32_t i = 0; room && i < n; i++)
		if (user_store_u32(a->arg[1] + i * sizeof(uint32_t), cred_group(i)))
			return -EFAULT;
	return n;
}

static void sift(uint32_t *v, uint32_t root, uint32_t n)
{
	for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
		uint32_t swapped = v[root];

		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (swapped >= v[child])
			return;
		v[root] = v[child];
		v[child] = swapped;
	}
}

/* Heap sort: the list is the program's, and long ones must not take quadratic time. */
static void sort_ids(uint32_t *v, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift(v, i, n);
	for (uint32_t end = n; end > 1;) {
		uint32_t largest = v[0];

		end--;
		v[0] = v[end];
		v[end] = largest;
		sift(v, 0, end);
	}
}

long sys_setgroups(const struct sysargs *a)
{
	uint32_t n = (uint32_t)a->arg[0], *gids;
	int err;

	if (!cred_can(CAP_SETGID))
		return -EPERM;
	if (n > CRED_GROUPS_MAX)
		return -EINVAL;
	if (!n)
		return cred_set_groups(NULL, 0);
	gids = kmem_alloc(n * sizeof(*gids));
	if (!gids)
		return -ENOMEM;
	err = user_copy_in(gids, a->arg[1], n * sizeof(*gids));
	if (!err) {
		sort_ids(gids, n);
		err = cred_set_groups(gids, n);
	}
	kmem_free(gids);
	return err;
}
