package main

import (
	"strings"
	"syscall"
	"time"
)

// What AF_UNIX sockets tell: ends, room, readiness.
var unixStateChecks = []check{
	{"shutdown-halves", unixShutdown},
	{"close-with-unread", unixCloseUnread},
	{"eof-after-data", unixEOF},
	{"unconnected", unixUnconnected},
	{"message-too-long", unixTooLong},
	{"poll-bits", unixPollBits},
	{"full-then-writable", unixFull},
	{"fionread", unixQueued},
	{"datagram-timeout", unixTimeout},
}

func unixShutdown(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	unixWrite(t, a, "before")
	t.Must("shutdown", syscall.Shutdown(a, syscall.SHUT_WR))
	_, err := syscall.Write(a, []byte("x"))
	t.Want("write", err, error(syscall.EPIPE))
	unixWrite(t, b, "back")
	unixWantRead(t, "other way", a, 9, "back", nil)
	unixWantRead(t, "what came before", b, 9, "before", nil)
	unixWantRead(t, "end", b, 9, "", nil)
	t.Must("shutdown", syscall.Shutdown(a, syscall.SHUT_RD))
	_, err = syscall.Write(b, []byte("x"))
	t.Want("write to who reads no more", err, error(syscall.EPIPE))
	t.Want("how 3", syscall.Shutdown(a, 3), error(syscall.EINVAL))
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Must("shutdown of one that is not connected", syscall.Shutdown(c, syscall.SHUT_RDWR))
	d, _, doneDatagrams := unixPair(t, syscall.SOCK_DGRAM)
	defer doneDatagrams()
	t.Must("shutdown", syscall.Shutdown(d, syscall.SHUT_RD))
	unixWantRead(t, "datagrams: read", d, 9, "", nil)
	_, _, err = syscall.Recvfrom(d, make([]byte, 9), syscall.MSG_DONTWAIT)
	t.Want("datagrams: who does not wait is not told", err, error(syscall.EAGAIN))
}

func unixCloseUnread(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	unixWrite(t, a, "unread")
	syscall.Close(b)
	_, err := syscall.Read(a, make([]byte, 1))
	t.Want("read", err, error(syscall.ECONNRESET))
	unixWantRead(t, "then", a, 1, "", nil)
}

func unixEOF(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET} {
		a, b, done := unixPair(t, kind)
		unixWrite(t, b, "last")
		syscall.Close(b)
		unixWantRead(t, "data", a, 9, "last", nil)
		unixWantRead(t, "end", a, 9, "", nil)
		unixWantRead(t, "end again", a, 9, "", nil)
		_, err := syscall.Write(a, []byte("x"))
		t.Want("write", err, error(syscall.EPIPE))
		done()
	}
}

func unixUnconnected(t *T) {
	for kind, want := range map[int]error{syscall.SOCK_STREAM: syscall.EINVAL, syscall.SOCK_SEQPACKET: syscall.ENOTCONN} {
		c := unixSocket(t, kind)
		unixWantRead(t, "read", c, 1, "", want)
		_, err := syscall.Write(c, []byte("x"))
		t.Want("write", err, error(syscall.ENOTCONN))
		_, err = syscall.Getpeername(c)
		t.Want("getpeername", err, error(syscall.ENOTCONN))
		syscall.Close(c)
	}
}

func unixTooLong(t *T) {
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		a, b, done := unixPair(t, kind)
		t.Must("SO_SNDBUF", syscall.SetsockoptInt(a, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 20_000))
		_, err := syscall.Write(a, make([]byte, 50_000))
		t.Want("write of 50000 bytes", err, error(syscall.EMSGSIZE))
		unixWrite(t, a, strings.Repeat("x", 30_000))
		unixWantRead(t, "30000", b, 40_000, strings.Repeat("x", 30_000), nil)
		done()
	}
}

// unixPoll is what poll says about a descriptor now.
func unixPoll(t *T, fd int) int16 {
	p := struct {
		fd              int32
		events, revents int16
	}{int32(fd), 0x3fff &^ 0x1000, 0}
	if _, e := callAgain(syscall.SYS_POLL, ptr(&p), 1, 0); e != 0 {
		t.Fatalf("poll: %v", e)
	}
	return p.revents
}

const (
	pollIn    = 0x1 | 0x40
	pollOut   = 0x4 | 0x100 | 0x200
	pollErr   = 0x8
	pollHup   = 0x10
	pollRdhup = 0x2000
)

func unixPollBits(t *T) {
	wantBits := func(what string, fd int, want int16) {
		if got := unixPoll(t, fd); got != want {
			t.Errorf("%s: %#x, want %#x", what, got, want)
		}
	}
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET} {
		c := unixSocket(t, kind)
		wantBits("fresh", c, pollOut|pollHup)
		syscall.Close(c)
		a, b, done := unixPair(t, kind)
		wantBits("connected", a, pollOut)
		unixWrite(t, b, "x")
		wantBits("with data", a, pollIn|pollOut)
		syscall.Shutdown(b, syscall.SHUT_WR)
		wantBits("half closed", a, pollIn|pollOut|pollRdhup)
		wantBits("the half that closed", b, pollOut)
		unixWrite(t, a, "unread")
		syscall.Close(b)
		wantBits("reset", a, pollIn|pollOut|pollRdhup|pollHup|pollErr)
		done()
	}
	l, at := unixListen(t, syscall.SOCK_STREAM, "bits", 1)
	defer syscall.Close(l)
	wantBits("listening", l, 0)
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Must("connect", syscall.Connect(c, at))
	wantBits("called", l, pollIn)
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	wantBits("datagram", a, pollOut)
	unixWrite(t, b, "x")
	wantBits("datagram with data", a, pollIn|pollOut)
	syscall.Close(b)
	wantBits("datagram, peer gone", a, pollIn|pollOut)
}

func unixFull(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET, syscall.SOCK_DGRAM} {
		a, b, done := unixPair(t, kind)
		unixNonblock(t, a, b)
		ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		t.Must("epoll", err)
		sent := 0
		for {
			n, err := syscall.Write(a, make([]byte, 3000))
			if err != nil {
				t.Want("write when full", err, error(syscall.EAGAIN))
				break
			}
			sent += n
		}
		e := syscall.EpollEvent{Events: syscall.EPOLLOUT | 1<<31 /* EPOLLET */, Fd: int32(a)}
		t.Must("add", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, a, &e))
		var events [1]syscall.EpollEvent
		if n, _ := syscall.EpollWait(ep, events[:], 0); n != 0 {
			t.Errorf("writable although full: %#x", events[0].Events)
		}
		got := 0
		for buf := make([]byte, 1<<16); ; {
			n, err := syscall.Read(b, buf)
			if err != nil {
				break
			}
			got += n
		}
		t.Want("bytes", got, sent)
		if n, _ := epollWait(ep, events[:], 1000); n != 1 || events[0].Events != syscall.EPOLLOUT {
			t.Errorf("no edge after it was emptied: %d, %#x", n, events[0].Events)
		}
		syscall.Close(ep)
		done()
	}
}

func unixIoctl(fd int, command uintptr) (int32, error) {
	var v int32
	if _, e := call(syscall.SYS_IOCTL, uintptr(fd), command, ptr(&v)); e != 0 {
		return 0, e
	}
	return v, nil
}

func unixQueued(t *T) {
	for kind, want := range map[int]int32{syscall.SOCK_STREAM: 7, syscall.SOCK_SEQPACKET: 7, syscall.SOCK_DGRAM: 3} {
		a, b, done := unixPair(t, kind)
		unixWrite(t, a, "abc")
		unixWrite(t, a, "defg")
		n, err := unixIoctl(b, syscall.TIOCINQ)
		t.Must("FIONREAD", err)
		t.Want("FIONREAD", n, want)
		n, err = unixIoctl(a, syscall.TIOCOUTQ)
		if err != nil || n < 7 {
			t.Errorf("TIOCOUTQ with 7 bytes on the way: %d, %v", n, err)
		}
		syscall.Read(b, make([]byte, 9))
		syscall.Recvfrom(b, make([]byte, 9), syscall.MSG_DONTWAIT)
		n, err = unixIoctl(a, syscall.TIOCOUTQ)
		if err != nil || n != 0 {
			t.Errorf("TIOCOUTQ after all was read: %d, %v", n, err)
		}
		done()
	}
	l, _ := unixListen(t, syscall.SOCK_STREAM, "inq", 1)
	defer syscall.Close(l)
	_, err := unixIoctl(l, syscall.TIOCINQ)
	t.Want("FIONREAD of a listener", err, error(syscall.EINVAL))
}

func unixTimeout(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	tv := syscall.Timeval{Usec: 30_000}
	t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(a, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv))
	t.Must("SO_SNDTIMEO", syscall.SetsockoptTimeval(b, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &tv))
	start := time.Now()
	_, err := readAgain(a, make([]byte, 1))
	t.Want("read", err, error(syscall.EAGAIN))
	if d := time.Since(start); d < 29*time.Millisecond {
		t.Errorf("waited %v only", d)
	}
	start = time.Now()
	for err = nil; err == nil; {
		err = again(func() error {
			_, err := syscall.Write(b, make([]byte, 4000))
			return err
		})
	}
	t.Want("write", err, error(syscall.EAGAIN))
	if d := time.Since(start); d < 29*time.Millisecond {
		t.Errorf("waited %v only", d)
	}
}
