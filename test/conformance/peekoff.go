package main

import (
	"fmt"
	"syscall"
	"time"
)

// SO_PEEK_OFF, by which who peeks goes on where it stopped, and SO_RCVLOWAT of UNIX streams.
var peekoffChecks = []check{
	{"peek-off-values", peekValues},
	{"peek-off-udp", peekUDP},
	{"peek-off-tcp", peekTCP},
	{"peek-off-unix-stream", peekUnixStream},
	{"peek-off-unix-datagram", peekUnixDatagram},
	{"rcvlowat-unix-stream", lowatUnix},
}

const soPeekOff = 42

func peekValues(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		fd := open6(t, syscall.AF_UNIX, kind)
		optWant(t, "SO_PEEK_OFF at first", fd, syscall.SOL_SOCKET, soPeekOff, -1)
		for _, v := range []int{0, 70000, -1} {
			optSet(t, "SO_PEEK_OFF", fd, syscall.SOL_SOCKET, soPeekOff, v)
			optWant(t, "SO_PEEK_OFF", fd, syscall.SOL_SOCKET, soPeekOff, v)
		}
		closeAll(fd)
	}
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	t.Must("netlink", err)
	defer closeAll(fd)
	t.Want("on netlink", setInt(fd, syscall.SOL_SOCKET, soPeekOff, 0), error(syscall.EOPNOTSUPP))
	_, err = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, soPeekOff)
	t.Want("get on netlink", err, error(syscall.EOPNOTSUPP))
}

// peek reads up to n bytes with flags, and demands what comes and where the offset is then.
func peek(t *T, fd, n, flags int, want string, offset int) {
	b := make([]byte, n)
	got, _, err := syscall.Recvfrom(fd, b, flags|syscall.MSG_DONTWAIT)
	text := fmt.Sprintf("%q", b[:min(n, max(got, 0))])
	if err != nil {
		text = err.Error()
	}
	if want != text {
		t.Errorf("%d bytes, flags %#x: %s, want %s", n, flags, text, want)
	}
	optWant(t, "offset after "+want, fd, syscall.SOL_SOCKET, soPeekOff, offset)
}

const (
	peekOnly = syscall.MSG_PEEK
	nothing  = "resource temporarily unavailable"
)

func peekUDP(t *T) {
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	for _, text := range []string{"abcdef", "ghi"} {
		t.Must("send", syscall.Sendto(s, []byte(text), 0, to4(own4, localPort(t, r))))
	}
	peek(t, r, 4, peekOnly, `"abcd"`, -1)
	peek(t, r, 4, peekOnly, `"abcd"`, -1)
	optSet(t, "SO_PEEK_OFF", r, syscall.SOL_SOCKET, soPeekOff, 0)
	peek(t, r, 4, peekOnly, `"abcd"`, 4)
	peek(t, r, 4, peekOnly, `"ef"`, 6)
	peek(t, r, 2, peekOnly, `"gh"`, 8)
	peek(t, r, 9, peekOnly, `"i"`, 9)
	peek(t, r, 9, peekOnly, nothing, 9)
	peek(t, r, 100, 0, `"abcdef"`, 3)
	peek(t, r, 100, peekOnly, nothing, 3)
	optSet(t, "SO_PEEK_OFF", r, syscall.SOL_SOCKET, soPeekOff, 1)
	peek(t, r, 100, peekOnly, `"hi"`, 3)
	peek(t, r, 100, 0, `"ghi"`, 0)
}

func peekTCP(t *T) {
	c, s, closeBoth := tcpPair(t)
	defer closeBoth()
	if _, err := syscall.GetsockoptInt(s, syscall.SOL_SOCKET, soPeekOff); err == syscall.EOPNOTSUPP {
		t.Skipf("TCP has it since Linux 6.9")
	}
	syscall.Write(c, []byte("0123456789"))
	for b, n := make([]byte, 20), 0; n < 10; time.Sleep(time.Millisecond) {
		n, _, _ = syscall.Recvfrom(s, b, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}
	optSet(t, "SO_PEEK_OFF", s, syscall.SOL_SOCKET, soPeekOff, 2)
	peek(t, s, 3, peekOnly, `"234"`, 5)
	peek(t, s, 20, peekOnly, `"56789"`, 10)
	peek(t, s, 5, peekOnly, nothing, 10)
	peek(t, s, 4, 0, `"0123"`, 6)
	peek(t, s, 5, peekOnly, nothing, 6)
	optSet(t, "SO_PEEK_OFF", s, syscall.SOL_SOCKET, soPeekOff, 1)
	peek(t, s, 2, peekOnly, `"56"`, 3)
	peek(t, s, 9, 0, `"456789"`, 0)
	syscall.Shutdown(c, syscall.SHUT_WR)
	waitAtMost(t, patience6, s)
	n, _, err := syscall.Recvfrom(s, make([]byte, 1), syscall.MSG_PEEK)
	t.Want("at the end", fmt.Sprint(n, err), "0 <nil>")
}

func peekUnixStream(t *T) {
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	t.Must("socketpair", err)
	defer closeAll(p[0], p[1])
	optSet(t, "SO_PEEK_OFF", p[1], syscall.SOL_SOCKET, soPeekOff, 0)
	syscall.Write(p[0], []byte("abcd"))
	syscall.Write(p[0], []byte("efgh"))
	peek(t, p[1], 3, peekOnly, `"abc"`, 3)
	peek(t, p[1], 9, peekOnly, `"defgh"`, 8)
	peek(t, p[1], 9, peekOnly, nothing, 8)
	syscall.Write(p[0], []byte("ij"))
	peek(t, p[1], 9, peekOnly, `"ij"`, 10)
	peek(t, p[1], 5, 0, `"abcde"`, 5)
	peek(t, p[1], 9, peekOnly, nothing, 5)
	peek(t, p[1], 2, 0, `"fg"`, 3)
	optSet(t, "SO_PEEK_OFF", p[1], syscall.SOL_SOCKET, soPeekOff, 2)
	peek(t, p[1], 9, peekOnly, `"j"`, 3)
	peek(t, p[1], 9, 0, `"hij"`, 0)
}

func peekUnixDatagram(t *T) {
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		p, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
		t.Must("socketpair", err)
		optSet(t, "SO_PEEK_OFF", p[1], syscall.SOL_SOCKET, soPeekOff, 0)
		syscall.Write(p[0], []byte("abcd"))
		syscall.Write(p[0], []byte("efgh"))
		peek(t, p[1], 3, peekOnly, `"abc"`, 3)
		peek(t, p[1], 9, peekOnly, `"d"`, 4)
		peek(t, p[1], 3, peekOnly, `"efg"`, 7)
		peek(t, p[1], 2, 0, `"ab"`, 3)
		peek(t, p[1], 9, peekOnly, `"h"`, 4)
		closeAll(p[0], p[1])
	}
}

// lowatUnix: a read waits for so many bytes; poll does not.
func lowatUnix(t *T) {
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	t.Must("socketpair", err)
	defer closeAll(p[0], p[1])
	optSet(t, "SO_RCVLOWAT", p[1], syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 6)
	syscall.Write(p[0], []byte("abc"))
	got := make(chan string, 1)
	go func() {
		b := make([]byte, 20)
		n, err := readAgain(p[1], b)
		got <- fmt.Sprintf("%q %v", b[:max(n, 0)], err)
	}()
	select {
	case early := <-got:
		t.Errorf("3 bytes were enough: %s", early)
		return
	case <-time.After(50 * time.Millisecond):
	}
	syscall.Write(p[0], []byte("def"))
	t.Want("read", <-got, `"abcdef" <nil>`)
	syscall.Write(p[0], []byte("xyz"))
	b := make([]byte, 20)
	n, _, err := syscall.Recvfrom(p[1], b, syscall.MSG_DONTWAIT)
	t.Want("not waiting", fmt.Sprintf("%q %v", b[:max(n, 0)], err), `"xyz" <nil>`)
	syscall.Write(p[0], []byte("xyz"))
	n, err = readAgain(p[1], b[:2])
	t.Want("no more room", fmt.Sprintf("%q %v", b[:max(n, 0)], err), `"xy" <nil>`)
}
