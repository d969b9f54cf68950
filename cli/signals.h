/*
 * signals.h: the signals that are the program's, not the command's: held back while a machine runs,
 * and taken one by one.
 */
#pragma once

#include <stdint.h>

/* From now on they are held back; call before the machine starts. The child has to undo it with
 * signals_release. */
void signals_hold(void);
void signals_release(void);
/* A descriptor that is readable when one is there; -1: no descriptors left. */
int signals_open(void);
/* Its number; 0: none is there. */
uint32_t signals_take(int fd);
/* Stops the command as Ctrl-Z stops a program; returns when it goes on. Where nobody could let it
 * go on (an orphaned process group), it does not stop, as on Linux. */
void signals_stop_self(void);
/* The machine has ended: what is still held back was for the program and is dropped, and from now
 * on a signal ends the command. */
void signals_drop(void);
