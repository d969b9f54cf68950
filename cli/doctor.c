/*
 * doctor.c: `gosolo doctor`.
 *
 * What:       one line for each thing gosolo uses: there or missing, and the command that mends
 *             it. KVM is tried with a real guest, freshly.
 * Invariants: (1) changes nothing on the machine.
 * Locking:    none; the command has one thread.
 * Failure:    125 when building or running is impossible.
 * Source:     none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/accel.h"
#include "cli/archive_default.h"
#include "cli/check.h"
#include "cli/commands.h"
#include "cli/gobuild.h"
#include "cli/mem.h"
#include "include/gosolo_abi.h"

static void print_line(bool is_good, const char *what, const char *fact, const char *remedy)
{
	printf("%-8s %-13s %s%s%s\n", is_good ? "ok" : "missing", what, fact,
		is_good || !remedy ? "" : "; ", is_good || !remedy ? "" : remedy);
}

/* The first line that a command prints. */
static char *first_line(const char *command)
{
	char line[256] = "";
	FILE *pipe = popen(command, "r");

	if (pipe) {
		if (!fgets(line, sizeof(line), pipe))
			line[0] = 0;
		pclose(pipe);
	}
	line[strcspn(line, "\n")] = 0;
	return mem_copy_string(line);
}

static bool check_qemu(char **path)
{
	static const char *const roms[] = { "/usr/share/qemu/qboot.rom",
		"/usr/share/seabios/qboot.rom", "/usr/local/share/qemu/qboot.rom" };
	const char *found = gobuild_find_command("qemu-system-x86_64");
	bool has_rom = false;

	if (!found) {
		print_line(false, "QEMU", "qemu-system-x86_64 is not on PATH",
			"apt-get install qemu-system-x86");
		return false;
	}
	*path = mem_copy_string(found);
	for (size_t i = 0; i < sizeof(roms) / sizeof(roms[0]); i++)
		has_rom |= access(roms[i], R_OK) == 0;
	print_line(true, "QEMU", first_line("qemu-system-x86_64 --version 2>/dev/null"), NULL);
	if (!has_rom)
		print_line(false, "qboot.rom", "QEMU's small firmware",
			"apt-get install qemu-system-x86");
	return has_rom;
}

static void check_kvm(const char *qemu)
{
	struct accel_choice choice;
	bool is_good = accel_try_kvm(qemu, &choice);
	char *fact = is_good ? mem_format("a trial guest runs (-cpu %s)", choice.cpu_model)
			     : mem_format("%s: TCG is used, which is slower", choice.why);
	const char *remedy = NULL;

	if (access("/dev/kvm", F_OK) != 0)
		remedy =
			"enable virtualisation in the firmware, or nesting in the outer hypervisor";
	else if (access("/dev/kvm", R_OK | W_OK) != 0)
		remedy = "usermod -aG kvm $USER, then log in again";
	print_line(is_good, "KVM", fact, remedy);
}

static bool check_go(void)
{
	const char *go = gobuild_find_go();
	const char *remedy = "get it from https://go.dev/dl/";
	char *version, *number;

	if (!go) {
		print_line(false, "Go", "not on PATH; needed for packages, not for binaries",
			remedy);
		return true;
	}
	version = first_line(mem_format("'%s' env GOVERSION 2>/dev/null", go));
	number = strstr(version, "go1.");
	if (number && atoi(number + 4) >= CHECK_GO_MINOR_MIN) {
		print_line(true, "Go", version, NULL);
		return true;
	}
	print_line(false, "Go",
		mem_format("%s is too old: 1.%d or newer is needed", version[0] ? version : go,
			CHECK_GO_MINOR_MIN),
		remedy);
	return false;
}

static void check_files(void)
{
	const char *certs = archive_default_certs(), *zones = archive_default_zones();

	print_line(certs != NULL, "certificates", certs ? certs : "HTTPS clients will trust nobody",
		"apt-get install ca-certificates");
	print_line(zones != NULL, "time zones", zones ? zones : "programs will know UTC only",
		"apt-get install tzdata");
}

int command_doctor(int argc, char **argv)
{
	char *qemu = NULL;
	bool is_good;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return help_print(argv[0]);
	if (argc > 1)
		return report_fail(GOSOLO_CODE_FAILED, "doctor: %s: takes no arguments", argv[1]);
	is_good = check_qemu(&qemu);
	if (qemu)
		check_kvm(qemu);
	is_good &= check_go();
	check_files();
	return is_good ? 0 : GOSOLO_CODE_FAILED;
}
