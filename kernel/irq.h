/*
 * irq.h: device interrupts: lines to handlers.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

/* Routes the platform's interrupt line to handler (kernel entry context: any lock, no sleep).
 * -ENOSPC: no vector left; -ENOENT: no such line. Level-triggered lines are acknowledged after the
 * handler, so it must have silenced the device. */
int irq_register(uint32_t line, void (*handler)(void *arg), void *arg) must_check;
