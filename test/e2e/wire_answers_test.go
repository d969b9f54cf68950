package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What servers answer that lie, are broken or are not servers: DHCP, routers, DNS. The machine counts what
// is wrong, says so in its log now and then, and goes on; when the right answer comes it is taken.

const (
	dhcpDiscover, dhcpOffer, dhcpRequest, dhcpAck, dhcpNak = 1, 2, 3, 5, 6
	dhcpOptionsAt                                          = 240
)

var broadcast4 = netip.MustParseAddr("255.255.255.255")

// dhcpQuestion is what the machine asks.
type dhcpQuestion struct {
	head      []byte // up to the options
	kind      byte
	requested netip.Addr
}

func dhcpOf(f []byte) *dhcpQuestion {
	b := ip4Of(f, protoUDP)
	if len(b) < 8+dhcpOptionsAt || binary.BigEndian.Uint16(b[2:]) != 67 {
		return nil
	}
	q := &dhcpQuestion{head: b[8 : 8+dhcpOptionsAt]}
	for o := b[8+dhcpOptionsAt:]; len(o) > 2 && o[0] != 255; o = o[2+int(o[1]):] {
		switch o[0] {
		case 50:
			q.requested = addr(o[2:6])
		case 53:
			q.kind = o[2]
		}
	}
	return q
}

// question waits for one.
func (p *peer) question(what string) *dhcpQuestion {
	p.t.Helper()
	return dhcpOf(p.expect(what, func(f []byte) bool { return dhcpOf(f) != nil }))
}

// answer is a DHCP message with the type and these options, and an end.
func (q *dhcpQuestion) answer(kind byte, options ...[]byte) []byte {
	m := bytes.Clone(q.head)
	m[0] = 2
	copy(m[16:20], guestIP4.AsSlice())
	m = append(m, 53, 1, kind)
	return append(append(m, bytes.Join(options, nil)...), 255)
}

var (
	dhcpServer = []byte{54, 4, 10, 9, 0, 200}
	dhcpLease  = []byte{51, 4, 0, 0, 0x0e, 0x10}
	dhcpMask   = []byte{1, 4, 255, 255, 255, 0}
	dhcpRouter = []byte{3, 4, 10, 9, 0, 200}
	dhcpDNS    = []byte{6, 4, 10, 9, 0, 200}
)

func (q *dhcpQuestion) good(kind byte) []byte {
	return q.answer(kind, dhcpServer, dhcpLease, dhcpMask, dhcpRouter, dhcpDNS)
}

// sendDHCP sends a message to everybody.
func (p *peer) sendDHCP(message []byte) {
	from, to := netip.AddrPortFrom(peerIP4, 67), netip.AddrPortFrom(broadcast4, 68)
	p.send(p.eth(everyone, etherIPv4, ip4Packet(peerIP4, broadcast4, protoUDP, 0, nil, udp(from, to, message))))
}

// lies are answers that no client may believe.
func (q *dhcpQuestion) lies(kind byte) map[string][]byte {
	with := func(change func(m []byte)) []byte {
		m := q.good(kind)
		change(m)
		return m
	}
	good, n := q.good(kind), len(q.good(kind))
	lies := map[string][]byte{
		"nothing":                    {},
		"cut off in the header":      good[:100],
		"no options":                 good[:dhcpOptionsAt],
		"cut off in an option":       good[:n-3],
		"no end":                     good[:n-1],
		"an option that overruns":    q.answer(kind, dhcpServer, dhcpLease, dhcpMask, []byte{12, 200, 'x'}),
		"a mask of 3 bytes":          q.answer(kind, dhcpServer, dhcpLease, []byte{1, 3, 255, 255, 255}),
		"a router of 5 bytes":        q.answer(kind, dhcpServer, dhcpLease, dhcpMask, []byte{3, 5, 10, 9, 0, 200, 1}),
		"a name server of 7 bytes":   q.answer(kind, dhcpServer, dhcpLease, dhcpMask, []byte{6, 7, 10, 9, 0, 200, 1, 2, 3}),
		"a mask with a hole":         q.answer(kind, dhcpServer, dhcpLease, []byte{1, 4, 255, 0, 255, 0}),
		"no lease":                   q.answer(kind, dhcpServer, dhcpMask, dhcpRouter),
		"a lease of 0":               q.answer(kind, dhcpServer, []byte{51, 4, 0, 0, 0, 0}, dhcpMask),
		"no server":                  q.answer(kind, dhcpLease, dhcpMask),
		"server 0":                   q.answer(kind, []byte{54, 4, 0, 0, 0, 0}, dhcpLease, dhcpMask),
		"a router that is a group":   q.answer(kind, dhcpServer, dhcpLease, dhcpMask, []byte{3, 4, 224, 0, 0, 1}),
		"a strange overload":         q.answer(kind, dhcpServer, dhcpLease, dhcpMask, []byte{52, 1, 77}),
		"overload without an end":    q.answer(kind, dhcpServer, dhcpLease, dhcpMask, []byte{52, 1, 1}),
		"a type that no server says": q.good(99),
		"another question's answer":  with(func(m []byte) { m[4] ^= 1 }),
		"no cookie":                  with(func(m []byte) { m[239] = 0 }),
		"a question":                 with(func(m []byte) { m[0] = 1 }),
	}
	for _, a := range []string{"0.0.0.0", "255.255.255.255", "224.0.0.5", "240.0.0.1", "127.0.0.1", "10.9.0.255", "10.9.0.0"} {
		lies["address "+a] = with(func(m []byte) { copy(m[16:], netip.MustParseAddr(a).AsSlice()) })
	}
	return lies
}

// bind answers as a good server until the machine has its address.
func (p *peer) bind(q *dhcpQuestion) {
	for ; q.kind != dhcpRequest; q = p.question("a request") {
		p.sendDHCP(q.good(dhcpOffer))
	}
	p.sendDHCP(q.good(dhcpAck))
}

// badPackets is what a machine's program has printed of the counter, and how often its log says so.
func badPackets(t *testing.T, r result) (counted, lines int) {
	t.Helper()
	return statistic(t, r, "net_rx_bad"), strings.Count(r.log, "a bad packet was dropped")
}

// statistic is one of the kernel's, of /proc/gosolo/stats as a machine's program has printed it.
func statistic(t *testing.T, r result, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `\s+(\d+)`).FindSubmatch(r.stdout)
	if m == nil {
		t.Fatalf("no %s in %s", name, r.report())
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// TestWireLyingDHCP: a server whose answers are wrong in one way each, then one that refuses everything, and
// at last a good one.
func TestWireLyingDHCP(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		g := startGuestWith(t, c, job{binary: "wire", args: []string{"serve", "7000", "/proc/gosolo/stats"}}, []string{"ip=dhcp"}, peerIP4)
		sent := 0
		q := g.question("a first question")
		for _, kind := range []byte{dhcpOffer, dhcpAck} {
			asked := q.kind
			for what, lie := range q.lies(kind) {
				g.sendDHCP(lie)
				sent++
				if f := g.within(20*time.Millisecond, func(f []byte) bool { return dhcpOf(f) != nil }); f != nil {
					t.Errorf("type %d with %s was answered", kind, what)
				}
			}
			if q = g.question("the same question again"); q.kind != asked {
				t.Errorf("after wrong answers to %d the machine asks %d", asked, q.kind)
			}
			if kind == dhcpOffer {
				g.sendDHCP(q.good(dhcpOffer))
				if q = g.question("a request"); q.kind != dhcpRequest || q.requested != guestIP4 {
					t.Fatalf("after an offer: type %d, address %v", q.kind, q.requested)
				}
			}
		}
		questions := 0
		for end := time.Now().Add(4 * time.Second); time.Now().Before(end); questions++ {
			if q.kind == dhcpRequest {
				g.sendDHCP(q.answer(dhcpNak, dhcpServer))
			} else {
				g.sendDHCP(q.good(dhcpOffer))
			}
			q = g.question("a question after a refusal")
		}
		if questions < 2 || questions > 20 {
			t.Errorf("%d questions in 4 s to a server that refuses", questions)
		}
		for i := 0; i < 2000; i++ { // not only when it is asked
			g.sendDHCP(q.answer(dhcpNak, dhcpServer))
		}
		g.bind(g.question("a question after a storm of refusals"))
		g.pings(peerIP4, guestIP4, 100)
		g.udpEcho(peerIP4, guestIP4)
		g.tcpEcho(peerIP4, guestIP4)
		r := g.endsWell(t)
		counted, lines := badPackets(t, r)
		t.Logf("%d lies, %d questions to a server that refuses; %d counted, %d lines", sent, questions, counted, lines)
		if counted < sent || lines < 1 || lines > 5 || strings.Count(r.log, "net: address") != 1 ||
			!strings.Contains(r.log, "net: address 10.9.0.1 gateway 10.9.0.200") {
			t.Error(r.report())
		}
	})
}

// routerLies are advertisements that no host may believe; each would give an address of its own.
func routerLies(p *peer) map[string][]byte {
	all, group := netip.MustParseAddr("ff02::1"), []byte{0x33, 0x33, 0, 0, 0, 1}
	number := 0
	prefix := func() netip.Addr {
		number++
		return netip.AddrFrom16([16]byte{0xfd, 0, 0, 0xbd, 7: byte(number)})
	}
	from := func(from netip.Addr, hops, code byte, change func(b []byte) []byte) []byte {
		b := change(advertisement(1800, prefix()))
		b[1], b[2], b[3] = code, 0, 0
		binary.BigEndian.PutUint16(b[2:], ^onesSum(b, pseudoSum(from, all, protoICMP6, len(b))))
		return p.ip6(group, from, all, hops, b)
	}
	good := func(change func(b []byte) []byte) []byte { return from(peerLink, 255, 0, change) }
	same := func(b []byte) []byte { return b }
	set := func(at int, value byte) []byte {
		return good(func(b []byte) []byte { b[at] = value; return b })
	}
	return map[string][]byte{
		"from beyond a router":     from(peerLink, 64, 0, same),
		"from a global address":    from(peerIP6, 255, 0, same),
		"with a code":              from(peerLink, 255, 1, same),
		"cut off":                  good(func(b []byte) []byte { return b[:12] }),
		"cut off in an option":     good(func(b []byte) []byte { return b[:30] }),
		"an option without length": set(17, 0),
		"an option that overruns":  set(17, 200),
		"a short prefix option":    good(func(b []byte) []byte { b[17] = 2; return b[:32] }),
		"a prefix of 200 bits":     set(18, 200),
		"a prefix that is a group": set(32, 0xff),
		"a bad option after it":    good(func(b []byte) []byte { return append(b, 1, 0, 0, 0, 0, 0, 0, 0) }),
		"a long link address":      good(func(b []byte) []byte { return append(b, append([]byte{1, 2}, make([]byte, 14)...)...) }),
		"a long MTU":               good(func(b []byte) []byte { return append(b, append([]byte{5, 2}, make([]byte, 14)...)...) }),
	}
}

// TestWireLyingRouter: advertisements that are wrong in one way each give no address and no route; claims to
// the machine's own address do not take it away; then a good router is believed.
func TestWireLyingRouter(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		g := startGuest(t, c, job{binary: "wire", args: []string{"serve", "7000", "/proc/gosolo/stats"}}, peerIP4, peerIP6, peerLink)
		g.pings(peerLink, guestLink, 56)
		lies := routerLies(g.peer)
		for _, lie := range lies {
			for i := 0; i < 3; i++ {
				g.send(lie)
			}
		}
		// A prefix of other than 64 bits is no lie, but gives no address.
		odd := advertisement(1800, netip.MustParseAddr("fd00:0:bd:ff::"))
		odd[18] = 80
		odd[2], odd[3] = 0, 0
		binary.BigEndian.PutUint16(odd[2:], ^onesSum(odd, pseudoSum(peerLink, netip.MustParseAddr("ff02::1"), protoICMP6, len(odd))))
		g.advertise(odd)
		group := netip.MustParseAddr("ff02::1")
		for i := 0; i < 100; i++ { // it is ours, whoever says otherwise
			claim := icmp6(guestLink, group, 136, 0, 0x20000000, append(guestLink.AsSlice(), append([]byte{2, 1}, g.peer.end.mac()...)...))
			g.send(g.ip6([]byte{0x33, 0x33, 0, 0, 0, 1}, guestLink, group, 255, claim))
		}
		tried := g.within(3*time.Second, func(f []byte) bool { // an address is tried before it is used
			b := icmp6Of(f)
			return len(b) >= 24 && b[0] == 135 && addr(f[22:38]).IsUnspecified() && b[8] == 0xfd
		})
		if tried != nil {
			t.Errorf("a lie gave address %v", addr(icmp6Of(tried)[8:24]))
		}
		g.solicits(guestLink)
		g.pings(peerLink, guestLink, 100)
		g.advertise(advertisement(1800, prefix6))
		g.solicits(guestIP6)
		g.pings(peerIP6, guestIP6, 100)
		g.tcpEcho(peerIP6, guestIP6)
		r := g.endsWell(t)
		counted, lines := badPackets(t, r)
		t.Logf("%d lies, %d counted, %d lines", 3*len(lies)+100, counted, lines)
		if counted < 3*len(lies)+100 || lines < 1 || lines > 5 || strings.Count(r.log, "net: address fd00:9::") != 1 ||
			strings.Contains(r.log, "fd00:0:bd") || strings.Contains(r.log, "fd00:bd") || strings.Contains(r.log, "somebody else's") {
			t.Error(r.report())
		}
	})
}

// dnsReply is a reply to a question with one record; answers is what the header says of their number.
func dnsReply(question []byte, flags uint16, answers uint16, record ...byte) []byte {
	b := bytes.Clone(question[:len(question)])
	binary.BigEndian.PutUint16(b[2:], 0x8180|flags)
	binary.BigEndian.PutUint16(b[6:], answers)
	binary.BigEndian.PutUint16(b[8:], 0)
	binary.BigEndian.PutUint16(b[10:], 0)
	return append(b, record...)
}

// dnsQuestion is a query without additional records, its name and type; nil: it is none.
func dnsQuestion(b []byte) (question []byte, name string, kind uint16) {
	if len(b) < 17 {
		return nil, "", 0
	}
	at := 12
	for at < len(b) && b[at] != 0 {
		n := int(b[at])
		if at+1+n >= len(b) {
			return nil, "", 0
		}
		name += string(b[at+1:at+1+n]) + "."
		at += 1 + n
	}
	if at+5 > len(b) {
		return nil, "", 0
	}
	return b[:at+5], name, binary.BigEndian.Uint16(b[at+1:])
}

var dnsAddress = []byte{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 0, 77}

// dnsLies are by the first label of the name. Go's resolver overlooks a reply that it cannot take for its
// own, and asks again after one that makes no sense.
var dnsLies = map[string]func(q []byte) []byte{
	"header":   func(q []byte) []byte { return q[:7] },
	"question": func(q []byte) []byte { return dnsReply(q[:len(q)-3], 0, 0) },
	"loop": func(q []byte) []byte {
		return dnsReply(q, 0, 1, 0xc0, byte(len(q)), 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 0, 66)
	},
	"beyond": func(q []byte) []byte {
		return dnsReply(q, 0, 1, 0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 0, 66)
	},
	"many": func(q []byte) []byte { return dnsReply(q, 0, 0xffff, dnsAddress...) },
	"short": func(q []byte) []byte {
		return dnsReply(q, 0, 1, 0xc0, 12, 0, q[len(q)-3], 0, 1, 0, 0, 0, 60, 0, 3, 10, 9, 0)
	},
	"label": func(q []byte) []byte { return dnsReply(q, 0, 1, 63, 'x') },
	"id": func(q []byte) []byte {
		b := dnsReply(q, 0, 1, dnsAddress...)
		b[0] ^= 0x55
		return b
	},
	"other": func(q []byte) []byte {
		b := dnsReply(q, 0, 1, dnsAddress...)
		b[13] ^= 1
		return b
	},
	"truncated": func(q []byte) []byte { return dnsReply(q, 0x200, 0) },
	"empty":     func(q []byte) []byte { return nil },
}

// TestWireLyingDNS: a Go program resolves names with a server whose first answer to each is wrong, and whose
// second is right. The server's address came by DHCP.
func TestWireLyingDNS(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		w := newWire(t, faults{})
		end, flags := w.machine("ip=dhcp")
		p := newPeer(t, w, end, peerIP4)
		var names []string
		want := ""
		for label := range dnsLies {
			names = append(names, label+".test")
			if label == "short" { // it is the answer, but what it says is none
				want += "short.test [] cannot unmarshal DNS message timeout false temporary false not found false\n"
			} else {
				want += fmt.Sprintf("%s.test [10.9.0.77] <nil>\n", label)
			}
		}
		m := startMachine(t, c, job{binary: "wire", args: append([]string{"lookup"}, names...), flags: flags})
		asked := map[string]int{}
		for running := true; running; {
			select {
			case f := <-p.in:
				p.serveNames(f, asked)
			case <-m.ended:
				running = false
			}
		}
		ends(t, m.wait(), 0, want)
		for label := range dnsLies {
			if asked[label] < 1 {
				t.Errorf("nobody asked for %s", label)
			}
		}
	})
}

// serveNames answers DHCP and DNS: each name first with a lie, and a moment later, or when it is asked again,
// with the truth; and nobody serves DNS by TCP.
func (p *peer) serveNames(f []byte, asked map[string]int) {
	if q := dhcpOf(f); q != nil {
		kind := byte(dhcpOffer)
		if q.kind == dhcpRequest {
			kind = dhcpAck
		}
		p.sendDHCP(q.good(kind))
		return
	}
	if s := payloadOf(f, guestIP4, peerIP4, protoTCP); len(s) >= 20 && s[13]&2 != 0 {
		a, b := netip.AddrPortFrom(peerIP4, 53), netip.AddrPortFrom(guestIP4, binary.BigEndian.Uint16(s))
		p.send(p.packet(peerIP4, guestIP4, protoTCP, segment(a, b, 0, binary.BigEndian.Uint32(s[4:])+1, 0x14, nil, nil)))
		return
	}
	b := payloadOf(f, guestIP4, peerIP4, protoUDP)
	if len(b) < 8 || binary.BigEndian.Uint16(b[2:]) != 53 {
		return
	}
	question, name, kind := dnsQuestion(b[8:])
	label, _, _ := strings.Cut(name, ".")
	if question == nil || dnsLies[label] == nil {
		p.t.Errorf("a strange question: %x", b)
		return
	}
	from, to := netip.AddrPortFrom(peerIP4, 53), netip.AddrPortFrom(guestIP4, binary.BigEndian.Uint16(b))
	truth := dnsReply(question, 0, 1, dnsAddress...)
	if label == "short" { // for both kinds: the resolver tells the error of whichever answer comes last
		truth = dnsLies[label](question)
	} else if kind != 1 { // no addresses of IPv6
		truth = dnsReply(question, 0, 0)
	}
	if kind == 1 {
		asked[label]++
	}
	if kind == 1 && asked[label] == 1 {
		p.send(p.packet(peerIP4, guestIP4, protoUDP, udp(from, to, dnsLies[label](question))))
	}
	p.send(p.packet(peerIP4, guestIP4, protoUDP, udp(from, to, truth)))
}
