/*
 * help.c: the texts of `gosolo help`.
 *
 * What:       one text for the overview and one for each command.
 * Invariants: (1) names every option that options.c takes.
 * Locking:    none; the command has one thread.
 * Failure:    125 for a command that does not exist.
 * Source:     docs/command-line.md.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "include/gosolo_abi.h"

static const char overview[] =
	"gosolo runs ordinary Go programs as machine images, without an operating system.\n"
	"\n"
	"  gosolo build   [options] PACKAGE|BINARY [-- go build flags]   make an image\n"
	"  gosolo run     [options] PACKAGE|BINARY|IMAGE [ARGS...]       boot it here, under QEMU\n"
	"  gosolo exec    [options] BINARY [ARGS...]    for go run -exec and go test -exec\n"
	"  gosolo inspect IMAGE                         what is inside\n"
	"  gosolo doctor                                what this machine has and lacks\n"
	"  gosolo version | help [COMMAND]\n"
	"\n"
	"Exit codes: the program's own; 128+n when signal n ended it; 125 when gosolo itself\n"
	"failed, 126 when the binary cannot be used, 127 when it cannot be found.\n";

static const char build_text[] =
	"gosolo build [options] PACKAGE|BINARY [-- go build flags]\n"
	"\n"
	"Makes a machine image of a Go package, or of a program that was built with\n"
	"CGO_ENABLED=0 GOOS=linux GOARCH=amd64.\n"
	"\n"
	"  -o FILE             the image; default: NAME.img here\n"
	"  --format elf        raw and qcow2 are not supported yet\n"
	"  --add HOST:GUEST    put a file or a directory into the image; may repeat\n"
	"  -m SIZE, -c N       memory and CPUs the image wants when run does not say\n"
	"  -e K=V, --env-file FILE   environment of the program; -e K takes the host's value\n"
	"  --kernel FILE       another kernel than the built-in one\n";

static const char run_text[] =
	"gosolo run [options] PACKAGE|BINARY|IMAGE [ARGS...]\n"
	"\n"
	"Boots the program and gives back its output and its exit code. Ctrl-C is SIGINT to the\n"
	"program; twice stops the machine.\n"
	"\n"
	"  -m SIZE             memory; default what the image wants, else 256M or more\n"
	"  -c N                CPUs; default what the image wants, else 1\n"
	"  -p [ADDR:]HOST:GUEST[/udp]   publish a port of the program; may repeat\n"
	"  -e K=V, --env-file FILE      environment of the program; -e K takes the host's value\n"
	"  --add HOST:GUEST    put a file or a directory into the machine; may repeat\n"
	"  --net user|tap=INTERFACE|none   default user\n"
	"  --ip ADDR/LEN --gw ADDR --dns ADDR   static addresses, IPv6 ones too; --ip dhcp asks "
	"the network\n"
	"  --accel auto|kvm|tcg   default auto: KVM when it really runs a guest\n"
	"  --machine microvm   q35 and pc are not supported yet\n"
	"  --timeout TIME      stop the machine after that long: 10s, 500ms, 2m\n"
	"  --strace[=NAMES]    log system calls; to standard error when there is no --log\n"
	"  --stats             statistics on standard error at the end\n"
	"  --log FILE          the kernel's log\n"
	"  --log-level error|warn|info|debug\n"
	"  --gdb[=PORT]        wait for gdb; default port 1234\n"
	"  --dry-run           print QEMU's command line and end\n"
	"  --vmm-arg ARG       one more argument for QEMU; may repeat\n"
	"  --kernel FILE       another kernel than the built-in one\n"
	"  --kernel-arg WORD   one more word for the kernel's command line; may repeat\n";

static const char exec_text[] =
	"gosolo exec [options] BINARY [ARGS...]\n"
	"\n"
	"    go run -exec 'gosolo exec' .        go test -exec 'gosolo exec' ./...\n"
	"\n"
	"Like run, but the program finds what it would find here: environment, working directory,\n"
	"and a copy of the files in it, of testdata folders and go.mod up to the module's root.\n"
	"Takes the options of gosolo run.\n";

static const char inspect_text[] =
	"gosolo inspect [--files] [--modules] [--licenses] IMAGE\n"
	"\n"
	"Checks an image by the rules of all loaders and says what is inside.\n"
	"\n"
	"  --files      every file\n"
	"  --modules    every Go module and build setting\n"
	"  --licenses   the licences of what gosolo put in\n";

static const char doctor_text[] =
	"gosolo doctor\n"
	"\n"
	"Says what this machine has and lacks, with the command that mends it. Ends with 0 when\n"
	"gosolo can build and run here, else with 125.\n";

static const char version_text[] =
	"gosolo version\n"
	"\n"
	"Prints the version, and that of the interface between command and kernel.\n";

static const char help_text[] = "gosolo help [COMMAND]\n"
				"\n"
				"Prints the overview, or what COMMAND does and takes.\n";

int help_print(const char *command)
{
	static const struct {
		const char *name;
		const char *text;
	} texts[] = {
		{ "build", build_text },
		{ "run", run_text },
		{ "exec", exec_text },
		{ "inspect", inspect_text },
		{ "doctor", doctor_text },
		{ "version", version_text },
		{ "help", help_text },
	};

	if (!command) {
		fputs(overview, stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].name, command) == 0) {
			fputs(texts[i].text, stdout);
			return 0;
		}
	return report_fail(GOSOLO_CODE_FAILED, "%s: unknown command; see gosolo help", command);
}
