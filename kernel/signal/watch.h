/*
 * watch.h: who wants to hear that signals become pending, without taking them: signalfd.
 */
#pragma once

#include "kernel/sync/pollq.h"

/* Told EPOLLIN after every signal that was sent while somebody watches. */
struct pollq *signal_watch_pollq(void);
void signal_watch_begin(void); /* one more watches */
void signal_watch_end(void);
/* kernel/signal: a signal was made pending. Caller does not hold LOCK_SIGNAL. */
void signal_watch_tell(void);
