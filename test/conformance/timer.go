package main

import (
	"encoding/binary"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Timers that send signals: timer_create, setitimer, and profiles by them.
var timerChecks = slices.Concat(timerSignalChecks, timerCPUChecks, timerShortChecks, timerPendingChecks)

// Timers that are made, set and read, and how their signals come.
var timerSignalChecks = []check{
	{"create-arguments", timerCreateArguments},
	{"numbers", timerNumbers},
	{"one-shot", onSignalThread(timerOneShot)},
	{"periodic", onSignalThread(timerPeriodic)},
	{"absolute", onSignalThread(timerAbsolute)},
	{"absolute-wall", onSignalThread(timerAbsoluteWall)},
	{"gettime", timerGettime},
	{"settime-tells-the-old", timerSettimeTellsTheOld},
	{"settime-arguments", timerSettimeArguments},
	{"disarm", onSignalThread(timerDisarm)},
	{"overrun", onSignalThread(timerOverrun)},
	{"info", onSignalThread(timerInfo)},
	{"silent", timerSilent},
	{"itimer-real", timerItimerReal},
	{"itimer-arguments", timerItimerArguments},
	{"alarm", timerAlarm},
	{"timerfd-never-early", timerfdNeverEarly},
	{"slack", timerSlack},
}

const (
	sigevSignal, sigevNone, sigevThreadID = 0, 1, 4
	siTimer                               = -2
)

// sigevent as the kernel has it.
type sigevent struct {
	value  uint64
	signo  int32
	notify int32
	tid    int32
	pad    [11]int32
}

type itimerspec struct{ interval, value timespec }

func timerCreate(clock uintptr, ev *sigevent) (id int32, e syscall.Errno) {
	_, e = call(syscall.SYS_TIMER_CREATE, clock, ptr(ev), ptr(&id))
	return id, e
}

// timerForThis is a timer that sends sigRT1 to this thread, which blocks it.
func timerForThis(t *T, clock uintptr, value uint64) int32 {
	block(sigRT1)
	id, e := timerCreate(clock, &sigevent{value: value, signo: int32(sigRT1), notify: sigevThreadID, tid: int32(syscall.Gettid())})
	if e != 0 {
		t.Fatalf("timer_create: %v", e)
	}
	return id
}

func timerSet(id int32, flags uintptr, first, interval time.Duration) (old itimerspec, e syscall.Errno) {
	_, e = call(syscall.SYS_TIMER_SETTIME, uintptr(id), flags, ptr(&itimerspec{*spec(interval), *spec(first)}), ptr(&old))
	return old, e
}

func timerDelete(t *T, id int32) {
	_, e := call(syscall.SYS_TIMER_DELETE, uintptr(id))
	t.Want("timer_delete", e, syscall.Errno(0))
}

func timerCreateArguments(t *T) {
	var id int32
	create := func(clock uintptr, ev sigevent) syscall.Errno { _, e := timerCreate(clock, &ev); return e }
	t.Want("no such clock", create(99, sigevent{signo: 40}), syscall.EINVAL)
	t.Want("no such signal", create(1, sigevent{signo: 65}), syscall.EINVAL)
	t.Want("signal 0", create(1, sigevent{signo: 0}), syscall.EINVAL)
	t.Want("no such notification", create(1, sigevent{signo: 40, notify: 77}), syscall.EINVAL)
	t.Want("no such thread", create(1, sigevent{signo: 40, notify: sigevThreadID, tid: 1 << 22}), syscall.EINVAL)
	t.Want("thread 0", create(1, sigevent{signo: 40, notify: sigevThreadID}), syscall.EINVAL)
	_, e := call(syscall.SYS_TIMER_CREATE, 1, badPointer, ptr(&id))
	t.Want("event nowhere", e, syscall.EFAULT)
	for _, number := range []uintptr{syscall.SYS_TIMER_DELETE, syscall.SYS_TIMER_GETOVERRUN} {
		_, e = call(number, 1<<30)
		t.Want("no such timer", e, syscall.EINVAL)
	}
	_, e = timerSet(1<<30, 0, 0, 0)
	t.Want("settime of no such timer", e, syscall.EINVAL)
	var s itimerspec
	_, e = call(syscall.SYS_TIMER_GETTIME, 1<<30, ptr(&s))
	t.Want("gettime of no such timer", e, syscall.EINVAL)
}

func timerNumbers(t *T) {
	seen := map[int32]bool{}
	for i := 0; i < 50; i++ {
		id, e := timerCreate(clkMonotonic, &sigevent{notify: sigevNone})
		t.Want("timer_create", e, syscall.Errno(0))
		if seen[id] {
			t.Errorf("number %d twice", id)
		}
		seen[id] = true
	}
	for id := range seen {
		timerDelete(t, id)
	}
}

func timerOneShot(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	defer timerDelete(t, id)
	const d = 4 * time.Millisecond
	notEarly(t, "one shot", d, func() {
		timerSet(id, 0, d, 0)
		s, e := takeAgain(bit(sigRT1), &siginfo{}, time.Minute)
		t.Want("signal", s, sigRT1)
		t.Want("error", e, syscall.Errno(0))
	})
	_, e := takeAgain(bit(sigRT1), &siginfo{}, 20*time.Millisecond)
	t.Want("only once", e, syscall.EAGAIN)
}

func timerPeriodic(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	defer timerDelete(t, id)
	const d = 2 * time.Millisecond
	start := time.Now()
	timerSet(id, 0, d, d)
	for n := 0; n < 5; {
		var i siginfo
		s, _ := takeAgain(bit(sigRT1), &i, time.Minute)
		t.Want("signal", s, sigRT1)
		n += 1 + int(i.int(20))
		if took := time.Since(start); took < time.Duration(n)*d {
			t.Errorf("expiry %d after %v", n, took)
		}
	}
}

func timerAbsolute(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	defer timerDelete(t, id)
	until := now(t, clkMonotonic).add(4 * time.Millisecond)
	_, e := call(syscall.SYS_TIMER_SETTIME, uintptr(id), 1, ptr(&itimerspec{value: *until}), 0)
	t.Want("timer_settime", e, syscall.Errno(0))
	takeAgain(bit(sigRT1), &siginfo{}, time.Minute)
	if n := now(t, clkMonotonic); n.ns() < until.ns() {
		t.Errorf("at %v, wanted %v", n, until)
	}
	call(syscall.SYS_TIMER_SETTIME, uintptr(id), 1, ptr(&itimerspec{value: timespec{0, 1}}), 0)
	s, _ := takeAgain(bit(sigRT1), &siginfo{}, time.Minute)
	t.Want("long ago is at once", s, sigRT1)
}

func timerAbsoluteWall(t *T) {
	id := timerForThis(t, clkReal, 0)
	defer timerDelete(t, id)
	until := now(t, clkReal).add(4 * time.Millisecond)
	call(syscall.SYS_TIMER_SETTIME, uintptr(id), 1, ptr(&itimerspec{value: *until}), 0)
	takeAgain(bit(sigRT1), &siginfo{}, time.Minute)
	if n := now(t, clkReal); n.ns() < until.ns() {
		t.Errorf("at %v, wanted %v", n, until)
	}
	call(syscall.SYS_TIMER_SETTIME, uintptr(id), 1, ptr(&itimerspec{value: timespec{1, 0}}), 0)
	s, _ := takeAgain(bit(sigRT1), &siginfo{}, time.Minute)
	t.Want("1970 is at once", s, sigRT1)
}

func timerGettime(t *T) {
	id, _ := timerCreate(clkMonotonic, &sigevent{notify: sigevNone})
	defer timerDelete(t, id)
	var s itimerspec
	_, e := call(syscall.SYS_TIMER_GETTIME, uintptr(id), ptr(&s))
	t.Want("timer_gettime", e, syscall.Errno(0))
	t.Want("a new one is idle", s, itimerspec{})
	timerSet(id, 0, time.Hour, time.Minute)
	call(syscall.SYS_TIMER_GETTIME, uintptr(id), ptr(&s))
	t.Want("interval", s.interval, timespec{60, 0})
	if left := s.value.ns(); left <= int64(59*time.Minute) || left > int64(time.Hour) {
		t.Errorf("%d ns of an hour are left", left)
	}
}

func timerSettimeTellsTheOld(t *T) {
	id, _ := timerCreate(clkMonotonic, &sigevent{notify: sigevSignal, signo: int32(sigRT2)})
	defer timerDelete(t, id)
	old, _ := timerSet(id, 0, time.Hour, time.Second)
	t.Want("first", old, itimerspec{})
	old, _ = timerSet(id, 0, 0, 0)
	t.Want("interval", old.interval, timespec{1, 0})
	if left := old.value.ns(); left <= int64(59*time.Minute) || left > int64(time.Hour) {
		t.Errorf("%d ns of an hour are left", left)
	}
	old, _ = timerSet(id, 0, 0, 0)
	t.Want("idle", old.value, timespec{})
}

func timerSettimeArguments(t *T) {
	id, _ := timerCreate(clkMonotonic, &sigevent{notify: sigevNone})
	defer timerDelete(t, id)
	for _, s := range []itimerspec{{value: timespec{0, 1e9}}, {value: timespec{-1, 0}}, {interval: timespec{0, -1}, value: timespec{1, 0}}} {
		_, e := call(syscall.SYS_TIMER_SETTIME, uintptr(id), 0, ptr(&s), 0)
		t.Want("timer_settime", e, syscall.EINVAL)
	}
}

func timerDisarm(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	defer timerDelete(t, id)
	for {
		const d = 20 * time.Millisecond
		start := time.Now()
		timerSet(id, 0, d, 0)
		timerSet(id, 0, 0, 0)
		late := time.Since(start) >= d // on a busy host it may have expired in between
		_, e := takeAgain(bit(sigRT1), &siginfo{}, 2*d)
		if !late {
			t.Want("nothing comes", e, syscall.EAGAIN)
			return
		}
	}
}

func timerOverrun(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	defer timerDelete(t, id)
	const d = time.Millisecond
	start := time.Now()
	timerSet(id, 0, d, d)
	time.Sleep(20 * time.Millisecond)
	var i siginfo
	takeAgain(bit(sigRT1), &i, time.Minute)
	n, e := call(syscall.SYS_TIMER_GETOVERRUN, uintptr(id))
	most := time.Since(start)/d + 1
	t.Want("timer_getoverrun", e, syscall.Errno(0))
	t.Want("overrun in the signal", i.int(20), int32(n))
	if n < 18 || time.Duration(n) > most {
		t.Errorf("overrun %d after 20 ms or more, %d at most", n, most)
	}
	time.Sleep(3 * d)
	again, _ := call(syscall.SYS_TIMER_GETOVERRUN, uintptr(id))
	t.Want("it is of the last delivery", again, n)
}

func timerInfo(t *T) {
	id := timerForThis(t, clkMonotonic, 0x1122334455667788)
	defer timerDelete(t, id)
	timerSet(id, 0, 1, 0)
	var i siginfo
	takeAgain(bit(sigRT1), &i, time.Minute)
	t.Want("si_code", i.int(8), int32(siTimer))
	t.Want("timer", i.int(16), id)
	t.Want("overrun", i.int(20), int32(0))
	t.Want("value", binary.LittleEndian.Uint64(i[24:]), uint64(0x1122334455667788))
}

func timerSilent(t *T) {
	id, e := timerCreate(clkMonotonic, &sigevent{notify: sigevNone})
	t.Want("timer_create", e, syscall.Errno(0))
	timerSet(id, 0, time.Millisecond, 0)
	time.Sleep(5 * time.Millisecond)
	var s itimerspec
	call(syscall.SYS_TIMER_GETTIME, uintptr(id), ptr(&s))
	t.Want("expired", s, itimerspec{})
	timerDelete(t, id)
}

type itimerval struct{ intervalS, intervalUs, s, us int64 }

func timerItimerReal(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	defer noteSignal(t, syscall.SIGALRM, saRestart, ^uint64(0))()
	start := time.Now()
	_, e := call(syscall.SYS_SETITIMER, 0, ptr(&itimerval{us: 5000}), 0)
	t.Want("setitimer", e, syscall.Errno(0))
	for runs() == 0 {
		runtime.Gosched()
	}
	if took := time.Since(start); took < 5*time.Millisecond {
		t.Errorf("after %v", took)
	}
	t.Want("si_code", (*siginfo)(&handlerInfo).int(8), int32(siKernel))
	var s itimerval
	call(syscall.SYS_GETITIMER, 0, ptr(&s))
	t.Want("idle after", s, itimerval{})
}

func timerItimerArguments(t *T) {
	var s itimerval
	_, e := call(syscall.SYS_SETITIMER, 3, ptr(&s), 0)
	t.Want("no such timer", e, syscall.EINVAL)
	_, e = call(syscall.SYS_GETITIMER, 3, ptr(&s))
	t.Want("no such timer", e, syscall.EINVAL)
	_, e = call(syscall.SYS_SETITIMER, 0, ptr(&itimerval{us: 1e6}), 0)
	t.Want("no such time", e, syscall.EINVAL)
	_, e = call(syscall.SYS_SETITIMER, 0, ptr(&itimerval{s: 1000, intervalS: 7}), 0)
	t.Want("set", e, syscall.Errno(0))
	call(syscall.SYS_GETITIMER, 0, ptr(&s))
	t.Want("interval", s.intervalS, int64(7))
	if s.s < 990 || s.s > 1000 {
		t.Errorf("%d s of 1000 are left", s.s)
	}
	_, e = call(syscall.SYS_SETITIMER, 0, 0, ptr(&s))
	t.Want("none is idle", e, syscall.Errno(0))
	call(syscall.SYS_GETITIMER, 0, ptr(&s))
	t.Want("idle", s, itimerval{})
}

func timerAlarm(t *T) {
	r, _ := call(syscall.SYS_ALARM, 1000)
	t.Want("first", r, uintptr(0))
	r, _ = call(syscall.SYS_ALARM, 0)
	if r < 990 || r > 1000 {
		t.Errorf("%d s of 1000 were left", r)
	}
	r, _ = call(syscall.SYS_ALARM, 0)
	t.Want("none", r, uintptr(0))
}

func timerfdNeverEarly(t *T) {
	for _, id := range []uintptr{clkReal, clkMonotonic, clkBoottime} {
		fd, e := call(syscall.SYS_TIMERFD_CREATE, id, 0)
		t.Want("timerfd_create", e, syscall.Errno(0))
		const d = 3 * time.Millisecond
		var n [8]byte
		notEarly(t, "timerfd", d, func() {
			call(syscall.SYS_TIMERFD_SETTIME, fd, 0, ptr(&itimerspec{value: *spec(d)}), 0)
			syscall.Read(int(fd), n[:])
		})
		t.Want("expirations", n[0], byte(1))
		syscall.Close(int(fd))
	}
}

// timerSlack: by how much a thread's sleeps may be longer; they are never shorter.
func timerSlack(t *T) {
	const prSetTimerslack, prGetTimerslack = 29, 30
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	get := func() uintptr {
		r, e := call(syscall.SYS_PRCTL, prGetTimerslack)
		t.Want("get", e, syscall.Errno(0))
		return r
	}
	set := func(ns uintptr) {
		_, e := call(syscall.SYS_PRCTL, prSetTimerslack, ns)
		t.Want("set", e, syscall.Errno(0))
	}
	old := get()
	t.Want("at the start", old, uintptr(50_000))
	for _, slack := range []uintptr{1, 20_000_000} {
		set(slack)
		t.Want("slack", get(), slack)
		for i := 0; i < 5; i++ {
			start := time.Now()
			sleep := timespec{0, 1_000_000}
			_, e := call(syscall.SYS_NANOSLEEP, ptr(&sleep), 0)
			if e == syscall.EINTR {
				continue // the runtime's own signals
			}
			t.Want("nanosleep", e, syscall.Errno(0))
			t.Want("too early", time.Since(start) < time.Millisecond, false)
		}
	}
	set(0)
	t.Want("back to what it was", get(), old)
}
