package main

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Socket options that are to do something: what they do.
var sockoptActChecks = []check{
	{"user-timeout-acts", actUserTimeout},
	{"user-timeout-spares-the-living", actUserTimeoutAlive},
	{"rcvbuf-bounds-what-waits", actReceiveBuffer},
	{"notsent-lowat", actUnsentLowat},
	{"cork-holds-the-rest", actCork},
	{"msg-more-holds", actMore},
	{"defer-accept-ends", actDeferEnds},
	{"rcvlowat-blocks", actLowatBlocks},
	{"bind-to-device-acts", actDevice},
	{"rxq-ovfl", actDropped},
	{"incoming-cpu", actIncomingCPU},
	{"mark-needs-no-more", actMarkTold},
	{"loopback-is-counted", actLoopbackCounted},
}

const (
	tcpUnsentLowat = 25
	soRxqOvfl      = 40
	soIncomingCPU  = 49
)

// actFill writes until there is no more room, and says how much went.
func actFill(t *T, fd int) (total int) {
	unixNonblock(t, fd)
	for quiet := 0; quiet < 20; {
		n, err := syscall.Write(fd, make([]byte, 4096))
		if n > 0 {
			total, quiet = total+n, 0
			continue
		}
		t.Want("write", err, error(syscall.EAGAIN))
		time.Sleep(5 * time.Millisecond)
		quiet++
	}
	return total
}

// actUserTimeout: a peer that never opens its window again is given up, long before the usual time.
func actUserTimeout(t *T) {
	client, _, done := optTCP(t, nil)
	defer done()
	optSet(t, "TCP_USER_TIMEOUT", client, syscall.IPPROTO_TCP, tcpUserTime, 500)
	actFill(t, client)
	start := time.Now()
	for unixPoll(t, client)&pollErr == 0 {
		if time.Since(start) > 60*time.Second {
			t.Fatalf("still there after %v", time.Since(start))
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, err := syscall.Write(client, []byte("x"))
	t.Want("write then", err, error(syscall.ETIMEDOUT))
}

// actUserTimeoutAlive: who is idle, and who answers, is not given up.
func actUserTimeoutAlive(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	optSet(t, "TCP_USER_TIMEOUT", client, syscall.IPPROTO_TCP, tcpUserTime, 200)
	for i := 0; i < 3; i++ {
		unixWrite(t, client, "still")
		unixWantRead(t, "read", server, 9, "still", nil)
		time.Sleep(400 * time.Millisecond)
	}
	t.Want("events", unixPoll(t, client)&(pollErr|pollHup), int16(0))
}

// actReceiveBuffer: the peer may send no more than the buffer takes, and reading makes room again.
func actReceiveBuffer(t *T) {
	queued := func(bytes int) (waits int32, told int) {
		client, server, done := optTCP(t, func(l int) {
			optSet(t, "SO_RCVBUF", l, syscall.SOL_SOCKET, syscall.SO_RCVBUF, bytes)
		})
		defer done()
		sent := actFill(t, client)
		told, err := syscall.GetsockoptInt(server, syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		t.Must("SO_RCVBUF", err)
		waits, err = unixIoctl(server, 0x541b) // FIONREAD
		t.Must("FIONREAD", err)
		buf := make([]byte, 65536)
		for got := 0; got < sent; {
			n, err := syscall.Read(server, buf)
			if n <= 0 {
				t.Fatalf("read after %d of %d bytes: %d, %v", got, sent, n, err)
			}
			got += n
		}
		return waits, told
	}
	small, told := queued(4096)
	if small == 0 || int(small) > told {
		t.Errorf("%d bytes wait in a buffer of %d", small, told)
	}
	if large, _ := queued(65536); large <= small {
		t.Errorf("%d bytes wait in a buffer of 4096, %d in one of 65536", small, large)
	}
}

// actUnsentLowat: a socket with a limit for what is not on its way takes less from its writer.
func actUnsentLowat(t *T) {
	var took [2]int
	for i := range took {
		client, _, done := optTCP(t, nil)
		if i == 1 {
			optSet(t, "TCP_NOTSENT_LOWAT", client, syscall.IPPROTO_TCP, tcpUnsentLowat, 8192)
			optWant(t, "TCP_NOTSENT_LOWAT", client, syscall.IPPROTO_TCP, tcpUnsentLowat, 8192)
		}
		took[i] = actFill(t, client)
		done()
	}
	if took[1] == 0 || took[1] >= took[0] {
		t.Errorf("took %d bytes, and %d with a limit", took[0], took[1])
	}
}

// actCork: a whole segment goes, the rest waits, and goes by itself in the end; NODELAY pushes it.
func actCork(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	mss, err := syscall.GetsockoptInt(client, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG)
	t.Must("TCP_MAXSEG", err)
	optSet(t, "TCP_CORK", client, syscall.IPPROTO_TCP, syscall.TCP_CORK, 1)
	start := time.Now()
	unixWrite(t, client, "held")
	for unixPoll(t, server)&1 == 0 {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("corked bytes never came")
		}
		time.Sleep(time.Millisecond)
	}
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Errorf("corked bytes came after %v", d)
	}
	unixWantRead(t, "read", server, 9, "held", nil)
	unixWrite(t, client, string(bytes.Repeat([]byte("s"), mss))+"rest")
	n, _, err := syscall.Recvfrom(server, make([]byte, mss), syscall.MSG_WAITALL)
	t.Want("a whole segment", n, mss)
	t.Must("receive", err)
	optSet(t, "TCP_NODELAY", client, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	unixWantRead(t, "pushed", server, 9, "rest", nil)
}

// actMore: what is sent with MSG_MORE goes with what follows.
func actMore(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	t.Must("send", syscall.Sendto(client, []byte("one "), 0x8000, nil)) // MSG_MORE
	t.Want("readable", unixPoll(t, server)&1, int16(0))
	unixWrite(t, client, "two")
	unixWantRead(t, "read", server, 9, "one two", nil)
}

// actDeferEnds: a connection that sends nothing can be accepted after the time.
func actDeferEnds(t *T) {
	l, done := optSocket(t, syscall.SOCK_STREAM)
	defer done()
	t.Must("bind", syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	optSet(t, "TCP_DEFER_ACCEPT", l, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 1)
	t.Must("listen", syscall.Listen(l, 4))
	at, err := syscall.Getsockname(l)
	t.Must("getsockname", err)
	silent, closeSilent := optSocket(t, syscall.SOCK_STREAM)
	defer closeSilent()
	t.Must("connect", syscall.Connect(silent, at))
	gone, closeGone := optSocket(t, syscall.SOCK_STREAM)
	t.Must("connect", syscall.Connect(gone, at))
	t.Want("readable at once", unixPoll(t, l)&1, int16(0))
	closeGone() // its end can be read: so it can be accepted
	s, _, err := syscall.Accept4(l, syscall.SOCK_CLOEXEC)
	t.Must("accept", err)
	unixWantRead(t, "the end", s, 9, "", nil)
	syscall.Close(s)
	s, _, err = syscall.Accept4(l, syscall.SOCK_CLOEXEC)
	t.Must("accept after the time", err)
	syscall.Close(s)
}

// actLowatBlocks: a read waits for so many bytes, and one that must not wait takes what is there.
func actLowatBlocks(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	optSet(t, "SO_RCVLOWAT", server, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 6)
	unixWrite(t, client, "abc")
	go func() {
		time.Sleep(30 * time.Millisecond)
		syscall.Write(client, []byte("defghi"))
	}()
	undisturbed(func() { unixWantRead(t, "read of 6 or more", server, 99, "abcdefghi", nil) })
	unixWrite(t, client, "jk")
	unixWantRead(t, "a smaller read", server, 2, "jk", nil)
	unixWrite(t, client, "lm")
	for n := int32(0); n < 2; time.Sleep(time.Millisecond) {
		n, _ = unixIoctl(server, 0x541b)
	}
	unixNonblock(t, server)
	unixWantRead(t, "without waiting", server, 99, "lm", nil)
}

// actDevice: who is bound to another device gets nothing by this one, nor does it get out there.
func actDevice(t *T) {
	bound := func(kind int, device string) (int, syscall.Sockaddr, func()) {
		fd, done := optSocket(t, kind)
		t.Must("device", syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, device))
		t.Must("bind", syscall.Bind(fd, &syscall.SockaddrInet4{}))
		at, err := syscall.Getsockname(fd)
		t.Must("getsockname", err)
		return fd, &syscall.SockaddrInet4{Port: at.(*syscall.SockaddrInet4).Port, Addr: [4]byte{127, 0, 0, 1}}, func() { done() }
	}
	c, doneC := optSocket(t, syscall.SOCK_DGRAM)
	defer doneC()
	here, at, doneHere := bound(syscall.SOCK_DGRAM, "lo")
	defer doneHere()
	t.Must("sendto", syscall.Sendto(c, []byte("by lo"), 0, at))
	unixWantRead(t, "by lo", here, 9, "by lo", nil)
	l, at, doneL := bound(syscall.SOCK_STREAM, "lo")
	defer doneL()
	t.Must("listen", syscall.Listen(l, 1))
	s, doneS := optSocket(t, syscall.SOCK_STREAM)
	defer doneS()
	t.Must("device", syscall.SetsockoptString(s, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "lo"))
	t.Must("connect", syscall.Connect(s, at))
	other := actOtherDevice()
	if other == "" {
		return
	}
	there, at, doneThere := bound(syscall.SOCK_DGRAM, other)
	defer doneThere()
	unixNonblock(t, there)
	syscall.Sendto(c, []byte("by lo"), 0, at)
	time.Sleep(10 * time.Millisecond)
	_, err := syscall.Read(there, make([]byte, 9))
	t.Want("by another device", err, error(syscall.EAGAIN))
	l2, at, doneL2 := bound(syscall.SOCK_STREAM, other)
	defer doneL2()
	t.Must("listen", syscall.Listen(l2, 1))
	s2, doneS2 := optSocket(t, syscall.SOCK_STREAM)
	defer doneS2()
	t.Want("connect by another device", syscall.Connect(s2, at), error(syscall.ECONNREFUSED))
}

func actOtherDevice() string {
	list, _ := net.Interfaces()
	for _, i := range list {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	return ""
}

// actDropped: how many datagrams found no room is told with the next one that did.
func actDropped(t *T) {
	a, b, done := optDatagrams(t, syscall.AF_INET)
	defer done()
	optSet(t, "SO_RXQ_OVFL", b, syscall.SOL_SOCKET, soRxqOvfl, 1)
	optWant(t, "SO_RXQ_OVFL", b, syscall.SOL_SOCKET, soRxqOvfl, 1)
	optSet(t, "SO_RCVBUF", b, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
	const sent = 100
	for i := 0; i < sent; i++ {
		unixWrite(t, a, string(make([]byte, 500)))
	}
	unixNonblock(t, b)
	got, buf, oob := 0, make([]byte, 600), make([]byte, 100)
	for ; ; got++ {
		n, oobn, _, _, err := syscall.Recvmsg(b, buf, oob, 0)
		if err == syscall.EAGAIN {
			break
		}
		t.Must("recvmsg", err)
		t.Want("bytes", n, 500)
		t.Want("told before anything was lost", oobn, 0)
	}
	unixWrite(t, a, "after")
	_, oobn, _, _, err := syscall.Recvmsg(b, buf, oob, 0)
	t.Must("recvmsg", err)
	list, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(list) != 1 || int(list[0].Header.Type) != soRxqOvfl || len(list[0].Data) != 4 {
		t.Fatalf("control: %+v, %v", list, err)
	}
	t.Want("lost", int(*(*uint32)(unsafe.Pointer(&list[0].Data[0]))), sent-got)
}

func actIncomingCPU(t *T) {
	client, server, done := optTCP(t, nil)
	defer done()
	unixWrite(t, client, "x")
	unixWantRead(t, "read", server, 9, "x", nil)
	cpu, err := syscall.GetsockoptInt(server, syscall.SOL_SOCKET, soIncomingCPU)
	if err != nil || cpu < 0 || cpu > 4096 {
		t.Errorf("SO_INCOMING_CPU: %d, %v", cpu, err)
	}
}

// actMarkTold: what needs a capability above 6 does not below.
func actMarkTold(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	optWant(t, "SO_PRIORITY at first", fd, syscall.SOL_SOCKET, syscall.SO_PRIORITY, 0)
	optSet(t, "SO_PRIORITY", fd, syscall.SOL_SOCKET, syscall.SO_PRIORITY, 6)
	optWant(t, "SO_MARK at first", fd, syscall.SOL_SOCKET, syscall.SO_MARK, 0)
}

// actLoopbackCounted: /proc/net/dev counts what the loopback carries, both ways.
func actLoopbackCounted(t *T) {
	count := func() (n [4]int64) { // bytes and packets received, then sent
		for _, line := range strings.Split(contents(t, "/proc/net/dev"), "\n") {
			name, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
			if f := strings.Fields(rest); name == "lo" && len(f) == 16 {
				for i, at := range []int{0, 1, 8, 9} {
					n[i], _ = strconv.ParseInt(f[at], 10, 64)
				}
				return n
			}
		}
		t.Fatalf("no line of lo")
		return n
	}
	a, b, done := optDatagrams(t, syscall.AF_INET)
	defer done()
	before := count()
	for i := 0; i < 10; i++ {
		unixWrite(t, a, strings.Repeat("x", 1000))
		unixWantRead(t, "read", b, 1000, strings.Repeat("x", 1000), nil)
	}
	for i, n := range count() {
		if least := []int64{10_000, 10}[i%2]; n-before[i] < least {
			t.Errorf("column %d grew by %d, want at least %d", i, n-before[i], least)
		}
	}
}
