/* sources: kernel/gosym.c kernel/ksym.c lib/string.c test/unit/shim/host.c */
/*
 * symbols_fuzz.c: any bytes as a Go program's function table, and as the kernel's own.
 *
 * What:       the input gives an address and the rest is the table.
 * Invariants: (1) a name that is found ends, and is cut to the buffer.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     kernel/gosym.c, kernel/ksym.c.
 */
#include <string.h>

#include "host.h"
#include "kernel/gosym.h"
#include "kernel/image.h"
#include "kernel/ksym.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct gosolo_image gosolo_image;
const uint8_t kernel_symbols_start[1];
const char kernel_text_start[1];
__asm__(".globl kernel_symbols_end\nkernel_symbols_end = kernel_symbols_start");
__asm__(".globl kernel_text_end\nkernel_text_end = kernel_text_start");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint32_t pc, text_bytes;
	} in = { 0, 0 };
	size_t head = size < sizeof(in) ? size : sizeof(in);
	struct gosym_table t = { .text_va = 0x401000 };
	char name[24], *copy = malloc(size - head + 1);
	struct ksym_found found;
	uint64_t offset;

	memcpy(&in, data, head);
	memcpy(copy, data + head, size - head);
	copy = realloc(copy, size - head ? size - head : 1); /* ASan sees its end */
	t.base = copy;
	t.bytes = size - head;
	t.text_bytes = in.text_bytes;
	if (gosym_find_in(&t, t.text_va + in.pc, name, sizeof(name), &offset))
		CHECK(strnlen(name, sizeof(name)) < sizeof(name) && offset <= in.pc); /* (1) */
	if (ksym_find_in((const uint8_t *)copy, size - head, 0x201000, 0x201000ul + in.pc, &found))
		CHECK(strnlen(found.name, sizeof(found.name)) < sizeof(found.name));
	free(copy);
	return 0;
}
