package main

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// Devices: /dev, and descriptors of things that are no files: events, timers, signals; waiting for
// them.
var deviceChecks = []check{
	{"null", devNull},
	{"zero-and-full", devZeroAndFull},
	{"random", devRandom},
	{"tty-without-terminal", devTtyWithoutTerminal},
	{"standard-files", devStandardFiles},
	{"shared-memory", devSharedMemory},
	{"kinds-and-numbers", devKindsAndNumbers},
	{"eventfd", eventfdCounts},
	{"eventfd-waits", eventfdWaits},
	{"timerfd", timerfdFires},
	{"timerfd-settings", timerfdSettings},
	{"signalfd", signalfdReads},
	{"signalfd-polled", signalfdPolled},
	{"time-left", timeLeft},
	{"poll", pollReports},
	{"select", selectReports},
	{"pipe-size", pipeSize},
}

func devNull(t *T) {
	fd := open(t, "/dev/null", syscall.O_RDWR, 0)
	defer syscall.Close(fd)
	n, err := syscall.Write(fd, make([]byte, 100000))
	t.Want("write", n == 100000 && err == nil, true)
	n, err = syscall.Read(fd, make([]byte, 10))
	t.Want("read", n == 0 && err == nil, true)
	n, err = syscall.Pread(fd, make([]byte, 10), 50)
	t.Want("pread", n == 0 && err == nil, true)
	t.Want("ftruncate", errnoOf(syscall.Ftruncate(fd, 0)), syscall.EINVAL)
	t.Want("open with O_TRUNC", openError("/dev/null", syscall.O_WRONLY|syscall.O_TRUNC), syscall.Errno(0))
	_, e := call(syscall.SYS_IOCTL, uintptr(fd), syscall.TCGETS, 0)
	t.Want("TCGETS", e, syscall.ENOTTY)
}

func devZeroAndFull(t *T) {
	for _, name := range []string{"/dev/zero", "/dev/full"} {
		fd := open(t, name, syscall.O_RDWR, 0)
		b := bytes.Repeat([]byte{1}, 10000)
		n, err := syscall.Read(fd, b)
		t.Want("read", n == 10000 && err == nil && bytes.Equal(b, make([]byte, 10000)), true)
		n, err = syscall.Write(fd, b)
		if name == "/dev/zero" {
			t.Want("write to zero", n == 10000 && err == nil, true)
		} else {
			t.Want("write to full", errnoOf(err), syscall.ENOSPC)
		}
		syscall.Close(fd)
	}
}

func devRandom(t *T) {
	for _, name := range []string{"/dev/urandom", "/dev/random"} {
		a, b := make([]byte, 1000), make([]byte, 1000)
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		t.Must("open", err)
		_, err = io.ReadFull(f, a)
		t.Must("read", err)
		_, err = io.ReadFull(f, b)
		t.Must("read", err)
		t.Want("different", bytes.Equal(a, b), false)
		seen := map[byte]bool{}
		for _, x := range a {
			seen[x] = true
		}
		t.Want("many values", len(seen) > 150, true)
		_, err = f.Write(a)
		t.Must("write", err)
		f.Close()
	}
}

func isTerminal(fd int) bool {
	var termios [60]byte
	_, e := call(syscall.SYS_IOCTL, uintptr(fd), syscall.TCGETS, ptr(&termios[0]))
	return e == 0
}

// devTtyWithoutTerminal: where no standard file is a terminal there is no /dev/tty, unless the
// session has one that is not ours.
func devTtyWithoutTerminal(t *T) {
	if isTerminal(0) || isTerminal(1) || isTerminal(2) {
		return // there may be one
	}
	if e := openError("/dev/tty", syscall.O_RDWR); e != syscall.ENXIO && e != 0 {
		t.Errorf("open: %v", e)
	}
	r, w := pipe(t, 0)
	for _, request := range []uintptr{syscall.TCGETS, syscall.TIOCGWINSZ, syscall.TIOCGPGRP, 0x5411 /* TIOCOUTQ */} {
		var b [60]byte
		_, e := call(syscall.SYS_IOCTL, uintptr(r), request, ptr(&b[0]))
		t.Want("of a pipe", e, syscall.ENOTTY)
	}
	syscall.Close(r)
	syscall.Close(w)
}

func devStandardFiles(t *T) {
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		link, err := os.Readlink("/dev/" + name)
		if name == "fd" || err == nil { // containers may leave out the others
			t.Want(name, link, target)
		}
	}
	dir, fd := newFile(t, 10)
	defer os.RemoveAll(dir)
	t.Want("a descriptor's", contents(t, "/dev/fd/"+itoa(fd)), string(fill(10, 1)))
	syscall.Close(fd)
	t.Want("a closed one", openError("/dev/fd/"+itoa(fd), 0), syscall.ENOENT)
	r, w := pipe(t, 0)
	again := open(t, "/dev/fd/"+itoa(w), syscall.O_WRONLY, 0)
	syscall.Write(again, []byte("pipe"))
	b := make([]byte, 10)
	n, _ := syscall.Read(r, b)
	t.Want("a pipe, opened again", string(b[:n]), "pipe")
	for _, f := range []int{r, w, again} {
		syscall.Close(f)
	}
}

func devSharedMemory(t *T) {
	f, err := os.CreateTemp("/dev/shm", "conformance")
	t.Must("create in /dev/shm", err)
	defer os.Remove(f.Name())
	defer f.Close()
	t.Must("truncate", f.Truncate(page))
	a := mapOf(t, int(f.Fd()), 1, rw, mapShared, 0)
	*at(a) = 9
	unmap(t, a, 1)
	b := make([]byte, 1)
	f.ReadAt(b, 0)
	t.Want("stored", b[0], byte(9))
	st := stat(t, "/dev/shm")
	t.Want("mode", st.Mode&0o1777, uint32(0o1777))
}

func devKindsAndNumbers(t *T) {
	for name, number := range map[string]uint64{"null": 1<<8 | 3, "zero": 1<<8 | 5, "full": 1<<8 | 7,
		"random": 1<<8 | 8, "urandom": 1<<8 | 9, "tty": 5 << 8} {
		st := stat(t, "/dev/"+name)
		t.Want("kind of "+name, st.Mode&syscall.S_IFMT, uint32(syscall.S_IFCHR))
		t.Want("number of "+name, st.Rdev, number)
	}
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

type pollfd struct {
	fd              int32
	events, revents int16
}

func pollOne(fd int, events int16, ms uintptr) (uintptr, int16) {
	p := pollfd{fd: int32(fd), events: events}
	var n uintptr
	again(func() (e syscall.Errno) {
		n, e = call(syscall.SYS_POLL, ptr(&p), 1, ms)
		return e
	})
	return n, p.revents
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
	t.Want("expirations are counted", v >= 9, true)
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
		var old uint64
		raw4(syscall.SYS_RT_SIGPROCMASK, 0 /* SIG_BLOCK */, ptr(&set), ptr(&old), 8)
		f()
		var none [2]int64
		for {
			if _, e := raw4(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&set), 0, ptr(&none), 8); e != 0 {
				break
			}
		}
		raw4(syscall.SYS_RT_SIGPROCMASK, 2, ptr(&old), 0, 8)
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

// timeLeft: the time that is left is stored, by all calls but poll and epoll.
func timeLeft(t *T) {
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	defer syscall.Close(w)
	check := func(what string, left, of time.Duration) {
		if left <= 0 || left >= of {
			t.Errorf("%s: %v is left of %v", what, left, of)
		}
	}
	set := func() (s [16]uint64) { s[r/64] |= 1 << (r % 64); return s }
	in := set()
	tv := syscall.Timeval{Sec: 100}
	done := soon(func() { syscall.Write(w, []byte("x")) })
	call(syscall.SYS_SELECT, uintptr(r+1), ptr(&in), 0, 0, ptr(&tv))
	<-done
	check("select", time.Duration(tv.Nano()), 100*time.Second)
	ts := syscall.Timespec{Sec: 100}
	in = set()
	call(syscall.SYS_PSELECT6, uintptr(r+1), ptr(&in), 0, 0, ptr(&ts), 0)
	check("pselect6", time.Duration(ts.Nano()), 100*time.Second)
	ts = syscall.Timespec{Sec: 100}
	p := pollfd{fd: int32(r), events: 1}
	call(syscall.SYS_PPOLL, ptr(&p), 1, ptr(&ts), 0, 8)
	check("ppoll", time.Duration(ts.Nano()), 100*time.Second)
	syscall.Read(r, make([]byte, 1))
	ts = syscall.Timespec{Nsec: 10e6}
	var n uintptr
	again(func() (e syscall.Errno) { // with what is left of the time
		n, e = call(syscall.SYS_PPOLL, ptr(&p), 1, ptr(&ts), 0, 8)
		return e
	})
	t.Want("after the time", n == 0 && ts.Nano() == 0, true)
	tv = syscall.Timeval{}
	in = set()
	n, _ = call(syscall.SYS_SELECT, uintptr(r+1), ptr(&in), 0, 0, ptr(&tv))
	t.Want("no time", n == 0 && tv.Nano() == 0, true)
	runtime.KeepAlive(in)
}

func pollReports(t *T) {
	r, w := pipe(t, 0)
	n, got := pollOne(w, 4, 0)
	t.Want("a pipe with room", n == 1 && got == 4, true)
	dir, fd := newFile(t, 1)
	defer os.RemoveAll(dir)
	n, got = pollOne(fd, 5, 0)
	t.Want("a file", n == 1 && got == 5, true)
	syscall.Close(fd)
	n, got = pollOne(fd, 1, 1000)
	t.Want("a closed one", n == 1 && got == 0x20, true) // POLLNVAL
	n, got = pollOne(-1, 1, 0)
	t.Want("a negative one", n == 0 && got == 0, true)
	syscall.Close(w)
	n, got = pollOne(r, 1, 1000)
	t.Want("hang-up", n == 1 && got == 0x10, true)
	n, got = pollOne(r, 0, 1000)
	t.Want("hang-up, not asked for", n == 1 && got == 0x10, true)
	syscall.Close(r)
	r, w = pipe(t, 0)
	syscall.Close(r)
	n, got = pollOne(w, 0, 0)
	t.Want("no reader", n == 1 && got == 8, true) // POLLERR
	syscall.Close(w)
	_, e := call(syscall.SYS_POLL, badPointer, 1, 0)
	t.Want("bad pointer", e, syscall.EFAULT)
}

func selectReports(t *T) {
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	var zero syscall.Timeval
	var in, out [16]uint64
	in[r/64] |= 1 << (r % 64)
	out[w/64] |= 1 << (w % 64)
	most := uintptr(max(r, w) + 1)
	n, e := call(syscall.SYS_SELECT, most, ptr(&in), ptr(&out), 0, ptr(&zero))
	t.Want("writable", n == 1 && e == 0 && out[w/64] != 0, true)
	t.Want("not readable", in[r/64], uint64(0))
	syscall.Close(w)
	in[r/64] |= 1 << (r % 64)
	n, _ = call(syscall.SYS_SELECT, uintptr(r+1), ptr(&in), 0, 0, ptr(&zero))
	t.Want("the end is readable", n, uintptr(1))
	in = [16]uint64{}
	in[w/64] |= 1 << (w % 64)
	_, e = call(syscall.SYS_SELECT, uintptr(w+1), ptr(&in), 0, 0, ptr(&zero))
	t.Want("a closed one", e, syscall.EBADF)
	_, e = call(syscall.SYS_SELECT, ^uintptr(0), 0, 0, 0, ptr(&zero))
	t.Want("negative", e, syscall.EINVAL)
	bad := syscall.Timeval{Sec: -1}
	_, e = call(syscall.SYS_SELECT, 0, 0, 0, 0, ptr(&bad))
	t.Want("negative time", e, syscall.EINVAL)
}

func pipeSize(t *T) {
	const setSize, getSize = 1031, 1032
	r, w := pipe(t, syscall.O_NONBLOCK)
	defer syscall.Close(r)
	defer syscall.Close(w)
	n, _ := call(syscall.SYS_FCNTL, uintptr(r), getSize, 0)
	t.Want("at first", n, uintptr(65536))
	n, e := call(syscall.SYS_FCNTL, uintptr(w), setSize, 100000)
	t.Want("rounded up", n == 131072 && e == 0, true)
	filled := 0
	for {
		k, err := syscall.Write(w, make([]byte, 4096))
		if err != nil {
			t.Want("full", errnoOf(err), syscall.EAGAIN)
			break
		}
		filled += k
	}
	t.Want("holds that much", filled, 131072)
	_, e = call(syscall.SYS_FCNTL, uintptr(w), setSize, 4096)
	t.Want("too small for what it holds", e, syscall.EBUSY)
	var left int32
	call(syscall.SYS_IOCTL, uintptr(r), 0x541b, ptr(&left))
	t.Want("FIONREAD", left, int32(131072))
}
