package main

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
	"unsafe"
)

// Socket options: what is set is what is told.
var sockoptChecks = slices.Concat(sockoptSocketChecks, sockoptTCPChecks, sockoptPortChecks,
	sockoptActChecks, sockoptTTLChecks, sockoptIPChecks, sockfilterChecks, peekoffChecks,
	interfaceIoctlChecks)

// Options that every socket has.
var sockoptSocketChecks = []check{
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
	{"not-for-this-kind", optWrongKind},
	{"rcvlowat", optLowat},
	{"cookie", optCookie},
	{"priority-and-mark", optPriority},
	{"timestamps", optTimestamps},
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
