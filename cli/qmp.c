/*
 * qmp.c: QEMU's monitor (QMP), as much of it as a failed run needs.
 *
 * What:       one JSON object per line; of each only what kind it is matters here, and that a word
 *             tells: "QMP" greets, "return" and "error" answer, "event" is news.
 * Invariants: (1) one command at a time: an answer belongs to the last one sent.
 * Locking:    none; the command has one thread.
 * Failure:    a monitor that goes away or sends lines without end is not used any more.
 * Source:     QEMU docs/interop/qmp-spec.txt; qapi/run-state.json (SHUTDOWN), qapi/machine.json.
 */
#include "cli/qmp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LINE_MAX_BYTES = 64 * 1024 };

void qmp_init(struct qmp *qmp, int fd)
{
	*qmp = (struct qmp){ .fd = fd };
}

static void command(struct qmp *qmp, const char *text)
{
	size_t len = strlen(text);

	qmp->has_answered = false;
	/* Commands are short and few: they fit the socket's buffer. */
	if (send(qmp->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		qmp->is_ended = true;
}

void qmp_inject_nmi(struct qmp *qmp)
{
	command(qmp, "{\"execute\":\"inject-nmi\"}\n");
}

void qmp_save_memory(struct qmp *qmp, uint64_t address, uint64_t bytes, int file_fd)
{
	char *text = mem_format("{\"execute\":\"pmemsave\",\"arguments\":{\"val\":%" PRIu64
				",\"size\":%" PRIu64 ",\"filename\":\"/dev/fd/%d\"}}\n",
		address, bytes, file_fd);

	command(qmp, text);
	free(text);
}

static void take_line(struct qmp *qmp, const char *line)
{
	if (strncmp(line, "{\"QMP\"", 6) == 0) {
		command(qmp, "{\"execute\":\"qmp_capabilities\"}\n");
	} else if (strstr(line, "\"event\": \"SHUTDOWN\"")) {
		qmp->guest_has_ended = true;
	} else if (strncmp(line, "{\"return\"", 9) == 0 || strncmp(line, "{\"error\"", 8) == 0) {
		qmp->is_ready = true; /* the first answer is that to qmp_capabilities */
		qmp->has_answered = true; /* (1) */
	}
}

static void take_lines(struct qmp *qmp)
{
	char *at = (char *)qmp->in.data, *end = at + qmp->in.len, *newline;

	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		*newline = 0;
		take_line(qmp, at);
		at = newline + 1;
	}
	qmp->in.len = (size_t)(end - at);
	memmove(qmp->in.data, at, qmp->in.len);
	if (qmp->in.len > LINE_MAX_BYTES)
		qmp->is_ended = true;
}

void qmp_read(struct qmp *qmp)
{
	char piece[4096];
	ssize_t n = recv(qmp->fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		qmp->is_ended = true;
		return;
	}
	bytebuf_add(&qmp->in, piece, (size_t)n);
	take_lines(qmp);
}
