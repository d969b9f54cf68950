/*
 * gobuild.c: builds a Go package with the user's own Go.
 *
 * What:       runs `go build` with the three variables that make a program an image can hold, in
 *             a temporary directory that is gone before this returns. Signals that would end the
 *             command are held back, passed on to go, and acted on afterwards.
 * Invariants: (1) nothing is left in the temporary directory, whatever go did.
 * Locking:    none; the command has one thread.
 * Failure:    see gobuild.h.
 * Source:     `go help build`, `go help environment`.
 */
#include "cli/gobuild.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/mem.h"
#include "include/gosolo_abi.h"

#define GO_MISSING "Go is not installed or not on PATH; get it from https://go.dev/dl/"

const char *gobuild_find_command(const char *name)
{
	static char found[PATH_MAX];
	const char *path = getenv("PATH");

	if (!path)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path) {
		size_t len = strcspn(path, ":");

		if (snprintf(found, sizeof(found), "%.*s/%s", (int)len, path, name) <
				(int)sizeof(found) &&
			access(found, X_OK) == 0)
			return found;
		path += len;
		path += *path == ':';
	}
	return NULL;
}

const char *gobuild_find_go(void)
{
	const char *found = gobuild_find_command("go");

	if (!found && access("/usr/local/go/bin/go", X_OK) == 0)
		return "/usr/local/go/bin/go";
	return found;
}

const char *gobuild_goroot(void)
{
	static char root[PATH_MAX];
	const char *env = getenv("GOROOT");
	const char *go;
	char *end;

	if (env && *env)
		return env;
	go = gobuild_find_go();
	if (!go || !realpath(go, root))
		return NULL;
	end = strstr(root, "/bin/go");
	if (!end || end[7] != 0)
		return NULL;
	*end = 0;
	return root;
}

int gobuild_classify(const char *what, bool *is_package)
{
	const char *dot = strrchr(what, '.');
	struct stat st;

	*is_package = true;
	if (stat(what, &st) == 0) {
		if (S_ISREG(st.st_mode))
			*is_package = dot && strcmp(dot, ".go") == 0;
		else if (!S_ISDIR(st.st_mode))
			return report_fail(GOSOLO_CODE_UNUSABLE, "%s: not a regular file", what);
		return 0;
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: %s", what, strerror(errno));
	if (what[0] == '/' || what[0] == '.')
		return report_fail(GOSOLO_CODE_NOT_FOUND, "%s: no such file or package", what);
	return 0;
}

/* The folder of the go.mod that rules `dir`; "" when there is none. */
static void find_module(const char *dir, char root[PATH_MAX])
{
	char *end;

	if (!realpath(dir, root))
		root[0] = 0;
	while (root[0]) {
		char *path = mem_format("%s/go.mod", root);
		bool is_there = access(path, F_OK) == 0;

		free(path);
		if (is_there)
			return;
		end = strrchr(root, '/');
		*end = 0;
	}
}

/* A folder of another module than ours has to be built from inside. */
static bool is_foreign(const char *dir)
{
	char here[PATH_MAX], there[PATH_MAX];
	struct stat st;

	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return false;
	find_module(".", here);
	find_module(dir, there);
	return there[0] && strcmp(here, there) != 0;
}

/* In the child: becomes go. */
static void become_go(char *const *argv, const char *dir, bool is_quiet)
{
	setenv("CGO_ENABLED", "0", 1);
	setenv("GOOS", "linux", 1);
	setenv("GOARCH", "amd64", 1);
	if (dir && chdir(dir) != 0)
		_exit(127);
	if (is_quiet && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
		_exit(127);
	execv(argv[0], argv);
	_exit(127);
}

/* Runs go in `dir` (NULL: here) and waits, passing on what the user sends. *signal_number: what
 * asked us to end. */
static int run_go(char *const *argv, const char *dir, bool is_quiet, int *signal_number)
{
	sigset_t wanted, old;
	int status = -1;
	pid_t pid;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	sigaddset(&wanted, SIGCHLD);
	sigprocmask(SIG_BLOCK, &wanted, &old);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		become_go(argv, dir, is_quiet);
	}
	while (pid > 0) {
		int number;

		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		number = sigwaitinfo(&wanted, NULL);
		if (number > 0 && number != SIGCHLD) {
			*signal_number = number;
			kill(pid, number);
		}
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (WIFSIGNALED(status) && !*signal_number)
		*signal_number = WTERMSIG(status);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

/* After a failed build: does the package exist at all? */
static bool has_package(const char *go, const char *package)
{
	struct strvec argv = { 0 };
	int signal_number = 0;
	struct stat st;

	if (stat(package, &st) == 0)
		return true;
	strvec_add(&argv, go);
	strvec_add(&argv, "list");
	strvec_add(&argv, "-find");
	strvec_add(&argv, package);
	return run_go(argv.items, NULL, true, &signal_number) == 0;
}

static void add_build_arguments(struct strvec *argv, const char *go, const char *package,
	char *const *flags, const char *out)
{
	struct stat st;

	strvec_add(argv, go);
	strvec_add(argv, "build");
	strvec_addf(argv, "-o=%s", out);
	for (; flags && *flags; flags++)
		strvec_add(argv, *flags);
	if (is_foreign(package))
		strvec_add(argv, ".");
	/* "cmd/server" that is a directory here means the directory, not a package of std. */
	else if (package[0] != '/' && package[0] != '.' && stat(package, &st) == 0)
		strvec_addf(argv, "./%s", package);
	else
		strvec_add(argv, package);
}

static int finish_build(const char *go, const char *package, int status, int signal_number,
	const char *out, int *fd)
{
	struct stat st;

	if (signal_number)
		return 128 + signal_number;
	if (status != 0 && !has_package(go, package))
		return report_fail(GOSOLO_CODE_NOT_FOUND, "%s: no such package", package);
	if (status != 0)
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: cannot be built", package);
	*fd = open(out, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
		return report_fail(GOSOLO_CODE_UNUSABLE,
			"%s: not a main package: go build gave no program", package);
	return 0;
}

int gobuild_package(const char *package, char *const *flags, int *fd)
{
	const char *found = gobuild_find_go();
	const char *tmp = getenv("TMPDIR");
	const char *dir_to_enter = is_foreign(package) ? package : NULL;
	struct strvec argv = { 0 };
	int signal_number = 0, status, code;
	char *go, *dir, *out;

	if (!found)
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be built: " GO_MISSING, package);
	go = mem_copy_string(found);
	dir = mem_format("%s/gosolo-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be created: %s", dir,
			strerror(errno));
	out = mem_format("%s/program", dir);
	add_build_arguments(&argv, go, package, flags, out);
	report_progress("building %s", package);
	status = run_go(argv.items, dir_to_enter, false, &signal_number);
	code = finish_build(go, package, status, signal_number, out, fd);
	unlink(out);
	rmdir(dir);
	return code;
}

char *gobuild_program_name(const char *what)
{
	char *path = realpath(what, NULL);
	char *text = path ? path : mem_copy_string(what);
	size_t len = strlen(text);
	char *slash;

	while (len > 1 && text[len - 1] == '/')
		text[--len] = 0;
	if (len > 3 && strcmp(text + len - 3, ".go") == 0)
		text[len - 3] = 0;
	slash = strrchr(text, '/');
	return slash && slash[1] ? slash + 1 : text;
}
