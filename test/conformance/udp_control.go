package main

import (
	"net"
	"syscall"
	"unsafe"
)

// Control messages beside a datagram, and the queue of errors.
var udpControlChecks = []check{
	{"packet-facts", udpPacketFacts},
	{"tos-and-ttl-of-one-datagram", udpSendFacts},
	{"control-hostile", udpControlHostile},
	{"error-queue", udpErrorQueue},
}

// udpControl is what recvmsg gives beside one datagram: by level and type.
func udpControl(t *T, fd int) map[[2]int32][]byte {
	oob := make([]byte, 300)
	_, n, flags, _, err := syscall.Recvmsg(fd, make([]byte, 99), oob, 0)
	t.Must("recvmsg", err)
	t.Want("flags", flags, 0)
	list, err := syscall.ParseSocketControlMessage(oob[:n])
	t.Must("parse", err)
	all := map[[2]int32][]byte{}
	for _, m := range list {
		all[[2]int32{m.Header.Level, m.Header.Type}] = m.Data
	}
	return all
}

func udpPacketFacts(t *T) {
	a, b, done := udpPair(t)
	defer done()
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	optSet(t, "IP_PKTINFO", b, syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
	optSet(t, "IP_RECVTTL", b, syscall.IPPROTO_IP, syscall.IP_RECVTTL, 1)
	optSet(t, "IP_RECVTOS", b, syscall.IPPROTO_IP, syscall.IP_RECVTOS, 1)
	optSet(t, "IP_TTL", a, syscall.IPPROTO_IP, syscall.IP_TTL, 33)
	optSet(t, "IP_TOS", a, syscall.IPPROTO_IP, syscall.IP_TOS, 0x28)
	unixWrite(t, a, "x")
	all := udpControl(t, b)
	t.Want("control messages", len(all), 3)
	info := all[[2]int32{syscall.IPPROTO_IP, syscall.IP_PKTINFO}]
	if len(info) != 12 {
		t.Fatalf("IP_PKTINFO: %v", info)
	}
	t.Want("interface", *(*int32)(unsafe.Pointer(&info[0])), int32(lo.Index))
	t.Want("to", string(info[8:]), "\x7f\x00\x00\x01")
	t.Want("TTL", string(all[[2]int32{syscall.IPPROTO_IP, syscall.IP_TTL}]), "\x21\x00\x00\x00")
	t.Want("TOS", string(all[[2]int32{syscall.IPPROTO_IP, syscall.IP_TOS}]), "\x28")
}

// udpCmsg is a control message.
func udpCmsg(level, kind int32, data []byte) []byte {
	raw := make([]byte, syscall.CmsgSpace(len(data)))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&raw[0]))
	h.Len, h.Level, h.Type = uint64(syscall.CmsgLen(len(data))), level, kind
	copy(raw[syscall.CmsgLen(0):], data)
	return raw
}

func udpSendFacts(t *T) {
	a, b, done := udpPair(t)
	defer done()
	optSet(t, "IP_RECVTTL", b, syscall.IPPROTO_IP, syscall.IP_RECVTTL, 1)
	optSet(t, "IP_RECVTOS", b, syscall.IPPROTO_IP, syscall.IP_RECVTOS, 1)
	oob := append(udpCmsg(0, syscall.IP_TTL, []byte{9, 0, 0, 0}), udpCmsg(0, syscall.IP_TOS, []byte{2})...)
	t.Must("sendmsg", syscall.Sendmsg(a, []byte("x"), oob, nil, 0))
	unixWrite(t, a, "x")
	all := udpControl(t, b)
	t.Want("TTL", string(all[[2]int32{0, syscall.IP_TTL}]), "\x09\x00\x00\x00")
	t.Want("TOS", string(all[[2]int32{0, syscall.IP_TOS}]), "\x02")
	all = udpControl(t, b)
	t.Want("TTL of the next", string(all[[2]int32{0, syscall.IP_TTL}]), "\x40\x00\x00\x00")
	t.Want("TOS of the next", string(all[[2]int32{0, syscall.IP_TOS}]), "\x00")
}

func udpControlHostile(t *T) {
	a, _, done := udpPair(t)
	defer done()
	for what, c := range map[string]struct {
		oob  []byte
		want error
	}{
		"TTL 0":                {udpCmsg(0, syscall.IP_TTL, []byte{0, 0, 0, 0}), syscall.EINVAL},
		"TTL of one byte":      {udpCmsg(0, syscall.IP_TTL, []byte{9}), syscall.EINVAL},
		"TOS of two bytes":     {udpCmsg(0, syscall.IP_TOS, []byte{9, 0}), syscall.EINVAL},
		"a short IP_PKTINFO":   {udpCmsg(0, syscall.IP_PKTINFO, make([]byte, 11)), syscall.EINVAL},
		"an unknown one of IP": {udpCmsg(0, 99, make([]byte, 4)), syscall.EINVAL},
		"an unknown level":     {udpCmsg(77, 99, make([]byte, 4)), nil},
		"no interface":         {udpCmsg(0, syscall.IP_PKTINFO, append([]byte{0xff, 0xff, 0, 0}, make([]byte, 8)...)), syscall.ENODEV},
	} {
		if err := syscall.Sendmsg(a, []byte("x"), c.oob, nil, 0); err != c.want {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}

// udpErrorQueue: who asked for all errors reads what was sent, and what became of it.
func udpErrorQueue(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	optSet(t, "IP_RECVERR", fd, syscall.IPPROTO_IP, syscall.IP_RECVERR, 1)
	_, _, err := syscall.Recvfrom(fd, make([]byte, 9), syscall.MSG_ERRQUEUE)
	t.Want("empty", err, error(syscall.EAGAIN))
	to := udpClosedPort(t)
	t.Must("sendto", syscall.Sendto(fd, []byte("to nobody"), 0, to))
	udpEventually(t, "POLLERR", func() bool { return unixPoll(t, fd)&pollErr != 0 })
	buf, oob := make([]byte, 99), make([]byte, 300)
	n, oobn, flags, from, err := syscall.Recvmsg(fd, buf, oob, syscall.MSG_ERRQUEUE)
	t.Must("recvmsg", err)
	t.Want("what was sent", string(buf[:n]), "to nobody") // ICMP quotes as much as fits 576 bytes
	t.Want("flags", flags, syscall.MSG_ERRQUEUE)
	if a, ok := from.(*syscall.SockaddrInet4); !ok || a.Port != to.Port || a.Addr != to.Addr {
		t.Errorf("sent to %v, want %v", from, to)
	}
	list, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(list) != 1 || list[0].Header.Type != syscall.IP_RECVERR || len(list[0].Data) < 32 {
		t.Fatalf("control: %+v, %v", list, err)
	}
	d := list[0].Data
	t.Want("errno", *(*uint32)(unsafe.Pointer(&d[0])), uint32(syscall.ECONNREFUSED))
	t.Want("origin, type, code", [3]byte{d[4], d[5], d[6]}, [3]byte{2 /* ICMP */, 3, 3})
	t.Want("offender", string(d[16+4:16+8]), "\x7f\x00\x00\x01")
}
