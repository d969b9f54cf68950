/*
 * insncount.c: a QEMU plugin that counts the instructions a guest executes.
 *
 * What:       appends "markN COUNT" to a file each time the guest executes the mark N,
 *             nopl 0x6f676f4N(%rax) (0f 1f 80 4N 6f 67 6f, a no-op), and "exit COUNT" at the end.
 *             Use: -plugin insncount.so,out=FILE with TCG and one CPU.
 * Invariants: (1) the count is that of all instructions before the mark.
 * Locking:    none: the counter is not atomic, hence one CPU.
 * Failure:    no out= or a file that can't be opened: QEMU does not start.
 * Source:     QEMU's plugin interface, version 1. Debian ships no qemu-plugin.h, so the few
 *             declarations that are used are here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0, QEMU_PLUGIN_CB_NO_REGS = 0 };

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
	void (*cb)(uint64_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int op, void *,
	uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *,
	void (*cb)(unsigned int, void *), int flags, void *);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t, void *), void *);

EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv);

static uint64_t count;
static FILE *out;

static void at_mark(unsigned int cpu, void *mark)
{
	(void)cpu;
	fprintf(out, "mark%d %llu\n", (int)(intptr_t)mark, (unsigned long long)count);
	fflush(out);
}

static void at_exit(uint64_t id, void *arg)
{
	(void)id;
	(void)arg;
	fprintf(out, "exit %llu\n", (unsigned long long)count);
	fclose(out);
}

static bool is_mark(const uint8_t *b, size_t size)
{
	return size == 7 && b[0] == 0x0f && b[1] == 0x1f && b[2] == 0x80 && (b[3] & 0xf0) == 0x40 &&
		memcmp(b + 4, "ogo", 3) == 0;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);

		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &count,
			1);
		if (is_mark(bytes, qemu_plugin_insn_size(insn)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark,
				QEMU_PLUGIN_CB_NO_REGS, (void *)(intptr_t)(bytes[3] & 15));
	}
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "out=", 4) == 0)
			out = fopen(argv[i] + 4, "w");
	if (!out) {
		fprintf(stderr, "insncount: out=FILE is missing or cannot be written\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
