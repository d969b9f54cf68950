/*
 * image.h: what the packer has put into the kernel's data about the program.
 */
#pragma once

#include "gosolo_abi.h"

extern const struct gosolo_image gosolo_image; /* [I] written by the packer, in the file */
