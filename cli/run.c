/*
 * run.c: `gosolo run`.
 *
 * What:       finds or builds the program, packs it into a file in memory (an image that was
 *             built earlier is taken as it is) and boots it.
 * Invariants: (1) the program gets nothing of the host's environment but what -e names.
 * Locking:    none; the command has one thread.
 * Failure:    125, 126, 127; else the program's own code.
 * Source:     docs/command-line.md.
 */
#include <unistd.h>

#include "cli/commands.h"
#include "cli/image_make.h"
#include "cli/machine.h"
#include "cli/qemu.h"

/* A program becomes an image in memory. */
static int pack(const struct options *options, struct image_source *source)
{
	struct archive *archive = archive_create();
	int fd = machine_create_file();
	int code = fd < 0 ? GOSOLO_CODE_FAILED : image_add_files(options, archive);

	if (!code)
		code = image_make(options, source, archive, options->gdb_port == 0, fd,
			options->target, &source->image);
	close(source->fd);
	source->fd = fd;
	return code;
}

static int check_image_options(const struct options *options)
{
	if (options->adds.count || options->kernel)
		return report_fail(GOSOLO_CODE_FAILED,
			"%s: is an image already; give --add and --kernel to gosolo build",
			options->target);
	return 0;
}

int command_run(int argc, char **argv)
{
	struct machine_request request;
	struct image_source source = { 0 };
	struct options options;
	const char *qemu;
	bool wants_help;
	int code = options_parse(OPTIONS_RUN, argc, argv, &options, &wants_help);

	if (code)
		return code;
	if (wants_help)
		return help_print(argv[0]);
	qemu = qemu_find();
	if (!qemu)
		return GOSOLO_CODE_FAILED;
	qemu = mem_copy_string(qemu);
	code = machine_check(&options);
	if (!code)
		code = image_open(&options, NULL, &source);
	if (!code)
		code = source.is_image ? check_image_options(&options) : pack(&options, &source);
	if (code)
		return code;
	request = (struct machine_request){
		.options = &options,
		.qemu = qemu,
		.image_fd = source.fd,
		.image = &source.image,
		.name = source.is_image ? source.image.program : source.name,
		.args = options.args,
	};
	return machine_run(&request);
}
