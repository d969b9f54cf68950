/* sources: lib/bpf.c lib/string.c test/unit/shim/host.c */
/*
 * bpf_test.c: packet filters, against the host's Linux.
 *
 * What:       programs, most of them random, are judged here and by the host's kernel, which is
 *             given them for a socket; then a datagram through that socket shows what it keeps.
 * Invariants: (1) what one side refuses the other one refuses. (2) both keep the same bytes.
 * Locking:    one thread.
 * Failure:    aborts with the failed check, and prints the program.
 * Source:     Linux net/core/filter.c, as it runs here.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/units.h"
#include "host.h"
#include "lib/bpf.h"

#define PACKET_BYTES 64u
#define PROGRAMS 60000u
#define LENGTH_MAX 24u

struct packet {
	struct bpf_packet base;
	const uint8_t *data;
};

static int ends[2];

static bool load(const struct bpf_packet *p, uint32_t offset, uint8_t *out, uint32_t bytes)
{
	const struct packet *packet = (const struct packet *)(const void *)p;

	if (offset > p->bytes || bytes > p->bytes - offset)
		return false;
	memcpy(out, packet->data + offset, bytes);
	return true;
}

static uint32_t fact(const struct bpf_packet *p, uint32_t which)
{
	(void)p;
	CHECK(which < SKF_AD_MAX);
	return 0;
}

static void show(const struct bpf_instruction *program, uint32_t count, long ours, long theirs)
{
	for (uint32_t i = 0; i < count; i++)
		fprintf(stderr, "%2u: { 0x%02x, %u, %u, 0x%x }\n", i, program[i].code,
			program[i].jump_true, program[i].jump_false, program[i].k);
	fprintf(stderr, "here %ld, on Linux %ld\n", ours, theirs);
	CHECK(false);
}

#define UNKNOWN (-2L) /* it is larger than what this host's optmem_max allows */

/* -1: it is refused; 0: the datagram did not come; else what came of it. */
static long ask_linux(const struct bpf_instruction *program, uint32_t count, const uint8_t *data)
{
	struct sock_fprog all = { (unsigned short)count, (struct sock_filter *)(uintptr_t)program };
	uint8_t in[PACKET_BYTES];
	long got;

	if (setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof(all)) != 0) {
		CHECK(errno == EINVAL || errno == ENOMEM);
		return errno == EINVAL ? -1 : UNKNOWN;
	}
	CHECK_EQ(send(ends[0], data, PACKET_BYTES, 0), (long)PACKET_BYTES);
	got = recv(ends[1], in, sizeof(in), MSG_DONTWAIT);
	CHECK(got > 0 || errno == EAGAIN);
	return got < 0 ? 0 : got;
}

static long ask_us(const struct bpf_instruction *program, uint32_t count, const uint8_t *data)
{
	struct packet p = { { PACKET_BYTES, load, fact }, data };
	/* Exactly as large as it may be, so that ASan sees one step too many. */
	struct bpf_instruction *copy = malloc(count * sizeof(*copy));
	uint16_t *scratch = malloc(count * sizeof(*scratch));
	long result = -1;

	memcpy(copy, program, count * sizeof(*copy));
	if (bpf_is_valid(copy, count, scratch))
		result = bpf_run(copy, &p.base);
	free(scratch);
	free(copy);
	return result < (long)PACKET_BYTES ? result : (long)PACKET_BYTES;
}

static void compare(const struct bpf_instruction *program, uint32_t count, const uint8_t *data)
{
	long ours = ask_us(program, count, data), theirs = ask_linux(program, count, data);

	if (ours != theirs && theirs != UNKNOWN) /* (1), (2) */
		show(program, count, ours, theirs);
}

/* ------------------------------------------------------------------ random programs */
static uint32_t some(uint32_t below)
{
	return (uint32_t)rand() % below;
}

/* Any code now and then; else one that is right where it stands. */
static uint16_t some_code(void)
{
	static const uint16_t codes[] = { BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS,
		BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND,
		BPF_LD | BPF_B | BPF_IND, BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN,
		BPF_LDX | BPF_B | BPF_MSH, BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LD | BPF_MEM,
		BPF_LDX | BPF_MEM, BPF_ST, BPF_STX, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA,
		BPF_RET | BPF_A, BPF_JMP | BPF_JA };

	if (some(60) == 0)
		return (uint16_t)some(256 + 64);
	if (some(4) == 0)
		return (uint16_t)(BPF_ALU | some(11) << 4 | some(2) << 3);
	if (some(5) == 0)
		return (uint16_t)(BPF_JMP | (1 + some(4)) << 4 | some(2) << 3);
	return codes[some(sizeof(codes) / sizeof(codes[0]))];
}

static uint32_t some_k(uint16_t code)
{
	if (BPF_CLASS(code) == BPF_ST || BPF_CLASS(code) == BPF_STX || BPF_MODE(code) == BPF_MEM)
		return some(20) == 0 ? some(20) : some(3);
	switch (some(8)) {
	case 0:
		return (uint32_t)rand() << 1;
	case 1:
		return UINT32_MAX - some(16);
	case 2:
		return some(PACKET_BYTES + 4);
	default:
		return some(16);
	}
}

/* What the two sides know differently of a packet: ours has no more than its bytes, and no headers
 * before it. Linux's memory before the data is not ours to compare with. */
static bool is_comparable(const struct bpf_instruction *i)
{
	bool reads = BPF_CLASS(i->code) <= BPF_LDX;

	return !reads || BPF_MODE(i->code) == BPF_IMM || BPF_MODE(i->code) == BPF_LEN ||
		BPF_MODE(i->code) == BPF_MEM ||
		(i->k < 0x7fffffff && BPF_MODE(i->code) != BPF_IND) ||
		(i->k < 0x1000 && BPF_MODE(i->code) == BPF_IND);
}

static void test_random(const uint8_t *data)
{
	struct bpf_instruction program[LENGTH_MAX];
	uint32_t count = 2 + some(LENGTH_MAX - 1), i, after;

	for (i = 0; i < count; i++) {
		after = count - i;
		program[i].code = some_code();
		program[i].k = some_k(program[i].code);
		if (program[i].code == (BPF_JMP | BPF_JA))
			program[i].k = some(some(30) == 0 ? 64 : after);
		program[i].jump_true = (uint8_t)some(some(60) == 0 ? 256 : MIN(after, 3u));
		program[i].jump_false = (uint8_t)some(some(60) == 0 ? 256 : MIN(after, 3u));
		if (!is_comparable(&program[i]))
			program[i] = (struct bpf_instruction){ BPF_MISC | BPF_TAX, 0, 0, 0 };
	}
	if (some(40) != 0)
		program[count - 1] = (struct bpf_instruction){ BPF_RET | (some(2) ? BPF_K : BPF_A),
			0, 0, some(PACKET_BYTES + 8) };
	/* An index beyond 2^31 is an offset before the packet. */
	for (i = 0; i + 1 < count; i++)
		if (BPF_CLASS(program[i].code) == BPF_LD && BPF_MODE(program[i].code) == BPF_IND)
			program[i].code = (uint16_t)(BPF_LD | BPF_SIZE(program[i].code) | BPF_ABS);
	compare(program, count, data);
}

/* ------------------------------------------------------------------ chosen ones */
static void test_chosen(const uint8_t *data)
{
	static const struct bpf_instruction indirect[] = { { BPF_LDX | BPF_IMM, 0, 0, 7 },
		{ BPF_LD | BPF_H | BPF_IND, 0, 0, 9 }, { BPF_ALU | BPF_RSH | BPF_K, 0, 0, 3 },
		{ BPF_ALU | BPF_AND | BPF_K, 0, 0, 63 }, { BPF_RET | BPF_A, 0, 0, 0 } };
	static const struct bpf_instruction past[] = { { BPF_LD | BPF_W | BPF_ABS, 0, 0, 61 },
		{ BPF_RET | BPF_K, 0, 0, 40 } };
	static const struct bpf_instruction last[] = { { BPF_LD | BPF_W | BPF_ABS, 0, 0, 60 },
		{ BPF_RET | BPF_K, 0, 0, 40 } };
	static const struct bpf_instruction header[] = { { BPF_LDX | BPF_B | BPF_MSH, 0, 0, 5 },
		{ BPF_MISC | BPF_TXA, 0, 0, 0 }, { BPF_RET | BPF_A, 0, 0, 0 } };
	static const struct bpf_instruction fact_unknown[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + SKF_AD_MAX },
		{ BPF_RET | BPF_K, 0, 0, 40 }
	};
	static const struct bpf_instruction fact_vlan[] = {
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0 }, { BPF_RET | BPF_K, 0, 0, 33 },
		{ BPF_RET | BPF_K, 0, 0, 0 }
	};
	static const struct bpf_instruction fact_xor[] = { { BPF_LDX | BPF_IMM, 0, 0, 0x35 },
		{ BPF_LD | BPF_IMM, 0, 0, 0x12 },
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + SKF_AD_ALU_XOR_X },
		{ BPF_RET | BPF_A, 0, 0, 0 } };
	static const struct bpf_instruction divide[] = { { BPF_LD | BPF_IMM, 0, 0, 50 },
		{ BPF_LDX | BPF_IMM, 0, 0, 0 }, { BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0 },
		{ BPF_RET | BPF_K, 0, 0, 40 } };
	static const struct bpf_instruction shift[] = { { BPF_LD | BPF_IMM, 0, 0, 5 },
		{ BPF_LDX | BPF_IMM, 0, 0, 33 }, { BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0 },
		{ BPF_RET | BPF_A, 0, 0, 0 } };

	compare(indirect, 5, data);
	compare(past, 2, data);
	compare(last, 2, data);
	compare(header, 3, data);
	compare(fact_unknown, 2, data);
	compare(fact_vlan, 4, data);
	compare(fact_xor, 4, data);
	compare(divide, 4, data);
	compare(shift, 4, data);
}

/* The longest program there is, and one more. */
static void test_long(const uint8_t *data)
{
	static struct bpf_instruction program[BPF_INSTRUCTIONS_MAX + 1];
	uint32_t i;

	for (i = 0; i < BPF_INSTRUCTIONS_MAX - 1; i++)
		program[i] = (struct bpf_instruction){ BPF_ALU | BPF_ADD | BPF_K, 0, 0, 1 };
	program[i] = (struct bpf_instruction){ BPF_RET | BPF_A, 0, 0, 0 };
	compare(program, BPF_INSTRUCTIONS_MAX, data);
	program[i + 1] = program[i];
	CHECK_EQ(ask_us(program, BPF_INSTRUCTIONS_MAX + 1, data), -1);
}

int main(void)
{
	uint8_t data[PACKET_BYTES];
	uint32_t i;

	CHECK_EQ(sizeof(struct bpf_instruction), sizeof(struct sock_filter));
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	srand(1);
	for (i = 0; i < PACKET_BYTES; i++)
		data[i] = (uint8_t)(i * 37 + 3);
	test_chosen(data);
	test_long(data);
	for (i = 0; i < PROGRAMS; i++)
		test_random(data);
	return 0;
}
