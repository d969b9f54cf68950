/*
 * machine.h: boots an image and gives back how the program ended.
 */
#pragma once

#include "cli/options.h"
#include "include/gosolo_abi.h"

struct machine_request {
	const struct options *options;
	const char *qemu; /* path */
	int image_fd;
	const struct gosolo_image *image;
	const char *name; /* of the program, for reports */
	const char *arg0; /* NULL: the kernel's default */
	const char *cwd; /* NULL: the kernel's default */
	char *const *args; /* the program's, without argv[0]; NULL-terminated */
};

/* Fails early for what can be known before anything is built: too few open files, ports in use,
 * a tap interface that is not there. Reports 125. */
int machine_check(const struct options *options) must_check;

/* The exit code of the command: the program's own, 128 + n, or 125 after a report. */
int machine_run(const struct machine_request *request) must_check;

/* An empty file in memory for an image that lives only as long as the command. -1 after a
 * report. */
int machine_create_file(void);
