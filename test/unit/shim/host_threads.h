/*
 * host_threads.h: tests with real threads: link host_threads.c.
 */
#pragma once

#define HOST_THREADS_MAX 8u

/* The calling thread is that CPU from now on; no two may be the same one. */
void host_thread_enter(unsigned cpu);
