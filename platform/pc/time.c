/*
 * time.c: what the board and the hypervisor know about time.
 *
 * What:       the real-time clock's seconds, and the TSC's rate where a CPUID leaf or KVM's
 *             paravirtual clock tells it.
 * Invariants: none.
 * Locking:    none: boot, and the one thread of kernel/time/follow.c.
 * Failure:    0: unknown.
 * Source:     MC146818 data sheet; SDM CPUID 0x15, 0x16; Linux Documentation/virt/kvm/x86/msr.rst,
 *             cpuid.rst; VMware's leaf 0x40000010, which KVM and others copy.
 */
#include <asm/kvm_para.h>

#include "arch/arch.h"
#include "arch/cpuid.h"
#include "base/units.h"
#include "platform/platform.h"

enum {
	CMOS_INDEX = 0x70,
	CMOS_DATA = 0x71,
	RTC_SECONDS = 0,
	RTC_MINUTES = 2,
	RTC_HOURS = 4,
	RTC_DAY = 7,
	RTC_MONTH = 8,
	RTC_YEAR = 9,
	RTC_STATUS_A = 0xa,
	RTC_STATUS_B = 0xb,
	STATUS_A_UPDATING = 0x80,
	STATUS_B_24H = 2,
	STATUS_B_BINARY = 4,
	HOUR_PM = 0x80,
	TRIES = 1000,
};

struct rtc_time {
	uint8_t second, minute, hour, day, month, year;
};

static uint8_t cmos(uint8_t reg)
{
	arch_out8(CMOS_INDEX, reg);
	return arch_in8(CMOS_DATA);
}

static struct rtc_time read_raw(void)
{
	return (struct rtc_time){ cmos(RTC_SECONDS), cmos(RTC_MINUTES), cmos(RTC_HOURS),
		cmos(RTC_DAY), cmos(RTC_MONTH), cmos(RTC_YEAR) };
}

static uint8_t from_bcd(uint8_t v)
{
	return (uint8_t)((v >> 4) * 10 + (v & 15));
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	/* Years begin in March here, so that the leap day is the last of its year. */
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

int64_t platform_rtc_seconds(void)
{
	struct rtc_time t;
	uint8_t status;
	uint32_t hour;

	if (cmos(RTC_STATUS_A) == 0xff)
		return 0; /* no such device */
	for (unsigned i = 0; i < TRIES && (cmos(RTC_STATUS_A) & STATUS_A_UPDATING); i++)
		arch_pause();
	t = read_raw();
	status = cmos(RTC_STATUS_B);
	hour = t.hour & (uint8_t)~HOUR_PM;
	if (!(status & STATUS_B_BINARY)) {
		t = (struct rtc_time){ from_bcd(t.second), from_bcd(t.minute), t.hour,
			from_bcd(t.day), from_bcd(t.month), from_bcd(t.year) };
		hour = from_bcd((uint8_t)hour);
	}
	if (!(status & STATUS_B_24H))
		hour = hour % 12 + (t.hour & HOUR_PM ? 12 : 0);
	return ((days_of(2000 + t.year, t.month, t.day) * 24 + hour) * 60 + t.minute) * 60 +
		t.second;
}

/* One look at KVM's time page gives cycles to ns as a 32.32 multiplier after a shift. */
static uint64_t kvm_clock_hz(void)
{
	static struct {
		uint32_t version, pad0;
		uint64_t tsc_timestamp, system_time;
		uint32_t tsc_to_system_mul;
		int8_t tsc_shift;
		uint8_t flags, pad[2];
	} page aligned_to(64);
	uint64_t hz;

	if (!(arch_cpuid(KVM_CPUID_FEATURES, 0).eax & 1u << KVM_FEATURE_CLOCKSOURCE2))
		return 0;
	arch_msr_write(MSR_KVM_SYSTEM_TIME_NEW, (uint64_t)&page | 1);
	hz = page.tsc_to_system_mul ? (NS_PER_S << 32) / page.tsc_to_system_mul : 0;
	hz = page.tsc_shift < 0 ? hz << -page.tsc_shift : hz >> page.tsc_shift;
	arch_msr_write(MSR_KVM_SYSTEM_TIME_NEW, 0);
	return hz;
}

uint64_t platform_tsc_hz(void)
{
	struct arch_cpuid_regs r;
	uint64_t hz;

	if (arch_cpuid(1, 0).ecx >> 31) {
		r = arch_cpuid(0x40000000, 0);
		if (r.eax >= 0x40000010 && (hz = arch_cpuid(0x40000010, 0).eax * 1000ull))
			return hz;
		if (r.ebx == 0x4b4d564b && (hz = kvm_clock_hz())) /* "KVMK" */
			return hz;
	}
	r = arch_cpuid(0, 0);
	if (r.eax < 0x15)
		return 0;
	r = arch_cpuid(0x15, 0);
	return r.eax && r.ebx && r.ecx ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}
