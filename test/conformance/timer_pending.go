package main

import (
	"encoding/binary"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Timers whose signal is pending while they are changed or deleted.
var timerPendingChecks = []check{
	{"deleted-while-pending", onSignalThread(timerDeletedWhilePending)},
	{"deleted-before-others", onSignalThread(timerDeletedBeforeOthers)},
	{"deleted-signalfd", onSignalThread(timerDeletedSignalfd)},
	{"deleted-handler", onSignalThread(timerDeletedHandler)},
	{"set-while-pending", onSignalThread(timerSetWhilePending)},
	{"set-resets-overrun", onSignalThread(timerSetResetsOverrun)},
	{"of-one-standard-signal", onSignalThread(timerOfOneStandardSignal)},
	{"told-by-another", onSignalThread(timerToldByAnother)},
}

// needDrops skips where the system is a Linux that still delivers what a timer sent before it was deleted
// or set.
func needDrops(t *T) {
	var u syscall.Utsname
	t.Must("uname", syscall.Uname(&u))
	var release strings.Builder
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	part := strings.SplitN(release.String(), ".", 3)
	major, _ := strconv.Atoi(part[0])
	minor, _ := strconv.Atoi(part[1])
	if (major < 6 || major == 6 && minor < 13) && !strings.Contains(release.String(), "gosolo") {
		t.Skipf("Linux before 6.13 delivers it")
	}
}

// timerPending is a timer for this thread that has expired, and whose signal waits.
func timerPending(t *T, clock uintptr, s syscall.Signal, value uint64, interval time.Duration) int32 {
	block(s)
	id, e := timerCreate(clock, &sigevent{value: value, signo: int32(s), notify: sigevThreadID, tid: int32(syscall.Gettid())})
	t.Want("timer_create", e, syscall.Errno(0))
	timerExpire(t, id, s, interval)
	return id
}

// timerExpire sets a timer, and returns after its signal has been sent.
func timerExpire(t *T, id int32, s syscall.Signal, interval time.Duration) {
	timerSet(id, 0, time.Millisecond, interval)
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		var left itimerspec
		_, e := call(syscall.SYS_TIMER_GETTIME, uintptr(id), ptr(&left))
		t.Want("timer_gettime", e, syscall.Errno(0))
		if late := time.Since(start); pendingSet()&bit(s) != 0 && (left.value == timespec{} || interval != 0) && late > 3*time.Millisecond {
			return
		} else if late > time.Minute {
			t.Fatalf("no signal")
		}
	}
}

func timerDeletedWhilePending(t *T) {
	needDrops(t)
	for _, clock := range []uintptr{clkMonotonic, clkReal} {
		for _, interval := range []time.Duration{0, time.Millisecond, time.Hour} {
			id := timerPending(t, clock, sigRT1, 0, interval)
			timerDelete(t, id)
			_, e := call(syscall.SYS_TIMER_GETOVERRUN, uintptr(id))
			t.Want("gone", e, syscall.EINVAL)
			t.Want("still told", pendingSet()&bit(sigRT1), bit(sigRT1))
			_, e = take(bit(sigRT1), &siginfo{}, 0)
			t.Want("not delivered", e, syscall.EAGAIN)
			t.Want("told after that", pendingSet()&bit(sigRT1), uint64(0))
		}
	}
}

// timerDeletedBeforeOthers: what else is pending with the number stays, in its order.
func timerDeletedBeforeOthers(t *T) {
	needDrops(t)
	a := timerPending(t, clkMonotonic, sigRT1, 1, 0)
	queue(sigRT1, siQueue, 2)
	b, e := timerCreate(clkMonotonic, &sigevent{value: 3, signo: int32(sigRT1), notify: sigevThreadID, tid: int32(syscall.Gettid())})
	t.Want("timer_create", e, syscall.Errno(0))
	timerExpire(t, b, sigRT1, 0)
	queue(sigRT1, siQueue, 4)
	timerDelete(t, a)
	for _, want := range []byte{2, 3, 4} {
		var i siginfo
		_, e := take(bit(sigRT1), &i, 0)
		t.Want("error", e, syscall.Errno(0))
		t.Want("value", i[24], want)
	}
	_, e = take(bit(sigRT1), &siginfo{}, 0)
	t.Want("no more", e, syscall.EAGAIN)
	timerDelete(t, b)
}

func timerDeletedSignalfd(t *T) {
	needDrops(t)
	set := bit(sigRT1)
	fd, e := call(syscall.SYS_SIGNALFD4, ^uintptr(0), ptr(&set), 8, syscall.O_NONBLOCK)
	t.Want("signalfd4", e, syscall.Errno(0))
	defer syscall.Close(int(fd))
	timerDelete(t, timerPending(t, clkMonotonic, sigRT1, 0, 0))
	b := make([]byte, 256)
	_, err := syscall.Read(int(fd), b)
	t.Want("read", err, error(syscall.EAGAIN))
	timerDelete(t, timerPending(t, clkMonotonic, sigRT1, 0, 0))
	queue(sigRT1, siQueue, 9)
	n, err := syscall.Read(int(fd), b)
	t.Must("read", err)
	t.Want("bytes", n, 128)
	t.Want("value", b[48], byte(9)) // ssi_ptr
}

func timerDeletedHandler(t *T) {
	needDrops(t)
	defer noteSignal(t, syscall.SIGUSR2, 0, 0)()
	old := setMask(bit(syscall.SIGUSR2))
	id := timerPending(t, clkMonotonic, syscall.SIGUSR2, 0, 0)
	timerDelete(t, id)
	setMask(old)
	t.Want("handled", runs(), uint64(0))
	setMask(bit(syscall.SIGUSR2))
	id = timerPending(t, clkMonotonic, syscall.SIGUSR2, 0, 0)
	setMask(old)
	t.Want("handled, of a timer that is there", runs(), uint64(1))
	timerDelete(t, id)
	sendSelf(syscall.SIGUSR2)
	t.Want("handled, of who sends it", runs(), uint64(2))
}

// timerSetWhilePending: the signal of the old setting does not count, and the new one's comes once.
func timerSetWhilePending(t *T) {
	needDrops(t)
	var i siginfo
	id := timerPending(t, clkMonotonic, sigRT1, 0, 0)
	timerSet(id, 0, time.Hour, 0)
	_, e := take(bit(sigRT1), &i, 0)
	t.Want("set to later", e, syscall.EAGAIN)
	timerExpire(t, id, sigRT1, 0)
	timerSet(id, 0, 0, 0)
	_, e = take(bit(sigRT1), &i, 0)
	t.Want("disarmed", e, syscall.EAGAIN)
	timerExpire(t, id, sigRT1, time.Millisecond)
	time.Sleep(5 * time.Millisecond)
	timerExpire(t, id, sigRT1, 0)
	s, e := takeAgain(bit(sigRT1), &i, time.Minute)
	t.Want("the new one's", s, sigRT1)
	t.Want("error", e, syscall.Errno(0))
	t.Want("overrun", i.int(20), int32(0))
	_, e = take(bit(sigRT1), &i, 0)
	t.Want("no second", e, syscall.EAGAIN)
	timerDelete(t, id)
}

func timerSetResetsOverrun(t *T) {
	id := timerPending(t, clkMonotonic, sigRT1, 0, time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	takeAgain(bit(sigRT1), &siginfo{}, time.Minute)
	n, _ := call(syscall.SYS_TIMER_GETOVERRUN, uintptr(id))
	t.Want("overrun", n >= 18, true)
	timerSet(id, 0, time.Hour, 0)
	n, e := call(syscall.SYS_TIMER_GETOVERRUN, uintptr(id))
	t.Want("timer_getoverrun", e, syscall.Errno(0))
	t.Want("overrun of the new setting", n, uintptr(0))
	timerDelete(t, id)
}

// timerOfOneStandardSignal: each timer has a place in the queue, also of a signal that does not queue.
func timerOfOneStandardSignal(t *T) {
	const s = syscall.SIGUSR1
	block(s)
	var i siginfo
	all := func(want ...byte) {
		for _, v := range want {
			_, e := take(bit(s), &i, 0)
			t.Want("error", e, syscall.Errno(0))
			t.Want("value", i[24], v)
		}
		_, e := take(bit(s), &i, 0)
		t.Want("no more", e, syscall.EAGAIN)
	}
	a := timerPending(t, clkMonotonic, s, 1, 0)
	b := timerPending(t, clkMonotonic, s, 2, 0)
	time.Sleep(10 * time.Millisecond)
	queue(s, siQueue, 3) // one is pending: this is none
	all(1, 2)
	queue(s, siQueue, 3)
	timerExpire(t, b, s, 0)
	time.Sleep(10 * time.Millisecond)
	all(3, 2)
	timerDelete(t, a)
	timerDelete(t, b)
}

// timerToldByAnother: a program may say that its signal is a timer's; nobody asks which.
func timerToldByAnother(t *T) {
	block(sigRT1)
	id := timerForThis(t, clkMonotonic, 1)
	timerDelete(t, id)
	var i siginfo
	t.Want("sigqueue", queue(sigRT1, siTimer, 0x1122334455667788), syscall.Errno(0))
	s, e := take(bit(sigRT1), &i, 0)
	t.Want("taken", s, sigRT1)
	t.Want("error", e, syscall.Errno(0))
	t.Want("si_code", i.int(8), int32(siTimer))
	t.Want("si_uid", i.int(20), int32(77))
	t.Want("si_value", binary.LittleEndian.Uint64(i[24:]), uint64(0x1122334455667788))
}
