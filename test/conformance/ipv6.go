package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// IPv6 and sockets for both families.
var ipv6Checks = slices.Concat(ipv6LoopbackChecks, ipv6BothChecks, ipv6AddressChecks,
	ipv6OptionChecks)

// Connections and datagrams over the loopback ::1.
var ipv6LoopbackChecks = []check{
	{"tcp-loopback", ipv6TCPLoopback},
	{"tcp-refused", ipv6TCPRefused},
	{"tcp-many-connections", ipv6TCPMany},
	{"udp-loopback", ipv6UDPLoopback},
	{"udp-sizes", ipv6UDPSizes},
	{"udp-refused", ipv6UDPRefused},
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
