package main

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Devices: /dev, and descriptors of things that are no files: events, timers, signals; waiting for
// them.
var deviceChecks = slices.Concat(deviceNodeChecks, deviceEventChecks)

// Nodes of /dev, and waiting for them.
var deviceNodeChecks = []check{
	{"null", devNull},
	{"zero-and-full", devZeroAndFull},
	{"random", devRandom},
	{"tty-without-terminal", devTtyWithoutTerminal},
	{"standard-files", devStandardFiles},
	{"shared-memory", devSharedMemory},
	{"kinds-and-numbers", devKindsAndNumbers},
	{"time-left", timeLeft},
	{"poll", pollReports},
	{"select", selectReports},
	{"select-of-high-numbers", selectOfHighNumbers},
	{"poll-of-more-than-can-be-open", pollOfTooMany},
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

type pollfd struct {
	fd              int32
	events, revents int16
}

func pollOne(fd int, events int16, ms uintptr) (uintptr, int16) {
	p := pollfd{fd: int32(fd), events: events}
	n, _ := callAgain(syscall.SYS_POLL, ptr(&p), 1, ms)
	return n, p.revents
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
	callAgain(syscall.SYS_SELECT, uintptr(r+1), ptr(&in), 0, 0, ptr(&tv))
	<-done
	check("select", time.Duration(tv.Nano()), 100*time.Second)
	ts := syscall.Timespec{Sec: 100}
	in = set()
	callAgain(syscall.SYS_PSELECT6, uintptr(r+1), ptr(&in), 0, 0, ptr(&ts), 0)
	check("pselect6", time.Duration(ts.Nano()), 100*time.Second)
	ts = syscall.Timespec{Sec: 100}
	p := pollfd{fd: int32(r), events: 1}
	callAgain(syscall.SYS_PPOLL, ptr(&p), 1, ptr(&ts), 0, 8)
	check("ppoll", time.Duration(ts.Nano()), 100*time.Second)
	syscall.Read(r, make([]byte, 1))
	ts = syscall.Timespec{Nsec: 10e6}
	n, _ := callAgain(syscall.SYS_PPOLL, ptr(&p), 1, ptr(&ts), 0, 8) // with what is left of the time
	t.Want("after the time", n == 0 && ts.Nano() == 0, true)
	tv = syscall.Timeval{}
	in = set()
	n, _ = callAgain(syscall.SYS_SELECT, uintptr(r+1), ptr(&in), 0, 0, ptr(&tv))
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
	_, e := callAgain(syscall.SYS_POLL, badPointer, 1, 0)
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
	n, e := callAgain(syscall.SYS_SELECT, most, ptr(&in), ptr(&out), 0, ptr(&zero))
	t.Want("writable", n == 1 && e == 0 && out[w/64] != 0, true)
	t.Want("not readable", in[r/64], uint64(0))
	syscall.Close(w)
	in[r/64] |= 1 << (r % 64)
	n, _ = callAgain(syscall.SYS_SELECT, uintptr(r+1), ptr(&in), 0, 0, ptr(&zero))
	t.Want("the end is readable", n, uintptr(1))
	in = [16]uint64{}
	in[w/64] |= 1 << (w % 64)
	_, e = callAgain(syscall.SYS_SELECT, uintptr(w+1), ptr(&in), 0, 0, ptr(&zero))
	t.Want("a closed one", e, syscall.EBADF)
	_, e = callAgain(syscall.SYS_SELECT, ^uintptr(0), 0, 0, 0, ptr(&zero))
	t.Want("negative", e, syscall.EINVAL)
	bad := syscall.Timeval{Sec: -1}
	_, e = callAgain(syscall.SYS_SELECT, 0, 0, 0, 0, ptr(&bad))
	t.Want("negative time", e, syscall.EINVAL)
}

// selectOfHighNumbers: a set may be longer than C libraries make it; more than the table of descriptors has room
// for is not looked at.
func selectOfHighNumbers(t *T) {
	const high = 2900
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	defer syscall.Close(w)
	t.Must("dup3", syscall.Dup3(r, high, 0))
	defer syscall.Close(high)
	size := uint64(number(t, "FDSize", fields(t, "/proc/self/status")["FDSize"]))
	if size < 4096 || size&(size-1) != 0 {
		t.Errorf("FDSize is %d with descriptor %d open", size, high)
	}
	syscall.Write(w, []byte("x"))
	var zero syscall.Timeval
	in := make([]uint64, size/64+1)
	set := func(fd int) { in[fd/64] |= 1 << (fd % 64) }
	for _, n := range []uint64{high + 1, size, size + 1, 1<<31 - 1} {
		clear(in)
		set(r)
		set(high)
		got, e := callAgain(syscall.SYS_SELECT, uintptr(n), ptr(&in[0]), 0, 0, ptr(&zero))
		t.Want("select of "+itoa(int(n)), got == 2 && e == 0, true)
	}
	clear(in)
	set(r)
	set(high)
	got, _ := callAgain(syscall.SYS_SELECT, high, ptr(&in[0]), 0, 0, ptr(&zero))
	t.Want("select of one less", got, uintptr(1))
	clear(in)
	set(high + 1)
	_, e := callAgain(syscall.SYS_SELECT, high+2, ptr(&in[0]), 0, 0, ptr(&zero))
	t.Want("select of one that is not open", e, syscall.EBADF)
	clear(in)
	set(int(size))
	got, e = callAgain(syscall.SYS_SELECT, uintptr(size+1), ptr(&in[0]), 0, 0, ptr(&zero))
	t.Want("select of one that there is no room for", got == 0 && e == 0, true)
}

func pollOfTooMany(t *T) {
	var old syscall.Rlimit
	t.Must("getrlimit", syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	limit := syscall.Rlimit{Cur: 70, Max: old.Max}
	fds := make([]pollfd, 71)
	for i := range fds {
		fds[i].fd = -1
	}
	t.Must("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	_, all := callAgain(syscall.SYS_POLL, ptr(&fds[0]), 70, 0)
	_, more := callAgain(syscall.SYS_POLL, ptr(&fds[0]), 71, 0)
	t.Must("setrlimit back", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	t.Want("poll of as many as may be open", all, syscall.Errno(0))
	t.Want("poll of one more", more, syscall.EINVAL)
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
