package main

import (
	"io"
	"net"
	"syscall"
)

// Sockets that share a port, and those that are bound to a device.
var sockoptPortChecks = []check{
	{"reuseport-shares", optReusePort},
	{"reuseport-needs-both", optReusePortBoth},
	{"bind-to-device", optBindToDevice},
}

// optReusePort: listeners at one port share what comes, and each gets some.
func optReusePort(t *T) {
	const listeners, calls = 3, 60
	control := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1) })
		return err
	}}
	addr := "127.0.0.1:0"
	got := make(chan int, calls)
	for i := 0; i < listeners; i++ {
		l, err := control.Listen(noContext, "tcp4", addr)
		t.Must("listen", err)
		defer l.Close()
		addr = l.Addr().String()
		go func(i int) {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
				got <- i
			}
		}(i)
	}
	count := make([]int, listeners)
	for i := 0; i < calls; i++ {
		c, err := net.Dial("tcp4", addr)
		t.Must("dial", err)
		io.ReadAll(c)
		c.Close()
		count[<-got]++
	}
	for i, n := range count {
		if n == 0 {
			t.Errorf("listener %d got none of %d calls: %v", i, calls, count)
		}
	}
}

func optReusePortBoth(t *T) {
	a, doneA := optSocket(t, syscall.SOCK_DGRAM)
	defer doneA()
	b, doneB := optSocket(t, syscall.SOCK_DGRAM)
	defer doneB()
	t.Must("bind", syscall.Bind(a, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(a)
	t.Must("getsockname", err)
	optSet(t, "SO_REUSEPORT", b, syscall.SOL_SOCKET, soReusePort, 1)
	t.Want("one only", syscall.Bind(b, at), error(syscall.EADDRINUSE))
}

func optBindToDevice(t *T) {
	fd, done := optSocket(t, syscall.SOCK_DGRAM)
	defer done()
	t.Want("no such device", syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "nosuch0"), error(syscall.ENODEV))
	t.Must("lo", syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "lo"))
	var name [16]byte
	size := uint32(len(name))
	_, e := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, ptr(&name), ptr(&size))
	t.Want("get", e, syscall.Errno(0))
	t.Want("told", string(name[:size]), "lo\x00")
	optWant(t, "SO_BINDTOIFINDEX", fd, syscall.SOL_SOCKET, 62, 1)
	t.Must("none", syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, ""))
	optWant(t, "SO_BINDTOIFINDEX", fd, syscall.SOL_SOCKET, 62, 0)
}
