/*
 * tree.h: the red-black trees and lists of the BSDs (libbsd-dev), under one include.
 */
#pragma once

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
