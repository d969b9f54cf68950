package main

import (
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"
)

// UDP: datagrams, the errors that come back, and calls for many at once.
var udpChecks = slices.Concat(udpDatagramChecks, udpControlChecks, udpManyChecks)

// One datagram at a time.
var udpDatagramChecks = []check{
	{"refused-when-connected", udpRefused},
	{"silence-when-not-connected", udpNotConnected},
	{"empty-datagram", udpEmpty},
	{"truncated", udpTruncated},
	{"peek", udpPeek},
	{"largest", udpLargest},
	{"connect-chooses-the-source", udpSource},
	{"connect-again-and-off", udpReconnect},
	{"only-the-peer-is-heard", udpPeerOnly},
	{"no-destination", udpNoDestination},
	{"shutdown", udpShutdown},
	{"poll-bits", udpPollBits},
	{"fionread", udpQueued},
	{"receive-buffer-bounds", udpBuffer},
	{"broadcast-needs-permission", udpBroadcast},
	{"header-edges", udpHeaderEdges},
	{"ranges", udpRanges},
}

// udpPair is two connected sockets of the loopback.
func udpPair(t *T) (a, b int, done func()) { return optDatagrams(t, syscall.AF_INET) }

// udpClosedPort is an address of the loopback where nobody is.
func udpClosedPort(t *T) *syscall.SockaddrInet4 {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	done()
	return at.(*syscall.SockaddrInet4)
}

// udpEventually repeats f until it is true.
func udpEventually(t *T, what string, f func() bool) {
	for i := 0; !f(); i++ {
		if i > 5000 {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func udpRefused(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	t.Must("connect", syscall.Connect(fd, udpClosedPort(t)))
	unixWrite(t, fd, "x")
	udpEventually(t, "POLLERR", func() bool { return unixPoll(t, fd)&pollErr != 0 })
	_, err := syscall.Read(fd, make([]byte, 1))
	t.Want("read", err, error(syscall.ECONNREFUSED))
	unixNonblock(t, fd)
	_, err = syscall.Read(fd, make([]byte, 1))
	t.Want("read then", err, error(syscall.EAGAIN))
	unixWrite(t, fd, "x")
	udpEventually(t, "POLLERR", func() bool { return unixPoll(t, fd)&pollErr != 0 })
	_, err = syscall.Write(fd, []byte("x"))
	t.Want("write", err, error(syscall.ECONNREFUSED))
	// As package net has it.
	c, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", udpClosedPort(t).Port))
	t.Must("dial", err)
	defer c.Close()
	c.Write([]byte("x"))
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, err = c.Read(make([]byte, 1))
	if e, ok := err.(*net.OpError); !ok || e.Timeout() {
		t.Errorf("package net: %v", err)
	}
}

func udpNotConnected(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	for i := 0; i < 3; i++ {
		t.Must("sendto", syscall.Sendto(fd, []byte("x"), 0, udpClosedPort(t)))
	}
	time.Sleep(20 * time.Millisecond)
	unixNonblock(t, fd)
	unixWantRead(t, "read", fd, 1, "", syscall.EAGAIN)
	optWant(t, "SO_ERROR", fd, syscall.SOL_SOCKET, syscall.SO_ERROR, 0)
}

func udpEmpty(t *T) {
	a, b, done := udpPair(t)
	defer done()
	if _, e := call(syscall.SYS_SENDTO, uintptr(a), 0, 0, 0, 0, 0); e != 0 {
		t.Errorf("send of nothing: %v", e)
	}
	unixWrite(t, a, "x")
	udpEventually(t, "readable", func() bool { return unixPoll(t, b)&pollIn != 0 })
	unixWantRead(t, "the empty one", b, 9, "", nil)
	unixWantRead(t, "the other", b, 9, "x", nil)
}

func udpTruncated(t *T) {
	a, b, done := udpPair(t)
	defer done()
	unixWrite(t, a, "longer than the room")
	unixWrite(t, a, "longer than the room")
	buf := make([]byte, 6)
	n, _, flags, _, err := syscall.Recvmsg(b, buf, nil, 0)
	t.Must("recvmsg", err)
	t.Want("length", n, 6)
	t.Want("flags", flags, syscall.MSG_TRUNC)
	n, _, err = syscall.Recvfrom(b, buf, syscall.MSG_TRUNC)
	t.Must("recvfrom", err)
	t.Want("whole length", n, 20)
}

func udpPeek(t *T) {
	a, b, done := udpPair(t)
	defer done()
	unixWrite(t, a, "one")
	unixWrite(t, a, "two")
	buf := make([]byte, 9)
	for i := 0; i < 2; i++ {
		n, _, err := syscall.Recvfrom(b, buf, syscall.MSG_PEEK)
		t.Must("peek", err)
		t.Want("peeked", string(buf[:n]), "one")
	}
	unixWantRead(t, "first", b, 9, "one", nil)
	unixWantRead(t, "second", b, 9, "two", nil)
}

func udpLargest(t *T) {
	a, b, done := udpPair(t)
	defer done()
	_, err := syscall.Write(a, make([]byte, 65508))
	t.Want("65508 bytes", err, error(syscall.EMSGSIZE))
	data := make([]byte, 65507)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	unixWrite(t, a, string(data))
	unixWantRead(t, "65507 bytes", b, 70000, string(data), nil)
}

func udpSource(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	t.Must("connect", syscall.Connect(fd, &syscall.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}))
	own, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	t.Want("source", own.(*syscall.SockaddrInet4).Addr, [4]byte{127, 0, 0, 1})
	t.Want("port chosen", own.(*syscall.SockaddrInet4).Port != 0, true)
	peer, err := syscall.Getpeername(fd)
	t.Must("getpeername", err)
	t.Want("peer", peer.(*syscall.SockaddrInet4).Port, 9)
}

func udpReconnect(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	_, err := syscall.Getpeername(fd)
	t.Want("getpeername at first", err, error(syscall.ENOTCONN))
	for port := 7; port < 10; port++ {
		t.Must("connect", syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	}
	unspec := [16]byte{}
	if _, e := call(syscall.SYS_CONNECT, uintptr(fd), ptr(&unspec), 16); e != 0 {
		t.Errorf("connect to AF_UNSPEC: %v", e)
	}
	_, err = syscall.Getpeername(fd)
	t.Want("getpeername at last", err, error(syscall.ENOTCONN))
}

func udpPeerOnly(t *T) {
	a, b, done := udpPair(t)
	defer done()
	other, doneOther := optSocket(t, syscall.SOCK_DGRAM)
	defer doneOther()
	at, err := syscall.Getsockname(b)
	t.Must("getsockname", err)
	t.Must("sendto", syscall.Sendto(other, []byte("stranger"), 0, at))
	unixWrite(t, a, "peer")
	unixWantRead(t, "read", b, 9, "peer", nil)
	unixNonblock(t, b)
	unixWantRead(t, "then", b, 9, "", syscall.EAGAIN)
}

func udpNoDestination(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	_, err := syscall.Write(fd, []byte("x"))
	t.Want("write", err, error(syscall.EDESTADDRREQ))
	t.Want("port 0", syscall.Sendto(fd, []byte("x"), 0, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), error(syscall.EINVAL))
	t.Want("listen", syscall.Listen(fd, 1), error(syscall.EOPNOTSUPP))
	_, _, err = syscall.Accept(fd)
	t.Want("accept", err, error(syscall.EOPNOTSUPP))
}

func udpShutdown(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	t.Want("not connected", syscall.Shutdown(fd, syscall.SHUT_RD), error(syscall.ENOTCONN))
	a, b, donePair := udpPair(t)
	defer donePair()
	t.Must("shutdown", syscall.Shutdown(a, syscall.SHUT_WR))
	_, err := syscall.Write(a, []byte("x"))
	t.Want("write", err, error(syscall.EPIPE))
	t.Must("shutdown", syscall.Shutdown(b, syscall.SHUT_RD))
	unixWantRead(t, "read", b, 9, "", nil)
	_, _, err = syscall.Recvfrom(b, make([]byte, 9), syscall.MSG_DONTWAIT)
	t.Want("who does not wait is not told", err, error(syscall.EAGAIN))
}

func udpPollBits(t *T) {
	a, b, done := udpPair(t)
	defer done()
	t.Want("idle", unixPoll(t, b), int16(pollOut))
	unixWrite(t, a, "x")
	udpEventually(t, "readable", func() bool { return unixPoll(t, b) == pollIn|pollOut })
	t.Must("shutdown", syscall.Shutdown(b, syscall.SHUT_RD))
	t.Want("shut for reading", unixPoll(t, b), int16(pollIn|pollOut|pollRdhup))
	t.Must("shutdown", syscall.Shutdown(b, syscall.SHUT_WR))
	t.Want("shut", unixPoll(t, b), int16(pollIn|pollOut|pollRdhup|pollHup))
}

func udpQueued(t *T) {
	a, b, done := udpPair(t)
	defer done()
	unixWrite(t, a, "first")
	unixWrite(t, a, "second one")
	udpEventually(t, "readable", func() bool { return unixPoll(t, b)&pollIn != 0 })
	n, err := unixIoctl(b, syscall.TIOCINQ)
	t.Must("FIONREAD", err)
	t.Want("FIONREAD: the first one's length", n, int32(5))
}

func udpBuffer(t *T) {
	a, b, done := udpPair(t)
	defer done()
	optSet(t, "SO_RCVBUF", b, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 10_000)
	for i := 0; i < 200; i++ {
		unixWrite(t, a, fmt.Sprintf("%-1000d", i))
	}
	time.Sleep(10 * time.Millisecond)
	unixNonblock(t, b)
	got := 0
	for buf := make([]byte, 2000); ; got++ {
		n, err := syscall.Read(b, buf)
		if err != nil {
			break
		}
		var i int
		fmt.Sscan(string(buf[:n]), &i)
		t.Want("order: the first ones stay", i, got)
	}
	if got == 0 || got > 100 {
		t.Errorf("%d of 200 datagrams fit into 20000 bytes", got)
	}
}

func udpBroadcast(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	all := &syscall.SockaddrInet4{Port: 9, Addr: [4]byte{255, 255, 255, 255}}
	err := syscall.Sendto(fd, []byte("x"), 0, all)
	if err != syscall.EACCES && err != syscall.ENETUNREACH {
		t.Errorf("without SO_BROADCAST: %v", err)
	}
}

func udpHeaderEdges(t *T) {
	a, b, done := udpPair(t)
	defer done()
	text := []byte("x")
	h := mmsgs(text)[0]
	h.iovLen = 1025
	_, e := call(syscall.SYS_SENDMSG, uintptr(a), ptr(&h), 0)
	t.Want("1025 ranges", e, syscall.EMSGSIZE)
	h.iovLen = 1
	h.name, h.nameLen = badPointer, 16
	_, e = call(syscall.SYS_SENDMSG, uintptr(a), ptr(&h), 0)
	t.Want("a destination at a bad address", e, syscall.EFAULT)
	h.nameLen = 1 << 31
	_, e = call(syscall.SYS_SENDMSG, uintptr(a), ptr(&h), 0)
	t.Want("a negative length", e, syscall.EINVAL)
	h.name, h.nameLen = 0, 0
	_, e = call(syscall.SYS_SENDMSG, uintptr(a), badPointer, 0)
	t.Want("no header", e, syscall.EFAULT)
	unixWrite(t, a, "x")
	_, e = call(syscall.SYS_RECVMSG, uintptr(b), badPointer, 0)
	t.Want("receive with no header", e, syscall.EFAULT)
	unixWantRead(t, "it is still there", b, 9, "x", nil)
	none := syscall.Msghdr{}
	unixWrite(t, a, "gone")
	n, e := call(syscall.SYS_RECVMSG, uintptr(b), ptr(&none), 0)
	if n != 0 || e != 0 || none.Flags != syscall.MSG_TRUNC {
		t.Errorf("no ranges: %d, %v, %#x", n, e, none.Flags)
	}
}

func udpRanges(t *T) {
	a, b, done := udpPair(t)
	defer done()
	parts := []byte("abc")
	iov := []syscall.Iovec{{Base: &parts[0], Len: 1}, {}, {Base: &parts[1], Len: 2}}
	h := syscall.Msghdr{Iov: &iov[0], Iovlen: 3}
	n, e := call(syscall.SYS_SENDMSG, uintptr(a), ptr(&h), 0)
	if n != 3 || e != 0 {
		t.Fatalf("sendmsg: %d, %v", n, e)
	}
	got := make([]byte, 3)
	iov = []syscall.Iovec{{}, {Base: &got[2], Len: 1}, {Base: &got[0], Len: 2}}
	h = syscall.Msghdr{Iov: &iov[0], Iovlen: 3}
	n, e = call(syscall.SYS_RECVMSG, uintptr(b), ptr(&h), 0)
	if n != 3 || e != 0 {
		t.Fatalf("recvmsg: %d, %v", n, e)
	}
	t.Want("in the order of the ranges", string(got), "bca")
	n, e = call(syscall.SYS_WRITEV, uintptr(a), ptr(&iov[0]), 3)
	if n != 3 || e != 0 {
		t.Errorf("writev: %d, %v", n, e)
	}
	unixWantRead(t, "one datagram", b, 9, "abc", nil)
}
