/*
 * pump.h: one direction of a byte stream with a bounded buffer: nothing is read that there is no
 * room for, so back pressure passes through.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/report.h"

enum { PUMP_BYTES = 128 * 1024 };

struct pump {
	int from;
	int to; /* ours alone where that is possible: see pump.c */
	size_t write_max; /* bytes that one write may carry */
	bool is_to_socket;
	bool is_to_terminal;
	bool is_ended; /* the source has ended */
	bool is_discarding; /* nobody wants the output any more */
	int error; /* errno of a failed write; EPIPE: the reader is gone */
	uint64_t total_bytes; /* read from the source */
	uint64_t until_bytes; /* total_bytes stays below it; UINT64_MAX: no limit */
	size_t begin;
	size_t end;
	uint8_t data[PUMP_BYTES];
};

void pump_init(struct pump *pump, int from, int to);
bool pump_wants_read(const struct pump *pump);
bool pump_wants_write(const struct pump *pump);
void pump_read(struct pump *pump, size_t bytes_max); /* after poll said so */
void pump_write(struct pump *pump); /* after poll said so */
/* Room for bytes that do not come from the source; they go before what is not read yet. */
size_t pump_room(const struct pump *pump);
void pump_add(struct pump *pump, const void *data, size_t bytes);
/* How much there is to read; at the end of the stream, as much as one likes. */
size_t pump_waiting_bytes(int fd);
/* What the source gives behind this many bytes in all is not read until pump_release, if it goes to
 * a terminal. */
void pump_hold(struct pump *pump, uint64_t until_bytes);
bool pump_is_held_empty(const struct pump *pump); /* and all of it has been written */
void pump_release(struct pump *pump);
/* Nothing buffered, and (a socket source) nothing waiting. */
bool pump_is_drained(const struct pump *pump);
