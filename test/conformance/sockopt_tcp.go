package main

import (
	"bytes"
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// Options of TCP.
var sockoptTCPChecks = []check{
	{"keepalive-values", optKeepalive},
	{"keepalive-out-of-range", optKeepaliveRange},
	{"inherited-by-accept", optInherited},
	{"tcp-info", optInfo},
	{"cork", optCork},
	{"maxseg", optMaxseg},
	{"user-timeout", optUserTimeout},
	{"quickack", optQuickAck},
	{"defer-accept", optDeferAccept},
	{"congestion", optCongestion},
}

func optKeepalive(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	optWant(t, "TCP_KEEPIDLE at first", fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 7200)
	optWant(t, "TCP_KEEPINTVL at first", fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 75)
	optWant(t, "TCP_KEEPCNT at first", fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9)
	for name, o := range map[string]int{"TCP_KEEPIDLE": syscall.TCP_KEEPIDLE, "TCP_KEEPINTVL": syscall.TCP_KEEPINTVL, "TCP_KEEPCNT": syscall.TCP_KEEPCNT} {
		optSet(t, name, fd, syscall.IPPROTO_TCP, o, 17)
		optWant(t, name, fd, syscall.IPPROTO_TCP, o, 17)
	}
}

func optKeepaliveRange(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	for o, bad := range map[int]int{syscall.TCP_KEEPIDLE: 32768, syscall.TCP_KEEPINTVL: 32768, syscall.TCP_KEEPCNT: 128} {
		for _, v := range []int{-1, 0, bad} {
			t.Want(fmt.Sprintf("option %d = %d", o, v), syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, o, v), error(syscall.EINVAL))
		}
	}
}

// optTCP is two connected sockets.
func optTCP(t *T, prepare func(listener int)) (client, server int, done func()) {
	l, closeL := optSocket(t, syscall.SOCK_STREAM)
	defer closeL()
	t.Must("bind", syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	if prepare != nil {
		prepare(l)
	}
	t.Must("listen", syscall.Listen(l, 1))
	at, err := syscall.Getsockname(l)
	t.Must("getsockname", err)
	client, _ = optSocket(t, syscall.SOCK_STREAM)
	t.Must("connect", syscall.Connect(client, at))
	server, _, err = syscall.Accept4(l, syscall.SOCK_CLOEXEC)
	t.Must("accept", err)
	return client, server, func() { closeFds(client, server) }
}

func optInherited(t *T) {
	_, server, done := optTCP(t, func(l int) {
		optSet(t, "SO_KEEPALIVE", l, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		optSet(t, "TCP_NODELAY", l, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		optSet(t, "TCP_KEEPIDLE", l, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 33)
		optSet(t, "TCP_USER_TIMEOUT", l, syscall.IPPROTO_TCP, tcpUserTime, 4567)
	})
	defer done()
	optWant(t, "SO_KEEPALIVE", server, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	optWant(t, "TCP_NODELAY", server, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	optWant(t, "TCP_KEEPIDLE", server, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 33)
	optWant(t, "TCP_USER_TIMEOUT", server, syscall.IPPROTO_TCP, tcpUserTime, 4567)
	optWant(t, "SO_ACCEPTCONN", server, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN, 0)
}

func optInfo(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	info := func(fd int) (raw [256]byte, size uint32) {
		size = uint32(len(raw))
		_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO, ptr(&raw), ptr(&size))
		t.Want("TCP_INFO", e, syscall.Errno(0))
		return raw, size
	}
	unixWrite(t, client, "some bytes")
	unixWantRead(t, "read", server, 99, "some bytes", nil)
	raw, size := info(client)
	if size < 104 {
		t.Fatalf("%d bytes of TCP_INFO", size)
	}
	word := func(at int) uint32 { return *(*uint32)(unsafe.Pointer(&raw[at])) }
	t.Want("state", raw[0], byte(1)) // ESTABLISHED
	if mss := word(16); mss < 500 || mss > 65536 {
		t.Errorf("send MSS %d", mss)
	}
	if rto := word(8); rto < 1000 || rto > 120_000_000 {
		t.Errorf("RTO %d us", rto)
	}
	if cwnd := word(80); cwnd < 1 || cwnd > 1<<24 {
		t.Errorf("congestion window %d", cwnd)
	}
	syscall.Close(server)
	for i := 0; i < 1000 && raw[0] == 1; i++ {
		time.Sleep(time.Millisecond)
		raw, _ = info(client)
	}
	t.Want("state after the peer closed", raw[0], byte(8)) // CLOSE_WAIT
	fresh, closeFresh := optSocket(t, syscall.SOCK_STREAM)
	defer closeFresh()
	raw, _ = info(fresh)
	t.Want("state of a fresh one", raw[0], byte(7)) // CLOSE
}

// optCork: nothing is lost behind the cork, and all of it comes when it is pulled.
func optCork(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	optSet(t, "TCP_CORK", client, syscall.IPPROTO_TCP, syscall.TCP_CORK, 1)
	optWant(t, "TCP_CORK", client, syscall.IPPROTO_TCP, syscall.TCP_CORK, 1)
	for i := 0; i < 10; i++ {
		unixWrite(t, client, "0123456789")
	}
	optSet(t, "TCP_CORK", client, syscall.IPPROTO_TCP, syscall.TCP_CORK, 0)
	buf := make([]byte, 200)
	n, _, err := syscall.Recvfrom(server, buf[:100], syscall.MSG_WAITALL)
	if n != 100 || err != nil {
		t.Errorf("then: %d, %v", n, err)
	}
}

func optMaxseg(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	optSet(t, "TCP_MAXSEG", fd, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1000)
	optWant(t, "TCP_MAXSEG", fd, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1000)
	t.Want("TCP_MAXSEG 5", syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 5), error(syscall.EINVAL))
	t.Want("TCP_MAXSEG 70000", syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 70_000), error(syscall.EINVAL))
	client, server, done := optTCP(t, func(l int) {
		optSet(t, "TCP_MAXSEG", l, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1000)
	})
	defer done()
	for what, fd := range map[string]int{"client": client, "server": server} {
		got, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG)
		if err != nil || got > 1000 || got < 900 {
			t.Errorf("the %s's segments: %d, %v", what, got, err)
		}
	}
	data := bytes.Repeat([]byte("segments"), 2000)
	go syscall.Write(client, data)
	var all []byte
	for buf := make([]byte, 4000); len(all) < len(data); {
		n, err := syscall.Read(server, buf)
		if err != nil || n == 0 {
			t.Fatalf("read: %d, %v", n, err)
		}
		all = append(all, buf[:n]...)
	}
	t.Want("equal", bytes.Equal(all, data), true)
}

func optUserTimeout(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	optWant(t, "at first", fd, syscall.IPPROTO_TCP, tcpUserTime, 0)
	optSet(t, "TCP_USER_TIMEOUT", fd, syscall.IPPROTO_TCP, tcpUserTime, 12_345)
	optWant(t, "TCP_USER_TIMEOUT", fd, syscall.IPPROTO_TCP, tcpUserTime, 12_345)
	t.Want("-1", syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, tcpUserTime, -1), error(syscall.EINVAL))
}

// optQuickAck: what is acknowledged at once takes less time than what waits for an answer to ride on.
func optQuickAck(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	const quickAck, rounds = 12, 10
	var took [2]time.Duration
	for quick := range took {
		for i := 0; i < rounds; i++ {
			optSet(t, "TCP_QUICKACK", server, syscall.IPPROTO_TCP, quickAck, quick)
			optWant(t, "TCP_QUICKACK", server, syscall.IPPROTO_TCP, quickAck, quick)
			start := time.Now()
			unixWrite(t, client, "x")
			for wait := int32(1); wait != 0; {
				n, err := unixIoctl(client, syscall.TIOCOUTQ)
				t.Must("TIOCOUTQ", err)
				if wait = n; time.Since(start) > 10*time.Second {
					t.Fatalf("%d bytes are not acknowledged", n)
				}
			}
			took[quick] += time.Since(start)
			unixWantRead(t, "read", server, 9, "x", nil)
		}
	}
	if took[1] >= took[0] {
		t.Errorf("%d acknowledgements took %v at once, %v delayed", rounds, took[1], took[0])
	}
}

func optDeferAccept(t *T) {
	l, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	t.Must("bind", syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	optSet(t, "TCP_DEFER_ACCEPT", l, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 20)
	if got, err := syscall.GetsockoptInt(l, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT); err != nil || got < 20 {
		t.Errorf("TCP_DEFER_ACCEPT: %d, %v", got, err)
	}
	t.Must("listen", syscall.Listen(l, 4))
	unixNonblock(t, l)
	at, err := syscall.Getsockname(l)
	t.Must("getsockname", err)
	c, closeC := optSocket(t, syscall.SOCK_STREAM)
	defer closeC()
	t.Must("connect", syscall.Connect(c, at))
	time.Sleep(20 * time.Millisecond)
	_, _, err = syscall.Accept(l)
	t.Want("accept before data", err, error(syscall.EAGAIN))
	unixWrite(t, c, "data")
	for unixPoll(t, l)&pollIn == 0 {
		time.Sleep(time.Millisecond)
	}
	s, _, err := syscall.Accept(l)
	t.Must("accept", err)
	unixWantRead(t, "at once", s, 9, "data", nil)
	syscall.Close(s)
}

func optCongestion(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	var name [16]byte
	size := uint32(len(name))
	_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, ptr(&name), ptr(&size))
	t.Want("get", e, syscall.Errno(0))
	if name[0] < 'a' || name[0] > 'z' || name[15] != 0 {
		t.Errorf("congestion control %q", name)
	}
	t.Want("an unknown one", syscall.SetsockoptString(fd, syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "nosuch"), error(syscall.ENOENT))
	t.Must("reno", syscall.SetsockoptString(fd, syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno"))
}
