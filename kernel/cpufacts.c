/*
 * cpufacts.c: what the processor says of itself.
 *
 * What:       reads CPUID; features are named by Linux's words. Those that Linux derives itself
 *             (constant_tsc and the like) are left out.
 * Invariants: none.
 * Locking:    none.
 * Failure:    none; leaves that do not exist read as zero.
 * Source:     Intel SDM 2A, CPUID; AMD APM 3, appendix E; Linux arch/x86/include/asm/cpufeatures.h
 *             for the names, arch/x86/kernel/cpu/common.c (cpu_detect) for family and model.
 */
#include "kernel/cpufacts.h"

#include "arch/cpuid.h"
#include "base/compiler.h"
#include "lib/string.h"

#define EXTENDED 0x80000000u

enum { EAX, EBX, ECX, EDX };

/* One register of features: names by bit, from 0; "-" is none that is told. */
struct word {
	uint32_t leaf, subleaf;
	uint8_t reg;
	const char *names;
};

static const struct word words[] = {
	{ 1, 0, EDX,
		"fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn "
		"clflush "
		"- dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe" },
	{ EXTENDED + 1, 0, EDX,
		"- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb "
		"rdtscp - lm 3dnowext 3dnow" },
	{ 1, 0, ECX,
		"pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr "
		"pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - "
		"avx "
		"f16c rdrand hypervisor" },
	{ EXTENDED + 1, 0, ECX,
		"lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch "
		"osvw "
		"ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core "
		"perfctr_nb - bpext ptsc perfctr_llc mwaitx - -" },
	{ 7, 0, EBX,
		"fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx "
		"rdt_a "
		"avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf "
		"avx512er avx512cd sha_ni avx512bw avx512vl" },
	{ 13, 1, EAX, "xsaveopt xsavec xgetbv1 xsaves" },
	{ EXTENDED + 8, 0, EBX, "clzero irperf xsaveerptr - rdpru - - - - wbnoinvd" },
	{ 7, 0, ECX,
		"- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq "
		"avx512_vnni "
		"avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect "
		"cldemote "
		"- movdiri movdir64b enqcmd sgx_lc -" },
	{ 7, 0, EDX,
		"- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - "
		"serialize - tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile "
		"amx_int8 "
		"- - flush_l1d arch_capabilities" },
};

static struct arch_cpuid_regs ask(uint32_t leaf, uint32_t subleaf)
{
	struct arch_cpuid_regs none = { 0, 0, 0, 0 };

	if (arch_cpuid(leaf & EXTENDED, 0).eax < leaf)
		return none;
	return arch_cpuid(leaf, subleaf);
}

static void get_name(struct cpu_facts *out)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct arch_cpuid_regs r = ask(EXTENDED + 2 + i, 0);

		memcpy(out->model_name + i * sizeof(r), &r, sizeof(r));
	}
}

void cpu_get_facts(struct cpu_facts *out)
{
	struct arch_cpuid_regs r = ask(0, 0);

	memset(out, 0, sizeof(*out));
	out->level = r.eax;
	memcpy(out->vendor, &r.ebx, 4);
	memcpy(out->vendor + 4, &r.edx, 4);
	memcpy(out->vendor + 8, &r.ecx, 4);
	r = ask(1, 0);
	out->family = r.eax >> 8 & 15;
	out->model = r.eax >> 4 & 15;
	out->stepping = r.eax & 15;
	if (out->family >= 6)
		out->model += (r.eax >> 16 & 15) << 4;
	if (out->family == 15)
		out->family += r.eax >> 20 & 255;
	out->line_bytes = (r.ebx >> 8 & 255) * 8;
	out->cache_kib = ask(EXTENDED + 6, 0).ecx >> 16;
	r = ask(EXTENDED + 8, 0);
	out->physical_bits = r.eax & 255;
	out->virtual_bits = r.eax >> 8 & 255;
	get_name(out);
}

static void each_of_word(const struct word *w, void (*fn)(const char *name, void *arg), void *arg)
{
	struct arch_cpuid_regs r = ask(w->leaf, w->subleaf);
	uint32_t have[] = { [EAX] = r.eax, [EBX] = r.ebx, [ECX] = r.ecx, [EDX] = r.edx };
	const char *at = w->names;
	char name[24];

	for (unsigned bit = 0; *at != 0; bit++) {
		const char *end = strchr(at, ' ');
		size_t bytes = end ? (size_t)(end - at) : strlen(at);

		if ((have[w->reg] >> bit & 1) && *at != '-') {
			memcpy(name, at, bytes);
			name[bytes] = 0;
			fn(name, arg);
		}
		at += bytes + (end != NULL);
	}
}

void cpu_each_feature(void (*fn)(const char *name, void *arg), void *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		each_of_word(&words[i], fn, arg);
}
