/*
 * image_check.h: replays on a finished image the rules of everything that will load it: Linux,
 * QEMU, rust-vmm's loader, GRUB, Xen, strip.
 */
#pragma once

#include "cli/elf_read.h"
#include "include/gosolo_abi.h"

/* Returns 0, or 125 after one line that names the broken rule. */
int image_check(const struct elf_file *elf) must_check;

/* The archive of an image, checked: every node, name and data range lies inside it and every
 * directory's children are sorted. NULL with *why set when it is not whole. */
const struct gosolo_archive *image_find_archive(const struct elf_file *elf,
	const struct gosolo_image *image, const char **why);
