/*
 * restart_priv.h: calls that sleep until a time, and go on when a signal ran no handler.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

/* What a call with a time limit returns when a signal ended its wait: when the call is made again
 * because no handler ran, linux_take_deadline gives deadline_ns back, which may be of any clock.
 * 0: it only looked. */
long linux_restart_until(uint64_t deadline_ns);
/* First of all in such a call, before anything can fail. False: it begins. */
bool linux_take_deadline(uint64_t *deadline_ns) must_check;
