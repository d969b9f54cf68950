/*
 * cred.c: who a thread acts as: users, groups, capabilities.
 *
 * What:       numbers in the thread itself, so that asking costs nothing; the list of groups, which
 *             may be long, is shared by the threads that inherited it.
 * Invariants: (1) a list of groups never changes: setting makes a new one. (2) a thread's numbers
 *             are changed by that thread only.
 * Locking:    none; groups.refs is atomic.
 * Failure:    -ENOMEM for a list of groups: nothing has changed.
 * Source:     credentials(7), capabilities(7).
 */
#include "kernel/cred.h"

#include <linux/capability.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/thread.h"
#include "lib/string.h"

#define ALL_CAPABILITIES ((1ull << (CAP_LAST_CAP + 1)) - 1)

struct cred_groups {
	_Atomic uint32_t refs; /* [a] threads */
	uint32_t count; /* [I] */
	uint32_t gid[]; /* [I] ascending */
};

void cred_init(struct cred *c)
{
	*c = (struct cred){
		.effective = ALL_CAPABILITIES,
		.permitted = ALL_CAPABILITIES,
		.bounding = ALL_CAPABILITIES,
	};
}

static void put_groups(struct cred_groups *g)
{
	/* acq_rel: what others read of it is over before it is freed */
	if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1)
		kmem_free(g);
}

void cred_clone(struct cred *to, const struct cred *from)
{
	*to = *from;
	if (to->groups)
		atomic_fetch_add_explicit(&to->groups->refs, 1, memory_order_relaxed);
}

void cred_put(struct cred *c)
{
	put_groups(c->groups);
	c->groups = NULL;
}

const struct cred *cred_current(void)
{
	return &thread_current()->cred;
}

void cred_set(const struct cred *c)
{
	struct thread *t = thread_current();

	ASSERT(c->groups == t->cred.groups);
	t->cred = *c;
}

bool cred_has(const struct cred *c, unsigned cap)
{
	return c->effective >> cap & 1;
}

bool cred_is_in_group(const struct cred *c, uint32_t gid)
{
	uint32_t low = 0, high = c->groups ? c->groups->count : 0;

	if (gid == c->fsgid)
		return true;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (c->groups->gid[middle] == gid)
			return true;
		if (c->groups->gid[middle] < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

uint32_t cred_group_count(void)
{
	const struct cred_groups *g = cred_current()->groups;

	return g ? g->count : 0;
}

uint32_t cred_group(uint32_t index)
{
	ASSERT(index < cred_group_count());
	return cred_current()->groups->gid[index];
}

int cred_set_groups(const uint32_t *gids, uint32_t count)
{
	struct thread *t = thread_current();
	struct cred_groups *g = NULL;

	if (count) {
		g = kmem_alloc(sizeof(*g) + count * sizeof(g->gid[0]));
		if (!g)
			return -ENOMEM;
		atomic_init(&g->refs, 1);
		g->count = count;
		memcpy(g->gid, gids, count * sizeof(g->gid[0]));
	}
	put_groups(t->cred.groups);
	t->cred.groups = g;
	return 0;
}
