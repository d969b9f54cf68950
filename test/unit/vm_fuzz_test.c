/* sources: kernel/mm/vm.c kernel/mm/vm_tree.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c
 * kernel/mm/vm_ops.c kernel/mm/vm_limit.c kernel/mm/vm_remap.c kernel/mm/vm_huge.c
 * kernel/mm/vm_object.c test/fuzz/vm_fuzz.c test/fuzz/vm_model.c test/fuzz/vm_objects.c
 * test/unit/shim/host.c test/unit/shim/host_ram.c test/unit/shim/host_pmm.c
 * test/unit/shim/host_kmem.c test/unit/shim/host_paging.c */
/*
 * vm_fuzz_test.c: a bounded run of test/fuzz/vm_fuzz.c on pseudo-random bytes.
 *
 * What:       `vm_fuzz_test [inputs [first seed]]`; a failure is found again by its seed.
 * Invariants: none of its own.
 * Locking:    one thread.
 * Failure:    aborts with the failed check; the seed was printed when one was given.
 * Source:     kernel/mm/vm.h.
 */
#include "test/unit/shim/host.h"

#define INPUT_BYTES 2048u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	unsigned long inputs = argc > 1 ? strtoul(argv[1], NULL, 0) : 60;
	unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	uint8_t data[INPUT_BYTES];

	for (unsigned long seed = first; seed < first + inputs; seed++) {
		uint64_t state = seed;

		for (unsigned i = 0; i < INPUT_BYTES; i++)
			data[i] = (uint8_t)host_random(&state);
		if (argc > 2)
			fprintf(stderr, "seed %lu\n", seed);
		LLVMFuzzerTestOneInput(data, INPUT_BYTES / 4 + seed % 4 * (INPUT_BYTES / 4));
	}
	return 0;
}
