/*
 * terminal.c: the terminal that the command was started from.
 *
 * What:       the program's settings (raw mode, no echo) are made the terminal's own, for it is the
 *             terminal that does echo, editing and signals. The rate and size of characters stay.
 * Invariants: (1) what was remembered at the start is put back whenever we stop or end, but for
 *             SIGKILL. (2) from the background nothing is set: that would stop us.
 * Locking:    one thread.
 * Failure:    a terminal that refuses keeps what it has.
 * Source:     termios(3); tty_ioctl(4).
 */
#include "cli/terminal.h"

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct {
	int fd; /* of the terminal */
	bool is_there;
	struct termios before;
	struct termios wanted;
	bool is_wanted; /* the program has set something */
} terminal;

_Static_assert(sizeof(terminal.before.c_cc) >= GOSOLO_TERMINAL_CHARS, "Linux's come first");

static bool find_terminal(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (isatty(fd) == 1 && tcgetattr(fd, &terminal.before) == 0) {
			terminal.fd = fd;
			return true;
		}
	}
	return false;
}

bool terminal_begin(struct gosolo_terminal *now)
{
	terminal.is_there = find_terminal();
	if (!terminal.is_there)
		return false;
	now->input = terminal.before.c_iflag;
	now->output = terminal.before.c_oflag;
	now->control = terminal.before.c_cflag;
	now->local = terminal.before.c_lflag;
	memcpy(now->chars, terminal.before.c_cc, sizeof(now->chars));
	return true;
}

bool terminal_is_ours(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group == getpgrp() || (group < 0 && errno == ENOTTY);
}

static void apply(const struct termios *t)
{
	if (terminal_is_ours(terminal.fd)) /* (2) */
		tcsetattr(terminal.fd, TCSADRAIN, t);
}

bool terminal_window(struct winsize *size)
{
	static const int files[] = { STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (ioctl(files[i], TIOCGWINSZ, size) == 0 && size->ws_row)
			return true;
	return false;
}

void terminal_set(const struct gosolo_terminal *wanted)
{
	if (!terminal.is_there)
		return;
	terminal.wanted = terminal.before;
	terminal.wanted.c_iflag = wanted->input;
	terminal.wanted.c_oflag = wanted->output;
	terminal.wanted.c_lflag = wanted->local;
	memcpy(terminal.wanted.c_cc, wanted->chars, sizeof(wanted->chars));
	terminal.is_wanted = true;
	apply(&terminal.wanted);
}

void terminal_leave(void)
{
	if (terminal.is_wanted)
		apply(&terminal.before); /* (1) */
}

void terminal_enter(void)
{
	if (terminal.is_wanted)
		apply(&terminal.wanted);
}
