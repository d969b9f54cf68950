/*
 * image_make.c: from what the user names to an image.
 *
 * What:       a package is built, a file is opened; an image made earlier is recognised by its
 *             image information. A program is checked, packed and the result checked again with
 *             the rules of the loaders.
 * Invariants: (1) the output is only ever written to a file that nobody sees yet.
 * Locking:    none; the command has one thread.
 * Failure:    125, 126 or 127; one line.
 * Source:     docs/image.md.
 */
#include "cli/image_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/archive_default.h"
#include "cli/check.h"
#include "cli/gobuild.h"
#include "cli/image_check.h"
#include "cli/kcmdline.h"
#include "cli/pack.h"

static int recognise(const struct options *options, struct image_source *source)
{
	struct elf_file elf;
	int code = elf_map(&elf, source->fd, options->target);

	if (code)
		return code;
	code = elf_parse(&elf);
	if (code) {
		code = report_fail(code, "%s: %s", options->target, elf.reason);
	} else if (pack_find_image(&elf, &source->image)) {
		source->is_image = true;
		code = image_check(&elf);
	}
	elf_close(&elf);
	return code;
}

int image_open(const struct options *options, char *const *go_flags, struct image_source *source)
{
	bool is_package;
	int code = gobuild_classify(options->target, &is_package);

	*source = (struct image_source){ .fd = -1 };
	if (code)
		return code;
	source->name = gobuild_program_name(options->target);
	if (is_package)
		return gobuild_package(options->target, go_flags, &source->fd);
	if (go_flags && *go_flags)
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: flags for go build make sense only with a package, "
			"this is a file",
			options->target);
	source->fd = open(options->target, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		return report_fail(GOSOLO_CODE_UNUSABLE, "%s: %s", options->target,
			strerror(errno));
	return recognise(options, source);
}

int image_add_files(const struct options *options, struct archive *archive)
{
	int code = 0;

	for (size_t i = 0; !code && i < options->adds.count; i++) {
		const char *guest;
		char *host;

		code = value_parse_add(options->adds.items[i], &host, &guest);
		if (!code)
			code = archive_add_host(archive, host, guest, NULL);
	}
	if (!code)
		code = archive_add_defaults(archive);
	return code;
}

/* What build was told becomes the image's defaults. */
static char *default_words(const struct options *options)
{
	struct bytebuf words = { 0 };

	if (options->command != OPTIONS_EXEC) /* which gives the host's environment as it is */
		kcmdline_add(&words, "memlimit", "auto");
	if (options->command == OPTIONS_BUILD)
		for (size_t i = 0; i < options->env.count; i++)
			kcmdline_add(&words, "env", options->env.items[i]);
	return kcmdline_finish(&words);
}

static int check_result(int fd, const char *name, struct gosolo_image *image)
{
	struct elf_file elf;
	int code = elf_map(&elf, fd, name);

	if (code)
		return code;
	code = elf_parse(&elf);
	if (code)
		code = report_fail(GOSOLO_CODE_FAILED, "%s: not a sound image: %s", name,
			elf.reason);
	else
		code = image_check(&elf);
	if (!code && !pack_find_image(&elf, image))
		code = GOSOLO_CODE_FAILED; /* image_check has refused that already */
	elf_close(&elf);
	return code;
}

int image_make(const struct options *options, const struct image_source *source,
	struct archive *archive, bool is_transient, int out_fd, const char *out_name,
	struct gosolo_image *image)
{
	struct elf_file program, kernel;
	struct go_info go;
	bool is_build = options->command == OPTIONS_BUILD;
	struct pack_request request = {
		.program = &program,
		.go = &go,
		.kernel = &kernel,
		.archive = archive,
		.name = source->name,
		.defaults = default_words(options),
		.mem_mib = is_build ? options->mem_mib : 0,
		.cpus = is_build ? options->cpus : 0,
		.is_transient = is_transient,
	};
	int code = elf_map(&program, source->fd, options->target);

	if (code)
		return code;
	code = elf_parse(&program);
	if (code)
		return report_fail(code, "%s: %s", options->target, program.reason);
	goinfo_read(&program, &go);
	code = check_program(&program, &go);
	if (!code)
		code = pack_open_kernel(&kernel, options->kernel);
	if (!code)
		code = pack_write(&request, out_fd, out_name);
	if (!code)
		code = check_result(out_fd, out_name, image);
	elf_close(&program);
	return code;
}
