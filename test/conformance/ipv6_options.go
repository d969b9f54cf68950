package main

import (
	"fmt"
	"net"
	"syscall"
)

// Socket options of IPv6.
var ipv6OptionChecks = []check{
	{"options", ipv6Options},
	{"options-out-of-range", ipv6OptionRange},
	{"mtu-of-the-path", ipv6PathMTU},
	{"accepted-inherits", ipv6Inherits},
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
