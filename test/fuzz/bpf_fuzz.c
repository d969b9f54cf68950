/* sources: lib/bpf.c lib/string.c test/unit/shim/host.c */
/*
 * bpf_fuzz.c: any bytes as a packet filter, and the rest as a packet.
 *
 * What:       the first byte says how many instructions follow; what is left is the packet. A
 *             program that is judged good is run.
 * Invariants: (1) a run reads within the program and the packet, and ends.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check; libFuzzer's timeout for a run that does not end.
 * Source:     lib/bpf.h.
 */
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "host.h"
#include "lib/bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct packet {
	struct bpf_packet base;
	const uint8_t *data;
	unsigned long loads;
};

static bool load(const struct bpf_packet *p, uint32_t offset, uint8_t *out, uint32_t bytes)
{
	struct packet *packet = (struct packet *)(uintptr_t)p;

	CHECK(bytes == 1 || bytes == 2 || bytes == 4);
	CHECK(packet->loads++ < BPF_INSTRUCTIONS_MAX);
	if (offset > p->bytes || bytes > p->bytes - offset)
		return false;
	memcpy(out, packet->data + offset, bytes);
	return true;
}

static uint32_t fact(const struct bpf_packet *p, uint32_t which)
{
	(void)p;
	CHECK(which < SKF_AD_MAX);
	return which;
}

static void *copy(const void *from, size_t bytes)
{
	void *to = malloc(bytes);

	return bytes == 0 ? to : memcpy(to, from, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bpf_instruction *program;
	uint32_t count = size == 0 ? 0 : data[0];
	uint16_t *scratch;
	struct packet p = { { 0, load, fact }, NULL, 0 };
	size_t rest;

	count = (uint32_t)MIN(count, (size == 0 ? 0 : size - 1) / sizeof(*program));
	rest = size == 0 ? 0 : size - 1 - count * sizeof(*program);
	/* Exactly as large as they may be: (1). */
	program = copy(data + 1, count * sizeof(*program));
	scratch = malloc(count * sizeof(*scratch));
	p.data = copy(data + size - rest, rest);
	p.base.bytes = (uint32_t)rest;
	if (bpf_is_valid(program, count, scratch))
		(void)bpf_run(program, &p.base);
	free((void *)(uintptr_t)p.data);
	free(scratch);
	free(program);
	return 0;
}
