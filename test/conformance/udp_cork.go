package main

import (
	"bytes"
	"fmt"
	"syscall"
)

// Datagrams that are made of several writes.
var udpCorkChecks = []check{
	{"more-joins", udpMore},
	{"cork", udpCork},
	{"cork-first-address", udpCorkAddress},
	{"cork-too-much", udpCorkTooMuch},
	{"cork-segments", udpCorkSegments},
	{"cork-closed", udpCorkClosed},
}

const (
	udpCorkOpt  = 1
	msgMore     = 0x8000
	msgDontwait = syscall.MSG_DONTWAIT
)

var udpFamilies = []int{syscall.AF_INET, syscall.AF_INET6}

// udpPairOf is two connected sockets of the loopback.
func udpPairOf(t *T, family int) (a, b int, done func()) {
	if family == syscall.AF_INET {
		return udpPair(t)
	}
	a, b = open6(t, family, syscall.SOCK_DGRAM), open6(t, family, syscall.SOCK_DGRAM)
	t.Must("bind", syscall.Bind(a, to6(own6, 0)))
	t.Must("bind", syscall.Bind(b, to6(own6, 0)))
	t.Must("connect", syscall.Connect(a, to6(own6, localPort(t, b))))
	tv := syscall.Timeval{Sec: int64(patience.Seconds()) / 3}
	t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(b, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv))
	return a, b, func() { closeAll(a, b) }
}

func sendWith(t *T, fd int, text string, flags int) {
	n, err := syscall.SendmsgN(fd, []byte(text), nil, nil, flags)
	if n != len(text) || err != nil {
		t.Errorf("send %q: %d, %v", text, n, err)
	}
}

func nothingCame(t *T, what string, fd int) {
	n, _, err := syscall.Recvfrom(fd, make([]byte, 100), msgDontwait)
	if err != syscall.EAGAIN {
		t.Errorf("%s: %d, %v", what, n, err)
	}
}

func udpMore(t *T) {
	for _, family := range udpFamilies {
		a, b, done := udpPairOf(t, family)
		sendWith(t, a, "one ", msgMore)
		sendWith(t, a, "", msgMore)
		sendWith(t, a, "two ", msgMore)
		nothingCame(t, "before the last", b)
		sendWith(t, a, "three", 0)
		unixWantRead(t, "joined", b, 20, "one two three", nil)
		sendWith(t, a, "four", 0)
		unixWantRead(t, "the next", b, 20, "four", nil)
		// Nothing, in two pieces, is a datagram too.
		sendWith(t, a, "", msgMore)
		nothingCame(t, "before the end", b)
		sendWith(t, a, "", 0)
		unixWantRead(t, "empty", b, 20, "", nil)
		// Taking the cork out sends, whoever put it in.
		sendWith(t, a, "five", msgMore)
		optSet(t, "UDP_CORK off", a, syscall.IPPROTO_UDP, udpCorkOpt, 0)
		unixWantRead(t, "sent by the option", b, 20, "five", nil)
		nothingCame(t, "after all", b)
		done()
	}
}

func udpCork(t *T) {
	for _, family := range udpFamilies {
		a, b, done := udpPairOf(t, family)
		optWant(t, "UDP_CORK at first", a, syscall.IPPROTO_UDP, udpCorkOpt, 0)
		optSet(t, "UDP_CORK", a, syscall.IPPROTO_UDP, udpCorkOpt, 5)
		optWant(t, "UDP_CORK", a, syscall.IPPROTO_UDP, udpCorkOpt, 1)
		for _, text := range []string{"a", "bc", "", "def"} {
			n, err := syscall.Write(a, []byte(text))
			if n != len(text) || err != nil {
				t.Errorf("write: %d, %v", n, err)
			}
		}
		nothingCame(t, "corked", b)
		optSet(t, "UDP_CORK off", a, syscall.IPPROTO_UDP, udpCorkOpt, 0)
		unixWantRead(t, "uncorked", b, 20, "abcdef", nil)
		optSet(t, "UDP_CORK off again", a, syscall.IPPROTO_UDP, udpCorkOpt, 0)
		nothingCame(t, "nothing waited", b)
		sendWith(t, a, "g", 0)
		unixWantRead(t, "without a cork", b, 20, "g", nil)
		done()
	}
}

// udpCorkAddress: where the first piece goes, all of it goes.
func udpCorkAddress(t *T) {
	s, r1, r2 := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM),
		open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(s, r1, r2)
	t.Must("bind", syscall.Bind(r1, to4(own4, 0)))
	t.Must("bind", syscall.Bind(r2, to4(own4, 0)))
	t.Want("nowhere", syscall.Sendto(s, []byte("x"), msgMore, nil), error(syscall.EDESTADDRREQ))
	t.Must("first", syscall.Sendto(s, []byte("first "), msgMore, to4(own4, localPort(t, r1))))
	t.Must("second", syscall.Sendto(s, []byte("second "), msgMore, to4(own4, localPort(t, r2))))
	_, err := syscall.SendmsgN(s, []byte("third"), nil, nil, 0)
	t.Must("third", err)
	wantDatagram(t, "to the first", r1, "first second third")
	wantDatagram(t, "to the second", r2, "")
	t.Must("later", syscall.Sendto(s, []byte("later"), 0, to4(own4, localPort(t, r2))))
	wantDatagram(t, "afterwards", r2, "later")
}

// udpCorkTooMuch: what does not fit takes with it what waited.
func udpCorkTooMuch(t *T) {
	for _, family := range udpFamilies {
		a, b, done := udpPairOf(t, family)
		big := make([]byte, 40_000)
		sendWith(t, a, string(big), msgMore)
		_, err := syscall.SendmsgN(a, big, nil, nil, msgMore)
		t.Want("80000 bytes", err, error(syscall.EMSGSIZE))
		sendWith(t, a, "little", 0)
		unixWantRead(t, "what came after", b, 20, "little", nil)
		sendWith(t, a, string(big), msgMore)
		sendWith(t, a, string(big[:20_000]), 0)
		buf := make([]byte, 70_000)
		n, err := readAgain(b, buf)
		if n != 60_000 || err != nil || !bytes.Equal(buf[:n], make([]byte, n)) {
			t.Errorf("60000 bytes in two pieces: %d, %v", n, err)
		}
		done()
	}
}

func udpCorkSegments(t *T) {
	a, b, done := optDatagrams(t, syscall.AF_INET)
	defer done()
	optSet(t, "UDP_SEGMENT", a, syscall.IPPROTO_UDP, udpSegmentOpt, 3)
	sendWith(t, a, "abcd", msgMore)
	sendWith(t, a, "efgh", 0)
	for _, want := range []string{"abc", "def", "gh"} {
		unixWantRead(t, "cut", b, 20, want, nil)
	}
	nothingCame(t, "no more", b)
}

func udpCorkClosed(t *T) {
	r := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	t.Must("send", syscall.Sendto(s, []byte("never"), msgMore, to4(own4, localPort(t, r))))
	closeAll(s)
	nothingCame(t, "closed", r)
	_, err := syscall.GetsockoptInt(r, syscall.IPPROTO_UDP, udpCorkOpt)
	t.Want(fmt.Sprint("UDP_CORK of the other"), err, error(nil))
}
