/*
 * main.c: `gosolo`: chooses the command.
 *
 * What:       dispatch only; each command has its own file, the texts are in help.c.
 * Invariants: none.
 * Locking:    none; the command has one thread.
 * Failure:    125 for an unknown command, and when standard output cannot be written.
 * Source:     docs/command-line.md.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "include/gosolo_abi.h"

static int print_version(void)
{
	printf("gosolo %s (kernel interface %u)\n", GOSOLO_VERSION, GOSOLO_ABI_VERSION);
	return 0;
}

/* A program started with closed standard files must not find its own files in their place. */
static void open_standard_files(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
			return;
}

static int run_command(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "build", command_build },
		{ "run", command_run },
		{ "exec", command_exec },
		{ "inspect", command_inspect },
		{ "doctor", command_doctor },
	};
	const char *name = argc > 1 ? argv[1] : "help";

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0)
		return print_version();
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help_print(argc > 2 ? argv[2] : NULL);
	return report_fail(GOSOLO_CODE_FAILED, "%s: unknown command; see gosolo help", name);
}

int main(int argc, char **argv)
{
	int code;

	open_standard_files();
	signal(SIGCHLD, SIG_DFL); /* ignored, it would keep the end of QEMU and of go from us */
	code = run_command(argc, argv);
	/* Also what did not fit into a full disk in the middle of a long text. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && !code)
		code = report_fail(GOSOLO_CODE_FAILED, "standard output cannot be written");
	return code;
}
