/*
 * proc_memory.c: the process's memory in numbers: statm, and the lines of status about it.
 *
 * What:       sizes by what mappings are for, as Linux tells them apart. The program's file is in
 *             memory from the start, so all of it is resident.
 * Invariants: none.
 * Locking:    vm_each holds no lock while it calls.
 * Failure:    none beyond proc.c's.
 * Source:     proc(5); Linux fs/proc/task_mmu.c (task_mem, task_statm), mm/mmap.c
 *             (vm_stat_account: which mapping is data, which is stack).
 */
#include "base/units.h"
#include "fs/exe.h"
#include "fs/proc_priv.h"
#include "kernel/mm/vm.h"

static int add_region(const struct vm_region *r, void *arg)
{
	struct proc_memory *m = arg;
	uint64_t bytes = r->end - r->start, offset;
	bool is_exe = !r->object && exe_contains(r->start, &offset);
	bool is_written = (r->prot & VM_PROT_WRITE) != 0;

	if (is_exe && (r->prot & VM_PROT_EXEC)) {
		m->code_start = m->code_end == 0 ? r->start : m->code_start;
		m->code_end = r->end;
	}
	if (r->flags & VM_GROWS_DOWN)
		m->stack_bytes += bytes;
	else if (is_written && !(r->flags & VM_SHARED))
		m->data_bytes += bytes;
	else if ((r->prot & VM_PROT_EXEC) && !is_exe)
		m->library_bytes += bytes;
	if (r->flags & VM_LOCKED)
		m->locked_bytes += bytes;
	if (is_exe && is_written)
		m->anonymous_bytes += bytes;
	else if (is_exe)
		m->file_bytes += bytes;
	return 0;
}

void proc_get_memory(struct proc_memory *m)
{
	struct vm_stats s;
	uint64_t exe_bytes;

	*m = (struct proc_memory){ .total_bytes = 0 };
	vm_each(add_region, m);
	exe_bytes = m->anonymous_bytes + m->file_bytes;
	vm_get_stats(&s);
	m->total_bytes = s.reserved_bytes;
	m->anonymous_bytes += (s.resident_pages - s.object_pages) * PAGE_SIZE;
	m->file_bytes += s.object_pages * PAGE_SIZE;
	m->peak_bytes = s.resident_peak_pages * PAGE_SIZE + exe_bytes;
}

void proc_make_statm(struct proc_text *t)
{
	struct proc_memory m;

	proc_get_memory(&m);
	proc_print(t, "%lu %lu %lu %lu 0 %lu 0\n", m.total_bytes >> PAGE_SHIFT,
		(m.anonymous_bytes + m.file_bytes) >> PAGE_SHIFT, m.file_bytes >> PAGE_SHIFT,
		(m.code_end - m.code_start) >> PAGE_SHIFT,
		(m.data_bytes + m.stack_bytes) >> PAGE_SHIFT);
}

static void print_line(struct proc_text *t, const char *name, uint64_t bytes)
{
	proc_print(t, "%s:\t%8lu kB\n", name, bytes / KIB);
}

void proc_print_memory(struct proc_text *t)
{
	struct proc_memory m;

	proc_get_memory(&m);
	print_line(t, "VmPeak", m.total_bytes); /* CAVEAT: what it is now */
	print_line(t, "VmSize", m.total_bytes);
	print_line(t, "VmLck", m.locked_bytes);
	print_line(t, "VmPin", 0);
	print_line(t, "VmHWM", m.peak_bytes);
	print_line(t, "VmRSS", m.anonymous_bytes + m.file_bytes);
	print_line(t, "RssAnon", m.anonymous_bytes);
	print_line(t, "RssFile", m.file_bytes);
	print_line(t, "RssShmem", 0); /* CAVEAT: they are among RssFile's */
	print_line(t, "VmData", m.data_bytes);
	print_line(t, "VmStk", m.stack_bytes);
	print_line(t, "VmExe", m.code_end - m.code_start);
	print_line(t, "VmLib", m.library_bytes);
	print_line(t, "VmSwap", 0);
}
