/*
 * options.h: the options of build, run and exec, parsed and checked.
 */
#pragma once

#include "cli/mem.h"
#include "cli/values.h"

enum options_command { OPTIONS_BUILD = 1, OPTIONS_RUN = 2, OPTIONS_EXEC = 4 };
enum options_net { OPTIONS_NET_USER, OPTIONS_NET_TAP, OPTIONS_NET_NONE };
enum options_accel { OPTIONS_ACCEL_AUTO, OPTIONS_ACCEL_KVM, OPTIONS_ACCEL_TCG };

struct options {
	enum options_command command;
	uint32_t mem_mib; /* 0: not given */
	uint32_t cpus; /* 0: not given */
	struct strvec env; /* K=V; the last one wins */
	struct strvec adds; /* HOST:GUEST, checked */
	const char *output; /* build; NULL: named after the program */
	const char *kernel; /* another kernel than the built-in one; NULL */
	struct port_forward *ports;
	size_t port_count;
	enum options_net net;
	const char *tap;
	const char *ip;
	struct strvec ip6; /* ADDR/64, checked */
	const char *gw;
	const char *gw6;
	struct strvec dns;
	enum options_accel accel;
	uint64_t timeout_ns; /* 0: none */
	const char *strace; /* NULL: off; "": all calls; else names */
	bool has_stats;
	const char *log;
	const char *log_level; /* NULL: the kernel's default */
	uint32_t gdb_port; /* 0: no debugger */
	bool is_dry_run;
	struct strvec vmm_args;
	struct strvec kernel_args; /* words for the kernel command line, as they are */
	const char *target; /* PACKAGE, BINARY or IMAGE */
	char **args; /* what follows it; NULL-terminated */
};

/* argv[0] is the command's own name. Reports 125. *wants_help: show the help and end. */
int options_parse(enum options_command command, int argc, char **argv, struct options *options,
	bool *wants_help) must_check;
