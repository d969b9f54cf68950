/*
 * bpf.h: the classic packet filter: programs of instructions that say how much of a packet to keep.
 *
 * An instruction has the layout of Linux's struct sock_filter; codes and constants are those of
 * linux/filter.h. Pure: nothing sleeps, nothing is allocated. Source: McCanne and Jacobson, "The
 * BSD Packet Filter" (1993).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BPF_INSTRUCTIONS_MAX 4096u

struct bpf_instruction {
	uint16_t code;
	uint8_t jump_true, jump_false;
	uint32_t k;
};

/* What a program looks at. */
struct bpf_packet {
	uint32_t bytes; /* from where offset 0 is */
	/* Copies 1, 2 or 4 bytes at offset, which the program chose, to out. False: they are not
	 * all there. Offsets from 2^31 on are Linux's SKF_NET_OFF and SKF_LL_OFF. */
	bool (*load)(const struct bpf_packet *p, uint32_t offset, uint8_t *out, uint32_t bytes);
	/* What is known of the packet besides its bytes; which: SKF_AD_*. */
	uint32_t (*fact)(const struct bpf_packet *p, uint32_t which);
};

/* Whether a program may run: it has 1 to BPF_INSTRUCTIONS_MAX instructions, ends, jumps within
 * itself, and reads no word of its memory before it wrote it. scratch: room for count numbers. */
bool bpf_is_valid(const struct bpf_instruction *program, uint32_t count, uint16_t *scratch);
/* Runs a valid program, each instruction at most once. Bytes to keep, perhaps more than there are;
 * 0: none of it is wanted. */
uint32_t bpf_run(const struct bpf_instruction *program, const struct bpf_packet *packet);
