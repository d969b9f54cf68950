/*
 * host_ram.c: a piece of host memory as the machine's RAM.
 *
 * What:       physical address 0 is host_ram; the whole range is filled with garbage, since no
 *             loader is trusted to zero anything.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    ends the test.
 * Source:     arch/arch.h: phys_to_virt.
 */
#include <string.h>
#include <sys/mman.h>

#include "host.h"

char *host_ram;
uint64_t host_ram_bytes;

void host_ram_init(uint64_t bytes)
{
	if (host_ram)
		munmap(host_ram, host_ram_bytes);
	host_ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(host_ram != MAP_FAILED);
	host_ram_bytes = bytes;
	memset(host_ram, 0xc9, bytes);
}
