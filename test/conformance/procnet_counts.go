package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// counts are the columns of snmp and netstat, by "Protocol.Name"; of snmp6 and its like by name.
func counts(t *T, path string) map[string]int64 {
	m := map[string]int64{}
	all := lines(t, path)
	for i := 0; i+1 < len(all); i += 2 {
		name, columns, ok := strings.Cut(all[i], ": ")
		again, values, _ := strings.Cut(all[i+1], ": ")
		c, v := strings.Fields(columns), strings.Fields(values)
		if !ok || name != again || len(c) != len(v) {
			t.Fatalf("%s: %q and %q do not fit", path, all[i], all[i+1])
		}
		for k := range c {
			m[name+"."+c[k]] = number(t, c[k], v[k])
		}
	}
	return m
}

func pairs(t *T, path string) map[string]int64 {
	m := map[string]int64{}
	for _, l := range lines(t, path) {
		if f := strings.Fields(l); len(f) == 2 {
			m[f[0]] = number(t, f[0], f[1])
		} else {
			t.Errorf("%s: %q", path, l)
		}
	}
	return m
}

// rose wants each to have grown by at least so much: others may use the same network.
func rose(t *T, before, after map[string]int64, least map[string]int64) {
	for name, n := range least {
		if _, ok := before[name]; !ok && !strings.HasPrefix(name, "IcmpMsg.") { // those that there were
			t.Errorf("no %s", name)
		} else if after[name]-before[name] < n {
			t.Errorf("%s rose by %d, want at least %d", name, after[name]-before[name], n)
		}
	}
}

func procnetSNMP(t *T) {
	m := counts(t, "/proc/net/snmp")
	for _, name := range []string{"Ip.InReceives", "Ip.InDelivers", "Ip.ReasmTimeout", "Ip.FragCreates", "Icmp.InMsgs",
		"Icmp.InCsumErrors", "Icmp.OutDestUnreachs", "Tcp.InErrs", "Tcp.OutRsts", "Tcp.InCsumErrors", "Udp.InErrors",
		"Udp.RcvbufErrors", "Udp.InCsumErrors", "Udp.IgnoredMulti", "UdpLite.InDatagrams"} {
		if _, ok := m[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	t.Want("no router", m["Ip.Forwarding"] == 1 || m["Ip.Forwarding"] == 2, true)
	t.Want("TTL", m["Ip.DefaultTTL"], int64(64))
	t.Want("RtoMax", m["Tcp.RtoMax"], int64(120000))
	t.Want("MaxConn", m["Tcp.MaxConn"], int64(-1))
}

func procnetSNMPTCP(t *T) {
	before, more := counts(t, "/proc/net/snmp"), counts(t, "/proc/net/netstat")
	l, c, s := connectedPair(t, "tcp4", "127.0.0.1:0")
	t.Want("established", counts(t, "/proc/net/snmp")["Tcp.CurrEstab"] >= 2, true)
	_, err := c.Write(make([]byte, 100000))
	t.Must("write", err)
	readFull(t, s, 100000)
	c.SetLinger(0)
	c.Close() // a reset, and data that was lost
	s.Read(make([]byte, 1))
	s.Close()

	c2, err := net.Dial("tcp4", l.Addr().String())
	t.Must("dial", err)
	s2, err := l.Accept()
	t.Must("accept", err)
	c2.Write([]byte("not read"))
	time.Sleep(20 * time.Millisecond)
	s2.Close() // a reset, as something was not read
	c2.Read(make([]byte, 1))
	c2.Close()
	address := l.Addr().String()
	l.Close()
	_, err = net.Dial("tcp4", address)
	t.Want("refused", errnoOf(err), syscall.ECONNREFUSED)
	after := counts(t, "/proc/net/snmp")
	rose(t, before, after, map[string]int64{"Tcp.ActiveOpens": 3, "Tcp.PassiveOpens": 2, "Tcp.AttemptFails": 1,
		"Tcp.EstabResets": 4, "Tcp.InSegs": 15, "Tcp.OutSegs": 15, "Tcp.OutRsts": 1, "Ip.InReceives": 15,
		"Ip.InDelivers": 15, "Ip.OutRequests": 15})
	rose(t, more, counts(t, "/proc/net/netstat"), map[string]int64{"TcpExt.TCPAbortOnData": 1, "TcpExt.TCPAbortOnClose": 1})
}

func readFull(t *T, c net.Conn, n int) {
	b := make([]byte, 65536)
	for n > 0 {
		got, err := c.Read(b)
		t.Must("read", err)
		n -= got
	}
}

// refused sends until it is told that nobody is there: who polls a socket as it is closed may keep it for
// a moment.
func refused(t *T, c net.Conn) {
	for i := 0; i < 100; i++ {
		c.Write([]byte("nobody is there"))
		c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		if errnoOf(err) == syscall.ECONNREFUSED {
			return
		}
	}
	t.Fatalf("no error")
}

func procnetSNMPUDP(t *T) {
	before := counts(t, "/proc/net/snmp")
	a, err := net.ListenPacket("udp4", "127.0.0.1:0")
	t.Must("listen", err)
	c, err := net.Dial("udp4", a.LocalAddr().String())
	t.Must("dial", err)
	for i := 0; i < 3; i++ {
		c.Write([]byte("datagram"))
	}
	b := make([]byte, 20000)
	for i := 0; i < 2; i++ {
		_, _, err = a.ReadFrom(b)
		t.Must("read", err)
	}
	// Too large for one packet of the loopback on Linux or here: fragments.
	_, err = c.Write(make([]byte, 65507))
	t.Must("write", err)
	t.Must("SetReadBuffer", a.(*net.UDPConn).SetReadBuffer(4096))
	for i := 0; i < 100; i++ {
		c.Write(make([]byte, 1000))
	}
	a.Close()
	refused(t, c)
	c.Close()
	after := counts(t, "/proc/net/snmp")
	rose(t, before, after, map[string]int64{"Udp.OutDatagrams": 105, "Udp.InDatagrams": 2, "Udp.NoPorts": 1,
		"Udp.RcvbufErrors": 10, "Udp.InErrors": 10, "Icmp.InMsgs": 1, "Icmp.OutMsgs": 1, "Icmp.InDestUnreachs": 1,
		"Icmp.OutDestUnreachs": 1, "IcmpMsg.InType3": 1, "IcmpMsg.OutType3": 1})
	moved := func(name string) int64 { return after[name] - before[name] }
	t.Want("fragments are of something", moved("Ip.FragOKs") <= moved("Ip.FragCreates"), true)
	t.Want("reassembled from fragments", moved("Ip.ReasmOKs") <= moved("Ip.ReasmReqds"), true)
}

func procnetSNMP6(t *T) {
	before := pairs(t, "/proc/net/snmp6")
	a, err := net.ListenPacket("udp6", "[::1]:0")
	t.Must("listen", err)
	c, err := net.Dial("udp6", a.LocalAddr().String())
	t.Must("dial", err)
	c.Write(make([]byte, 1000))
	_, _, err = a.ReadFrom(make([]byte, 1000))
	t.Must("read", err)
	a.Close()
	refused(t, c)
	c.Close()
	rose(t, before, pairs(t, "/proc/net/snmp6"), map[string]int64{"Ip6InReceives": 3, "Ip6InDelivers": 3, "Ip6OutRequests": 3,
		"Ip6InOctets": 1048 + 63, "Ip6OutOctets": 1048 + 63, "Udp6InDatagrams": 1, "Udp6OutDatagrams": 2, "Udp6NoPorts": 1,
		"Icmp6InMsgs": 1, "Icmp6OutMsgs": 1, "Icmp6InDestUnreachs": 1, "Icmp6OutDestUnreachs": 1})
}

func procnetNetstat(t *T) {
	before := counts(t, "/proc/net/netstat")
	for _, name := range []string{"TcpExt.SyncookiesSent", "TcpExt.ListenOverflows", "TcpExt.ListenDrops", "TcpExt.TCPTimeouts",
		"TcpExt.TCPSynRetrans", "TcpExt.TW", "IpExt.InMcastPkts", "IpExt.InBcastOctets"} {
		if _, ok := before[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	_, c, s := connectedPair(t, "tcp4", "127.0.0.1:0")
	defer c.Close()
	defer s.Close()
	go c.Write(make([]byte, 1<<20))
	readFull(t, s, 1<<20)
	rose(t, before, counts(t, "/proc/net/netstat"), map[string]int64{"IpExt.InOctets": 1 << 20, "IpExt.OutOctets": 1 << 20})
}

// sockstat gives "TCP.inuse" and the like.
func sockstat(t *T, path string) map[string]int64 {
	m := map[string]int64{}
	for _, l := range lines(t, path) {
		name, rest, _ := strings.Cut(l, ": ")
		f := strings.Fields(rest)
		for i := 0; i+1 < len(f); i += 2 {
			m[name+"."+f[i]] = number(t, f[i], f[i+1])
		}
	}
	return m
}

func procnetSockstat(t *T) {
	l, c, s := connectedPair(t, "tcp4", "127.0.0.1:0")
	l6, c6, s6 := connectedPair(t, "tcp6", "[::1]:0")
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	t.Must("listen", err)
	m := sockstat(t, "/proc/net/sockstat")
	t.Want("used", m["sockets.used"] >= 7, true)
	t.Want("TCP in use", m["TCP.inuse"] >= 3, true)
	t.Want("TCP in memory", m["TCP.alloc"] >= 6, true)
	t.Want("UDP in use", m["UDP.inuse"] >= 1, true)
	t.Want("TCP6 in use", sockstat(t, "/proc/net/sockstat6")["TCP6.inuse"] >= 3, true)
	c.Close()
	readEnd(t, s)
	s.Close()
	local, peer := hexAddress(c.LocalAddr()), hexAddress(l.Addr())
	eventuallyRow(t, "/proc/net/tcp", map[int]string{colLocal: local, colRemote: peer, colState: "06"})
	m = sockstat(t, "/proc/net/sockstat")
	t.Want("TIME_WAIT", m["TCP.tw"] >= 1, true)
	for _, x := range []interface{ Close() error }{l, l6, c6, s6, u} {
		x.Close()
	}
}

func readEnd(t *T, c net.Conn) {
	n, err := c.Read(make([]byte, 1))
	t.Want("the end", n == 0 && err != nil, true)
}

func procnetAddresses(t *T) {
	own := false
	names := map[string]bool{}
	all, err := net.Interfaces()
	t.Must("Interfaces", err)
	for _, i := range all {
		names[i.Name] = true
	}
	for _, l := range lines(t, "/proc/net/if_inet6") {
		f := strings.Fields(l)
		t.Want("columns", len(f), 6)
		t.Want("an interface", names[f[5]], true)
		own = own || l == strings.Repeat("0", 31)+"1 01 80 10 80       lo"
	}
	t.Want("::1", own, true)
}

func procnetRoutes(t *T) {
	all := lines(t, "/proc/net/route")
	t.Want("header", strings.TrimRight(all[0], " "), "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT")
	for _, l := range all[1:] {
		f := strings.Fields(l)
		t.Want("columns", len(f), 11)
		flags, _ := strconv.ParseUint(f[3], 16, 32)
		t.Want("up", flags&1, uint64(1))
		t.Want("a gateway, and its flag", f[2] != "00000000", flags&2 != 0)
		t.Want("width", len(l), 127)
	}
	own := false
	for _, l := range lines(t, "/proc/net/ipv6_route") {
		f := strings.Fields(l)
		t.Want("columns", len(f), 10)
		own = own || f[0] == strings.Repeat("0", 31)+"1" && f[1] == "80" && f[9] == "lo"
	}
	t.Want("the way to ::1", own, true)
	all = lines(t, "/proc/net/arp")
	t.Want("header", all[0], "IP address       HW type     Flags       HW address            Mask     Device")
	for _, l := range all[1:] {
		t.Want("columns", len(strings.Fields(l)), 6)
	}
}

func procnetGroups(t *T) {
	group := net.IPv4(239, 1, 2, 3)
	c, err := net.ListenMulticastUDP("udp4", nil, &net.UDPAddr{IP: group})
	if err == nil {
		defer c.Close()
		found := false
		for _, l := range lines(t, "/proc/net/igmp")[1:] {
			f := strings.Fields(l)
			found = found || len(f) == 4 && f[0] == "030201EF" && f[1] == "1"
		}
		t.Want("a group that was joined", found, true)
	}
	found := false
	for _, l := range lines(t, "/proc/net/igmp6") {
		f := strings.Fields(l)
		t.Want("columns", len(f), 6)
		found = found || f[1] == "lo" && f[2] == "ff02"+strings.Repeat("0", 27)+"1"
	}
	t.Want("all nodes", found, true)
	if s := contents(t, "/proc/net/dev_mcast"); s != "" {
		for _, l := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
			t.Want("columns", len(strings.Fields(l)), 5)
		}
	}
}

// devCounts are the sixteen numbers of an interface.
func devCounts(t *T, name string) (n [16]int64) {
	for _, l := range lines(t, "/proc/net/dev")[2:] {
		device, rest, _ := strings.Cut(l, ":")
		if strings.TrimSpace(device) != name {
			continue
		}
		f := strings.Fields(rest)
		if len(f) != 16 {
			t.Fatalf("%q has %d columns", l, len(f))
		}
		for i := range n {
			n[i] = number(t, "column", f[i])
		}
		return n
	}
	t.Fatalf("no %s", name)
	return n
}

func procnetDev(t *T) {
	before := devCounts(t, "lo")
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	t.Must("listen", err)
	defer c.Close()
	for i := 0; i < 10; i++ {
		c.WriteTo(make([]byte, 1000), c.LocalAddr())
	}
	after := devCounts(t, "lo")
	for _, i := range []int{0, 8} {
		t.Want("bytes", after[i]-before[i] >= 10*(1000+28), true)
		t.Want("packets", after[i+1]-before[i+1] >= 10, true)
	}
	_, err = os.Stat("/proc/net/no-such-file")
	t.Want("no such file", errnoOf(err), syscall.ENOENT)
}
