// Wire is the guest programs whose other side is a test that sees and sends each Ethernet frame.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"gosolo/progs/prog"
)

func main() {
	prog.Main(map[string]func([]string){
		"ping": pingMain, "dial": dialMain, "unreachable": unreachableMain, "addresses": addressesMain,
		"serve": serveMain, "lookup": lookupMain,
	})
}

// waitForAddress waits until we have an IPv6 address from which to reach to: they are tried for a second.
func waitForAddress(to netip.Addr) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		c, err := net.Dial("udp", netip.AddrPortFrom(to, 9).String()) // sends nothing
		if err == nil {
			c.Close()
			return
		}
	}
}

// pingMain sends echo requests by a ping socket, as an unprivileged ping does, and prints the answers.
func pingMain(args []string) {
	to := netip.MustParseAddr(args[0])
	waitForAddress(to)
	family, protocol, request := syscall.AF_INET, syscall.IPPROTO_ICMP, byte(8)
	var dest syscall.Sockaddr
	if to.Is4() {
		dest = &syscall.SockaddrInet4{Addr: to.As4()}
	} else {
		family, protocol, request = syscall.AF_INET6, syscall.IPPROTO_ICMPV6, 128
		six := &syscall.SockaddrInet6{Addr: to.As16()}
		if i, err := net.InterfaceByName(to.Zone()); err == nil {
			six.ZoneId = uint32(i.Index)
		}
		dest = six
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM, protocol)
	prog.Must(err)
	prog.Must(syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 1}))
	buf := make([]byte, 65536)
	for seq := byte(1); int(seq) <= prog.Int(args, 1, 3); seq++ {
		n, size := -1, 56*int(seq*seq)
		for try := 0; try < 30 && n < 0; try++ { // the wire may lose it, and addresses take their time
			err = syscall.Sendto(fd, append([]byte{request, 0, 0, 0, 0, 0, 0, seq}, make([]byte, size)...), 0, dest)
			if err == nil {
				n, err = receiveAnswer(fd, buf, seq)
			} else {
				time.Sleep(time.Second)
			}
		}
		prog.Check(n > 8, "no answer: %v", err)
		fmt.Println("answer", buf[0], "number", buf[7], "bytes", n-8)
	}
}

// receiveAnswer passes over late answers to earlier requests, which were sent more than once.
func receiveAnswer(fd int, buf []byte, seq byte) (n int, err error) {
	for {
		n, _, err = syscall.Recvfrom(fd, buf, 0)
		if err != nil || (n > 8 && buf[7] >= seq) {
			return n, err
		}
	}
}

// dialMain connects by TCP, sends a pattern, and says how it went.
func dialMain(args []string) {
	waitForAddress(netip.MustParseAddrPort(args[0]).Addr())
	began := time.Now()
	c, err := net.DialTimeout("tcp", args[0], time.Minute)
	var e syscall.Errno
	if errors.As(err, &e) {
		fmt.Println("connect:", e, "after 2 to 20 s:", time.Since(began) > 2*time.Second && time.Since(began) < 20*time.Second)
		return
	}
	prog.Must(err)
	sent := make([]byte, prog.Int(args, 1, 1000))
	prog.Pattern(sent, 5)
	go func() {
		c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	fmt.Println("echoed", len(got), bytes.Equal(got, sent), err)
}

// unreachableMain sends datagrams to an address at which nobody is, once without and once with wanting
// to hear of errors.
func unreachableMain(args []string) {
	waitForAddress(netip.MustParseAddrPort(args[0]).Addr())
	c, err := net.Dial("udp", args[0])
	prog.Must(err)
	level, option := syscall.IPPROTO_IP, syscall.IP_RECVERR
	if strings.HasPrefix(args[0], "[") {
		level, option = syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR
	}
	for _, want := range []int{0, 1} {
		raw, err := c.(*net.UDPConn).SyscallConn()
		prog.Must(err)
		prog.Must(raw.Control(func(fd uintptr) { prog.Must(syscall.SetsockoptInt(int(fd), level, option, want)) }))
		for i := 0; i < 20 && err == nil; i++ {
			_, err = c.Write([]byte("x"))
			if err == nil && want == 0 && i == 6 {
				break
			}
			time.Sleep(time.Second)
		}
		var e syscall.Errno
		if errors.As(err, &e) {
			err = e
		}
		fmt.Println("errors wanted:", want, "write:", err)
	}
}

// addressesMain waits for an address that begins as the argument says, and prints it.
func addressesMain(args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		all, err := net.InterfaceAddrs()
		prog.Must(err)
		for _, a := range all {
			if strings.HasPrefix(a.String(), args[0]) {
				fmt.Println("address", a)
				return
			}
		}
	}
	prog.Check(false, "no address that begins with %s", args[0])
}

// serveMain echoes by TCP and UDP on a port of both families until its input ends, then shows a file.
func serveMain(args []string) {
	l, err := net.Listen("tcp", ":"+args[0])
	prog.Must(err)
	u, err := net.ListenPacket("udp", ":"+args[0])
	prog.Must(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	go func() {
		b := make([]byte, 65536)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo(b[:n], from)
		}
	}()
	fmt.Println("listening")
	_, err = io.Copy(io.Discard, os.Stdin)
	prog.Must(err)
	for _, name := range args[1:] {
		text, err := os.ReadFile(name)
		prog.Must(err)
		os.Stdout.Write(text)
	}
}

// lookupMain asks the name servers of /etc/resolv.conf, when there are some, with Go's own resolver.
func lookupMain(args []string) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile("/etc/resolv.conf")
		prog.Must(err)
		if strings.Contains(string(text), "nameserver ") {
			break
		}
	}
	for _, name := range args {
		got, err := net.LookupHost(name)
		var e *net.DNSError
		if errors.As(err, &e) {
			fmt.Println(name, got, e.Err, "timeout", e.IsTimeout, "temporary", e.IsTemporary, "not found", e.IsNotFound)
			continue
		}
		fmt.Println(name, got, err)
	}
}
