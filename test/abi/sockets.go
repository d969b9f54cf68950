package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

type sockaddr struct {
	family uint16
	port   [2]byte
	addr   [4]byte
	zero   [8]byte
}

const nonblock, cloexec = syscall.SOCK_NONBLOCK, syscall.SOCK_CLOEXEC

func loopbackAddr(port [2]byte) *sockaddr {
	return &sockaddr{family: syscall.AF_INET, port: port, addr: [4]byte{127, 0, 0, 1}}
}

func socket(family, kind, proto int) int {
	return call(syscall.SYS_SOCKET, uintptr(family), uintptr(kind), uintptr(proto))
}

func bind(fd int, a *sockaddr) int    { return call(syscall.SYS_BIND, uintptr(fd), ptr(a), 16) }
func connect(fd int, a *sockaddr) int { return call(syscall.SYS_CONNECT, uintptr(fd), ptr(a), 16) }
func listen(fd int) int               { return call(syscall.SYS_LISTEN, uintptr(fd), 16) }
func accept(fd int) int               { return call(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, nonblock|cloexec) }

func name(number uintptr, fd int) (*sockaddr, int) {
	var a sockaddr
	length := uint32(unsafe.Sizeof(a))
	r := call(number, uintptr(fd), ptr(&a), ptr(&length))
	if r == 0 {
		r = int(length)
	}
	return &a, r
}

func option(fd, level, opt int) (value, r int) {
	var v int32
	length := uint32(4)
	r = call(syscall.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), ptr(&v), ptr(&length))
	return int(v), r
}

func sockets() {
	creation()
	unconnected()
	connecting()
	refusal()
	datagrams()
	options()
}

func creation() {
	show("unknown family", socket(99, syscall.SOCK_STREAM, 0))
	show("unknown type", socket(syscall.AF_INET, 9, 0))
	show("TCP by UDP's number", socket(syscall.AF_INET, syscall.SOCK_STREAM, syscall.IPPROTO_UDP))
	fd := done("TCP", socket(syscall.AF_INET, syscall.SOCK_STREAM|nonblock|cloexec, 0))
	show("flags", fcntl(fd, syscall.F_GETFL, 0))
	show("cloexec", fcntl(fd, syscall.F_GETFD, 0))
	v, r := option(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	fmt.Println("type", v, r)
	show("lseek", call(syscall.SYS_LSEEK, uintptr(fd), 0, 0))
	closeFd(fd)
	file := open("/etc/hosts", 0)
	show("bind a file", bind(file, loopbackAddr([2]byte{})))
	show("bind a bad fd", bind(999, loopbackAddr([2]byte{})))
	closeFd(file)
}

func unconnected() {
	fd := socket(syscall.AF_INET, syscall.SOCK_STREAM|nonblock, 0)
	b := make([]byte, 8)
	show("read", read(fd, b))
	_, r := name(syscall.SYS_GETPEERNAME, fd)
	show("getpeername", r)
	a, r := name(syscall.SYS_GETSOCKNAME, fd)
	show("getsockname", r)
	fmt.Println("  ", a.family, a.port, a.addr)
	show("accept", accept(fd))
	show("shutdown", call(syscall.SYS_SHUTDOWN, uintptr(fd), 1))
	show("bind short", call(syscall.SYS_BIND, uintptr(fd), ptr(a), 3))
	show("bind nowhere", call(syscall.SYS_BIND, uintptr(fd), badPointer, 16))
	show("bind", bind(fd, loopbackAddr([2]byte{})))
	show("bind again", bind(fd, loopbackAddr([2]byte{})))
	a, _ = name(syscall.SYS_GETSOCKNAME, fd)
	fact("a port was chosen", a.port != [2]byte{} && a.addr == [4]byte{127, 0, 0, 1})
	other := socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	show("bind in use", bind(other, loopbackAddr(a.port)))
	closeFd(other)
	closeFd(fd)
}

func connecting() {
	l := socket(syscall.AF_INET, syscall.SOCK_STREAM|nonblock, 0)
	show("bind", bind(l, loopbackAddr([2]byte{})))
	show("listen", listen(l))
	show("accept nobody", accept(l))
	a, _ := name(syscall.SYS_GETSOCKNAME, l)
	ep := newEpoll()
	show("watch listener", control(ep, add, l, in|out|rdhup|edge, 1))
	wait("quiet", ep, 8, 0)
	c := socket(syscall.AF_INET, syscall.SOCK_STREAM|nonblock, 0)
	show("connect", connect(c, a))
	wait("a connection", ep, 8, 10_000)
	s := done("accept", accept(l))
	show("accept again", accept(l))
	show("watch client", control(ep, add, c, in|out|rdhup|edge, 2))
	wait("writable", ep, 8, 10_000)
	v, r := option(c, syscall.SOL_SOCKET, syscall.SO_ERROR)
	fmt.Println("SO_ERROR", v, r)
	show("connect again", connect(c, a))
	show("connect again", connect(c, a))
	_, r = name(syscall.SYS_GETPEERNAME, c)
	show("getpeername", r)

	b := make([]byte, 100)
	show("empty", read(c, b))
	show("server writes", write(s, "hello"))
	wait("readable", ep, 8, 10_000)
	show("read part", read(c, b[:2]))
	show("peek", call(syscall.SYS_RECVFROM, uintptr(c), ptr(&b[0]), 100, syscall.MSG_PEEK, 0, 0))
	show("read rest", read(c, b))
	show("server ends", call(syscall.SYS_SHUTDOWN, uintptr(s), 1))
	wait("end", ep, 8, 10_000)
	show("read the end", read(c, b))
	show("and again", read(c, b))
	show("server writes after", call(syscall.SYS_SENDTO, uintptr(s), ptr(&b[0]), 1, syscall.MSG_NOSIGNAL, 0, 0))
	show("client writes", write(c, "bye"))
	show("close server", closeFd(s))
	for _, fd := range []int{c, l, ep} {
		closeFd(fd)
	}
}

func refusal() {
	l := socket(syscall.AF_INET, syscall.SOCK_STREAM|nonblock, 0)
	show("bind", bind(l, loopbackAddr([2]byte{})))
	a, _ := name(syscall.SYS_GETSOCKNAME, l) // bound, not listening: nobody else has the port
	c := socket(syscall.AF_INET, syscall.SOCK_STREAM|nonblock, 0)
	ep := newEpoll()
	show("watch", control(ep, add, c, in|out|rdhup|edge, 1))
	wait("not connected", ep, 8, 0)
	show("connect", connect(c, a))
	wait("refused", ep, 8, 10_000)
	v, r := option(c, syscall.SOL_SOCKET, syscall.SO_ERROR)
	fmt.Println("SO_ERROR", v, r)
	v, r = option(c, syscall.SOL_SOCKET, syscall.SO_ERROR)
	fmt.Println("SO_ERROR again", v, r)
	for _, fd := range []int{c, l, ep} {
		closeFd(fd)
	}
}

func datagrams() {
	r := done("UDP", socket(syscall.AF_INET, syscall.SOCK_DGRAM|nonblock, 0))
	show("bind", bind(r, loopbackAddr([2]byte{})))
	a, _ := name(syscall.SYS_GETSOCKNAME, r)
	s := socket(syscall.AF_INET, syscall.SOCK_DGRAM|nonblock, 0)
	b := make([]byte, 100)
	show("empty", read(r, b))
	show("send nowhere", write(s, "x"))
	show("sendto", call(syscall.SYS_SENDTO, uintptr(s), ptr(&b[0]), 50, 0, ptr(a), 16))
	show("sendto empty", call(syscall.SYS_SENDTO, uintptr(s), ptr(&b[0]), 0, 0, ptr(a), 16))
	show("connect", connect(s, a))
	show("send", write(s, "abcdef"))
	ep := newEpoll()
	show("watch", control(ep, add, r, in|out|edge, 1))
	wait("there", ep, 8, 10_000)
	show("first", read(r, b))
	show("second", read(r, b))
	show("third, cut", read(r, b[:3]))
	show("no more", read(r, b))
	show("listen", listen(r))
	show("accept", accept(r))
	for _, fd := range []int{r, s, ep} {
		closeFd(fd)
	}
}

func options() {
	fd := socket(syscall.AF_INET, syscall.SOCK_STREAM|nonblock, 0)
	set := func(what string, level, opt, value int) {
		v := int32(value)
		show(what, call(syscall.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), ptr(&v), 4))
		got, r := option(fd, level, opt)
		fmt.Println("  ", got, r)
	}
	const soKeepAlive, soBroadcast, soReusePort = 9, 6, 15
	set("reuse address", syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	set("keep alive", syscall.SOL_SOCKET, soKeepAlive, 1)
	set("broadcast", syscall.SOL_SOCKET, soBroadcast, 1)
	set("reuse port", syscall.SOL_SOCKET, soReusePort, 1)
	set("no delay", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	set("idle", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15)
	set("interval", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 16)
	set("count", syscall.IPPROTO_TCP, 6, 9)
	v := int32(1)
	show("unknown option", call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.IPPROTO_TCP, 250, ptr(&v), 4))
	show("unknown level", call(syscall.SYS_SETSOCKOPT, uintptr(fd), 250, 1, ptr(&v), 4))
	show("short value", call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, ptr(&v), 1))
	_, r := option(fd, syscall.IPPROTO_TCP, 250)
	show("get unknown", r)
	closeFd(fd)
}
