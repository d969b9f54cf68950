/*
 * vm_steps.h: steps of the address space's tests: map, load, store, count; a file of eight pages.
 */
#pragma once

#include <string.h>

#include "base/errno.h"
#include "host.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"

#define STEPS_RAM_BYTES (32 * MIB)
#define TOP (ARCH_USER_END - PAGE_SIZE)
#define R VM_PROT_READ
#define RW (VM_PROT_READ | VM_PROT_WRITE)
#define PAGES(n) ((n)*PAGE_SIZE)
#define FILE_PAGES 8u

/* Stands for a file: page i is full of 'a' + i. */
struct steps_file {
	struct vm_object base;
	int refs, syncs;
	unsigned writes; /* page() calls with write */
	pfn_t frames[FILE_PAGES];
	void (*on_page)(void); /* what others do while a page is asked for */
	int error; /* page() fails with it */
};
extern struct steps_file file;

void setup_machine(void);
/* One test, with a fresh file. Nothing may be left behind, unless it says so. */
void run_test(const char *name, void (*test)(void), bool may_leave_mappings);
#define RUN(test) run_test(#test, test, false)

int map(uint64_t *addr, uint64_t bytes, unsigned prot, unsigned flags);
uint64_t map_any(uint64_t bytes, unsigned prot);
uint64_t map_file(uint64_t pages, unsigned prot, unsigned flags, uint64_t first);
void unmap(uint64_t addr, uint64_t bytes);

/* A load or store by the program: faults as the CPU would, then gives the byte. */
enum vm_fault_result touch(uint64_t addr, bool store, uint8_t **byte);
uint8_t load(uint64_t addr);
void store(uint64_t addr, uint8_t v);

pfn_t frame_at(uint64_t addr, unsigned *flags);
/* As boot does with the image's pages: frame = address. */
void put_image_page(uint64_t addr, unsigned flags);
uint64_t resident(void);
uint64_t resident_of_objects(void);
uint64_t mappings(void);
