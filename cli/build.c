/*
 * build.c: `gosolo build`.
 *
 * What:       makes the image beside its final name and renames it into place when it is whole.
 * Invariants: (1) on failure nothing is left; an older output stays as it was.
 * Locking:    none; the command has one thread.
 * Failure:    125, 126 or 127; one line. A signal ends the command with nothing left behind.
 * Source:     docs/command-line.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/image_make.h"

static struct {
	char *temporary; /* to be removed when a signal ends us; NULL: none */
} build;

static void on_signal(int number)
{
	if (build.temporary)
		unlink(build.temporary);
	signal(number, SIG_DFL);
	raise(number);
}

static int open_output(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return -report_fail(GOSOLO_CODE_FAILED, "%s: exists and is not a regular file",
			path);
	build.temporary = mem_format("%s.XXXXXX", path);
	fd = mkostemp(build.temporary, O_CLOEXEC);
	if (fd < 0) {
		build.temporary = NULL;
		return -report_fail(GOSOLO_CODE_FAILED, "%s: cannot be created: %s", path,
			strerror(errno));
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	signal(SIGXFSZ, SIG_IGN); /* becomes an error of write */
	return fd;
}

static int finish_output(int fd, const char *path)
{
	mode_t mask = umask(0);

	umask(mask);
	if (fchmod(fd, 0777 & ~mask) != 0 || rename(build.temporary, path) != 0)
		return report_fail(GOSOLO_CODE_FAILED, "%s: cannot be created: %s", path,
			strerror(errno));
	build.temporary = NULL;
	return 0;
}

/* "-- go build flags": the separator itself is not one of them. */
static int take_go_flags(struct options *options, char ***flags)
{
	char **args = options->args;

	*flags = NULL;
	if (!*args)
		return 0;
	if (strcmp(*args, "--") != 0)
		return report_fail(GOSOLO_CODE_FAILED,
			"build: %s: too much; one package or binary, options in front of "
			"it, flags for go build after --",
			*args);
	*flags = args + 1;
	return 0;
}

static void print_result(const char *path, int fd, const struct gosolo_image *image)
{
	uint64_t needed_mib = (image->image_end >> 20) + 1;
	struct stat st;

	if (fstat(fd, &st) == 0)
		report_progress("%s: %.1f MB on disk, boots with %llu MiB or more", path,
			(double)st.st_blocks * 512 / 1e6, (unsigned long long)needed_mib);
}

static int make_output(const struct options *options, const struct image_source *source)
{
	const char *path = options->output ? options->output : mem_format("%s.img", source->name);
	struct archive *archive = archive_create();
	struct gosolo_image image;
	int fd, code = image_add_files(options, archive);

	if (code)
		return code;
	fd = open_output(path);
	if (fd < 0)
		return -fd;
	report_progress("packing %s", path);
	code = image_make(options, source, archive, false, fd, path, &image);
	if (!code)
		code = finish_output(fd, path);
	if (code && build.temporary)
		unlink(build.temporary);
	if (!code)
		print_result(path, fd, &image);
	close(fd);
	return code;
}

int command_build(int argc, char **argv)
{
	struct image_source source = { 0 };
	struct options options;
	char **go_flags;
	bool wants_help;
	int code = options_parse(OPTIONS_BUILD, argc, argv, &options, &wants_help);

	if (!code && wants_help)
		return help_print(argv[0]);
	if (!code)
		code = take_go_flags(&options, &go_flags);
	if (!code)
		code = image_open(&options, go_flags, &source);
	if (!code && source.is_image)
		code = report_fail(GOSOLO_CODE_UNUSABLE, "%s: is an image already", options.target);
	if (!code)
		code = make_output(&options, &source);
	return code;
}
