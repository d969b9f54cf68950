/*
 * pump.c: one direction of a byte stream with a bounded buffer.
 *
 * What:       reads and writes only after poll. The user's files are shared with other processes,
 *             so O_NONBLOCK is out of the question there; a pipe or terminal is opened once more,
 *             which can have it. Poll calls a terminal writable that has room for one byte, and a
 *             pipe may be filled by others. Where it cannot be opened, it gets PIPE_BUF bytes at
 *             a time, which a pipe then takes.
 * Invariants: (1) begin <= end <= PUMP_BYTES; begin = end only when both are 0.
 * Locking:    none; the command has one thread.
 * Failure:    write errors are kept in pump.error; a source that fails has ended.
 * Source:     pipe(7), poll(2), proc_pid_fd(5), drivers/tty/n_tty.c: n_tty_poll.
 */
#include "cli/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* -1: it cannot be opened again. A pty's master gives another pty then, and is left alone. */
static int open_again(int fd)
{
	char path[32];
	int pty;

	if (ioctl(fd, TIOCGPTN, &pty) == 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void pump_init(struct pump *pump, int from, int to)
{
	struct stat st;
	int again;

	pump->from = from;
	pump->to = to;
	pump->write_max = PIPE_BUF;
	pump->is_to_socket = pump->is_to_terminal = pump->is_ended = pump->is_discarding = false;
	pump->error = 0;
	pump->total_bytes = 0;
	pump->until_bytes = UINT64_MAX;
	pump->begin = pump->end = 0;
	if (fstat(to, &st) != 0)
		return;
	pump->is_to_socket = S_ISSOCK(st.st_mode);
	pump->is_to_terminal = isatty(to) == 1;
	again = pump->is_to_terminal || S_ISFIFO(st.st_mode) ? open_again(to) : -1;
	if (again >= 0)
		pump->to = again;
	if (again >= 0 || pump->is_to_socket || S_ISREG(st.st_mode))
		pump->write_max = PUMP_BYTES;
}

bool pump_wants_read(const struct pump *pump)
{
	return !pump->is_ended && pump->end < PUMP_BYTES && pump->total_bytes < pump->until_bytes;
}

bool pump_wants_write(const struct pump *pump)
{
	return pump->begin < pump->end;
}

void pump_read(struct pump *pump, size_t bytes_max)
{
	uint64_t left = pump->until_bytes - pump->total_bytes; /* pump_wants_read: not 0 */
	size_t room = PUMP_BYTES - pump->end, bytes = bytes_max < room ? bytes_max : room;
	ssize_t n = read(pump->from, pump->data + pump->end, left < bytes ? (size_t)left : bytes);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0 && errno == EIO && isatty(pump->from) == 1)
		return; /* another process group has the terminal now */
	if (n <= 0) {
		pump->is_ended = true;
		return;
	}
	pump->total_bytes += (uint64_t)n;
	if (!pump->is_discarding)
		pump->end += (size_t)n;
}

void pump_write(struct pump *pump)
{
	size_t bytes = pump->end - pump->begin;
	ssize_t n;

	if (bytes > pump->write_max)
		bytes = pump->write_max;
	n = pump->is_to_socket
		? send(pump->to, pump->data + pump->begin, bytes, MSG_DONTWAIT | MSG_NOSIGNAL)
		: write(pump->to, pump->data + pump->begin, bytes);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		pump->error = errno;
		pump->is_discarding = true;
		n = (ssize_t)(pump->end - pump->begin);
	}
	pump->begin += (size_t)n;
	if (pump->begin == pump->end)
		pump->begin = pump->end = 0;
}

size_t pump_room(const struct pump *pump)
{
	return pump->is_discarding ? PUMP_BYTES : PUMP_BYTES - pump->end;
}

void pump_add(struct pump *pump, const void *data, size_t bytes)
{
	if (pump->is_discarding)
		return;
	memcpy(pump->data + pump->end, data, bytes);
	pump->end += bytes;
}

size_t pump_waiting_bytes(int fd)
{
	int bytes = 0;

	return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (size_t)bytes : PUMP_BYTES;
}

void pump_hold(struct pump *pump, uint64_t until_bytes)
{
	if (pump->is_to_terminal)
		pump->until_bytes = until_bytes;
}

bool pump_is_held_empty(const struct pump *pump)
{
	return !pump->is_to_terminal ||
		(pump->begin == pump->end &&
			(pump->is_ended || pump->total_bytes >= pump->until_bytes));
}

void pump_release(struct pump *pump)
{
	pump->until_bytes = UINT64_MAX;
}

bool pump_is_drained(const struct pump *pump)
{
	char byte;

	if (pump->begin < pump->end)
		return false;
	return pump->is_ended || recv(pump->from, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}
