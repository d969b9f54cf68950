package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// unixPermission: who may not write to a path may not connect or send to it.
func unixPermission(t *T) {
	dir, err := os.MkdirTemp("", "unix")
	t.Must("folder", err)
	defer os.RemoveAll(dir)
	t.Must("chmod", os.Chmod(dir, 0o755))
	for name, kind := range map[string]int{"stream": syscall.SOCK_STREAM, "datagram": syscall.SOCK_DGRAM} {
		path := &syscall.SockaddrUnix{Name: dir + "/" + name}
		l := open6(t, syscall.AF_UNIX, kind)
		t.Must("bind", syscall.Bind(l, path))
		if kind == syscall.SOCK_STREAM {
			t.Must("listen", syscall.Listen(l, 9))
		}
		c := open6(t, syscall.AF_UNIX, kind)
		for _, mode := range []os.FileMode{0o700, 0o755, 0o444} {
			t.Must("chmod", os.Chmod(path.Name, mode))
			asUser(t, 1000, func() {
				t.Want(name+" connect to "+mode.String(), syscall.Connect(c, path), error(syscall.EACCES))
				if kind == syscall.SOCK_DGRAM {
					t.Want("send to "+mode.String(), syscall.Sendto(c, []byte("x"), 0, path), error(syscall.EACCES))
				}
			})
		}
		t.Must("chmod", os.Chmod(path.Name, 0o722))
		asUser(t, 1000, func() { t.Want(name+" connect to what may be written", syscall.Connect(c, path), nil) })
		closeAll(l, c)
	}
}

// asUser runs f with another user's rights to files, on this thread, which is locked.
func asUser(t *T, uid uintptr, f func()) {
	const keep = ^uintptr(0)
	wantErr(t, "seteuid", 0, syscall.SYS_SETRESUID, keep, uid, keep)
	f()
	wantErr(t, "seteuid back", 0, syscall.SYS_SETRESUID, keep, 0, keep)
}

// unixMost is how many messages a datagram socket takes beyond the first one.
func unixMost(t *T) int {
	text, err := os.ReadFile("/proc/sys/net/unix/max_dgram_qlen")
	t.Must("max_dgram_qlen", err)
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	t.Must("max_dgram_qlen", err)
	return n
}

// unixQueue: however small they are, so many messages wait, from whoever is not the peer.
func unixQueue(t *T) {
	most := unixMost(t)
	r, s := open6(t, syscall.AF_UNIX, syscall.SOCK_DGRAM), open6(t, syscall.AF_UNIX, syscall.SOCK_DGRAM)
	other := open6(t, syscall.AF_UNIX, syscall.SOCK_DGRAM)
	defer closeAll(r, s, other)
	t.Must("bind", syscall.Bind(r, &syscall.SockaddrUnix{Name: "@conformance-queue"}))
	to := &syscall.SockaddrUnix{Name: "@conformance-queue"}
	sent := 0
	for ; sent < most+10 && syscall.Sendto(s, []byte("x"), syscall.MSG_DONTWAIT, to) == nil; sent++ {
	}
	t.Want("messages that wait", sent, most+1)
	t.Want("one too many", syscall.Sendto(s, []byte("x"), syscall.MSG_DONTWAIT, to), error(syscall.EAGAIN))
	t.Want("another's", syscall.Sendto(other, nil, syscall.MSG_DONTWAIT, to), error(syscall.EAGAIN))
	t.Must("connect", syscall.Connect(s, to))
	t.Want("connected", syscall.Sendto(s, []byte("x"), syscall.MSG_DONTWAIT, nil), error(syscall.EAGAIN))
	_, err := readAgain(r, make([]byte, 9))
	t.Must("read", err)
	t.Want("after one was read", syscall.Sendto(s, []byte("x"), syscall.MSG_DONTWAIT, nil), nil)
	t.Want("and one more", syscall.Sendto(s, []byte("x"), syscall.MSG_DONTWAIT, nil), error(syscall.EAGAIN))

	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	t.Must("socketpair", err)
	defer closeAll(pair[0], pair[1])
	for sent = 0; sent < most+10 && syscall.Sendto(pair[0], []byte("x"), syscall.MSG_DONTWAIT, nil) == nil; sent++ {
	}
	t.Want("to the peer", sent, most+10)
}

// unixQueueWakes: Go's writers wait for room, by epoll, and get it.
func unixQueueWakes(t *T) {
	r, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@conformance-wakes", Net: "unixgram"})
	t.Must("listen", err)
	defer r.Close()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: "@conformance-wakes", Net: "unixgram"})
	t.Must("dial", err)
	defer c.Close()
	const messages = 300
	failed := make(chan error, 1)
	go func() {
		c.SetWriteDeadline(time.Now().Add(patience6))
		for i := 0; i < messages; i++ {
			if _, err := c.Write([]byte(strconv.Itoa(i))); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	r.SetReadDeadline(time.Now().Add(patience6))
	b := make([]byte, 20)
	for i := 0; i < messages; i++ {
		if i%50 == 0 {
			time.Sleep(5 * time.Millisecond) // until the queue is full
		}
		n, err := r.Read(b)
		t.Must("read", err)
		if string(b[:n]) != strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, b[:n])
		}
	}
	t.Must("write", <-failed)
}
