package main

import (
	"bytes"
	"syscall"
	"time"
)

// TCP: what is told after the end and after an error, and when.
var tcpEndChecks = []check{
	{"end-then-reset", tcpEndThenReset},
	{"error-after-partial-read", tcpErrorAfterPartialRead},
	{"error-after-partial-write", tcpErrorAfterPartialWrite},
	{"nothing-written-after-reset", tcpWriteNothingAfterReset},
	{"nothing-received", tcpReceiveNothing},
	{"end-after-refused", tcpEndAfterRefused},
	{"user-timeout-refused", tcpUserTimeoutRefused},
	{"accept-without-descriptor", tcpAcceptWithoutDescriptor},
	{"disconnect", tcpDisconnect},
	{"disconnect-under-reader", tcpDisconnectUnderReader},
	{"shutdown-while-connecting", tcpShutdownWhileConnecting},
	{"shutdown-of-listener", tcpShutdownOfListener},
	{"peek-all", tcpPeekAll},
	{"receive-and-drop", tcpReceiveAndDrop},
	{"small-packets", tcpSmallPackets},
}

// tcpReset closes fd with a reset.
func tcpReset(fd int) {
	syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	syscall.Close(fd)
}

func tcpSoError(t *T, fd int) syscall.Errno {
	e, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	t.Must("SO_ERROR", err)
	return syscall.Errno(e)
}

// tcpAwaitReset waits until a reset has come.
func tcpAwaitReset(t *T, fd int) {
	for i := 0; i < 200; i++ {
		if _, got := pollOne(fd, 0, 100); got&pollErr != 0 {
			return
		}
	}
	t.Fatalf("no reset came")
}

// The peer says that it has no more, and then resets: what was read to its end stays at its end, and
// it is the writer who hears.
func tcpEndThenReset(t *T) {
	c, s, _ := tcpPair(t)
	defer syscall.Close(c)
	syscall.Write(s, []byte("bye"))
	t.Must("shutdown", syscall.Shutdown(s, syscall.SHUT_WR))
	if b, err := tcpRead(c, 3); string(b) != "bye" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if b, err := tcpRead(c, 3); len(b) != 0 || err != nil {
		t.Errorf("the end: %q %v", b, err)
	}
	syscall.Write(c, []byte("unread"))
	syscall.Close(s)
	tcpAwaitReset(t, c)
	for i := 0; i < 2; i++ {
		if b, err := tcpRead(c, 3); len(b) != 0 || err != nil {
			t.Errorf("read %d after the reset: %q %v", i, b, err)
		}
	}
	if e := tcpSoError(t, c); e != syscall.EPIPE {
		t.Errorf("SO_ERROR: %v", e)
	}
	if _, err := syscall.Write(c, []byte("x")); err != syscall.EPIPE {
		t.Errorf("write: %v", err)
	}
}

// A read that ends early with what it has leaves the error to the next.
func tcpErrorAfterPartialRead(t *T) {
	c, s, _ := tcpPair(t)
	defer syscall.Close(c)
	syscall.Write(s, []byte("abc"))
	go func() {
		time.Sleep(50 * time.Millisecond)
		tcpReset(s)
	}()
	b := make([]byte, 10)
	if n, _, err := syscall.Recvfrom(c, b, syscall.MSG_WAITALL); n != 3 || err != nil {
		t.Errorf("until the reset: %d %v", n, err)
	}
	if b, err := tcpRead(c, 3); err != syscall.ECONNRESET {
		t.Errorf("then: %q %v", b, err)
	}
	if b, err := tcpRead(c, 3); len(b) != 0 || err != nil {
		t.Errorf("after it was told: %q %v", b, err)
	}
}

func tcpErrorAfterPartialWrite(t *T) {
	c, s, _ := tcpPair(t)
	defer syscall.Close(c)
	go func() {
		pollOne(s, 1, 10000) // something has come
		time.Sleep(100 * time.Millisecond)
		tcpReset(s)
	}()
	const many = 16 << 20 // more than both buffers hold
	var n int
	var err error
	undisturbed(func() { n, err = syscall.Write(c, make([]byte, many)) })
	if n <= 0 || n >= many || err != nil {
		t.Errorf("until the reset: %d %v", n, err)
	}
	if _, err = syscall.Write(c, []byte("x")); err != syscall.ECONNRESET {
		t.Errorf("then: %v", err)
	}
	if _, err = syscall.Write(c, []byte("x")); err != syscall.EPIPE {
		t.Errorf("after it was told: %v", err)
	}
}

// To write nothing succeeds only where something could be written.
func tcpWriteNothingAfterReset(t *T) {
	c, s, _ := tcpPair(t)
	defer syscall.Close(c)
	tcpReset(s)
	tcpAwaitReset(t, c)
	if n, err := syscall.Write(c, nil); err != syscall.ECONNRESET {
		t.Errorf("after a reset: %d %v", n, err)
	}
	if n, err := syscall.Write(c, nil); err != syscall.EPIPE {
		t.Errorf("after it was told: %d %v", n, err)
	}
	fresh := tcpSocket(t)
	defer syscall.Close(fresh)
	if n, err := syscall.Write(fresh, nil); err != syscall.EPIPE {
		t.Errorf("not connected: %d %v", n, err)
	}
}

// To receive nothing waits for something, and leaves it.
func tcpReceiveNothing(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	if _, _, err := syscall.Recvfrom(c, nil, syscall.MSG_DONTWAIT); err != syscall.EAGAIN {
		t.Errorf("nothing there: %v", err)
	}
	syscall.Write(s, []byte("x"))
	if n, _, err := syscall.Recvfrom(c, nil, 0); n != 0 || err != nil {
		t.Errorf("something there: %d %v", n, err)
	}
	if b, err := tcpRead(c, 2); string(b) != "x" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// A connect that failed, and said so: the socket is at its end.
func tcpEndAfterRefused(t *T) {
	l := tcpListener(t)
	name := tcpName(t, l)
	syscall.Close(l)
	c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	t.Must("set-up", err)
	defer syscall.Close(c)
	if err := syscall.Connect(c, name); err != syscall.EINPROGRESS {
		t.Errorf("connect: %v", err)
	}
	tcpAwaitReset(t, c)
	if e := tcpSoError(t, c); e != syscall.ECONNREFUSED {
		t.Errorf("SO_ERROR: %v", e)
	}
	if b, err := tcpRead(c, 1); len(b) != 0 || err != nil {
		t.Errorf("read: %q %v", b, err)
	}
	if _, err := syscall.Write(c, []byte("x")); err != syscall.EPIPE {
		t.Errorf("write: %v", err)
	}
}

// A value that is refused changes nothing.
func tcpUserTimeoutRefused(t *T) {
	const userTimeout = 18 // TCP_USER_TIMEOUT
	c, _, done := tcpPair(t)
	defer done()
	t.Must("setsockopt", syscall.SetsockoptInt(c, syscall.IPPROTO_TCP, userTimeout, 5000))
	if err := syscall.SetsockoptInt(c, syscall.IPPROTO_TCP, userTimeout, -1); err != syscall.EINVAL {
		t.Errorf("negative: %v", err)
	}
	if v, err := syscall.GetsockoptInt(c, syscall.IPPROTO_TCP, userTimeout); v != 5000 || err != nil {
		t.Errorf("%d %v", v, err)
	}
}

// A program that has no descriptor left accepts nothing: who connected waits until it has.
func tcpAcceptWithoutDescriptor(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	c := tcpSocket(t)
	defer syscall.Close(c)
	t.Must("connect", syscall.Connect(c, tcpName(t, l)))
	lowest, err := syscall.Dup(l)
	t.Must("dup", err)
	syscall.Close(lowest)
	var old syscall.Rlimit
	t.Must("getrlimit", syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	few := syscall.Rlimit{Cur: uint64(lowest), Max: old.Max}
	t.Must("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	_, _, err = syscall.Accept(l)
	t.Must("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	if err != syscall.EMFILE {
		t.Errorf("accept: %v", err)
	}
	t.Must("set-up", syscall.SetNonblock(l, true))
	s, _, err := syscall.Accept(l)
	if err != nil {
		t.Errorf("accept with a descriptor: %v", err)
		return
	}
	defer syscall.Close(s)
	syscall.Write(s, []byte("x"))
	if b, err := tcpRead(c, 1); string(b) != "x" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// tcpUnconnect is connect to AF_UNSPEC.
func tcpUnconnect(fd int) error {
	var nobody [16]byte
	_, errno := call(syscall.SYS_CONNECT, uintptr(fd), ptr(&nobody[0]), 16)
	if errno != 0 {
		return errno
	}
	return nil
}

// A socket that disconnects can be connected again, whatever state it was in, and its old peer hears.
func tcpDisconnect(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	c := tcpSocket(t)
	defer syscall.Close(c)
	for round, how := range []int{-1, syscall.SHUT_RD, syscall.SHUT_WR, syscall.SHUT_RDWR} {
		t.Must("connect", syscall.Connect(c, tcpName(t, l)))
		s, _, err := syscall.Accept(l)
		t.Must("accept", err)
		syscall.Write(c, []byte("hello"))
		if b, err := tcpRead(s, 9); string(b) != "hello" || err != nil {
			t.Errorf("round %d: %q %v", round, b, err)
		}
		if how >= 0 {
			t.Must("shutdown", syscall.Shutdown(c, how))
		}
		syscall.Write(s, []byte("unread"))
		t.Must("disconnect", tcpUnconnect(c))
		if e := tcpSoError(t, c); e != syscall.ECONNRESET {
			t.Errorf("round %d: SO_ERROR: %v", round, e)
		}
		if b, err := tcpRead(c, 1); err != syscall.ENOTCONN {
			t.Errorf("round %d: read: %q %v", round, b, err)
		}
		tcpAwaitReset(t, s)
		syscall.Close(s)
	}
	t.Must("disconnect of a listener", tcpUnconnect(l))
	if _, _, err := syscall.Accept(l); err != syscall.EINVAL {
		t.Errorf("accept: %v", err)
	}
}

// While some read, another disconnects and connects again: nobody reads another connection's bytes.
func tcpDisconnectUnderReader(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	c := tcpSocket(t)
	defer syscall.Close(c)
	done, ended := make(chan bool), make(chan bool)
	for reader := 0; reader < 2; reader++ {
		go func() {
			b := make([]byte, 100000)
			for {
				select {
				case <-done:
					ended <- true
					return
				default:
				}
				n, _, _ := syscall.Recvfrom(c, b, syscall.MSG_DONTWAIT)
				for i := 1; i < n; i++ {
					if b[i] < b[i-1] {
						t.Errorf("%d after %d", b[i], b[i-1])
						break
					}
				}
			}
		}()
	}
	for round := 0; round < 30; round++ {
		t.Must("connect", syscall.Connect(c, tcpName(t, l)))
		s, _, err := syscall.Accept(l)
		t.Must("accept", err)
		for i := 0; i < 5; i++ {
			syscall.SetNonblock(s, true)
			syscall.Write(s, bytes.Repeat([]byte{byte(round)}, 50000))
		}
		t.Must("disconnect", tcpUnconnect(c))
		syscall.Close(s)
	}
	close(done)
	<-ended
	<-ended
}

// Who does not want to wait any longer for a connection.
func tcpShutdownWhileConnecting(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	t.Must("listen", syscall.Listen(l, 0))
	var last int
	for i := 0; i < 4; i++ { // more than it takes
		c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		t.Must("set-up", err)
		defer syscall.Close(c)
		syscall.Connect(c, tcpName(t, l))
		last = c
	}
	if err := syscall.Connect(last, tcpName(t, l)); err != syscall.EALREADY {
		t.Errorf("connect: %v", err)
	}
	t.Must("shutdown", syscall.Shutdown(last, syscall.SHUT_WR))
	if e := tcpSoError(t, last); e != syscall.ECONNRESET {
		t.Errorf("SO_ERROR: %v", e)
	}
	if err := syscall.Connect(last, tcpName(t, l)); err != syscall.EINPROGRESS {
		t.Errorf("connect again: %v", err)
	}
}

func tcpShutdownOfListener(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	t.Must("shutdown", syscall.Shutdown(l, syscall.SHUT_WR))
	c := tcpSocket(t)
	defer syscall.Close(c)
	if err := syscall.Connect(c, tcpName(t, l)); err != nil {
		t.Errorf("it writes nothing, and listens on: %v", err)
	}
}

// MSG_PEEK with MSG_WAITALL waits for all, and takes nothing.
func tcpPeekAll(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	syscall.Write(s, []byte("abc"))
	go func() {
		time.Sleep(50 * time.Millisecond)
		syscall.Write(s, []byte("def"))
		time.Sleep(50 * time.Millisecond)
		syscall.Shutdown(s, syscall.SHUT_WR)
	}()
	b := make([]byte, 9)
	undisturbed(func() { tcpPeekSix(t, c, b) })
	if b, err := tcpRead(c, 9); string(b) != "abcdef" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// tcpPeekSix: of six bytes and the end.
func tcpPeekSix(t *T, c int, b []byte) {
	if n, _, err := syscall.Recvfrom(c, b[:6], syscall.MSG_WAITALL|syscall.MSG_PEEK); n != 6 || err != nil || string(b[:6]) != "abcdef" {
		t.Errorf("%d %q %v", n, b, err)
	}
	if n, _, err := syscall.Recvfrom(c, b, syscall.MSG_WAITALL|syscall.MSG_PEEK); n != 6 || err != nil {
		t.Errorf("until the end: %d %v", n, err)
	}
}

// With MSG_TRUNC a stream's bytes pass, and the memory stays.
func tcpReceiveAndDrop(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	syscall.Write(s, []byte("abcdef"))
	b := []byte("zzzz")
	if n, _, err := syscall.Recvfrom(c, b, syscall.MSG_TRUNC|syscall.MSG_WAITALL); n != 4 || err != nil || string(b) != "zzzz" {
		t.Errorf("%d %q %v", n, b, err)
	}
	if b, err := tcpRead(c, 9); string(b) != "ef" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// Bytes that came one by one, many of which wait, are all there and in order.
func tcpSmallPackets(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	t.Must("setsockopt", syscall.SetsockoptInt(c, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
	const many = 3000
	for i := 0; i < many; i++ {
		if n, err := syscall.Write(c, []byte{byte(i), byte(i >> 8)}); n != 2 || err != nil {
			t.Fatalf("write %d: %d %v", i, n, err)
		}
	}
	for i, size := 0, 1; i < 2*many; size = size*3%4099 + 1 {
		b, err := tcpRead(s, size)
		if err != nil || len(b) == 0 {
			t.Fatalf("after %d: %v", i, err)
		}
		for _, got := range b {
			if want := byte(i / 2 >> (i % 2 * 8)); got != want {
				t.Fatalf("byte %d: %d, want %d", i, got, want)
			}
			i++
		}
	}
}
