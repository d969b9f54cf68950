package main

import (
	"bytes"
	"os"
	"syscall"
	"unsafe"
)

// What calls with sockets say first, and what a call leaves behind that failed: found by random
// calls, compared with Linux.
var orderChecks = []check{
	{"sendmmsg-ends-at-a-part", orderPart},
	{"recvmmsg-tells-an-error-first", orderManyError},
	{"no-name-no-length", orderNoName},
	{"unix-other-levels", orderLevels},
	{"unix-reconnect-with-nothing-unread", orderReconnect},
	{"unix-tells-who-sent", orderSender},
	{"unix-not-connected", orderNotConnected},
	{"unix-bind-any-again", orderBindAny},
	{"unix-listener-shut-down", orderListener},
	{"credentials", orderCredentials},
	{"ipv6-address-is-ipv6-only", orderOnly6},
	{"udp-is-bound-by-a-send-that-fails", orderBound},
	{"unspecified-family", orderUnspecified},
	{"short-address", orderShort},
	{"raw-name-has-the-protocol", orderRawName},
	{"tcp-connect-and-queued", orderTCP},
	{"rights", asRoot(orderRights)},
	{"udp-disconnect-gives-the-port-back", orderDisconnect},
	{"ip-options-as-a-byte", orderByte},
	{"no-socket", orderNoSocket},
}

// orderPart: of a stream's message only a part was taken, so the next one must not be.
func orderPart(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	t.Must("nonblock", syscall.SetNonblock(b, true))
	good := bytes.Repeat([]byte("a"), 60000)
	all := mmsgs(good, []byte("tail"))
	v := []syscall.Iovec{{Base: &good[0], Len: uint64(len(good))}, {Base: at(badPointer), Len: 60000}}
	all[0].iov, all[0].iovLen = &v[0], 2
	n, e := call(sysSendmmsg, uintptr(a), ptr(&all[0]), 2, syscall.MSG_DONTWAIT)
	t.Want("messages", n, uintptr(1))
	t.Want("sendmmsg", e, syscall.Errno(0))
	got, buf := 0, make([]byte, 100000)
	for {
		n, err := syscall.Read(b, buf)
		if err != nil {
			t.Want("the end", err, error(syscall.EAGAIN))
			break
		}
		if bytes.ContainsAny(buf[:n], "til") {
			t.Errorf("the second message follows %d bytes of the first", got)
		}
		got += n
	}
	t.Want("bytes told", all[0].bytes, uint32(got))
	if got == 0 || got > len(good) {
		t.Errorf("%d bytes came", got)
	}
}

func orderManyError(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	c := unixSocket(t, syscall.SOCK_DGRAM)
	defer syscall.Close(c)
	at := unixName(t, "many-error")
	t.Must("bind", syscall.Bind(c, at))
	unixWrite(t, b, "for a")
	unixWrite(t, a, "for b")
	t.Must("connect elsewhere", syscall.Connect(a, at)) // a loses something, and b hears of it
	all := mmsgs(make([]byte, 9))
	n, e := callAgain(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 1, syscall.MSG_DONTWAIT, 0)
	t.Want("the error", e, syscall.ECONNRESET)
	n, e = callAgain(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 1, syscall.MSG_DONTWAIT, 0)
	t.Want("then what was sent", n, uintptr(1))
}

// orderNoName: without room for a name its length is neither judged nor stored.
func orderNoName(t *T) {
	a, b, done := udpPair(t)
	defer done()
	buf := make([]byte, 9)
	v := syscall.Iovec{Base: &buf[0], Len: 9}
	for _, length := range []int32{-1, 77} {
		h := syscall.Msghdr{Namelen: uint32(length), Iov: &v, Iovlen: 1}
		_, e := call(syscall.SYS_SENDMSG, uintptr(a), ptr(&h), 0)
		t.Want("sendmsg", e, syscall.Errno(0))
		_, e = call(syscall.SYS_RECVMSG, uintptr(b), ptr(&h), 0)
		t.Want("recvmsg", e, syscall.Errno(0))
		t.Want("length", int32(h.Namelen), length)
	}
	unixWrite(t, a, "x")
	negative := int32(-1)
	_, e := call(syscall.SYS_RECVFROM, uintptr(b), ptr(&buf[0]), 9, 0, ptr(&buf[0]), ptr(&negative))
	t.Want("a negative length", e, syscall.EINVAL)
}

func orderLevels(t *T) {
	a, _, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	value, length := int32(1), uint32(4)
	for _, level := range []uintptr{syscall.IPPROTO_IP, syscall.IPPROTO_TCP, syscall.IPPROTO_IPV6, 270} {
		_, e := call(syscall.SYS_SETSOCKOPT, uintptr(a), level, 1, badPointer, 4)
		t.Want("setsockopt", e, syscall.EOPNOTSUPP)
		_, e = call(syscall.SYS_GETSOCKOPT, uintptr(a), level, 1, ptr(&value), ptr(&length))
		t.Want("getsockopt", e, syscall.EOPNOTSUPP)
	}
	const reusePort = 15
	t.Want("SO_REUSEPORT", syscall.SetsockoptInt(a, syscall.SOL_SOCKET, reusePort, 1), error(syscall.EOPNOTSUPP))
	_, e := call(syscall.SYS_SETSOCKOPT, uintptr(a), syscall.SOL_SOCKET, syscall.SO_OOBINLINE, ptr(&value), 3)
	t.Want("too short", e, syscall.EINVAL)
}

// orderReconnect: who loses nothing by connecting elsewhere does not reset its old peer.
func orderReconnect(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	c := unixSocket(t, syscall.SOCK_DGRAM)
	defer syscall.Close(c)
	at := unixName(t, "reconnect")
	t.Must("bind", syscall.Bind(c, at))
	t.Must("connect", syscall.Connect(a, at))
	_, _, err := syscall.Recvfrom(b, make([]byte, 9), syscall.MSG_DONTWAIT)
	t.Want("the old peer", err, error(syscall.EAGAIN))
}

func orderSender(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET} {
		l, at := unixListen(t, kind, "sender", 5)
		c := unixSocket(t, kind)
		t.Must("connect", syscall.Connect(c, at))
		s, _, err := syscall.Accept(l)
		t.Must("accept", err)
		unixWrite(t, s, "x")
		_, from, err := syscall.Recvfrom(c, make([]byte, 9), 0)
		t.Must("recvfrom", err)
		if u, ok := from.(*syscall.SockaddrUnix); !ok || u.Name != at.Name {
			t.Errorf("kind %d: from %v, want %v", kind, from, at)
		}
		closeAll(l, c, s)
	}
}

func orderNotConnected(t *T) {
	for kind, want := range map[int]syscall.Errno{syscall.SOCK_STREAM: syscall.EINVAL, syscall.SOCK_SEQPACKET: syscall.ENOTCONN} {
		s := unixSocket(t, kind)
		syscall.Shutdown(s, syscall.SHUT_RDWR)
		_, _, err := syscall.Recvfrom(s, make([]byte, 9), syscall.MSG_DONTWAIT)
		t.Want("receive", err, error(want))
		t.Want("send", syscall.Sendto(s, []byte("x"), syscall.MSG_NOSIGNAL, nil), error(syscall.ENOTCONN))
		syscall.Close(s)
	}
	d := unixSocket(t, syscall.SOCK_DGRAM)
	defer syscall.Close(d)
	syscall.Shutdown(d, syscall.SHUT_WR)
	t.Want("a datagram", syscall.Sendto(d, []byte("x"), syscall.MSG_NOSIGNAL, nil), error(syscall.EPIPE))
	t.Want("to nobody", syscall.Sendto(d, []byte("x"), 0, unixName(t, "nobody")), error(syscall.EPIPE))

	a, _, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	_, e := call(syscall.SYS_RECVFROM, uintptr(a), 0, 0, syscall.MSG_DONTWAIT|syscall.MSG_WAITALL, 0, 0)
	t.Want("no bytes of nothing", e, syscall.EAGAIN)
	_, _, err := syscall.Recvfrom(a, make([]byte, 1), syscall.MSG_DONTWAIT|syscall.MSG_ERRQUEUE)
	t.Want("MSG_ERRQUEUE", err, error(syscall.EAGAIN))
}

func orderBindAny(t *T) {
	s := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(s)
	any := []byte{syscall.AF_UNIX, 0}
	t.Must("bind", syscall.Bind(s, unixName(t, "any")))
	wantErr(t, "any name will do", 0, syscall.SYS_BIND, uintptr(s), ptr(&any[0]), 2)
	t.Want("another will not", syscall.Bind(s, unixName(t, "other")), error(syscall.EINVAL))
}

func orderListener(t *T) {
	l, at := unixListen(t, syscall.SOCK_STREAM, "shut", 5)
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer closeAll(l, c)
	t.Must("shutdown", syscall.Shutdown(l, syscall.SHUT_RD))
	t.Want("connect", syscall.Connect(c, at), error(syscall.ECONNREFUSED))
}

func orderCredentials(t *T) {
	a, _, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	bad := syscall.UnixCredentials(&syscall.Ucred{Pid: int32(os.Getpid()) + 77777, Uid: ^uint32(0), Gid: 0})
	t.Want("nobody, of a process that is none", syscall.Sendmsg(a, []byte("x"), bad, nil, 0), error(syscall.EINVAL))
}

func orderOnly6(t *T) {
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_STREAM} {
		s := open6(t, syscall.AF_INET6, kind)
		t.Must("bind", syscall.Bind(s, &syscall.SockaddrInet6{Addr: [16]byte{15: 1}}))
		only, err := syscall.GetsockoptInt(s, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY)
		t.Must("IPV6_V6ONLY", err)
		t.Want("IPv6 only", only, 1)
		mapped := &syscall.SockaddrInet6{Addr: [16]byte{10: 255, 11: 255, 12: 127, 15: 1}, Port: 9}
		t.Want("connect to IPv4", syscall.Connect(s, mapped), error(syscall.ENETUNREACH))
		if kind == syscall.SOCK_DGRAM {
			t.Want("send to IPv4", syscall.Sendto(s, nil, 0, mapped), error(syscall.ENETUNREACH))
			four := [16]byte{syscall.AF_INET, 0, 0, 9, 127, 0, 0, 1}
			wantErr(t, "connect to AF_INET", syscall.EAFNOSUPPORT, syscall.SYS_CONNECT, uintptr(s), ptr(&four[0]), 16)
			t.Want("send to AF_INET", orderSendTo(s, &four[0], 16), error(syscall.ENETUNREACH))
		}
		syscall.Close(s)
	}
}

func orderBound(t *T) {
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer syscall.Close(s)
	t.Want("send to nobody", syscall.Sendto(s, []byte("x"), 0, nil), error(syscall.EDESTADDRREQ))
	name, err := syscall.Getsockname(s)
	t.Must("getsockname", err)
	if name.(*syscall.SockaddrInet4).Port == 0 {
		t.Errorf("not bound")
	}
	syscall.Shutdown(s, syscall.SHUT_WR)
	t.Want("after the end, to nobody", syscall.Sendto(s, []byte("x"), 0, nil), error(syscall.EDESTADDRREQ))
	t.Want("to somebody", syscall.Sendto(s, []byte("x"), 0, name), error(syscall.EPIPE))
}

// orderUnspecified: AF_UNSPEC is IPv4's any address for bind, and no address for a send by IPv6.
func orderUnspecified(t *T) {
	for _, ip := range []byte{0, 1} {
		s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
		raw := [16]byte{syscall.AF_UNSPEC, 0, 0, 0, 127 * ip, 0, 0, ip}
		want := syscall.Errno(0)
		if ip != 0 {
			want = syscall.EAFNOSUPPORT
		}
		wantErr(t, "bind", want, syscall.SYS_BIND, uintptr(s), ptr(&raw[0]), 16)
		syscall.Close(s)
	}
	s := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer syscall.Close(s)
	raw := [28]byte{}
	t.Want("send", orderSendTo(s, &raw[0], 28), error(syscall.EDESTADDRREQ))
}

// orderShort: a short address is that before its family is looked at; connections ignore it.
func orderShort(t *T) {
	raw := [15]byte{syscall.AF_UNIX, 0, 0, 'x'}
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		s := open6(t, family, syscall.SOCK_DGRAM)
		for name, number := range map[string]uintptr{"bind": syscall.SYS_BIND, "connect": syscall.SYS_CONNECT} {
			wantErr(t, name, syscall.EINVAL, number, uintptr(s), ptr(&raw[0]), 15)
		}
		t.Want("sendto", orderSendTo(s, &raw[0], 15), error(syscall.EINVAL))
		syscall.Close(s)
	}
	c, _, done := tcpPair(t)
	defer done()
	t.Want("by a connection", orderSendTo(c, &raw[0], 1), nil)
	a, _, doneUnix := unixPair(t, syscall.SOCK_STREAM)
	defer doneUnix()
	t.Want("by a UNIX stream", orderSendTo(a, &raw[0], 1), error(syscall.EISCONN))
}

func orderRawName(t *T) {
	const protocol = 250
	s := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, protocol)
	defer syscall.Close(s)
	name, err := syscall.Getsockname(s)
	t.Must("getsockname", err)
	t.Want("port", name.(*syscall.SockaddrInet4).Port, protocol)
}

func orderTCP(t *T) {
	l := tcpListener(t)
	c, _, done := tcpPair(t)
	defer done()
	defer syscall.Close(l)
	raw := [28]byte{syscall.AF_INET6}
	wantErr(t, "connected already, whatever the address", syscall.EISCONN, syscall.SYS_CONNECT, uintptr(c), ptr(&raw[0]), 28)
	name := tcpName(t, c)
	t.Want("a listener connects", syscall.Connect(l, name), error(syscall.EISCONN))
	var queued int32
	for name, command := range map[string]uintptr{"FIONREAD": 0x541b, "TIOCOUTQ": 0x5411} {
		_, e := call(syscall.SYS_IOCTL, uintptr(l), command, uintptr(unsafe.Pointer(&queued)))
		t.Want(name, e, syscall.EINVAL)
	}
}

// orderSendTo sends nothing to an address.
func orderSendTo(fd int, raw *byte, bytes uintptr) error {
	if _, e := call(syscall.SYS_SENDTO, uintptr(fd), 0, 0, 0, ptr(raw), bytes); e != 0 {
		return e
	}
	return nil
}

// orderRights: raw sockets, and ports below 1024, are for those who may.
func orderRights(t *T) {
	tcp, udp := open6(t, syscall.AF_INET, syscall.SOCK_STREAM), open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(tcp, udp)
	asUser(t, 1000, func() {
		wantErr(t, "raw", syscall.EPERM, syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
		wantErr(t, "raw IPv6", syscall.EPERM, syscall.SYS_SOCKET, syscall.AF_INET6, syscall.SOCK_RAW, 250)
		wantErr(t, "packets", syscall.EPERM, syscall.SYS_SOCKET, syscall.AF_PACKET, syscall.SOCK_RAW, 0)
		t.Want("TCP", syscall.Bind(tcp, &syscall.SockaddrInet4{Port: 1023}), error(syscall.EACCES))
		t.Want("UDP", syscall.Bind(udp, &syscall.SockaddrInet6{Port: 1}), error(syscall.EACCES))
		t.Want("any port", syscall.Bind(udp, &syscall.SockaddrInet6{}), nil)
	})
}

func orderDisconnect(t *T) {
	a, b, done := udpPair(t)
	defer done()
	nobody := make([]byte, 2)
	wantErr(t, "disconnect", 0, syscall.SYS_CONNECT, uintptr(a), ptr(&nobody[0]), 2)
	name, err := syscall.Getsockname(a)
	t.Must("getsockname", err)
	t.Want("the kernel's port", name.(*syscall.SockaddrInet4).Port, 0)
	to, err := syscall.Getsockname(b)
	t.Must("getsockname", err)
	t.Must("send", syscall.Sendto(a, []byte("x"), 0, to))
	name, _ = syscall.Getsockname(a)
	port := name.(*syscall.SockaddrInet4).Port
	t.Want("another port", port != 0, true)

	c := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer syscall.Close(c)
	again := *name.(*syscall.SockaddrInet4)
	syscall.Close(a)
	t.Must("bind to it", syscall.Bind(c, &again))
	t.Must("connect", syscall.Connect(c, to))
	wantErr(t, "disconnect", 0, syscall.SYS_CONNECT, uintptr(c), ptr(&nobody[0]), 2)
	name, _ = syscall.Getsockname(c)
	t.Want("a port that was asked for", name.(*syscall.SockaddrInet4).Port, port)
}

func orderByte(t *T) {
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer syscall.Close(s)
	for room, want := range map[uint32]uint32{0: 0, 1: 1, 3: 1, 4: 4, 9: 4} {
		value, length := [9]byte{}, room
		_, e := call(syscall.SYS_GETSOCKOPT, uintptr(s), syscall.IPPROTO_IP, syscall.IP_TTL, ptr(&value[0]), ptr(&length))
		t.Want("getsockopt", e, syscall.Errno(0))
		t.Want("length", length, want)
		t.Want("value", value[0] == 64, room != 0)
	}
}

// orderNoSocket: a file is told from a socket whatever else is given.
func orderNoSocket(t *T) {
	fd := uintptr(open(t, "/dev/null", syscall.O_RDWR, 0))
	defer syscall.Close(int(fd))
	b, name, length, size := make([]byte, 256), to4(own4, 80), uint32(16), uint32(4)
	raw := syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: name.Addr}
	address, head := ptr(&raw), syscall.Msghdr{Name: (*byte)(unsafe.Pointer(&raw)), Namelen: 16}
	many := mmsgs([]byte("x"))
	for what, e := range map[string]syscall.Errno{
		"sendto":      second(call(syscall.SYS_SENDTO, fd, ptr(&b[0]), 1, 0, address, 16)),
		"recvfrom":    second(call(syscall.SYS_RECVFROM, fd, ptr(&b[0]), 1, 0, address, ptr(&length))),
		"sendmsg":     second(call(syscall.SYS_SENDMSG, fd, ptr(&head), 0)),
		"recvmsg":     second(call(syscall.SYS_RECVMSG, fd, ptr(&head), 0)),
		"sendmmsg":    second(call(sysSendmmsg, fd, ptr(&many[0]), 1, 0)),
		"recvmmsg":    second(call(syscall.SYS_RECVMMSG, fd, ptr(&many[0]), 1, 0, 0)),
		"bind":        second(call(syscall.SYS_BIND, fd, address, 16)),
		"connect":     second(call(syscall.SYS_CONNECT, fd, address, 16)),
		"listen":      second(call(syscall.SYS_LISTEN, fd, 1)),
		"accept4":     second(call(syscall.SYS_ACCEPT4, fd, address, ptr(&length), 0)),
		"getsockname": second(call(syscall.SYS_GETSOCKNAME, fd, address, ptr(&length))),
		"getpeername": second(call(syscall.SYS_GETPEERNAME, fd, address, ptr(&length))),
		"getsockopt":  second(call(syscall.SYS_GETSOCKOPT, fd, 1, 3, ptr(&b[0]), ptr(&size))),
		"setsockopt":  second(call(syscall.SYS_SETSOCKOPT, fd, 1, 2, ptr(&b[0]), 4)),
		"IP option":   second(call(syscall.SYS_SETSOCKOPT, fd, 0, 2, ptr(&b[0]), 4)),
		"shutdown":    second(call(syscall.SYS_SHUTDOWN, fd, 0)),
	} {
		t.Want(what, e, syscall.ENOTSOCK)
	}
}

func second(_ uintptr, e syscall.Errno) syscall.Errno { return e }
