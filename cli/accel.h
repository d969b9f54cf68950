/*
 * accel.h: chooses how QEMU runs the machine: KVM when a trial guest really runs there, else TCG.
 */
#pragma once

#include "cli/options.h"

struct accel_choice {
	const char *accel; /* "kvm" or "tcg" */
	const char *cpu_model;
	char why[256]; /* for TCG: why not KVM; "" when it was asked for */
	bool is_fresh; /* found out now, not remembered */
};

/* `wanted` KVM: reports 125 when it does not work. The finding is remembered until the next boot,
 * so that the trial (a second at most) is paid once. */
int accel_choose(enum options_accel wanted, const char *qemu,
	struct accel_choice *choice) must_check;

/* The trial itself, nothing remembered. True: it ran; choice is filled in either way. */
bool accel_try_kvm(const char *qemu, struct accel_choice *choice);
