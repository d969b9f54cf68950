/*
 * selftest.h: failures on purpose, so that tests can see the reports (selftest= on the command
 * line).
 */
#pragma once

/* name NULL or unknown: nothing. "hang": never returns, before the host has heard of us. */
void selftest_early(const char *name);
/* "fault": a fault in the kernel 100 ms from now, while the program runs. */
void selftest_late(const char *name);
