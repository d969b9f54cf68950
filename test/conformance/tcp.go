package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// TCP: connections, their ends and their errors.
var tcpChecks = []check{
	{"half-close", tcpHalfClose},
	{"bytes-before-the-end", tcpBytesBeforeEnd},
	{"unread-bytes-reset", tcpUnreadBytesReset},
	{"linger-zero-resets", tcpLingerZero},
	{"linger-waits", tcpLingerWaits},
	{"refused", tcpRefused},
	{"write-after-reset", tcpWriteAfterReset},
	{"not-connected", tcpNotConnected},
	{"connect-in-progress", tcpConnectInProgress},
	{"accepted-after-the-end", tcpAcceptAfterEnd},
	{"listen-shutdown", tcpListenShutdown},
	{"address-in-use", tcpAddressInUse},
	{"peek-and-queued", tcpPeek},
	{"wait-all", tcpWaitAll},
	{"zero-bytes", tcpZeroBytes},
	{"deadline", tcpDeadline},
	{"keepalive-values", tcpKeepalive},
	{"many-at-once", tcpManyAtOnce},
	{"large-transfer", tcpLargeTransfer},
	{"same-port-twice", tcpSamePortTwice},
}

// tcpPair is two connected sockets, client and server.
func tcpPair(t *T) (c, s int, closeBoth func()) {
	l := tcpListener(t)
	defer syscall.Close(l)
	c = tcpSocket(t)
	t.Must("connect", syscall.Connect(c, tcpName(t, l)))
	s, _, err := syscall.Accept(l)
	t.Must("set-up", err)
	return c, s, func() { syscall.Close(c); syscall.Close(s) }
}

func tcpSocket(t *T) int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	t.Must("socket", err)
	return fd
}

func tcpListener(t *T) int {
	l := tcpSocket(t)
	t.Must("bind", syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	t.Must("listen", syscall.Listen(l, 16))
	return l
}

func tcpName(t *T, fd int) syscall.Sockaddr {
	name, err := syscall.Getsockname(fd)
	t.Must("set-up", err)
	return name
}

// tcpRead reads until something or the end or an error comes.
func tcpRead(fd int, most int) ([]byte, error) {
	b := make([]byte, most)
	for {
		n, err := syscall.Read(fd, b)
		if err != syscall.EINTR {
			return b[:max(n, 0)], err
		}
	}
}

func tcpHalfClose(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	t.Must("shutdown", syscall.Shutdown(c, syscall.SHUT_WR))
	if b, err := tcpRead(s, 10); len(b) != 0 || err != nil {
		t.Errorf("after the peer's shutdown: %q %v", b, err)
	}
	_, err := syscall.Write(s, []byte("still"))
	t.Must("set-up", err)
	if b, err := tcpRead(c, 10); string(b) != "still" || err != nil {
		t.Errorf("the other direction: %q %v", b, err)
	}
	if _, err := syscall.Write(c, []byte("x")); err != syscall.EPIPE {
		t.Errorf("write after shutdown: %v", err)
	}
	t.Must("shutdown", syscall.Shutdown(c, syscall.SHUT_RD))
	if b, err := tcpRead(c, 10); len(b) != 0 || err != nil {
		t.Errorf("read after shutdown: %q %v", b, err)
	}
}

func tcpBytesBeforeEnd(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	_, err := syscall.Write(c, []byte("last words"))
	t.Must("set-up", err)
	t.Must("shutdown", syscall.Shutdown(c, syscall.SHUT_RDWR))
	if b, err := tcpRead(s, 4); string(b) != "last" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if b, err := tcpRead(s, 40); string(b) != " words" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	for i := 0; i < 2; i++ {
		if b, err := tcpRead(s, 40); len(b) != 0 || err != nil {
			t.Errorf("at the end: %q %v", b, err)
		}
	}
}

// Bytes that nobody read are bytes that got lost: the peer must hear (RFC 2525 2.17).
func tcpUnreadBytesReset(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	_, err := syscall.Write(c, []byte("unread"))
	t.Must("set-up", err)
	if b := make([]byte, 1); true {
		_, _, err = syscall.Recvfrom(s, b, syscall.MSG_PEEK)
		t.Must("set-up", err)
	}
	syscall.Close(s)
	if b, err := tcpRead(c, 10); err != syscall.ECONNRESET {
		t.Errorf("%q %v", b, err)
	}
	if b, err := tcpRead(c, 10); len(b) != 0 || err != nil {
		t.Errorf("an error is told once; then: %q %v", b, err)
	}
}

func tcpLingerZero(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	t.Must("setsockoptlinger", syscall.SetsockoptLinger(c, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}))
	syscall.Close(c)
	if b, err := tcpRead(s, 10); err != syscall.ECONNRESET {
		t.Errorf("%q %v", b, err)
	}
}

// The peer reads late: close waits for the acknowledgement of the last byte, which its system gives.
func tcpLingerWaits(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	t.Must("setsockoptlinger", syscall.SetsockoptLinger(c, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: 20}))
	_, err := syscall.Write(c, bytes.Repeat([]byte("x"), 10000))
	t.Must("set-up", err)
	start := time.Now()
	t.Must("close", syscall.Close(c))
	if d := time.Since(start); d > 15*time.Second {
		t.Errorf("close took %v", d)
	}
	total := 0
	for {
		b, err := tcpRead(s, 4096)
		if err != nil {
			t.Errorf("after %d bytes: %v", total, err)
			break
		}
		if len(b) == 0 {
			break
		}
		total += len(b)
	}
	if total != 10000 {
		t.Errorf("%d bytes came", total)
	}
}

func tcpRefused(t *T) {
	l := tcpListener(t)
	name := tcpName(t, l)
	syscall.Close(l)
	c := tcpSocket(t)
	defer syscall.Close(c)
	for i := 0; i < 2; i++ { // a socket may try again
		if err := syscall.Connect(c, name); err != syscall.ECONNREFUSED {
			t.Errorf("connect %d: %v", i, err)
		}
	}
	if e, err := syscall.GetsockoptInt(c, syscall.SOL_SOCKET, syscall.SO_ERROR); e != 0 || err != nil {
		t.Errorf("SO_ERROR after it was told: %d %v", e, err)
	}
}

func tcpWriteAfterReset(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	t.Must("setsockoptlinger", syscall.SetsockoptLinger(s, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}))
	syscall.Close(s)
	if _, err := tcpRead(c, 1); err != syscall.ECONNRESET {
		t.Errorf("read: %v", err)
	}
	if _, err := syscall.Write(c, []byte("x")); err != syscall.EPIPE {
		t.Errorf("write: %v", err)
	}
}

func tcpNotConnected(t *T) {
	c := tcpSocket(t)
	defer syscall.Close(c)
	if _, err := syscall.Write(c, []byte("x")); err != syscall.EPIPE {
		t.Errorf("write: %v", err)
	}
	if _, err := tcpRead(c, 1); err != syscall.ENOTCONN {
		t.Errorf("read: %v", err)
	}
	if err := syscall.Shutdown(c, syscall.SHUT_RDWR); err != syscall.ENOTCONN {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := syscall.Getpeername(c); err != syscall.ENOTCONN {
		t.Errorf("getpeername: %v", err)
	}
	if _, _, err := syscall.Accept(c); err != syscall.EINVAL {
		t.Errorf("accept: %v", err)
	}
}

func tcpConnectInProgress(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	t.Must("set-up", err)
	defer syscall.Close(c)
	if err := syscall.Connect(c, tcpName(t, l)); err != nil && err != syscall.EINPROGRESS {
		t.Errorf("connect: %v", err)
	}
	s, _, err := syscall.Accept(l)
	t.Must("set-up", err)
	defer syscall.Close(s)
	if e, err := syscall.GetsockoptInt(c, syscall.SOL_SOCKET, syscall.SO_ERROR); e != 0 || err != nil {
		t.Errorf("SO_ERROR: %d %v", e, err)
	}
	err = syscall.Connect(c, tcpName(t, l))
	if err == nil {
		err = syscall.Connect(c, tcpName(t, l))
	}
	if err != syscall.EISCONN {
		t.Errorf("connect again: %v", err)
	}
}

// A client that came, wrote and left before accept: its bytes are there.
func tcpAcceptAfterEnd(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	c := tcpSocket(t)
	t.Must("connect", syscall.Connect(c, tcpName(t, l)))
	_, err := syscall.Write(c, []byte("hello"))
	t.Must("set-up", err)
	t.Must("close", syscall.Close(c))
	s, _, err := syscall.Accept(l)
	t.Must("set-up", err)
	defer syscall.Close(s)
	if b, err := tcpRead(s, 10); string(b) != "hello" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if b, err := tcpRead(s, 10); len(b) != 0 || err != nil {
		t.Errorf("the end: %q %v", b, err)
	}
}

func tcpListenShutdown(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	done := make(chan error)
	go func() {
		_, _, err := syscall.Accept(l)
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	t.Must("shutdown", syscall.Shutdown(l, syscall.SHUT_RDWR))
	if err := <-done; err != syscall.EINVAL {
		t.Errorf("accept: %v", err)
	}
}

func tcpAddressInUse(t *T) {
	l := tcpListener(t)
	defer syscall.Close(l)
	o := tcpSocket(t)
	defer syscall.Close(o)
	t.Must("setsockoptint", syscall.SetsockoptInt(o, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if err := syscall.Bind(o, tcpName(t, l)); err != syscall.EADDRINUSE {
		t.Errorf("bind where another listens: %v", err)
	}
	if err := syscall.Bind(o, &syscall.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}}); err != syscall.EADDRNOTAVAIL {
		t.Errorf("bind to a foreign address: %v", err)
	}
}

func tcpPeek(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	_, err := syscall.Write(c, []byte("abcdef"))
	t.Must("set-up", err)
	b := make([]byte, 3)
	for i := 0; i < 2; i++ {
		if n, _, err := syscall.Recvfrom(s, b, syscall.MSG_PEEK); n != 3 || err != nil || string(b) != "abc" {
			t.Errorf("peek: %d %q %v", n, b, err)
		}
	}
	if got, err := tcpRead(s, 10); string(got) != "abcdef" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, _, err := syscall.Recvfrom(s, b, syscall.MSG_DONTWAIT); err != syscall.EAGAIN {
		t.Errorf("nothing there: %v", err)
	}
}

func tcpWaitAll(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	go func() {
		for _, piece := range []string{"one", "two", "three"} {
			syscall.Write(c, []byte(piece))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	b := make([]byte, 11)
	var n int
	var err error
	undisturbed(func() { n, _, err = syscall.Recvfrom(s, b, syscall.MSG_WAITALL) })
	if n != 11 || err != nil || string(b) != "onetwothree" {
		t.Errorf("%d %q %v", n, b, err)
	}
}

func tcpZeroBytes(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	if n, err := syscall.Write(c, nil); n != 0 || err != nil {
		t.Errorf("write of nothing: %d %v", n, err)
	}
	if n, err := syscall.Read(s, nil); n != 0 || err != nil {
		t.Errorf("read of nothing: %d %v", n, err)
	}
}

func tcpDeadline(t *T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	t.Must("set-up", err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	t.Must("set-up", err)
	defer c.Close()
	start := time.Now()
	c.SetReadDeadline(start.Add(50 * time.Millisecond))
	_, err = c.Read(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < 50*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	c.SetDeadline(time.Time{})
	// A writer whose peer does not read stops when the buffers are full.
	c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	b := make([]byte, 1<<20)
	for i := 0; err == nil || i == 0; i++ {
		if _, err = c.Write(b); i > 1000 {
			break
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a full connection: %v", err)
	}
}

func tcpKeepalive(t *T) {
	c, _, done := tcpPair(t)
	defer done()
	for _, o := range []struct{ option, value int }{{syscall.TCP_KEEPIDLE, 33}, {syscall.TCP_KEEPINTVL, 7}, {syscall.TCP_KEEPCNT, 4}} {
		t.Must("setsockoptint", syscall.SetsockoptInt(c, syscall.IPPROTO_TCP, o.option, o.value))
		if v, err := syscall.GetsockoptInt(c, syscall.IPPROTO_TCP, o.option); v != o.value || err != nil {
			t.Errorf("option %d: %d %v", o.option, v, err)
		}
		if err := syscall.SetsockoptInt(c, syscall.IPPROTO_TCP, o.option, 0); err != syscall.EINVAL {
			t.Errorf("option %d, 0: %v", o.option, err)
		}
	}
}

// More connections at once than an old backlog of 255 holds, none accepted yet.
func tcpManyAtOnce(t *T) {
	const many = 300
	l := tcpSocket(t)
	defer syscall.Close(l)
	t.Must("bind", syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	t.Must("listen", syscall.Listen(l, many))
	for i := 0; i < many; i++ {
		c := tcpSocket(t)
		defer syscall.Close(c)
		if err := syscall.Connect(c, tcpName(t, l)); err != nil {
			t.Errorf("connection %d: %v", i, err)
			return
		}
	}
	for i := 0; i < many; i++ {
		s, _, err := syscall.Accept(l)
		t.Must("set-up", err)
		syscall.Close(s)
	}
}

func tcpLargeTransfer(t *T) {
	c, s, done := tcpPair(t)
	defer done()
	out := make([]byte, 3<<20)
	for i := range out {
		out[i] = byte(i*7 + i/251)
	}
	go func() {
		for rest := out; len(rest) > 0; {
			n, err := syscall.Write(c, rest)
			if err != nil && err != syscall.EINTR {
				break
			}
			rest = rest[max(n, 0):]
		}
		syscall.Shutdown(c, syscall.SHUT_WR)
	}()
	var in bytes.Buffer
	for {
		b, err := tcpRead(s, 50000)
		if err != nil {
			t.Errorf("after %d bytes: %v", in.Len(), err)
			return
		}
		if len(b) == 0 {
			break
		}
		in.Write(b)
	}
	if !bytes.Equal(in.Bytes(), out) {
		t.Errorf("%d of %d bytes came, or others", in.Len(), len(out))
	}
}

// After a server has closed first its port can be listened on again at once with SO_REUSEADDR.
func tcpSamePortTwice(t *T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	t.Must("set-up", err)
	addr := l.Addr().String()
	c, err := net.Dial("tcp", addr)
	t.Must("set-up", err)
	s, err := l.Accept()
	t.Must("set-up", err)
	s.Close()
	if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
		t.Errorf("%q %v", b, err)
	}
	c.Close()
	l.Close()
	l, err = net.Listen("tcp", addr)
	if err != nil {
		t.Errorf("listen again: %v", err)
		return
	}
	l.Close()
}
