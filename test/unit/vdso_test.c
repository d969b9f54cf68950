/* sources: test/unit/shim/host.c */
/*
 * vdso_test.c: the vDSO as a program finds it: loaded behind a data page of ours.
 *
 * What:       maps the built vdso.so, looks its functions up as Go's runtime does (DT_HASH, version
 *             LINUX_2.6 in DT_VERDEF), calls them while the data page says various things, also
 *             while another thread changes it.
 * Invariants: none of its own.
 * Locking:    two threads; the data page is changed as kernel/time/clock.c does.
 * Failure:    aborts with the failed check.
 * Source:     Go runtime/vdso_linux.go; vdso(7).
 */
#include <elf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "kernel/time/clock.h"

enum { PAGE = 4096, VDSO_MAX = 8 * PAGE, ROUNDS = 200000 };

static struct {
	struct vdso_data *data;
	char *base;
	uint64_t load_offset;
	const Elf64_Sym *symtab;
	const char *strtab;
	const uint32_t *hash;
	const uint16_t *versym;
	const Elf64_Verdef *verdef;
	_Atomic int stop;
} vdso;

/* ------------------------------------------------------------------ loading */
static void load(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *at = mmap(NULL, PAGE + VDSO_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);

	CHECK(f != NULL);
	CHECK(at != MAP_FAILED);
	vdso.data = (struct vdso_data *)(void *)at;
	vdso.base = at + PAGE;
	CHECK(fread(vdso.base, 1, VDSO_MAX, f) > sizeof(Elf64_Ehdr));
	fclose(f);
	CHECK_EQ(mprotect(vdso.base, VDSO_MAX, PROT_READ | PROT_EXEC), 0);
}

static const void *at_vaddr(uint64_t vaddr)
{
	return (const void *)(vdso.load_offset + vaddr);
}

static void read_dynamic(const Elf64_Dyn *d)
{
	for (; d->d_tag != DT_NULL; d++) {
		switch (d->d_tag) {
		case DT_STRTAB:
			vdso.strtab = at_vaddr(d->d_un.d_ptr);
			break;
		case DT_SYMTAB:
			vdso.symtab = at_vaddr(d->d_un.d_ptr);
			break;
		case DT_HASH:
			vdso.hash = at_vaddr(d->d_un.d_ptr);
			break;
		case DT_VERSYM:
			vdso.versym = at_vaddr(d->d_un.d_ptr);
			break;
		case DT_VERDEF:
			vdso.verdef = at_vaddr(d->d_un.d_ptr);
			break;
		default: /* nothing may need the dynamic linker */
			CHECK(d->d_tag != DT_RELA && d->d_tag != DT_REL && d->d_tag != DT_JMPREL &&
				d->d_tag != DT_NEEDED);
		}
	}
}

static void read_headers(void)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)(const void *)vdso.base;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(const void *)(vdso.base + e->e_phoff);
	unsigned loads = 0;

	CHECK(!memcmp(e->e_ident, ELFMAG, SELFMAG));
	for (unsigned i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD && loads++ == 0)
			vdso.load_offset = (uint64_t)vdso.base + p[i].p_offset - p[i].p_vaddr;
		if (p[i].p_type == PT_LOAD)
			CHECK_EQ(p[i].p_flags, PF_R | PF_X);
	}
	CHECK_EQ(loads, 1);
	for (unsigned i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			read_dynamic((const Elf64_Dyn *)(const void *)(vdso.base + p[i].p_offset));
	CHECK(vdso.strtab && vdso.symtab && vdso.hash && vdso.verdef);
}

/* As Go's vdsoFindVersion: the number of LINUX_2.6, which must not be the base definition. */
static uint16_t find_version(void)
{
	const Elf64_Verdef *def = vdso.verdef;

	for (;;) {
		const Elf64_Verdaux *aux = (const void *)((const char *)def + def->vd_aux);

		if (!(def->vd_flags & VER_FLG_BASE) && def->vd_hash == 0x3ae75f6 &&
			!strcmp(vdso.strtab + aux->vda_name, "LINUX_2.6"))
			return def->vd_ndx & 0x7fff;
		CHECK(def->vd_next != 0);
		def = (const void *)((const char *)def + def->vd_next);
	}
}

static void *find(const char *name, uint32_t hash)
{
	uint32_t buckets = vdso.hash[0];
	const uint32_t *bucket = vdso.hash + 2, *chain = bucket + buckets;

	for (uint32_t i = bucket[hash % buckets]; i; i = chain[i]) {
		const Elf64_Sym *s = &vdso.symtab[i];

		if (strcmp(vdso.strtab + s->st_name, name))
			continue;
		CHECK_EQ(ELF64_ST_TYPE(s->st_info), STT_FUNC);
		CHECK(s->st_shndx != SHN_UNDEF);
		CHECK(!vdso.versym || (vdso.versym[i] & 0x7fff) == find_version());
		return (void *)(vdso.load_offset + s->st_value);
	}
	host_check_failed(__FILE__, __LINE__, name);
}

/* ------------------------------------------------------------------ calling */
typedef int clock_fn(int clock, struct timespec *ts);
typedef int timeofday_fn(struct timeval *tv, void *tz);

static clock_fn *get_time;
static timeofday_fn *get_timeofday;

static uint64_t monotonic(void)
{
	struct timespec ts;

	CHECK_EQ(get_time(CLOCK_MONOTONIC, &ts), 0);
	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void set(uint64_t base_ns, uint64_t base_tsc, uint64_t mult, int64_t real_offset_ns)
{
	uint32_t seq = atomic_load(&vdso.data->seq);

	atomic_store(&vdso.data->seq, seq + 1);
	vdso.data->base_ns = base_ns;
	vdso.data->base_tsc = base_tsc;
	vdso.data->mult = mult;
	vdso.data->real_offset_ns = real_offset_ns;
	atomic_store(&vdso.data->seq, seq + 2);
}

static void test_stopped_clock(void)
{
	struct timespec ts;
	struct timeval tv;
	uint64_t tsc = __builtin_ia32_rdtsc(), now;

	set(7000000001, 0, 0, 1700000000ll * 1000000000);
	CHECK_EQ(monotonic(), 7000000001);
	CHECK_EQ(get_time(CLOCK_REALTIME, &ts), 0);
	CHECK_EQ(ts.tv_sec, 1700000007);
	CHECK_EQ(ts.tv_nsec, 1);
	CHECK_EQ(get_timeofday(&tv, NULL), 0);
	CHECK_EQ(tv.tv_sec, 1700000007);
	CHECK_EQ(tv.tv_usec, 0);
	set(5, UINT64_MAX, 1ull << 32, 0); /* a base that this CPU's counter has not reached */
	now = monotonic();
	CHECK(now == 5 || now > tsc); /* -1 is just before 0 */
	set(5, __builtin_ia32_rdtsc() + (1ull << 50), 1ull << 32, 0);
	CHECK_EQ(monotonic(), 5);
}

static void test_running_clock(void)
{
	uint64_t last = 0, now;

	set(1, __builtin_ia32_rdtsc(), 1ull << 31, 0);
	for (int i = 0; i < ROUNDS; i++) {
		now = monotonic();
		CHECK(now >= last);
		last = now;
	}
}

static void test_other_clocks(void)
{
	struct timespec ts = { 0 };

	CHECK_EQ(get_time(CLOCK_THREAD_CPUTIME_ID, &ts),
		0); /* by a real system call: the host's answer */
	CHECK(ts.tv_sec || ts.tv_nsec);
	CHECK_EQ(get_time(12345, &ts), -22); /* EINVAL */
}

/* Base and offset are changed together all the time; their sum never shows a mixture. */
static void *change(void *arg)
{
	for (uint64_t i = 0; !atomic_load(&vdso.stop); i++)
		set(i, 0, 0, 1000000000000ll - (int64_t)i);
	return arg;
}

static void test_changes(void)
{
	struct timespec ts;
	pthread_t thread;

	set(0, 0, 0, 1000000000000ll);
	CHECK_EQ(pthread_create(&thread, NULL, change, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(get_time(CLOCK_REALTIME, &ts), 0);
		CHECK_EQ(ts.tv_sec, 1000);
		CHECK_EQ(ts.tv_nsec, 0);
	}
	atomic_store(&vdso.stop, 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

int main(int argc, char **argv)
{
	char path[4096];
	const char *slash = strrchr(argv[0], '/');

	(void)argc;
	snprintf(path, sizeof(path), "%.*s/../kernel/vdso.so", slash ? (int)(slash - argv[0]) : 1,
		slash ? argv[0] : ".");
	if (access(path, R_OK)) {
		printf("vdso_test: SKIP: %s is not built (make kernel)\n", path);
		return 0;
	}
	load(path);
	read_headers();
	get_time = (clock_fn *)find("__vdso_clock_gettime", 0xd35ec75);
	get_timeofday = (timeofday_fn *)find("__vdso_gettimeofday", 0x315ca59);
	test_stopped_clock();
	test_running_clock();
	test_other_clocks();
	test_changes();
	printf("vdso_test: ok\n");
	return 0;
}
