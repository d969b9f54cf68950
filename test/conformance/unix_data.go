package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// What AF_UNIX sockets carry: streams, records, datagrams.
var unixDataChecks = []check{
	{"pair-of-each-type", unixPairs},
	{"stream-joins-pieces", unixStreamJoins},
	{"peek-goes-on", unixPeek},
	{"waitall", unixWaitAll},
	{"seqpacket-keeps-records", unixRecords},
	{"empty-datagram", unixEmptyDatagram},
	{"datagram-truncated", unixTruncated},
	{"datagram-by-address", unixDatagramAddress},
	{"datagram-peer-only", unixDatagramPeerOnly},
	{"datagram-peer-gone", unixDatagramPeerGone},
	{"datagram-reconnect", unixReconnect},
	{"sendfile", unixSendfile},
	{"copy-between", unixCopy},
	{"many-threads", unixManyThreads},
}

func unixPairs(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		a, b, done := unixPair(t, kind)
		unixWrite(t, a, "to b")
		unixWrite(t, b, "to a")
		unixWantRead(t, "a", a, 9, "to a", nil)
		unixWantRead(t, "b", b, 9, "to b", nil)
		got, err := syscall.GetsockoptInt(a, syscall.SOL_SOCKET, syscall.SO_TYPE)
		t.Must("SO_TYPE", err)
		t.Want("SO_TYPE", got, kind)
		name, err := syscall.Getpeername(a)
		t.Must("getpeername", err)
		t.Want("peer", name.(*syscall.SockaddrUnix).Name, "@")
		done()
	}
	_, err := syscall.Socketpair(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	t.Want("pair of AF_INET", err, error(syscall.EOPNOTSUPP))
}

func unixStreamJoins(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	for _, s := range []string{"one", "two", "three"} {
		unixWrite(t, a, s)
	}
	unixWantRead(t, "part", b, 4, "onet", nil)
	unixWantRead(t, "rest", b, 100, "wothree", nil)
	if n, err := syscall.Write(a, nil); n != 0 || err != nil {
		t.Errorf("empty write: %d, %v", n, err)
	}
	unixNonblock(t, b)
	unixWantRead(t, "nothing", b, 1, "", syscall.EAGAIN)
}

func unixPeek(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	unixWrite(t, a, "one")
	unixWrite(t, a, "two")
	buf := make([]byte, 5)
	for i := 0; i < 2; i++ {
		n, _, err := syscall.Recvfrom(b, buf, syscall.MSG_PEEK)
		t.Must("peek", err)
		t.Want("peeked", string(buf[:n]), "onetw")
	}
	unixWantRead(t, "read", b, 9, "onetwo", nil)
	c, d, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	unixWrite(t, c, "whole")
	n, _, err := syscall.Recvfrom(d, buf[:2], syscall.MSG_PEEK|syscall.MSG_TRUNC)
	t.Must("peek with MSG_TRUNC", err)
	t.Want("length", n, 5)
	unixWantRead(t, "datagram", d, 9, "whole", nil)
}

func unixWaitAll(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	go func() {
		for _, s := range []string{"ab", "cd", "ef"} {
			time.Sleep(5 * time.Millisecond)
			syscall.Write(a, []byte(s))
		}
	}()
	buf := make([]byte, 6)
	var n int
	var err error
	undisturbed(func() { n, _, err = syscall.Recvfrom(b, buf, syscall.MSG_WAITALL) })
	t.Must("recv", err)
	t.Want("bytes", string(buf[:n]), "abcdef")
	unixWrite(t, a, "xy")
	syscall.Shutdown(a, syscall.SHUT_WR)
	n, _, err = syscall.Recvfrom(b, buf, syscall.MSG_WAITALL)
	t.Must("recv at the end", err)
	t.Want("bytes at the end", string(buf[:n]), "xy")
}

func unixRecords(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_SEQPACKET)
	defer done()
	unixWrite(t, a, "first")
	unixWrite(t, a, "second")
	buf := make([]byte, 3)
	n, _, flags, _, err := syscall.Recvmsg(b, buf, nil, 0)
	t.Must("recvmsg", err)
	t.Want("cut", string(buf[:n]), "fir")
	t.Want("MSG_TRUNC", flags&syscall.MSG_TRUNC, syscall.MSG_TRUNC)
	unixWantRead(t, "next", b, 10, "second", nil)
	n, _, flags, _, err = syscall.Recvmsg(b, buf, nil, syscall.MSG_DONTWAIT)
	t.Want("empty", err, error(syscall.EAGAIN))
	syscall.Shutdown(a, syscall.SHUT_WR)
	unixWantRead(t, "end", b, 1, "", nil)
}

func unixEmptyDatagram(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	unixNonblock(t, b)
	if _, e := call(syscall.SYS_SENDTO, uintptr(a), 0, 0, 0, 0, 0); e != 0 {
		t.Errorf("send of nothing: %v", e)
	}
	unixWrite(t, a, "x")
	unixWantRead(t, "the empty one", b, 9, "", nil)
	unixWantRead(t, "the other", b, 9, "x", nil)
	unixWantRead(t, "none", b, 9, "", syscall.EAGAIN)
}

func unixTruncated(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	unixWrite(t, a, "long one")
	unixWrite(t, a, "long two")
	buf := make([]byte, 4)
	n, _, err := syscall.Recvfrom(b, buf, 0)
	t.Must("recv", err)
	t.Want("length", n, 4)
	n, _, err = syscall.Recvfrom(b, buf, syscall.MSG_TRUNC)
	t.Must("recv", err)
	t.Want("length with MSG_TRUNC", n, 8)
}

func unixDatagramAddress(t *T) {
	a, b := unixSocket(t, syscall.SOCK_DGRAM), unixSocket(t, syscall.SOCK_DGRAM)
	defer syscall.Close(a)
	defer syscall.Close(b)
	atB, atA := unixName(t, "b"), unixName(t, "a")
	t.Must("bind", syscall.Bind(b, atB))
	t.Want("to nobody", syscall.Sendto(a, []byte("x"), 0, unixName(t, "nobody")), error(syscall.ECONNREFUSED))
	t.Want("without a peer", func() error { _, err := syscall.Write(a, []byte("x")); return err }(), error(syscall.ENOTCONN))
	buf := make([]byte, 9)
	for i, want := range []string{"", atA.Name} {
		if i == 1 {
			t.Must("bind", syscall.Bind(a, atA))
		}
		t.Must("sendto", syscall.Sendto(a, []byte("x"), 0, atB))
		_, from, err := syscall.Recvfrom(b, buf, 0)
		t.Must("recvfrom", err)
		got := ""
		if u, ok := from.(*syscall.SockaddrUnix); ok {
			got = u.Name
		}
		t.Want("sender", got, want)
	}
	_, err := syscall.Getpeername(a)
	t.Want("getpeername without a peer", err, error(syscall.ENOTCONN))
	t.Want("listen", syscall.Listen(a, 1), error(syscall.EOPNOTSUPP))
	_, _, err = syscall.Accept(a)
	t.Want("accept", err, error(syscall.EOPNOTSUPP))
}

func unixDatagramPeerOnly(t *T) {
	a, b, c := unixSocket(t, syscall.SOCK_DGRAM), unixSocket(t, syscall.SOCK_DGRAM), unixSocket(t, syscall.SOCK_DGRAM)
	for _, fd := range []int{a, b, c} {
		defer syscall.Close(fd)
	}
	atA, atB := unixName(t, "pa"), unixName(t, "pb")
	t.Must("bind", syscall.Bind(a, atA))
	t.Must("bind", syscall.Bind(b, atB))
	t.Must("connect", syscall.Connect(b, atA))
	t.Want("sendto one that has a peer", syscall.Sendto(c, []byte("x"), 0, atB), error(syscall.EPERM))
	t.Want("connect to one that has a peer", syscall.Connect(c, atB), error(syscall.EPERM))
	t.Must("its peer may", syscall.Sendto(a, []byte("x"), 0, atB))
}

func unixDatagramPeerGone(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	syscall.Close(b)
	_, err := syscall.Write(a, []byte("x"))
	t.Want("first write", err, error(syscall.ECONNREFUSED))
	_, err = syscall.Write(a, []byte("x"))
	t.Want("second write", err, error(syscall.ENOTCONN))
	unixNonblock(t, a)
	unixWantRead(t, "read", a, 1, "", syscall.EAGAIN)
}

func unixReconnect(t *T) {
	a, b, c := unixSocket(t, syscall.SOCK_DGRAM), unixSocket(t, syscall.SOCK_DGRAM), unixSocket(t, syscall.SOCK_DGRAM)
	for _, fd := range []int{a, b, c} {
		defer syscall.Close(fd)
	}
	unixNonblock(t, a, b, c)
	atB, atC := unixName(t, "rb"), unixName(t, "rc")
	t.Must("bind", syscall.Bind(b, atB))
	t.Must("bind", syscall.Bind(c, atC))
	t.Must("connect", syscall.Connect(a, atB))
	unixWrite(t, a, "b")
	t.Must("connect", syscall.Connect(a, atC))
	unixWrite(t, a, "c")
	unixWantRead(t, "b", b, 9, "b", nil)
	unixWantRead(t, "c", c, 9, "c", nil)
	unspec := syscall.RawSockaddrUnix{Family: syscall.AF_UNSPEC}
	if _, e := call(syscall.SYS_CONNECT, uintptr(a), ptr(&unspec), 16); e != 0 {
		t.Errorf("connect to AF_UNSPEC: %v", e)
	}
	_, err := syscall.Write(a, []byte("x"))
	t.Want("write", err, error(syscall.ENOTCONN))
}

func unixSendfile(t *T) {
	f, err := os.CreateTemp("", "send")
	t.Must("file", err)
	defer os.Remove(f.Name())
	defer f.Close()
	data := bytes.Repeat([]byte("sendfile"), 20_000)
	f.Write(data)
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	sent := make(chan error, 1)
	go func() {
		offset := int64(0)
		for offset < int64(len(data)) {
			if _, err := syscall.Sendfile(a, int(f.Fd()), &offset, len(data)); err != nil {
				sent <- err
				return
			}
		}
		sent <- syscall.Shutdown(a, syscall.SHUT_WR)
	}()
	var got []byte
	for buf := make([]byte, 10_000); ; {
		n, err := syscall.Read(b, buf)
		t.Must("read", err)
		if n == 0 {
			break
		}
		got = append(got, buf[:n]...)
	}
	t.Must("sendfile", <-sent)
	t.Want("equal", bytes.Equal(got, data), true)
}

// unixCopy is io.Copy between sockets, which Go tries by splice.
func unixCopy(t *T) {
	dir, done := unixDir(t)
	defer done()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	t.Must("listen", err)
	defer l.Close()
	back, err := net.Listen("tcp", "127.0.0.1:0")
	t.Must("listen", err)
	defer back.Close()
	go func() { // a proxy
		front, err := l.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", back.Addr().String())
		if err != nil {
			return
		}
		io.Copy(to, front)
		to.Close()
		front.Close()
	}()
	c, err := net.Dial("unix", l.Addr().String())
	t.Must("dial", err)
	data := bytes.Repeat([]byte("spliced"), 50_000)
	go func() {
		c.Write(data)
		c.Close()
	}()
	s, err := back.Accept()
	t.Must("accept", err)
	got, err := io.ReadAll(s)
	t.Must("read", err)
	s.Close()
	t.Want("equal", bytes.Equal(got, data), true)
}

func unixManyThreads(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_SEQPACKET)
	defer done()
	const writers, each = 4, 200
	var wg sync.WaitGroup
	for i := 0; i < writers; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for j := 0; j < each; j++ {
				syscall.Write(a, []byte(fmt.Sprintf("%d %d", i, j)))
			}
		}(i)
	}
	go func() { wg.Wait(); syscall.Shutdown(a, syscall.SHUT_WR) }()
	var mu sync.Mutex
	count, last := 0, make([]map[int]int, 2)
	var readers sync.WaitGroup
	for r := range last {
		last[r] = map[int]int{0: -1, 1: -1, 2: -1, 3: -1}
		readers.Add(1)
		go func(last map[int]int) {
			defer readers.Done()
			for buf := make([]byte, 20); ; {
				n, err := syscall.Read(b, buf)
				if n <= 0 || err != nil {
					return
				}
				var i, j int
				fmt.Sscan(string(buf[:n]), &i, &j)
				mu.Lock()
				if j <= last[i] {
					t.Errorf("writer %d: %d came after %d (%q)", i, j, last[i], buf[:n])
				}
				last[i] = j
				count++
				mu.Unlock()
			}
		}(last[r])
	}
	readers.Wait()
	t.Want("messages", count, writers*each)
}
