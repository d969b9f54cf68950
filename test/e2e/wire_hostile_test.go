package e2e

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestWireHostile: floods and malformed packets of every kind that a neighbour can send. The machine goes
// on answering, has counted what was wrong, said so in its log once, and its memory is bounded.
func TestWireHostile(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		g := startGuest(t, c, job{binary: "wire", args: []string{"serve", "7000", "/proc/gosolo/stats"}, memory: "96M", timeout: 6 * time.Minute},
			peerIP4, peerIP6, peerLink)
		g.pings(peerLink, guestLink, 56) // not before it has one: a router's word would come too early
		g.advertise(advertisement(1800, prefix6))
		g.solicits(guestIP6)
		r := rand.New(rand.NewSource(1))
		for _, attack := range []struct {
			name  string
			times int
			make  func(i int) []byte
		}{
			{"ARP", 20000, func(i int) []byte {
				return g.eth(everyone, etherARP, arp(byte(1+i%3), g.peer.end.mac(), someone(r), make([]byte, 6), guestIP4))
			}},
			{"neighbours", 20000, func(i int) []byte { return g.neighbour(i) }},
			{"routers", 5000, func(i int) []byte { return g.router(i) }},
			{"fragments", 20000, func(i int) []byte { return g.fragment(r, i) }},
			{"cut off and spoilt", 20000, func(i int) []byte { return g.spoilt(r, i) }},
			{"SYN", 20000, func(i int) []byte { return g.syn(r) }},
		} {
			began := time.Now()
			for i := 0; i < attack.times; i++ {
				g.send(attack.make(i))
				for len(g.peer.end.w.ends[0].out) > 2000 { // as fast as it takes them
					time.Sleep(time.Millisecond)
				}
			}
			g.pings(peerIP4, guestIP4, 100)
			g.pings(peerIP6, guestIP6, 100)
			g.udpEcho(peerIP4, guestIP4)
			g.tcpEcho(peerIP4, guestIP4)
			g.tcpEcho(peerIP6, guestIP6)
			t.Logf("%s: %d in %v", attack.name, attack.times, time.Since(began).Round(time.Millisecond))
		}
		end := g.endsWell(t)
		n, lines := badPackets(t, end)
		t.Logf("%d bad packets counted, %d log lines", n, lines)
		if n < 5000 || lines < 1 || lines > 10 {
			t.Error(end.report())
		}
	})
}

func someone(r *rand.Rand) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 9, 0, byte(2 + r.Intn(190))})
}

func (g *guest) syn(r *rand.Rand) []byte {
	from, to := netip.AddrPortFrom(someone(r), uint16(1024+r.Intn(60000))), guestIP4
	switch r.Intn(3) {
	case 0: // from beyond the router
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.Intn(256))}), from.Port())
	case 1:
		from = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 0, 0, 9, 14: byte(r.Intn(256)), 15: byte(1 + r.Intn(100))}), from.Port())
		to = guestIP6
	}
	return g.packet(from.Addr(), to, protoTCP, segment(from, netip.AddrPortFrom(to, 7000), r.Uint32(), 0, 2, []byte{2, 4, 5, 180}, nil))
}

// flood sends SYNs as fast as the machine takes them, which it says by answering an echo request among
// them; until it is stopped or the test ends. (More would be dropped on their way, with those of others.)
func (g *guest) flood() (sent *atomic.Int64, stop func()) {
	const burst = 100
	sent = &atomic.Int64{}
	enough, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		r := rand.New(rand.NewSource(2))
		for number := uint32(0x66660000); ; number++ {
			for i := 0; i < burst; i++ {
				g.send(g.syn(r))
			}
			sent.Add(burst)
			g.send(g.packet(peerIP4, guestIP4, protoICMP, icmp4(8, 0, number, nil)))
			for began := time.Now(); g.heard.Load() != number && time.Since(began) < 5*time.Second; time.Sleep(time.Millisecond) {
				select {
				case <-enough:
					return
				default:
				}
			}
		}
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() { close(enough) })
		<-ended
	}
	g.peer.t.Cleanup(stop)
	return sent, stop
}

// TestWireSynFlood: while SYNs of those who do not exist come as fast as the machine takes them, others
// connect, by hand and from another machine, and every byte arrives.
func TestWireSynFlood(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		g := startGuest(t, c, job{binary: "wire", args: []string{"serve", "7000", "/proc/gosolo/stats"}, memory: "64M", timeout: 6 * time.Minute},
			peerIP4, peerIP6, peerLink)
		g.pings(peerLink, guestLink, 56)
		g.advertise(advertisement(1800, prefix6))
		g.solicits(guestIP6)
		g.pings(peerIP4, guestIP4, 56) // both know each other's hardware address
		g.pings(peerIP6, guestIP6, 56)
		w := g.peer.end.w
		flooded, stop := g.flood()
		for flooded.Load() < 6000 { // more than the queue holds
			time.Sleep(10 * time.Millisecond)
		}
		var longest time.Duration
		for i := 0; i < 10; i++ {
			for _, ip := range []netip.Addr{guestIP4, guestIP6} {
				began := time.Now()
				if ip.Is4() {
					g.tcpEcho(peerIP4, ip)
				} else {
					g.tcpEcho(peerIP6, ip)
				}
				longest = max(longest, time.Since(began))
			}
		}
		_, flags := w.machine("ip=10.9.0.2/24", "ip6=fd00:9::2/64")
		for _, to := range []string{"10.9.0.1:7000", "[" + guestIP6.String() + "]:7000"} {
			ends(t, startMachine(t, c, job{binary: "wire", args: []string{"dial", to, "300000"}, flags: flags}).wait(), 0, "echoed 300000 true <nil>\n")
			_, flags = w.machine("ip=10.9.0.3/24", "ip6=fd00:9::3/64")
		}
		stop()
		r := g.endsWell(t)
		sent, redeemed := statistic(t, r, "net_syn_cookies_sent"), statistic(t, r, "net_syn_cookies_redeemed")
		t.Logf("%d SYNs, %d cookies sent, %d came back; a connection of 500 bytes took %v at most", flooded.Load(), sent, redeemed, longest)
		if sent < 1000 || redeemed < 3 || longest > 40*time.Second || strings.Count(r.log, "SYN cookies") > 10 {
			t.Error(r.report())
		}
	})
}

func (g *guest) neighbour(i int) []byte {
	from := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 13: 1, 14: byte(i >> 8), 15: byte(i)})
	if i%2 == 0 {
		return g.ip6(g.guest, from, guestLink, 255, icmp6(from, guestLink, 135, 0, 0, append(guestLink.AsSlice(), 1, 1, 2, 0, 0, 0, byte(i>>8), byte(i))))
	}
	return g.ip6(g.guest, from, guestLink, 255, icmp6(from, guestLink, 136, 0, 0x60000000, append(from.AsSlice(), 2, 1, 2, 0, 0, 0, byte(i>>8), byte(i))))
}

func (g *guest) router(i int) []byte {
	from := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 13: 2, 14: byte(i >> 8), 15: byte(i)})
	all := netip.MustParseAddr("ff02::1")
	prefix := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 6: byte(i >> 8), 7: byte(i)})
	data := advertisement(9000, prefix, 1, 1, 2, 0, 0, 0, byte(i>>8), byte(i))[8:]
	if i%3 == 1 { // an option without length
		data[9] = 0
	}
	return g.ip6([]byte{0x33, 0x33, 0, 0, 0, 1}, from, all, 255, icmp6(from, all, 134, 0, 64<<24|9000, data))
}

// fragment is one of ever other datagrams, some overlapping the one before.
func (g *guest) fragment(r *rand.Rand, i int) []byte {
	offset := r.Intn(8)
	if i%2 == 0 {
		packet := ip4Packet(someone(r), guestIP4, protoUDP, uint16(0x2000|offset), nil, pattern(48+r.Intn(200)))
		binary.BigEndian.PutUint16(packet[4:], uint16(i/4))
		packet[10], packet[11] = 0, 0
		binary.BigEndian.PutUint16(packet[10:], ^onesSum(packet[:20], 0))
		return g.eth(g.guest, etherIPv4, packet)
	}
	head := []byte{protoUDP, 0, 0, byte(offset<<3 | 1), 0, 0, byte(i >> 10), byte(i >> 2)}
	return g.eth(g.guest, etherIPv6, ip6Packet(peerIP6, guestIP6, 44, 64, append(head, pattern(48)...)))
}

// spoilt is a good frame that is cut off, or of which bytes are others, or whose options are bad.
func (g *guest) spoilt(r *rand.Rand, i int) []byte {
	a, b := netip.AddrPortFrom(peerIP4, 4002), netip.AddrPortFrom(guestIP4, 7000)
	a6, b6 := netip.AddrPortFrom(peerIP6, 4002), netip.AddrPortFrom(guestIP6, 7000)
	options := make([]byte, 4*r.Intn(10))
	r.Read(options)
	if i%4 == 0 { // everything is right but the options
		return g.packet(peerIP4, guestIP4, protoTCP, segment(a, b, r.Uint32(), 0, 2, options, nil))
	}
	good := [][]byte{
		g.eth(everyone, etherARP, arp(1, g.peer.end.mac(), peerIP4, make([]byte, 6), guestIP4)),
		g.packet(peerIP4, guestIP4, protoTCP, segment(a, b, 1, 0, 2, []byte{2, 4, 5, 180, 1, 3, 3, 7}, nil)),
		g.eth(g.guest, etherIPv4, ip4Packet(peerIP4, guestIP4, protoUDP, 0, options, udp(a, b, pattern(100)))),
		g.packet(peerIP4, guestIP4, protoICMP, icmp4(3, 4, 100, pattern(40))),
		g.packet(peerIP6, guestIP6, protoTCP, segment(a6, b6, 1, 0, 2, []byte{2, 4, 5, 180}, nil)),
		g.packet(peerIP6, guestIP6, protoICMP6, icmp6(peerIP6, guestIP6, 2, 0, 9, pattern(60))),
		g.router(1), g.neighbour(i), g.fragment(r, i),
	}
	f := bytes.Clone(good[r.Intn(len(good))])
	if i%4 == 1 {
		return f[:14+r.Intn(len(f)-14)]
	}
	for n := r.Intn(4); n >= 0; n-- {
		f[14+r.Intn(len(f)-14)] = byte(r.Intn(256))
	}
	return f
}

// TestWireFrameFlood: frames come faster than one CPU can look at them; the program still has its turns.
func TestWireFrameFlood(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		g := startGuest(t, c, job{binary: "wire", args: []string{"serve", "7000", "/proc/gosolo/stats"}, timeout: 3 * time.Minute}, peerIP4)
		g.pings(peerIP4, guestIP4, 56)
		var sent atomic.Int64
		enough, ended := make(chan bool), make(chan bool)
		go func() {
			defer close(ended)
			for question := g.eth(everyone, etherARP, arp(1, g.peer.end.mac(), peerIP4, make([]byte, 6), guestIP4)); ; {
				select {
				case <-enough:
					return
				default:
				}
				if len(g.peer.end.w.ends[0].out) < 200 {
					g.send(question)
					sent.Add(1)
				} else {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		for sent.Load() < 20000 { // more than waits anywhere
			time.Sleep(10 * time.Millisecond)
		}
		began := time.Now()
		r := g.endsWell(t) // the program reads the end of its input, and a file
		t.Logf("the program ended after %v, %d frames", time.Since(began).Round(time.Millisecond), sent.Load())
		close(enough)
		<-ended
		statistic(t, r, "net_rx_packets")
	})
}
