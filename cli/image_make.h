/*
 * image_make.h: from what the user names to an image: shared by build, run and exec.
 */
#pragma once

#include "cli/archive.h"
#include "cli/options.h"
#include "include/gosolo_abi.h"

/* What a target turned out to be. */
struct image_source {
	int fd; /* the program's, or the image's, file */
	bool is_image;
	char *name; /* of the program */
	struct gosolo_image image; /* is_image only */
};

/* Finds or builds options->target. `go_flags` for go build may be NULL. Reports. */
int image_open(const struct options *options, char *const *go_flags,
	struct image_source *source) must_check;

/* Packs the program behind source into the empty file out_fd, then checks the result. */
int image_make(const struct options *options, const struct image_source *source,
	struct archive *archive, bool is_transient, int out_fd, const char *out_name,
	struct gosolo_image *image) must_check;

/* Adds options->adds, then the host's defaults. */
int image_add_files(const struct options *options, struct archive *archive) must_check;
