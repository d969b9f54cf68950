package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"time"
)

// Timers on CPU time, and what is profiled by them.
var timerCPUChecks = []check{
	{"of-thread-cpu-time", onSignalThread(timerOfThreadCPUTime)},
	{"of-process-cpu-time", onSignalThread(timerOfProcessCPUTime)},
	{"of-cpu-time-asleep", onSignalThread(timerOfCPUTimeAsleep)},
	{"of-cpu-time-in-bursts", onSignalThread(timerOfCPUTimeInBursts)},
	{"of-another-thread", onSignalThread(timerOfAnotherThread)},
	{"itimer-cpu", timerItimerCPU},
	{"profile-shows-the-hot-function", timerProfile},
}

func timerOfThreadCPUTime(t *T) {
	id := timerForThis(t, clkThread, 0)
	defer timerDelete(t, id)
	before := now(t, clkThread)
	timerSet(id, 0, 10*time.Millisecond, 0)
	var set uint64
	for set&bit(sigRT1) == 0 {
		raw(syscall.SYS_RT_SIGPENDING, ptr(&set), 8)
	}
	if spent := now(t, clkThread).ns() - before.ns(); spent < 10e6 {
		t.Errorf("after %d ns", spent)
	}
	takeAgain(bit(sigRT1), &siginfo{}, 0)
}

func timerOfProcessCPUTime(t *T) {
	id := timerForThis(t, clkProcess, 0)
	defer timerDelete(t, id)
	before := now(t, clkProcess)
	timerSet(id, 0, 10*time.Millisecond, 0)
	var set uint64
	for set&bit(sigRT1) == 0 {
		raw(syscall.SYS_RT_SIGPENDING, ptr(&set), 8)
	}
	if spent := now(t, clkProcess).ns() - before.ns(); spent < 10e6 {
		t.Errorf("after %d ns", spent)
	}
	takeAgain(bit(sigRT1), &siginfo{}, 0)
}

// timerOfCPUTimeAsleep: time asleep does not count, and work after it does.
func timerOfCPUTimeAsleep(t *T) {
	id := timerForThis(t, clkThread, 0)
	defer timerDelete(t, id)
	timerSet(id, 0, 50*time.Millisecond, 0)
	_, e := takeAgain(bit(sigRT1), &siginfo{}, 200*time.Millisecond)
	t.Want("asleep", e, syscall.EAGAIN)
	var set uint64
	for start := time.Now(); set&bit(sigRT1) == 0; {
		raw(syscall.SYS_RT_SIGPENDING, ptr(&set), 8)
		if time.Since(start) > time.Minute {
			t.Fatalf("no signal after a minute of work")
		}
	}
	takeAgain(bit(sigRT1), &siginfo{}, 0)
}

// timerOfCPUTimeInBursts: what is counted stops and goes on many times; nothing of it is missed, and
// no sleep is counted.
func timerOfCPUTimeInBursts(t *T) {
	const interval, burst, bursts = 10 * time.Millisecond, 3 * time.Millisecond, 60
	for _, clock := range []uintptr{clkThread, clkProcess} {
		id := timerForThis(t, clock, 0)
		before := now(t, clock).ns()
		timerSet(id, 0, interval, interval)
		var fired int64
		for n := 0; n < bursts; n++ {
			for start := now(t, clkThread).ns(); now(t, clkThread).ns()-start < int64(burst); {
			}
			call(syscall.SYS_NANOSLEEP, ptr(spec(burst)), 0)
			for i := (siginfo{}); ; {
				if _, e := take(bit(sigRT1), &i, 0); e != 0 {
					break
				}
				fired += 1 + int64(i.int(20)) // and the overruns
			}
		}
		due := (now(t, clock).ns() - before) / int64(interval)
		if fired > due || fired < due/2 {
			t.Errorf("clock %d: fired %d times in %d intervals", clock, fired, due)
		}
		timerDelete(t, id)
	}
}

// timerOfAnotherThread: who sleeps may be waited for by its clock; when it ends, nothing comes.
func timerOfAnotherThread(t *T) {
	const limit = 150 * time.Millisecond // a host that holds back the CPU makes short work long
	tid, work := make(chan int), make(chan bool)
	var heard atomic.Bool
	go func() {
		runtime.LockOSThread() // and so ends with it
		tid <- syscall.Gettid()
		<-work
		for !heard.Load() {
		}
		<-work
	}()
	id := timerForThis(t, uintptr(int64(^int32(<-tid)<<3|6)), 0)
	timerSet(id, 0, limit, 0)
	_, e := take(bit(sigRT1), &siginfo{}, 2*limit)
	t.Want("asleep", e, syscall.EAGAIN)
	work <- true
	_, e = take(bit(sigRT1), &siginfo{}, time.Minute)
	t.Want("at work", e, syscall.Errno(0))
	heard.Store(true)
	timerSet(id, 0, limit, 0)
	close(work)
	_, e = take(bit(sigRT1), &siginfo{}, 2*limit)
	t.Want("gone", e, syscall.EAGAIN)
	timerDelete(t, id)
}

// timerItimerCPU: both timers on CPU time fire while the program computes, and not before. Linux
// counts for them whom its ticks meet, so on a busy host a part of the time is enough.
func timerItimerCPU(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	for which, s := range map[uintptr]syscall.Signal{1: syscall.SIGVTALRM, 2: syscall.SIGPROF} {
		restore := noteSignal(t, s, saRestart, ^uint64(0))
		before := now(t, clkProcess)
		call(syscall.SYS_SETITIMER, which, ptr(&itimerval{us: 200000}), 0)
		for n := 0; runs() == 0; n++ {
		}
		if spent := now(t, clkProcess).ns() - before.ns(); spent < 80e6 {
			t.Errorf("timer %d after %d ns of CPU time", which, spent)
		}
		call(syscall.SYS_SETITIMER, which, ptr(&itimerval{}), 0)
		restore()
	}
}

var sinkOfHot uint64

//go:noinline
func hotFunctionOfTheProfile(until time.Time) {
	for time.Now().Before(until) {
		for i := uint64(0); i < 1000000; i++ {
			sinkOfHot += i * i
		}
	}
}

// timerProfile: a CPU profile names the function that computes. The names are in the profile's
// table of strings, so to find one there is enough.
func timerProfile(t *T) {
	var out bytes.Buffer
	t.Must("StartCPUProfile", pprof.StartCPUProfile(&out))
	hotFunctionOfTheProfile(time.Now().Add(500 * time.Millisecond))
	pprof.StopCPUProfile()
	z, err := gzip.NewReader(&out)
	t.Must("gzip", err)
	text, err := io.ReadAll(z)
	t.Must("gzip", err)
	if !bytes.Contains(text, []byte("main.hotFunctionOfTheProfile")) {
		t.Errorf("the hot function is not in the profile of %d bytes", len(text))
	}
}
