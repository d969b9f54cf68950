package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// Options of IP's sockets that servers of DNS, DHCP, NTP, QUIC and media use.
var sockoptIPChecks = []check{
	{"group-of-one-source", sourceGroup},
	{"group-without-one-source", sourceBlocked},
	{"group-of-one-source-ipv6", sourceGroup6},
	{"timestamping", ipTimestamping},
	{"timestamping-of-what-is-sent", ipTimestampingSent},
	{"timestamps-of-frames", packetTimestamps},
	{"original-address", ipOriginal},
	{"original-address-ipv6", ipOriginal6},
	{"freebind", ipFreebind},
	{"checksum-ipv6", ipChecksum6},
	{"hdrincl-ipv6", ipHeader6},
	{"raw-error-queue", rawErrorQueue},
	{"raw-error-connected", rawErrorConnected},
	{"udp-segment", udpSegment},
}

const (
	ipAddSource    = 39
	ipDropSource   = 40
	ipUnblock      = 37
	ipBlock        = 38
	mcastJoinSrc   = 46
	mcastLeaveSrc  = 47
	mcastBlock     = 43
	mcastUnblock   = 44
	soTimestamping = 37
	ipOrigDst      = 20
	ipv6OrigDst    = 74
	ipv6Freebind   = 78
	ipv6Checksum   = 7
	ipv6HdrIncl    = 36
	udpSegmentOpt  = 103
)

// sourceOf changes a group's sources by the old form: group, interface, source.
func sourceOf(fd, name int, group [4]byte, source byte) error {
	r := [12]byte{group[0], group[1], group[2], group[3], 127, 0, 0, 1, 127, 0, 0, source}
	if _, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.IPPROTO_IP, uintptr(name), ptr(&r), 12); e != 0 {
		return e
	}
	return nil
}

// sourceReq does so by struct group_source_req.
func sourceReq(fd, level, name int, group, source []byte) error {
	var r [264]byte
	r[0] = 1
	copy(r[8:], group)
	copy(r[136:], source)
	if _, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), ptr(&r), 264); e != 0 {
		return e
	}
	return nil
}

func rawAddr4(a [4]byte) []byte { return append([]byte{syscall.AF_INET, 0, 0, 0}, a[:]...) }

func rawAddr6(a [16]byte) []byte {
	return append([]byte{syscall.AF_INET6, 0, 0, 0, 0, 0, 0, 0}, a[:]...)
}

// speaker sends to groups by the loopback, from 127.0.0.n.
func speaker(t *T, n byte) int {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, n}}))
	t.Must("MULTICAST_IF", syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, &syscall.IPMreqn{Ifindex: 1}))
	return fd
}

// listener4 is bound to any port, and hears groups only that it joins.
func listener4(t *T) (fd, port int) {
	fd = open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	t.Must("bind", syscall.Bind(fd, to4(any4, 0)))
	t.Must("MULTICAST_ALL", setInt(fd, syscall.IPPROTO_IP, 49, 0))
	return fd, localPort(t, fd)
}

func sourceGroup(t *T) {
	group := inet4(232, 7, 7, 1)
	fd, port := listener4(t)
	one, two := speaker(t, 1), speaker(t, 2)
	defer closeAll(fd, one, two)
	hears := func(what, want string) {
		t.Must("from one", syscall.Sendto(one, []byte("one"), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
		t.Must("from two", syscall.Sendto(two, []byte("two"), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
		for _, c := range []string{"one", "two"} {
			if bytes.Contains([]byte(want), []byte(c)) {
				wantDatagram(t, what, fd, c)
			}
		}
		wantDatagram(t, what+", no more", fd, "")
	}
	t.Want("no group", sourceOf(fd, ipAddSource, inet4(10, 1, 1, 1), 1), error(syscall.EINVAL))
	t.Want("not joined", sourceOf(fd, ipDropSource, group, 1), error(syscall.EINVAL))
	t.Must("first source", sourceOf(fd, ipAddSource, group, 2))
	hears("one source", "two")
	t.Want("again", sourceOf(fd, ipAddSource, group, 2), error(syscall.EADDRNOTAVAIL))
	t.Want("a source that is not there", sourceOf(fd, ipDropSource, group, 9), error(syscall.EADDRNOTAVAIL))
	t.Want("of the other kind", sourceOf(fd, ipBlock, group, 1), error(syscall.EINVAL))
	t.Must("second source", sourceReq(fd, syscall.IPPROTO_IP, mcastJoinSrc, rawAddr4(group), rawAddr4(own4.Addr)))
	hears("both sources", "one two")
	t.Must("without the first", sourceOf(fd, ipDropSource, group, 2))
	hears("the other source", "one")
	t.Must("without the last", sourceReq(fd, syscall.IPPROTO_IP, mcastLeaveSrc, rawAddr4(group), rawAddr4(own4.Addr)))
	hears("left", "")
	t.Want("left before", sourceOf(fd, ipDropSource, group, 1), error(syscall.EINVAL))
	t.Want("wrong family", sourceReq(fd, syscall.IPPROTO_IP, mcastJoinSrc, rawAddr4(group), rawAddr6(own6.Addr)), error(syscall.EADDRNOTAVAIL))
	var short [13]byte
	_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.IPPROTO_IP, ipAddSource, ptr(&short), 13)
	t.Want("too long", e, syscall.EINVAL)
}

func sourceBlocked(t *T) {
	group := inet4(239, 7, 7, 9)
	fd, port := listener4(t)
	one, two := speaker(t, 1), speaker(t, 2)
	defer closeAll(fd, one, two)
	t.Want("not joined", sourceOf(fd, ipBlock, group, 1), error(syscall.EINVAL))
	t.Must("join", syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, &syscall.IPMreqn{Multiaddr: group, Ifindex: 1}))
	t.Want("not blocked", sourceOf(fd, ipUnblock, group, 1), error(syscall.EADDRNOTAVAIL))
	t.Must("block", sourceOf(fd, ipBlock, group, 1))
	t.Want("of the other kind", sourceOf(fd, ipAddSource, group, 2), error(syscall.EINVAL))
	t.Must("send", syscall.Sendto(one, []byte("one"), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
	t.Must("send", syscall.Sendto(two, []byte("two"), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
	wantDatagram(t, "the other", fd, "two")
	wantDatagram(t, "no more", fd, "")
	t.Must("unblock", sourceReq(fd, syscall.IPPROTO_IP, mcastUnblock, rawAddr4(group), rawAddr4(own4.Addr)))
	t.Must("send", syscall.Sendto(one, []byte("one"), 0, &syscall.SockaddrInet4{Port: port, Addr: group}))
	wantDatagram(t, "unblocked", fd, "one")
}

func sourceGroup6(t *T) {
	need6(t)
	group := syscall.SockaddrInet6{Addr: [16]byte{0xff, 0x01, 15: 0x79}, ZoneId: 1}
	fd, s := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd, s)
	t.Must("bind", syscall.Bind(fd, to6(any6, 0)))
	port := localPort(t, fd)
	t.Must("MULTICAST_IF", setInt(s, syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_IF, 1))
	t.Must("MULTICAST_ALL", setInt(fd, syscall.IPPROTO_IPV6, 29, 0))
	other := [16]byte{0x20, 0x01, 0xd, 0xb8, 15: 1}
	for _, c := range []struct {
		what         string
		join, source [16]byte
		name         int
		want         string
	}{
		{"another's source", own6.Addr, other, mcastJoinSrc, ""},
		{"the source", own6.Addr, own6.Addr, mcastJoinSrc, "hello"},
		{"left again", own6.Addr, own6.Addr, mcastLeaveSrc, ""},
	} {
		t.Must(c.what, sourceReq(fd, syscall.IPPROTO_IPV6, c.name, rawAddr6(group.Addr), rawAddr6(c.source)))
		err := syscall.Sendto(s, []byte("hello"), 0, to6(group, port))
		if err == syscall.ENETUNREACH {
			t.Skipf("no route to groups by the loopback")
		}
		t.Must("send", err)
		wantDatagram(t, c.what, fd, c.want)
	}
}

// ipTimestamping: when a datagram came, by software, for who asks for both: noting and telling.
func ipTimestamping(t *T) {
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	const in, tell = 1 << 3, 1 << 4
	optWant(t, "at first", r, syscall.SOL_SOCKET, soTimestamping, 0)
	optSet(t, "SO_TIMESTAMPING", r, syscall.SOL_SOCKET, soTimestamping, in|tell|1<<2|1<<6)
	optWant(t, "SO_TIMESTAMPING", r, syscall.SOL_SOCKET, soTimestamping, in|tell|1<<2|1<<6)
	t.Want("an unknown bit", setInt(r, syscall.SOL_SOCKET, soTimestamping, 1<<30), error(syscall.EINVAL))
	before := time.Now()
	var stamp []byte
	for len(stamp) == 0 { // Linux begins to note the time a moment later
		t.Must("send", syscall.Sendto(s, []byte("x"), 0, to4(own4, localPort(t, r))))
		_, told, _, _ := controls(t, r, 0)
		stamp = told[[2]int32{syscall.SOL_SOCKET, soTimestamping}]
		if len(stamp) == 0 && time.Since(before) > patience6 {
			t.Fatalf("no stamp: %v", told)
		}
	}
	if len(stamp) != 48 {
		t.Fatalf("%d bytes of stamps", len(stamp))
	}
	at := time.Unix(int64(binary.LittleEndian.Uint64(stamp)), int64(binary.LittleEndian.Uint64(stamp[8:])))
	if at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("came at %v, sent at %v", at, before)
	}
	if !bytes.Equal(stamp[16:], make([]byte, 32)) {
		t.Errorf("by hardware: % x", stamp[16:])
	}
	optSet(t, "off", r, syscall.SOL_SOCKET, soTimestamping, 0)
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, to4(own4, localPort(t, r))))
	if _, told, _, _ := controls(t, r, 0); len(told) != 0 {
		t.Errorf("told when off: %v", told)
	}
}

// errorQueued waits for what the queue of errors has.
func errorQueued(t *T, fd int) (n int, list []syscall.SocketControlMessage, from syscall.Sockaddr) {
	for deadline := time.Now().Add(patience6); ; time.Sleep(time.Millisecond) {
		buf, oob := make([]byte, 200), make([]byte, 512)
		n, oobn, flags, from, err := syscall.Recvmsg(fd, buf, oob, msgErr)
		if err == nil {
			t.Want("MSG_ERRQUEUE", flags&msgErr, msgErr)
			list, err = syscall.ParseSocketControlMessage(oob[:oobn])
			t.Must("control", err)
			return n, list, from
		}
		if err != syscall.EAGAIN || time.Now().After(deadline) {
			t.Fatalf("error queue: %v", err)
		}
	}
}

// ipTimestampingSent: by the queue of errors, as NTP's and PTP's servers in Go use it.
func ipTimestampingSent(t *T) {
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	const out, tell, number, only = 1 << 1, 1 << 4, 1 << 7, 1 << 11
	optSet(t, "SO_TIMESTAMPING", s, syscall.SOL_SOCKET, soTimestamping, out|tell|number|only)
	optWant(t, "SO_TIMESTAMPING", s, syscall.SOL_SOCKET, soTimestamping, out|tell|number|only)
	before := time.Now()
	for i := uint32(0); i < 3; i++ {
		t.Must("send", syscall.Sendto(s, []byte("x"), 0, to4(own4, localPort(t, r))))
		n, list, from := errorQueued(t, s)
		if n != 0 || from != nil || len(list) != 2 {
			t.Fatalf("%d bytes, %v, %+v", n, from, list)
		}
		t.Want("first", list[0].Header.Type, int32(soTimestamping))
		at := time.Unix(int64(binary.LittleEndian.Uint64(list[0].Data)), int64(binary.LittleEndian.Uint64(list[0].Data[8:])))
		if at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("left at %v, sent after %v", at, before)
		}
		want := make([]byte, 32)
		want[0], want[4], want[12] = byte(syscall.ENOMSG), 4, byte(i)
		if list[1].Header.Type != syscall.IP_RECVERR || !bytes.Equal(list[1].Data, want) {
			t.Errorf("type %d, % x, want % x", list[1].Header.Type, list[1].Data, want)
		}
	}
	optWant(t, "SO_ERROR", s, syscall.SOL_SOCKET, syscall.SO_ERROR, 0)
	optSet(t, "off", s, syscall.SOL_SOCKET, soTimestamping, 0)
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, to4(own4, localPort(t, r))))
	_, _, _, _, err := syscall.Recvmsg(s, make([]byte, 9), make([]byte, 99), msgErr)
	t.Want("nothing when off", err, error(syscall.EAGAIN))
}

// packetTimestamps: frames tell when they were seen, too.
func packetTimestamps(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_DGRAM, int(swapped(ethIP)))
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd, s)
	optSet(t, "SO_TIMESTAMP", fd, syscall.SOL_SOCKET, soTimestamp, 1)
	t.Must("send", syscall.Sendto(s, []byte("seen"), 0, to4(own4, 9)))
	_, told, _, _ := controls(t, fd, 0)
	v := told[[2]int32{syscall.SOL_SOCKET, soTimestamp}]
	if len(v) != 16 {
		t.Fatalf("told %v", told)
	}
	if d := time.Since(time.Unix(int64(binary.LittleEndian.Uint64(v)), 0)); d < -2*time.Second || d > time.Minute {
		t.Errorf("seen %v ago", d)
	}
}

func ipOriginal(t *T) {
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(any4, 0)))
	port := localPort(t, r)
	optWant(t, "at first", r, syscall.IPPROTO_IP, ipOrigDst, 0)
	optSet(t, "IP_RECVORIGDSTADDR", r, syscall.IPPROTO_IP, ipOrigDst, 1)
	optWant(t, "IP_RECVORIGDSTADDR", r, syscall.IPPROTO_IP, ipOrigDst, 1)
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 3}}))
	_, told, _, _ := controls(t, r, 0)
	want := []byte{syscall.AF_INET, 0, byte(port >> 8), byte(port), 127, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0}
	if got := told[[2]int32{syscall.IPPROTO_IP, ipOrigDst}]; !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

func ipOriginal6(t *T) {
	need6(t)
	r, s := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to6(any6, 0)))
	port := localPort(t, r)
	optSet(t, "IPV6_RECVORIGDSTADDR", r, syscall.IPPROTO_IPV6, ipv6OrigDst, 1)
	t.Must("send", syscall.Sendto(s, []byte("x"), 0, to6(own6, port)))
	_, told, _, _ := controls(t, r, 0)
	want := append([]byte{syscall.AF_INET6, 0, byte(port >> 8), byte(port), 0, 0, 0, 0}, own6.Addr[:]...)
	want = append(want, 0, 0, 0, 0)
	if got := told[[2]int32{syscall.IPPROTO_IPV6, ipv6OrigDst}]; !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

// ipFreebind: an address that this machine has not, as keepalived's and Envoy's listeners are bound to.
func ipFreebind(t *T) {
	foreign := &syscall.SockaddrInet4{Addr: [4]byte{192, 0, 2, 77}}
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		fd := open6(t, syscall.AF_INET, kind)
		t.Want("not ours", syscall.Bind(fd, foreign), error(syscall.EADDRNOTAVAIL))
		optWant(t, "IP_FREEBIND at first", fd, syscall.IPPROTO_IP, syscall.IP_FREEBIND, 0)
		optSet(t, "IP_FREEBIND", fd, syscall.IPPROTO_IP, syscall.IP_FREEBIND, 1)
		optWant(t, "IP_FREEBIND", fd, syscall.IPPROTO_IP, syscall.IP_FREEBIND, 1)
		t.Must("bind", syscall.Bind(fd, foreign))
		name, err := syscall.Getsockname(fd)
		if a, ok := name.(*syscall.SockaddrInet4); err != nil || !ok || a.Addr != foreign.Addr || a.Port == 0 {
			t.Errorf("bound to %+v, %v", name, err)
		}
		if kind == syscall.SOCK_STREAM {
			t.Must("listen", syscall.Listen(fd, 1))
		}
		closeAll(fd)
	}
	need6(t)
	fd := open6(t, syscall.AF_INET6, syscall.SOCK_STREAM)
	defer closeAll(fd)
	foreign6 := &syscall.SockaddrInet6{Addr: [16]byte{0x20, 0x01, 0xd, 0xb8, 15: 77}}
	t.Want("not ours", syscall.Bind(fd, foreign6), error(syscall.EADDRNOTAVAIL))
	optSet(t, "IPV6_FREEBIND", fd, syscall.IPPROTO_IPV6, ipv6Freebind, 1)
	optWant(t, "IPV6_FREEBIND", fd, syscall.IPPROTO_IPV6, ipv6Freebind, 1)
	t.Must("bind", syscall.Bind(fd, foreign6))
}

// sum6 is the sum over a packet and IPv6's pseudo header, own6 to own6: 0 when it is right.
func sum6(protocol byte, b []byte) uint16 {
	pseudo := append(append([]byte{}, own6.Addr[:]...), own6.Addr[:]...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(b)))
	return sum(append(append(pseudo, 0, 0, 0, protocol), b...))
}

func ipChecksum6(t *T) {
	need6(t)
	const protocol = 253 // for experiments
	a, b := openRaw(t, syscall.AF_INET6, syscall.SOCK_RAW, protocol), openRaw(t, syscall.AF_INET6, syscall.SOCK_RAW, protocol)
	defer closeAll(a, b)
	const reserved = 255 // the level that golang.org/x/net uses
	optWant(t, "at first", a, syscall.IPPROTO_IPV6, ipv6Checksum, -1)
	t.Want("an odd place", setInt(a, syscall.IPPROTO_IPV6, ipv6Checksum, 3), error(syscall.EINVAL))
	optSet(t, "IPV6_CHECKSUM", a, reserved, ipv6Checksum, 4)
	optWant(t, "IPV6_CHECKSUM", a, syscall.IPPROTO_IPV6, ipv6Checksum, 4)
	t.Must("send", syscall.Sendto(a, []byte("abcdefgh"), 0, to6(own6, 0)))
	got := until(t, "the packet", b, func([]byte) bool { return true })
	if len(got) != 8 || string(got[:4]) != "abcd" || string(got[6:]) != "gh" || sum6(protocol, got) != 0 {
		t.Errorf("% x, sum %#x", got, sum6(protocol, got))
	}
	t.Want("a place past the end", syscall.Sendto(a, []byte("abcd"), 0, to6(own6, 0)), error(syscall.EINVAL))
	until(t, "its own", a, func([]byte) bool { return true })
	t.Must("a bad sum", syscall.Sendto(b, []byte("abcdefgh"), 0, to6(own6, 0)))
	t.Must("a good sum", syscall.Sendto(b, got, 0, to6(own6, 0)))
	first := until(t, "the good one", a, func([]byte) bool { return true })
	t.Want("what came", string(first), string(got))
	optSet(t, "off", a, syscall.IPPROTO_IPV6, ipv6Checksum, -1)
	icmp := openRaw(t, syscall.AF_INET6, syscall.SOCK_RAW, syscall.IPPROTO_ICMPV6)
	defer closeAll(icmp)
	optWant(t, "ICMPv6's", icmp, syscall.IPPROTO_IPV6, ipv6Checksum, 2)
	t.Want("ICMPv6's is what it is", setInt(icmp, syscall.IPPROTO_IPV6, ipv6Checksum, 2), error(syscall.EINVAL))
	u := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(u)
	t.Want("not on UDP", setInt(u, syscall.IPPROTO_IPV6, ipv6Checksum, 2), error(syscall.ENOPROTOOPT))
}

// ipHeader6: a packet that is all the program's.
func ipHeader6(t *T) {
	need6(t)
	fd := openRaw(t, syscall.AF_INET6, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	r := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd, r)
	optWant(t, "IPV6_HDRINCL of IPPROTO_RAW", fd, syscall.IPPROTO_IPV6, ipv6HdrIncl, 1)
	t.Must("bind", syscall.Bind(r, to6(own6, 0)))
	port := localPort(t, r)
	t.Must("RECVHOPLIMIT", setInt(r, syscall.IPPROTO_IPV6, syscall.IPV6_RECVHOPLIMIT, 1))
	udp := append([]byte{0x30, 0x39, byte(port >> 8), byte(port), 0, 12, 0, 0}, "made"...)
	binary.BigEndian.PutUint16(udp[6:], sum6(syscall.IPPROTO_UDP, udp))
	packet := append([]byte{0x60, 0, 0, 0, 0, 12, syscall.IPPROTO_UDP, 77}, own6.Addr[:]...)
	packet = append(append(packet, own6.Addr[:]...), udp...)
	t.Must("send", syscall.Sendto(fd, packet, 0, to6(own6, 0)))
	data, told, _, from := controls(t, r, 0)
	t.Want("bytes", string(data), "made")
	t.Want("from port", from.(*syscall.SockaddrInet6).Port, 12345)
	if hops := told[[2]int32{syscall.IPPROTO_IPV6, syscall.IPV6_HOPLIMIT}]; len(hops) != 4 || hops[0] != 77 {
		t.Errorf("hops %v", hops)
	}
	t.Want("too short", syscall.Sendto(fd, packet[:39], 0, to6(own6, 0)), error(syscall.EINVAL))
	other := openRaw(t, syscall.AF_INET6, syscall.SOCK_RAW, 253)
	defer closeAll(other)
	optWant(t, "IPV6_HDRINCL of others", other, syscall.IPPROTO_IPV6, ipv6HdrIncl, 0)
}

// refusedByHand sends a datagram of UDP, made by hand, to a port where nobody is.
func refusedByHand(t *T, fd int) []byte {
	nobody := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	t.Must("bind", syscall.Bind(nobody, to4(own4, 0)))
	port := localPort(t, nobody)
	closeAll(nobody)
	b := append([]byte{0x30, 0x39, byte(port >> 8), byte(port), 0, 12, 0, 0}, "lost"...)
	t.Must("send", syscall.Sendto(fd, b, 0, to4(own4, 0)))
	return b
}

func rawErrorQueue(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	deaf := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	defer closeAll(fd, deaf)
	optSet(t, "IP_RECVERR", fd, syscall.IPPROTO_IP, syscall.IP_RECVERR, 1)
	sent := refusedByHand(t, fd)
	var data []byte
	var oob [512]byte
	var oobn, flags int
	var from syscall.Sockaddr
	for deadline := time.Now().Add(patience6); ; time.Sleep(time.Millisecond) {
		buf := make([]byte, 200)
		n, o, f, a, err := syscall.Recvmsg(fd, buf, oob[:], msgErr)
		if err == nil {
			data, oobn, flags, from = buf[:n], o, f, a
			break
		}
		if err != syscall.EAGAIN || time.Now().After(deadline) {
			t.Fatalf("error queue: %v", err)
		}
	}
	t.Want("what came back", string(data), string(sent))
	t.Want("flags", flags&msgErr, msgErr)
	t.Want("sent to", fmt.Sprint(from.(*syscall.SockaddrInet4).Addr), fmt.Sprint(own4.Addr))
	ms, err := syscall.ParseSocketControlMessage(oob[:oobn])
	t.Must("control", err)
	if len(ms) != 1 || ms[0].Header.Type != syscall.IP_RECVERR || len(ms[0].Data) < 32 {
		t.Fatalf("control: %+v", ms)
	}
	d := ms[0].Data
	t.Want("errno", *(*uint32)(unsafe.Pointer(&d[0])), uint32(syscall.ECONNREFUSED))
	t.Want("origin, type, code", fmt.Sprint(d[4:7]), fmt.Sprint([]byte{2, 3, 3}))
	optWant(t, "SO_ERROR when the queue is empty", fd, syscall.SOL_SOCKET, syscall.SO_ERROR, 0)
	optWant(t, "SO_ERROR of who did not ask", deaf, syscall.SOL_SOCKET, syscall.SO_ERROR, 0)
}

func rawErrorConnected(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	defer closeAll(fd)
	t.Must("connect", syscall.Connect(fd, to4(own4, 0)))
	refusedByHand(t, fd)
	waitAtMost(t, patience6, fd)
	for deadline := time.Now().Add(patience6); time.Now().Before(deadline); {
		_, err := readAgain(fd, make([]byte, 100)) // its own datagram comes, too
		if err == syscall.ECONNREFUSED {
			return
		}
		t.Must("read", err)
	}
	t.Errorf("no error came")
}
