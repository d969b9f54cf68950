package main

import (
	"bytes"
	"fmt"
	"syscall"
	"time"
)

// TCP's urgent data: one byte beside the stream, and the mark that it leaves there.
var urgentChecks = []check{
	{"byte-beside-the-stream", urgentByte},
	{"reading-stops-at-the-mark", urgentMark},
	{"inline", urgentInline},
	{"peek", urgentPeek},
	{"waitall-ends-at-the-mark", urgentWaitAll},
	{"newest-wins", urgentNewest},
	{"alone", urgentAlone},
	{"no-room-for-it", urgentNoRoom},
	{"after-much", urgentAfterMuch},
	{"ipv6", urgentIPv6},
	{"wakes-who-waits", urgentWakes},
	{"the-end-and-a-reset", urgentEnd},
	{"inherited", urgentInherited},
	{"other-sockets", urgentOthers},
}

const sioCatMark = 0x8905

// urgentAgain repeats what a signal of the runtime's ended.
func urgentAgain(f func() (int, error)) (n int, err error) {
	again(func() error {
		n, err = f()
		return err
	})
	return n, err
}

// urgentSend writes with MSG_OOB: the last byte is the urgent one.
func urgentSend(t *T, fd int, data string) {
	if n, err := urgentAgain(func() (int, error) {
		return syscall.SendmsgN(fd, []byte(data), nil, nil, syscall.MSG_OOB)
	}); err != nil || n != len(data) {
		t.Fatalf("send: %d, %v", n, err)
	}
}

// urgentReceive demands what one recvfrom gives.
func urgentReceive(t *T, what string, fd, room, flags int, want string, wantErr error) {
	buf := make([]byte, room)
	n, _, err := syscall.Recvfrom(fd, buf, flags)
	if err != wantErr || (err == nil && string(buf[:n]) != want) {
		t.Errorf("%s: %q, %v; want %q, %v", what, buf[:max(n, 0)], err, want, wantErr)
	}
}

func urgentAtMark(t *T, what string, fd int, want int32) {
	got, err := unixIoctl(fd, sioCatMark)
	if err != nil || got != want {
		t.Errorf("%s: at the mark %d, %v; want %d", what, got, err, want)
	}
}

func urgentQueued(t *T, what string, fd int, want int32) {
	got, err := unixIoctl(fd, 0x541b) // FIONREAD
	if err != nil || got != want {
		t.Errorf("%s: %d bytes can be read, %v; want %d", what, got, err, want)
	}
}

// urgentPair is two connected sockets, the second without waiting.
func urgentPair(t *T) (client, server int, done func()) {
	client, server, done = optTCP(t, nil)
	optSet(t, "TCP_NODELAY", client, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	unixNonblock(t, server)
	return client, server, done
}

func urgentByte(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	urgentReceive(t, "before there is one", server, 9, syscall.MSG_OOB, "", syscall.EINVAL)
	urgentAtMark(t, "before there is one", server, 0)
	urgentSend(t, client, "abc")
	epollUntil(t, "two bytes and one beside them", server, pollIn|tcpOut|0x2)
	urgentQueued(t, "before the mark", server, 2)
	urgentAtMark(t, "before the mark", server, 0)
	urgentReceive(t, "peeked", server, 9, syscall.MSG_OOB|syscall.MSG_PEEK, "c", nil)
	buf := make([]byte, 9)
	n, _, flags, _, err := syscall.Recvmsg(server, buf, nil, syscall.MSG_OOB)
	if err != nil || string(buf[:n]) != "c" || flags != syscall.MSG_OOB {
		t.Errorf("recvmsg: %q, flags %#x, %v", buf[:max(n, 0)], flags, err)
	}
	t.Want("events when it was read", unixPoll(t, server), int16(pollIn|tcpOut))
	urgentReceive(t, "read before", server, 9, syscall.MSG_OOB, "", syscall.EINVAL)
	unixWantRead(t, "before the mark", server, 9, "ab", nil)
	urgentAtMark(t, "behind what was before", server, 1)
	unixWrite(t, client, "def")
	epollUntil(t, "what is behind", server, pollIn|tcpOut)
	unixWantRead(t, "behind the mark", server, 9, "def", nil)
	urgentAtMark(t, "behind the mark", server, 0)
}

func urgentMark(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	urgentSendAround(t, client)
	urgentQueued(t, "before the mark", server, 2)
	unixWantRead(t, "before the mark", server, 9, "ab", nil)
	urgentQueued(t, "at the mark", server, 0)
	t.Want("events at the mark", unixPoll(t, server), int16(pollIn|tcpOut|0x2))
	unixWantRead(t, "one byte behind the mark", server, 1, "d", nil)
	urgentReceive(t, "passed", server, 9, syscall.MSG_OOB, "", syscall.EINVAL)
	t.Want("events when it was passed", unixPoll(t, server), int16(pollIn|tcpOut))
	unixWantRead(t, "the rest", server, 9, "ef", nil)
}

// urgentSettle waits until the peer's kernel has everything.
func urgentSettle(t *T, fd int) {
	udpEventually(t, "everything is acknowledged", func() bool {
		n, err := unixIoctl(fd, 0x5411) // SIOCOUTQ
		t.Must("SIOCOUTQ", err)
		return n == 0
	})
}

// urgentSendAround: "ab", an urgent 'c', and "def" behind it are all there.
func urgentSendAround(t *T, fd int) {
	urgentSend(t, fd, "abc")
	unixWrite(t, fd, "def")
	urgentSettle(t, fd)
}

func urgentInline(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	optWant(t, "SO_OOBINLINE at first", server, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 0)
	optSet(t, "SO_OOBINLINE", server, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 7)
	optWant(t, "SO_OOBINLINE", server, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
	urgentSendAround(t, client)
	urgentQueued(t, "all", server, 6)
	t.Want("events", unixPoll(t, server), int16(pollIn|tcpOut|0x2))
	urgentReceive(t, "beside the stream", server, 9, syscall.MSG_OOB, "", syscall.EINVAL)
	unixWantRead(t, "before the mark", server, 9, "ab", nil)
	urgentAtMark(t, "before the byte", server, 1)
	unixWantRead(t, "with the byte", server, 9, "cdef", nil)
	urgentAtMark(t, "behind the byte", server, 0)
}

func urgentPeek(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	urgentSendAround(t, client)
	urgentReceive(t, "before the mark", server, 9, syscall.MSG_PEEK, "ab", nil)
	unixWantRead(t, "before the mark", server, 9, "ab", nil)
	urgentReceive(t, "behind the mark", server, 9, syscall.MSG_PEEK, "def", nil)
	urgentAtMark(t, "still", server, 1)
	urgentReceive(t, "the byte", server, 9, syscall.MSG_OOB, "c", nil)
	unixWantRead(t, "behind the mark", server, 9, "def", nil)
}

func urgentWaitAll(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	urgentSend(t, client, "abc")
	unixWrite(t, client, "def")
	undisturbed(func() {
		urgentReceive(t, "of 5", server, 5, syscall.MSG_WAITALL, "ab", nil)
		urgentReceive(t, "of 3", server, 3, syscall.MSG_WAITALL, "def", nil)
	})
}

// urgentNewest: a byte that was not read when the next one came is part of the stream, unless reading had come to it.
func urgentNewest(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	urgentSend(t, client, "xa")
	urgentSettle(t, client)
	urgentSend(t, client, "yb")
	urgentSettle(t, client)
	urgentReceive(t, "the newest", server, 9, syscall.MSG_OOB, "b", nil)
	unixWantRead(t, "before its mark", server, 9, "xay", nil)
	unixWantRead(t, "at its mark", server, 9, "", syscall.EAGAIN)
	urgentSend(t, client, "c")
	urgentSettle(t, client)
	urgentAtMark(t, "at one", server, 1)
	urgentSend(t, client, "zd")
	urgentSettle(t, client)
	unixWantRead(t, "without the one that was there", server, 9, "z", nil)
	urgentReceive(t, "the newest", server, 9, syscall.MSG_OOB, "d", nil)
}

// urgentAlone: who reads when nothing but the byte is there waits, and the byte is lost.
func urgentAlone(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	urgentSend(t, client, "a")
	epollUntil(t, "it alone", server, tcpOut|0x2)
	urgentAtMark(t, "it alone", server, 1)
	unixWantRead(t, "read", server, 9, "", syscall.EAGAIN)
	urgentAtMark(t, "after that", server, 0)
	urgentReceive(t, "after that", server, 9, syscall.MSG_OOB, "", syscall.EINVAL)
}

func urgentNoRoom(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	for _, c := range []struct{ flags, wantFlags int }{
		{syscall.MSG_PEEK, syscall.MSG_OOB | syscall.MSG_TRUNC},
		{0, syscall.MSG_OOB | syscall.MSG_TRUNC},
	} {
		urgentSend(t, client, "a")
		epollUntil(t, "it alone", server, tcpOut|0x2)
		h := syscall.Msghdr{}
		n, e := call(syscall.SYS_RECVMSG, uintptr(server), ptr(&h), uintptr(syscall.MSG_OOB|c.flags))
		if e != 0 || n != 0 || int(h.Flags) != c.wantFlags {
			t.Errorf("flags %#x: %d, flags %#x, %v; want flags %#x", c.flags, n, h.Flags, e, c.wantFlags)
		}
	}
	urgentReceive(t, "read", server, 9, syscall.MSG_OOB, "", syscall.EINVAL)
}

// urgentAfterMuch: the mark is where it was set, however many segments lie before it.
func urgentAfterMuch(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	body := bytes.Repeat([]byte("0123456789abcdef"), 16<<10) // 256 KiB
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for rest := body; len(rest) > 0; {
			n, err := urgentAgain(func() (int, error) {
				return syscall.SendmsgN(client, rest, nil, nil, 0)
			})
			if err != nil {
				t.Errorf("send: %v", err)
				return
			}
			rest = rest[n:]
		}
		urgentSend(t, client, "wxyZ")
		unixWrite(t, client, "behind")
	}()
	var got []byte
	buf := make([]byte, 60_000)
	for start := time.Now(); len(got) < len(body)+3; {
		n, err := syscall.Read(server, buf)
		if n > 0 {
			got = append(got, buf[:n]...)
		} else if err != syscall.EAGAIN || time.Since(start) > 60*time.Second {
			t.Fatalf("read after %d bytes: %d, %v", len(got), n, err)
		}
	}
	<-sent
	urgentSettle(t, client)
	t.Want("bytes before the mark", len(got), len(body)+3)
	t.Want("they are right", bytes.Equal(got, append(body, "wxy"...)), true)
	urgentAtMark(t, "behind them", server, 1)
	urgentReceive(t, "the byte", server, 9, syscall.MSG_OOB, "Z", nil)
	unixWantRead(t, "behind the mark", server, 9, "behind", nil)
}

func urgentIPv6(t *T) {
	l, at := ttlListen(t, ttlOver6)
	client := ttlOver6.socket(t, syscall.SOCK_STREAM)
	optSet(t, "hops", client, ttlOver6.level, ttlOver6.ttl, 255)
	t.Must("connect", syscall.Connect(client, at))
	server, _, err := syscall.Accept4(l, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
	t.Must("accept", err)
	defer closeFds(l, client, server)
	urgentSend(t, client, "abc")
	epollUntil(t, "two bytes and one beside them", server, pollIn|tcpOut|0x2)
	urgentReceive(t, "the byte", server, 9, syscall.MSG_OOB, "c", nil)
	unixWantRead(t, "before it", server, 9, "ab", nil)
}

// urgentWakes: epoll with EPOLLPRI alone, and select's set of exceptions.
func urgentWakes(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	t.Must("epoll_create1", err)
	defer closeFds(ep)
	t.Must("epoll_ctl", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, server,
		&syscall.EpollEvent{Events: syscall.EPOLLPRI, Fd: int32(server)}))
	events := make([]syscall.EpollEvent, 4)
	wait := func(what string, ms, want int) {
		n, err := urgentAgain(func() (int, error) { return syscall.EpollWait(ep, events, ms) })
		if err != nil || n != want || (n == 1 && events[0].Events != syscall.EPOLLPRI) {
			t.Errorf("%s: %d events, first %#x, %v; want %d", what, n, events[0].Events, err, want)
		}
	}
	unixWrite(t, client, "plain")
	urgentSettle(t, client)
	wait("plain bytes", 0, 0)
	go func() {
		time.Sleep(20 * time.Millisecond)
		urgentSend(t, client, "!")
	}()
	wait("an urgent byte", 20_000, 1)
	set := syscall.FdSet{}
	set.Bits[server/64] |= 1 << (server % 64)
	n, err := urgentAgain(func() (int, error) {
		return syscall.Select(server+1, nil, nil, &set, &syscall.Timeval{Sec: 20})
	})
	if err != nil || n != 1 {
		t.Errorf("select: %d, %v", n, err)
	}
	urgentReceive(t, "the byte", server, 9, syscall.MSG_OOB, "!", nil)
	wait("when it was read", 0, 0)
}

func urgentEnd(t *T) {
	client, server, done := urgentPair(t)
	defer done()
	urgentSend(t, client, "ab")
	t.Must("shutdown", syscall.Shutdown(client, syscall.SHUT_WR))
	epollUntil(t, "all", server, pollIn|tcpOut|0x2|pollRdhup)
	urgentReceive(t, "the byte, after the end came", server, 9, syscall.MSG_OOB, "b", nil)
	unixWantRead(t, "before it", server, 9, "a", nil)
	unixWantRead(t, "the end", server, 9, "", nil)

	client2, server2, _ := urgentPair(t)
	defer closeFds(server2)
	urgentSend(t, client2, "ab")
	epollUntil(t, "all", server2, pollIn|tcpOut|0x2)
	t.Must("SO_LINGER", syscall.SetsockoptLinger(client2, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}))
	syscall.Close(client2) // a reset
	udpEventually(t, "the reset comes", func() bool { return unixPoll(t, server2)&pollErr != 0 })
	urgentReceive(t, "the byte, after a reset", server2, 9, syscall.MSG_OOB, "", syscall.ENOTCONN)
}

func urgentInherited(t *T) {
	_, server, done := optTCP(t, func(l int) {
		optSet(t, "SO_OOBINLINE", l, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
	})
	defer done()
	optWant(t, "SO_OOBINLINE", server, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
}

// urgentOthers: what has no urgent data says so, or takes no notice.
func urgentOthers(t *T) {
	udp, doneUDP := optSocket(t, syscall.SOCK_DGRAM)
	defer doneUDP()
	unixNonblock(t, udp)
	urgentReceive(t, "UDP", udp, 9, syscall.MSG_OOB, "", syscall.EAGAIN)
	t.Want("UDP, sent", syscall.Sendto(udp, []byte("x"), syscall.MSG_OOB, nil), error(syscall.EOPNOTSUPP))
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		a, _, done := unixPair(t, kind)
		what := fmt.Sprintf("UNIX, kind %d", kind)
		urgentReceive(t, what, a, 9, syscall.MSG_OOB, "", syscall.EOPNOTSUPP)
		t.Want(what+", sent", syscall.Sendto(a, []byte("x"), syscall.MSG_OOB, nil), error(syscall.EOPNOTSUPP))
		done()
	}
	netlink, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, 0)
	t.Must("socket", err)
	defer closeFds(netlink)
	urgentReceive(t, "netlink", netlink, 9, syscall.MSG_OOB, "", syscall.EOPNOTSUPP)
	for name, fd := range map[string]int{"UDP": udp, "netlink": netlink} {
		_, err := unixIoctl(fd, sioCatMark)
		t.Want("SIOCATMARK of "+name, err, error(syscall.ENOTTY))
		optSet(t, "SO_OOBINLINE of "+name, fd, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
		optWant(t, "SO_OOBINLINE of "+name, fd, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
	}
	l, doneL := optSocket(t, syscall.SOCK_STREAM)
	defer doneL()
	t.Must("listen", syscall.Listen(l, 1))
	urgentReceive(t, "a listener", l, 9, syscall.MSG_OOB, "", syscall.ENOTCONN)
	urgentAtMark(t, "a listener", l, 0)
	fresh, doneFresh := optSocket(t, syscall.SOCK_STREAM)
	defer doneFresh()
	urgentReceive(t, "not connected", fresh, 9, syscall.MSG_OOB, "", syscall.EINVAL)
}
