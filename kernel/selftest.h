/*
 * selftest.h: failures on purpose, so that tests can see the reports (selftest= on the command
 * line).
 */
#pragma once

#include "base/types.h"

/* name NULL or unknown: nothing. "hang": never returns, before the host has heard of us. */
void selftest_early(const char *name);
/* 100 ms from now, while the program runs. "fault": a fault in the kernel; "alias-text",
 * "alias-kernel", "alias-constants": a store to what the direct map shows of the program's text,
 * the kernel's, its constants, which must fault as well; "reset": a reset, with a line that is
 * only in the log's memory. */
void selftest_late(const char *name);
/* "absent-cpu": puts one that is not there before the others; returns how many there are now. */
uint32_t selftest_add_cpu(const char *name, uint32_t *apic_ids, uint32_t count, uint32_t max);
/* "tsc-skew": what the counter of every CPU but the first is to seem behind, in cycles; else 0. */
int64_t selftest_tsc_offset(const char *name);
