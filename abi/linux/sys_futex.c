/*
 * sys_futex.c: the futex call.
 *
 * What:       decodes Linux's operations; the queues are kernel/sync/futex.c. There is one address
 *             space, so private and shared futexes are the same.
 * Invariants: (1) a wait with a time limit is not restarted after a handler, and keeps its limit
 *             where none ran.
 * Locking:    none held; may sleep.
 * Failure:    -ENOSYS: priority inheritance (there is one priority, but nobody tracks owners).
 * Source:     futex(2); Go runtime/os_linux.go uses FUTEX_WAIT and FUTEX_WAKE, private.
 */
#include <linux/futex.h>

#include "abi/linux/restart_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "kernel/sync/futex.h"

static const struct clock_deadline never = { .ns = TIME_NEVER_NS };

/* FUTEX_WAIT: relative; FUTEX_WAIT_BITSET: absolute. */
static int load_deadline(uaddr_t ua, int operation, struct clock_deadline *deadline)
{
	bool is_relative = (operation & FUTEX_CMD_MASK) == FUTEX_WAIT;
	uint64_t ns;
	int err;

	*deadline = never;
	if (!ua || (is_relative && linux_take_deadline(&deadline->ns))) /* (1) */
		return 0;
	err = linux_load_timespec(ua, &ns);
	if (err)
		return err;
	if (is_relative)
		deadline->ns = linux_deadline_after(ns);
	else
		*deadline = (struct clock_deadline){ ns, operation & FUTEX_CLOCK_REALTIME };
	return 0;
}

static long wait(const struct sysargs *a, uint32_t bitset)
{
	struct clock_deadline deadline;
	int err = load_deadline(a->arg[3], sysarg_int(a, 1), &deadline);

	if (err)
		return err;
	if (!bitset)
		return -EINVAL;
	err = futex_wait(a->arg[0], (uint32_t)a->arg[2], deadline, bitset);
	if (err != -ERESTARTSYS || deadline.ns == TIME_NEVER_NS)
		return err;
	if ((sysarg_int(a, 1) & FUTEX_CMD_MASK) == FUTEX_WAIT) /* (1) */
		return linux_restart_until(deadline.ns);
	return -ERESTARTNOHAND;
}

static long wake(const struct sysargs *a, uint32_t bitset)
{
	int32_t count = sysarg_int(a, 2);

	if (!bitset)
		return -EINVAL;
	/* Linux wakes one for 0, too. */
	return futex_wake(a->arg[0], count > 0 ? (uint32_t)count : 1, bitset);
}

static long requeue(const struct sysargs *a, bool check)
{
	int32_t wakes = sysarg_int(a, 2), moves = (int32_t)a->arg[3];

	if (wakes < 0 || moves < 0 || (a->arg[4] & 3))
		return -EINVAL;
	if (a->arg[4] >= ARCH_USER_END)
		return -EFAULT;
	return futex_requeue(a->arg[0], (uint32_t)wakes, (uint32_t)moves, a->arg[4], check,
		(uint32_t)a->arg[5]);
}

/* ------------------------------------------------------------------ FUTEX_WAKE_OP */

/* Its last argument: what to do with the second word, and what its old value decides. */
struct wake_op {
	uint32_t operation, comparison;
	int32_t operand, compared;
};

static int32_t sign_extend_12(uint32_t v)
{
	return (int32_t)(v << 20) >> 20;
}

static int decode_wake_op(uint32_t code, struct wake_op *op)
{
	*op = (struct wake_op){
		.operation = code >> 28 & 7,
		.comparison = code >> 24 & 15,
		.operand = sign_extend_12(code >> 12),
		.compared = sign_extend_12(code),
	};
	if (code >> 28 & FUTEX_OP_OPARG_SHIFT)
		op->operand = (int32_t)(1u << (op->operand & 31));
	return op->operation > FUTEX_OP_XOR || op->comparison > FUTEX_OP_CMP_GE ? -ENOSYS : 0;
}

static uint32_t apply(const struct wake_op *op, uint32_t old)
{
	uint32_t operand = (uint32_t)op->operand;

	switch (op->operation) {
	case FUTEX_OP_SET:
		return operand;
	case FUTEX_OP_ADD:
		return old + operand;
	case FUTEX_OP_OR:
		return old | operand;
	case FUTEX_OP_ANDN:
		return old & ~operand;
	default: /* FUTEX_OP_XOR */
		return old ^ operand;
	}
}

static bool holds(const struct wake_op *op, int32_t old)
{
	switch (op->comparison) {
	case FUTEX_OP_CMP_EQ:
		return old == op->compared;
	case FUTEX_OP_CMP_NE:
		return old != op->compared;
	case FUTEX_OP_CMP_LT:
		return old < op->compared;
	case FUTEX_OP_CMP_LE:
		return old <= op->compared;
	case FUTEX_OP_CMP_GT:
		return old > op->compared;
	default: /* FUTEX_OP_CMP_GE */
		return old >= op->compared;
	}
}

/* Changes the word in one step: its old value. */
static int change_word(uaddr_t ua, const struct wake_op *op, uint32_t *old)
{
	uint32_t seen;

	if (user_load_u32(&seen, ua))
		return -EFAULT;
	do {
		*old = seen;
		if (user_cas_u32(ua, *old, apply(op, *old), &seen))
			return -EFAULT;
	} while (seen != *old);
	return 0;
}

/* The change is made before anybody is woken: whoever compares the second word after it sees the
 * new value, and whoever queued before it is there to be woken. */
static long wake_op(const struct sysargs *a)
{
	int32_t wakes = sysarg_int(a, 2), wakes2 = (int32_t)a->arg[3];
	uaddr_t word2 = a->arg[4];
	struct wake_op op;
	uint32_t old;
	long woken;
	int err;

	if (word2 & 3)
		return -EINVAL;
	if (word2 >= ARCH_USER_END)
		return -EFAULT;
	err = decode_wake_op((uint32_t)a->arg[5], &op);
	if (!err)
		err = change_word(word2, &op, &old);
	if (err)
		return err;
	woken = futex_wake(a->arg[0], wakes > 0 ? (uint32_t)wakes : 1, FUTEX_BITSET_MATCH_ANY);
	if (holds(&op, (int32_t)old))
		woken += futex_wake(word2, wakes2 > 0 ? (uint32_t)wakes2 : 1,
			FUTEX_BITSET_MATCH_ANY);
	return woken;
}

long sys_futex(const struct sysargs *a)
{
	int operation = sysarg_int(a, 1), command = operation & FUTEX_CMD_MASK;

	if (a->arg[0] & 3)
		return command > FUTEX_LOCK_PI2 ? -ENOSYS : -EINVAL;
	if (a->arg[0] >= ARCH_USER_END)
		return -EFAULT;
	if ((operation & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return wait(a, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return wait(a, (uint32_t)a->arg[5]);
	case FUTEX_WAKE:
		return wake(a, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return wake(a, (uint32_t)a->arg[5]);
	case FUTEX_REQUEUE:
		return requeue(a, false);
	case FUTEX_CMP_REQUEUE:
		return requeue(a, true);
	case FUTEX_WAKE_OP:
		return wake_op(a);
	default: /* priority inheritance */
		return -ENOSYS;
	}
}
