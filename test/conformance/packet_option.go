package main

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"
)

// Options of packet sockets, as who captures sets them.
var packetOptionChecks = []check{
	{"packet-membership", packetMembership},
	{"packet-membership-errors", packetMembershipErrors},
	{"packet-statistics", packetStatistics},
}

const (
	solPacket        = 263
	packetAddMember  = 1
	packetDropMember = 2
	packetCounts     = 6
)

const (
	memberMulticast = iota
	memberPromiscuous
	memberAllMulticast
	memberUnicast
)

// packetMember is struct packet_mreq.
func packetMember(index int, kind uint16, address ...byte) []byte {
	m := binary.LittleEndian.AppendUint32(nil, uint32(index))
	m = binary.LittleEndian.AppendUint16(m, kind)
	m = binary.LittleEndian.AppendUint16(m, uint16(len(address)))
	return append(m, append(address, make([]byte, 8)...)[:8]...)
}

func setStruct(fd, level, name int, value []byte) error {
	_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), ptr(&value[0]), uintptr(len(value)))
	if e != 0 {
		return e
	}
	return nil
}

func packetMembership(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_RAW, int(swapped(ethAll)))
	defer syscall.Close(fd)
	all, err := net.Interfaces()
	t.Must("Interfaces", err)
	for _, i := range all {
		if i.Name != "lo" && len(i.HardwareAddr) != 6 {
			continue
		}
		for _, m := range [][]byte{
			packetMember(i.Index, memberPromiscuous),
			packetMember(i.Index, memberAllMulticast),
			packetMember(i.Index, memberMulticast, 1, 0, 0x5e, 7, 7, 7),
		} {
			for range 2 { // it is counted
				t.Want("join "+i.Name, setStruct(fd, solPacket, packetAddMember, m), error(nil))
			}
			for range 3 { // one that is not there is nobody's mistake
				t.Want("leave "+i.Name, setStruct(fd, solPacket, packetDropMember, m), error(nil))
			}
		}
		long := append(packetMember(i.Index, memberPromiscuous), make([]byte, 24)...)
		t.Want("a long structure", setStruct(fd, solPacket, packetAddMember, long), error(nil))
	}
}

func packetMembershipErrors(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	defer syscall.Close(fd)
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	good := packetMember(lo.Index, memberPromiscuous)
	for _, name := range []int{packetAddMember, packetDropMember} {
		t.Want("too short", setStruct(fd, solPacket, name, good[:15]), error(syscall.EINVAL))
		long := packetMember(lo.Index, memberMulticast, 1, 2, 3, 4, 5, 6)
		binary.LittleEndian.PutUint16(long[6:], 9)
		t.Want("an address that is not all there", setStruct(fd, solPacket, name, long), error(syscall.EINVAL))
		_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), solPacket, uintptr(name), 8, 16)
		t.Want("a bad pointer", e, syscall.EFAULT)
	}
	join := func(m []byte) error { return setStruct(fd, solPacket, packetAddMember, m) }
	t.Want("no such interface", join(packetMember(99_999, memberPromiscuous)), error(syscall.ENODEV))
	t.Want("no interface", join(packetMember(0, memberPromiscuous)), error(syscall.ENODEV))
	t.Want("half an address", join(packetMember(lo.Index, memberMulticast, 1, 2, 3)), error(syscall.EINVAL))
	t.Want("half a unicast address", join(packetMember(lo.Index, memberUnicast, 1, 2, 3)), error(syscall.EINVAL))
	t.Want("a long address", join(packetMember(lo.Index, memberPromiscuous, 1, 2, 3, 4, 5, 6, 7)), error(syscall.EINVAL))
	t.Want("a kind that is not known", join(packetMember(lo.Index, 77)), error(nil))
	t.Want("leave one that is not there", setStruct(fd, solPacket, packetDropMember, packetMember(99_999, 1)), error(nil))
	_, err = syscall.GetsockoptInt(fd, solPacket, packetAddMember)
	t.Want("to be read", err, error(syscall.ENOPROTOOPT))
	udp := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(udp)
	if err := setStruct(udp, solPacket, packetAddMember, good); err != syscall.ENOPROTOOPT {
		t.Errorf("on UDP: %v", err)
	}
}

// packetStatistics: reading begins to count anew, and what was lost was also seen.
func packetStatistics(t *T) {
	fd := openRaw(t, syscall.AF_PACKET, syscall.SOCK_DGRAM, int(swapped(ethIP)))
	defer syscall.Close(fd)
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: swapped(ethIP), Ifindex: lo.Index}))
	counts := func() (seen, lost uint32) {
		var value [8]byte
		size := uint32(len(value))
		_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), solPacket, packetCounts, ptr(&value[0]), ptr(&size))
		if e != 0 || size != 8 {
			t.Fatalf("PACKET_STATISTICS: %d bytes, %v", size, e)
		}
		return binary.LittleEndian.Uint32(value[:]), binary.LittleEndian.Uint32(value[4:])
	}
	a, b, done := udpPair(t)
	defer done()
	counts()
	for i := 0; i < 5; i++ {
		syscall.Write(a, []byte("seen"))
		unixWantRead(t, "read", b, 9, "seen", nil)
	}
	seen, lost := counts()
	t.Want("at least ours", seen >= 5, true)
	t.Want("none was lost", lost, uint32(0))
	optSet(t, "SO_RCVBUF", fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
	for end := time.Now().Add(patience / 4); lost == 0 && time.Now().Before(end); {
		syscall.Write(a, make([]byte, 1000))
		readAgain(b, make([]byte, 1000))
		var more uint32
		seen, more = counts()
		lost += more
	}
	t.Want("some were lost", lost > 0, true)
	t.Want("and seen", seen >= 1, true)
}
