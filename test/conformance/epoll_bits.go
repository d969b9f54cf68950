package main

import (
	"fmt"
	"syscall"
	"time"
)

// What each kind of file reports, and when.
var epollBitChecks = []check{
	{"eventfd-exactly-readable", epollEventfd},
	{"tcp-bits", epollTCPBits},
	{"tcp-reset-bits", epollReset},
	{"tcp-connect-bits", epollConnect},
	{"pipe-bits", epollPipeBits},
}

// epollEventfd: Go's own waking needs it to be readable and nothing else.
func epollEventfd(t *T) {
	fd, errno := call(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC)
	t.Want("eventfd2", errno, syscall.Errno(0))
	defer syscall.Close(int(fd))
	ep, done := epollSet(t)
	defer done()
	epollAdd(t, ep, int(fd), syscall.EPOLLIN)
	epollWant(t, "zero", ep, map[int]uint32{})
	unixWrite(t, int(fd), "\x01\x00\x00\x00\x00\x00\x00\x00")
	epollWant(t, "one", ep, map[int]uint32{int(fd): syscall.EPOLLIN})
	unixWantRead(t, "read", int(fd), 8, "\x01\x00\x00\x00\x00\x00\x00\x00", nil)
	epollWant(t, "zero again", ep, map[int]uint32{})
}

// epollUntil waits until the bits of fd are want.
func epollUntil(t *T, what string, fd int, want int16) {
	for i := 0; unixPoll(t, fd) != want; i++ {
		if i > 5000 {
			t.Fatalf("%s: %#x, want %#x", what, unixPoll(t, fd), want)
		}
		time.Sleep(time.Millisecond)
	}
}

const tcpOut = 0x4 | 0x100

func epollTCPBits(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	epollUntil(t, "idle", client, tcpOut)
	unixWrite(t, server, "x")
	epollUntil(t, "data", client, pollIn|tcpOut)
	t.Must("shutdown", syscall.Shutdown(server, syscall.SHUT_WR))
	epollUntil(t, "data and the end", client, pollIn|tcpOut|pollRdhup)
	unixWantRead(t, "read", client, 9, "x", nil)
	unixWantRead(t, "the end", client, 9, "", nil)
	epollUntil(t, "the end, read", client, pollIn|tcpOut|pollRdhup)
	t.Must("shutdown", syscall.Shutdown(client, syscall.SHUT_WR))
	epollUntil(t, "both ends", client, pollIn|tcpOut|pollRdhup|pollHup)
	fresh, doneFresh := optSocket(t, syscall.SOCK_STREAM)
	defer doneFresh()
	epollUntil(t, "fresh", fresh, tcpOut|pollHup)
	t.Must("listen", syscall.Listen(fresh, 1))
	epollUntil(t, "listening", fresh, 0)
}

func epollReset(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	ep, doneSet := epollSet(t)
	defer doneSet()
	epollAdd(t, ep, client, epollAll|epollET)
	epollGot(t, ep, 4, epollImmediate)
	t.Must("SO_LINGER", syscall.SetsockoptLinger(server, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}))
	syscall.Close(server)
	all := uint32(epollAll | syscall.EPOLLERR | syscall.EPOLLHUP)
	t.Want("bits", fmt.Sprintf("%#x", epollGot(t, ep, 4, 20_000)[client]), fmt.Sprintf("%#x", all))
	_, err := syscall.Read(client, make([]byte, 1))
	t.Want("read", err, error(syscall.ECONNRESET))
	unixWantRead(t, "read then", client, 1, "", nil)
	_, err = syscall.Write(client, []byte("x"))
	t.Want("write", err, error(syscall.EPIPE))
	t.Want("then", unixPoll(t, client), int16(pollIn|tcpOut|pollRdhup|pollHup))
}

func epollConnect(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	unixNonblock(t, fd)
	ep, doneSet := epollSet(t)
	defer doneSet()
	l, doneL := optSocket(t, syscall.SOCK_STREAM)
	t.Must("bind", syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(l)
	t.Must("getsockname", err)
	doneL() // nobody listens
	err = syscall.Connect(fd, at)
	if err != syscall.EINPROGRESS && err != syscall.ECONNREFUSED {
		t.Fatalf("connect: %v", err)
	}
	epollAdd(t, ep, fd, epollAll|epollET)
	got := epollGot(t, ep, 4, 20_000)[fd]
	if want := uint32(syscall.EPOLLOUT | syscall.EPOLLHUP); got&want != want {
		t.Errorf("bits of a refused connection: %#x", got)
	}
	_, err = syscall.Getpeername(fd)
	t.Want("getpeername", err, error(syscall.ENOTCONN))
}

func epollPipeBits(t *T) {
	r, w := unixPipe(t)
	t.Want("reader", unixPoll(t, r), int16(0))
	t.Want("writer", unixPoll(t, w), int16(tcpOut))
	unixWrite(t, w, "x")
	t.Want("reader with data", unixPoll(t, r), int16(pollIn))
	syscall.Close(w)
	t.Want("reader with data, no writer", unixPoll(t, r), int16(pollIn|pollHup))
	syscall.Read(r, make([]byte, 9))
	t.Want("no writer", unixPoll(t, r), int16(pollHup))
	syscall.Close(r)
	r, w = unixPipe(t)
	syscall.Close(r)
	t.Want("no reader", unixPoll(t, w), int16(tcpOut|pollErr))
	syscall.Close(w)
}
