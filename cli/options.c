/*
 * options.c: the options of build, run and exec.
 *
 * What:       one table of options says which command takes which; getopt_long finds them, one
 *             function stores each. Options that are planned say "not supported yet".
 * Invariants: (1) parsing stops at the first word that is not an option: it is the target.
 * Locking:    none; the command has one thread.
 * Failure:    one line, 125.
 * Source:     getopt_long(3); docs/command-line.md.
 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/io.h"
#include "cli/strace_names.h"
#include "include/gosolo_abi.h"

enum option_id {
	ID_HELP = 256,
	ID_OUTPUT,
	ID_FORMAT,
	ID_ADD,
	ID_MEMORY,
	ID_CPUS,
	ID_ENV,
	ID_ENV_FILE,
	ID_PORT,
	ID_VOLUME,
	ID_DISK,
	ID_NET,
	ID_IP,
	ID_GW,
	ID_DNS,
	ID_ACCEL,
	ID_MACHINE,
	ID_TIMEOUT,
	ID_STRACE,
	ID_STATS,
	ID_LOG,
	ID_LOG_LEVEL,
	ID_GDB,
	ID_DRY_RUN,
	ID_VMM_ARG,
	ID_KERNEL,
	ID_KERNEL_ARG,
};

enum { CPUS_MAX = 64, GDB_PORT_DEFAULT = 1234, ENV_FILE_MAX = 1 << 20 };

#define RUNNING (OPTIONS_RUN | OPTIONS_EXEC)
#define ALL (RUNNING | OPTIONS_BUILD)

static const struct {
	const char *name;
	char letter; /* 0: long only */
	int argument;
	enum option_id id;
	unsigned commands;
} table[] = {
	{ "help", 'h', no_argument, ID_HELP, ALL },
	{ "output", 'o', required_argument, ID_OUTPUT, OPTIONS_BUILD },
	{ "format", 0, required_argument, ID_FORMAT, OPTIONS_BUILD },
	{ "add", 0, required_argument, ID_ADD, ALL },
	{ "memory", 'm', required_argument, ID_MEMORY, ALL },
	{ "cpus", 'c', required_argument, ID_CPUS, ALL },
	{ "env", 'e', required_argument, ID_ENV, ALL },
	{ "env-file", 0, required_argument, ID_ENV_FILE, ALL },
	{ "publish", 'p', required_argument, ID_PORT, RUNNING },
	{ "volume", 'v', required_argument, ID_VOLUME, RUNNING },
	{ "disk", 0, required_argument, ID_DISK, RUNNING },
	{ "net", 0, required_argument, ID_NET, RUNNING },
	{ "ip", 0, required_argument, ID_IP, RUNNING },
	{ "gw", 0, required_argument, ID_GW, RUNNING },
	{ "dns", 0, required_argument, ID_DNS, RUNNING },
	{ "accel", 0, required_argument, ID_ACCEL, RUNNING },
	{ "machine", 0, required_argument, ID_MACHINE, RUNNING },
	{ "timeout", 0, required_argument, ID_TIMEOUT, RUNNING },
	{ "strace", 0, optional_argument, ID_STRACE, RUNNING },
	{ "stats", 0, no_argument, ID_STATS, RUNNING },
	{ "log", 0, required_argument, ID_LOG, RUNNING },
	{ "log-level", 0, required_argument, ID_LOG_LEVEL, RUNNING },
	{ "gdb", 0, optional_argument, ID_GDB, RUNNING },
	{ "dry-run", 0, no_argument, ID_DRY_RUN, RUNNING },
	{ "vmm-arg", 0, required_argument, ID_VMM_ARG, RUNNING },
	{ "kernel", 0, required_argument, ID_KERNEL, ALL },
	{ "kernel-arg", 0, required_argument, ID_KERNEL_ARG, RUNNING },
};

enum { TABLE_COUNT = sizeof(table) / sizeof(table[0]) };

static int not_yet(const char *option, const char *value)
{
	return report_fail(GOSOLO_CODE_FAILED, "%s %s: not supported yet", option, value);
}

static int choose(const char *option, const char *value, const char *const *names, int *chosen)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], value) == 0) {
			*chosen = i;
			return 0;
		}
	return report_fail(GOSOLO_CODE_FAILED, "%s %s: unknown; it can be %s, %s%s%s", option,
		value, names[0], names[1], names[2] ? ", " : "", names[2] ? names[2] : "");
}

/* K=V, or K for the host's own value (nothing when the host has none). */
static int add_env(struct options *options, const char *text)
{
	const char *equals = strchr(text, '=');
	const char *value = equals ? NULL : getenv(text);

	if (equals == text || *text == 0)
		return report_fail(GOSOLO_CODE_FAILED, "-e %s: not NAME=VALUE", text);
	if (equals)
		strvec_add(&options->env, text);
	else if (value)
		strvec_addf(&options->env, "%s=%s", text, value);
	return 0;
}

static int add_env_file(struct options *options, const char *path)
{
	char *text = io_read_text(path, ENV_FILE_MAX, NULL), *rest = text, *line;
	int code = 0;

	if (!text)
		return report_fail(GOSOLO_CODE_FAILED, "--env-file %s: %s", path, strerror(errno));
	while (!code && (line = strsep(&rest, "\n")) != NULL) {
		size_t len = strlen(line);

		if (len && line[len - 1] == '\r')
			line[len - 1] = 0;
		if (line[0] && line[0] != '#')
			code = add_env(options, line);
	}
	free(text);
	return code;
}

static int set_net(struct options *options, const char *value)
{
	if (strncmp(value, "tap=", 4) == 0 && value[4]) {
		options->net = OPTIONS_NET_TAP;
		options->tap = value + 4;
		return 0;
	}
	if (strcmp(value, "user") == 0)
		options->net = OPTIONS_NET_USER;
	else if (strcmp(value, "none") == 0)
		options->net = OPTIONS_NET_NONE;
	else
		return report_fail(GOSOLO_CODE_FAILED,
			"--net %s: unknown; it can be user, tap=INTERFACE or none", value);
	return 0;
}

static int set_network(struct options *options, enum option_id id, const char *value)
{
	int code;

	switch (id) {
	case ID_NET:
		return set_net(options, value);
	case ID_IP:
		if (strchr(value, ':')) {
			strvec_add(&options->ip6, value);
			return value_check_address6("--ip", value, true);
		}
		options->ip = value;
		return strcmp(value, "dhcp") == 0 ? 0 : value_check_address("--ip", value, true);
	case ID_GW:
		if (strchr(value, ':')) {
			options->gw6 = value;
			return value_check_address6("--gw", value, false);
		}
		options->gw = value;
		return value_check_address("--gw", value, false);
	case ID_DNS:
		strvec_add(&options->dns, value);
		return value_check_address("--dns", value, false);
	default: /* ID_PORT */
		options->ports = mem_resize(options->ports,
			(options->port_count + 1) * sizeof(*options->ports));
		code = value_parse_port(value, &options->ports[options->port_count]);
		options->port_count += code == 0;
		return code;
	}
}

static int set_choice(struct options *options, enum option_id id, const char *value)
{
	static const char *const accels[] = { "auto", "kvm", "tcg", NULL };
	static const char *const machines[] = { "microvm", "q35", "pc", NULL };
	static const char *const formats[] = { "elf", "raw", "qcow2", NULL };
	int chosen = 0, code;

	switch (id) {
	case ID_ACCEL:
		code = choose("--accel", value, accels, &chosen);
		options->accel = (enum options_accel)chosen;
		return code;
	case ID_MACHINE:
		code = choose("--machine", value, machines, &chosen);
		return code || !chosen ? code : not_yet("--machine", value);
	default: /* ID_FORMAT */
		code = choose("--format", value, formats, &chosen);
		return code || !chosen ? code : not_yet("--format", value);
	}
}

static int set_log_level(struct options *options, const char *value)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i], value) == 0) {
			options->log_level = value;
			return 0;
		}
	return report_fail(GOSOLO_CODE_FAILED,
		"--log-level %s: unknown; it can be error, warn, info or debug", value);
}

static int set_debugging(struct options *options, enum option_id id, const char *value)
{
	switch (id) {
	case ID_STRACE:
		options->strace = value ? value : "";
		return strace_check_names(options->strace);
	case ID_STATS:
		options->has_stats = true;
		return 0;
	case ID_LOG:
		options->log = value;
		return 0;
	case ID_LOG_LEVEL:
		return set_log_level(options, value);
	case ID_GDB:
		options->gdb_port = GDB_PORT_DEFAULT;
		return value ? value_parse_count("--gdb", value, 65535, &options->gdb_port) : 0;
	case ID_DRY_RUN:
		options->is_dry_run = true;
		return 0;
	case ID_VMM_ARG:
		strvec_add(&options->vmm_args, value);
		return 0;
	case ID_KERNEL:
		options->kernel = value;
		return 0;
	default: /* ID_KERNEL_ARG */
		strvec_add(&options->kernel_args, value);
		return 0;
	}
}

static int add_file(struct options *options, const char *value)
{
	const char *guest;
	char *host;
	int code = value_parse_add(value, &host, &guest);

	if (code)
		return code;
	free(host);
	strvec_add(&options->adds, value);
	return 0;
}

static int set_option(struct options *options, enum option_id id, const char *value)
{
	switch (id) {
	case ID_OUTPUT:
		options->output = value;
		return 0;
	case ID_ADD:
		return add_file(options, value);
	case ID_MEMORY:
		return value_parse_memory(value, &options->mem_mib);
	case ID_CPUS:
		return value_parse_count("-c", value, CPUS_MAX, &options->cpus);
	case ID_ENV:
		return add_env(options, value);
	case ID_ENV_FILE:
		return add_env_file(options, value);
	case ID_VOLUME:
		return not_yet("-v", value);
	case ID_DISK:
		return not_yet("--disk", value);
	case ID_TIMEOUT:
		return value_parse_duration(value, &options->timeout_ns);
	case ID_FORMAT:
	case ID_ACCEL:
	case ID_MACHINE:
		return set_choice(options, id, value);
	case ID_NET:
	case ID_IP:
	case ID_GW:
	case ID_DNS:
	case ID_PORT:
		return set_network(options, id, value);
	default:
		return set_debugging(options, id, value);
	}
}

static int check_together(const struct options *options)
{
	if (options->port_count && options->net != OPTIONS_NET_USER)
		return report_fail(GOSOLO_CODE_FAILED, "-p: works only with --net user");
	if (options->net == OPTIONS_NET_NONE &&
		(options->ip || options->gw || options->ip6.count || options->gw6 ||
			options->dns.count))
		return report_fail(GOSOLO_CODE_FAILED,
			"--ip, --gw, --dns: --net none has no network");
	if (options->ip6.count > 4)
		return report_fail(GOSOLO_CODE_FAILED, "--ip: four IPv6 addresses at most");
	if (options->gw6 && !options->ip6.count)
		return report_fail(GOSOLO_CODE_FAILED, "--gw %s: only with an IPv6 address (--ip)",
			options->gw6);
	if (options->dns.count > 3)
		return report_fail(GOSOLO_CODE_FAILED, "--dns: three at most");
	return 0;
}

/* The table in getopt's two forms, for one command. */
static void prepare(enum options_command command, struct option *longs, char *shorts)
{
	*shorts++ = '+'; /* (1) */
	*shorts++ = ':'; /* tell a missing value from an unknown option */
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		if (!(table[i].commands & command))
			continue;
		*longs++ = (struct option){ table[i].name, table[i].argument, NULL,
			(int)table[i].id };
		if (!table[i].letter)
			continue;
		*shorts++ = table[i].letter;
		if (table[i].argument == required_argument)
			*shorts++ = ':';
	}
	*longs = (struct option){ 0 };
	*shorts = 0;
}

static enum option_id id_of(int found)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (found < 256 && table[i].letter == found)
			return table[i].id;
	return (enum option_id)found;
}

int options_parse(enum options_command command, int argc, char **argv, struct options *options,
	bool *wants_help)
{
	struct option longs[TABLE_COUNT + 1];
	char shorts[3 * TABLE_COUNT + 3];
	int found, code;

	*options = (struct options){ .command = command };
	*wants_help = false;
	prepare(command, longs, shorts);
	opterr = 0;
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (found == '?' || found == ':')
			return report_fail(GOSOLO_CODE_FAILED,
				found == ':' ? "%s: needs a value; see gosolo help %s"
					     : "%s: unknown option; see gosolo help %s",
				word, argv[0]);
		if (id_of(found) == ID_HELP) {
			*wants_help = true;
			return 0;
		}
		code = set_option(options, id_of(found), optarg);
		if (code)
			return code;
	}
	if (optind == argc)
		return report_fail(GOSOLO_CODE_FAILED, "%s: of what? see gosolo help %s", argv[0],
			argv[0]);
	options->target = argv[optind];
	options->args = argv + optind + 1;
	return check_together(options);
}
