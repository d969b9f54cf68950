/*
 * timer_priv.h: what a timer's signal tells when it is delivered, for sigframe.c and sys_signal.c.
 */
#pragma once

struct signal_info;

/* Of code SI_TIMER: timer_getoverrun tells its overrun from now on. May sleep. */
void linux_timer_delivered(const struct signal_info *info);
