package main

import (
	"os"
	"syscall"
	"unsafe"
)

// The calls on signals, time, threads, the process and memory that take pointers.

var thisProcess = of(func(*pointerPlace) uintptr { return uintptr(os.Getpid()) })

const (
	setBytes, infoBytes, actionBytes = 8, 48, 32
	aSignal                          = 34 // Go has no handler of its own for it
)

var signalRows = []pointerRow{
	{call: "rt_sigaction", number: 13, args: []pointerArg{n(aSignal), orNull(in(actionBytes)), orNull(out(actionBytes)), n(8)}},
	{call: "rt_sigprocmask", number: 14, args: []pointerArg{n(0), orNull(in(setBytes)), orNull(out(setBytes)), n(8)}},
	{call: "rt_sigpending", number: 127, args: []pointerArg{out(setBytes), n(8)}},
	{call: "rt_sigtimedwait", number: 128, args: []pointerArg{in(setBytes), notLookedAt(), noTime(), n(8)}},
	{call: "rt_sigqueueinfo", number: 129, args: []pointerArg{thisProcess, n(0), in(infoBytes)}},
	{call: "rt_sigsuspend", number: 130, args: []pointerArg{in(0), n(8)}},
	{call: "sigaltstack", number: 131, args: []pointerArg{orNull(in(24)), orNull(out(24))}},
	{call: "rt_tgsigqueueinfo", number: 297, args: []pointerArg{thisProcess, thisProcess, n(0), in(infoBytes)}},
}

// A timer of the place.
var theTimer = of(func(p *pointerPlace) uintptr { return uintptr(p.timer) })

var timeRows = []pointerRow{
	{call: "nanosleep", number: 35, args: []pointerArg{in(specBytes), notLookedAt()}},
	{call: "getitimer", number: 36, args: []pointerArg{n(0), out(32)}},
	{call: "setitimer", number: 38, args: []pointerArg{n(0), orNull(in(32)), orNull(out(32))}},
	{call: "gettimeofday", number: 96, args: []pointerArg{orNull(out(16)), orNull(out(8))}},
	{call: "times", number: 100, args: []pointerArg{orNull(out(32))}},
	{call: "adjtimex", number: 159, args: []pointerArg{both(timexBytes)}}, // of zeroes: only asks
	{call: "settimeofday", number: 164, args: []pointerArg{orNull(in(0)), orNull(in(0))}},
	{call: "time", number: 201, args: []pointerArg{orNull(out(8))}},
	{call: "timer_create", number: 222, args: []pointerArg{n(1), orNull(in(64)), out(4)}, done: deleteTimer},
	{call: "timer_settime", number: 223, args: []pointerArg{theTimer, n(0), nullIsEinval(in(itsBytes)), orNull(out(itsBytes))}},
	{call: "timer_gettime", number: 224, args: []pointerArg{theTimer, out(itsBytes)}},
	{call: "clock_settime", number: 227, args: []pointerArg{n(0), in(0)}},
	{call: "clock_gettime", number: 228, args: []pointerArg{n(1), out(specBytes)}},
	{call: "clock_getres", number: 229, args: []pointerArg{n(1), orNull(out(specBytes))}},
	{call: "clock_nanosleep", number: 230, args: []pointerArg{n(1), n(0), in(specBytes), notLookedAt()}},
	{call: "clock_adjtime", number: 305, args: []pointerArg{n(0), both(timexBytes)}},
}

// deleteTimer deletes the last timer that was made, where one can be: where its number went varies.
func deleteTimer(p *pointerPlace, _ uintptr) {
	for _, where := range []uintptr{p.edge - 4, p.scratch + page} {
		if id := *(*int32)(unsafe.Pointer(at(where))); id != p.timer {
			call(syscall.SYS_TIMER_DELETE, uintptr(id))
		}
	}
}

const (
	futexWakeOpcode   = 5 | futexPrivate
	futexRequeueIfIs  = 4 | futexPrivate
	futexWaitOpcode   = futexWait | futexPrivate
	anotherValue      = 1
	limitOfNothing    = 99
	limitOfFiles      = 7
	usageBytes        = 144
	sysinfoBytes      = 112
	utsBytes          = 6 * 65
	robustHeaderBytes = 24
)

var processRows = []pointerRow{
	{call: "uname", number: 63, args: []pointerArg{out(utsBytes)}},
	{call: "getrlimit", number: 97, args: []pointerArg{n(limitOfFiles), out(16)}},
	{call: "setrlimit", number: 160, args: []pointerArg{n(limitOfNothing), in(16)}},
	{call: "prlimit64", number: 302, args: []pointerArg{n(0), n(limitOfNothing), orNull(in(16)), n(0)}},
	{call: "prlimit64", number: 302, args: []pointerArg{n(0), n(limitOfFiles), n(0), orNull(out(16))}},
	{call: "getrusage", number: 98, args: []pointerArg{n(0), out(usageBytes)}},
	{call: "sysinfo", number: 99, args: []pointerArg{out(sysinfoBytes)}},
	{call: "getresuid", number: 118, args: []pointerArg{out(4), out(4), out(4)}},
	{call: "getresgid", number: 120, args: []pointerArg{out(4), out(4), out(4)}},
	{call: "capget", number: 125, args: []pointerArg{both(4), n(0)}},
	{call: "capget", number: 125, args: []pointerArg{given(in(8), capabilityHeader), orNull(out(24))}, only: 2},
	{call: "capset", number: 126, args: []pointerArg{both(4), n(0)}},
	{call: "capset", number: 126, args: []pointerArg{given(in(8), capabilityHeader), in(0)}, only: 2, around: onAThread},
	{call: "sched_getparam", number: 143, args: []pointerArg{n(0), nullIsEinval(out(4))}},
	{call: "sched_setscheduler", number: 144, args: []pointerArg{n(0), n(0), nullIsEinval(in(4))}},
	{call: "prctl", number: 157, args: []pointerArg{n(prSetName), missing}, variant: "PR_SET_NAME", around: onAThread},
	{call: "prctl", number: 157, args: []pointerArg{n(prGetName), out(16)}, variant: "PR_GET_NAME"},
	{call: "arch_prctl", number: 158, args: []pointerArg{n(0x1003), out(8)}},
	{call: "futex", number: 202, args: []pointerArg{futexWord(), n(futexWaitOpcode), n(anotherValue), orNull(in(specBytes))}},
	{call: "futex", number: 202, args: []pointerArg{given(futexWord(), scratchIn), n(futexWakeOpcode), n(0), n(0), futexWord(), n(0)}, only: 5},
	{call: "futex", number: 202, args: []pointerArg{{kind: aFutexName, good: scratchIn}, n(futexWake | futexPrivate), n(1)}, variant: "wake"},
	{call: "futex", number: 202, args: []pointerArg{given(futexWord(), scratchIn), n(futexRequeueIfIs), n(0), n(0), {kind: aFutexName, good: scratchOut}, n(anotherValue)}, only: 5, variant: "requeue"},
	{call: "sched_setaffinity", number: 203, args: []pointerArg{n(0), n(8), in(8)}},
	{call: "sched_getaffinity", number: 204, args: []pointerArg{n(0), n(8), out(8)}},
	{call: "get_robust_list", number: 274, args: []pointerArg{n(0), out(8), out(8)}},
	{call: "getcpu", number: 309, args: []pointerArg{orNull(out(4)), orNull(out(4)), notLookedAt()}},
	{call: "getrandom", number: 318, args: []pointerArg{bytesOut(), n(64), n(0)}},
	{call: "mincore", number: 27, args: []pointerArg{of(scratchIn), n(page), out(1)}},
	{call: "getgroups", number: 115, args: []pointerArg{n(1), out(4)}, around: withAGroup},
	{call: "setgroups", number: 116, args: []pointerArg{n(1), in(4)}, around: withAGroup},
}

// withAGroup runs f as a member of one group, where that can be.
func withAGroup(t *T, f func()) {
	if os.Geteuid() != 0 {
		t.Skipf("only the super-user chooses groups")
	}
	onOwnThread(func() {
		group := uint32(7)
		_, e := raw(syscall.SYS_SETGROUPS, 1, ptr(&group))
		t.Want("setgroups", e, syscall.Errno(0))
		f()
	})
}

func onAThread(_ *T, f func()) { onOwnThread(f) }
