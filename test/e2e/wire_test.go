package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wire is an Ethernet segment in this process: its ends are machines and the test itself, and every frame
// passes through here. QEMU's "stream" network hands each frame to a UNIX socket, its length before it.
type wire struct {
	t    *testing.T
	dir  string // short: a socket's path has 108 bytes at most
	mu   sync.Mutex
	ends []*wireEnd
	// what happens to frames between ends; set before the first machine starts
	faults    faults
	cut       atomic.Bool                              // nothing arrives
	intercept func(from *wireEnd, frame []byte) []byte // sees each frame first; nil: goes no further
	pcap      *os.File                                 // [mu] what is sent, for tcpdump; nil: not kept
	lost, doubled, late, spoilt, carried,
	carriedBytes, overrun atomic.Int64
}

// faults are chances in a thousand, for each frame and end that it goes to; the same seed decides the same
// for the n-th frame of an end.
type faults struct {
	seed                      int64
	lose, double, late, spoil int
	lateMax                   time.Duration
}

// wireEnd is where one machine, or the test, is connected.
type wireEnd struct {
	w      *wire
	number int
	chance *rand.Rand // [w.mu]
	out    chan []byte
	take   func(frame []byte) // the test's own end; nil: a machine
}

const frameMax = 65536

func newWire(t *testing.T, f faults) *wire {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &wire{t: t, dir: dir, faults: f}
	if folder := os.Getenv("GOSOLO_PCAP"); folder != "" {
		if w.pcap, err = os.Create(filepath.Join(folder, strings.ReplaceAll(t.Name(), "/", "-")+".pcap")); err != nil {
			t.Fatal(err)
		}
		head := []uint32{0xa1b2c3d4, 4<<16 | 2, 0, 0, frameMax, 1} // version 2.4, Ethernet
		binary.Write(w.pcap, binary.LittleEndian, head)
	}
	return w
}

// record appends a frame to the capture. Called with w.mu held.
func (w *wire) record(frame []byte) {
	if w.pcap == nil {
		return
	}
	now, n := time.Now(), uint32(len(frame))
	binary.Write(w.pcap, binary.LittleEndian, []uint32{uint32(now.Unix()), uint32(now.Nanosecond() / 1000), n, n})
	w.pcap.Write(frame)
}

func (w *wire) newEnd(take func([]byte)) *wireEnd {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.ends) + 1
	e := &wireEnd{w: w, number: n, chance: rand.New(rand.NewSource(w.faults.seed + int64(n))), out: make(chan []byte, 4096), take: take}
	w.ends = append(w.ends, e)
	return e
}

// mac is the address of an end.
func (e *wireEnd) mac() net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, 0, 0, 9, byte(e.number)}
}

// machine makes an end for a machine, and returns the options of `gosolo run` that connect it; words go
// to the kernel's command line (ip=...).
func (w *wire) machine(words ...string) (*wireEnd, []string) {
	w.t.Helper()
	e := w.newEnd(nil)
	path := filepath.Join(w.dir, fmt.Sprint(e.number))
	l, err := net.Listen("unix", path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		l.Close()
		if err == nil {
			go e.feed(c)
			e.drain(c)
		}
	}()
	flags := []string{"--net", "none"}
	for _, arg := range []string{"-netdev", "stream,id=wire,server=off,addr.type=unix,addr.path=" + path,
		"-device", fmt.Sprintf("virtio-net-device,netdev=wire,bus=virtio-mmio-bus.1,mac=%v", e.mac())} {
		flags = append(flags, "--vmm-arg", arg)
	}
	for _, word := range append([]string{"virtio_mmio.device=512@0xfeb00200:6"}, words...) {
		flags = append(flags, "--kernel-arg", word)
	}
	return e, flags
}

// feed sends to the machine what the wire has for it.
func (e *wireEnd) feed(c net.Conn) {
	for frame := range e.out {
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			return
		}
	}
}

// drain takes what the machine sends, until it ends.
func (e *wireEnd) drain(c net.Conn) {
	defer c.Close()
	for {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > frameMax {
			e.w.t.Errorf("QEMU sends a frame of %d bytes", n)
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		e.w.carry(e, frame)
	}
}

// carry takes a frame to all other ends.
func (w *wire) carry(from *wireEnd, frame []byte) {
	if w.intercept != nil {
		if frame = w.intercept(from, frame); frame == nil {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record(frame)
	for _, to := range w.ends {
		if to != from {
			w.decide(to, frame)
		}
	}
}

func (w *wire) decide(to *wireEnd, frame []byte) {
	happens := func(chance int, n *atomic.Int64) bool {
		if to.chance.Intn(1000) >= chance {
			return false
		}
		n.Add(1)
		return true
	}
	if w.cut.Load() || happens(w.faults.lose, &w.lost) {
		return
	}
	if happens(w.faults.spoil, &w.spoilt) {
		frame = append([]byte(nil), frame...)
		frame[14+to.chance.Intn(len(frame)-14)] ^= 1 << to.chance.Intn(8)
	}
	if happens(w.faults.double, &w.doubled) {
		to.deliver(frame)
	}
	if happens(w.faults.late, &w.late) {
		time.AfterFunc(time.Duration(to.chance.Int63n(int64(w.faults.lateMax))), func() { to.deliver(frame) })
		return
	}
	to.deliver(frame)
}

func (e *wireEnd) deliver(frame []byte) {
	e.w.carried.Add(1)
	e.w.carriedBytes.Add(int64(len(frame)))
	if e.take != nil {
		e.take(frame)
		return
	}
	select {
	case e.out <- frame:
	default:
		e.w.overrun.Add(1) // as a switch would
	}
}

func (w *wire) report() string {
	return fmt.Sprintf("%d frames with %d bytes arrived; lost %d, doubled %d, late %d, spoilt %d, overrun %d", w.carried.Load(),
		w.carriedBytes.Load(), w.lost.Load(), w.doubled.Load(), w.late.Load(), w.spoilt.Load(), w.overrun.Load())
}

// twoMachines runs a server and a client on a wire, and demands that both end well; while the client runs,
// meanwhile is called.
func twoMachines(t *testing.T, c config, w *wire, server, client job, meanwhile func(client *running)) {
	t.Helper()
	_, serverFlags := w.machine("ip=10.9.0.1/24", "ip6=fd00:9::1/64")
	_, clientFlags := w.machine("ip=10.9.0.2/24", "ip6=fd00:9::2/64")
	server.flags, client.flags = append(server.flags, serverFlags...), append(client.flags, clientFlags...)
	s := startMachine(t, c, server)
	defer s.stop()
	if _, err := s.waitLine(s.stdout, "listening\n"); err != nil {
		t.Fatal(err)
	}
	p := startMachine(t, c, client)
	if meanwhile != nil {
		meanwhile(p)
	}
	r := p.wait()
	t.Logf("%v; %s", r.took.Round(time.Second), w.report())
	if want := fmt.Sprintf("echoed %s true <nil>\n", client.args[2]); r.code != 0 || r.trouble != "" || string(r.stdout) != want {
		t.Errorf("want %q; %s", want, r.report())
	}
}

// TestWireLoss: 4 MiB (1 MiB by IPv6) there and back over a wire that loses, doubles, delays and spoils
// frames; every byte is compared.
func TestWireLoss(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		for to, bytes := range map[string]string{"10.9.0.1": "4194304", "[fd00:9::1]": "1048576"} {
			w := newWire(t, faults{seed: 20261130, lose: 50, double: 20, late: 50, spoil: 5, lateMax: 20 * time.Millisecond})
			twoMachines(t, c, w, job{binary: "web", args: []string{"tcp-echo", ":7000"}, timeout: 8 * time.Minute},
				job{binary: "wire", args: []string{"dial", to + ":7000", bytes}, timeout: 5 * time.Minute}, nil)
			for what, n := range map[string]*atomic.Int64{"lost": &w.lost, "doubled": &w.doubled, "late": &w.late, "spoilt": &w.spoilt} {
				if n.Load() == 0 {
					t.Errorf("nothing was %s: %s", what, w.report())
				}
			}
		}
	})
}

// TestWireOutage: a connection in the middle of its bytes survives a wire that is cut for GOSOLO_OUTAGE
// (a time; the nightly tests ask for a minute).
func TestWireOutage(t *testing.T) {
	outage, err := time.ParseDuration(setting("GOSOLO_OUTAGE", "6s"))
	if err != nil {
		t.Fatal(err)
	}
	eachConfig(t, func(t *testing.T, c config) {
		w := newWire(t, faults{})
		limit := 2*time.Minute + 4*outage // the wait for the next attempt doubles
		twoMachines(t, c, w, job{binary: "web", args: []string{"tcp-echo", ":7000"}, timeout: limit + 3*time.Minute},
			job{binary: "web", args: []string{"tcp-client", "10.9.0.1:7000", "6000000"}, timeout: limit}, func(p *running) {
				for w.carriedBytes.Load() < 3_000_000 {
					select {
					case <-p.ended:
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
				before := w.carriedBytes.Load()
				w.cut.Store(true)
				time.Sleep(outage)
				select {
				case <-p.ended:
					t.Errorf("the client ended during the outage, %d bytes having been carried before it", before)
				default:
				}
				w.cut.Store(false)
			})
	})
}
