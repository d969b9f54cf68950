package main

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// What a signal does to a call that sleeps when no handler runs for it there: nothing.
var signalInterruptNoneChecks = []check{
	{"unheard-signal-poll", onSignalThread(signalUnheardPoll)},
	{"unheard-signal-storm", signalUnheardStorm},
}

// signalUnheardPoll: a wait lets in a signal that, once looked at, is nobody's, as its timer is gone.
func signalUnheardPoll(t *T) {
	needDrops(t)
	defer noteSignal(t, syscall.SIGUSR2, 0, 0)()
	setMask(^uint64(0))
	const d = 20 * time.Millisecond
	mask := ^bit(syscall.SIGUSR2)
	with := [2]uint64{uint64(ptr(&mask)), 8}
	for _, c := range []struct {
		name string
		call func(left *timespec) (uintptr, syscall.Errno)
	}{
		{"ppoll", func(left *timespec) (uintptr, syscall.Errno) {
			return call(syscall.SYS_PPOLL, 0, 0, ptr(left), ptr(&mask), 8)
		}},
		{"pselect6", func(left *timespec) (uintptr, syscall.Errno) {
			return call(syscall.SYS_PSELECT6, 0, 0, 0, 0, ptr(left), ptr(&with))
		}},
	} {
		timerDelete(t, timerPending(t, clkMonotonic, syscall.SIGUSR2, 0, 0))
		left := spec(d)
		notEarly(t, c.name, d, func() {
			r, e := c.call(left)
			t.Want(c.name, e, syscall.Errno(0))
			t.Want(c.name+": ready", r, uintptr(0))
		})
		t.Want(c.name+": left", *left, timespec{})
		t.Want(c.name+": handled", runs(), uint64(0))
		var now uint64
		raw4(syscall.SYS_RT_SIGPROCMASK, 0, 0, ptr(&now), 8)
		t.Want(c.name+": mask after", now&bit(syscall.SIGUSR2), bit(syscall.SIGUSR2))
	}
}

// watchedThread is whose handlers watchHandler counts.
var watchedThread, watchedRuns uint64

func watchHandlerAddress() uintptr

// signalUnheardStorm: signals for the process that any of some sleeping threads may take, that are ignored
// while they are on their way, and of timers that are set anew meanwhile. A call says EINTR only after a
// handler on its thread.
func signalUnheardStorm(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	_, restorer := probeAddresses()
	act := sigaction{uint64(watchHandlerAddress()), saSiginfo | saOnstack | saRestorer, uint64(restorer), ^uint64(0)}
	var old sigaction
	atomic.StoreUint64(&watchedThread, 0)
	rtSigaction(syscall.SIGUSR2, &act, &old)
	defer rtSigaction(syscall.SIGUSR2, &old, nil)
	var stop atomic.Bool
	ended := make(chan bool)
	for i := 0; i < 2; i++ { // others that take them
		go func() {
			onOwnThread(func() {
				setMask(^bit(syscall.SIGUSR2))
				for !stop.Load() {
					call(syscall.SYS_NANOSLEEP, ptr(spec(300*time.Microsecond)), 0)
				}
			})
			ended <- true
		}()
	}
	go func() {
		onOwnThread(func() { signalStormSleeper(t, 700) })
		stop.Store(true)
		ended <- true
	}()
	for atomic.LoadUint64(&watchedThread) == 0 && !stop.Load() {
		runtime.Gosched()
	}
	pid := os.Getpid()
	id, e := timerCreate(clkMonotonic, &sigevent{signo: int32(syscall.SIGUSR2), notify: sigevThreadID, tid: int32(atomic.LoadUint64(&watchedThread))})
	t.Want("timer_create", e, syscall.Errno(0))
	for i := 0; !stop.Load(); i++ {
		timerSet(id, 0, 1, 0)
		busy(time.Duration(i%8) * 5 * time.Microsecond)
		timerSet(id, 0, 0, 0)
		if i%4 == 0 {
			syscall.Kill(pid, syscall.SIGUSR2)
		}
		if i%12 == 0 {
			rtSigaction(syscall.SIGUSR2, &sigaction{handler: 1}, nil)
			rtSigaction(syscall.SIGUSR2, &act, nil)
		}
		if i%16 == 0 {
			runtime.Gosched()
		}
	}
	timerDelete(t, id)
	for i := 0; i < 3; i++ {
		<-ended
	}
}

// signalStormSleeper makes each kind of call that a handler always ends, n times in all.
func signalStormSleeper(t *T, n int) {
	setMask(^bit(syscall.SIGUSR2))
	atomic.StoreUint64(&watchedThread, uint64(syscall.Gettid()))
	var word uint32
	const d = 500 * time.Microsecond
	for i := 0; i < n; i++ {
		start := now(t, clkMonotonic)
		short, val, until := spec(d), [2]int64{0, 500}, start.add(d)
		before := atomic.LoadUint64(&watchedRuns)
		var e syscall.Errno
		var name string
		switch i % 7 {
		case 0:
			name = "nanosleep"
			_, e = call(syscall.SYS_NANOSLEEP, ptr(short), 0)
		case 1:
			name = "clock_nanosleep"
			_, e = call(syscall.SYS_CLOCK_NANOSLEEP, clkMonotonic, 0, ptr(short), 0)
		case 2:
			name = "clock_nanosleep until"
			_, e = call(syscall.SYS_CLOCK_NANOSLEEP, clkMonotonic, 1, ptr(until), 0)
		case 3:
			name = "poll"
			_, e = call(syscall.SYS_POLL, 0, 0, 1)
		case 4:
			name = "select"
			_, e = call(syscall.SYS_SELECT, 0, 0, 0, 0, ptr(&val))
		case 5:
			name = "futex"
			_, e = call(syscall.SYS_FUTEX, ptr(&word), futexWait|futexPrivate, 0, ptr(short))
		default:
			name = "ppoll"
			_, e = call(syscall.SYS_PPOLL, 0, 0, ptr(short), 0, 8)
		}
		handled := atomic.LoadUint64(&watchedRuns) != before
		switch took := time.Duration(now(t, clkMonotonic).ns() - start.ns()); {
		case e == syscall.EINTR && !handled:
			t.Errorf("%s: EINTR without a handler", name)
		case e != 0 && e != syscall.EINTR && !(name == "futex" && e == syscall.ETIMEDOUT):
			t.Errorf("%s: %v", name, e)
		case e != syscall.EINTR && took < d-2*time.Microsecond: // of select's time each restart takes less than one
			t.Errorf("%s ended after %v", name, took)
		}
	}
}
