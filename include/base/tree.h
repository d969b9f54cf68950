/*
 * tree.h: the red-black trees and lists of the BSDs (libbsd-dev), under one include.
 */
#pragma once

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "base/compiler.h"

/* RB_GENERATE_STATIC, spelled so that the functions a user leaves out cause no warning. */
#define TREE_GENERATE(name, type, field, compare) \
	RB_GENERATE_INTERNAL(name, type, field, compare, static unused_arg)
