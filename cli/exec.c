/*
 * exec.c: `gosolo exec`, for `go run -exec` and `go test -exec`.
 *
 * What:       the program finds what it would find here: the same environment, directory,
 *             argv[0] and files. Files means a copy of: the working directory, the testdata
 *             folders beside it and above it up to the module's root, go.mod there, the
 *             program's own file, and what --add names.
 * Invariants: (1) the host's files are only read. (2) at most FILES_MIB_MAX are shipped.
 * Locking:    none; the command has one thread.
 * Failure:    125, 126, 127; else the program's own code.
 * Source:     `go help run`, `go help testflag`; docs/command-line.md.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/image_make.h"
#include "cli/machine.h"
#include "cli/qemu.h"

enum { FILES_MIB_MAX = 256 };

/* Version control and unreadable files are not what a test looks for. */
static bool is_wanted(const char *host_path, const char *name)
{
	return strcmp(name, ".git") != 0 && access(host_path, R_OK) == 0;
}

static int add_if_there(struct archive *archive, const char *dir, const char *name)
{
	char *path = mem_format("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
	int code = 0;

	if (access(path, R_OK) == 0 && !archive_has(archive, path))
		code = archive_add_host(archive, path, path, is_wanted);
	free(path);
	return code;
}

/* From the working directory up to the module's root. */
static int add_parents(struct archive *archive, const char *cwd)
{
	static const char *const names[] = { "testdata", "go.mod", "VERSION" };
	char dir[PATH_MAX];
	int code = 0;

	strcpy(dir, cwd);
	while (!code && dir[1]) {
		bool is_root;
		char *mod = mem_format("%s/go.mod", dir), *slash;

		is_root = access(mod, F_OK) == 0;
		free(mod);
		for (size_t i = 0; !code && i < sizeof(names) / sizeof(names[0]); i++)
			code = add_if_there(archive, dir, names[i]);
		if (is_root)
			break;
		slash = strrchr(dir, '/');
		*(slash == dir ? slash + 1 : slash) = 0;
	}
	return code;
}

/* The program's own file, which os.Executable leads to. */
static int add_program(struct archive *archive, const char *target, const char *cwd)
{
	char *path = target[0] == '/' ? mem_copy_string(target) : mem_format("%s/%s", cwd, target);
	struct stat st;
	int code = 0;

	/* A path with ".." in it leads to a file that is outside anyway. */
	if (!strstr(path, "/../") && !strstr(path, "/./") && stat(path, &st) == 0 &&
		S_ISREG(st.st_mode) && !archive_has(archive, path))
		code = archive_add_host(archive, path, path, NULL);
	free(path);
	return code;
}

/* A home or root directory is where somebody stands, not what a program is about. */
static bool is_too_wide(const char *cwd)
{
	const char *home = getenv("HOME");

	return strcmp(cwd, "/") == 0 || strcmp(cwd, "/tmp") == 0 ||
		(home && strcmp(cwd, home) == 0);
}

static int add_files(const struct options *options, const char *cwd, struct archive *archive)
{
	int code = 0;

	archive_limit(archive, (uint64_t)FILES_MIB_MAX << 20);
	if (is_too_wide(cwd))
		code = archive_add_directory(archive, cwd);
	else
		code = archive_add_host(archive, cwd, cwd, is_wanted);
	if (!code)
		code = add_parents(archive, cwd);
	if (!code)
		code = add_program(archive, options->target, cwd);
	if (!code && access("/etc/localtime", R_OK) == 0)
		code = archive_add_host(archive, "/etc/localtime", "/etc/localtime", NULL);
	if (!code)
		code = image_add_files(options, archive);
	return code;
}

static int pack(const struct options *options, struct image_source *source, const char *cwd)
{
	struct archive *archive = archive_create();
	int fd = machine_create_file();
	int code = fd < 0 ? GOSOLO_CODE_FAILED : add_files(options, cwd, archive);

	if (!code && source->is_image)
		code = report_fail(GOSOLO_CODE_UNUSABLE, "%s: is an image already; use gosolo run",
			options->target);
	if (!code)
		code = image_make(options, source, archive, options->gdb_port == 0, fd,
			options->target, &source->image);
	close(source->fd);
	source->fd = fd;
	return code;
}

/* What -e names wins over what is there. */
static void add_environment(struct options *options)
{
	struct strvec given = options->env;

	options->env = (struct strvec){ 0 };
	for (char **variable = environ; *variable; variable++)
		if (strchr(*variable, '=') && **variable != '=')
			strvec_add(&options->env, *variable);
	for (size_t i = 0; i < given.count; i++)
		strvec_add(&options->env, given.items[i]);
}

static int prepare(int argc, char **argv, struct options *options, struct image_source *source,
	bool *wants_help, const char **qemu)
{
	int code = options_parse(OPTIONS_EXEC, argc, argv, options, wants_help);

	if (code || *wants_help)
		return code;
	*qemu = qemu_find();
	if (!*qemu)
		return GOSOLO_CODE_FAILED;
	*qemu = mem_copy_string(*qemu);
	code = machine_check(options);
	if (!code)
		code = image_open(options, NULL, source);
	return code;
}

int command_exec(int argc, char **argv)
{
	struct machine_request request;
	struct image_source source = { 0 };
	struct options options;
	char cwd[PATH_MAX];
	const char *qemu;
	bool wants_help;
	int code = prepare(argc, argv, &options, &source, &wants_help, &qemu);

	if (!code && wants_help)
		return help_print(argv[0]);
	if (!code && !getcwd(cwd, sizeof(cwd)))
		code = report_fail(GOSOLO_CODE_FAILED, "the working directory is gone");
	if (!code)
		code = pack(&options, &source, cwd);
	if (code)
		return code;
	add_environment(&options);
	request = (struct machine_request){
		.options = &options,
		.qemu = qemu,
		.image_fd = source.fd,
		.image = &source.image,
		.name = source.name,
		.arg0 = options.target,
		.cwd = cwd,
		.args = options.args,
	};
	return machine_run(&request);
}
