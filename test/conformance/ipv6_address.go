package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"
)

// Addresses of IPv6: their form, scopes, the source, names.
var ipv6AddressChecks = []check{
	{"address-lengths", ipv6AddressLengths},
	{"scope-needed", ipv6Scope},
	{"wrong-family", ipv6WrongFamily},
	{"source-by-connect", ipv6Source},
	{"udp-reconnect", ipv6Reconnect},
	{"hosts-file", ipv6Hosts},
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
