/*
 * limits_priv.h: the limits of the process, as a file.
 */
#pragma once

#include "fs/proc.h"

void linux_make_limits(struct proc_text *t); /* /proc/self/limits; no lock, never sleeps */
