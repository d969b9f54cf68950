package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// Raw and packet sockets.
var rawsocketChecks = []check{
	{"kinds", rawKinds},
	{"icmp-echo", rawEcho},
	{"icmp-filter", rawFilter},
	{"icmpv6-echo", rawEcho6},
	{"udp-seen-with-its-header", rawUDP},
	{"hdrincl", rawHeaderIncluded},
	{"ping", pingEcho},
	{"ping-ipv6", pingEcho6},
	{"ping-sends-requests-only", pingOnly},
	{"packet-loopback", packetLoopback},
	{"packet-cooked", packetCooked},
	{"packet-names", packetNames},
	{"packet-queue-is-bounded", packetBounded},
	{"packet-tells-what-was-lost", packetDropped},
}

const (
	ethAll  = 3
	ethIP   = 0x800
	ethIPv6 = 0x86dd
)

func swapped(v uint16) uint16 { return v<<8 | v>>8 }

// openRaw is a socket that needs a privilege on Linux.
func openRaw(t *T, family, kind, protocol int) int {
	fd, err := syscall.Socket(family, kind|syscall.SOCK_CLOEXEC, protocol)
	if err == syscall.EPERM || err == syscall.EACCES {
		t.Skipf("not allowed here: %v", err)
	}
	t.Must("socket", err)
	return fd
}

// sum is the internet checksum.
func sum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// echo is an ICMP message with its sum (that of ICMPv6 is the kernel's work).
func echo(kind byte, id, seq uint16, data string) []byte {
	b := append([]byte{kind, 0, 0, 0, byte(id >> 8), byte(id), byte(seq >> 8), byte(seq)}, data...)
	binary.BigEndian.PutUint16(b[2:], sum(b))
	return b
}

// until reads until good says so.
func until(t *T, what string, fd int, good func(b []byte) bool) []byte {
	waitAtMost(t, patience6, fd)
	for deadline := time.Now().Add(patience6); time.Now().Before(deadline); {
		b := make([]byte, 70000)
		n, _, err := syscall.Recvfrom(fd, b, 0)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if good(b[:n]) {
			return b[:n]
		}
	}
	t.Fatalf("%s: did not come", what)
	return nil
}

func rawKinds(t *T) {
	closeAll(openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP))
	for _, c := range []struct {
		family, kind, protocol int
		want                   error
	}{
		{syscall.AF_INET, syscall.SOCK_RAW, 0, syscall.EPROTONOSUPPORT},
		{syscall.AF_INET6, syscall.SOCK_RAW, 0, syscall.EPROTONOSUPPORT},
		{syscall.AF_INET, syscall.SOCK_RAW, 255, nil},
		{syscall.AF_INET, syscall.SOCK_RAW, 89, nil},
		{syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_TCP, syscall.EPROTONOSUPPORT},
		{syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMPV6, syscall.EPROTONOSUPPORT},
		{syscall.AF_PACKET, syscall.SOCK_STREAM, 0, syscall.ESOCKTNOSUPPORT},
		{syscall.AF_PACKET, syscall.SOCK_RAW, 0, nil},
	} {
		fd, err := syscall.Socket(c.family, c.kind, c.protocol)
		t.Want(fmt.Sprintf("family %d, kind %d, protocol %d", c.family, c.kind, c.protocol), err, c.want)
		if err == nil {
			closeAll(fd)
		}
	}
}

func rawEcho(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	defer closeAll(fd)
	t.Must("TTL", setInt(fd, syscall.IPPROTO_IP, syscall.IP_TTL, 44))
	t.Must("send", syscall.Sendto(fd, echo(8, 0x6f6f, 1, "hello"), 0, to4(own4, 0)))
	for _, kind := range []byte{8, 0} { // the request comes by the loopback, too
		b := until(t, fmt.Sprintf("ICMP type %d", kind), fd, func(b []byte) bool {
			return len(b) >= 28 && b[20] == kind && b[24] == 0x6f && b[25] == 0x6f
		})
		if string(b[28:]) != "hello" || b[0] != 0x45 || b[9] != 1 || (kind == 8 && b[8] != 44) || int(b[2])<<8|int(b[3]) != len(b) {
			t.Errorf("type %d: % x", kind, b)
		}
	}
}

func rawFilter(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	defer closeAll(fd)
	t.Must("filter", setInt(fd, 255, 1, 1<<8)) // ICMP_FILTER: no requests
	t.Must("send", syscall.Sendto(fd, echo(8, 0x6f70, 1, "x"), 0, to4(own4, 0)))
	b := until(t, "the answer", fd, func(b []byte) bool { return len(b) >= 28 && b[24] == 0x6f && b[25] == 0x70 })
	t.Want("its type", b[20], byte(0))
}

func rawEcho6(t *T) {
	need6(t)
	fd := openRaw(t, syscall.AF_INET6, syscall.SOCK_RAW, syscall.IPPROTO_ICMPV6)
	defer closeAll(fd)
	var filter [8]uint32
	for i := range filter {
		filter[i] = ^uint32(0)
	}
	filter[129/32] &^= 1 << (129 % 32)
	_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.IPPROTO_ICMPV6, 1, ptr(&filter), 32)
	t.Want("ICMP6_FILTER", e, syscall.Errno(0))
	request := []byte{128, 0, 0, 0, 0x6f, 0x71, 0, 1, 'h', 'i'}
	t.Must("send", syscall.Sendto(fd, request, 0, to6(own6, 0)))
	b := until(t, "the answer", fd, func(b []byte) bool { return len(b) >= 8 && b[4] == 0x6f && b[5] == 0x71 })
	if b[0] != 129 || string(b[8:]) != "hi" {
		t.Errorf("% x", b)
	}
}

func rawUDP(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	r := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd, r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	port := localPort(t, r)
	t.Must("send", syscall.Sendto(s, []byte("seen by both"), 0, to4(own4, port)))
	b := until(t, "the packet", fd, func(b []byte) bool { return len(b) >= 28 && int(b[22])<<8|int(b[23]) == port })
	t.Want("its bytes", string(b[28:]), "seen by both")
	wantDatagram(t, "the datagram", r, "seen by both")
}

// rawHeaderIncluded: a datagram made by hand, IP header and all; the kernel fills in the rest.
func rawHeaderIncluded(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	r := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd, r)
	t.Want("IP_HDRINCL", getInt(t, fd, syscall.IPPROTO_IP, syscall.IP_HDRINCL), 1)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	port := localPort(t, r)
	t.Must("RECVTTL", setInt(r, syscall.IPPROTO_IP, syscall.IP_RECVTTL, 1))
	b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 99, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
	b = append(b, 0x30, 0x39, byte(port>>8), byte(port), 0, 12, 0, 0)
	b = append(b, "made"...)
	t.Must("send", syscall.Sendto(fd, b, 0, to4(own4, 0)))
	data, told, _, from := controls(t, r, 0)
	t.Want("bytes", string(data), "made")
	t.Want("from port", from.(*syscall.SockaddrInet4).Port, 12345)
	if ttl := told[[2]int32{0, syscall.IP_TTL}]; len(ttl) != 4 || ttl[0] != 99 {
		t.Errorf("TTL %v", ttl)
	}
	t.Want("too short", syscall.Sendto(fd, b[:10], 0, to4(own4, 0)), syscall.EINVAL)
}

func pingEcho(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP)
	defer closeAll(fd)
	t.Must("send", syscall.Sendto(fd, echo(8, 0, 7, "ping"), 0, to4(own4, 0)))
	b := until(t, "the answer", fd, func(b []byte) bool { return true })
	id := localPort(t, fd)
	if len(b) != 12 || b[0] != 0 || int(b[4])<<8|int(b[5]) != id || b[7] != 7 || string(b[8:]) != "ping" || sum(b) != 0 {
		t.Errorf("% x, identifier %d", b, id)
	}
}

func pingEcho6(t *T) {
	need6(t)
	fd := openRaw(t, syscall.AF_INET6, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMPV6)
	defer closeAll(fd)
	t.Must("send", syscall.Sendto(fd, echo(128, 0, 7, "ping"), 0, to6(own6, 0)))
	b := until(t, "the answer", fd, func(b []byte) bool { return true })
	if len(b) != 12 || b[0] != 129 || b[7] != 7 || string(b[8:]) != "ping" {
		t.Errorf("% x", b)
	}
}

func pingOnly(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP)
	defer closeAll(fd)
	t.Want("an answer", syscall.Sendto(fd, echo(0, 0, 1, ""), 0, to4(own4, 0)), syscall.EINVAL)
	t.Want("an error", syscall.Sendto(fd, echo(3, 0, 1, ""), 0, to4(own4, 0)), syscall.EINVAL)
	t.Want("too short", syscall.Sendto(fd, []byte{8, 0, 0, 0}, 0, to4(own4, 0)), syscall.EINVAL)
}

// datagramOnLoopback sends text to nobody in particular, and returns the port.
func datagramOnLoopback(t *T, text string) int {
	r := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	port := localPort(t, r)
	t.Must("send", syscall.Sendto(s, []byte(text), 0, to4(own4, port)))
	wantDatagram(t, "the datagram", r, text)
	return port
}

func packetLoopback(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_RAW, int(swapped(ethAll)))
	defer closeAll(fd)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: swapped(ethAll), Ifindex: 1}))
	port := datagramOnLoopback(t, "on the wire")
	waitAtMost(t, patience6, fd)
	seen := map[byte]bool{}
	for !seen[syscall.PACKET_HOST] || !seen[syscall.PACKET_OUTGOING] {
		b := make([]byte, 2000)
		n, from, err := syscall.Recvfrom(fd, b, 0)
		t.Must("frame", err)
		b = b[:n]
		ll := from.(*syscall.SockaddrLinklayer)
		if n < 42 || int(b[36])<<8|int(b[37]) != port {
			continue
		}
		seen[ll.Pkttype] = true
		if string(b[42:]) != "on the wire" || !bytes.Equal(b[:14], append(make([]byte, 12), 8, 0)) {
			t.Errorf("frame % x", b)
		}
		t.Want("interface", ll.Ifindex, 1)
		t.Want("protocol", ll.Protocol, swapped(ethIP))
		t.Want("hardware", ll.Hatype, uint16(772))
		t.Want("address bytes", ll.Halen, byte(6))
	}
}

func packetCooked(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_DGRAM, int(swapped(ethIP)))
	defer closeAll(fd)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: swapped(ethIP), Ifindex: 1}))
	port := datagramOnLoopback(t, "cooked")
	b := until(t, "the packet", fd, func(b []byte) bool { return len(b) >= 28 && int(b[22])<<8|int(b[23]) == port })
	if b[0] != 0x45 || string(b[28:]) != "cooked" {
		t.Errorf("packet % x", b)
	}
}

func packetNames(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	defer closeAll(fd)
	t.Want("no such interface", syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: swapped(ethIP), Ifindex: 9999}), syscall.ENODEV)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: swapped(ethIP), Ifindex: 1}))
	name, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	ll, ok := name.(*syscall.SockaddrLinklayer)
	if !ok || ll.Ifindex != 1 || ll.Protocol != swapped(ethIP) || ll.Hatype != 772 || ll.Halen != 6 {
		t.Errorf("name %+v", name)
	}
	_, err = syscall.Getpeername(fd)
	t.Want("getpeername", err, syscall.EOPNOTSUPP)
	_, err = syscall.Write(fd, make([]byte, 5))
	t.Want("less than a header", err, syscall.EINVAL)
}

// packetBounded: who does not read does not fill the machine.
func packetBounded(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_RAW, int(swapped(ethAll)))
	defer closeAll(fd)
	t.Must("SO_RCVBUF", setInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16384))
	c, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", closedUDPPort(t)))
	t.Must("dial", err)
	defer c.Close()
	for i := 0; i < 2000; i++ {
		c.Write(make([]byte, 1000))
	}
	frames := 0
	for b := make([]byte, 2000); ; frames++ {
		if _, _, err := syscall.Recvfrom(fd, b, syscall.MSG_DONTWAIT); err != nil {
			t.Want("at the end", err, syscall.EAGAIN)
			break
		}
	}
	if frames == 0 || frames > 200 {
		t.Errorf("%d frames were kept", frames)
	}
}

// packetDropped: how many frames found no room is told with those that came later. Others may use
// the loopback meanwhile, on a host: there are at least as many as we sent, each seen going and coming.
func packetDropped(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd, r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	t.Must("connect", syscall.Connect(s, to4(own4, localPort(t, r))))
	t.Must("SO_RCVBUF", setInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16384))
	t.Must("SO_RXQ_OVFL", setInt(fd, syscall.SOL_SOCKET, soRxqOvfl, 1))
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: swapped(ethAll), Ifindex: 1}))
	const sent = 500
	for i := 0; i < sent; i++ {
		unixWrite(t, s, string(make([]byte, 1000)))
	}
	got, first := 0, -1
	for ; ; got++ {
		lost := frameLost(t, fd)
		if lost < 0 {
			break
		}
		if first < 0 {
			first = lost
		}
	}
	t.Want("told before anything was lost", first, 0)
	unixWrite(t, s, "after")
	if lost := frameLost(t, fd); lost+got < 2*sent || lost > 20*sent {
		t.Errorf("%d frames were received and %d lost, of %d", got, lost, 2*sent)
	}
}

// frameLost takes a frame, and returns how many were lost before it came; -1: there is none.
func frameLost(t *T, fd int) int {
	b, oob := make([]byte, 2000), make([]byte, 100)
	_, oobn, _, _, err := syscall.Recvmsg(fd, b, oob, syscall.MSG_DONTWAIT)
	if err == syscall.EAGAIN {
		return -1
	}
	t.Must("recvmsg", err)
	list, err := syscall.ParseSocketControlMessage(oob[:oobn])
	t.Must("control", err)
	if len(list) == 0 {
		return 0
	}
	if len(list) != 1 || int(list[0].Header.Type) != soRxqOvfl || len(list[0].Data) != 4 {
		t.Fatalf("control: %+v", list)
	}
	return int(*(*uint32)(unsafe.Pointer(&list[0].Data[0])))
}
