/*
 * smp.h: the other CPUs join.
 */
#pragma once

/* Starts every CPU that the platform lists; one that does not come up is one log line. Boot. */
void smp_start_cpus(void);
