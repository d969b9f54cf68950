package main

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

func removeAll(dir string) { os.RemoveAll(dir) }

// nestedPartial: a buffer of which only the first four bytes are there.
func nestedPartial(t *T) {
	edge, closed := newEdge(t)
	defer closed()
	places, done := vectorPlaces(t)
	defer done()
	for _, p := range places {
		got, e := call(syscall.SYS_READ, uintptr(p.from), edge.end-4, 8)
		if p.name == "file" {
			t.Want("read of a file", got, uintptr(4))
			t.Want("read of a file", string(bytesAt(edge.end-4, 4)), "0123")
		} else { // what does not fit stays
			t.Want("read of a "+p.name, e, efault)
			got, _ = call(syscall.SYS_READ, uintptr(p.from), edge.end-10, 10)
			t.Want("read again of a "+p.name, got, uintptr(10))
			t.Want("read again of a "+p.name, string(bytesAt(edge.end-10, 10)), "0123456789")
		}
		got, e = call(syscall.SYS_WRITE, uintptr(p.to), edge.end-4, 8)
		if p.name == "file" && e == 0 {
			t.Want("write to a file", got, uintptr(4))
		} else {
			t.Want("write to a "+p.name, e, efault)
		}
	}
	_, e := call(318 /* getrandom */, edge.end-4, 8, 0)
	t.Want("getrandom", e, syscall.Errno(0))
	zero := open(t, "/dev/zero", syscall.O_RDWR, 0)
	defer syscall.Close(zero)
	got, _ := call(syscall.SYS_READ, uintptr(zero), edge.end-4, 8)
	t.Want("read of /dev/zero", got, uintptr(4))
	got, _ = call(syscall.SYS_WRITE, uintptr(zero), badPointer, 8)
	t.Want("write to /dev/zero looks at nothing", got, uintptr(8))
	null := open(t, "/dev/null", syscall.O_RDWR, 0)
	defer syscall.Close(null)
	got, _ = call(syscall.SYS_WRITE, uintptr(null), badPointer, 8)
	t.Want("write to /dev/null looks at nothing", got, uintptr(8))
	got, e = call(syscall.SYS_READ, uintptr(null), badPointer, 8)
	t.Want("read of /dev/null looks at nothing", got, uintptr(0))
	t.Want("read of /dev/null looks at nothing", e, syscall.Errno(0))
	got, e = call(syscall.SYS_READ, uintptr(zero), badPointer, 0)
	t.Want("read of no bytes", e, syscall.Errno(0))
}

// msghdr is struct msghdr.
type msghdr struct {
	name       uintptr
	nameLen    uint32
	_          uint32
	vec, count uintptr
	control    uintptr
	controlLen uintptr
	flags      uint32
	_          uint32
}

type mmsghdr struct {
	msghdr
	len uint32
	_   uint32
}

// dgramPair is a pair of sockets, the first with datagrams to be read.
func dgramPair(t *T, datagrams ...string) (a, b uintptr, done func()) {
	s, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, 0)
	t.Must("socketpair", err)
	for _, d := range datagrams {
		syscall.Write(s[1], []byte(d))
	}
	return uintptr(s[0]), uintptr(s[1]), func() { syscall.Close(s[0]); syscall.Close(s[1]) }
}

func nestedMessage(t *T) {
	a, b, done := dgramPair(t, "datagram")
	defer done()
	buf := make([]byte, 16)
	vec := iovecOf(buf)
	good := msghdr{vec: ptr(&vec), count: 1}
	bad := map[string]struct {
		change func(m *msghdr)
		send   syscall.Errno
		recv   syscall.Errno
	}{
		"name":                    {func(m *msghdr) { m.name, m.nameLen = badPointer, 16 }, efault, 0},
		"vector":                  {func(m *msghdr) { m.vec = badPointer }, efault, efault},
		"vector, no part":         {func(m *msghdr) { m.vec, m.count = badPointer, 0 }, 0, 0},
		"vector, too many parts":  {func(m *msghdr) { m.count = 1025 }, syscall.EMSGSIZE, syscall.EMSGSIZE},
		"control":                 {func(m *msghdr) { m.control, m.controlLen = badPointer, 32 }, efault, 0},
		"control of no bytes":     {func(m *msghdr) { m.control = badPointer }, 0, 0},
		"control of too many":     {func(m *msghdr) { m.controlLen = 1 << 40 }, syscall.ENOBUFS, 0},
		"a name of no bytes":      {func(m *msghdr) { m.name = badPointer }, 0, 0},
		"a name of negative size": {func(m *msghdr) { m.name, m.nameLen = badPointer, 1<<32-1 }, einval, einval},
	}
	for what, c := range bad {
		m := good
		c.change(&m)
		_, e := call(syscall.SYS_SENDMSG, b, ptr(&m), msgDontWait)
		t.Want("sendmsg with a bad "+what, e, c.send)
		m = good
		c.change(&m)
		_, e = call(syscall.SYS_RECVMSG, a, ptr(&m), msgPeek|msgDontWait)
		t.Want("recvmsg with a bad "+what, e, c.recv)
	}
}

// nestedMessages: of several messages those in front of a bad one are sent, and received.
func nestedMessages(t *T) {
	a, b, done := dgramPair(t)
	defer done()
	buf := [2][]byte{[]byte("one"), []byte("two")}
	vec := []iovec{iovecOf(buf[0]), iovecOf(buf[1]), {badPointer, 3}}
	list := []mmsghdr{{msghdr: msghdr{vec: ptr(&vec[0]), count: 1}}, {msghdr: msghdr{vec: ptr(&vec[2]), count: 1}},
		{msghdr: msghdr{vec: ptr(&vec[1]), count: 1}}}
	sent, e := call(307 /* sendmmsg */, b, ptr(&list[0]), 3, msgDontWait)
	t.Want("sendmmsg, second bad", e, syscall.Errno(0))
	t.Want("sendmmsg, second bad", sent, uintptr(1))
	t.Want("bytes of the first", list[0].len, uint32(3))
	_, e = call(307, b, ptr(&list[1]), 2, msgDontWait)
	t.Want("sendmmsg, first bad", e, efault)
	call(syscall.SYS_WRITE, b, ptr(&buf[1][0]), 3)
	call(syscall.SYS_WRITE, b, ptr(&buf[1][0]), 3)
	got, e := call(299 /* recvmmsg */, a, ptr(&list[0]), 3, msgDontWait, 0)
	t.Want("recvmmsg, second bad", e, syscall.Errno(0))
	t.Want("recvmmsg, second bad", got, uintptr(1))
	edge, closed := newEdge(t)
	defer closed()
	last := (*mmsghdr)(unsafe.Pointer(at(edge.end - 64)))
	*last = mmsghdr{msghdr: msghdr{vec: ptr(&vec[0]), count: 1}}
	sent, e = call(307, b, edge.end-64, 2, msgDontWait)
	t.Want("sendmmsg, second header cut off", e, syscall.Errno(0))
	t.Want("sendmmsg, second header cut off", sent, uintptr(1))
}

// nestedRights: descriptors that arrive where nobody can be told of them are not there.
func nestedRights(t *T) {
	a, b, done := dgramPair(t)
	defer done()
	rights := syscall.UnixRights(int(a), int(b))
	for i := 0; i < 2; i++ {
		t.Must("sendmsg", syscall.Sendmsg(int(b), []byte("with rights"), rights, nil, 0))
	}
	before := openDescriptors(t)
	buf := make([]byte, 16)
	vec := []iovec{iovecOf(buf), {badPointer, 16}}
	m := msghdr{vec: ptr(&vec[1]), count: 1, control: ptr(&make([]byte, 64)[0]), controlLen: 64}
	_, e := call(syscall.SYS_RECVMSG, a, ptr(&m), msgDontWait)
	t.Want("recvmsg into a bad buffer", e, efault)
	t.Want("descriptors more", openDescriptors(t)-before, 0)
	m = msghdr{vec: ptr(&vec[0]), count: 1, control: badPointer, controlLen: 64}
	_, e = call(syscall.SYS_RECVMSG, a, ptr(&m), msgDontWait)
	t.Want("recvmsg with bad control", e, syscall.Errno(0))
	t.Want("descriptors more", openDescriptors(t)-before, 0)
}

// nestedLostDatagram: a datagram whose reader has no room for it is gone, as on Linux.
func nestedLostDatagram(t *T) {
	a, _, done := dgramPair(t, "one", "two")
	defer done()
	_, e := call(syscall.SYS_READ, a, badPointer, 16)
	t.Want("read", e, efault)
	buf := make([]byte, 16)
	got, _ := syscall.Read(int(a), buf)
	t.Want("the next one", string(buf[:max(got, 0)]), "two")
}

// nestedLengths: of addresses that are told: cut off where there is no room, with their whole length.
func nestedLengths(t *T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	t.Must("socket", err)
	defer syscall.Close(fd)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	edge, closed := newEdge(t)
	defer closed()
	length := int32(4)
	_, e := call(syscall.SYS_GETSOCKNAME, uintptr(fd), edge.end-4, ptr(&length))
	t.Want("room for 4 bytes", e, syscall.Errno(0))
	t.Want("the length", length, int32(16))
	_, e = call(syscall.SYS_GETSOCKNAME, uintptr(fd), edge.end-4, ptr(&length))
	t.Want("room that is not there", e, efault)
	length = 0
	_, e = call(syscall.SYS_GETSOCKNAME, uintptr(fd), badPointer, ptr(&length))
	t.Want("room for nothing", e, syscall.Errno(0))
	length = -1
	_, e = call(syscall.SYS_GETSOCKNAME, uintptr(fd), edge.end-16, ptr(&length))
	t.Want("a negative length", e, einval)
	length = -1
	_, e = call(syscall.SYS_GETSOCKOPT, uintptr(fd), 1, 3, edge.end-16, ptr(&length))
	t.Want("a negative length of an option", e, einval)
	for _, size := range []uintptr{0, 1, 129, 1 << 31, 1 << 32} {
		want := einval
		if size == 1<<32 { // the upper half does not count
			size, want = 1<<32, einval
		}
		_, e = call(syscall.SYS_CONNECT, uintptr(fd), edge.end-16, size)
		t.Want("connect with a strange length", e, want)
	}
}

// nestedEvents: those that fit are told, the others stay.
func nestedEvents(t *T) {
	edge, closed := newEdge(t)
	defer closed()
	epoll, err := syscall.EpollCreate1(0)
	t.Must("epoll_create1", err)
	defer syscall.Close(epoll)
	for i := 0; i < 3; i++ {
		fd, e := call(syscall.SYS_EVENTFD2, 1, 0)
		t.Want("eventfd2", e, syscall.Errno(0))
		defer syscall.Close(int(fd))
		ev := syscall.EpollEvent{Events: syscall.EPOLLIN | 1<<31, Fd: int32(i)}
		t.Must("epoll_ctl", syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, int(fd), &ev))
	}
	got, e := call(syscall.SYS_EPOLL_WAIT, uintptr(epoll), edge.end-12, 3, 0)
	t.Want("room for one of three", e, syscall.Errno(0))
	t.Want("room for one of three", got, uintptr(1))
	_, e = call(syscall.SYS_EPOLL_WAIT, uintptr(epoll), edge.end-8, 3, 0)
	t.Want("room for none", e, efault)
	got, e = call(syscall.SYS_EPOLL_WAIT, uintptr(epoll), edge.end-36, 3, 0)
	t.Want("the edges that stayed", e, syscall.Errno(0))
	t.Want("the edges that stayed", got, uintptr(2))
	_, e = call(syscall.SYS_EPOLL_WAIT, uintptr(epoll), edge.end-12, 1<<28, 0)
	t.Want("more events than memory", e, einval)
}

func nestedEntries(t *T) {
	edge, closed := newEdge(t)
	defer closed()
	dir := tempDir(t)
	defer removeAll(dir)
	for _, name := range []string{"a", "b", "c"} {
		write(t, dir+"/"+name, "")
	}
	fd := open(t, dir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	defer syscall.Close(fd)
	got, e := call(syscall.SYS_GETDENTS64, uintptr(fd), edge.end-48, 1024)
	t.Want("room for two", e, syscall.Errno(0))
	t.Want("room for two", got, uintptr(48))
	got, e = call(syscall.SYS_GETDENTS64, uintptr(fd), edge.end-1024, 1024)
	t.Want("the rest", e, syscall.Errno(0))
	t.Want("the rest", got, uintptr(72))
	syscall.Seek(fd, 0, 0)
	_, e = call(syscall.SYS_GETDENTS64, uintptr(fd), edge.end-8, 1024)
	t.Want("room for none", e, efault)
	_, e = call(syscall.SYS_GETDENTS64, uintptr(fd), edge.end-8, 8)
	t.Want("a buffer too small for one", e, einval)
}

// nestedSets: select reads whole words of its sets, and not beyond.
func nestedSets(t *T) {
	edge, closed := newEdge(t)
	defer closed()
	var zero [2]int64
	// Linux looks at no more of a set than its table of descriptors has room for.
	t.Must("dup3", syscall.Dup3(0, 200, 0))
	defer syscall.Close(200)
	for bits, bytes := range map[uintptr]uintptr{1: 8, 64: 8, 65: 16, 128: 16} {
		_, e := callAgain(syscall.SYS_SELECT, bits, edge.end-bytes, 0, 0, ptr(&zero))
		t.Want("select of "+itoa(int(bits)), e, syscall.Errno(0))
		_, e = call(syscall.SYS_SELECT, bits, edge.end-bytes+8, 0, 0, ptr(&zero))
		t.Want("select with a short set of "+itoa(int(bits)), e, efault)
	}
	type pollfd struct {
		fd              int32
		events, revents int16
	}
	*(*pollfd)(unsafe.Pointer(at(edge.end - 8))) = pollfd{fd: -1}
	_, e := call(syscall.SYS_POLL, edge.end-8, 2, 0)
	t.Want("poll with the second cut off", e, efault)
	_, e = call(syscall.SYS_POLL, edge.end-8, 1, 0)
	t.Want("poll", e, syscall.Errno(0))
	_, e = call(syscall.SYS_POLL, badPointer, 0, 0)
	t.Want("poll of nothing", e, syscall.Errno(0))
	_, e = call(syscall.SYS_POLL, badPointer, 1<<31, 0)
	t.Want("poll of more than can be", e, einval)
}

func nestedPselectMask(t *T) {
	zero := spec(0)
	for what, c := range map[string]struct {
		mask [2]uintptr
		want syscall.Errno
	}{
		"none": {[2]uintptr{0, 8}, 0}, "bad": {[2]uintptr{badPointer, 8}, efault},
		"bad size": {[2]uintptr{badPointer, 4}, einval},
	} {
		_, e := call(syscall.SYS_PSELECT6, 0, 0, 0, 0, ptr(zero), ptr(&c.mask))
		t.Want("a mask that is "+what, e, c.want)
	}
}

// nestedSleepRest: a rest that cannot be told.
func nestedSleepRest(t *T) {
	for _, number := range []uintptr{syscall.SYS_NANOSLEEP, syscall.SYS_CLOCK_NANOSLEEP} {
		interruptUntil(func() {
			args := []uintptr{ptr(spec(30 * time.Second)), badPointer}
			if number == syscall.SYS_CLOCK_NANOSLEEP {
				args = append([]uintptr{1, 0}, args...)
			}
			_, e := call(number, args...)
			t.Want("sleep", e, efault)
		})
	}
}

// nestedSignalInfo: a signal that cannot be told of is gone.
func nestedSignalInfo(t *T) {
	const s = syscall.Signal(50)
	block(s)
	set := bit(s)
	sendSelf(s)
	_, e := call(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&set), badPointer, ptr(spec(0)), 8)
	t.Want("rt_sigtimedwait", e, efault)
	_, e = take(set, new(siginfo), 0)
	t.Want("again", e, syscall.EAGAIN)
	fd, e := call(syscall.SYS_SIGNALFD, ^uintptr(0), ptr(&set), 8)
	t.Want("signalfd", e, syscall.Errno(0))
	defer syscall.Close(int(fd))
	sendSelf(s)
	_, e = call(syscall.SYS_READ, fd, badPointer, 128)
	t.Want("read of a signalfd", e, efault)
}

// nestedThreadEnds: a thread that ends looks at what it named.
func nestedThreadEnds(t *T) {
	edge, closed := newEdge(t)
	defer closed()
	*(*robustHead)(unsafe.Pointer(at(edge.end - robustHeaderBytes))) = robustHead{next: badPointer}
	for _, bad := range []uintptr{1, 8, badPointer, edge.end - 4, edge.end - robustHeaderBytes, notCanonical, 0x200000,
		0x7ffffffff000, 0xffff888000001000, 0xfffffffffffff000} {
		onOwnThread(func() {
			_, e := raw(syscall.SYS_SET_TID_ADDRESS, bad)
			t.Want("set_tid_address", e, syscall.Errno(0))
			_, e = raw(syscall.SYS_SET_ROBUST_LIST, bad, robustHeaderBytes)
			t.Want("set_robust_list", e, syscall.Errno(0))
		})
	}
}

// nestedOldAfterNew: what was before is told after the change, which stays although that fails.
func nestedOldAfterNew(t *T) {
	act, got := sigaction{handler: 1 /* SIG_IGN */}, sigaction{}
	e := rtSigaction(aSignal, &act, (*sigaction)(unsafe.Pointer(at(badPointer))))
	t.Want("rt_sigaction", e, efault)
	rtSigaction(aSignal, &sigaction{}, &got)
	t.Want("the handler", got.handler, uint64(1))
	set, old := bit(aSignal), uint64(0)
	onOwnThread(func() {
		_, e := raw4(syscall.SYS_RT_SIGPROCMASK, 0, ptr(&set), badPointer, 8)
		t.Want("rt_sigprocmask", e, efault)
		raw4(syscall.SYS_RT_SIGPROCMASK, 0, 0, ptr(&old), 8)
		t.Want("blocked", old&set, set)
	})
	fd, e := call(syscall.SYS_TIMERFD_CREATE, 1, 0)
	t.Want("timerfd_create", e, syscall.Errno(0))
	defer syscall.Close(int(fd))
	its := itimerspec{value: timespec{sec: 1000}}
	_, e = call(syscall.SYS_TIMERFD_SETTIME, fd, 0, ptr(&its), badPointer)
	t.Want("timerfd_settime", e, efault)
	its = itimerspec{}
	call(syscall.SYS_TIMERFD_GETTIME, fd, ptr(&its))
	t.Want("it runs", its.value.sec > 900, true)
}
