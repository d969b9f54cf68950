/*
 * start_priv.h: steps of the program's start.
 */
#pragma once

#include "base/compiler.h"

/* Registers the files of proc.c; after the auxiliary vector is complete. -ENOMEM. */
int linux_proc_init(void) must_check;
