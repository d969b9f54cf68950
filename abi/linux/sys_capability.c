/*
 * sys_capability.c: capabilities of the calling thread.
 *
 * What:       capget and capset, and prctl's questions and changes about capabilities. The process
 *             never executes another file, so the inheritable, ambient and bounding sets are kept
 *             and told, and limit each other, but decide nothing.
 * Invariants: (1) no set grows beyond what capabilities(7) allows. (2) a call that fails has
 *             changed nothing.
 * Locking:    none for the thread's own; LOCK_THREADS to look at another's.
 * Failure:    -EPERM: it would grow. -EINVAL: no such capability or version.
 * Source:     capget(2), prctl(2), capabilities(7).
 */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "abi/linux/cred_priv.h"
#include "abi/linux/sysargs.h"
#include "kernel/cred.h"
#include "kernel/sched/thread.h"

#define CAP_BIT(cap) (1ull << (cap))
#define ALL_CAPABILITIES ((1ull << (CAP_LAST_CAP + 1)) - 1)

enum { WORDS_MAX = 2 };

/* -EINVAL: another version: the program is told the newest. */
static int load_header(uaddr_t ua, struct __user_cap_header_struct *h, unsigned *words)
{
	if (user_load_u32(&h->version, ua)) /* the rest is looked at when it is a known one */
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = 1;
		break;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = WORDS_MAX;
		break;
	default:
		if (user_store_u32(ua, _LINUX_CAPABILITY_VERSION_3))
			return -EFAULT;
		return -EINVAL;
	}
	return user_copy_in(h, ua, sizeof(*h));
}

struct look {
	int32_t tid;
	struct cred copy;
};

static bool copy_cred(struct thread *t, void *arg)
{
	struct look *l = arg;

	if (t->tid != l->tid)
		return false;
	l->copy = t->cred; /* numbers only are used; torn ones are as old or as new as any */
	return true;
}

long sys_capget(const struct sysargs *a)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct data[WORDS_MAX];
	unsigned words;
	struct look l;
	int err = load_header(a->arg[0], &h, &words);

	if (err)
		return err == -EINVAL && !a->arg[1] ? 0 : err; /* only the version was asked */
	if (h.pid < 0)
		return -EINVAL;
	l.tid = h.pid ? h.pid : thread_current()->tid;
	if (!thread_find(copy_cred, &l))
		return -ESRCH;
	for (unsigned i = 0; i < words; i++) {
		data[i].effective = (uint32_t)(l.copy.effective >> 32 * i);
		data[i].permitted = (uint32_t)(l.copy.permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(l.copy.inheritable >> 32 * i);
	}
	return a->arg[1] ? user_copy_out(a->arg[1], data, words * sizeof(data[0])) : 0;
}

/* (1) */
static bool may_have(const struct cred *old, const struct cred *fresh)
{
	uint64_t gained = fresh->inheritable & ~old->inheritable;

	if (!cred_has(old, CAP_SETPCAP) && (gained & ~old->permitted))
		return false;
	if (gained & ~old->bounding)
		return false;
	return !(fresh->permitted & ~old->permitted) && !(fresh->effective & ~fresh->permitted);
}

long sys_capset(const struct sysargs *a)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct data[WORDS_MAX] = { { 0 } };
	const struct cred *old = cred_current();
	struct cred c = *old;
	unsigned words;
	int err = load_header(a->arg[0], &h, &words);

	if (err)
		return err;
	if (h.pid && h.pid != thread_current()->tid)
		return -EPERM;
	if (user_copy_in(data, a->arg[1], words * sizeof(data[0])))
		return -EFAULT;
	c.effective = (data[0].effective | (uint64_t)data[1].effective << 32) & ALL_CAPABILITIES;
	c.permitted = (data[0].permitted | (uint64_t)data[1].permitted << 32) & ALL_CAPABILITIES;
	c.inheritable = (data[0].inheritable | (uint64_t)data[1].inheritable << 32) &
		ALL_CAPABILITIES;
	if (!may_have(old, &c))
		return -EPERM;
	c.ambient &= c.permitted & c.inheritable;
	cred_set(&c);
	return 0;
}

/* ------------------------------------------------------------------ prctl */
static long drop_bounding(uint64_t cap)
{
	struct cred c = *cred_current();

	if (!cred_has(&c, CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	c.bounding &= ~CAP_BIT(cap);
	cred_set(&c);
	return 0;
}

static long change_ambient(uint64_t operation, uint64_t cap)
{
	struct cred c = *cred_current();

	if (operation == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap)
			return -EINVAL;
		c.ambient = 0;
		cred_set(&c);
		return 0;
	}
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (operation) {
	case PR_CAP_AMBIENT_IS_SET:
		return c.ambient >> cap & 1;
	case PR_CAP_AMBIENT_LOWER:
		c.ambient &= ~CAP_BIT(cap);
		break;
	case PR_CAP_AMBIENT_RAISE:
		if (!(c.permitted & c.inheritable & CAP_BIT(cap)) ||
			(c.securebits & (1 << SECURE_NO_CAP_AMBIENT_RAISE)))
			return -EPERM;
		c.ambient |= CAP_BIT(cap);
		break;
	default:
		return -EINVAL;
	}
	cred_set(&c);
	return 0;
}

/* Each bit has its lock beside it: locked ones stay, and locks stay locked. */
static long set_securebits(uint64_t bits)
{
	struct cred c = *cred_current();
	uint32_t locks = c.securebits & SECURE_ALL_LOCKS;

	if (((locks >> 1) & (c.securebits ^ (uint32_t)bits)) || (locks & ~(uint32_t)bits) ||
		(bits & ~(uint64_t)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)))
		return -EPERM;
	if (!cred_has(&c, CAP_SETPCAP))
		return -EPERM;
	c.securebits = (uint32_t)bits;
	cred_set(&c);
	return 0;
}

static long set_keep_caps(uint64_t keep)
{
	struct cred c = *cred_current();

	if (keep > 1)
		return -EINVAL;
	if (c.securebits & (1 << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	c.securebits &= ~(1u << SECURE_KEEP_CAPS);
	c.securebits |= (uint32_t)keep << SECURE_KEEP_CAPS;
	cred_set(&c);
	return 0;
}

static long set_no_new_privs(const struct sysargs *a)
{
	struct cred c = *cred_current();

	if (a->arg[1] != 1 || a->arg[2] || a->arg[3] || a->arg[4])
		return -EINVAL;
	c.no_new_privs = true;
	cred_set(&c);
	return 0;
}

long linux_prctl_cred(const struct sysargs *a)
{
	const struct cred *c = cred_current();

	switch (sysarg_int(a, 0)) {
	case PR_SET_KEEPCAPS:
		return set_keep_caps(a->arg[1]);
	case PR_GET_KEEPCAPS:
		return c->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(a);
	case PR_GET_NO_NEW_PRIVS:
		if (a->arg[1] || a->arg[2] || a->arg[3] || a->arg[4])
			return -EINVAL;
		return c->no_new_privs;
	case PR_CAPBSET_READ:
		return a->arg[1] <= CAP_LAST_CAP ? (long)(c->bounding >> a->arg[1] & 1) : -EINVAL;
	case PR_CAPBSET_DROP:
		return drop_bounding(a->arg[1]);
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(a->arg[1]);
	case PR_CAP_AMBIENT:
		if (a->arg[4] || (a->arg[1] == PR_CAP_AMBIENT_CLEAR_ALL && a->arg[3]))
			return -EINVAL;
		return change_ambient(a->arg[1], a->arg[2]);
	default:
		return -EINVAL;
	}
}
