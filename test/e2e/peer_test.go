package e2e

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// Frames are made and read by hand here: what the test says of them must not come from the code under test.

const (
	etherIPv4, etherARP, etherIPv6            = 0x0800, 0x0806, 0x86dd
	protoICMP, protoTCP, protoUDP, protoICMP6 = 1, 6, 17, 58
	peerPatience                              = 30 * time.Second
)

var (
	peerIP4  = netip.MustParseAddr("10.9.0.200")
	peerIP6  = netip.MustParseAddr("fd00:9::200")
	peerLink = netip.MustParseAddr("fe80::200")
	everyone = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// peer is the test's own end of a wire: it answers ARP and neighbour solicitations for its addresses, and
// hands every frame to the test.
type peer struct {
	t     *testing.T
	end   *wireEnd
	in    chan []byte
	owns  map[netip.Addr]bool // answers for these
	guest []byte              // the machine's hardware address
	heard atomic.Uint32       // the identifier and number of the last echo reply by IPv4
}

func newPeer(t *testing.T, w *wire, guest *wireEnd, owns ...netip.Addr) *peer {
	p := &peer{t: t, in: make(chan []byte, 1<<16), owns: map[netip.Addr]bool{}, guest: guest.mac()}
	for _, a := range owns {
		p.owns[a] = true
	}
	p.end = w.newEnd(p.take)
	return p
}

func (p *peer) take(frame []byte) {
	if len(frame) < 14 {
		p.t.Errorf("the machine sends %d bytes", len(frame))
		return
	}
	if reply := p.reply(frame); reply != nil {
		go p.end.w.carry(p.end, reply) // the wire's lock is held
	}
	if b := ip4Of(frame, protoICMP); len(b) >= 8 && b[0] == 0 {
		p.heard.Store(binary.BigEndian.Uint32(b[4:]))
	}
	select {
	case p.in <- frame:
	default: // nobody reads any more
	}
}

func (p *peer) send(frame []byte) { p.end.w.carry(p.end, frame) }

// expect returns the first frame from now on that good likes.
func (p *peer) expect(what string, good func(frame []byte) bool) []byte {
	p.t.Helper()
	if f := p.within(peerPatience, good); f != nil {
		return f
	}
	p.t.Fatalf("%s did not come", what)
	return nil
}

func (p *peer) within(d time.Duration, good func(frame []byte) bool) []byte {
	for end := time.After(d); ; {
		select {
		case f := <-p.in:
			if good(f) {
				return f
			}
		case <-end:
			return nil
		}
	}
}

// exchange sends a frame every second until the answer comes.
func (p *peer) exchange(what string, frame []byte, good func(frame []byte) bool) []byte {
	p.t.Helper()
	for try := 0; try < 30; try++ {
		p.send(frame)
		if f := p.within(time.Second, good); f != nil {
			return f
		}
	}
	p.t.Fatalf("%s did not come", what)
	return nil
}

// reply answers questions for the peer's hardware address.
func (p *peer) reply(f []byte) []byte {
	if etherType(f) == etherARP && len(f) >= 42 && f[21] == 1 && p.owns[addr(f[38:42])] {
		return p.eth(p.guest, etherARP, arp(2, p.end.mac(), addr(f[38:42]), f[22:28], addr(f[28:32])))
	}
	if icmp := icmp6Of(f); len(icmp) >= 24 && icmp[0] == 135 && p.owns[addr(icmp[8:24])] && !addr(f[22:38]).IsUnspecified() {
		target := addr(icmp[8:24])
		option := append([]byte{2, 1}, p.end.mac()...)
		return p.ip6(p.guest, target, addr(f[22:38]), 255, icmp6(target, addr(f[22:38]), 136, 0, 0x60000000, append(target.AsSlice(), option...)))
	}
	return nil
}

func etherType(f []byte) int { return int(binary.BigEndian.Uint16(f[12:])) }

func addr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

// icmp6Of is the ICMPv6 message of a frame without extension headers; nil: it has none.
func icmp6Of(f []byte) []byte {
	if etherType(f) != etherIPv6 || len(f) < 54 {
		return nil
	}
	at := 54
	if f[20] == 0 && len(f) >= 62 && f[54] == protoICMP6 { // MLD's have a hop-by-hop header
		at = 62
	} else if f[20] != protoICMP6 {
		return nil
	}
	return f[at:]
}

// ip4Of is the payload of an IPv4 frame of a protocol; nil: it is another.
func ip4Of(f []byte, protocol byte) []byte {
	if etherType(f) != etherIPv4 || len(f) < 34 || f[23] != protocol {
		return nil
	}
	n := int(binary.BigEndian.Uint16(f[16:]))
	if head := int(f[14]&15) * 4; n >= head && len(f) >= 14+n {
		return f[14+head : 14+n]
	}
	return nil
}

// ------------------------------------------------------------------ making

func (p *peer) eth(to []byte, kind int, payload []byte) []byte {
	f := append(append(bytes.Clone(to), p.end.mac()...), byte(kind>>8), byte(kind))
	return append(f, payload...)
}

func (p *peer) ip4(from, to netip.Addr, protocol byte, payload []byte) []byte {
	return p.eth(p.guest, etherIPv4, ip4Packet(from, to, protocol, 0, nil, payload))
}

func (p *peer) ip6(mac []byte, from, to netip.Addr, hops byte, payload []byte) []byte {
	return p.eth(mac, etherIPv6, ip6Packet(from, to, protoICMP6, hops, payload))
}

func arp(op byte, fromMAC []byte, from netip.Addr, toMAC []byte, to netip.Addr) []byte {
	b := append([]byte{0, 1, 8, 0, 6, 4, 0, op}, fromMAC...)
	return append(append(append(b, from.AsSlice()...), toMAC...), to.AsSlice()...)
}

// ip4Packet has fragment as its flags and offset, and options, whose length must be a multiple of 4.
func ip4Packet(from, to netip.Addr, protocol byte, fragment uint16, options, payload []byte) []byte {
	n := 20 + len(options)
	b := []byte{byte(0x40 | n/4), 0, byte((n + len(payload)) >> 8), byte(n + len(payload)), 0x12, 0x34,
		byte(fragment >> 8), byte(fragment), 64, protocol, 0, 0}
	b = append(append(append(b, from.AsSlice()...), to.AsSlice()...), options...)
	binary.BigEndian.PutUint16(b[10:], ^onesSum(b, 0))
	return append(b, payload...)
}

func ip6Packet(from, to netip.Addr, next, hops byte, payload []byte) []byte {
	b := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, hops}
	return append(append(append(b, from.AsSlice()...), to.AsSlice()...), payload...)
}

// onesSum is the internet checksum's sum, not inverted.
func onesSum(b []byte, start uint32) uint16 {
	s := start
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

func pseudoSum(from, to netip.Addr, protocol byte, n int) uint32 {
	return uint32(onesSum(append(from.AsSlice(), to.AsSlice()...), uint32(protocol)+uint32(n)))
}

func icmp4(kind, code byte, rest uint32, data []byte) []byte {
	b := append(binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, rest), data...)
	binary.BigEndian.PutUint16(b[2:], ^onesSum(b, 0))
	return b
}

func icmp6(from, to netip.Addr, kind, code byte, rest uint32, data []byte) []byte {
	b := append(binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, rest), data...)
	binary.BigEndian.PutUint16(b[2:], ^onesSum(b, pseudoSum(from, to, protoICMP6, len(b))))
	return b
}

func udp(from, to netip.AddrPort, data []byte) []byte {
	n := 8 + len(data)
	b := append([]byte{byte(from.Port() >> 8), byte(from.Port()), byte(to.Port() >> 8), byte(to.Port()), byte(n >> 8), byte(n), 0, 0}, data...)
	binary.BigEndian.PutUint16(b[6:], ^onesSum(b, pseudoSum(from.Addr(), to.Addr(), protoUDP, n)))
	return b
}

// segment is a TCP segment; options must have a multiple of 4 bytes.
func segment(from, to netip.AddrPort, seq, ack uint32, flags byte, options, data []byte) []byte {
	b := []byte{byte(from.Port() >> 8), byte(from.Port()), byte(to.Port() >> 8), byte(to.Port())}
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, seq), ack)
	b = append(b, byte((20+len(options))/4<<4), flags, 0xff, 0xff, 0, 0, 0, 0)
	b = append(append(b, options...), data...)
	binary.BigEndian.PutUint16(b[16:], ^onesSum(b, pseudoSum(from.Addr(), to.Addr(), protoTCP, len(b))))
	return b
}

// advertisement is a router's, with a prefix of /64 that gives addresses (none: an invalid address) and further options.
func advertisement(lifetime uint16, prefix netip.Addr, options ...byte) []byte {
	data := append(make([]byte, 8), options...) // reachable time, retransmission timer
	if prefix.IsValid() {
		data = append(data, 3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0)
		data = append(data, prefix.AsSlice()...)
	}
	return icmp6(peerLink, netip.MustParseAddr("ff02::1"), 134, 0, 64<<24|uint32(lifetime), data)
}

// advertise sends a router advertisement to all.
func (p *peer) advertise(message []byte) {
	p.send(p.ip6([]byte{0x33, 0x33, 0, 0, 0, 1}, peerLink, netip.MustParseAddr("ff02::1"), 255, message))
}
