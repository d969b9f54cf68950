/*
 * bpf.c: the classic packet filter: judging programs, and running them.
 *
 * What:       a machine with an accumulator A, an index X and 16 words of memory. Judging refuses
 *             what Linux refuses, so that running needs no test but that of a packet's end.
 * Invariants: (1) every jump goes forward and stays within the program, and the last instruction
 *             returns: a run ends. (2) a word of memory is read only after it was written on every
 *             way that leads there. (3) what is outside of the packet ends the run with 0.
 * Locking:    none; pure.
 * Failure:    false for a bad program. CAVEAT: those that ask for SKF_AD_PAY_OFFSET, SKF_AD_NLATTR
 *             and SKF_AD_NLATTR_NEST are among them.
 * Source:     Linux Documentation/networking/filter.rst, net/core/filter.c (bpf_check_classic,
 *             check_load_and_stores, bpf_convert_filter), kernel/bpf/core.c (shifts).
 */
#include "lib/bpf.h"

#include <linux/filter.h>

#include "lib/string.h"

#define FIRST_FACT ((uint32_t)SKF_AD_OFF)

struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
};

/* ------------------------------------------------------------------ judging */
static bool is_fact(uint32_t k)
{
	switch (k - FIRST_FACT) {
	case SKF_AD_PROTOCOL:
	case SKF_AD_PKTTYPE:
	case SKF_AD_IFINDEX:
	case SKF_AD_MARK:
	case SKF_AD_QUEUE:
	case SKF_AD_HATYPE:
	case SKF_AD_RXHASH:
	case SKF_AD_CPU:
	case SKF_AD_ALU_XOR_X:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_RANDOM:
	case SKF_AD_VLAN_TPID:
		return true;
	default:
		return false;
	}
}

static bool is_good_load(const struct bpf_instruction *i)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		return i->k < FIRST_FACT || is_fact(i->k);
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return i->k < BPF_MEMWORDS;
	default:
		return false;
	}
}

static bool is_good_arithmetic(const struct bpf_instruction *i)
{
	bool constant = BPF_SRC(i->code) == BPF_K;

	if ((i->code & ~0xffu) != 0)
		return false;
	switch (BPF_OP(i->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		return true;
	case BPF_DIV:
	case BPF_MOD:
		return !constant || i->k != 0;
	case BPF_LSH:
	case BPF_RSH:
		return !constant || i->k < 32;
	case BPF_NEG:
		return constant;
	default:
		return false;
	}
}

/* after: how many instructions follow this one. */
static bool is_good_jump(const struct bpf_instruction *i, uint32_t after)
{
	switch (i->code) {
	case BPF_JMP | BPF_JA:
		return i->k < after;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return i->jump_true < after && i->jump_false < after;
	default:
		return false;
	}
}

static bool is_return(const struct bpf_instruction *i)
{
	return i->code == (BPF_RET | BPF_K) || i->code == (BPF_RET | BPF_A);
}

static bool is_good(const struct bpf_instruction *i, uint32_t after)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_ALU:
		return is_good_arithmetic(i);
	case BPF_JMP:
		return is_good_jump(i, after);
	case BPF_RET:
		return is_return(i);
	case BPF_MISC:
		return i->code == (BPF_MISC | BPF_TAX) || i->code == (BPF_MISC | BPF_TXA);
	default:
		return is_good_load(i);
	}
}

/* What is written where an instruction is reached: what is on all the ways to it. written holds
 * what the jumps so far bring. */
static bool follow_memory(const struct bpf_instruction *program, uint32_t at, uint16_t *written,
	uint16_t *now)
{
	const struct bpf_instruction *i = &program[at];

	*now &= written[at];
	switch (i->code) {
	case BPF_ST:
	case BPF_STX:
		*now |= (uint16_t)(1u << i->k);
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		return (*now >> i->k & 1) != 0;
	case BPF_JMP | BPF_JA:
		written[at + 1 + i->k] &= *now;
		*now = UINT16_MAX; /* nothing falls through */
		return true;
	default:
		break;
	}
	if (BPF_CLASS(i->code) == BPF_JMP) {
		written[at + 1 + i->jump_true] &= *now;
		written[at + 1 + i->jump_false] &= *now;
		*now = UINT16_MAX;
	}
	return true;
}

bool bpf_is_valid(const struct bpf_instruction *program, uint32_t count, uint16_t *scratch)
{
	uint16_t now = 0;
	uint32_t at;

	if (count == 0 || count > BPF_INSTRUCTIONS_MAX || !is_return(&program[count - 1]))
		return false;
	for (at = 0; at < count; at++) {
		if (!is_good(&program[at], count - at - 1)) /* (1) */
			return false;
		scratch[at] = UINT16_MAX;
	}
	for (at = 0; at < count; at++)
		if (!follow_memory(program, at, scratch, &now)) /* (2) */
			return false;
	return true;
}

/* ------------------------------------------------------------------ running */
/* 1, 2 or 4 bytes, the first one the highest. */
static bool load_number(const struct bpf_packet *p, uint32_t offset, uint32_t bytes, uint32_t *to)
{
	uint8_t raw[4];
	uint32_t i, value = 0;

	if (!p->load(p, offset, raw, bytes))
		return false;
	for (i = 0; i < bytes; i++)
		value = value << 8 | raw[i];
	*to = value;
	return true;
}

static uint32_t width_of(const struct bpf_instruction *i)
{
	return BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : 1;
}

static bool load_at(struct machine *m, const struct bpf_packet *p, const struct bpf_instruction *i)
{
	if (i->k < FIRST_FACT)
		return load_number(p, i->k, width_of(i), &m->a);
	if (i->k - FIRST_FACT == SKF_AD_ALU_XOR_X)
		m->a ^= m->x;
	else
		m->a = p->fact(p, i->k - FIRST_FACT);
	return true;
}

static bool load(struct machine *m, const struct bpf_packet *p, const struct bpf_instruction *i)
{
	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		return load_at(m, p, i);
	case BPF_IND:
		return load_number(p, m->x + i->k, width_of(i), &m->a);
	case BPF_LEN:
		m->a = p->bytes;
		return true;
	case BPF_MEM:
		m->a = m->memory[i->k];
		return true;
	default:
		m->a = i->k;
		return true;
	}
}

static bool load_index(struct machine *m, const struct bpf_packet *p,
	const struct bpf_instruction *i)
{
	switch (BPF_MODE(i->code)) {
	case BPF_MSH: /* the length of an IPv4 header */
		if (!load_number(p, i->k, 1, &m->x))
			return false;
		m->x = (m->x & 15) << 2;
		return true;
	case BPF_LEN:
		m->x = p->bytes;
		return true;
	case BPF_MEM:
		m->x = m->memory[i->k];
		return true;
	default:
		m->x = i->k;
		return true;
	}
}

static bool calculate(struct machine *m, const struct bpf_instruction *i)
{
	uint32_t by = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		m->a += by;
		return true;
	case BPF_SUB:
		m->a -= by;
		return true;
	case BPF_MUL:
		m->a *= by;
		return true;
	case BPF_DIV:
		m->a = by == 0 ? 0 : m->a / by;
		return by != 0;
	case BPF_MOD:
		m->a = by == 0 ? 0 : m->a % by;
		return by != 0;
	case BPF_OR:
		m->a |= by;
		return true;
	case BPF_AND:
		m->a &= by;
		return true;
	case BPF_XOR:
		m->a ^= by;
		return true;
	case BPF_LSH:
		m->a <<= by & 31;
		return true;
	case BPF_RSH:
		m->a >>= by & 31;
		return true;
	default:
		m->a = 0u - m->a;
		return true;
	}
}

static uint32_t jump(const struct machine *m, const struct bpf_instruction *i)
{
	uint32_t with = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
	bool holds;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		holds = m->a == with;
		break;
	case BPF_JGT:
		holds = m->a > with;
		break;
	case BPF_JGE:
		holds = m->a >= with;
		break;
	default:
		holds = (m->a & with) != 0;
		break;
	}
	return holds ? i->jump_true : i->jump_false;
}

uint32_t bpf_run(const struct bpf_instruction *program, const struct bpf_packet *packet)
{
	const struct bpf_instruction *i = program;
	struct machine m;
	bool inside = true;

	memset(&m, 0, sizeof(m));
	for (; inside; i++) {
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			inside = load(&m, packet, i);
			break;
		case BPF_LDX:
			inside = load_index(&m, packet, i);
			break;
		case BPF_ST:
			m.memory[i->k] = m.a;
			break;
		case BPF_STX:
			m.memory[i->k] = m.x;
			break;
		case BPF_ALU:
			inside = calculate(&m, i);
			break;
		case BPF_JMP:
			i += jump(&m, i);
			break;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		default:
			return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		}
	}
	return 0; /* (3) */
}
