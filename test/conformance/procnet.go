package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Procnet: /proc/net, in the form that programs parse, and that what it counts is what happened.
var procnetChecks = append([]check{
	{"link", procnetLink},
	{"tcp", procnetTCP},
	{"tcp-closing", procnetClosing},
	{"tcp6", procnetTCP6},
	{"udp", procnetUDP},
	{"raw", procnetRaw},
	{"unix", procnetUnix},
	{"packet", procnetPacket},
	{"netlink", procnetNetlink},
	{"snmp", procnetSNMP},
	{"snmp-tcp", procnetSNMPTCP},
	{"snmp-udp", procnetSNMPUDP},
	{"snmp6", procnetSNMP6},
	{"netstat", procnetNetstat},
	{"sockstat", procnetSockstat},
	{"addresses", procnetAddresses},
	{"routes-and-neighbours", procnetRoutes},
	{"groups", procnetGroups},
	{"dev", procnetDev},
	{"many-sockets", procnetMany},
}, interfaceFileChecks...)

func procnetLink(t *T) {
	link, err := os.Readlink("/proc/net")
	t.Must("readlink", err)
	t.Want("/proc/net", link, "self/net")
	names := listedOnce(t, "/proc/"+itoa(os.Getpid())+"/net/")
	for _, name := range []string{"arp", "dev", "dev_mcast", "icmp", "icmp6", "if_inet6", "igmp", "igmp6", "ipv6_route",
		"netlink", "netstat", "packet", "raw", "raw6", "route", "snmp", "snmp6", "sockstat", "sockstat6", "tcp", "tcp6",
		"udp", "udp6", "unix"} {
		t.Want(name+" is listed", names[name], true)
	}
	a, err := os.Stat("/proc/net/tcp")
	t.Must("stat", err)
	b, err := os.Stat("/proc/" + itoa(os.Getpid()) + "/net/tcp")
	t.Must("stat", err)
	t.Want("it is one file", os.SameFile(a, b), true)
}

// hexAddress is an address as the tables have it: words in the order of bytes of this machine.
func hexAddress(a net.Addr) string {
	p := netip.MustParseAddrPort(a.String())
	b := p.Addr().AsSlice()
	s := ""
	for i := 0; i < len(b); i += 4 {
		s += fmt.Sprintf("%02X%02X%02X%02X", b[i+3], b[i+2], b[i+1], b[i])
	}
	return fmt.Sprintf("%s:%04X", s, p.Port())
}

// rows are the lines of a table whose fields at have the values given.
func rows(t *T, path string, where map[int]string) (found [][]string) {
	for _, l := range lines(t, path)[1:] {
		f := strings.Fields(l)
		ok := true
		for i, v := range where {
			ok = ok && i < len(f) && f[i] == v
		}
		if ok {
			found = append(found, f)
		}
	}
	return found
}

// Columns of tables of IP sockets.
const (
	colLocal, colRemote, colState, colQueues, colTimer = 1, 2, 3, 4, 5
	colUID, colInode                                   = 7, 9
)

// oneRow wants just one. Linux's tables may show a socket twice while others come and go beside it.
func oneRow(t *T, path string, where map[int]string) []string {
	r := rows(t, path, where)
	for try := 0; len(r) != 1 && try < 10; try++ {
		r = rows(t, path, where)
	}
	if len(r) != 1 {
		t.Fatalf("%s: %d rows with %v", path, len(r), where)
	}
	return r[0]
}

func inodeOf(t *T, c syscall.Conn) string {
	var st syscall.Stat_t
	raw, err := c.SyscallConn()
	t.Must("SyscallConn", err)
	raw.Control(func(fd uintptr) { t.Must("fstat", syscall.Fstat(int(fd), &st)) })
	return strconv.FormatUint(st.Ino, 10)
}

// eventuallyRow waits until a row is there: a state that the peer's segments bring about.
func eventuallyRow(t *T, path string, where map[int]string) []string {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if r := rows(t, path, where); len(r) == 1 {
			return r[0]
		} else if time.Now().After(end) {
			t.Fatalf("%s: %d rows with %v", path, len(r), where)
		}
	}
}

func connectedPair(t *T, network, address string) (l *net.TCPListener, client, server *net.TCPConn) {
	listener, err := net.Listen(network, address)
	t.Must("listen", err)
	c, err := net.Dial(network, listener.Addr().String())
	t.Must("dial", err)
	s, err := listener.Accept()
	t.Must("accept", err)
	return listener.(*net.TCPListener), c.(*net.TCPConn), s.(*net.TCPConn)
}

func procnetTCP(t *T) {
	const path = "/proc/net/tcp"
	l, c, s := connectedPair(t, "tcp4", "127.0.0.1:0")
	defer l.Close()
	defer c.Close()
	defer s.Close()
	local, peer := hexAddress(c.LocalAddr()), hexAddress(l.Addr())
	r := oneRow(t, path, map[int]string{colLocal: peer, colState: "0A"})
	t.Want("a listener's peer", r[colRemote], "00000000:0000")
	t.Want("its inode", r[colInode], inodeOf(t, l))
	t.Want("its owner", r[colUID], itoa(os.Getuid()))
	t.Want("its columns", len(r), 17)
	t.Want("nobody waits", r[colQueues], "00000000:00000000")
	r = oneRow(t, path, map[int]string{colLocal: local, colRemote: peer})
	t.Want("connected", r[colState], "01")
	t.Want("its inode", r[colInode], inodeOf(t, c))
	t.Want("its columns", len(r), 17)
	_, err := c.Write(make([]byte, 1000))
	t.Must("write", err)
	r = eventuallyRow(t, path, map[int]string{colLocal: peer, colRemote: local, colQueues: "00000000:000003E8"})
	t.Want("the accepted one's inode", r[colInode], inodeOf(t, s))

	f, err := c.File() // a second descriptor
	t.Must("dup", err)
	defer f.Close()
	oneRow(t, path, map[int]string{colLocal: local, colRemote: peer}) // a duplicate is no second one

	waiting, err := net.Dial("tcp4", l.Addr().String())
	t.Must("dial", err)
	defer waiting.Close()
	eventuallyRow(t, path, map[int]string{colLocal: peer, colState: "0A", colQueues: "00000000:00000001"})
	r = oneRow(t, path, map[int]string{colLocal: peer, colRemote: hexAddress(waiting.LocalAddr())})
	t.Want("nobody has accepted it: inode", r[colInode], "0")
	t.Want("width", len(lines(t, path)[1]), 149)

	c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	for err = nil; err == nil; {
		_, err = c.Write(make([]byte, 1<<20)) // until nothing fits any more
	}
	r = oneRow(t, path, map[int]string{colLocal: local, colRemote: peer})
	tx, _, _ := strings.Cut(r[colQueues], ":")
	n, _ := strconv.ParseUint(tx, 16, 64)
	t.Want("bytes that wait to be sent", n > 1000, true)
}

func procnetClosing(t *T) {
	const path = "/proc/net/tcp"
	l, c, s := connectedPair(t, "tcp4", "127.0.0.1:0")
	defer l.Close()
	local, peer := hexAddress(c.LocalAddr()), hexAddress(l.Addr())
	mine, theirs := map[int]string{colLocal: local, colRemote: peer}, map[int]string{colLocal: peer, colRemote: local}
	with := func(m map[int]string, state string) map[int]string {
		return map[int]string{colLocal: m[colLocal], colRemote: m[colRemote], colState: state}
	}
	c.CloseWrite()
	eventuallyRow(t, path, with(mine, "05"))
	r := eventuallyRow(t, path, with(theirs, "08"))
	t.Want("it has a descriptor still", r[colInode], inodeOf(t, s))
	c.Close()
	gone := with(mine, "05") // soon without a descriptor: who polls it may keep it for a moment
	gone[colInode] = "0"
	eventuallyRow(t, path, gone)
	s.Close()
	r = eventuallyRow(t, path, with(mine, "06"))
	t.Want("TIME_WAIT: inode", r[colInode], "0")
	kind, ticks, _ := strings.Cut(r[colTimer], ":")
	left, _ := strconv.ParseInt(ticks, 16, 64)
	t.Want("its timer", kind == "03" && left > 3000 && left <= 6000, true)
	t.Want("the other end is gone", len(rows(t, path, theirs)), 0)
}

func procnetTCP6(t *T) {
	l, c, s := connectedPair(t, "tcp6", "[::1]:0")
	defer l.Close()
	defer c.Close()
	defer s.Close()
	r := oneRow(t, "/proc/net/tcp6", map[int]string{colLocal: hexAddress(l.Addr()), colState: "0A"})
	t.Want("a listener's inode", r[colInode], inodeOf(t, l))
	r = oneRow(t, "/proc/net/tcp6", map[int]string{colLocal: hexAddress(c.LocalAddr()), colRemote: hexAddress(l.Addr())})
	t.Want("connected", r[colState], "01")

	both, err := net.Listen("tcp", "[::]:0") // takes IPv4, too: its connections are in this table
	t.Must("listen", err)
	defer both.Close()
	_, port, _ := net.SplitHostPort(both.Addr().String())
	c4, err := net.Dial("tcp4", "127.0.0.1:"+port)
	t.Must("dial", err)
	defer c4.Close()
	s4, err := both.Accept()
	t.Must("accept", err)
	defer s4.Close()
	p := c4.LocalAddr().(*net.TCPAddr).Port
	mapped := fmt.Sprintf("0000000000000000FFFF00000100007F:%04X", p)
	oneRow(t, "/proc/net/tcp6", map[int]string{colRemote: mapped, colState: "01"})
	oneRow(t, "/proc/net/tcp", map[int]string{colLocal: hexAddress(c4.LocalAddr()), colState: "01"})
}

func procnetUDP(t *T) {
	a, err := net.ListenPacket("udp4", "127.0.0.1:0")
	t.Must("listen", err)
	defer a.Close()
	b, err := net.Dial("udp4", a.LocalAddr().String())
	t.Must("dial", err)
	defer b.Close()
	r := oneRow(t, "/proc/net/udp", map[int]string{colLocal: hexAddress(a.LocalAddr())})
	t.Want("not connected", r[colState]+" "+r[colRemote], "07 00000000:0000")
	t.Want("inode", r[colInode], inodeOf(t, a.(*net.UDPConn)))
	t.Want("columns", len(r), 13)
	t.Want("drops", r[12], "0")
	t.Want("nothing waits", r[colQueues], "00000000:00000000")
	r = oneRow(t, "/proc/net/udp", map[int]string{colLocal: hexAddress(b.LocalAddr())})
	t.Want("connected", r[colState]+" "+r[colRemote], "01 "+hexAddress(a.LocalAddr()))
	t.Must("SetReadBuffer", a.(*net.UDPConn).SetReadBuffer(4096))
	for i := 0; i < 100; i++ {
		b.Write(make([]byte, 1000))
	}
	r = oneRow(t, "/proc/net/udp", map[int]string{colLocal: hexAddress(a.LocalAddr())})
	_, rx, _ := strings.Cut(r[colQueues], ":")
	n, _ := strconv.ParseUint(rx, 16, 64)
	drops, _ := strconv.Atoi(r[12])
	t.Want("bytes that wait", n >= 1000, true)
	t.Want("what found no room", drops > 0 && drops < 100, true)
	six, err := net.ListenPacket("udp6", "[::1]:0")
	t.Must("listen", err)
	defer six.Close()
	r = oneRow(t, "/proc/net/udp6", map[int]string{colLocal: hexAddress(six.LocalAddr())})
	t.Want("inode", r[colInode], inodeOf(t, six.(*net.UDPConn)))
}

func socketInode(t *T, fd int) string { return strconv.FormatUint(fstat(t, fd).Ino, 10) }

func procnetRaw(t *T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMP)
	t.Must("socket", err)
	defer syscall.Close(fd)
	fd6, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMPV6)
	t.Must("socket", err)
	defer syscall.Close(fd6)
	r := oneRow(t, "/proc/net/raw", map[int]string{colInode: socketInode(t, fd)})
	t.Want("the protocol for a port", r[colLocal]+" "+r[colRemote]+" "+r[colState], "00000000:0001 00000000:0000 07")
	r = oneRow(t, "/proc/net/raw6", map[int]string{colInode: socketInode(t, fd6)})
	t.Want("of IPv6", r[colLocal], strings.Repeat("0", 32)+":003A")
}

func procnetUnix(t *T) {
	const path, state, inode = "/proc/net/unix", 5, 6
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", dir+"/s")
	t.Must("listen", err)
	defer l.Close()
	r := oneRow(t, path, map[int]string{inode: inodeOf(t, l.(*net.UnixListener))})
	t.Want("a listener", strings.Join(append(r[2:6:6], r[7:]...), " "), "00000000 00010000 0001 01 "+dir+"/s")
	c, err := net.Dial("unix", dir+"/s")
	t.Must("dial", err)
	defer c.Close()
	r = oneRow(t, path, map[int]string{inode: inodeOf(t, c.(*net.UnixConn))})
	t.Want("connected", strings.Join(r[2:6], " "), "00000000 00000000 0001 03")
	waiting := rows(t, path, map[int]string{inode: "0", 7: dir + "/s"})
	t.Want("not accepted yet", len(waiting) == 1 && waiting[0][state] == "02", true)
	s, err := l.Accept()
	t.Must("accept", err)
	defer s.Close()
	t.Want("accepted", oneRow(t, path, map[int]string{inode: inodeOf(t, s.(*net.UnixConn))})[state], "03")
	f, err := s.(*net.UnixConn).File()
	t.Must("dup", err)
	defer f.Close()
	oneRow(t, path, map[int]string{inode: inodeOf(t, s.(*net.UnixConn))})
	name := "@conformance " + itoa(os.Getpid())
	d, err := net.ListenPacket("unixgram", name)
	t.Must("listen", err)
	defer d.Close()
	r = oneRow(t, path, map[int]string{inode: inodeOf(t, d.(*net.UnixConn))})
	t.Want("datagrams, an abstract name", strings.Join(append(r[4:6:6], r[7:]...), " "), "0002 01 "+name)
}

func procnetPacket(t *T) {
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0x0300)
	t.Must("socket", err)
	defer syscall.Close(fd)
	r := oneRow(t, "/proc/net/packet", map[int]string{8: socketInode(t, fd)})
	t.Want("type, protocol, interface", strings.Join(r[2:6], " "), "3 0003 0 1")
	t.Want("owner", r[7], itoa(os.Getuid()))
}

func procnetNetlink(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: 0x11}))
	name, err := syscall.Getsockname(fd)
	t.Must("getsockname", err)
	r := oneRow(t, "/proc/net/netlink", map[int]string{9: socketInode(t, fd)})
	port := strconv.FormatUint(uint64(name.(*syscall.SockaddrNetlink).Pid), 10)
	t.Want("protocol, port, groups", strings.Join(r[1:4], " "), "0 "+port+" 00000011")
}

// procnetMany: a table longer than any part that is gathered at once has each socket once.
func procnetMany(t *T) {
	const count = 100
	var inodes []string
	for i := 0; i < count; i++ {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		t.Must("listen", err)
		defer l.Close()
		inodes = append(inodes, inodeOf(t, l.(*net.TCPListener)))
		u, err := net.ListenPacket("unixgram", "@conformance many "+itoa(os.Getpid())+" "+itoa(i))
		t.Must("listen", err)
		defer u.Close()
		inodes = append(inodes, inodeOf(t, u.(*net.UnixConn)))
	}
	seen := map[string]int{}
	for _, r := range rows(t, "/proc/net/tcp", map[int]string{colState: "0A"}) {
		seen[r[colInode]]++
	}
	for _, r := range rows(t, "/proc/net/unix", nil) {
		seen[r[6]]++
	}
	for _, inode := range inodes {
		if seen[inode] != 1 {
			t.Errorf("a socket is listed %d times", seen[inode])
		}
	}
}
