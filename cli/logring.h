/*
 * logring.h: the guest's log ring, as it lay in its memory when the machine was lost.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/klog.h"

/* data: the memory at gosolo_image.log_pa, copied out. Lines that the log's tail does not hold yet
 * are added to it. Nothing in it is trusted. Returns the lines added. */
size_t logring_take(struct klog *log, const uint8_t *data, size_t bytes);
void logring_take_file(struct klog *log, int fd, size_t bytes); /* from its start */
