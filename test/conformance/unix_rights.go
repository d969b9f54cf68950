package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Descriptors that travel with messages of AF_UNIX sockets.
var unixRightsChecks = []check{
	{"rights/every-kind-of-file", rightsKinds},
	{"rights/with-the-first-byte", rightsFirstByte},
	{"rights/many-at-once", rightsMany},
	{"rights/bad-descriptor", rightsBad},
	{"rights/close-on-exec", rightsCloseOnExec},
	{"rights/no-room", rightsNoRoom},
	{"rights/plain-read-drops-them", rightsPlainRead},
	{"rights/peek-copies", rightsPeek},
	{"rights/in-flight-when-closed", rightsInFlight},
	{"rights/unaccepted", rightsUnaccepted},
	{"rights/circle", rightsCircle},
	{"rights/long-chain", rightsChain},
	{"rights/hostile-lengths", rightsHostile},
}

// sendRights sends data along with descriptors.
func sendRights(fd int, data string, fds ...int) error {
	return syscall.Sendmsg(fd, []byte(data), syscall.UnixRights(fds...), nil, 0)
}

// receive is what recvmsg gives: data, descriptors, flags.
func receiveRights(t *T, fd, flags int) (string, []int, int) {
	buf, oob := make([]byte, 100), make([]byte, 4096)
	n, oobn, got, _, err := syscall.Recvmsg(fd, buf, oob, flags)
	t.Must("recvmsg", err)
	return string(buf[:n]), parseRights(t, oob[:oobn]), got
}

func parseRights(t *T, oob []byte) (fds []int) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	t.Must("parse", err)
	for _, m := range messages {
		if m.Header.Level == syscall.SOL_SOCKET && m.Header.Type == syscall.SCM_RIGHTS {
			more, err := syscall.ParseUnixRights(&m)
			t.Must("parse", err)
			fds = append(fds, more...)
		}
	}
	return fds
}

func closeFds(fds ...int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

// unixPipe is a pipe whose end tells whether all copies of the other are closed.
func unixPipe(t *T) (r, w int) {
	var p [2]int
	t.Must("pipe", syscall.Pipe2(p[:], syscall.O_CLOEXEC))
	return p[0], p[1]
}

// wantHangUp demands that nobody has the writing end any more.
func wantHangUp(t *T, what string, r int) {
	t.Must("O_NONBLOCK", syscall.SetNonblock(r, true))
	for limit := time.Now().Add(patience / 3); ; time.Sleep(time.Millisecond) {
		n, err := syscall.Read(r, make([]byte, 1))
		if err == nil && n == 0 {
			return
		}
		if err != syscall.EAGAIN || time.Now().After(limit) {
			t.Fatalf("%s: the pipe's other end is still open: %d, %v", what, n, err)
		}
	}
}

func rightsKinds(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		a, b, done := unixPair(t, kind)
		f, err := os.CreateTemp("", "rights")
		t.Must("file", err)
		os.Remove(f.Name())
		f.WriteString("contents")
		f.Seek(0, 0)
		r, w := unixPipe(t)
		s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
		t.Must("socket", err)
		ep, err := syscall.EpollCreate1(0)
		t.Must("epoll", err)
		t.Must("sendmsg", sendRights(a, "x", int(f.Fd()), w, s, ep))
		f.Close()
		closeFds(w, s, ep)
		data, fds, flags := receiveRights(t, b, 0)
		t.Want("data", data, "x")
		t.Want("flags", flags&^syscall.MSG_EOR, 0)
		if len(fds) != 4 {
			t.Fatalf("%d descriptors, want 4", len(fds))
		}
		unixWantRead(t, "the file", fds[0], 20, "contents", nil)
		unixWrite(t, fds[1], "through the pipe")
		unixWantRead(t, "the pipe", r, 20, "through the pipe", nil)
		family, err := syscall.GetsockoptInt(fds[2], syscall.SOL_SOCKET, 39 /* SO_DOMAIN */)
		if err != nil || family != syscall.AF_INET {
			t.Errorf("the socket: %d, %v", family, err)
		}
		n, err := syscall.EpollWait(fds[3], make([]syscall.EpollEvent, 1), 0)
		if n != 0 || err != nil {
			t.Errorf("the epoll set: %d, %v", n, err)
		}
		closeFds(fds...)
		wantHangUp(t, "all closed", r)
		syscall.Close(r)
		done()
	}
}

// rightsFirstByte: descriptors come with the bytes they were sent with, and nothing is joined behind.
func rightsFirstByte(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	unixWrite(t, a, "before ")
	r, w := unixPipe(t)
	defer closeFds(r, w)
	t.Must("sendmsg", sendRights(a, "with", w))
	unixWrite(t, a, "after")
	data, fds, _ := receiveRights(t, b, 0)
	t.Want("data", data, "before with")
	t.Want("descriptors", len(fds), 1)
	closeFds(fds...)
	data, fds, _ = receiveRights(t, b, 0)
	t.Want("data", data, "after")
	t.Want("descriptors", len(fds), 0)
	// One byte is enough to get them; the rest comes without.
	t.Must("sendmsg", sendRights(a, "with", w))
	buf, oob := make([]byte, 1), make([]byte, 64)
	_, oobn, _, _, err := syscall.Recvmsg(b, buf, oob, 0)
	t.Must("recvmsg", err)
	fds = parseRights(t, oob[:oobn])
	t.Want("descriptors", len(fds), 1)
	closeFds(fds...)
	data, fds, _ = receiveRights(t, b, 0)
	t.Want("the rest", data, "ith")
	t.Want("descriptors", len(fds), 0)
}

func rightsMany(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	r, w := unixPipe(t)
	defer closeFds(r)
	many := make([]int, 254)
	for i := range many {
		many[i] = w
	}
	t.Want("254 descriptors", sendRights(a, "x", many...), error(syscall.EINVAL))
	t.Must("253 descriptors", sendRights(a, "x", many[:253]...))
	_, fds, flags := receiveRights(t, b, 0)
	t.Want("received", len(fds), 253)
	t.Want("flags", flags, 0)
	// Two control messages of one kind are one list.
	oob := append(syscall.UnixRights(w), syscall.UnixRights(w, w)...)
	t.Must("sendmsg", syscall.Sendmsg(a, []byte("x"), oob, nil, 0))
	_, more, _ := receiveRights(t, b, 0)
	t.Want("of two messages", len(more), 3)
	closeFds(more...)
	closeFds(fds...)
	closeFds(w)
	wantHangUp(t, "all closed", r)
}

func rightsBad(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	r, w := unixPipe(t)
	t.Want("descriptor -1", sendRights(a, "x", w, -1), error(syscall.EBADF))
	t.Want("a closed one", sendRights(a, "x", w, 99_999), error(syscall.EBADF))
	unixNonblock(t, b)
	unixWantRead(t, "nothing was sent", b, 9, "", syscall.EAGAIN)
	closeFds(w)
	wantHangUp(t, "nothing was kept", r)
	closeFds(r)
	// UDP takes none, and says nothing.
	u, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	t.Must("socket", err)
	defer closeFds(u)
	t.Must("bind", syscall.Bind(u, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(u)
	t.Must("getsockname", err)
	t.Must("over UDP", syscall.Sendmsg(u, []byte("x"), syscall.UnixRights(a), at, 0))
	_, fds, _ := receiveRights(t, u, 0)
	t.Want("descriptors over UDP", len(fds), 0)
}

func rightsCloseOnExec(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	for flag, want := range map[int]uintptr{0: 0, syscall.MSG_CMSG_CLOEXEC: syscall.FD_CLOEXEC} {
		t.Must("sendmsg", sendRights(a, "x", a))
		_, fds, flags := receiveRights(t, b, flag)
		t.Want("flags", flags, flag)
		if len(fds) != 1 {
			t.Fatalf("%d descriptors", len(fds))
		}
		got, e := call(syscall.SYS_FCNTL, uintptr(fds[0]), syscall.F_GETFD, 0)
		t.Want("error", e, syscall.Errno(0))
		t.Want("FD_CLOEXEC", got, want)
		closeFds(fds...)
	}
}

// rightsNoRoom: as many as fit come, the others are closed, and MSG_CTRUNC says so.
func rightsNoRoom(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	for room, want := range map[int]int{0: 0, 8: 0, 16: 0, 19: 0, 20: 1, 24: 2, 27: 2} {
		r, w := unixPipe(t)
		t.Must("sendmsg", sendRights(a, "x", w, w, w))
		closeFds(w)
		oob := make([]byte, room)
		n, oobn, flags, _, err := syscall.Recvmsg(b, make([]byte, 9), oob, 0)
		t.Must("recvmsg", err)
		t.Want("data", n, 1)
		t.Want(fmt.Sprintf("MSG_CTRUNC with room for %d bytes", room), flags, syscall.MSG_CTRUNC)
		if want == 0 {
			t.Want(fmt.Sprintf("control bytes with room for %d", room), oobn, 0)
		} else {
			h := (*syscall.Cmsghdr)(unsafe.Pointer(&oob[0]))
			t.Want("length", h.Len, uint64(16+4*want))
			t.Want("control bytes", oobn, min(16+(4*want+7)&^7, room))
			for i := 0; i < want; i++ {
				closeFds(int(*(*int32)(unsafe.Pointer(&oob[16+4*i]))))
			}
		}
		wantHangUp(t, "none is left", r)
		closeFds(r)
	}
}

func rightsPlainRead(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	r, w := unixPipe(t)
	defer closeFds(r)
	t.Must("sendmsg", sendRights(a, "x", w))
	closeFds(w)
	unixWantRead(t, "read", b, 9, "x", nil)
	wantHangUp(t, "dropped", r)
}

func rightsPeek(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	r, w := unixPipe(t)
	defer closeFds(r)
	t.Must("sendmsg", sendRights(a, "x", w))
	closeFds(w)
	_, one, _ := receiveRights(t, b, syscall.MSG_PEEK)
	_, two, _ := receiveRights(t, b, 0)
	if len(one) != 1 || len(two) != 1 || one[0] == two[0] {
		t.Fatalf("peeked %v, received %v", one, two)
	}
	closeFds(one...)
	unixWrite(t, two[0], "alive")
	unixWantRead(t, "through what was received", r, 9, "alive", nil)
	closeFds(two...)
	wantHangUp(t, "closed", r)
}

func rightsInFlight(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		a, b, _ := unixPair(t, kind)
		r, w := unixPipe(t)
		for i := 0; i < 3; i++ {
			t.Must("sendmsg", sendRights(a, "x", w))
		}
		closeFds(w, b)
		wantHangUp(t, "the receiver closed", r)
		closeFds(a, r)
	}
}

// rightsUnaccepted: sent to a connection that nobody accepted.
func rightsUnaccepted(t *T) {
	l, at := unixListen(t, syscall.SOCK_STREAM, "unaccepted", 1)
	c := unixSocket(t, syscall.SOCK_STREAM)
	t.Must("connect", syscall.Connect(c, at))
	r, w := unixPipe(t)
	t.Must("sendmsg", sendRights(c, "x", w))
	closeFds(w, l)
	wantHangUp(t, "the listener closed", r)
	closeFds(c, r)
}

// rightsCircle: sockets that are referred to by each other's queues only are freed; at the latest
// when another such socket is closed.
func rightsCircle(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r)
	a, b, _ := unixPair(t, syscall.SOCK_STREAM)
	t.Must("its own end", sendRights(a, "x", b, w))
	closeFds(a, b)
	c, d, _ := unixPair(t, syscall.SOCK_STREAM)
	t.Must("each the other", sendRights(c, "x", c, w))
	t.Must("each the other", sendRights(d, "x", d))
	closeFds(c, d)
	l, at := unixListen(t, syscall.SOCK_STREAM, "circle", 1)
	e := unixSocket(t, syscall.SOCK_STREAM)
	t.Must("connect", syscall.Connect(e, at))
	t.Must("a listener in its own queue", sendRights(e, "x", l, w))
	closeFds(l, e)
	// What a living socket's queue refers to stays.
	x, y, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	p, q, _ := unixPair(t, syscall.SOCK_STREAM)
	t.Must("sendmsg", sendRights(p, "deep", q))
	t.Must("sendmsg", sendRights(x, "x", q))
	closeFds(q)
	closeFds(w)
	last, other, _ := unixPair(t, syscall.SOCK_STREAM)
	closeFds(last, other)
	wantHangUp(t, "circles", r)
	_, fds, _ := receiveRights(t, y, 0)
	if len(fds) != 1 {
		t.Fatalf("%d descriptors", len(fds))
	}
	data, deep, _ := receiveRights(t, fds[0], 0)
	t.Want("the queue of one that was in flight", data, "deep")
	closeFds(append(append(fds, deep...), p)...)
}

// rightsChain: each in the queue of the next, so that closing one closes all; Linux sets a limit to
// the depth, but never loses one.
func rightsChain(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r)
	last := w
	for i := 0; i < 2000; i++ {
		a, b, _ := unixPair(t, syscall.SOCK_DGRAM)
		err := sendRights(a, "x", last)
		closeFds(a, last)
		last = b
		if err != nil {
			t.Want("at the limit", err, error(syscall.ETOOMANYREFS))
			break
		}
	}
	closeFds(last)
	wantHangUp(t, "the chain", r)
}

func rightsHostile(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	good := func() []byte { return syscall.UnixRights(a) }
	set := func(length uint64, level, kind int32) []byte {
		raw := good()
		h := (*syscall.Cmsghdr)(unsafe.Pointer(&raw[0]))
		h.Len, h.Level, h.Type = length, level, kind
		return raw
	}
	for _, c := range []struct {
		what string
		oob  []byte
		want error
	}{
		{"length 0", set(0, 1, 1), syscall.EINVAL},
		{"length 15", set(15, 1, 1), syscall.EINVAL},
		{"length of the header only", set(16, 1, 1), nil},
		{"half a descriptor", set(18, 1, 1), nil},
		{"longer than the buffer", set(25, 1, 1), syscall.EINVAL},
		{"length 2^63", set(1<<63, 1, 1), syscall.EINVAL},
		{"length 2^64 - 1", set(1<<64-1, 1, 1), syscall.EINVAL},
		{"unknown type", set(20, 1, 77), syscall.EINVAL},
		{"unknown level", set(20, 77, 1), nil}, // not for this kind of socket
		{"credentials too short", set(20, 1, 2), syscall.EINVAL},
		{"shorter than a header", good()[:12], nil},
		{"rights, then rubbish", append(good(), set(5, 1, 1)...), syscall.EINVAL},
	} {
		err := syscall.Sendmsg(b, []byte("x"), c.oob, nil, 0)
		if err != c.want {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		if err == nil {
			_, fds, _ := receiveRights(t, a, 0)
			t.Want(c.what+": descriptors", len(fds), 0)
			closeFds(fds...)
		}
	}
	big := []byte(strings.Repeat("\x00", 1<<20))
	t.Want("a megabyte of control", syscall.Sendmsg(b, []byte("x"), big, nil, 0), error(syscall.ENOBUFS))
	h := struct {
		name        uintptr
		nameLen, _  uint32
		iov, iovLen uintptr
		control     uintptr
		controlLen  uintptr
		flags, _    uint32
	}{control: badPointer, controlLen: 24}
	if _, e := call(syscall.SYS_SENDMSG, uintptr(b), ptr(&h), 0); e != syscall.EFAULT {
		t.Errorf("control at a bad address: %v", e)
	}
}
