/*
 * virtq_moves.h: what a virtio device can do to its driver's queues, chosen by a fuzzer's input.
 */
#pragma once

#include "base/types.h"
#include "host_virtio.h"

/* The input, a byte at a time; zeros after its end. */
void moves_begin(const uint8_t *data, size_t size);
unsigned moves_next(void);
bool moves_are_left(void);

/* One move on a queue: a used entry with any id and length; a buffer that is taken, filled by
 * write (NULL: left as it is) and used, with a length that may be too long; an index that jumps;
 * flags and an event index as they come. move: any number. */
void moves_on_queue(unsigned move, unsigned queue, void (*write)(unsigned queue, uint16_t id));
/* Fills the beginning of a buffer that the device may write; nothing beyond it. */
void moves_write(unsigned queue, uint16_t id);
