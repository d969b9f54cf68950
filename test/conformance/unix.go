package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// AF_UNIX sockets: names, kinds, ends.
var unixChecks = []check{
	{"stream-through-the-tree", unixStreamPath},
	{"abstract-name", unixAbstract},
	{"autobind", unixAutobind},
	{"path-gone-and-stale", unixStalePath},
	{"bind-in-use", unixBindInUse},
	{"connect-wrong-type", unixWrongType},
	{"connect-twice", unixConnectTwice},
	{"backlog-fills", unixBacklog},
	{"listener-closed", unixListenerClosed},
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
	{"shutdown-halves", unixShutdown},
	{"close-with-unread", unixCloseUnread},
	{"eof-after-data", unixEOF},
	{"unconnected", unixUnconnected},
	{"message-too-long", unixTooLong},
	{"poll-bits", unixPollBits},
	{"full-then-writable", unixFull},
	{"fionread", unixQueued},
	{"sendfile", unixSendfile},
	{"copy-between", unixCopy},
	{"many-threads", unixManyThreads},
	{"datagram-timeout", unixTimeout},
	{"rights/every-kind-of-file", rightsKinds},
	{"rights/with-the-first-byte", rightsFirstByte},
	{"rights/many-at-once", rightsMany},
	{"rights/bad-descriptor", rightsBad},
	{"rights/close-on-exec", rightsCloseOnExec},
	{"rights/no-room", rightsNoRoom},
	{"rights/plain-read-drops-them", rightsPlainRead},
	{"rights/peek-copies", rightsPeek},
	{"rights/in-flight-when-closed", rightsInFlight},
	{"rights/unaccepted", rightsUnaccepted},
	{"rights/circle", rightsCircle},
	{"rights/long-chain", rightsChain},
	{"rights/hostile-lengths", rightsHostile},
	{"credentials", credentials},
	{"credentials-asked-late", credentialsLate},
	{"credentials-of-nobody", credentialsForged},
	{"peer-credentials", peerCredentials},
}

// unixPair is two connected sockets, closed by the function returned.
func unixPair(t *T, kind int) (a, b int, done func()) {
	p, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	t.Must("socketpair", err)
	return p[0], p[1], func() { syscall.Close(p[0]); syscall.Close(p[1]) }
}

// unixSocket is a new socket; the caller closes it.
func unixSocket(t *T, kind int) int {
	fd, err := syscall.Socket(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	t.Must("socket", err)
	return fd
}

// unixName is an abstract name of this check's own.
func unixName(t *T, name string) *syscall.SockaddrUnix {
	return &syscall.SockaddrUnix{Name: fmt.Sprintf("@gosolo-%d-%s", os.Getpid(), name)}
}

// unixListen is a socket that listens at a name.
func unixListen(t *T, kind int, name string, backlog int) (fd int, at *syscall.SockaddrUnix) {
	fd, at = unixSocket(t, kind), unixName(t, name)
	t.Must("bind", syscall.Bind(fd, at))
	t.Must("listen", syscall.Listen(fd, backlog))
	return fd, at
}

func unixNonblock(t *T, fds ...int) {
	for _, fd := range fds {
		t.Must("O_NONBLOCK", syscall.SetNonblock(fd, true))
	}
}

// unixWantRead demands what one read gives.
func unixWantRead(t *T, what string, fd, room int, want string, wantErr error) {
	buf := make([]byte, room)
	n, err := syscall.Read(fd, buf)
	if err != wantErr || (err == nil && string(buf[:n]) != want) {
		t.Errorf("%s: read %q, %v; want %q, %v", what, buf[:max(n, 0)], err, want, wantErr)
	}
}

func unixWrite(t *T, fd int, data string) {
	n, err := syscall.Write(fd, []byte(data))
	if err != nil || n != len(data) {
		t.Fatalf("write of %d bytes: %d, %v", len(data), n, err)
	}
}

// unixDir is a new folder, removed by the function returned.
func unixDir(t *T) (string, func()) {
	dir, err := os.MkdirTemp("", "unix")
	t.Must("temporary folder", err)
	return dir, func() { os.RemoveAll(dir) }
}

func unixStreamPath(t *T) {
	dir, done := unixDir(t)
	defer done()
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	t.Must("listen", err)
	info, err := os.Lstat(path)
	t.Must("stat", err)
	t.Want("type", info.Mode().Type(), os.ModeSocket)
	_, err = os.Open(path)
	if !errors.Is(err, syscall.ENXIO) {
		t.Errorf("open of a socket: %v, want ENXIO", err)
	}
	echoed := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(c, c)
			c.Close()
		}
		echoed <- err
	}()
	c, err := net.Dial("unix", path)
	t.Must("dial", err)
	t.Want("remote address", c.RemoteAddr().String(), path)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	go func() {
		c.Write(sent)
		c.(*net.UnixConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	t.Must("read", err)
	t.Want("echo is equal", bytes.Equal(got, sent), true)
	t.Must("the server", <-echoed)
	c.Close()
	t.Must("close", l.Close())
	_, err = os.Lstat(path)
	t.Want("the name is gone", errors.Is(err, os.ErrNotExist), true)
}

func unixAbstract(t *T) {
	l, at := unixListen(t, syscall.SOCK_STREAM, "abstract", 4)
	defer syscall.Close(l)
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Must("connect", syscall.Connect(c, at))
	peer, err := syscall.Getpeername(c)
	t.Must("getpeername", err)
	t.Want("peer", peer.(*syscall.SockaddrUnix).Name, at.Name)
	s, from, err := syscall.Accept(l)
	t.Must("accept", err)
	defer syscall.Close(s)
	t.Want("who calls", from.(*syscall.SockaddrUnix).Name, "@") // as package syscall says it
	own, err := syscall.Getsockname(s)
	t.Must("getsockname", err)
	t.Want("own name", own.(*syscall.SockaddrUnix).Name, at.Name)
	// A NUL more is another name.
	other := &syscall.SockaddrUnix{Name: at.Name + "\x00"}
	d := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(d)
	t.Want("connect to the name and a NUL", syscall.Connect(d, other), error(syscall.ECONNREFUSED))
}

func unixAutobind(t *T) {
	var names [2]string
	for i := range names {
		fd := unixSocket(t, syscall.SOCK_DGRAM)
		defer syscall.Close(fd)
		family := uint16(syscall.AF_UNIX)
		if _, e := call(syscall.SYS_BIND, uintptr(fd), ptr(&family), 2); e != 0 {
			t.Fatalf("bind to nothing: %v", e)
		}
		a, err := syscall.Getsockname(fd)
		t.Must("getsockname", err)
		names[i] = a.(*syscall.SockaddrUnix).Name
		if len(names[i]) != 6 || names[i][0] != '@' || strings.Trim(names[i][1:], "0123456789abcdef") != "" {
			t.Errorf("chosen name %q is not @ and five hex digits", names[i])
		}
	}
	t.Want("two names are one", names[0] == names[1], false)
}

func unixStalePath(t *T) {
	dir, done := unixDir(t)
	defer done()
	at := &syscall.SockaddrUnix{Name: filepath.Join(dir, "s")}
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Want("connect to no file", syscall.Connect(c, at), error(syscall.ENOENT))
	l := unixSocket(t, syscall.SOCK_STREAM)
	t.Must("bind", syscall.Bind(l, at))
	t.Want("connect before listen", syscall.Connect(c, at), error(syscall.ECONNREFUSED))
	t.Must("listen", syscall.Listen(l, 1))
	t.Must("rename", os.Rename(at.Name, at.Name+"2"))
	t.Want("connect to the old name", syscall.Connect(c, at), error(syscall.ENOENT))
	at.Name += "2"
	t.Must("connect to the new name", syscall.Connect(c, at))
	syscall.Close(l)
	d := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(d)
	t.Want("connect to what is left", syscall.Connect(d, at), error(syscall.ECONNREFUSED))
	t.Must("a regular file", os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
	t.Want("connect to a regular file", syscall.Connect(d, &syscall.SockaddrUnix{Name: filepath.Join(dir, "f")}),
		error(syscall.ECONNREFUSED))
}

func unixBindInUse(t *T) {
	dir, done := unixDir(t)
	defer done()
	for _, name := range []string{filepath.Join(dir, "s"), unixName(t, "twice").Name} {
		at := &syscall.SockaddrUnix{Name: name}
		a, b := unixSocket(t, syscall.SOCK_STREAM), unixSocket(t, syscall.SOCK_STREAM)
		t.Must("bind", syscall.Bind(a, at))
		t.Want("bind of another", syscall.Bind(b, at), error(syscall.EADDRINUSE))
		t.Want("bind again", syscall.Bind(a, &syscall.SockaddrUnix{Name: name + "x"}), error(syscall.EINVAL))
		syscall.Close(a)
		want := error(nil)
		if name[0] != '@' {
			want = syscall.EADDRINUSE // the file stays
		}
		t.Want("bind after close", syscall.Bind(b, at), want)
		syscall.Close(b)
	}
	b := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(b)
	t.Want("bind in no folder", syscall.Bind(b, &syscall.SockaddrUnix{Name: dir + "/no/s"}), error(syscall.ENOENT))
}

func unixWrongType(t *T) {
	dir, done := unixDir(t)
	defer done()
	l, abstract := unixListen(t, syscall.SOCK_STREAM, "kind", 1)
	defer syscall.Close(l)
	m := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(m)
	path := &syscall.SockaddrUnix{Name: filepath.Join(dir, "s")}
	t.Must("bind", syscall.Bind(m, path))
	t.Must("listen", syscall.Listen(m, 1))
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		c := unixSocket(t, kind)
		t.Want("connect to a path", syscall.Connect(c, path), error(syscall.EPROTOTYPE))
		// Each type has abstract names of its own.
		t.Want("connect to an abstract name", syscall.Connect(c, abstract), error(syscall.ECONNREFUSED))
		if kind == syscall.SOCK_DGRAM {
			t.Want("sendto a path", syscall.Sendto(c, []byte("x"), 0, path), error(syscall.EPROTOTYPE))
		}
		t.Must("bind to the same abstract name", syscall.Bind(c, abstract))
		syscall.Close(c)
	}
	_, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_RDM, 0)
	t.Want("SOCK_RDM", err, error(syscall.ESOCKTNOSUPPORT))
	_, err = syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 2)
	t.Want("protocol 2", err, error(syscall.EPROTONOSUPPORT))
}

func unixConnectTwice(t *T) {
	l, at := unixListen(t, syscall.SOCK_STREAM, "again", 4)
	defer syscall.Close(l)
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Must("connect", syscall.Connect(c, at))
	t.Want("connect again", syscall.Connect(c, at), error(syscall.EISCONN))
	t.Want("connect of a listener", syscall.Connect(l, at), error(syscall.EINVAL))
	t.Want("listen when connected", syscall.Listen(c, 1), error(syscall.EINVAL))
	_, _, err := syscall.Accept(c)
	t.Want("accept of no listener", err, error(syscall.EINVAL))
	t.Want("sendto of a connected stream", syscall.Sendto(c, []byte("x"), 0, at), error(syscall.EISCONN))
	d := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(d)
	t.Want("listen without a name", syscall.Listen(d, 1), error(syscall.EINVAL))
}

func unixBacklog(t *T) {
	l, at := unixListen(t, syscall.SOCK_STREAM, "backlog", 2)
	defer syscall.Close(l)
	var clients []int
	defer func() {
		for _, c := range clients {
			syscall.Close(c)
		}
	}()
	connect := func() error {
		c := unixSocket(t, syscall.SOCK_STREAM)
		clients = append(clients, c)
		unixNonblock(t, c)
		return syscall.Connect(c, at)
	}
	for i := 0; i < 3; i++ { // one more than the backlog, as on Linux
		t.Must("connect", connect())
	}
	t.Want("connect when it is full", connect(), error(syscall.EAGAIN))
	waits := make(chan error)
	go func() {
		fd := unixSocket(t, syscall.SOCK_STREAM)
		defer syscall.Close(fd)
		waits <- syscall.Connect(fd, at)
	}()
	select {
	case err := <-waits:
		t.Fatalf("a blocking connect did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	s, _, err := syscall.Accept(l)
	t.Must("accept", err)
	syscall.Close(s)
	t.Must("the one that waited", <-waits)
}

func unixListenerClosed(t *T) {
	l, at := unixListen(t, syscall.SOCK_STREAM, "closed", 4)
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Must("connect", syscall.Connect(c, at))
	syscall.Close(l)
	_, err := syscall.Read(c, make([]byte, 1))
	t.Want("read of one never accepted", err, error(syscall.ECONNRESET))
	unixWantRead(t, "then", c, 1, "", nil)
	_, err = syscall.Write(c, []byte("x"))
	t.Want("write", err, error(syscall.EPIPE))
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
	n, _, err := syscall.Recvfrom(b, buf, syscall.MSG_WAITALL)
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

func unixShutdown(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	unixWrite(t, a, "before")
	t.Must("shutdown", syscall.Shutdown(a, syscall.SHUT_WR))
	_, err := syscall.Write(a, []byte("x"))
	t.Want("write", err, error(syscall.EPIPE))
	unixWrite(t, b, "back")
	unixWantRead(t, "other way", a, 9, "back", nil)
	unixWantRead(t, "what came before", b, 9, "before", nil)
	unixWantRead(t, "end", b, 9, "", nil)
	t.Must("shutdown", syscall.Shutdown(a, syscall.SHUT_RD))
	_, err = syscall.Write(b, []byte("x"))
	t.Want("write to who reads no more", err, error(syscall.EPIPE))
	t.Want("how 3", syscall.Shutdown(a, 3), error(syscall.EINVAL))
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Must("shutdown of one that is not connected", syscall.Shutdown(c, syscall.SHUT_RDWR))
}

func unixCloseUnread(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	unixWrite(t, a, "unread")
	syscall.Close(b)
	_, err := syscall.Read(a, make([]byte, 1))
	t.Want("read", err, error(syscall.ECONNRESET))
	unixWantRead(t, "then", a, 1, "", nil)
}

func unixEOF(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET} {
		a, b, done := unixPair(t, kind)
		unixWrite(t, b, "last")
		syscall.Close(b)
		unixWantRead(t, "data", a, 9, "last", nil)
		unixWantRead(t, "end", a, 9, "", nil)
		unixWantRead(t, "end again", a, 9, "", nil)
		_, err := syscall.Write(a, []byte("x"))
		t.Want("write", err, error(syscall.EPIPE))
		done()
	}
}

func unixUnconnected(t *T) {
	for kind, want := range map[int]error{syscall.SOCK_STREAM: syscall.EINVAL, syscall.SOCK_SEQPACKET: syscall.ENOTCONN} {
		c := unixSocket(t, kind)
		unixWantRead(t, "read", c, 1, "", want)
		_, err := syscall.Write(c, []byte("x"))
		t.Want("write", err, error(syscall.ENOTCONN))
		_, err = syscall.Getpeername(c)
		t.Want("getpeername", err, error(syscall.ENOTCONN))
		syscall.Close(c)
	}
}

func unixTooLong(t *T) {
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		a, b, done := unixPair(t, kind)
		t.Must("SO_SNDBUF", syscall.SetsockoptInt(a, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 20_000))
		_, err := syscall.Write(a, make([]byte, 50_000))
		t.Want("write of 50000 bytes", err, error(syscall.EMSGSIZE))
		unixWrite(t, a, strings.Repeat("x", 30_000))
		unixWantRead(t, "30000", b, 40_000, strings.Repeat("x", 30_000), nil)
		done()
	}
}

// unixPoll is what poll says about a descriptor now.
func unixPoll(t *T, fd int) int16 {
	p := struct {
		fd              int32
		events, revents int16
	}{int32(fd), 0x3fff &^ 0x1000, 0}
	e := again(func() (e syscall.Errno) {
		_, e = call(syscall.SYS_POLL, ptr(&p), 1, 0)
		return e
	})
	if e != 0 {
		t.Fatalf("poll: %v", e)
	}
	return p.revents
}

const (
	pollIn    = 0x1 | 0x40
	pollOut   = 0x4 | 0x100 | 0x200
	pollErr   = 0x8
	pollHup   = 0x10
	pollRdhup = 0x2000
)

func unixPollBits(t *T) {
	wantBits := func(what string, fd int, want int16) {
		if got := unixPoll(t, fd); got != want {
			t.Errorf("%s: %#x, want %#x", what, got, want)
		}
	}
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET} {
		c := unixSocket(t, kind)
		wantBits("fresh", c, pollOut|pollHup)
		syscall.Close(c)
		a, b, done := unixPair(t, kind)
		wantBits("connected", a, pollOut)
		unixWrite(t, b, "x")
		wantBits("with data", a, pollIn|pollOut)
		syscall.Shutdown(b, syscall.SHUT_WR)
		wantBits("half closed", a, pollIn|pollOut|pollRdhup)
		wantBits("the half that closed", b, pollOut)
		unixWrite(t, a, "unread")
		syscall.Close(b)
		wantBits("reset", a, pollIn|pollOut|pollRdhup|pollHup|pollErr)
		done()
	}
	l, at := unixListen(t, syscall.SOCK_STREAM, "bits", 1)
	defer syscall.Close(l)
	wantBits("listening", l, 0)
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer syscall.Close(c)
	t.Must("connect", syscall.Connect(c, at))
	wantBits("called", l, pollIn)
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	wantBits("datagram", a, pollOut)
	unixWrite(t, b, "x")
	wantBits("datagram with data", a, pollIn|pollOut)
	syscall.Close(b)
	wantBits("datagram, peer gone", a, pollIn|pollOut)
}

func unixFull(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET, syscall.SOCK_DGRAM} {
		a, b, done := unixPair(t, kind)
		unixNonblock(t, a, b)
		ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		t.Must("epoll", err)
		sent := 0
		for {
			n, err := syscall.Write(a, make([]byte, 3000))
			if err != nil {
				t.Want("write when full", err, error(syscall.EAGAIN))
				break
			}
			sent += n
		}
		e := syscall.EpollEvent{Events: syscall.EPOLLOUT | 1<<31 /* EPOLLET */, Fd: int32(a)}
		t.Must("add", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, a, &e))
		var events [1]syscall.EpollEvent
		if n, _ := syscall.EpollWait(ep, events[:], 0); n != 0 {
			t.Errorf("writable although full: %#x", events[0].Events)
		}
		got := 0
		for buf := make([]byte, 1<<16); ; {
			n, err := syscall.Read(b, buf)
			if err != nil {
				break
			}
			got += n
		}
		t.Want("bytes", got, sent)
		if n, _ := epollWait(ep, events[:], 1000); n != 1 || events[0].Events != syscall.EPOLLOUT {
			t.Errorf("no edge after it was emptied: %d, %#x", n, events[0].Events)
		}
		syscall.Close(ep)
		done()
	}
}

func unixIoctl(fd int, command uintptr) (int32, error) {
	var v int32
	if _, e := call(syscall.SYS_IOCTL, uintptr(fd), command, ptr(&v)); e != 0 {
		return 0, e
	}
	return v, nil
}

func unixQueued(t *T) {
	for kind, want := range map[int]int32{syscall.SOCK_STREAM: 7, syscall.SOCK_SEQPACKET: 7, syscall.SOCK_DGRAM: 3} {
		a, b, done := unixPair(t, kind)
		unixWrite(t, a, "abc")
		unixWrite(t, a, "defg")
		n, err := unixIoctl(b, syscall.TIOCINQ)
		t.Must("FIONREAD", err)
		t.Want("FIONREAD", n, want)
		n, err = unixIoctl(a, syscall.TIOCOUTQ)
		if err != nil || n < 7 {
			t.Errorf("TIOCOUTQ with 7 bytes on the way: %d, %v", n, err)
		}
		syscall.Read(b, make([]byte, 9))
		syscall.Recvfrom(b, make([]byte, 9), syscall.MSG_DONTWAIT)
		n, err = unixIoctl(a, syscall.TIOCOUTQ)
		if err != nil || n != 0 {
			t.Errorf("TIOCOUTQ after all was read: %d, %v", n, err)
		}
		done()
	}
	l, _ := unixListen(t, syscall.SOCK_STREAM, "inq", 1)
	defer syscall.Close(l)
	_, err := unixIoctl(l, syscall.TIOCINQ)
	t.Want("FIONREAD of a listener", err, error(syscall.EINVAL))
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
					t.Errorf("writer %d: %d came after %d", i, j, last[i])
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

func unixTimeout(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	tv := syscall.Timeval{Usec: 30_000}
	t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(a, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv))
	t.Must("SO_SNDTIMEO", syscall.SetsockoptTimeval(b, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &tv))
	start := time.Now()
	_, err := readAgain(a, make([]byte, 1))
	t.Want("read", err, error(syscall.EAGAIN))
	if d := time.Since(start); d < 29*time.Millisecond {
		t.Errorf("waited %v only", d)
	}
	start = time.Now()
	for err = nil; err == nil; {
		err = again(func() error {
			_, err := syscall.Write(b, make([]byte, 4000))
			return err
		})
	}
	t.Want("write", err, error(syscall.EAGAIN))
	if d := time.Since(start); d < 29*time.Millisecond {
		t.Errorf("waited %v only", d)
	}
}
