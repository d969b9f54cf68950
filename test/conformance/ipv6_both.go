package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Sockets that serve IPv4 too: mapped addresses, and who shares a port.
var ipv6BothChecks = []check{
	{"dual-stack-tcp", ipv6DualTCP},
	{"dual-stack-udp", ipv6DualUDP},
	{"v6only", ipv6Only},
	{"v6only-after-bind", ipv6OnlyLate},
	{"bind-conflicts", ipv6BindConflicts},
	{"bind-addresses", ipv6BindAddresses},
	{"mapped-client", ipv6MappedClient},
	{"mapped-and-own-do-not-mix", ipv6NoMix},
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
	both := func(a, b end, kind int) error {
		first, err := bind(a, kind, 0)
		t.Must("first bind", err)
		if kind == syscall.SOCK_STREAM {
			t.Must("listen", syscall.Listen(first, 1))
		}
		second, err := bind(b, kind, localPort(t, first))
		closeAll(first, second)
		return err
	}
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		for a := range ends {
			for b := range ends {
				var want error
				if clash[a+" "+b] || clash[b+" "+a] {
					want = syscall.EADDRINUSE
				}
				err := both(ends[a], ends[b], kind)
				for try := 0; err != want && try < 5; try++ { // the port may be another program's
					err = both(ends[a], ends[b], kind)
				}
				t.Want(fmt.Sprintf("kind %d: %s, then %s", kind, ends[a].name, ends[b].name), err, want)
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
