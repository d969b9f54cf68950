package main

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Descriptors of events, timers and signals.
var deviceEventChecks = []check{
	{"eventfd", eventfdCounts},
	{"eventfd-waits", eventfdWaits},
	{"timerfd", timerfdFires},
	{"timerfd-settings", timerfdSettings},
	{"signalfd", signalfdReads},
	{"signalfd-polled", signalfdPolled},
}

func newEventfd(t *T, initial, flags uintptr) int {
	fd, e := call(syscall.SYS_EVENTFD2, initial, flags)
	t.Want("eventfd2", e, syscall.Errno(0))
	return int(fd)
}

func word(v *uint64) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), 8) }

func eventfdCounts(t *T) {
	const nonblock, semaphore = syscall.O_NONBLOCK, 1
	var v uint64
	fd := newEventfd(t, 5, nonblock)
	add := func(n uint64) syscall.Errno { _, err := syscall.Write(fd, word(&n)); return errnoOf(err) }
	take := func() syscall.Errno { _, err := syscall.Read(fd, word(&v)); return errnoOf(err) }
	t.Want("add", add(7), syscall.Errno(0))
	t.Want("take", take() == 0 && v == 12, true)
	t.Want("empty", take(), syscall.EAGAIN)
	t.Want("forbidden value", add(^uint64(0)), syscall.EINVAL)
	t.Want("to the brim", add(^uint64(0)-1), syscall.Errno(0))
	t.Want("one more", add(1), syscall.EAGAIN)
	_, err := syscall.Read(fd, make([]byte, 4))
	t.Want("short buffer", errnoOf(err), syscall.EINVAL)
	syscall.Close(fd)
	fd = newEventfd(t, 2, nonblock|semaphore)
	t.Want("one", take() == 0 && v == 1, true)
	t.Want("another", take() == 0 && v == 1, true)
	t.Want("no more", take(), syscall.EAGAIN)
	syscall.Close(fd)
	_, e := call(syscall.SYS_EVENTFD2, 0, 2)
	t.Want("unknown flag", e, syscall.EINVAL)
}

func eventfdWaits(t *T) {
	fd := newEventfd(t, 0, 0)
	defer syscall.Close(fd)
	one := uint64(3)
	_, got := pollOne(fd, 5, 0)
	t.Want("writable only", got, int16(4))
	done := soon(func() { syscall.Write(fd, word(&one)) })
	n, got := pollOne(fd, 1, 10000)
	t.Want("becomes readable", n == 1 && got == 1, true)
	<-done
	var v uint64
	syscall.Read(fd, word(&v))
	done = soon(func() { syscall.Write(fd, word(&one)) })
	syscall.Read(fd, word(&v))
	t.Want("waited for", v, uint64(3))
	<-done
}

type timerSetting struct{ interval, value syscall.Timespec }

func timerfdSet(fd int, flags uintptr, interval, value time.Duration, old *timerSetting) syscall.Errno {
	s := timerSetting{syscall.NsecToTimespec(int64(interval)), syscall.NsecToTimespec(int64(value))}
	var o uintptr
	if old != nil {
		o = ptr(old)
	}
	_, e := call(syscall.SYS_TIMERFD_SETTIME, uintptr(fd), flags, ptr(&s), o)
	return e
}

func timerfdFires(t *T) {
	r, e := call(syscall.SYS_TIMERFD_CREATE, 1 /* CLOCK_MONOTONIC */, 0)
	t.Want("timerfd_create", e, syscall.Errno(0))
	fd := int(r)
	defer syscall.Close(fd)
	begin := time.Now()
	t.Want("set", timerfdSet(fd, 0, 0, 50*time.Millisecond, nil), syscall.Errno(0))
	n, _ := pollOne(fd, 1, 0)
	t.Want("not yet", n, uintptr(0))
	var v uint64
	syscall.Read(fd, word(&v))
	t.Want("once", v, uint64(1))
	t.Want("not before its time", time.Since(begin) >= 50*time.Millisecond, true)
	timerfdSet(fd, 0, 10*time.Millisecond, 10*time.Millisecond, nil)
	time.Sleep(100 * time.Millisecond)
	n, got := pollOne(fd, 1, 0)
	t.Want("poll", n == 1 && got == 1, true)
	syscall.Read(fd, word(&v))
	if v < 9 {
		t.Errorf("%d expirations of 10 ms were counted in 100 ms", v)
	}
	syscall.Read(fd, word(&v))
	t.Want("and go on", v >= 1, true)
	var now syscall.Timespec
	call(syscall.SYS_CLOCK_GETTIME, 1, ptr(&now))
	timerfdSet(fd, 1 /* TFD_TIMER_ABSTIME */, 0, time.Duration(now.Nano())-time.Second, nil)
	syscall.Read(fd, word(&v))
	t.Want("a time that has passed", v, uint64(1))
}

func timerfdSettings(t *T) {
	r, _ := call(syscall.SYS_TIMERFD_CREATE, 1, syscall.O_NONBLOCK)
	fd := int(r)
	defer syscall.Close(fd)
	var v uint64
	_, err := syscall.Read(fd, word(&v))
	t.Want("not armed", errnoOf(err), syscall.EAGAIN)
	timerfdSet(fd, 0, 2*time.Second, time.Hour, nil)
	var now, old timerSetting
	_, e := call(syscall.SYS_TIMERFD_GETTIME, uintptr(fd), ptr(&now))
	t.Want("gettime", e, syscall.Errno(0))
	left := time.Duration(now.value.Nano())
	t.Want("time left", left > 59*time.Minute && left <= time.Hour, true)
	t.Want("interval", time.Duration(now.interval.Nano()), 2*time.Second)
	timerfdSet(fd, 0, 0, 0, &old)
	t.Want("the old setting", time.Duration(old.interval.Nano()), 2*time.Second)
	call(syscall.SYS_TIMERFD_GETTIME, uintptr(fd), ptr(&now))
	t.Want("disarmed", now, timerSetting{})
	_, err = syscall.Read(fd, make([]byte, 4))
	t.Want("short buffer", errnoOf(err), syscall.EINVAL)
	_, e = call(syscall.SYS_TIMERFD_CREATE, 99, 0)
	t.Want("unknown clock", e, syscall.EINVAL)
	_, e = call(syscall.SYS_TIMERFD_CREATE, 1, 1)
	t.Want("unknown flag", e, syscall.EINVAL)
	bad := timerSetting{value: syscall.Timespec{Nsec: 1e9}}
	_, e = call(syscall.SYS_TIMERFD_SETTIME, uintptr(fd), 0, ptr(&bad), 0)
	t.Want("bad time", e, syscall.EINVAL)
	null := open(t, "/dev/null", syscall.O_RDONLY, 0)
	t.Want("no timer", timerfdSet(null, 0, 0, 1, nil), syscall.EINVAL)
	syscall.Close(null)
}

// blocked runs f on a thread that blocks the signals of set, and takes what is left of them.
func blocked(t *T, set uint64, f func()) {
	onOwnThread(func() {
		blocking(set, func() {
			f()
			var none [2]int64
			for {
				if _, e := raw4(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&set), 0, ptr(&none), 8); e != 0 {
					break
				}
			}
		})
	})
}

func signalBit(signo syscall.Signal) uint64 { return 1 << (uint(signo) - 1) }

func signalfdReads(t *T) {
	set := signalBit(syscall.SIGUSR1) | signalBit(syscall.SIGUSR2) | signalBit(40)
	blocked(t, set, func() {
		self := syscall.Gettid()
		r, e := call(syscall.SYS_SIGNALFD4, ^uintptr(0), ptr(&set), 8, syscall.O_NONBLOCK)
		t.Want("signalfd4", e, syscall.Errno(0))
		fd := int(r)
		defer syscall.Close(fd)
		b := make([]byte, 128*4)
		_, err := syscall.Read(fd, b)
		t.Want("nothing", errnoOf(err), syscall.EAGAIN)
		tgkill(self, uintptr(syscall.SIGUSR2))
		tgkill(self, uintptr(syscall.SIGUSR1))
		tgkill(self, uintptr(syscall.SIGUSR1)) // is pending already
		tgkill(self, 40)
		tgkill(self, 40)
		n, err := syscall.Read(fd, b)
		t.Must("read", err)
		t.Want("four", n, 4*128)
		for i, want := range []byte{byte(syscall.SIGUSR1), byte(syscall.SIGUSR2), 40, 40} {
			t.Want("signal", b[i*128], want)
			code := *(*int32)(unsafe.Pointer(&b[i*128+8]))
			t.Want("code", code, int32(-6)) // SI_TKILL
			t.Want("sender", *(*uint32)(unsafe.Pointer(&b[i*128+12])), uint32(os.Getpid()))
		}
		_, err = syscall.Read(fd, b)
		t.Want("taken", errnoOf(err), syscall.EAGAIN)
		_, err = syscall.Read(fd, b[:100])
		t.Want("short buffer", errnoOf(err), syscall.EINVAL)
		other := signalBit(syscall.SIGUSR2)
		r, e = call(syscall.SYS_SIGNALFD4, uintptr(fd), ptr(&other), 8, 0)
		t.Want("another set", e == 0 && int(r) == fd, true)
		tgkill(self, uintptr(syscall.SIGUSR1))
		_, err = syscall.Read(fd, b)
		t.Want("not in it", errnoOf(err), syscall.EAGAIN)
	})
	_, e := call(syscall.SYS_SIGNALFD4, ^uintptr(0), ptr(&set), 4, 0)
	t.Want("wrong size", e, syscall.EINVAL)
	_, e = call(syscall.SYS_SIGNALFD4, ^uintptr(0), ptr(&set), 8, 1)
	t.Want("unknown flag", e, syscall.EINVAL)
	null := open(t, "/dev/null", syscall.O_RDONLY, 0)
	_, e = call(syscall.SYS_SIGNALFD4, uintptr(null), ptr(&set), 8, 0)
	t.Want("no signalfd", e, syscall.EINVAL)
	syscall.Close(null)
}

func signalfdPolled(t *T) {
	set := signalBit(syscall.SIGUSR1)
	blocked(t, set, func() {
		self := syscall.Gettid()
		r, _ := call(syscall.SYS_SIGNALFD4, ^uintptr(0), ptr(&set), 8, 0)
		fd := int(r)
		defer syscall.Close(fd)
		n, _ := pollOne(fd, 1, 0)
		t.Want("nothing", n, uintptr(0))
		done := soon(func() { tgkill(self, uintptr(syscall.SIGUSR1)) })
		n, got := pollOne(fd, 1, 10000)
		t.Want("poll", n == 1 && got == 1, true)
		<-done
		b := make([]byte, 128)
		k, _ := syscall.Read(fd, b)
		t.Want("read", k, 128)
		done = soon(func() { tgkill(self, uintptr(syscall.SIGUSR1)) })
		k, err := syscall.Read(fd, b)
		t.Want("waited for", k == 128 && err == nil, true)
		<-done
	})
}
