/*
 * assert.h: four kinds of claim. None of them ever judges what the program passed in.
 *
 * STATIC_ASSERT  at compile time, whenever possible.
 * ASSERT         cheap, in every build.
 * DASSERT        costly (walks, magics), in debug builds only.
 * NEVER(x)       true only by a bug: stops a debug build, takes the safe branch in a release.
 */
#pragma once

#include "base/compiler.h"

#define STATIC_ASSERT(cond, why) _Static_assert(cond, why)

/* Reports and stops the machine; defined by kernel/panic.c (and by the shim of unit tests). */
noreturn_fn void assert_failed(const char *file, int line, const char *what);

#define ASSERT(cond) (likely(cond) ? (void)0 : assert_failed(__FILE__, __LINE__, #cond))

#ifdef GOSOLO_DEBUG
#define DASSERT(cond) ASSERT(cond)
#define NEVER(cond) (unlikely(cond) ? (assert_failed(__FILE__, __LINE__, "never: " #cond), 1) : 0)
#else
#define DASSERT(cond) ((void)sizeof(cond))
#define NEVER(cond) (unlikely(cond))
#endif
