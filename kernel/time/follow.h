/*
 * follow.h: the wall clock follows the host's.
 *
 * Policy: docs/design.md, "Time".
 */
#pragma once

#include "base/types.h"

void follow_start(void); /* boot, once threads can be made */
/* Any context: the host says what time it is. False: nobody had asked (it is the first word of the
 * host's, for the caller to use). */
bool follow_received(int64_t host_ns);
void follow_stop(void); /* the program has set the clock: from now on it is the program's */
