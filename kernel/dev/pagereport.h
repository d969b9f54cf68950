/*
 * pagereport.h: free memory is told to the host, which may take it back until it is used again.
 *
 * Blocks of at least 2 MiB, in the background: a while after such a block became free, all that
 * there are; nothing else ever wakes the machine for it. Without a driver nothing happens.
 */
#pragma once

#include "base/types.h"

/* Driver, at boot. start: takes blocks by pmm_report_take and tells the host; kernel entry context
 * (any lock below LOCK_TIMER, no sleep); not called again until the driver is done. */
void pagereport_register(void (*start)(void));
/* Driver: nothing more to take, all are given back. */
void pagereport_done(void);
/* Is there something to tell? From the idle loop and after timers: a few loads when there is not.
 * No lock held. */
void pagereport_poll(void);
