/*
 * gobuild.h: builds a Go package with the user's own Go.
 */
#pragma once

#include "cli/report.h"

/* Whether the argument names a package to build rather than a file to use. Reports and returns
 * 127 when it looks like a path and nothing is there. */
int gobuild_classify(const char *what, bool *is_package) must_check;

/* Builds `package` (NULL-terminated `flags` may be NULL) into an unlinked temporary file. On
 * success *fd is that file. Go's own errors go to standard error unchanged. Returns 126 when it
 * does not compile, 127 when there is no such package, 125 without Go, 128 + n on a signal. */
int gobuild_package(const char *package, char *const *flags, int *fd) must_check;

/* The path of the go command; NULL: there is none. */
const char *gobuild_find_go(void);

/* GOROOT as far as it can be told without running Go; NULL: unknown. */
const char *gobuild_goroot(void);

/* Path of a command on PATH; NULL: not found. Points to static memory of the last call. */
const char *gobuild_find_command(const char *name);

/* The last element of an import path or file name, for the program's name. */
char *gobuild_program_name(const char *what);
