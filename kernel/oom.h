/*
 * oom.h: what happens when a page that the program was promised cannot be had.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

/* For a page fault at addr without memory; no lock held. The first time it reports, gives the
 * reserve free, makes the thread show its stacks as SIGQUIT does, and returns: the access is tried
 * again. Later, and for other threads, it does not return. */
void oom_report(uint64_t addr);
/* First thing in a page fault: once memory has run out, only the thread that reports goes on. */
void oom_check(void);
/* The line for the exit record, when memory has run out: however the program ends then, that is
 * why. Else NULL. */
const char *oom_text(void);
