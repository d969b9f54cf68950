package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Socket options: what is set is what is told.
var sockoptChecks = []check{
	{"facts", optFacts},
	{"flags", optFlags},
	{"buffers", optBuffers},
	{"buffers-forced", optForced},
	{"timeouts", optTimeouts},
	{"linger", optLinger},
	{"lengths", optLengths},
	{"unknown", optUnknown},
	{"read-only", optReadOnly},
	{"error-is-told-once", optError},
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
	{"not-for-this-kind", optWrongKind},
	{"reuseport-shares", optReusePort},
	{"reuseport-needs-both", optReusePortBoth},
	{"rcvlowat", optLowat},
	{"cookie", optCookie},
	{"priority-and-mark", optPriority},
	{"timestamps", optTimestamps},
	{"bind-to-device", optBindToDevice},
}

const (
	soProtocol   = 38
	soDomain     = 39
	soReusePort  = 15
	soCookie     = 57
	soTimestamp  = 29
	soTimestampN = 35
	soSndbufF    = 32
	soRcvbufF    = 33
	tcpUserTime  = 18
)

func optSocket(t *T, kind int) (fd int, done func()) {
	fd, err := syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
	t.Must("socket", err)
	return fd, func() { syscall.Close(fd) }
}

func optWant(t *T, what string, fd, level, name, want int) {
	got, err := syscall.GetsockoptInt(fd, level, name)
	if err != nil || got != want {
		t.Errorf("%s: %d, %v; want %d", what, got, err, want)
	}
}

func optSet(t *T, what string, fd, level, name, value int) {
	if err := syscall.SetsockoptInt(fd, level, name, value); err != nil {
		t.Errorf("%s = %d: %v", what, value, err)
	}
}

func optFacts(t *T) {
	for _, c := range []struct{ domain, kind, protocol int }{
		{syscall.AF_INET, syscall.SOCK_STREAM, syscall.IPPROTO_TCP},
		{syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_UDP},
		{syscall.AF_UNIX, syscall.SOCK_STREAM, 0},
		{syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0},
		{syscall.AF_NETLINK, syscall.SOCK_RAW, 0},
	} {
		fd, err := syscall.Socket(c.domain, c.kind, 0)
		t.Must("socket", err)
		optWant(t, "SO_DOMAIN", fd, syscall.SOL_SOCKET, soDomain, c.domain)
		optWant(t, "SO_TYPE", fd, syscall.SOL_SOCKET, syscall.SO_TYPE, c.kind)
		optWant(t, "SO_PROTOCOL", fd, syscall.SOL_SOCKET, soProtocol, c.protocol)
		optWant(t, "SO_ERROR", fd, syscall.SOL_SOCKET, syscall.SO_ERROR, 0)
		optWant(t, "SO_ACCEPTCONN", fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN, 0)
		syscall.Close(fd)
	}
	l, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	t.Must("listen", syscall.Listen(l, 1))
	optWant(t, "SO_ACCEPTCONN of a listener", l, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN, 1)
}

func optFlags(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		fd, done := optSocket(t, kind)
		for name, o := range map[string]int{"SO_REUSEADDR": syscall.SO_REUSEADDR, "SO_REUSEPORT": soReusePort,
			"SO_KEEPALIVE": syscall.SO_KEEPALIVE, "SO_BROADCAST": syscall.SO_BROADCAST} {
			optWant(t, name+" at first", fd, syscall.SOL_SOCKET, o, 0)
			optSet(t, name, fd, syscall.SOL_SOCKET, o, 77)
			optWant(t, name, fd, syscall.SOL_SOCKET, o, 1)
			optSet(t, name, fd, syscall.SOL_SOCKET, o, 0)
			optWant(t, name, fd, syscall.SOL_SOCKET, o, 0)
		}
		done()
	}
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	optSet(t, "TCP_NODELAY", fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 5)
	optWant(t, "TCP_NODELAY", fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	optSet(t, "IP_TTL", fd, syscall.IPPROTO_IP, syscall.IP_TTL, 7)
	optWant(t, "IP_TTL", fd, syscall.IPPROTO_IP, syscall.IP_TTL, 7)
	t.Want("IP_TTL 0", syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TTL, 0), error(syscall.EINVAL))
	t.Want("IP_TTL 256", syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TTL, 256), error(syscall.EINVAL))
}

// optBuffers: doubled, bounded below, and never above what the system allows.
func optBuffers(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		fd, done := optSocket(t, kind)
		for name, o := range map[string]int{"SO_SNDBUF": syscall.SO_SNDBUF, "SO_RCVBUF": syscall.SO_RCVBUF} {
			optSet(t, name, fd, syscall.SOL_SOCKET, o, 50_000)
			optWant(t, name, fd, syscall.SOL_SOCKET, o, 100_000)
			optSet(t, name, fd, syscall.SOL_SOCKET, o, 1)
			small, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, o)
			if small < 2000 || small > 5000 {
				t.Errorf("%s = 1 gives %d", name, small)
			}
			optSet(t, name, fd, syscall.SOL_SOCKET, o, 1<<30)
			large, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, o)
			if large < 200_000 || large > 1<<28 {
				t.Errorf("%s = 2^30 gives %d", name, large)
			}
		}
		done()
	}
}

func optForced(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	for name, o := range map[string][2]int{"SO_SNDBUFFORCE": {soSndbufF, syscall.SO_SNDBUF}, "SO_RCVBUFFORCE": {soRcvbufF, syscall.SO_RCVBUF}} {
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, o[0], 3_000_000); err == syscall.EPERM {
			continue
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		optWant(t, name, fd, syscall.SOL_SOCKET, o[1], 6_000_000)
	}
}

func optTimeouts(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	set := func(tv syscall.Timeval) error {
		return syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv)
	}
	t.Want("1000000 us", set(syscall.Timeval{Usec: 1_000_000}), error(syscall.EDOM))
	t.Want("-1 us", set(syscall.Timeval{Usec: -1}), error(syscall.EDOM))
	t.Must("40 ms", set(syscall.Timeval{Usec: 40_000}))
	var tv syscall.Timeval
	size := uint32(unsafe.Sizeof(tv))
	_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, ptr(&tv), ptr(&size))
	t.Want("error", e, syscall.Errno(0))
	t.Want("told", tv, syscall.Timeval{Usec: 40_000})
	start := time.Now()
	_, err := readAgain(fd, make([]byte, 1))
	t.Want("read", err, error(syscall.EAGAIN))
	if d := time.Since(start); d < 39*time.Millisecond {
		t.Errorf("waited %v only", d)
	}
	l, closeL := optSocket(t, syscall.SOCK_STREAM)
	defer closeL()
	t.Must("listen", syscall.Listen(l, 1))
	t.Must("timeout", syscall.SetsockoptTimeval(l, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 20_000}))
	err = again(func() error {
		_, _, err := syscall.Accept(l)
		return err
	})
	t.Want("accept", err, error(syscall.EAGAIN))
}

func optLinger(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	for _, want := range []syscall.Linger{{Onoff: 1, Linger: 5}, {Onoff: 1}, {}} {
		t.Must("SO_LINGER", syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &want))
		var got syscall.Linger
		size := uint32(unsafe.Sizeof(got))
		_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, ptr(&got), ptr(&size))
		if e != 0 || size != 8 || got.Onoff != want.Onoff || (want.Onoff == 1 && got.Linger != want.Linger) {
			t.Errorf("SO_LINGER %+v: %+v, %d bytes, %v", want, got, size, e)
		}
	}
}

func optLengths(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	get := func(size uint32) (value [16]byte, after uint32, e syscall.Errno) {
		for i := range value {
			value[i] = 0xee
		}
		after = size
		_, e = call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_TYPE, ptr(&value), ptr(&after))
		return value, after, e
	}
	for room, want := range map[uint32]uint32{0: 0, 1: 1, 3: 3, 4: 4, 16: 4} {
		v, after, e := get(room)
		if e != 0 || after != want || v[want] != 0xee || (want > 0 && v[0] != syscall.SOCK_STREAM) {
			t.Errorf("room for %d: %d bytes, %v, %v", room, after, v, e)
		}
	}
	_, _, e := get(1<<32 - 1)
	t.Want("a negative length", e, syscall.EINVAL)
	size := uint32(4)
	_, e = call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_TYPE, badPointer, ptr(&size))
	t.Want("no memory", e, syscall.EFAULT)
	_, e = call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_TYPE, ptr(&size), badPointer)
	t.Want("no length", e, syscall.EFAULT)
	value := int32(1)
	for size, want := range map[uintptr]syscall.Errno{0: syscall.EINVAL, 3: syscall.EINVAL, 4: 0, 1 << 31: syscall.EINVAL} {
		_, e = call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, ptr(&value), size)
		t.Want(fmt.Sprintf("set with %d bytes", int32(size)), e, want)
	}
	_, e = call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, badPointer, 4)
	t.Want("set from no memory", e, syscall.EFAULT)
	_, e = call(syscall.SYS_SETSOCKOPT, 99_999, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, ptr(&value), 4)
	t.Want("a closed descriptor", e, syscall.EBADF)
	r, w := unixPipe(t)
	defer closeFds(r, w)
	_, e = call(syscall.SYS_SETSOCKOPT, uintptr(r), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, ptr(&value), 4)
	t.Want("a pipe", e, syscall.ENOTSOCK)
}

// optUnknown: nothing succeeds and does nothing.
func optUnknown(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		fd, done := optSocket(t, kind)
		level := map[int]int{syscall.SOCK_STREAM: syscall.IPPROTO_TCP, syscall.SOCK_DGRAM: syscall.IPPROTO_UDP}[kind]
		for _, o := range [][2]int{{syscall.SOL_SOCKET, 9999}, {level, 9999}, {syscall.IPPROTO_IP, 9999}, {777, 1}} {
			err := syscall.SetsockoptInt(fd, o[0], o[1], 1)
			t.Want(fmt.Sprintf("set of option %d of level %d", o[1], o[0]), err, error(syscall.ENOPROTOOPT))
			_, err = syscall.GetsockoptInt(fd, o[0], o[1])
			want := error(syscall.ENOPROTOOPT)
			if o[0] == 777 {
				want = syscall.EOPNOTSUPP
				if err == syscall.ENOPROTOOPT {
					want = err // TCP says so, UDP the other
				}
			}
			t.Want(fmt.Sprintf("get of option %d of level %d", o[1], o[0]), err, want)
		}
		done()
	}
}

func optReadOnly(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	for name, o := range map[string]int{"SO_TYPE": syscall.SO_TYPE, "SO_DOMAIN": soDomain, "SO_PROTOCOL": soProtocol,
		"SO_ERROR": syscall.SO_ERROR, "SO_ACCEPTCONN": syscall.SO_ACCEPTCONN} {
		t.Want(name, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, o, 1), error(syscall.ENOPROTOOPT))
	}
}

func optError(t *T) {
	fd, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	l, closeL := optSocket(t, syscall.SOCK_STREAM)
	t.Must("bind", syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(l)
	t.Must("getsockname", err)
	closeL()
	unixNonblock(t, fd)
	if err := syscall.Connect(fd, at); err != nil && err != syscall.EINPROGRESS && err != syscall.ECONNREFUSED {
		t.Fatalf("connect: %v", err)
	} else if err == syscall.EINPROGRESS {
		for unixPoll(t, fd)&pollErr == 0 {
			time.Sleep(time.Millisecond)
		}
		optWant(t, "SO_ERROR", fd, syscall.SOL_SOCKET, syscall.SO_ERROR, int(syscall.ECONNREFUSED))
	}
	optWant(t, "SO_ERROR then", fd, syscall.SOL_SOCKET, syscall.SO_ERROR, 0)
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

func optWrongKind(t *T) {
	u, doneU := optSocket(t, syscall.SOCK_DGRAM)
	defer doneU()
	x := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(x)
	for what, err := range map[string]error{
		"TCP_NODELAY of UDP":     syscall.SetsockoptInt(u, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		"IP_TTL of AF_UNIX":      syscall.SetsockoptInt(x, syscall.IPPROTO_IP, syscall.IP_TTL, 1),
		"TCP_NODELAY of AF_UNIX": syscall.SetsockoptInt(x, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
	} {
		if err != syscall.EOPNOTSUPP && err != syscall.ENOPROTOOPT {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := syscall.GetsockoptInt(x, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	t.Must("SO_PEERCRED into four bytes", err)
}

// optReusePort: listeners at one port share what comes, and each gets some.
func optReusePort(t *T) {
	const listeners, calls = 3, 60
	control := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1) })
		return err
	}}
	addr := "127.0.0.1:0"
	got := make(chan int, calls)
	for i := 0; i < listeners; i++ {
		l, err := control.Listen(noContext, "tcp4", addr)
		t.Must("listen", err)
		defer l.Close()
		addr = l.Addr().String()
		go func(i int) {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
				got <- i
			}
		}(i)
	}
	count := make([]int, listeners)
	for i := 0; i < calls; i++ {
		c, err := net.Dial("tcp4", addr)
		t.Must("dial", err)
		io.ReadAll(c)
		c.Close()
		count[<-got]++
	}
	for i, n := range count {
		if n == 0 {
			t.Errorf("listener %d got none of %d calls: %v", i, calls, count)
		}
	}
}

func optReusePortBoth(t *T) {
	a, doneA := optSocket(t, syscall.SOCK_DGRAM)
	defer doneA()
	b, doneB := optSocket(t, syscall.SOCK_DGRAM)
	defer doneB()
	t.Must("bind", syscall.Bind(a, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(a)
	t.Must("getsockname", err)
	optSet(t, "SO_REUSEPORT", b, syscall.SOL_SOCKET, soReusePort, 1)
	t.Want("one only", syscall.Bind(b, at), error(syscall.EADDRINUSE))
}

func optLowat(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	optWant(t, "SO_RCVLOWAT at first", server, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 1)
	optSet(t, "SO_RCVLOWAT", server, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 10)
	optWant(t, "SO_RCVLOWAT", server, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 10)
	optWant(t, "SO_SNDLOWAT", server, syscall.SOL_SOCKET, syscall.SO_SNDLOWAT, 1)
	t.Want("set of SO_SNDLOWAT", syscall.SetsockoptInt(server, syscall.SOL_SOCKET, syscall.SO_SNDLOWAT, 5), error(syscall.ENOPROTOOPT))
	unixWrite(t, client, "12345")
	time.Sleep(20 * time.Millisecond)
	t.Want("readable with 5 of 10", unixPoll(t, server)&1, int16(0))
	unixWrite(t, client, "67890")
	for i := 0; unixPoll(t, server)&1 == 0; i++ {
		if i > 2000 {
			t.Fatalf("never readable with 10 of 10")
		}
		time.Sleep(time.Millisecond)
	}
	unixWantRead(t, "read", server, 20, "1234567890", nil)
}

func optCookie(t *T) {
	seen := map[uint64]bool{}
	for i := 0; i < 3; i++ {
		fd, done := optSocket(t, syscall.SOCK_DGRAM)
		defer done()
		var cookie uint64
		size := uint32(8)
		_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, soCookie, ptr(&cookie), ptr(&size))
		if e != 0 || size != 8 || cookie == 0 || seen[cookie] {
			t.Errorf("SO_COOKIE %d, %d bytes, %v", cookie, size, e)
		}
		seen[cookie] = true
	}
}

// optPriority: kept and told; a mark is for those who may.
func optPriority(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	for name, o := range map[string]int{"SO_PRIORITY": syscall.SO_PRIORITY, "SO_MARK": syscall.SO_MARK} {
		err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, o, 3)
		if o == syscall.SO_MARK && err == syscall.EPERM && os.Geteuid() != 0 {
			continue
		}
		t.Must(name, err)
		optWant(t, name, fd, syscall.SOL_SOCKET, o, 3)
	}
}

func optTimestamps(t *T) {
	for _, family := range []int{syscall.AF_INET, syscall.AF_UNIX} {
		a, b, done := optDatagrams(t, family)
		for o, size := range map[int]int{soTimestamp: 16, soTimestampN: 16} {
			optSet(t, "timestamps", b, syscall.SOL_SOCKET, o, 1)
			optWant(t, "timestamps", b, syscall.SOL_SOCKET, o, 1)
			before := time.Now()
			unixWrite(t, a, "x")
			oob := make([]byte, 100)
			_, n, _, _, err := syscall.Recvmsg(b, make([]byte, 9), oob, 0)
			t.Must("recvmsg", err)
			messages, err := syscall.ParseSocketControlMessage(oob[:n])
			if err != nil || len(messages) != 1 || len(messages[0].Data) != size || int(messages[0].Header.Type) != o {
				t.Fatalf("family %d, option %d: %+v, %v", family, o, messages, err)
			}
			v := *(*[2]int64)(unsafe.Pointer(&messages[0].Data[0]))
			unit := map[int]int64{soTimestamp: 1000, soTimestampN: 1}[o]
			at := time.Unix(v[0], v[1]*unit)
			if at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
				t.Errorf("family %d, option %d: %v, not about %v", family, o, at, before)
			}
			optSet(t, "timestamps", b, syscall.SOL_SOCKET, o, 0)
		}
		done()
	}
}

// optDatagrams is two connected sockets of datagrams.
func optDatagrams(t *T, family int) (a, b int, done func()) {
	if family == syscall.AF_UNIX {
		return unixPair(t, syscall.SOCK_DGRAM)
	}
	a, doneA := optSocket(t, syscall.SOCK_DGRAM)
	b, doneB := optSocket(t, syscall.SOCK_DGRAM)
	for _, fd := range []int{a, b} {
		t.Must("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	}
	for from, to := range map[int]int{a: b, b: a} {
		at, err := syscall.Getsockname(to)
		t.Must("getsockname", err)
		t.Must("connect", syscall.Connect(from, at))
	}
	return a, b, func() { doneA(); doneB() }
}

func optBindToDevice(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	t.Want("no such device", syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "nosuch0"), error(syscall.ENODEV))
	t.Must("lo", syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "lo"))
	var name [16]byte
	size := uint32(len(name))
	_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, ptr(&name), ptr(&size))
	t.Want("get", e, syscall.Errno(0))
	t.Want("told", string(name[:size]), "lo\x00")
	optWant(t, "SO_BINDTOIFINDEX", fd, syscall.SOL_SOCKET, 62, 1)
	t.Must("none", syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, ""))
	optWant(t, "SO_BINDTOIFINDEX", fd, syscall.SOL_SOCKET, 62, 0)
}
