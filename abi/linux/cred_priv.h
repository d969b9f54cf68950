/*
 * cred_priv.h: what prctl says and changes about credentials, for sys_misc.c.
 */
#pragma once

struct sysargs;

/* -EINVAL: not about credentials, or not known. */
long linux_prctl_cred(const struct sysargs *a);
