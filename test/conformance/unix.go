package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// AF_UNIX sockets: names, kinds, ends.
var unixChecks = slices.Concat(unixNameChecks, unixDataChecks, unixStateChecks, unixRightsChecks,
	unixCredentialChecks)

// Names of AF_UNIX sockets, and who is connected by them.
var unixNameChecks = []check{
	{"stream-through-the-tree", unixStreamPath},
	{"abstract-name", unixAbstract},
	{"autobind", unixAutobind},
	{"path-gone-and-stale", unixStalePath},
	{"bind-in-use", unixBindInUse},
	{"connect-wrong-type", unixWrongType},
	{"connect-twice", unixConnectTwice},
	{"backlog-fills", unixBacklog},
	{"listener-closed", unixListenerClosed},
	{"path-asks-for-permission", asRoot(unixPermission)},
	{"queue-counts-messages", unixQueue},
	{"queue-wakes-who-waits", unixQueueWakes},
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
