/*
 * signals.c: the signals that are the program's, not the command's.
 *
 * What:       blocked while a machine runs and read by signalfd, so that none is lost between the
 *             command's start and the kernel's hello, and none ends the command without its report.
 * Invariants: (1) what was ignored when the command started stays so, but for SIGINT.
 * Locking:    none; the command has one thread.
 * Failure:    none.
 * Source:     signalfd(2), sigaction(2), setpgid(2): orphaned process groups.
 */
#include "cli/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
	SIGTSTP };

static struct {
	sigset_t held;
	sigset_t before;
} signals;

/* What nohup has switched off stays off. SIGINT, which a shell's & switches off, does not: Go takes
 * it again when the program asks for it. */
static bool is_ignored(int number)
{
	struct sigaction action;

	return number != SIGINT && sigaction(number, NULL, &action) == 0 &&
		action.sa_handler == SIG_IGN;
}

void signals_hold(void)
{
	sigemptyset(&signals.held);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!is_ignored(wanted[i]))
			sigaddset(&signals.held, wanted[i]);
	sigprocmask(SIG_BLOCK, &signals.held, &signals.before);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
}

void signals_release(void)
{
	sigprocmask(SIG_SETMASK, &signals.before, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTTIN, SIG_DFL);
}

int signals_open(void)
{
	return signalfd(-1, &signals.held, SFD_CLOEXEC | SFD_NONBLOCK);
}

uint32_t signals_take(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? info.ssi_signo : 0;
}

void signals_stop_self(void)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL); /* here */
	sigprocmask(SIG_BLOCK, &stop, NULL);
}

void signals_drop(void)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (sigismember(&signals.held, wanted[i]) != 1)
			continue;
		signal(wanted[i], SIG_IGN); /* also drops one that is pending */
		signal(wanted[i], SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, &signals.before, NULL);
}
