package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	guestIP4  = netip.MustParseAddr("10.9.0.1")
	guestLink = netip.MustParseAddr("fe80::5054:ff:fe00:901")
	guestIP6  = netip.MustParseAddr("fd00:9::5054:ff:fe00:901") // from the prefix and the hardware address
	prefix6   = netip.MustParseAddr("fd00:9::")
)

// guest is a machine whose only neighbour is the test.
type guest struct {
	*running
	*peer
	stdin *io.PipeWriter
}

// startGuest boots a program on a wire with the test at the other end, and waits until it listens.
func startGuest(t *testing.T, c config, j job, owns ...netip.Addr) *guest {
	t.Helper()
	return startGuestWith(t, c, j, []string{"ip=10.9.0.1/24", "gw=10.9.0.200"}, owns...)
}

// startGuestWith has words for the kernel's command line.
func startGuestWith(t *testing.T, c config, j job, words []string, owns ...netip.Addr) *guest {
	t.Helper()
	w := newWire(t, faults{})
	end, flags := w.machine(words...)
	g := &guest{peer: newPeer(t, w, end, owns...)}
	if j.stdin == nil {
		j.stdin, g.stdin = io.Pipe()
	}
	j.flags = append(j.flags, flags...)
	g.running = startMachine(t, c, j)
	if _, err := g.waitLine(g.stdout, "listening\n"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.end(t) // a test that failed before its end
	})
	return g
}

// end lets the program end, and returns how it did.
func (g *guest) end(t *testing.T) result {
	if g.stdin != nil {
		g.stdin.Close()
	}
	return g.running.wait()
}

func (g *guest) endsWell(t *testing.T) result {
	t.Helper()
	r := g.end(t)
	if r.code != 0 || r.trouble != "" {
		t.Error(r.report())
	}
	return r
}

// TestWirePeer: one machine answers what a neighbour may ask: ARP, neighbour discovery, a router's
// advertisement, echo requests, UDP and TCP, of both families. The frames are made by hand.
func TestWirePeer(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		g := startGuest(t, c, job{binary: "wire", args: []string{"serve", "7000"}}, peerIP4, peerIP6, peerLink)
		g.advertise(advertisement(1800, prefix6)) // in the first second, and never again
		for _, good := range []struct {           // what is addressed to another machine's hardware is not taken
			kind int
			data []byte
		}{
			{etherARP, arp(1, g.peer.end.mac(), peerIP4, make([]byte, 6), guestIP4)},
			{etherIPv4, ip4Packet(peerIP4, guestIP4, protoICMP, 0, nil, icmp4(8, 0, 0x12340001, pattern(8)))},
		} {
			g.send(g.eth([]byte{2, 0, 0, 0, 0, 99}, good.kind, good.data))
		}
		taken := g.within(time.Second, func(f []byte) bool {
			b := ip4Of(f, protoICMP)
			return etherType(f) == etherARP && f[21] == 2 || len(b) >= 8 && b[0] == 0
		})
		if taken != nil {
			t.Errorf("a frame for somebody else was answered: %x", taken)
		}
		g.exchange("an ARP reply", g.eth(everyone, etherARP, arp(1, g.peer.end.mac(), peerIP4, make([]byte, 6), guestIP4)), func(f []byte) bool {
			return etherType(f) == etherARP && f[21] == 2 && addr(f[28:32]) == guestIP4 && bytes.Equal(f[22:28], g.guest) &&
				bytes.Equal(f[:6], g.peer.end.mac()) && addr(f[38:42]) == peerIP4
		})
		for _, n := range []int{0, 1, 56, 1400} {
			g.pings(peerIP4, guestIP4, n)
		}
		g.udpEcho(peerIP4, guestIP4)
		g.tcpEcho(peerIP4, guestIP4)
		g.pings(peerLink, guestLink, 56)
		g.solicits(guestLink)
		g.solicits(guestIP6)
		g.pings(peerIP6, guestIP6, 1400)
		g.udpEcho(peerIP6, guestIP6)
		g.tcpEcho(peerIP6, guestIP6)
		g.endsWell(t)
	})
}

// packet is a frame with a packet of either family.
func (p *peer) packet(from, to netip.Addr, protocol byte, payload []byte) []byte {
	if from.Is4() {
		return p.ip4(from, to, protocol, payload)
	}
	return p.eth(p.guest, etherIPv6, ip6Packet(from, to, protocol, 64, payload))
}

// payloadOf is what a packet of either family carries, if it goes from from to to; nil: it does not.
func payloadOf(f []byte, from, to netip.Addr, protocol byte) []byte {
	if b := ip4Of(f, protocol); b != nil && addr(f[26:30]) == from && addr(f[30:34]) == to {
		return b
	}
	if etherType(f) == etherIPv6 && len(f) > 54 && f[20] == protocol && addr(f[22:38]) == from && addr(f[38:54]) == to {
		return f[54:]
	}
	return nil
}

// solicits asks for the hardware address of one of the machine's addresses.
func (p *peer) solicits(target netip.Addr) {
	p.t.Helper()
	t16 := target.As16()
	group := netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 0xff, t16[13], t16[14], t16[15]})
	ask := icmp6(peerLink, group, 135, 0, 0, append(target.AsSlice(), append([]byte{1, 1}, p.end.mac()...)...))
	p.exchange("an advertisement of "+target.String(), p.ip6([]byte{0x33, 0x33, 0xff, t16[13], t16[14], t16[15]}, peerLink, group, 255, ask), func(f []byte) bool {
		b := icmp6Of(f)
		return len(b) >= 32 && b[0] == 136 && addr(b[8:24]) == target && b[4]&0x40 != 0 && addr(f[38:54]) == peerLink &&
			f[21] == 255 && b[24] == 2 && bytes.Equal(b[26:32], p.guest)
	})
}

// pings sends an echo request and compares the answer.
func (p *peer) pings(from, to netip.Addr, n int) {
	p.t.Helper()
	data := pattern(n)
	request, protocol, answer := icmp4(8, 0, 0x77770001, data), byte(protoICMP), byte(0)
	if from.Is6() {
		request, protocol, answer = icmp6(from, to, 128, 0, 0x77770001, data), protoICMP6, 129
	}
	p.exchange(fmt.Sprintf("an echo of %d bytes from %v", n, to), p.packet(from, to, protocol, request), func(f []byte) bool {
		b := payloadOf(f, to, from, protocol)
		return len(b) == 8+n && b[0] == answer && binary.BigEndian.Uint32(b[4:]) == 0x77770001 && bytes.Equal(b[8:], data)
	})
}

func (p *peer) udpEcho(from, to netip.Addr) {
	p.t.Helper()
	a, b := netip.AddrPortFrom(from, 4000), netip.AddrPortFrom(to, 7000)
	data := pattern(1000)
	p.exchange("a datagram", p.packet(from, to, protoUDP, udp(a, b, data)), func(f []byte) bool {
		got := payloadOf(f, to, from, protoUDP)
		return len(got) >= 8 && bytes.Equal(got, udp(b, a, data))
	})
}

// tcpEcho is a connection by hand: handshake, bytes there and back, end.
func (p *peer) tcpEcho(from, to netip.Addr) {
	p.t.Helper()
	a, b := netip.AddrPortFrom(from, 4001), netip.AddrPortFrom(to, 7000)
	flags := func(want byte) func([]byte) bool {
		return func(f []byte) bool {
			s := payloadOf(f, to, from, protoTCP)
			return len(s) >= 20 && binary.BigEndian.Uint16(s[2:]) == 4001 && s[13]&want == want
		}
	}
	const seq = 1000
	f := p.exchange("a SYN-ACK", p.packet(from, to, protoTCP, segment(a, b, seq, 0, 2, []byte{2, 4, 5, 180}, nil)), flags(0x12))
	s := payloadOf(f, to, from, protoTCP)
	theirs := binary.BigEndian.Uint32(s[4:]) + 1
	if ack := binary.BigEndian.Uint32(s[8:]); ack != seq+1 {
		p.t.Errorf("the SYN-ACK acknowledges %d", ack)
	}
	data := pattern(500)
	p.send(p.packet(from, to, protoTCP, segment(a, b, seq+1, theirs, 0x10, nil, nil)))
	p.exchange("the echo", p.packet(from, to, protoTCP, segment(a, b, seq+1, theirs, 0x18, nil, data)), func(f []byte) bool {
		s := payloadOf(f, to, from, protoTCP)
		return len(s) >= 20 && bytes.HasSuffix(s, data) && binary.BigEndian.Uint32(s[4:]) == theirs &&
			bytes.Equal(s[16:18], checksummed(s, to, from)[16:18])
	})
	theirs += uint32(len(data))
	p.exchange("the FIN", p.packet(from, to, protoTCP, segment(a, b, seq+1+uint32(len(data)), theirs, 0x11, nil, nil)), flags(1))
	p.send(p.packet(from, to, protoTCP, segment(a, b, seq+2+uint32(len(data)), theirs+1, 0x10, nil, nil)))
}

// checksummed is a TCP segment with its sum made anew.
func checksummed(s []byte, from, to netip.Addr) []byte {
	s = bytes.Clone(s)
	s[16], s[17] = 0, 0
	binary.BigEndian.PutUint16(s[16:], ^onesSum(s, pseudoSum(from, to, protoTCP, len(s))))
	return s
}

// TestWirePing: a program in the machine sends echo requests by a ping socket and gets the answers.
func TestWirePing(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		for _, to := range []netip.Addr{peerIP4, peerIP6} {
			w := newWire(t, faults{seed: 1, lose: 200})
			end, flags := w.machine("ip=10.9.0.1/24", "ip6=fd00:9::1/64")
			p := newPeer(t, w, end, peerIP4, peerIP6, peerLink)
			answer := byte(0)
			var r result
			done := make(chan bool)
			go func() {
				r = startMachine(t, c, job{binary: "wire", args: []string{"ping", to.String(), "5"}, flags: flags}).wait()
				close(done)
			}()
			if to.Is6() {
				answer = 129
			}
			want := ""
			for seq := 1; seq <= 5; seq++ {
				want += fmt.Sprintf("answer %d number %d bytes %d\n", answer, seq, 56*seq*seq)
			}
			for running := true; running; {
				select {
				case f := <-p.in:
					p.echo(f)
				case <-done:
					running = false
				}
			}
			ends(t, r, 0, want)
		}
	})
}

// echo answers an echo request.
func (p *peer) echo(f []byte) {
	if b := payloadOf(f, guestIP4, peerIP4, protoICMP); len(b) >= 8 && b[0] == 8 {
		p.send(p.ip4(peerIP4, guestIP4, protoICMP, icmp4(0, 0, binary.BigEndian.Uint32(b[4:]), b[8:])))
	}
	from := netip.MustParseAddr("fd00:9::1")
	if b := payloadOf(f, from, peerIP6, protoICMP6); len(b) >= 8 && b[0] == 128 {
		p.send(p.packet(peerIP6, from, protoICMP6, icmp6(peerIP6, from, 129, 0, binary.BigEndian.Uint32(b[4:]), b[8:])))
	}
}

// TestWireNarrowPath: between two machines is a router that passes small packets only and says so; a
// connection finds the size, both ways.
func TestWireNarrowPath(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		for _, to := range []string{"10.9.0.1", "[fd00:9::1]"} {
			w := newWire(t, faults{})
			var refused, passed atomic.Int64
			w.intercept = func(from *wireEnd, f []byte) []byte {
				limit, answer := 1200, []byte(nil)
				if etherType(f) == etherIPv6 {
					limit = 1280
				}
				if len(f)-14 <= limit || etherType(f) == etherARP {
					passed.Add(1)
					return f
				}
				refused.Add(1)
				p := &peer{end: from, guest: f[6:12]} // what it sends seems to come from the machine's neighbour
				if etherType(f) == etherIPv6 {
					answer = p.packet(peerIP6, addr(f[22:38]), protoICMP6, icmp6(peerIP6, addr(f[22:38]), 2, 0, uint32(limit), f[14:1014]))
				} else {
					if f[20]&0x40 == 0 {
						t.Error("a TCP packet without DF")
					}
					answer = p.packet(peerIP4, addr(f[26:30]), protoICMP, icmp4(3, 4, uint32(limit), f[14:14+28]))
				}
				from.deliver(answer)
				return nil
			}
			twoMachines(t, c, w, job{binary: "web", args: []string{"tcp-echo", ":7000"}},
				job{binary: "wire", args: []string{"dial", to + ":7000", "300000"}}, nil)
			t.Logf("%s: %d packets were too large, %d passed", to, refused.Load(), passed.Load())
			if refused.Load() == 0 || refused.Load() > 200 {
				t.Error("the path was not narrow, or was not learned")
			}
		}
	})
}

// TestWireNobody: an address at which nobody answers, as on Linux: connecting fails after three questions,
// datagrams are lost silently unless their sender wants to hear of errors.
func TestWireNobody(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		for _, to := range []string{"10.9.0.77:80", "[fd00:9::77]:80"} {
			for mode, want := range map[string]string{"dial": "connect: no route to host after 2 to 20 s: true\n",
				"unreachable": "errors wanted: 0 write: <nil>\nerrors wanted: 1 write: no route to host\n"} {
				w := newWire(t, faults{})
				end, flags := w.machine("ip=10.9.0.1/24", "ip6=fd00:9::1/64")
				newPeer(t, w, end, peerIP4)
				ends(t, startMachine(t, c, job{binary: "wire", args: []string{mode, to}, flags: flags}).wait(), 0, want)
			}
		}
	})
}

// TestEthdump: examples/ethdump prints a line for every frame, and its machine answers ARP meanwhile.
func TestEthdump(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		build := goCommand(c.release, "build", "-trimpath", "-o", program(c.release, "ethdump"), ".")
		build.Dir = fromRoot("examples/ethdump")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		g := startGuest(t, c, job{binary: "ethdump", args: []string{"-n", "40"}}, peerIP4)
		g.stdin.Close() // or the command would not end by itself
		strange := netip.MustParseAddr("10.9.0.77")
		for i := 0; i < 3; i++ {
			g.send(g.eth(everyone, etherARP, arp(1, g.peer.end.mac(), peerIP4, make([]byte, 6), guestIP4)))
			g.expect("an ARP reply", func(f []byte) bool { return etherType(f) == etherARP && f[21] == 2 && addr(f[28:32]) == guestIP4 })
		}
		g.send(g.eth(everyone, etherARP, arp(1, g.peer.end.mac(), peerIP4, make([]byte, 6), strange)))
		g.send(g.eth([]byte{2, 0, 0, 0, 0, 99}, 0x88b5, make([]byte, 50)))
		g.send(g.packet(peerIP4, guestIP4, protoUDP, udp(netip.AddrPortFrom(peerIP4, 9), netip.AddrPortFrom(guestIP4, 9), []byte("discard"))))
		until := time.Now().Add(time.Minute)
		for done := false; !done && time.Now().Before(until); {
			g.send(g.eth(everyone, 0x88b6, make([]byte, 46)))
			select {
			case <-g.ended:
				done = true
			case <-time.After(20 * time.Millisecond):
			}
		}
		r := g.endsWell(t)
		text, me, you := string(r.stdout), g.peer.end.mac().String(), fmt.Sprint(g.peer.end.w.ends[0].mac())
		for want, times := range map[string]int{
			"in  " + me + " > ff:ff:ff:ff:ff:ff 42 bytes ARP who has 10.9.0.1? tell 10.9.0.200": 3,
			"out " + you + " > " + me + " 42 bytes ARP 10.9.0.1 is at " + you:                   3,
			"in  " + me + " > ff:ff:ff:ff:ff:ff 42 bytes ARP who has 10.9.0.77? tell":           1,
			"for others " + me + " > 02:00:00:00:00:63 64 bytes type 0x88b5":                    1,
			"in  " + me + " > " + you + " 49 bytes IPv4 10.9.0.200 > 10.9.0.1 protocol 17":      1,
			"out " + you + " > " + me + " 77 bytes IPv4 10.9.0.1 > 10.9.0.200 protocol 1":       1, // nobody listens there
		} {
			if got := strings.Count(text, want); got != times {
				t.Errorf("%d lines with %q: %d", times, want, got)
			}
		}
		if strings.Count(text, "\n") != 41 || t.Failed() {
			t.Errorf("%d lines:\n%s", strings.Count(text, "\n"), text)
		}
	})
}

// TestEthdumpArping is what the README shows: a TAP interface, and the arping of this host.
func TestEthdumpArping(t *testing.T) {
	c := firstConfig(t)
	if _, err := exec.LookPath("arping"); err != nil {
		t.Skip("SKIP: arping is not installed here (apt-get install arping)")
	}
	command := inNamespace(t)
	p := startOwn(t, command(gosolo, "run", "--net", "tap=tap0", "--ip", "10.77.0.2/24", fromRoot("examples/ethdump")), 2*time.Minute)
	if _, err := p.waitLine(p.stdout, "listening\n"); err != nil {
		t.Fatal(err)
	}
	out, err := command("arping", "-c", "3", "-I", "tap0", "10.77.0.2").CombinedOutput()
	if err != nil {
		t.Errorf("arping with Go %s: %v\n%s", c.release, err, out)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if bytes.Count(p.stdout.bytes(), []byte("ARP 10.77.0.2 is at ")) >= 3 {
			break
		}
	}
	p.signal(syscall.SIGTERM)
	r := p.wait()
	for _, want := range []string{"ARP who has 10.77.0.2? tell 10.77.0.1\n", "ARP 10.77.0.2 is at "} {
		if n := strings.Count(string(r.stdout), want); n < 3 {
			t.Errorf("%d lines with %q of 3: %s", n, want, r.report())
		}
	}
}
