package main

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Clocks: monotonic, of the wall, of CPU time; and sleeping by them.
var clockChecks = append([]check{
	{"arguments", clockArguments},
	{"resolution", clockResolution},
	{"all-are-there", clockAllAreThere},
	{"monotonic-starts-above-zero", clockStartsAboveZero},
	{"monotonic-never-back", clockNeverBack},
	{"monotonic-across-threads", clockAcrossThreads},
	{"monotonic-is-fine", clockIsFine},
	{"calls-and-vdso-agree", clockCallsAndVDSOAgree},
	{"wall-runs-with-monotonic", clockWallRunsWithMonotonic},
	{"wall-is-this-century", clockWallIsThisCentury},
	{"gettimeofday-time", clockGettimeofday},
	{"thread-cpu-time", clockThreadCPUTime},
	{"thread-cpu-time-asleep", clockThreadCPUTimeAsleep},
	{"cpu-time-of-another-thread", clockOfAnotherThread},
	{"cpu-time-of-the-process", clockOfTheProcess},
	{"cpu-time-of-nobody", clockOfNobody},
	{"getrusage", clockGetrusage},
	{"times", clockTimes},
	{"sleep-never-early", clockSleepNeverEarly},
	{"sleep-until", clockSleepUntil},
	{"sleep-arguments", clockSleepArguments},
	{"sleep-on-cpu-time", clockSleepOnCPUTime},
	{"settime-arguments", clockSettimeArguments},
	{"go-timers-never-early", clockGoTimersNeverEarly},
	{"go-ticker", clockGoTicker},
}, clockAdjustChecks...)

const (
	clkReal, clkMonotonic, clkProcess, clkThread = 0, 1, 2, 3
	clkRaw, clkRealCoarse, clkMonoCoarse         = 4, 5, 6
	clkBoottime, clkTAI                          = 7, 11
)

func (ts timespec) ns() int64 { return ts.sec*1e9 + ts.nsec }

func clockArguments(t *T) {
	var ts timespec
	for _, id := range []uintptr{10, 12, 99, 1 << 20} {
		_, e := call(syscall.SYS_CLOCK_GETTIME, id, ptr(&ts))
		t.Want("no such clock", e, syscall.EINVAL)
		_, e = call(syscall.SYS_CLOCK_GETRES, id, ptr(&ts))
		t.Want("no such clock's resolution", e, syscall.EINVAL)
	}
	_, e := call(syscall.SYS_CLOCK_GETRES, clkMonotonic, 0)
	t.Want("resolution to nowhere", e, syscall.Errno(0))
}

func clockResolution(t *T) {
	var ts timespec
	for _, id := range []uintptr{clkReal, clkMonotonic, clkProcess, clkThread, clkRaw, clkBoottime, clkTAI} {
		_, e := call(syscall.SYS_CLOCK_GETRES, id, ptr(&ts))
		t.Want("clock_getres", e, syscall.Errno(0))
		t.Want("resolution", ts, timespec{0, 1})
	}
}

func clockAllAreThere(t *T) {
	for id := uintptr(0); id <= 11; id++ {
		if id >= 8 && id <= 10 {
			continue // alarm clocks need a clock chip
		}
		if ts := now(t, id); ts.nsec < 0 || ts.nsec >= 1e9 || ts.ns() <= 0 {
			t.Errorf("clock %d: %v", id, ts)
		}
	}
}

func clockStartsAboveZero(t *T) {
	for _, id := range []uintptr{clkMonotonic, clkBoottime, clkRaw} {
		if ts := now(t, id); ts.ns() <= 0 {
			t.Errorf("clock %d: %v", id, ts)
		}
	}
}

func clockNeverBack(t *T) {
	for _, id := range []uintptr{clkReal, clkMonotonic, clkBoottime, clkProcess, clkThread} {
		runtime.LockOSThread()
		last := now(t, id).ns()
		for i := 0; i < 3000; i++ {
			n := now(t, id).ns()
			if n < last && id != clkReal {
				t.Errorf("clock %d went back by %d ns", id, last-n)
			}
			last = n
		}
		runtime.UnlockOSThread()
	}
}

// clockAcrossThreads: a time that another thread has read before is never later than mine.
func clockAcrossThreads(t *T) {
	const n = 4
	var wg sync.WaitGroup
	var latest struct {
		sync.Mutex
		ns int64
	}
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for j := 0; j < 5000; j++ {
				latest.Lock()
				ns := int64(time.Since(begin))
				if ns < latest.ns {
					t.Errorf("time went back by %d ns between threads", latest.ns-ns)
				}
				latest.ns = ns
				latest.Unlock()
			}
		}()
	}
	wg.Wait()
}

var begin = time.Now()

func clockIsFine(t *T) {
	different := 0
	last := now(t, clkMonotonic).ns()
	for i := 0; i < 1000; i++ {
		n := now(t, clkMonotonic).ns()
		if n != last {
			different++
		}
		last = n
	}
	if different < 900 {
		t.Errorf("%d of 1000 readings differ from the one before", different)
	}
}

// clockCallsAndVDSOAgree: Go reads the vDSO, call makes a system call.
func clockCallsAndVDSOAgree(t *T) {
	for i := 0; i < 200; i++ {
		before := time.Now().UnixNano()
		middle := now(t, clkReal).ns()
		after := time.Now().UnixNano()
		if after < before {
			continue // the clock was set
		}
		if middle < before || middle > after {
			t.Fatalf("%d is not between %d and %d", middle, before, after)
		}
	}
}

func clockWallRunsWithMonotonic(t *T) {
	for try := 0; ; try++ {
		start, mono := time.Now(), now(t, clkMonotonic)
		time.Sleep(50 * time.Millisecond)
		end, mono2 := time.Now(), now(t, clkMonotonic)
		wall := end.Round(0).Sub(start.Round(0))
		diff := wall - time.Duration(mono2.ns()-mono.ns())
		if diff > -20*time.Millisecond && diff < 20*time.Millisecond {
			return
		}
		if try == 5 { // descheduled between the readings, six times?
			t.Fatalf("the wall clock differs by %v over 50 ms", diff)
		}
	}
}

func clockWallIsThisCentury(t *T) {
	if y := time.Now().Year(); y < 2023 || y > 2100 {
		t.Errorf("it is the year %d", y)
	}
}

func clockGettimeofday(t *T) {
	var tv [2]int64
	zone := [2]int32{5, 5}
	before := now(t, clkReal)
	_, e := call(syscall.SYS_GETTIMEOFDAY, ptr(&tv), ptr(&zone))
	t.Want("gettimeofday", e, syscall.Errno(0))
	var s int64
	r, e := call(syscall.SYS_TIME, ptr(&s))
	t.Want("time", e, syscall.Errno(0))
	t.Want("time's result and what it stores", int64(r), s)
	if tv[0] < before.sec || tv[0] > before.sec+60 || tv[1] < 0 || tv[1] >= 1e6 {
		t.Errorf("gettimeofday says %v at %v", tv, before)
	}
	if s < before.sec-1 || s > before.sec+60 { // Linux's time() may lag by a tick
		t.Errorf("time says %d at %v", s, before)
	}
}

func burn(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

func clockThreadCPUTime(t *T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, wall := now(t, clkThread), time.Now()
	for now(t, clkThread).ns()-before.ns() < 20e6 { // ends only if it runs
	}
	if spent := time.Since(wall); spent < 19*time.Millisecond {
		t.Errorf("20 ms of CPU time in %v", spent)
	}
}

func clockThreadCPUTimeAsleep(t *T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := now(t, clkThread)
	call(syscall.SYS_NANOSLEEP, ptr(spec(200*time.Millisecond)), 0)
	if spent := now(t, clkThread).ns() - before.ns(); spent > 100e6 {
		t.Errorf("a sleep of 200 ms took %d ns of CPU time", spent)
	}
}

// cpuClock is the clock of a thread's or a process's CPU time, as pthread_getcpuclockid makes it.
func cpuClock(id int, thread bool) uintptr {
	n := int32(^id)<<3 | 2
	if thread {
		n |= 4
	}
	return uintptr(n)
}

func clockOfAnotherThread(t *T) {
	tid, stop, done := make(chan int), make(chan bool), make(chan bool)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- syscall.Gettid()
		for {
			select {
			case <-stop:
				close(done)
				return
			default:
			}
		}
	}()
	clock := cpuClock(<-tid, true)
	before := now(t, clock)
	for start := time.Now(); now(t, clock).ns()-before.ns() < 5e6; {
		if time.Since(start) > time.Minute {
			t.Fatalf("the clock of a thread that runs stands still")
		}
	}
	close(stop)
	<-done
}

func clockOfTheProcess(t *T) {
	pid := os.Getpid()
	a, b, c := now(t, clkProcess), now(t, cpuClock(pid, false)), now(t, clkProcess)
	if b.ns() < a.ns() || b.ns() > c.ns() {
		t.Errorf("by number %v, between %v and %v", b, a, c)
	}
	if own := now(t, cpuClock(0, true)); own.ns() <= 0 {
		t.Errorf("own thread by number 0: %v", own)
	}
	if th, p := now(t, clkThread), now(t, clkProcess); th.ns() > p.ns() {
		t.Errorf("a thread used %v, the process %v", th, p)
	}
}

func clockOfNobody(t *T) {
	var ts timespec
	_, e := call(syscall.SYS_CLOCK_GETTIME, cpuClock(1<<21, true), ptr(&ts))
	t.Want("thread", e, syscall.EINVAL)
	_, e = call(syscall.SYS_CLOCK_GETTIME, cpuClock(1<<21, false), ptr(&ts))
	t.Want("process", e, syscall.EINVAL)
}

func clockGetrusage(t *T) {
	var r syscall.Rusage
	start := now(t, clkProcess)
	burn(30 * time.Millisecond)
	t.Must("Getrusage", syscall.Getrusage(0, &r))
	end := now(t, clkProcess)
	total := r.Utime.Nano() + r.Stime.Nano()
	if total < start.ns()-20e6 || total > end.ns()+20e6 {
		t.Errorf("user and system time are %d ns, the process's clock went from %d to %d", total, start.ns(), end.ns())
	}
	if r.Utime.Nano() <= 0 {
		t.Errorf("no user time")
	}
	last := r
	for i := 0; i < 2000; i++ {
		t.Must("Getrusage", syscall.Getrusage(0, &r))
		if r.Utime.Nano() < last.Utime.Nano() || r.Stime.Nano() < last.Stime.Nano() {
			t.Fatalf("went back: from %v, %v to %v, %v", last.Utime, last.Stime, r.Utime, r.Stime)
		}
		last = r
	}
	for start := time.Now(); r.Stime.Nano() <= 0; { // calls are the kernel's time
		t.Must("Getrusage", syscall.Getrusage(0, &r))
		if time.Since(start) > time.Minute {
			t.Fatalf("no system time")
		}
	}
	_, e := call(syscall.SYS_GETRUSAGE, 7, ptr(&r))
	t.Want("of whom?", e, syscall.EINVAL)
	t.Must("of the thread", syscall.Getrusage(1, &r))
	t.Must("of children", syscall.Getrusage(-1, &r))
	t.Want("children's time", r.Utime.Nano()+r.Stime.Nano(), int64(0))
}

func clockTimes(t *T) {
	var b [4]int64
	first, e := call(syscall.SYS_TIMES, ptr(&b))
	t.Want("times", e, syscall.Errno(0))
	time.Sleep(30 * time.Millisecond)
	second, _ := call(syscall.SYS_TIMES, 0)
	if second < first+2 { // the third may be cut off: Linux counts them from its own, coarser ticks
		t.Errorf("%d ticks in 30 ms", second-first)
	}
}

// sleep is nanosleep or clock_nanosleep, for all of d: a signal of the runtime's own may end one
// early, which then says what is left.
func sleep(d time.Duration, number uintptr, args ...uintptr) syscall.Errno {
	left := spec(d)
	for {
		if _, e := call(number, append(args, ptr(left), ptr(left))...); e != syscall.EINTR {
			return e
		}
	}
}

// sleepUntil is the same for a moment.
func sleepUntil(id uintptr, until *timespec) syscall.Errno {
	for {
		if _, e := call(syscall.SYS_CLOCK_NANOSLEEP, id, 1, ptr(until), 0); e != syscall.EINTR {
			return e
		}
	}
}

func clockSleepNeverEarly(t *T) {
	for _, d := range []time.Duration{0, 1, 999, 20 * time.Microsecond, 150 * time.Microsecond, time.Millisecond, 4 * time.Millisecond} {
		for i := 0; i < 5; i++ {
			notEarly(t, "nanosleep", d, func() { sleep(d, syscall.SYS_NANOSLEEP) })
			for _, id := range []uintptr{clkReal, clkMonotonic, clkBoottime} {
				notEarly(t, "clock_nanosleep", d, func() { sleep(d, syscall.SYS_CLOCK_NANOSLEEP, id, 0) })
			}
		}
	}
}

func clockSleepUntil(t *T) {
	for _, id := range []uintptr{clkReal, clkMonotonic, clkBoottime, clkTAI} {
		until := now(t, id).add(3 * time.Millisecond)
		t.Want("clock_nanosleep", sleepUntil(id, until), syscall.Errno(0))
		if n := now(t, id); n.ns() < until.ns() {
			t.Errorf("clock %d: awake at %v, wanted %v", id, n, until)
		}
		t.Want("until long ago", sleepUntil(id, &timespec{sec: 1}), syscall.Errno(0))
	}
}

func clockSleepArguments(t *T) {
	for _, ts := range []timespec{{0, 1e9}, {0, -1}, {-1, 0}} {
		_, e := call(syscall.SYS_NANOSLEEP, ptr(&ts), 0)
		t.Want("nanosleep", e, syscall.EINVAL)
		_, e = call(syscall.SYS_CLOCK_NANOSLEEP, clkMonotonic, 1, ptr(&ts), 0)
		t.Want("clock_nanosleep", e, syscall.EINVAL)
	}
	_, e := call(syscall.SYS_CLOCK_NANOSLEEP, 99, 0, ptr(spec(0)), 0)
	t.Want("no such clock", e, syscall.EINVAL)
	_, e = call(syscall.SYS_CLOCK_NANOSLEEP, clkThread, 0, ptr(spec(0)), 0)
	t.Want("own CPU time", e, syscall.EOPNOTSUPP)
	_, e = call(syscall.SYS_CLOCK_NANOSLEEP, clkRaw, 0, ptr(spec(0)), 0)
	t.Want("the raw clock", e, syscall.EOPNOTSUPP)
}

func clockSleepOnCPUTime(t *T) {
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	before := now(t, clkProcess)
	e := sleep(5*time.Millisecond, syscall.SYS_CLOCK_NANOSLEEP, clkProcess, 0)
	t.Want("clock_nanosleep", e, syscall.Errno(0))
	if spent := now(t, clkProcess).ns() - before.ns(); spent < 5e6 {
		t.Errorf("awake after %d ns of the process's time", spent)
	}
	close(stop)
	<-done
}

func clockSettimeArguments(t *T) {
	_, e := call(syscall.SYS_CLOCK_SETTIME, clkMonotonic, ptr(spec(0)))
	t.Want("the monotonic clock", e, syscall.EINVAL)
	_, e = call(syscall.SYS_CLOCK_SETTIME, clkThread, ptr(spec(0)))
	if e != syscall.EPERM && e != syscall.EINVAL {
		t.Errorf("CPU time: %v", e)
	}
	_, e = call(syscall.SYS_CLOCK_SETTIME, 99, ptr(spec(0)))
	t.Want("no such clock", e, syscall.EINVAL)
	_, e = call(syscall.SYS_CLOCK_SETTIME, clkReal, ptr(&timespec{0, 1e9}))
	t.Want("no such time", e, syscall.EINVAL)
	if os.Geteuid() == 0 {
		onOwnThread(func() {
			raw(syscall.SYS_SETRESUID, 1000, 1000, 1000)
			_, e := raw(syscall.SYS_CLOCK_SETTIME, clkReal, ptr(spec(time.Hour)))
			t.Want("without CAP_SYS_TIME", e, syscall.EPERM)
		})
	}
}

func clockGoTimersNeverEarly(t *T) {
	var wg sync.WaitGroup
	for _, d := range []time.Duration{0, 1, 50 * time.Microsecond, time.Millisecond, 1500 * time.Microsecond, 20 * time.Millisecond} {
		for i := 0; i < 20; i++ {
			wg.Add(1)
			start := time.Now()
			time.AfterFunc(d, func() {
				if took := time.Since(start); took < d {
					t.Errorf("a timer of %v fired after %v", d, took)
				}
				wg.Done()
			})
		}
	}
	wg.Wait()
}

func clockGoTicker(t *T) {
	start := time.Now()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := 1; i <= 10; i++ {
		<-tick.C
		if took := time.Since(start); took < time.Duration(i)*2*time.Millisecond {
			t.Errorf("tick %d after %v", i, took)
		}
	}
}
