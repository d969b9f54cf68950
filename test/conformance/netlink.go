package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Netlink and the list of interfaces.
var netlinkChecks = []check{
	{"interfaces", netInterfaces},
	{"link-dump", netlinkLinks},
	{"link-by-index-and-name", netlinkOneLink},
	{"address-dump", netlinkAddresses},
	{"route-dump", netlinkRoutes},
	{"route-to-one", netlinkWay},
	{"neighbour-dump", netlinkNeighbours},
	{"ipv6-addresses", netlinkAddresses6},
	{"ipv6-routes", netlinkRoutes6},
	{"ipv6-route-to-one", netlinkWay6},
	{"neighbours-agree-with-proc", netlinkNeighboursAgree},
	{"acknowledgement", netlinkAck},
	{"errors-quote-the-request", netlinkErrors},
	{"several-requests-at-once", netlinkSeveral},
	{"hostile-lengths", netlinkHostile},
	{"changes-refused", netlinkRefused},
	{"names", netlinkNames},
	{"truncated", netlinkTruncated},
	{"groups", netlinkGroups},
	{"other-protocols", netlinkProtocols},
	{"poll", netlinkPoll},
}

func netlinkSocket(t *T) (fd int, done func()) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	t.Must("socket", err)
	tv := syscall.Timeval{Sec: 20}
	t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv))
	return fd, func() { syscall.Close(fd) }
}

// nlMessage is a request of rtnetlink.
func nlMessage(kind, flags uint16, seq uint32, body []byte) []byte {
	m := make([]byte, 16, 16+len(body)+3)
	binary.LittleEndian.PutUint32(m, uint32(16+len(body)))
	binary.LittleEndian.PutUint16(m[4:], kind)
	binary.LittleEndian.PutUint16(m[6:], flags|syscall.NLM_F_REQUEST)
	binary.LittleEndian.PutUint32(m[8:], seq)
	m = append(m, body...)
	for len(m)%4 != 0 {
		m = append(m, 0)
	}
	return m
}

// nlAttribute is a routing attribute.
func nlAttribute(kind uint16, data []byte) []byte {
	a := make([]byte, 4, 4+len(data)+3)
	binary.LittleEndian.PutUint16(a, uint16(4+len(data)))
	binary.LittleEndian.PutUint16(a[2:], kind)
	a = append(a, data...)
	for len(a)%4 != 0 {
		a = append(a, 0)
	}
	return a
}

// nlAsk sends and returns all answers: up to DONE, an error, or the one that is none of many.
func nlAsk(t *T, fd int, request []byte) (answers []syscall.NetlinkMessage) {
	t.Must("sendto", syscall.Sendto(fd, request, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
	for {
		buf := make([]byte, os.Getpagesize())
		var n int
		var from syscall.Sockaddr
		t.Must("recvfrom", again(func() (err error) {
			n, from, err = syscall.Recvfrom(fd, buf, 0)
			return err
		}))
		if a, ok := from.(*syscall.SockaddrNetlink); !ok || a.Pid != 0 || a.Groups != 0 {
			t.Fatalf("an answer from %v", from)
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		t.Must("parse", err)
		for _, m := range messages {
			if m.Header.Type == syscall.NLMSG_DONE {
				return answers
			}
			answers = append(answers, m)
			if m.Header.Type == syscall.NLMSG_ERROR || m.Header.Flags&syscall.NLM_F_MULTI == 0 {
				return answers
			}
		}
	}
}

// nlErrno is the error in an answer; false: it is none.
func nlErrno(m syscall.NetlinkMessage) (syscall.Errno, bool) {
	if m.Header.Type != syscall.NLMSG_ERROR {
		return 0, false
	}
	return syscall.Errno(-int32(binary.LittleEndian.Uint32(m.Data))), true
}

func wantErrno(t *T, what string, answers []syscall.NetlinkMessage, want syscall.Errno) {
	if len(answers) != 1 {
		t.Fatalf("%s: %d answers", what, len(answers))
	}
	if e, ok := nlErrno(answers[0]); !ok || e != want {
		t.Errorf("%s: type %d, %v; want %v", what, answers[0].Header.Type, e, want)
	}
}

func nlAttributes(t *T, m syscall.NetlinkMessage) map[uint16][]byte {
	list, err := syscall.ParseNetlinkRouteAttr(&m)
	t.Must("attributes", err)
	all := map[uint16][]byte{}
	for _, a := range list {
		all[a.Attr.Type] = a.Value
	}
	return all
}

// netInterfaces: package net's view, where lo is there, up, and has 127.0.0.1.
func netInterfaces(t *T) {
	all, err := net.Interfaces()
	t.Must("Interfaces", err)
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	t.Want("lo's flags", lo.Flags&(net.FlagUp|net.FlagLoopback), net.FlagUp|net.FlagLoopback)
	addrs, err := lo.Addrs()
	t.Must("lo's addresses", err)
	found := false
	for _, a := range addrs {
		found = found || a.String() == "127.0.0.1/8"
	}
	t.Want("127.0.0.1/8 is among them", found, true)
	for _, i := range all {
		if i.Index <= 0 || i.Name == "" || i.MTU < 576 {
			t.Errorf("interface %+v", i)
		}
		same, err := net.InterfaceByIndex(i.Index)
		if err != nil || same.Name != i.Name {
			t.Errorf("by index %d: %v, %v", i.Index, same, err)
		}
	}
	_, err = net.InterfaceByName("nosuch0")
	t.Want("an interface that is not there is an error", err != nil, true)
	addrs, err = net.InterfaceAddrs()
	t.Must("InterfaceAddrs", err)
	for _, a := range addrs {
		if _, err := netip.ParsePrefix(a.String()); err != nil {
			t.Errorf("address %q: %v", a, err)
		}
	}
}

func netlinkLinks(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	links := nlAsk(t, fd, nlMessage(syscall.RTM_GETLINK, syscall.NLM_F_DUMP, 77, make([]byte, 16)))
	own, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	names := map[string]bool{}
	for _, m := range links {
		t.Want("type", m.Header.Type, uint16(syscall.RTM_NEWLINK))
		t.Want("sequence", m.Header.Seq, uint32(77))
		t.Want("port", m.Header.Pid, own.(*syscall.SockaddrNetlink).Pid)
		t.Want("NLM_F_MULTI", m.Header.Flags&syscall.NLM_F_MULTI, uint16(syscall.NLM_F_MULTI))
		a := nlAttributes(t, m)
		name := a[syscall.IFLA_IFNAME]
		if len(name) < 2 || name[len(name)-1] != 0 || len(a[syscall.IFLA_MTU]) != 4 {
			t.Errorf("name %q, MTU %v", name, a[syscall.IFLA_MTU])
			continue
		}
		names[string(name[:len(name)-1])] = true
		if string(name) == "lo\x00" {
			t.Want("lo's hardware type", binary.LittleEndian.Uint16(m.Data[2:]), uint16(syscall.ARPHRD_LOOPBACK))
			t.Want("lo's hardware address", string(a[syscall.IFLA_ADDRESS]), "\x00\x00\x00\x00\x00\x00")
			t.Want("lo's state", string(a[16 /* IFLA_OPERSTATE */]), "\x00")
		}
	}
	t.Want("lo is there", names["lo"], true)
}

func netlinkOneLink(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	body := make([]byte, 16)
	byName := append(make([]byte, 16), nlAttribute(syscall.IFLA_IFNAME, []byte("lo\x00"))...)
	binary.LittleEndian.PutUint32(body[4:], uint32(lo.Index))
	for what, b := range map[string][]byte{"by index": body, "by name": byName} {
		m := nlAsk(t, fd, nlMessage(syscall.RTM_GETLINK, 0, 5, b))
		if len(m) != 1 || m[0].Header.Type != syscall.RTM_NEWLINK {
			t.Fatalf("%s: %+v", what, m)
		}
		t.Want(what+": flags", m[0].Header.Flags, uint16(0))
		t.Want(what+": name", string(nlAttributes(t, m[0])[syscall.IFLA_IFNAME]), "lo\x00")
	}
	binary.LittleEndian.PutUint32(body[4:], 99_999)
	wantErrno(t, "no such index", nlAsk(t, fd, nlMessage(syscall.RTM_GETLINK, 0, 5, body)), syscall.ENODEV)
	none := append(make([]byte, 16), nlAttribute(syscall.IFLA_IFNAME, []byte("nosuch0\x00"))...)
	wantErrno(t, "no such name", nlAsk(t, fd, nlMessage(syscall.RTM_GETLINK, 0, 5, none)), syscall.ENODEV)
	wantErrno(t, "neither", nlAsk(t, fd, nlMessage(syscall.RTM_GETLINK, 0, 5, make([]byte, 16))), syscall.EINVAL)
}

func netlinkAddresses(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	for _, family := range []byte{0, syscall.AF_INET, syscall.AF_INET6} {
		found := false
		for _, m := range nlAsk(t, fd, nlMessage(syscall.RTM_GETADDR, syscall.NLM_F_DUMP, 1, []byte{family})) {
			t.Want("type", m.Header.Type, uint16(syscall.RTM_NEWADDR))
			if family != 0 {
				t.Want("family", m.Data[0], family)
			}
			a := nlAttributes(t, m)
			size := map[byte]int{syscall.AF_INET: 4, syscall.AF_INET6: 16}[m.Data[0]]
			t.Want("length of the address", len(a[syscall.IFA_ADDRESS]), size)
			if string(a[syscall.IFA_LOCAL]) == "\x7f\x00\x00\x01" {
				found = true
				t.Want("prefix", m.Data[1], byte(8))
				t.Want("scope", m.Data[3], byte(syscall.RT_SCOPE_HOST))
			}
		}
		t.Want("127.0.0.1 is there", found, family != syscall.AF_INET6)
	}
}

func netlinkRoutes(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	found := false
	body := make([]byte, 12)
	body[0] = syscall.AF_INET
	for _, m := range nlAsk(t, fd, nlMessage(syscall.RTM_GETROUTE, syscall.NLM_F_DUMP, 1, body)) {
		t.Want("type", m.Header.Type, uint16(syscall.RTM_NEWROUTE))
		t.Want("family", m.Data[0], byte(syscall.AF_INET))
		a := nlAttributes(t, m)
		if len(a[syscall.RTA_TABLE]) != 4 {
			t.Errorf("no table: %v", a)
		}
		if string(a[syscall.RTA_DST]) == "\x7f\x00\x00\x00" && m.Data[1] == 8 {
			found = true
			t.Want("table", m.Data[4], byte(syscall.RT_TABLE_LOCAL))
			t.Want("type of the route", m.Data[7], byte(syscall.RTN_LOCAL))
			t.Want("interface", binary.LittleEndian.Uint32(a[syscall.RTA_OIF]), uint32(lo.Index))
		}
	}
	t.Want("127/8 is there", found, true)
}

func netlinkWay(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	body := make([]byte, 12)
	body[0], body[1] = syscall.AF_INET, 32
	m := nlAsk(t, fd, nlMessage(syscall.RTM_GETROUTE, 0, 1, append(body, nlAttribute(syscall.RTA_DST, []byte{127, 0, 0, 1})...)))
	if len(m) != 1 || m[0].Header.Type != syscall.RTM_NEWROUTE {
		t.Fatalf("to 127.0.0.1: %+v", m)
	}
	a := nlAttributes(t, m[0])
	t.Want("destination", string(a[syscall.RTA_DST]), "\x7f\x00\x00\x01")
	t.Want("source", string(a[syscall.RTA_PREFSRC]), "\x7f\x00\x00\x01")
	t.Want("interface", binary.LittleEndian.Uint32(a[syscall.RTA_OIF]), uint32(lo.Index))
	t.Want("length of the destination", m[0].Data[1], byte(32))
	t.Want("type of the route", m[0].Data[7], byte(syscall.RTN_LOCAL))
	t.Want("RTM_F_CLONED", binary.LittleEndian.Uint32(m[0].Data[8:])&syscall.RTM_F_CLONED, uint32(syscall.RTM_F_CLONED))
}

func netlinkNeighbours(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	for _, m := range nlAsk(t, fd, nlMessage(syscall.RTM_GETNEIGH, syscall.NLM_F_DUMP, 1, make([]byte, 12))) {
		t.Want("type", m.Header.Type, uint16(syscall.RTM_NEWNEIGH))
		if f := m.Data[0]; f != syscall.AF_INET && f != syscall.AF_INET6 {
			t.Errorf("family %d", f)
		}
	}
}

func netlinkAck(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	m := nlAsk(t, fd, nlMessage(syscall.NLMSG_NOOP, syscall.NLM_F_ACK, 42, []byte{1, 2, 3, 4}))
	wantErrno(t, "acknowledgement", m, 0)
	t.Want("sequence", m[0].Header.Seq, uint32(42))
	t.Want("length: the header only", m[0].Header.Len, uint32(36))
	t.Want("NLM_F_CAPPED", m[0].Header.Flags, uint16(0x100))
	// No request, no answer.
	raw := nlMessage(syscall.RTM_GETLINK, syscall.NLM_F_DUMP, 1, make([]byte, 16))
	raw[6] &^= syscall.NLM_F_REQUEST
	t.Must("sendto", syscall.Sendto(fd, raw, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
	_, _, err := syscall.Recvfrom(fd, make([]byte, 100), syscall.MSG_DONTWAIT)
	t.Want("recv", err, error(syscall.EAGAIN))
}

func netlinkErrors(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	body := append(make([]byte, 16), nlAttribute(syscall.IFLA_IFNAME, []byte("nosuch0\x00"))...)
	request := nlMessage(syscall.RTM_GETLINK, 0, 9, body)
	m := nlAsk(t, fd, request)
	wantErrno(t, "no such link", m, syscall.ENODEV)
	t.Want("the request is quoted", string(m[0].Data[4:]), string(request))
	t.Must("NETLINK_CAP_ACK", syscall.SetsockoptInt(fd, 270, 10, 1))
	m = nlAsk(t, fd, request)
	wantErrno(t, "no such link", m, syscall.ENODEV)
	t.Want("the header only", m[0].Header.Len, uint32(36))
	wantErrno(t, "an unknown type", nlAsk(t, fd, nlMessage(2000, 0, 9, make([]byte, 16))), syscall.EOPNOTSUPP)
}

func netlinkSeveral(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	two := append(nlMessage(syscall.NLMSG_NOOP, syscall.NLM_F_ACK, 1, make([]byte, 5)),
		nlMessage(syscall.NLMSG_NOOP, syscall.NLM_F_ACK, 2, nil)...)
	first := nlAsk(t, fd, two)
	t.Want("sequence of the first", first[0].Header.Seq, uint32(1))
	buf := make([]byte, 100)
	n, _, err := syscall.Recvfrom(fd, buf, 0)
	t.Must("recvfrom", err)
	second, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil || len(second) != 1 {
		t.Fatalf("%d messages, %v", len(second), err)
	}
	t.Want("sequence of the second", second[0].Header.Seq, uint32(2))
}

func netlinkHostile(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	to := &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}
	for _, length := range []uint32{0, 15, 33, 1 << 31, 1<<32 - 1} {
		raw := nlMessage(syscall.RTM_GETLINK, syscall.NLM_F_DUMP|syscall.NLM_F_ACK, 1, make([]byte, 16))
		binary.LittleEndian.PutUint32(raw, length)
		t.Must("sendto", syscall.Sendto(fd, raw, 0, to))
		_, _, err := syscall.Recvfrom(fd, make([]byte, 100), syscall.MSG_DONTWAIT)
		if err != syscall.EAGAIN {
			t.Errorf("length %d is answered: %v", length, err)
		}
	}
	for _, size := range []uint16{0, 3, 200, 65535} {
		attribute := nlAttribute(syscall.IFLA_IFNAME, []byte("lo\x00"))
		binary.LittleEndian.PutUint16(attribute, size)
		m := nlAsk(t, fd, nlMessage(syscall.RTM_GETLINK, 0, 1, append(make([]byte, 16), attribute...)))
		if e, ok := nlErrno(m[0]); !ok || e == 0 {
			t.Errorf("an attribute of length %d: type %d, %v", size, m[0].Header.Type, e)
		}
	}
	wantErrno(t, "half a header of a link", nlAsk(t, fd, nlMessage(syscall.RTM_GETLINK, 0, 1, make([]byte, 8))), syscall.EINVAL)
	if err := syscall.Sendto(fd, make([]byte, 3), 0, to); err != nil {
		t.Errorf("three bytes: %v", err)
	}
}

// netlinkRefused: what this machine cannot do, or this user may not, is an error, never silence.
func netlinkRefused(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	body := make([]byte, 16)
	binary.LittleEndian.PutUint32(body[4:], 99_999)
	m := nlAsk(t, fd, nlMessage(syscall.RTM_DELLINK, syscall.NLM_F_ACK, 1, body))
	if e, ok := nlErrno(m[0]); !ok || (e != syscall.ENODEV && e != syscall.EPERM && e != syscall.EOPNOTSUPP) {
		t.Errorf("removing a link that is not there: type %d, %v", m[0].Header.Type, e)
	}
}

func netlinkNames(t *T) {
	a, closeA := netlinkSocket(t)
	defer closeA()
	b, closeB := netlinkSocket(t)
	defer closeB()
	port := func(fd int) uint32 {
		s, err := syscall.Getsockname(fd)
		t.Must("getsockname", err)
		return s.(*syscall.SockaddrNetlink).Pid
	}
	t.Want("unbound", port(a), uint32(0))
	t.Must("bind", syscall.Bind(a, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Pid: 4_000_000}))
	t.Want("chosen by us", port(a), uint32(4_000_000))
	t.Want("taken", syscall.Bind(b, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Pid: 4_000_000}), error(syscall.EADDRINUSE))
	t.Want("another one", syscall.Bind(a, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Pid: 4_000_001}), error(syscall.EINVAL))
	t.Must("bind", syscall.Bind(b, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
	t.Want("chosen for us is 0", port(b) == 0, false)
	t.Want("AF_INET", syscall.Bind(b, &syscall.SockaddrInet4{}), error(syscall.EINVAL))
	t.Want("listen", syscall.Listen(a, 1), error(syscall.EOPNOTSUPP))
	t.Must("connect", syscall.Connect(b, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
	n, err := syscall.Write(b, nlMessage(syscall.NLMSG_NOOP, syscall.NLM_F_ACK, 3, nil))
	if err != nil || n != 16 {
		t.Errorf("write: %d, %v", n, err)
	}
	n, err = syscall.Read(b, make([]byte, 100))
	if err != nil || n != 36 {
		t.Errorf("read: %d, %v", n, err)
	}
}

func netlinkTruncated(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	t.Must("sendto", syscall.Sendto(fd, nlMessage(syscall.NLMSG_NOOP, syscall.NLM_F_ACK, 3, nil), 0,
		&syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
	buf := make([]byte, 20)
	n, _, flags, _, err := syscall.Recvmsg(fd, buf, nil, syscall.MSG_PEEK|syscall.MSG_TRUNC)
	t.Must("recvmsg", err)
	t.Want("whole length", n, 36)
	n, _, flags, _, err = syscall.Recvmsg(fd, buf, nil, 0)
	t.Must("recvmsg", err)
	t.Want("length", n, 20)
	t.Want("MSG_TRUNC", flags&syscall.MSG_TRUNC, syscall.MSG_TRUNC)
	_, _, err = syscall.Recvfrom(fd, buf, syscall.MSG_DONTWAIT)
	t.Want("the rest is gone", err, error(syscall.EAGAIN))
}

func netlinkGroups(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	at := &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: 1 /* RTMGRP_LINK */ | 0x10 /* _IPV4_IFADDR */}
	t.Must("bind", syscall.Bind(fd, at))
	own, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	t.Want("groups", own.(*syscall.SockaddrNetlink).Groups, uint32(0x11))
	t.Must("join", syscall.SetsockoptInt(fd, 270, syscall.NETLINK_ADD_MEMBERSHIP, 7 /* RTNLGRP_IPV4_ROUTE */))
	t.Must("leave", syscall.SetsockoptInt(fd, 270, syscall.NETLINK_DROP_MEMBERSHIP, 1))
	own, err = syscall.Getsockname(fd)
	t.Must("getsockname", err)
	t.Want("groups", own.(*syscall.SockaddrNetlink).Groups, uint32(0x50))
	t.Want("group 0", syscall.SetsockoptInt(fd, 270, syscall.NETLINK_ADD_MEMBERSHIP, 0), error(syscall.EINVAL))
	// Answers come to those who joined, too.
	m := nlAsk(t, fd, nlMessage(syscall.NLMSG_NOOP, syscall.NLM_F_ACK, 3, nil))
	wantErrno(t, "acknowledgement", m, 0)
}

func netlinkProtocols(t *T) {
	_, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, 31)
	t.Want("protocol 31", err, error(syscall.EPROTONOSUPPORT))
	_, err = syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_STREAM, 0)
	t.Want("SOCK_STREAM", err, error(syscall.ESOCKTNOSUPPORT))
}

func netlinkPoll(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	t.Want("idle", unixPoll(t, fd), int16(pollOut))
	t.Must("sendto", syscall.Sendto(fd, nlMessage(syscall.NLMSG_NOOP, syscall.NLM_F_ACK, 3, nil), 0,
		&syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
	t.Want("answered", unixPoll(t, fd), int16(pollIn|pollOut))
	syscall.Read(fd, make([]byte, 100))
	start := time.Now()
	tv := syscall.Timeval{Usec: 20_000}
	t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv))
	_, err := readAgain(fd, make([]byte, 100))
	t.Want("read", err, error(syscall.EAGAIN))
	if d := time.Since(start); d < 19*time.Millisecond {
		t.Errorf("waited %v only", d)
	}
}
