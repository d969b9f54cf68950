/*
 * kernel_blob.h: the kernel of this build, linked into the command by the Makefile.
 */
#pragma once

#include <stdint.h>

extern const uint8_t gosolo_kernel_start[];
extern const uint8_t gosolo_kernel_end[];
