package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options that keep TCP to those who are near (RFC 5082): IP_MINTTL, IPV6_MINHOPCOUNT.
var sockoptTTLChecks = []check{
	{"minimum-ttl", func(t *T) { ttlMinimum(t, ttlOver4) }},
	{"minimum-hop-count", func(t *T) { ttlMinimum(t, ttlOver6) }},
	{"minimum-ttl-of-a-connection", func(t *T) { ttlConnection(t, ttlOver4) }},
	{"minimum-hop-count-of-a-connection", func(t *T) { ttlConnection(t, ttlOver6) }},
	{"minimum-ttl-range", ttlRange},
}

// ttlFamily is what a family calls the two.
type ttlFamily struct {
	domain, level, ttl, minimum int
	local                       syscall.Sockaddr
}

var (
	ttlOver4 = ttlFamily{syscall.AF_INET, syscall.IPPROTO_IP, syscall.IP_TTL, 21,
		&syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}}
	ttlOver6 = ttlFamily{syscall.AF_INET6, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, 73,
		&syscall.SockaddrInet6{Addr: [16]byte{15: 1}}}
)

// ttlQuiet is how long nothing has to happen.
const ttlQuiet = 300 * time.Millisecond

func (f ttlFamily) socket(t *T, kind int) int {
	fd, err := syscall.Socket(f.domain, kind|syscall.SOCK_CLOEXEC, 0)
	t.Must("socket", err)
	return fd
}

// ttlListen is a listener that takes only what has come fewer than 56 hops.
func ttlListen(t *T, f ttlFamily) (l int, at syscall.Sockaddr) {
	l = f.socket(t, syscall.SOCK_STREAM)
	t.Must("bind", syscall.Bind(l, f.local))
	optSet(t, "minimum", l, f.level, f.minimum, 200)
	t.Must("listen", syscall.Listen(l, 4))
	at, err := syscall.Getsockname(l)
	t.Must("getsockname", err)
	return l, at
}

// ttlMinimum: a listener does not answer who is too far away, and answers once he is near.
func ttlMinimum(t *T, f ttlFamily) {
	l, at := ttlListen(t, f)
	c := f.socket(t, syscall.SOCK_STREAM)
	defer closeFds(l, c)
	optSet(t, "hops", c, f.level, f.ttl, 199)
	unixNonblock(t, c)
	t.Want("connect", syscall.Connect(c, at), error(syscall.EINPROGRESS))
	time.Sleep(ttlQuiet)
	t.Want("events of one too far away", unixPoll(t, c), int16(0))
	optSet(t, "hops", c, f.level, f.ttl, 200)
	epollUntil(t, "connected from near, by the next SYN", c, tcpOut)
	s, _, err := syscall.Accept4(l, syscall.SOCK_CLOEXEC)
	t.Must("accept", err)
	defer closeFds(s)
	optWant(t, "minimum of what was accepted", s, f.level, f.minimum, 200)
	optSet(t, "no minimum", s, f.level, f.minimum, 0)
	unixWrite(t, s, "near")
	epollUntil(t, "bytes from near", c, tcpOut|pollIn)
	unixWantRead(t, "read", c, 9, "near", nil)
}

// ttlConnection: bytes from too far away are not taken; from near, those that are sent again are.
func ttlConnection(t *T, f ttlFamily) {
	l := f.socket(t, syscall.SOCK_STREAM)
	c := f.socket(t, syscall.SOCK_STREAM)
	defer closeFds(l, c)
	t.Must("bind", syscall.Bind(l, f.local))
	t.Must("listen", syscall.Listen(l, 1))
	at, err := syscall.Getsockname(l)
	t.Must("getsockname", err)
	t.Must("connect", syscall.Connect(c, at))
	s, _, err := syscall.Accept4(l, syscall.SOCK_CLOEXEC)
	t.Must("accept", err)
	defer closeFds(s)
	dropped := ttlDropped(t)
	optSet(t, "minimum", s, f.level, f.minimum, 255)
	optSet(t, "hops", c, f.level, f.ttl, 254)
	unixWrite(t, c, "hello")
	time.Sleep(ttlQuiet)
	t.Want("events while too far away", unixPoll(t, s)&pollIn, int16(0))
	if n := ttlDropped(t); n == dropped {
		t.Errorf("TCPMinTTLDrop stays at %d", n)
	}
	optSet(t, "hops", c, f.level, f.ttl, 255)
	epollUntil(t, "bytes sent again from near", s, tcpOut|pollIn)
	unixWantRead(t, "read", s, 9, "hello", nil)
}

// ttlDropped is how many segments were dropped so: a column of /proc/net/netstat.
func ttlDropped(t *T) int {
	lines := strings.Split(contents(t, "/proc/net/netstat"), "\n")
	at := slices.Index(strings.Fields(lines[0]), "TCPMinTTLDrop")
	if at < 0 {
		t.Fatalf("no TCPMinTTLDrop in /proc/net/netstat")
	}
	n, err := strconv.Atoi(strings.Fields(lines[1])[at])
	t.Must("TCPMinTTLDrop", err)
	return n
}

// ttlRange: 0 to 255, on sockets of every kind; IPv6's is for sockets of IPv6 alone.
func ttlRange(t *T) {
	for _, f := range []ttlFamily{ttlOver4, ttlOver6} {
		for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
			fd := f.socket(t, kind)
			what := fmt.Sprintf("family %d, kind %d", f.domain, kind)
			optWant(t, what+", at first", fd, f.level, f.minimum, 0)
			for _, v := range []int{255, 1, 0} {
				optSet(t, what, fd, f.level, f.minimum, v)
				optWant(t, what, fd, f.level, f.minimum, v)
			}
			for _, v := range []int{-1, 256} {
				t.Want(fmt.Sprintf("%s = %d", what, v), syscall.SetsockoptInt(fd, f.level, f.minimum, v),
					error(syscall.EINVAL))
			}
			closeFds(fd)
		}
	}
	fd := ttlOver4.socket(t, syscall.SOCK_STREAM)
	defer closeFds(fd)
	t.Want("IPv6's on a socket of IPv4", syscall.SetsockoptInt(fd, ttlOver6.level, ttlOver6.minimum, 1),
		error(syscall.ENOPROTOOPT))
	both := ttlOver6.socket(t, syscall.SOCK_STREAM)
	defer closeFds(both)
	optSet(t, "IPv4's on a socket of IPv6", both, ttlOver4.level, ttlOver4.minimum, 9)
	optWant(t, "IPv4's on a socket of IPv6", both, ttlOver4.level, ttlOver4.minimum, 9)
}
