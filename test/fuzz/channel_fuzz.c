/* sources: cli/control.c cli/klog.c cli/logring.c cli/qmp.c cli/stats.c cli/mem.c */
/*
 * channel_fuzz.c: any bytes from a guest or a VMM: control port, log ring, monitor, statistics.
 *
 * What:       the first byte chooses who speaks; what it says arrives in pieces.
 * Invariants: (1) the log's tail ends with a whole line, whatever was said. (2) an exit record's
 *             text ends. (3) nothing is acted on before the hello.
 * Locking:    one thread.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     include/gosolo_abi.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/klog.h"
#include "cli/logring.h"
#include "cli/qmp.h"
#include "cli/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) ((x) ? (void)0 : abort())

static struct klog log_of_guest;
static int fds[2];

void report_text(const void *text, size_t bytes)
{
	(void)text;
	(void)bytes;
}

int report_fail(int code, const char *fmt, ...)
{
	(void)fmt;
	return code;
}

/* In pieces of a size that the input gives. */
static void speak(const uint8_t *data, size_t size, size_t piece, void (*hear)(void *arg),
	void *arg)
{
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		CHECK(write(fds[1], data + at, n) == (ssize_t)n);
		hear(arg);
	}
}

static void hear_control(void *arg)
{
	struct control *control = arg;

	control_read(control);
	while (control->has_terminal)
		control_terminal_is_set(control);
	CHECK(control->has_hello || (!control->has_exit && !control->stats.len)); /* (3) */
	CHECK(memchr(control->exit.text, 0, sizeof(control->exit.text))); /* (2) */
	control->out.len = control->sent = 0;
}

static void fuzz_control(const uint8_t *data, size_t size, size_t piece)
{
	static struct control control;
	struct bytebuf text = { 0 };

	control_init(&control, fds[0], &log_of_guest);
	speak(data, size, piece, hear_control, &control);
	if (control.stats.len)
		stats_format(&control.stats, &text);
	free(text.data);
	free(control.stats.data);
	free(control.out.data);
}

static void hear_monitor(void *arg)
{
	char answer[1024];

	qmp_read(arg);
	while (recv(fds[1], answer, sizeof(answer), MSG_DONTWAIT) > 0)
		continue;
}

static void fuzz_monitor(const uint8_t *data, size_t size, size_t piece)
{
	struct qmp qmp;

	qmp_init(&qmp, fds[0]);
	speak(data, size, piece, hear_monitor, &qmp);
	free(qmp.in.data);
}

static void fuzz_stats(const uint8_t *data, size_t size)
{
	struct bytebuf text = { 0 }, out = { 0 };

	if (!size)
		return;
	bytebuf_add(&text, data, size);
	stats_format(&text, &out);
	free(text.data);
	free(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t who = size ? data[0] : 0;
	uint8_t *copy;

	if (!log_of_guest.tail)
		CHECK(klog_open(&log_of_guest, NULL) == 0);
	log_of_guest.tail_len = 0;
	log_of_guest.is_mid_line = false;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	data += size > 0;
	size -= size > 0;
	copy = malloc(size ? size : 1);
	memcpy(copy, data, size);
	switch (who & 3) {
	case 0:
		fuzz_control(copy, size, (who >> 2) + 1);
		break;
	case 1:
		(void)logring_take(&log_of_guest, copy, size);
		break;
	case 2:
		fuzz_monitor(copy, size, (who >> 2) + 1);
		break;
	default:
		fuzz_stats(copy, size);
	}
	CHECK(!log_of_guest.tail_len ||
		log_of_guest.tail[log_of_guest.tail_len - 1] == '\n'); /* (1) */
	free(copy);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
