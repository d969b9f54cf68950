package main

import (
	"fmt"
	"strings"
	"syscall"
	"unsafe"
)

// Packet filters attached to sockets: classic BPF, as golang.org/x/net, gopacket and DHCP clients use it.
var sockfilterChecks = []check{
	{"filter-udp", filterUDP},
	{"filter-cuts", filterCuts},
	{"filter-judged", filterJudged},
	{"filter-locked", filterLocked},
	{"filter-told", filterTold},
	{"filter-raw", filterRaw},
	{"filter-packet", filterPacket},
	{"filter-facts", filterFacts},
}

const (
	soLockFilter = 44

	bpfLdH   = 0x28
	bpfLdB   = 0x30
	bpfLdW   = 0x20
	bpfJeq   = 0x15
	bpfRet   = 0x06
	bpfRetA  = 0x16
	bpfAdOff = 0xfffff000
	bpfNet   = 0xfff00000
)

func bpf(code uint16, k uint32, jumps ...uint8) syscall.SockFilter {
	i := syscall.SockFilter{Code: code, K: k}
	if len(jumps) == 2 {
		i.Jt, i.Jf = jumps[0], jumps[1]
	}
	return i
}

func attach(fd int, program ...syscall.SockFilter) error {
	p := syscall.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER, ptr(&p), unsafe.Sizeof(p))
	if e != 0 {
		return e
	}
	return nil
}

// keep accepts packets with a byte at an offset, and so much of them.
func keep(at uint32, want byte, bytes uint32) []syscall.SockFilter {
	return []syscall.SockFilter{
		bpf(bpfLdB, at),
		bpf(bpfJeq, uint32(want), 0, 1),
		bpf(bpfRet, bytes),
		bpf(bpfRet, 0),
	}
}

// filterUDP: the filter sees the datagram from UDP's header on.
func filterUDP(t *T) {
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		own := syscall.Sockaddr(to4(own4, 0))
		if family == syscall.AF_INET6 {
			own = to6(own6, 0)
		}
		r, s := open6(t, family, syscall.SOCK_DGRAM), open6(t, family, syscall.SOCK_DGRAM)
		if err := syscall.Bind(r, own); err == syscall.EADDRNOTAVAIL {
			closeAll(r, s)
			continue
		}
		to, err := syscall.Getsockname(r)
		t.Must("getsockname", err)
		t.Must("attach", attach(r, keep(8, 'y', 1<<16)...))
		send := func(texts ...string) {
			for _, text := range texts {
				t.Must("send", syscall.Sendto(s, []byte(text), 0, to))
			}
		}
		send("no", "yes", "", "neither", "yet")
		wantDatagram(t, "wanted", r, "yes")
		wantDatagram(t, "wanted, too", r, "yet")
		wantDatagram(t, "no more", r, "")
		t.Must("another", attach(r, keep(8, 'n', 1<<16)...))
		send("yes", "no")
		wantDatagram(t, "by the new filter", r, "no")
		t.Must("detach", setInt(r, syscall.SOL_SOCKET, syscall.SO_DETACH_FILTER, 0))
		send("anything")
		wantDatagram(t, "without filter", r, "anything")
		t.Want("nothing to detach", setInt(r, syscall.SOL_SOCKET, syscall.SO_DETACH_FILTER, 0), error(syscall.ENOENT))
		closeAll(r, s)
	}
}

// filterCuts: the filter says how much is kept, UDP's header included, which always is.
func filterCuts(t *T) {
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	to := to4(own4, localPort(t, r))
	for bytes, want := range map[uint32]string{1: "", 8: "", 9: "a", 12: "abcd", 14: "abcdef", 1000: "abcdef"} {
		t.Must("attach", attach(r, bpf(bpfRet, bytes)))
		t.Must("send", syscall.Sendto(s, []byte("abcdef"), 0, to))
		waitAtMost(t, patience6, r)
		b := make([]byte, 100)
		n, _, err := syscall.Recvfrom(r, b, 0)
		if err != nil || string(b[:max(n, 0)]) != want {
			t.Errorf("%d bytes kept: %q, %v; want %q", bytes, b[:max(n, 0)], err, want)
		}
	}
}

// filterJudged: what is no program that may run.
func filterJudged(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	long := make([]syscall.SockFilter, 4097)
	for i := range long {
		long[i] = bpf(bpfRet, 1)
	}
	for _, c := range []struct {
		what    string
		program []syscall.SockFilter
		good    bool
	}{
		{"no return", []syscall.SockFilter{bpf(bpfLdB, 0)}, false},
		{"a jump out of it", []syscall.SockFilter{bpf(bpfJeq, 0, 1, 0), bpf(bpfRet, 0)}, false},
		{"a jump to its end", []syscall.SockFilter{bpf(bpfJeq, 0, 0, 0), bpf(bpfRet, 0)}, true},
		{"an endless one", []syscall.SockFilter{bpf(0x05, 0xffffffff), bpf(bpfRet, 0)}, false},
		{"division by 0", []syscall.SockFilter{bpf(0x34, 0), bpf(bpfRet, 0)}, false},
		{"a shift by 32", []syscall.SockFilter{bpf(0x64, 32), bpf(bpfRet, 0)}, false},
		{"memory word 16", []syscall.SockFilter{bpf(0x02, 16), bpf(bpfRet, 0)}, false},
		{"memory that nobody wrote", []syscall.SockFilter{bpf(0x60, 1), bpf(bpfRet, 0)}, false},
		{"memory that was written", []syscall.SockFilter{bpf(0x02, 1), bpf(0x60, 1), bpf(bpfRet, 0)}, true},
		{"memory written on one way only", []syscall.SockFilter{bpf(bpfJeq, 0, 0, 1), bpf(0x02, 1), bpf(0x60, 1), bpf(bpfRet, 0)}, false},
		{"return of X", []syscall.SockFilter{bpf(0x0e, 0)}, false},
		{"an unknown code", []syscall.SockFilter{bpf(0x1ff, 0), bpf(bpfRet, 0)}, false},
		{"an unknown fact", []syscall.SockFilter{bpf(bpfLdW, 0xfffff000+0x50), bpf(bpfRet, 0)}, false},
		{"4096 instructions", long[:4096], true},
		{"4097 instructions", long, false},
	} {
		err := attach(fd, c.program...)
		if err == syscall.ENOMEM && len(c.program) == 4096 {
			continue // Linux's optmem_max was smaller once
		}
		if c.good {
			t.Want(c.what, err, nil)
		} else {
			t.Want(c.what, err, error(syscall.EINVAL))
		}
	}
	program := []syscall.SockFilter{bpf(bpfRet, 1)}
	for what, c := range map[string]struct {
		p     syscall.SockFprog
		bytes uintptr
		want  syscall.Errno
	}{
		"no instructions": {syscall.SockFprog{Filter: &program[0]}, 16, syscall.EINVAL},
		"nowhere":         {syscall.SockFprog{Len: 1}, 16, syscall.EINVAL},
		"too short":       {syscall.SockFprog{Len: 1, Filter: &program[0]}, 15, syscall.EINVAL},
		"too long":        {syscall.SockFprog{Len: 1, Filter: &program[0]}, 24, syscall.EINVAL},
	} {
		p := [2]syscall.SockFprog{c.p}
		_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER, ptr(&p), c.bytes)
		t.Want(what, e, c.want)
	}
	_, e := call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER, badPointer, 16)
	t.Want("a bad pointer", e, syscall.EFAULT)
	bad := [2]uintptr{1, badPointer}
	_, e = call(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER, ptr(&bad), 16)
	t.Want("a bad pointer to instructions", e, syscall.EFAULT)
}

func filterLocked(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	optWant(t, "SO_LOCK_FILTER at first", fd, syscall.SOL_SOCKET, soLockFilter, 0)
	t.Must("attach", attach(fd, bpf(bpfRet, 1)))
	optSet(t, "SO_LOCK_FILTER", fd, syscall.SOL_SOCKET, soLockFilter, 7)
	optWant(t, "SO_LOCK_FILTER", fd, syscall.SOL_SOCKET, soLockFilter, 1)
	t.Want("unlock", setInt(fd, syscall.SOL_SOCKET, soLockFilter, 0), error(syscall.EPERM))
	t.Want("another", attach(fd, bpf(bpfRet, 1)), error(syscall.EPERM))
	t.Want("detach", setInt(fd, syscall.SOL_SOCKET, syscall.SO_DETACH_FILTER, 0), error(syscall.EPERM))
	optSet(t, "SO_LOCK_FILTER again", fd, syscall.SOL_SOCKET, soLockFilter, 1)
}

// filterTold: SO_GET_FILTER's length counts instructions.
func filterTold(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	get := func(room uint32) (program [8]syscall.SockFilter, count uint32, e syscall.Errno) {
		count = room
		_, e = call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER, ptr(&program), ptr(&count))
		return program, count, e
	}
	_, n, e := get(8)
	t.Want("without one", [2]any{n, e}, [2]any{uint32(0), syscall.Errno(0)})
	mine := keep(8, 'y', 5)
	t.Must("attach", attach(fd, mine...))
	_, n, e = get(0)
	t.Want("the count", [2]any{n, e}, [2]any{uint32(4), syscall.Errno(0)})
	_, _, e = get(3)
	t.Want("too little room", e, syscall.EINVAL)
	got, n, e := get(8)
	if e != 0 || n != 4 || fmt.Sprint(got[:4]) != fmt.Sprint(mine) {
		t.Errorf("%d instructions, %v, %v", n, got, e)
	}
}

// filterRaw: IPv4's raw sockets see the IP header.
func filterRaw(t *T) {
	fd := openRaw(t, syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	defer closeAll(fd)
	t.Must("attach", attach(fd, bpf(0xb1, 0), // X is the header's length
		bpf(0x48, 4), // the identifier
		bpf(bpfJeq, 0x6f7a, 0, 3),
		bpf(0x50, 0), // the type
		bpf(bpfJeq, 0, 0, 1),
		bpf(bpfRet, 30),
		bpf(bpfRet, 0)))
	for _, id := range []uint16{0x6f7b, 0x6f7a} {
		t.Must("send", syscall.Sendto(fd, echo(8, id, 1, "echo"), 0, to4(own4, 0)))
	}
	waitAtMost(t, patience6, fd)
	b := make([]byte, 100)
	n, _, err := syscall.Recvfrom(fd, b, 0)
	if err != nil || n != 30 || b[20] != 0 || string(b[28:30]) != "ec" {
		t.Errorf("%d bytes, % x, %v", n, b[:max(n, 0)], err)
	}
	wantDatagram(t, "no other", fd, "")
}

// udpProgram wants IPv4's UDP datagrams to a port; head is the length of what comes before IP.
func udpProgram(port int, head, bytes uint32) []syscall.SockFilter {
	return []syscall.SockFilter{
		bpf(bpfLdB, head+9),
		bpf(bpfJeq, syscall.IPPROTO_UDP, 0, 4),
		bpf(0xb1, head),
		bpf(0x48, head+2),
		bpf(bpfJeq, uint32(port), 0, 1),
		bpf(bpfRet, bytes),
		bpf(bpfRet, 0),
	}
}

// filterPacket: what tcpdump does, with and without the Ethernet header.
func filterPacket(t *T) {
	for _, kind := range []int{syscall.SOCK_RAW, syscall.SOCK_DGRAM} {
		fd := openRaw(t, syscall.AF_PACKET, kind, int(swapped(ethIP)))
		r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
		t.Must("bind", syscall.Bind(r, to4(own4, 0)))
		port := localPort(t, r)
		head := uint32(0)
		if kind == syscall.SOCK_RAW {
			head = 14
		}
		t.Must("attach", attach(fd, udpProgram(port, head, head+20+8+4)...))
		// What came before the filter did is thrown away.
		for b := make([]byte, 100); ; {
			if _, _, err := syscall.Recvfrom(fd, b, syscall.MSG_DONTWAIT); err != nil {
				break
			}
		}
		t.Must("send to another port", syscall.Sendto(s, []byte("other"), 0, to4(own4, 9)))
		t.Must("send", syscall.Sendto(s, []byte("captured"), 0, to4(own4, port)))
		b := make([]byte, 200)
		waitAtMost(t, patience6, fd)
		n, _, err := syscall.Recvfrom(fd, b, syscall.MSG_TRUNC)
		want := int(head) + 32
		if err != nil || n != want || string(b[n-4:n]) != "capt" {
			t.Errorf("kind %d: %d bytes, % x, %v; want %d", kind, n, b[:max(n, 0)], err, want)
		}
		wantDatagram(t, "no other frame", fd, "")
		closeAll(fd, r, s)
	}
}

// filterFacts: what is known of a packet besides its bytes, and bytes counted from IP's header.
func filterFacts(t *T) {
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	to := to4(own4, localPort(t, r))
	for _, c := range []struct {
		what    string
		program []syscall.SockFilter
		value   uint32
	}{
		{"protocol", []syscall.SockFilter{bpf(bpfLdW, bpfAdOff+0)}, ethIP},
		{"kind of packet", []syscall.SockFilter{bpf(bpfLdW, bpfAdOff+4)}, 0},
		{"interface", []syscall.SockFilter{bpf(bpfLdW, bpfAdOff+8)}, 1},
		{"hardware", []syscall.SockFilter{bpf(bpfLdW, bpfAdOff+28)}, 772},
		{"a VLAN tag", []syscall.SockFilter{bpf(bpfLdW, bpfAdOff+48)}, 0},
		{"IP's first byte", []syscall.SockFilter{bpf(bpfLdB, bpfNet)}, 0x45},
		{"IP's protocol", []syscall.SockFilter{bpf(bpfLdB, bpfNet+9)}, syscall.IPPROTO_UDP},
		{"the length", []syscall.SockFilter{bpf(0x80, 0)}, 8 + 5},
	} {
		t.Must("attach", attach(r, append(c.program, bpf(bpfJeq, c.value, 0, 1), bpf(bpfRet, 100), bpf(bpfRet, 9))...))
		t.Must("send", syscall.Sendto(s, []byte("whole"), 0, to))
		b := make([]byte, 100)
		waitAtMost(t, patience6, r)
		n, _, err := syscall.Recvfrom(r, b, 0)
		if err != nil || string(b[:n]) != "whole" {
			t.Errorf("%s is not %#x: %q, %v", c.what, c.value, b[:max(n, 0)], err)
		}
	}
	// A load past the end, and a division by X that is 0, end the program: nothing is kept.
	for _, program := range [][]syscall.SockFilter{
		{bpf(bpfLdW, 10), bpf(bpfRet, 100)},
		{bpf(0x01, 0), bpf(0x3c, 0), bpf(bpfRet, 100)},
	} {
		t.Must("attach", attach(r, program...))
		t.Must("send", syscall.Sendto(s, []byte("whole"), 0, to))
		wantDatagram(t, strings.TrimSpace(fmt.Sprint(program)), r, "")
	}
}
