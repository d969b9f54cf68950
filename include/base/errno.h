/*
 * errno.h: error numbers. Linux's values (linux-libc-dev); every room returns them negated.
 */
#pragma once

#include <asm/errno.h>

/* Internal results of an interrupted wait; never reach the program (Linux's
 * include/linux/errno.h). */
#define ERESTARTSYS 512 /* restart the call if the handler has SA_RESTART or none ran, else EINTR */
#define ERESTARTNOHAND 514 /* EINTR if a handler ran, else restart */
#define ERESTART_RESTARTBLOCK 516 /* the same, with the deadline that the call had */
