/*
 * accel.c: chooses KVM or TCG.
 *
 * What:       a /dev/kvm that opens says little: nested and emulated ones abort, lack features or
 *             crawl. So a trial guest is run under `-cpu host`, then under a named model, and has
 *             to be through within a bound. The finding is kept in a small file, keyed by this
 *             boot of the host and this QEMU.
 * Invariants: (1) all trials together take TRIAL_TOTAL_MS at most.
 * Locking:    none; the file is replaced by rename, so two commands at once do no harm.
 * Failure:    --accel kvm that does not work: 125.
 * Source:     trial.c; QEMU's isa-debug-exit; random(4): boot_id.
 */
#include "cli/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/io.h"
#include "cli/qemu.h"
#include "cli/trial.h"
#include "include/gosolo_abi.h"

enum { TRIAL_TOTAL_MS = 1000 };

/* With erms, Go copies with rep movsb, which TCG does byte by byte. */
#define TCG_CPU "max,-erms"

static const char *const kvm_models[] = { "host", "EPYC" };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void use_tcg(struct accel_choice *choice, const char *why)
{
	choice->accel = "tcg";
	choice->cpu_model = TCG_CPU;
	snprintf(choice->why, sizeof(choice->why), "%s", why);
}

static int trial_file(void)
{
	size_t bytes = (uintptr_t)trial_image_end - (uintptr_t)trial_image_start;
	int fd = memfd_create("gosolo-trial", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, trial_image_start, bytes) != (ssize_t)bytes) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Waits until the process ends or `limit_ms` is over; then it is killed. -1: too slow. */
static int wait_status(pid_t pid, int64_t limit_ms)
{
	struct pollfd process = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int status = 0;
	bool is_late = poll(&process, 1, limit_ms > 0 ? (int)limit_ms : 0) == 0;

	close(process.fd);
	if (is_late)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return is_late ? -1 : status;
}

static const char *explain(int status)
{
	if (status == -1)
		return "a trial guest does not finish under KVM here";
	if (!WIFEXITED(status))
		return "QEMU aborts under KVM here";
	switch (WEXITSTATUS(status)) {
	case TRIAL_GOOD * 2 + 1:
		return NULL;
	case TRIAL_NO_LONG_MODE * 2 + 1:
		return "KVM here has no 64-bit guests";
	case TRIAL_NO_XSAVE * 2 + 1:
		return "KVM here gives guests no XSAVE";
	case TRIAL_NO_APIC * 2 + 1:
		return "KVM here gives guests no local APIC";
	default:
		return "a trial guest does not run under KVM here";
	}
}

/* One trial; NULL when it went well, else the reason. */
static const char *try_model(const char *qemu, const char *model, int64_t limit_ms)
{
	const char *const argv[] = {
		qemu,
		"-M",
		"microvm,acpi=off,auto-kernel-cmdline=off,pit=off,pic=off,isa-serial=off",
		"-accel",
		"kvm",
		"-cpu",
		model,
		"-m",
		"32M",
		"-nodefaults",
		"-no-user-config",
		"-no-reboot",
		"-display",
		"none",
		"-bios",
		"qboot.rom",
		"-device",
		"isa-debug-exit,iobase=0xf4,iosize=1",
		"-kernel",
		"/dev/fd/3",
		NULL,
	};
	int image = trial_file(), nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const char *why = "no trial could be made";
	pid_t pid;

	if (image < 0 || nothing < 0)
		return why;
	pid = qemu_spawn((char *const *)(uintptr_t)argv, &image, 1, nothing);
	if (pid > 0)
		why = explain(wait_status(pid, limit_ms));
	close(image);
	close(nothing);
	return why;
}

bool accel_try_kvm(const char *qemu, struct accel_choice *choice)
{
	int64_t deadline_ms = now_ms() + TRIAL_TOTAL_MS;
	const char *why = NULL;
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	choice->is_fresh = true;
	if (fd < 0) {
		snprintf(choice->why, sizeof(choice->why), "/dev/kvm: %s", strerror(errno));
		use_tcg(choice, mem_copy_string(choice->why));
		return false;
	}
	close(fd);
	for (size_t i = 0; i < sizeof(kvm_models) / sizeof(kvm_models[0]); i++) {
		why = try_model(qemu, kvm_models[i], deadline_ms - now_ms());
		if (!why) {
			*choice = (struct accel_choice){ "kvm", kvm_models[i], "", true };
			return true;
		}
	}
	use_tcg(choice, why);
	return false;
}

/* Where findings are kept; NULL: nowhere. */
static char *memory_path(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	const char *cache = getenv("XDG_CACHE_HOME");
	char *folder;

	if (runtime && *runtime)
		return mem_format("%s/gosolo-accel", runtime);
	if (cache && *cache)
		folder = mem_format("%s/gosolo", cache);
	else if (home && *home)
		folder = mem_format("%s/.cache/gosolo", home);
	else
		return NULL;
	return mem_format("%s/accel", folder);
}

/* This boot, this QEMU, whether we may open /dev/kvm. */
static char *memory_key(const char *qemu)
{
	char *boot = io_read_text("/proc/sys/kernel/random/boot_id", 64, NULL);
	struct stat st, kvm = { 0 };

	if (!boot || stat(qemu, &st) != 0)
		return NULL;
	boot[strcspn(boot, "\n")] = 0;
	if (stat("/dev/kvm", &kvm) == 0 && access("/dev/kvm", R_OK | W_OK) != 0)
		kvm.st_ino = 0;
	return mem_format("%s %s %lld %lld %lld", boot, qemu, (long long)st.st_size,
		(long long)st.st_mtime, (long long)kvm.st_ino);
}

/* The file: the key's line, then "kvm MODEL" or "tcg REASON". */
static bool recall(const char *path, const char *key, struct accel_choice *choice)
{
	char *text = path && key ? io_read_text(path, 4096, NULL) : NULL, *rest = text;
	char *first = rest ? strsep(&rest, "\n") : NULL,
	     *second = rest ? strsep(&rest, "\n") : NULL;

	if (!second || strcmp(first, key) != 0 || strlen(second) < 4)
		return false;
	if (strncmp(second, "tcg ", 4) == 0) {
		use_tcg(choice, second + 4);
		return true;
	}
	for (size_t i = 0; i < sizeof(kvm_models) / sizeof(kvm_models[0]); i++)
		if (strncmp(second, "kvm ", 4) == 0 && strcmp(second + 4, kvm_models[i]) == 0) {
			*choice = (struct accel_choice){ "kvm", kvm_models[i], "", false };
			return true;
		}
	return false;
}

/* Best effort: without it the trial is paid again. */
static void remember(char *path, const char *key, const struct accel_choice *choice)
{
	char *temporary, *slash;
	int fd;

	if (!path || !key)
		return;
	slash = strrchr(path, '/');
	*slash = 0;
	if (access(path, W_OK) != 0) {
		char *parent = strrchr(path, '/');

		*parent = 0;
		mkdir(path, 0700);
		*parent = '/';
		mkdir(path, 0700);
	}
	*slash = '/';
	temporary = mem_format("%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return;
	dprintf(fd, "%s\n%s %s\n", key, choice->accel,
		choice->why[0] ? choice->why : choice->cpu_model);
	close(fd);
	if (rename(temporary, path) != 0)
		unlink(temporary);
}

int accel_choose(enum options_accel wanted, const char *qemu, struct accel_choice *choice)
{
	char *path, *key;

	*choice = (struct accel_choice){ .accel = "tcg", .cpu_model = TCG_CPU };
	if (wanted == OPTIONS_ACCEL_TCG)
		return 0;
	path = memory_path();
	key = memory_key(qemu);
	if (!recall(path, key, choice)) {
		accel_try_kvm(qemu, choice);
		remember(path, key, choice);
	}
	if (wanted == OPTIONS_ACCEL_KVM && strcmp(choice->accel, "kvm") != 0)
		return report_fail(GOSOLO_CODE_FAILED, "--accel kvm: %s", choice->why);
	return 0;
}
