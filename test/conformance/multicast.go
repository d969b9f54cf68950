package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Groups, what travels beside a datagram, and errors that come back.
var multicastChecks = []check{
	{"two-sockets-in-a-group", groupOfTwo},
	{"two-sockets-in-a-group-ipv6", groupOfTwo6},
	{"join-and-leave-errors", groupErrors},
	{"only-members", groupOnlyMembers},
	{"options", groupOptions},
	{"listen-multicast-of-go", groupGo},
	{"reuseaddr-last-one-gets-it", reuseAddr},
	{"reuseport-shares", reusePort},
	{"pktinfo", beside},
	{"pktinfo-ipv6", beside6},
	{"sent-with-tos-and-ttl", sentWith},
	{"control-malformed", controlMalformed},
	{"error-queue", errorQueue},
	{"error-queue-ipv6", errorQueue6},
	{"error-queue-empty", errorQueueEmpty},
	{"mtu-discover", mtuDiscover},
}

const (
	msgErr = 0x2000
)

func inet4(a, b, c, d byte) [4]byte { return [4]byte{a, b, c, d} }

// member is a socket bound to a port (0: any), in a group on the loopback.
func member(t *T, group [4]byte, port int) int {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	t.Must("REUSEADDR", setInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	t.Must("bind", syscall.Bind(fd, to4(any4, port)))
	t.Must("join", syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP,
		&syscall.IPMreqn{Multiaddr: group, Ifindex: 1}))
	return fd
}

func waitAtMost(t *T, d time.Duration, fds ...int) {
	tv := syscall.NsecToTimeval(int64(d))
	for _, fd := range fds {
		t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv))
	}
}

// wantDatagram demands one datagram, or with want "" none.
func wantDatagram(t *T, what string, fd int, want string) {
	wait := patience6
	if want == "" {
		wait = 100 * time.Millisecond
	}
	waitAtMost(t, wait, fd)
	buf := make([]byte, 2000)
	n, err := readAgain(fd, buf)
	switch {
	case want == "" && err != syscall.EAGAIN:
		t.Errorf("%s: got %q, %v; want nothing", what, buf[:max(n, 0)], err)
	case want != "" && (err != nil || string(buf[:n]) != want):
		t.Errorf("%s: got %q, %v; want %q", what, buf[:max(n, 0)], err, want)
	}
}

func groupOfTwo(t *T) {
	group := inet4(239, 7, 7, 1)
	a := member(t, group, 0)
	port := localPort(t, a)
	b := member(t, group, port)
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(a, b, s)
	t.Must("MULTICAST_IF", syscall.SetsockoptIPMreqn(s, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, &syscall.IPMreqn{Ifindex: 1}))
	for _, text := range []string{"first", "second"} {
		t.Must("send", syscall.Sendto(s, []byte(text), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
		wantDatagram(t, "a", a, text)
		wantDatagram(t, "b", b, text)
	}
	t.Must("leave", syscall.SetsockoptIPMreqn(b, syscall.IPPROTO_IP, syscall.IP_DROP_MEMBERSHIP, &syscall.IPMreqn{Multiaddr: group, Ifindex: 1}))
	t.Must("MULTICAST_ALL", setInt(b, syscall.IPPROTO_IP, 49, 0))
	t.Must("send", syscall.Sendto(s, []byte("third"), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
	wantDatagram(t, "a", a, "third")
	wantDatagram(t, "b, which left", b, "")
}

func groupOfTwo6(t *T) {
	need6(t)
	group := syscall.SockaddrInet6{Addr: [16]byte{0xff, 0x01, 15: 0x77}, ZoneId: 1}
	join := func(port int) int {
		fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
		t.Must("REUSEADDR", setInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
		t.Must("bind", syscall.Bind(fd, to6(any6, port)))
		t.Must("join", syscall.SetsockoptIPv6Mreq(fd, syscall.IPPROTO_IPV6, syscall.IPV6_JOIN_GROUP,
			&syscall.IPv6Mreq{Multiaddr: group.Addr, Interface: 1}))
		return fd
	}
	a := join(0)
	port := localPort(t, a)
	b := join(port)
	s := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(a, b, s)
	t.Must("MULTICAST_IF", setInt(s, syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_IF, 1))
	err := syscall.Sendto(s, []byte("to both"), 0, to6(group, port))
	if err == syscall.ENETUNREACH {
		t.Skipf("no route to groups by the loopback")
	}
	t.Must("send", err)
	wantDatagram(t, "a", a, "to both")
	wantDatagram(t, "b", b, "to both")
	t.Want("join again", syscall.SetsockoptIPv6Mreq(a, syscall.IPPROTO_IPV6, syscall.IPV6_JOIN_GROUP,
		&syscall.IPv6Mreq{Multiaddr: group.Addr, Interface: 1}), syscall.EADDRINUSE)
	t.Want("by no interface", syscall.SetsockoptIPv6Mreq(a, syscall.IPPROTO_IPV6, syscall.IPV6_JOIN_GROUP,
		&syscall.IPv6Mreq{Multiaddr: group.Addr, Interface: 999}), syscall.ENODEV)
	t.Want("no group", syscall.SetsockoptIPv6Mreq(a, syscall.IPPROTO_IPV6, syscall.IPV6_JOIN_GROUP,
		&syscall.IPv6Mreq{Multiaddr: own6.Addr, Interface: 1}), syscall.EINVAL)
}

func groupErrors(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	stream := open6(t, syscall.AF_INET, syscall.SOCK_STREAM)
	defer closeAll(fd, stream)
	group := inet4(239, 7, 7, 2)
	add := func(fd int, g, by [4]byte) error {
		return syscall.SetsockoptIPMreq(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, &syscall.IPMreq{Multiaddr: g, Interface: by})
	}
	drop := func(g, by [4]byte) error {
		return syscall.SetsockoptIPMreq(fd, syscall.IPPROTO_IP, syscall.IP_DROP_MEMBERSHIP, &syscall.IPMreq{Multiaddr: g, Interface: by})
	}
	t.Want("no group", add(fd, inet4(10, 1, 1, 1), own4.Addr), syscall.EINVAL)
	t.Want("no such interface", add(fd, group, inet4(192, 0, 2, 9)), syscall.ENODEV)
	t.Want("not joined", drop(group, own4.Addr), syscall.EADDRNOTAVAIL)
	t.Want("join", add(fd, group, own4.Addr), nil)
	t.Want("join again", add(fd, group, own4.Addr), syscall.EADDRINUSE)
	t.Want("leave", drop(group, own4.Addr), nil)
	t.Want("leave again", drop(group, own4.Addr), syscall.EADDRNOTAVAIL)
	t.Want("on a stream", add(stream, group, own4.Addr), syscall.EPROTO)
	var short [7]byte
	_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, ptr(&short), 7)
	t.Want("too short", e, syscall.EINVAL)
}

// groupOnlyMembers: by default everybody on the port gets what a member of this machine gets.
func groupOnlyMembers(t *T) {
	group := inet4(239, 7, 7, 3)
	a := member(t, group, 0)
	port := localPort(t, a)
	all := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(a, all, s)
	t.Must("REUSEADDR", setInt(all, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	t.Must("bind", syscall.Bind(all, to4(any4, port)))
	t.Must("MULTICAST_IF", syscall.SetsockoptIPMreqn(s, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, &syscall.IPMreqn{Ifindex: 1}))
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
	wantDatagram(t, "the member", a, "x")
	wantDatagram(t, "IP_MULTICAST_ALL", all, "x")
}

func groupOptions(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	for _, c := range []struct{ name, first, set int }{
		{syscall.IP_MULTICAST_TTL, 1, 200}, {syscall.IP_MULTICAST_LOOP, 1, 0}, {49, 1, 0},
	} {
		t.Want("at first", getInt(t, fd, syscall.IPPROTO_IP, c.name), c.first)
		t.Want("set", setInt(fd, syscall.IPPROTO_IP, c.name, c.set), nil)
		t.Want("then", getInt(t, fd, syscall.IPPROTO_IP, c.name), c.set)
	}
	t.Want("TTL 256", setInt(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_TTL, 256), syscall.EINVAL)
	t.Want("one byte", syscall.SetsockoptByte(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_TTL, 9), nil)
	t.Want("one byte", getInt(t, fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_TTL), 9)
	t.Want("interface by address", syscall.SetsockoptInet4Addr(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, own4.Addr), nil)
	a, err := syscall.GetsockoptInet4Addr(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF)
	t.Want("its address", fmt.Sprint(a, err), fmt.Sprint(own4.Addr, nil))
	t.Want("no such address", syscall.SetsockoptInet4Addr(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, inet4(192, 0, 2, 9)), syscall.EADDRNOTAVAIL)
}

func groupGo(t *T) {
	lo, err := net.InterfaceByIndex(1)
	t.Must("lo", err)
	l, err := net.ListenMulticastUDP("udp4", lo, &net.UDPAddr{IP: net.IPv4(239, 7, 7, 4)})
	t.Must("listen", err)
	defer l.Close()
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(s)
	t.Must("MULTICAST_IF", syscall.SetsockoptIPMreqn(s, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, &syscall.IPMreqn{Ifindex: 1}))
	port := l.LocalAddr().(*net.UDPAddr).Port
	t.Must("send", syscall.Sendto(s, []byte("hello"), 0, &syscall.SockaddrInet4{Port: port, Addr: inet4(239, 7, 7, 4)}))
	buf := make([]byte, 10)
	l.SetDeadline(time.Now().Add(patience6))
	n, _, err := l.ReadFrom(buf)
	t.Must("read", err)
	t.Want("datagram", string(buf[:n]), "hello")
}

// reuseAddr: of sockets that allow the reuse of their address the last one gets what is for one.
func reuseAddr(t *T) {
	bind := func(port int) int {
		fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
		t.Must("REUSEADDR", setInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
		t.Must("bind", syscall.Bind(fd, to4(own4, port)))
		return fd
	}
	first := bind(0)
	port := localPort(t, first)
	last := bind(port)
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(first, last, s)
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, to4(own4, port)))
	wantDatagram(t, "the last", last, "x")
	wantDatagram(t, "the first", first, "")
	plain := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(plain)
	t.Want("without the option", syscall.Bind(plain, to4(own4, port)), syscall.EADDRINUSE)
}

func reusePort(t *T) {
	var fds []int
	defer func() { closeAll(fds...) }()
	port := 0
	for i := 0; i < 4; i++ {
		fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
		fds = append(fds, fd)
		t.Must("REUSEPORT", setInt(fd, syscall.SOL_SOCKET, 15, 1))
		t.Must("bind", syscall.Bind(fd, to4(own4, port)))
		port = localPort(t, fd)
	}
	const sent = 200
	for i := 0; i < sent; i++ {
		s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
		t.Must("send", syscall.Sendto(s, []byte("x"), 0, to4(own4, port)))
		closeAll(s)
	}
	total := 0
	for i, fd := range fds {
		got := 0
		waitAtMost(t, 50*time.Millisecond, fd)
		for buf := make([]byte, 1); ; got++ {
			if _, _, err := syscall.Recvfrom(fd, buf, 0); err != nil {
				break
			}
		}
		total += got
		if got == 0 || got == sent {
			t.Errorf("socket %d of 4 got %d of %d", i, got, sent)
		}
	}
	t.Want("together", total, sent)
}

// controls is what a receive tells beside a datagram, by level and type.
func controls(t *T, fd, flags int) (data []byte, told map[[2]int32][]byte, msgFlags int, from syscall.Sockaddr) {
	waitAtMost(t, patience6, fd)
	buf, oob := make([]byte, 2000), make([]byte, 512)
	n, oobn, msgFlags, from, err := syscall.Recvmsg(fd, buf, oob, flags)
	t.Must("recvmsg", err)
	ms, err := syscall.ParseSocketControlMessage(oob[:oobn])
	t.Must("control messages", err)
	told = map[[2]int32][]byte{}
	for _, m := range ms {
		told[[2]int32{m.Header.Level, m.Header.Type}] = m.Data
	}
	return buf[:n], told, msgFlags, from
}

func beside(t *T) {
	r := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(any4, 0)))
	for _, name := range []int{syscall.IP_PKTINFO, syscall.IP_RECVTTL, syscall.IP_RECVTOS} {
		t.Must("option", setInt(r, syscall.IPPROTO_IP, name, 1))
	}
	t.Must("TTL", setInt(s, syscall.IPPROTO_IP, syscall.IP_TTL, 77))
	t.Must("TOS", setInt(s, syscall.IPPROTO_IP, syscall.IP_TOS, 0xb8))
	to := syscall.SockaddrInet4{Port: localPort(t, r), Addr: inet4(127, 5, 5, 5)}
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, &to))
	_, told, _, _ := controls(t, r, 0)
	want := append([]byte{1, 0, 0, 0}, 127, 5, 5, 5, 127, 5, 5, 5)
	if got := told[[2]int32{0, syscall.IP_PKTINFO}]; !bytes.Equal(got, want) {
		t.Errorf("IP_PKTINFO %v, want %v", got, want)
	}
	if got := told[[2]int32{0, syscall.IP_TTL}]; len(got) != 4 || got[0] != 77 {
		t.Errorf("IP_TTL %v", got)
	}
	if got := told[[2]int32{0, syscall.IP_TOS}]; len(got) != 1 || got[0] != 0xb8 {
		t.Errorf("IP_TOS %v", got)
	}
}

func beside6(t *T) {
	need6(t)
	r := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	s := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to6(any6, 0)))
	for _, name := range []int{syscall.IPV6_RECVPKTINFO, syscall.IPV6_RECVHOPLIMIT, ipv6RecvTClass} {
		t.Must("option", setInt(r, syscall.IPPROTO_IPV6, name, 1))
	}
	t.Must("hops", setInt(s, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, 77))
	t.Must("class", setInt(s, syscall.IPPROTO_IPV6, ipv6TClass, 0xb8))
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, to6(own6, localPort(t, r))))
	_, told, _, _ := controls(t, r, 0)
	want := append(append([]byte{}, own6.Addr[:]...), 1, 0, 0, 0)
	if got := told[[2]int32{syscall.IPPROTO_IPV6, syscall.IPV6_PKTINFO}]; !bytes.Equal(got, want) {
		t.Errorf("IPV6_PKTINFO %v, want %v", got, want)
	}
	for name, value := range map[int32]byte{syscall.IPV6_HOPLIMIT: 77, ipv6TClass: 0xb8} {
		if got := told[[2]int32{syscall.IPPROTO_IPV6, name}]; len(got) != 4 || got[0] != value {
			t.Errorf("message %d: %v, want %d", name, got, value)
		}
	}
	// What comes from IPv4 tells the mapped address.
	t.Must("send by IPv4", syscall.Sendto(s, []byte("x"), 0, to6(mapped4, localPort(t, r))))
	_, told, _, _ = controls(t, r, 0)
	if got := told[[2]int32{syscall.IPPROTO_IPV6, syscall.IPV6_PKTINFO}]; len(got) != 20 || !bytes.Equal(got[:16], mapped4.Addr[:]) {
		t.Errorf("IPV6_PKTINFO of IPv4 %v", got)
	}
}

// control is one control message.
func control(level, kind int32, data ...byte) []byte {
	b := make([]byte, syscall.CmsgSpace(len(data)))
	binary.LittleEndian.PutUint64(b, uint64(syscall.CmsgLen(len(data))))
	binary.LittleEndian.PutUint32(b[8:], uint32(level))
	binary.LittleEndian.PutUint32(b[12:], uint32(kind))
	copy(b[16:], data)
	return b
}

func sentWith(t *T) {
	r := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	t.Must("RECVTTL", setInt(r, syscall.IPPROTO_IP, syscall.IP_RECVTTL, 1))
	t.Must("RECVTOS", setInt(r, syscall.IPPROTO_IP, syscall.IP_RECVTOS, 1))
	with := append(control(0, syscall.IP_TTL, 33, 0, 0, 0), control(0, syscall.IP_TOS, 2, 0, 0, 0)...)
	with = append(with, control(0, syscall.IP_PKTINFO, 0, 0, 0, 0, 127, 9, 9, 9, 0, 0, 0, 0)...)
	t.Must("sendmsg", syscall.Sendmsg(s, []byte("x"), with, to4(own4, localPort(t, r)), 0))
	_, told, _, from := controls(t, r, 0)
	t.Want("from", inet6(from), "127.9.9.9")
	if ttl, tos := told[[2]int32{0, syscall.IP_TTL}], told[[2]int32{0, syscall.IP_TOS}]; len(ttl) != 4 || ttl[0] != 33 || len(tos) != 1 || tos[0] != 2 {
		t.Errorf("TTL %v, TOS %v", ttl, tos)
	}
}

func controlMalformed(t *T) {
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(s)
	for what, c := range map[string][]byte{
		"unknown type":   control(0, 99, 1, 0, 0, 0),
		"TTL 0":          control(0, syscall.IP_TTL, 0, 0, 0, 0),
		"TTL 256":        control(0, syscall.IP_TTL, 0, 1, 0, 0),
		"TTL of 2 bytes": control(0, syscall.IP_TTL, 1, 0),
		"short PKTINFO":  control(0, syscall.IP_PKTINFO, 1, 0, 0, 0),
	} {
		t.Want(what, syscall.Sendmsg(s, []byte("x"), c, to4(own4, 9), 0), syscall.EINVAL)
	}
}

// wantRefusal reads the error of a datagram to a closed port from the queue.
func wantRefusal(t *T, fd, port int, level, name int32, origin, kind, code byte) {
	deadline := time.Now().Add(patience6)
	for {
		_, _, err := syscall.Recvfrom(fd, make([]byte, 1), syscall.MSG_DONTWAIT)
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no error came: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	data, told, flags, from := controls(t, fd, msgErr)
	t.Want("the datagram", string(data), "lost")
	t.Want("MSG_ERRQUEUE", flags&msgErr, msgErr)
	e := told[[2]int32{level, name}]
	if len(e) < 16 || binary.LittleEndian.Uint32(e) != uint32(syscall.ECONNREFUSED) || e[4] != origin || e[5] != kind || e[6] != code {
		t.Errorf("extended error %v", e)
	}
	switch a := from.(type) {
	case *syscall.SockaddrInet4:
		t.Want("its destination's port", a.Port, port)
	case *syscall.SockaddrInet6:
		t.Want("its destination's port", a.Port, port)
	}
}

func errorQueue(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	port := closedUDPPort(t)
	t.Must("RECVERR", setInt(fd, syscall.IPPROTO_IP, syscall.IP_RECVERR, 1))
	t.Must("send", syscall.Sendto(fd, []byte("lost"), 0, to4(own4, port)))
	wantRefusal(t, fd, port, syscall.IPPROTO_IP, syscall.IP_RECVERR, 2, 3, 3)
}

func errorQueue6(t *T) {
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	port := closedUDPPort(t)
	t.Must("RECVERR", setInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR, 1))
	t.Must("send", syscall.Sendto(fd, []byte("lost"), 0, to6(own6, port)))
	wantRefusal(t, fd, port, syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR, 3, 1, 4)
}

func errorQueueEmpty(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		fd := open6(t, syscall.AF_INET, kind)
		_, _, err := syscall.Recvfrom(fd, make([]byte, 1), msgErr)
		t.Want("nothing there", err, syscall.EAGAIN)
		closeAll(fd)
	}
}

// mtuDiscover: what may not be cut and is too large is refused; QUIC lives on it.
func mtuDiscover(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	_, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_IP, ipMTU)
	t.Want("IP_MTU before connect", err, syscall.ENOTCONN)
	t.Must("connect", syscall.Connect(fd, to4(own4, closedUDPPort(t))))
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	t.Want("IP_MTU", getInt(t, fd, syscall.IPPROTO_IP, ipMTU), min(lo.MTU, 65535))
	t.Must("PROBE", setInt(fd, syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER, 3))
	send := func(n int) error {
		for {
			_, err := syscall.Write(fd, make([]byte, n))
			if err != syscall.ECONNREFUSED {
				return err
			}
		}
	}
	t.Want("what fits", send(min(lo.MTU-28, 65507)), nil)
	if lo.MTU-28 < 65507 {
		t.Want("one byte more", send(lo.MTU-27), syscall.EMSGSIZE)
	}
	t.Want("more than any", send(65508), syscall.EMSGSIZE)
}
