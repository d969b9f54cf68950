package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"
)

// IPv6 and sockets for both families.
var ipv6Checks = []check{
	{"tcp-loopback", ipv6TCPLoopback},
	{"tcp-refused", ipv6TCPRefused},
	{"tcp-many-connections", ipv6TCPMany},
	{"udp-loopback", ipv6UDPLoopback},
	{"udp-sizes", ipv6UDPSizes},
	{"udp-refused", ipv6UDPRefused},
	{"dual-stack-tcp", ipv6DualTCP},
	{"dual-stack-udp", ipv6DualUDP},
	{"v6only", ipv6Only},
	{"v6only-after-bind", ipv6OnlyLate},
	{"bind-conflicts", ipv6BindConflicts},
	{"bind-addresses", ipv6BindAddresses},
	{"mapped-client", ipv6MappedClient},
	{"mapped-and-own-do-not-mix", ipv6NoMix},
	{"address-lengths", ipv6AddressLengths},
	{"scope-needed", ipv6Scope},
	{"wrong-family", ipv6WrongFamily},
	{"source-by-connect", ipv6Source},
	{"udp-reconnect", ipv6Reconnect},
	{"options", ipv6Options},
	{"options-out-of-range", ipv6OptionRange},
	{"mtu-of-the-path", ipv6PathMTU},
	{"accepted-inherits", ipv6Inherits},
	{"hosts-file", ipv6Hosts},
}

// need6 skips the check on a host without IPv6 on its loopback.
func need6(t *T) {
	l, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 loopback: %v", err)
	}
	l.Close()
}

var (
	own6    = syscall.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}
	any6    = syscall.SockaddrInet6{}
	own4    = syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	any4    = syscall.SockaddrInet4{}
	mapped4 = syscall.SockaddrInet6{Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}
)

// to6 is an address with a port.
func to6(a syscall.SockaddrInet6, port int) *syscall.SockaddrInet6 { a.Port = port; return &a }

func to4(a syscall.SockaddrInet4, port int) *syscall.SockaddrInet4 { a.Port = port; return &a }

// open6 is a socket; close6 closes several.
func open6(t *T, family, kind int) int {
	fd, err := syscall.Socket(family, kind|syscall.SOCK_CLOEXEC, 0)
	t.Must("socket", err)
	return fd
}

func closeAll(fds ...int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

func setInt(fd, level, name, value int) error { return syscall.SetsockoptInt(fd, level, name, value) }

func getInt(t *T, fd, level, name int) int {
	v, err := syscall.GetsockoptInt(fd, level, name)
	if err != nil {
		t.Errorf("getsockopt(%d, %d): %v", level, name, err)
	}
	return v
}

// localPort is the port that a socket has.
func localPort(t *T, fd int) int {
	a, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return a.Port
	case *syscall.SockaddrInet6:
		return a.Port
	}
	t.Fatalf("getsockname: %T", a)
	return 0
}

// inet6 is an address of a socket in net/netip's form.
func inet6(a syscall.Sockaddr) string {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrFrom4(a.Addr).String()
	case *syscall.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).String()
	}
	return fmt.Sprintf("%T", a)
}

func nameOf(t *T, fd int) string {
	a, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	return inet6(a)
}

func peerOf(t *T, fd int) string {
	a, err := syscall.Getpeername(fd)
	t.Must("getpeername", err)
	return inet6(a)
}

// patience6 is how long a datagram is waited for.
const patience6 = 20 * time.Second

func echoServer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { io.Copy(c, c); c.(*net.TCPConn).CloseWrite(); c.Close() }()
	}
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i/251)
	}
	return b
}

// echoed sends n bytes by a connection and demands them back.
func echoed(t *T, c net.Conn, n int) {
	want := bytesOf(n)
	c.SetDeadline(time.Now().Add(time.Minute))
	go func() { c.Write(want); c.(*net.TCPConn).CloseWrite() }()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back of %d, equal %v: %v", len(got), n, bytes.Equal(got, want), err)
	}
}

func ipv6TCPLoopback(t *T) {
	need6(t)
	l, err := net.Listen("tcp6", "[::1]:0")
	t.Must("listen", err)
	defer l.Close()
	go echoServer(l)
	c, err := net.Dial("tcp", l.Addr().String())
	t.Must("dial", err)
	defer c.Close()
	t.Want("peer", c.RemoteAddr().String(), l.Addr().String())
	t.Want("own address", c.LocalAddr().(*net.TCPAddr).IP.String(), "::1")
	echoed(t, c, 3_000_000)
}

func ipv6TCPRefused(t *T) {
	need6(t)
	l, err := net.Listen("tcp6", "[::1]:0")
	t.Must("listen", err)
	addr := l.Addr().(*net.TCPAddr)
	l.Close()
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_STREAM)
	defer closeAll(fd)
	t.Want("connect", syscall.Connect(fd, to6(own6, addr.Port)), syscall.ECONNREFUSED)
}

func ipv6TCPMany(t *T) {
	need6(t)
	l, err := net.Listen("tcp6", "[::1]:0")
	t.Must("listen", err)
	defer l.Close()
	go echoServer(l)
	done := make(chan error)
	for i := 0; i < 16; i++ {
		go func(i int) {
			c, err := net.Dial("tcp6", l.Addr().String())
			if err != nil {
				done <- err
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprintf(c, "connection %d", i)
			c.(*net.TCPConn).CloseWrite()
			got, err := io.ReadAll(c)
			if want := fmt.Sprintf("connection %d", i); err == nil && string(got) != want {
				err = fmt.Errorf("%q, want %q", got, want)
			}
			done <- err
		}(i)
	}
	for i := 0; i < 16; i++ {
		t.Must("connection", <-done)
	}
}

func ipv6UDPLoopback(t *T) {
	need6(t)
	l, err := net.ListenPacket("udp6", "[::1]:0")
	t.Must("listen", err)
	defer l.Close()
	c, err := net.Dial("udp6", l.LocalAddr().String())
	t.Must("dial", err)
	defer c.Close()
	l.SetDeadline(time.Now().Add(patience6))
	c.SetDeadline(time.Now().Add(patience6))
	for _, text := range []string{"first", "", "third"} {
		_, err = c.Write([]byte(text))
		t.Must("write", err)
		buf := make([]byte, 100)
		n, from, err := l.ReadFrom(buf)
		t.Must("read", err)
		t.Want("datagram", string(buf[:n]), text)
		t.Want("from", from.String(), c.LocalAddr().String())
		_, err = l.WriteTo(buf[:n], from)
		t.Must("answer", err)
		n, err = c.Read(buf)
		t.Must("read the answer", err)
		t.Want("answer", string(buf[:n]), text)
	}
}

// ipv6UDPSizes: up to and beyond what the loopback carries whole.
func ipv6UDPSizes(t *T) {
	need6(t)
	l, err := net.ListenPacket("udp6", "[::1]:0")
	t.Must("listen", err)
	defer l.Close()
	c, err := net.Dial("udp6", l.LocalAddr().String())
	t.Must("dial", err)
	defer c.Close()
	buf := make([]byte, 1<<16)
	for _, size := range []int{1, 1232, 1452, 8000, 16000, 20000, 40000, 65000} {
		want := bytesOf(size)
		_, err := c.Write(want)
		t.Must(fmt.Sprintf("write %d", size), err)
		l.SetDeadline(time.Now().Add(patience6))
		n, _, err := l.ReadFrom(buf)
		t.Must(fmt.Sprintf("read %d", size), err)
		if !bytes.Equal(buf[:n], want) {
			t.Errorf("%d bytes became %d, or changed", size, n)
		}
	}
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	t.Want("too long", syscall.Sendto(fd, make([]byte, 65528), 0, to6(own6, 9)), syscall.EMSGSIZE)
}

func closedUDPPort(t *T) int {
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	t.Must("bind", syscall.Bind(fd, to6(any6, 0)))
	return localPort(t, fd)
}

func ipv6UDPRefused(t *T) {
	need6(t)
	port := closedUDPPort(t)
	for _, a := range []*syscall.SockaddrInet6{to6(own6, port), to6(mapped4, port)} {
		fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
		t.Must("connect", syscall.Connect(fd, a))
		t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 20}))
		_, err := syscall.Write(fd, []byte("x"))
		t.Must("first write", err)
		_, err = readAgain(fd, make([]byte, 1))
		t.Want("read from "+inet6(a), err, syscall.ECONNREFUSED)
		closeAll(fd)
	}
	// Who is not connected hears nothing.
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	t.Must("sendto", syscall.Sendto(fd, []byte("x"), 0, to6(own6, port)))
	t.Must("sendto again", syscall.Sendto(fd, []byte("x"), 0, to6(own6, port)))
	t.Want("SO_ERROR", getInt(t, fd, syscall.SOL_SOCKET, syscall.SO_ERROR), 0)
}

func ipv6DualTCP(t *T) {
	need6(t)
	l, err := net.Listen("tcp", ":0")
	t.Must("listen", err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	t.Want("own address", l.Addr().(*net.TCPAddr).IP.String(), "::")
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		t.Must("dial "+host, err)
		s, err := l.Accept()
		t.Must("accept "+host, err)
		t.Want("the server's peer", s.RemoteAddr().String(), c.LocalAddr().String())
		t.Want("the server's address", s.LocalAddr().String(), c.RemoteAddr().String())
		go io.Copy(s, s)
		fmt.Fprint(c, "hello")
		buf := make([]byte, 5)
		_, err = io.ReadFull(c, buf)
		t.Must("echo from "+host, err)
		// What Go hides: the peer's address on such a socket is a mapped one.
		raw, err := s.(*net.TCPConn).SyscallConn()
		t.Must("raw", err)
		raw.Control(func(fd uintptr) {
			if host == "127.0.0.1" {
				t.Want("peer", peerOf(t, int(fd)), "::ffff:127.0.0.1")
				t.Want("name", nameOf(t, int(fd)), "::ffff:127.0.0.1")
			}
			t.Want("SO_DOMAIN", getInt(t, int(fd), syscall.SOL_SOCKET, syscall.SO_DOMAIN), syscall.AF_INET6)
		})
		c.Close()
		s.Close()
	}
}

func ipv6DualUDP(t *T) {
	need6(t)
	l, err := net.ListenPacket("udp", ":0")
	t.Must("listen", err)
	defer l.Close()
	port := l.LocalAddr().(*net.UDPAddr).Port
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(port)))
		t.Must("dial "+host, err)
		fmt.Fprint(c, "hello")
		buf := make([]byte, 9)
		l.SetDeadline(time.Now().Add(patience6))
		n, from, err := l.ReadFrom(buf)
		t.Must("read from "+host, err)
		t.Want("bytes", n, 5)
		t.Want("from", from.String(), c.LocalAddr().String())
		_, err = l.WriteTo([]byte("back"), from)
		t.Must("write to "+host, err)
		c.SetDeadline(time.Now().Add(patience6))
		n, err = c.Read(buf)
		t.Must("answer to "+host, err)
		t.Want("answer", string(buf[:n]), "back")
		c.Close()
	}
}

func ipv6Only(t *T) {
	need6(t)
	l, err := net.Listen("tcp6", ":0")
	t.Must("listen", err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	fd := open6(t, syscall.AF_INET, syscall.SOCK_STREAM)
	defer closeAll(fd)
	t.Want("IPv4", syscall.Connect(fd, to4(own4, port)), syscall.ECONNREFUSED)
	c, err := net.Dial("tcp", fmt.Sprintf("[::1]:%d", port))
	t.Must("IPv6", err)
	c.Close()
	only := open6(t, syscall.AF_INET6, syscall.SOCK_STREAM)
	defer closeAll(only)
	t.Want("at first", getInt(t, only, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY), 0)
	t.Must("V6ONLY", setInt(only, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1))
	t.Want("set", getInt(t, only, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY), 1)
	t.Want("connect to a mapped address", syscall.Connect(only, to6(mapped4, port)), syscall.ENETUNREACH)
	t.Want("bind to a mapped address", syscall.Bind(only, to6(mapped4, 0)), syscall.EINVAL)
}

func ipv6OnlyLate(t *T) {
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	t.Must("bind", syscall.Bind(fd, to6(any6, 0)))
	t.Want("V6ONLY", setInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1), syscall.EINVAL)
	fd4 := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd4)
	t.Want("V6ONLY on IPv4", setInt(fd4, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1), syscall.ENOPROTOOPT)
}

// ipv6BindConflicts: which two local ends can share a port.
func ipv6BindConflicts(t *T) {
	need6(t)
	type end struct {
		name string
		only bool
		addr func(port int) syscall.Sockaddr
	}
	ends := map[string]end{
		"any4":    {"0.0.0.0", false, func(p int) syscall.Sockaddr { return to4(any4, p) }},
		"own4":    {"127.0.0.1", false, func(p int) syscall.Sockaddr { return to4(own4, p) }},
		"dual":    {"::", false, func(p int) syscall.Sockaddr { return to6(any6, p) }},
		"only":    {":: v6only", true, func(p int) syscall.Sockaddr { return to6(any6, p) }},
		"own6":    {"::1", false, func(p int) syscall.Sockaddr { return to6(own6, p) }},
		"mapped4": {"::ffff:127.0.0.1", false, func(p int) syscall.Sockaddr { return to6(mapped4, p) }},
	}
	clash := map[string]bool{
		"any4 any4": true, "any4 own4": true, "any4 dual": true, "any4 mapped4": true, "own4 own4": true,
		"own4 dual": true, "own4 mapped4": true, "dual dual": true, "dual only": true, "dual own6": true,
		"dual mapped4": true, "only only": true, "only own6": true, "own6 own6": true, "mapped4 mapped4": true,
	}
	bind := func(e end, kind, port int) (int, error) {
		sa := e.addr(port)
		family := syscall.AF_INET
		if _, ok := sa.(*syscall.SockaddrInet6); ok {
			family = syscall.AF_INET6
		}
		fd := open6(t, family, kind)
		if e.only {
			t.Must("V6ONLY", setInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1))
		}
		return fd, syscall.Bind(fd, sa)
	}
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		for a := range ends {
			for b := range ends {
				first, err := bind(ends[a], kind, 0)
				t.Must("first bind", err)
				if kind == syscall.SOCK_STREAM {
					t.Must("listen", syscall.Listen(first, 1))
				}
				second, err := bind(ends[b], kind, localPort(t, first))
				var want error
				if clash[a+" "+b] || clash[b+" "+a] {
					want = syscall.EADDRINUSE
				}
				t.Want(fmt.Sprintf("kind %d: %s, then %s", kind, ends[a].name, ends[b].name), err, want)
				closeAll(first, second)
			}
		}
	}
}

func ipv6BindAddresses(t *T) {
	need6(t)
	for _, c := range []struct {
		addr string
		want error
	}{
		{"2001:db8::77", syscall.EADDRNOTAVAIL},
		{"::ffff:192.0.2.77", syscall.EADDRNOTAVAIL},
		{"::1", nil},
		{"::", nil},
		{"::ffff:127.0.0.1", nil},
		{"::ffff:127.1.2.3", nil},
		{"ff15::1234", nil},
		{"fe80::1", syscall.EINVAL}, // by which interface?
	} {
		fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
		a := netip.MustParseAddr(c.addr)
		t.Want(c.addr, syscall.Bind(fd, &syscall.SockaddrInet6{Addr: a.As16()}), c.want)
		if c.want == nil {
			t.Want("name", nameOf(t, fd), c.addr)
		}
		closeAll(fd)
	}
}

func ipv6MappedClient(t *T) {
	need6(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	t.Must("listen", err)
	defer l.Close()
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_STREAM)
	defer closeAll(fd)
	t.Must("connect", syscall.Connect(fd, to6(mapped4, l.Addr().(*net.TCPAddr).Port)))
	s, err := l.Accept()
	t.Must("accept", err)
	defer s.Close()
	t.Want("name", nameOf(t, fd), "::ffff:127.0.0.1")
	t.Want("peer", peerOf(t, fd), "::ffff:127.0.0.1")
	t.Want("the server's peer", s.RemoteAddr().(*net.TCPAddr).IP.String(), "127.0.0.1")
	t.Want("the server's peer's port", s.RemoteAddr().(*net.TCPAddr).Port, localPort(t, fd))
	_, err = syscall.Write(fd, []byte("hello"))
	t.Must("write", err)
	buf := make([]byte, 5)
	_, err = io.ReadFull(s, buf)
	t.Must("read", err)
}

func ipv6NoMix(t *T) {
	need6(t)
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		fd := open6(t, syscall.AF_INET6, kind)
		t.Must("bind", syscall.Bind(fd, to6(own6, 0)))
		t.Want("bound to ::1, to IPv4", syscall.Connect(fd, to6(mapped4, 9)), syscall.ENETUNREACH)
		closeAll(fd)
	}
}

func ipv6AddressLengths(t *T) {
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	sa := syscall.RawSockaddrInet6{Family: syscall.AF_INET6, Addr: own6.Addr}
	for _, c := range []struct {
		length uintptr
		want   syscall.Errno
	}{{16, syscall.EINVAL}, {23, syscall.EINVAL}, {24, 0}, {28, 0}, {128, 0}, {129, syscall.EINVAL}} {
		var room [160]byte
		copy(room[:], (*[28]byte)(unsafe.Pointer(&sa))[:])
		s := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
		_, e := call(syscall.SYS_BIND, uintptr(s), ptr(&room), c.length)
		t.Want(fmt.Sprintf("bind with %d bytes", c.length), e, c.want)
		closeAll(s)
	}
	t.Must("bind", syscall.Bind(fd, to6(own6, 0)))
	for _, room := range []uint32{0, 2, 27, 28, 100} {
		buf := bytes.Repeat([]byte{0xee}, 128)
		length := room
		_, e := call(syscall.SYS_GETSOCKNAME, uintptr(fd), ptr(&buf[0]), ptr(&length))
		t.Want("getsockname", e, syscall.Errno(0))
		t.Want("length told", length, uint32(28))
		if n := min(room, 28); buf[n] != 0xee || (n > 0 && buf[0] != syscall.AF_INET6) {
			t.Errorf("room for %d: %x", room, buf[:32])
		}
	}
}

func ipv6Scope(t *T) {
	need6(t)
	addr := netip.MustParseAddr("fe80::1234").As16()
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		fd := open6(t, syscall.AF_INET6, kind)
		t.Want("connect without a scope", syscall.Connect(fd, &syscall.SockaddrInet6{Port: 9, Addr: addr}), syscall.EINVAL)
		closeAll(fd)
	}
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	t.Want("bind, no such interface", syscall.Bind(fd, &syscall.SockaddrInet6{Addr: addr, ZoneId: 9999}), syscall.ENODEV)
	// The scope of what needs none is not looked at.
	other := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(other)
	t.Want("::1 with a scope", syscall.Bind(other, &syscall.SockaddrInet6{Addr: own6.Addr, ZoneId: 9999}), nil)
}

func ipv6WrongFamily(t *T) {
	need6(t)
	stream6 := open6(t, syscall.AF_INET6, syscall.SOCK_STREAM)
	dgram6 := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	stream4 := open6(t, syscall.AF_INET, syscall.SOCK_STREAM)
	dgram4 := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(stream6, dgram6, stream4, dgram4)
	t.Want("bind stream4 to IPv6", syscall.Bind(stream4, to6(any6, 0)), syscall.EAFNOSUPPORT)
	t.Want("bind dgram4 to IPv6", syscall.Bind(dgram4, to6(any6, 0)), syscall.EAFNOSUPPORT)
	t.Want("connect stream4 to IPv6", syscall.Connect(stream4, to6(own6, 9)), syscall.EAFNOSUPPORT)
	t.Want("connect dgram4 to IPv6", syscall.Connect(dgram4, to6(own6, 9)), syscall.EAFNOSUPPORT)
	t.Want("send dgram4 to IPv6", syscall.Sendto(dgram4, []byte("x"), 0, to6(own6, 9)), syscall.EAFNOSUPPORT)
	t.Want("bind stream6 to IPv4", syscall.Bind(stream6, to4(any4, 0)), syscall.EINVAL)
	// A datagram socket for both families takes an IPv4 address as it is.
	t.Want("connect dgram6 to IPv4", syscall.Connect(dgram6, to4(own4, 9)), nil)
	t.Want("its name", nameOf(t, dgram6), "::ffff:127.0.0.1")
	t.Want("its peer", peerOf(t, dgram6), "::ffff:127.0.0.1")
	_, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM, syscall.IPPROTO_UDP)
	t.Want("stream, UDP", err, syscall.EPROTONOSUPPORT)
	_, err = syscall.Socketpair(syscall.AF_INET6, syscall.SOCK_STREAM, 0)
	t.Want("socketpair", err, syscall.EOPNOTSUPP)
}

// ipv6Source is what Go does to sort addresses: connect tells the source, and sends nothing.
func ipv6Source(t *T) {
	need6(t)
	for _, c := range []struct{ network, addr, want string }{
		{"udp", "[::1]:9", "::1"}, {"udp", "127.0.0.1:9", "127.0.0.1"}, {"udp6", "[::ffff:127.0.0.1]:9", "127.0.0.1"},
	} {
		s, err := net.Dial(c.network, c.addr)
		if err != nil && c.network == "udp6" {
			continue // newer versions of Go do not let this through
		}
		t.Must("dial "+c.addr, err)
		t.Want("source for "+c.addr, s.LocalAddr().(*net.UDPAddr).IP.String(), c.want)
		s.Close()
	}
}

func ipv6Reconnect(t *T) {
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	t.Must("connect", syscall.Connect(fd, to6(own6, 9)))
	t.Want("name", nameOf(t, fd), "::1")
	t.Must("connect again", syscall.Connect(fd, to6(own6, 10)))
	unspec := [16]byte{syscall.AF_UNSPEC}
	_, e := call(syscall.SYS_CONNECT, uintptr(fd), ptr(&unspec), 16)
	t.Want("disconnect", e, syscall.Errno(0))
	_, err := syscall.Getpeername(fd)
	t.Want("getpeername", err, syscall.ENOTCONN)
}

// Linux's, not all in package syscall.
const (
	ipMTU            = 14
	ipv6TClass       = 67
	ipv6RecvTClass   = 66
	ipv6DontFrag     = 62
	ipv6MulticastAll = 29
	ipv6MTU          = 24
)

func ipv6Options(t *T) {
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	for _, c := range []struct {
		level, name int
		first       int
		set         []int
	}{
		{syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, 64, []int{0, 1, 255, 17}},
		{syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_HOPS, 1, []int{0, 255, 3}},
		{syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_LOOP, 1, []int{0, 1}},
		{syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_IF, 0, []int{1, 0}},
		{syscall.IPPROTO_IPV6, ipv6MulticastAll, 1, []int{0, 1}},
		{syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 0, []int{1, 0}},
		{syscall.IPPROTO_IPV6, syscall.IPV6_RECVHOPLIMIT, 0, []int{1, 0}},
		{syscall.IPPROTO_IPV6, ipv6RecvTClass, 0, []int{1, 0}},
		{syscall.IPPROTO_IPV6, ipv6TClass, 0, []int{1, 0xb8, 255, 0}},
		{syscall.IPPROTO_IPV6, syscall.IPV6_MTU_DISCOVER, 1, []int{0, 2, 3, 1}},
		{syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR, 0, []int{1, 0}},
		{syscall.IPPROTO_IPV6, ipv6DontFrag, 0, []int{1, 0}},
		{syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER, 1, []int{0, 2, 3, 1}},
		{syscall.IPPROTO_IP, syscall.IP_TOS, 0, []int{0xb8, 0}},
		{syscall.IPPROTO_IP, syscall.IP_TTL, 64, []int{7}},
	} {
		what := fmt.Sprintf("level %d, option %d", c.level, c.name)
		t.Want(what, getInt(t, fd, c.level, c.name), c.first)
		for _, v := range c.set {
			t.Want(fmt.Sprintf("%s to %d", what, v), setInt(fd, c.level, c.name, v), nil)
			t.Want(what, getInt(t, fd, c.level, c.name), v)
		}
	}
	t.Must("hops to the default", setInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, -1))
	t.Want("hops", getInt(t, fd, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS), 64)
}

func ipv6OptionRange(t *T) {
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	for _, c := range []struct {
		name, value int
		want        error
	}{
		{syscall.IPV6_UNICAST_HOPS, 256, syscall.EINVAL},
		{syscall.IPV6_UNICAST_HOPS, -2, syscall.EINVAL},
		{syscall.IPV6_MULTICAST_HOPS, 256, syscall.EINVAL},
		{syscall.IPV6_MULTICAST_LOOP, 2, syscall.EINVAL},
		{ipv6TClass, 256, syscall.EINVAL},
		{syscall.IPV6_MTU_DISCOVER, 9, syscall.EINVAL},
		{syscall.IPV6_MULTICAST_IF, 9999, syscall.ENODEV},
		{9999, 1, syscall.ENOPROTOOPT},
	} {
		t.Want(fmt.Sprintf("option %d to %d", c.name, c.value), setInt(fd, syscall.IPPROTO_IPV6, c.name, c.value), c.want)
	}
}

func ipv6PathMTU(t *T) {
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	_, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_IPV6, ipv6MTU)
	t.Want("before connect", err, syscall.ENOTCONN)
	t.Must("connect", syscall.Connect(fd, to6(own6, 9)))
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	t.Want("the loopback's", getInt(t, fd, syscall.IPPROTO_IPV6, ipv6MTU), lo.MTU)
	// Whole or not at all: what fits with its headers goes, one byte more does not.
	t.Must("DO", setInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_MTU_DISCOVER, 2))
	if size := lo.MTU - 40 - 8; size < 65000 {
		_, err = syscall.Write(fd, make([]byte, size))
		t.Want("what fits", err, nil)
		_, err = syscall.Write(fd, make([]byte, size+1))
		for err == syscall.ECONNREFUSED { // the answer to the first
			_, err = syscall.Write(fd, make([]byte, size+1))
		}
		t.Want("one byte more", err, syscall.EMSGSIZE)
	}
}

func ipv6Inherits(t *T) {
	need6(t)
	l := open6(t, syscall.AF_INET6, syscall.SOCK_STREAM)
	c := open6(t, syscall.AF_INET6, syscall.SOCK_STREAM)
	defer closeAll(l, c)
	t.Must("hops", setInt(l, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, 33))
	t.Must("class", setInt(l, syscall.IPPROTO_IPV6, ipv6TClass, 0x20))
	t.Must("bind", syscall.Bind(l, to6(own6, 0)))
	t.Must("listen", syscall.Listen(l, 1))
	t.Must("connect", syscall.Connect(c, to6(own6, localPort(t, l))))
	s, from, err := syscall.Accept4(l, syscall.SOCK_CLOEXEC)
	t.Must("accept", err)
	defer closeAll(s)
	t.Want("from", inet6(from), "::1")
	t.Want("hops", getInt(t, s, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS), 33)
	t.Want("class", getInt(t, s, syscall.IPPROTO_IPV6, ipv6TClass), 0x20)
}

// ipv6Hosts: the name that every host has means both loopbacks.
func ipv6Hosts(t *T) {
	addrs, err := net.LookupHost("localhost")
	t.Must("lookup", err)
	found := map[string]bool{}
	for _, a := range addrs {
		found[a] = true
	}
	if !found["::1"] && !found["127.0.0.1"] {
		t.Errorf("localhost is %q", addrs)
	}
}
