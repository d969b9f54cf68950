package main

import (
	"encoding/binary"
	"math"
	"syscall"
	"time"
)

// Timers with intervals that nobody can keep up with: they cost overruns, not the machine.
var timerShortChecks = []check{
	{"shortest-interval", onSignalThread(timerShortestInterval)},
	{"overrun-by-signalfd", onSignalThread(timerOverrunBySignalfd)},
	{"overrun-ends-at-most", onSignalThread(timerOverrunEnds)},
	{"itimer-shortest-interval", onSignalThread(timerItimerShortest)},
	{"interval-without-value", timerIntervalWithoutValue},
	{"timerfd-shortest-interval", timerfdShortest},
	{"timerfd-tells-once", timerfdTellsOnce},
	{"timerfd-long-past", timerfdLongPast},
}

// busy computes for so long.
func busy(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

func timerShortestInterval(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	start := time.Now()
	timerSet(id, 0, 1, 1)
	busy(30 * time.Millisecond)
	var i siginfo
	s, e := takeAgain(bit(sigRT1), &i, time.Minute)
	most := time.Since(start)
	t.Want("signal", s, sigRT1)
	t.Want("error", e, syscall.Errno(0))
	if n := time.Duration(i.int(20)); n < 29*time.Millisecond || n > most { // of each nanosecond one
		t.Errorf("overrun %d, in %d ns", n, most)
	}
	timerDelete(t, id)
	takeAgain(bit(sigRT1), &i, time.Millisecond) // one that was pending
}

func timerOverrunBySignalfd(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	defer timerDelete(t, id)
	set := bit(sigRT1)
	fd, e := call(syscall.SYS_SIGNALFD4, ^uintptr(0), ptr(&set), 8, 0)
	t.Want("signalfd4", e, syscall.Errno(0))
	defer syscall.Close(int(fd))
	start := time.Now()
	timerSet(id, 0, 50*time.Microsecond, 50*time.Microsecond)
	busy(20 * time.Millisecond)
	b := make([]byte, 128)
	_, err := syscall.Read(int(fd), b)
	most := time.Since(start) / (50 * time.Microsecond)
	t.Must("read", err)
	n := binary.LittleEndian.Uint32(b[32:])
	if n < 399 || time.Duration(n) > most {
		t.Errorf("overrun %d, %d at most", n, most)
	}
	last, _ := call(syscall.SYS_TIMER_GETOVERRUN, uintptr(id))
	t.Want("timer_getoverrun", last, uintptr(n))
}

func timerOverrunEnds(t *T) {
	id := timerForThis(t, clkMonotonic, 0)
	timerSet(id, 0, 1, 1)
	time.Sleep(2200 * time.Millisecond)
	var i siginfo
	takeAgain(bit(sigRT1), &i, time.Minute)
	t.Want("overrun", i.int(20), int32(math.MaxInt32))
	timerDelete(t, id)
	takeAgain(bit(sigRT1), &i, time.Millisecond)
}

func timerItimerShortest(t *T) {
	defer noteSignal(t, syscall.SIGALRM, 0, 0)()
	for _, which := range []uintptr{0, 1, 2} {
		if which == 1 { // SIGVTALRM and SIGPROF
			defer noteSignal(t, syscall.SIGVTALRM, 0, 0)()
			defer noteSignal(t, syscall.SIGPROF, 0, 0)()
		}
		call(syscall.SYS_SETITIMER, which, ptr(&[4]int64{0, 1, 0, 1}), 0)
		for start := time.Now(); runs() < 3 && time.Since(start) < time.Minute; {
		}
		call(syscall.SYS_SETITIMER, which, ptr(&[4]int64{}), 0)
		t.Want("signals come", runs() >= 3, true)
	}
}

func timerIntervalWithoutValue(t *T) {
	var now [4]int64
	call(syscall.SYS_SETITIMER, 0, ptr(&[4]int64{5, 0, 0, 0}), 0)
	call(syscall.SYS_GETITIMER, 0, ptr(&now))
	t.Want("ITIMER_REAL", now, [4]int64{})
	call(syscall.SYS_SETITIMER, 1, ptr(&[4]int64{5, 0, 0, 0}), 0)
	call(syscall.SYS_GETITIMER, 1, ptr(&now))
	t.Want("ITIMER_VIRTUAL", now, [4]int64{5, 0, 0, 0})
	call(syscall.SYS_SETITIMER, 1, ptr(&[4]int64{}), 0)
	id, _ := timerCreate(clkMonotonic, &sigevent{signo: int32(syscall.SIGURG)})
	defer timerDelete(t, id)
	timerSet(id, 0, 0, 5*time.Second)
	var s itimerspec
	call(syscall.SYS_TIMER_GETTIME, uintptr(id), ptr(&s))
	t.Want("timer_gettime", s, itimerspec{})
}

func newTimerfd(t *T, flags uintptr, first, interval time.Duration) int {
	fd, e := call(syscall.SYS_TIMERFD_CREATE, clkMonotonic, 0)
	t.Want("timerfd_create", e, syscall.Errno(0))
	_, e = call(syscall.SYS_TIMERFD_SETTIME, fd, flags, ptr(&itimerspec{*spec(interval), *spec(first)}), 0)
	t.Want("timerfd_settime", e, syscall.Errno(0))
	return int(fd)
}

func expirations(fd int) time.Duration {
	var b [8]byte
	syscall.Read(fd, b[:])
	return time.Duration(binary.LittleEndian.Uint64(b[:]))
}

func timerfdShortest(t *T) {
	start := time.Now()
	fd := newTimerfd(t, 0, 1, 1)
	defer syscall.Close(fd)
	busy(30 * time.Millisecond)
	n := expirations(fd)
	if most := time.Since(start); n < 29*time.Millisecond || n > most {
		t.Errorf("%d expirations in %d ns", n, most)
	}
}

// timerfdTellsOnce: until it is looked at, a periodic timer is ready once, not at each of its times.
func timerfdTellsOnce(t *T) {
	fd := newTimerfd(t, 0, time.Millisecond, time.Millisecond)
	defer syscall.Close(fd)
	epoll, err := syscall.EpollCreate1(0)
	t.Must("epoll_create1", err)
	defer syscall.Close(epoll)
	const edges = 1 << 31
	t.Must("epoll_ctl", syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN | edges}))
	ready := func(ms int) (n int) {
		events := make([]syscall.EpollEvent, 1)
		for err := error(syscall.EINTR); err == syscall.EINTR; {
			n, err = syscall.EpollWait(epoll, events, ms)
		}
		return n
	}
	t.Want("first", ready(60000), 1)
	undisturbed(func() { t.Want("then", ready(30), 0) })
	expirations(fd)
	t.Want("after a read", ready(60000), 1)
	var s itimerspec
	call(syscall.SYS_TIMERFD_GETTIME, uintptr(fd), ptr(&s))
	t.Want("after a look", ready(60000), 1)
}

func timerfdLongPast(t *T) {
	time.Sleep(10 * time.Millisecond)
	fd := newTimerfd(t, 1, 1, time.Millisecond) // absolute: since the start of the clock
	defer syscall.Close(fd)
	n := expirations(fd) * time.Millisecond
	up := time.Duration(now(t, clkMonotonic).ns())
	if n > up+time.Millisecond || n < up-up/2 {
		t.Errorf("%v after %v", n, up)
	}
}
