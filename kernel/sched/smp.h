/*
 * smp.h: the other CPUs join.
 */
#pragma once

#include "base/types.h"

/* CPUs that the board lists; at least 1. Boot. */
uint32_t smp_count_possible(void);
/* Starts every CPU that the platform lists; one that does not come up is one log line. Boot. */
void smp_start_cpus(void);
