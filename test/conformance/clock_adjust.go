package main

import (
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// What disciplines the wall clock: nothing in the machine, perhaps something on this Linux.
var clockAdjustChecks = []check{
	{"adjtimex-reads", clockAdjtimexReads},
	{"adjtimex-arguments", clockAdjtimexArguments},
	{"source", clockSource},
}

const (
	sysClockAdjtime = 305
	adjAdjtime      = 0x8000
	adjReadOnly     = 0xa001
	adjNano         = 0x2000 // of the status: microseconds are nanoseconds
)

func clockAdjtimexReads(t *T) {
	var x syscall.Timex
	before := time.Now()
	state, e := call(syscall.SYS_ADJTIMEX, ptr(&x))
	after := time.Now()
	t.Want("adjtimex", e, syscall.Errno(0))
	t.Want("state", state <= 5, true)
	t.Want("an unsynchronized clock is an error", state == 5, x.Status&0x40 != 0)
	t.Want("tick", x.Tick >= 9000 && x.Tick <= 11000, true)
	t.Want("tolerance", x.Tolerance, int64(500<<16))
	t.Want("errors", x.Maxerror >= 0 && x.Maxerror <= 16000000 && x.Esterror >= 0, true)
	nanos := x.Time.Usec
	if x.Status&adjNano == 0 {
		nanos *= 1000
	}
	now := time.Unix(x.Time.Sec, nanos)
	slack := time.Millisecond // the clock may be set meanwhile, by a little
	t.Want("time", now.After(before.Add(-time.Second-slack)) && now.Before(after.Add(time.Second+slack)), true)

	var y syscall.Timex
	again, e := call(sysClockAdjtime, 0, ptr(&y))
	t.Want("clock_adjtime", [2]any{again, e}, [2]any{state, syscall.Errno(0)})
	t.Want("the same", [3]any{y.Status, y.Tick, y.Tolerance}, [3]any{x.Status, x.Tick, x.Tolerance})
	y = syscall.Timex{Modes: adjReadOnly}
	again, e = call(syscall.SYS_ADJTIMEX, ptr(&y))
	t.Want("what is left of an adjustment", [2]any{again, e}, [2]any{state, syscall.Errno(0)})
}

func clockAdjtimexArguments(t *T) {
	var x syscall.Timex
	_, e := call(syscall.SYS_ADJTIMEX, 8)
	t.Want("bad address", e, syscall.EFAULT)
	for _, clock := range []uintptr{0, 1, 99} {
		_, e = call(sysClockAdjtime, clock, 8)
		t.Want("bad address comes first", e, syscall.EFAULT)
	}
	for _, clock := range []int32{1, 2, 3, 4, 5, 6, 7, -1, -6} {
		_, e = call(sysClockAdjtime, uintptr(clock), ptr(&x))
		t.Want("clock "+itoa(int(clock)), e, syscall.EOPNOTSUPP)
	}
	for _, clock := range []int32{10, 12, 99, -5} {
		_, e = call(sysClockAdjtime, uintptr(clock), ptr(&x))
		t.Want("no clock", e, syscall.EINVAL)
	}
	x.Modes = adjAdjtime
	_, e = call(syscall.SYS_ADJTIMEX, uintptr(unsafe.Pointer(&x)))
	t.Want("adjtime without an offset", e, syscall.EINVAL)
}

func clockSource(t *T) {
	const dir = "/sys/devices/system/clocksource/clocksource0/"
	all, err := os.ReadFile(dir + "available_clocksource")
	t.Must("available", err)
	now, err := os.ReadFile(dir + "current_clocksource")
	t.Must("current", err)
	found := false
	for _, s := range strings.Fields(string(all)) {
		found = found || s == strings.TrimSpace(string(now))
	}
	t.Want("the current one is available", found, true)
}
