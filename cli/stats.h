/*
 * stats.h: the guest's statistics (GOSOLO_MSG_STATS), set in columns.
 */
#pragma once

#include "cli/mem.h"

/* text: lines "name value unit", and for calls "call.NAME n calls e errors t ns". The result is
 * added to out: boot steps, calls (the costliest first), counters. Lines that are neither stay as
 * they are. */
void stats_format(const struct bytebuf *text, struct bytebuf *out);
