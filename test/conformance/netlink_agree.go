package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"sort"
	"strings"
	"syscall"
	"time"
)

// What netlink says and what /proc/net says is the same.

// eventuallySame compares two views of what changes by itself: routers speak, neighbours age.
func eventuallySame(t *T, what string, views func() (netlink, proc []string)) {
	var a, b []string
	for end := time.Now().Add(patience / 4); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		a, b = views()
		sort.Strings(a)
		sort.Strings(b)
		if strings.Join(a, "\n") == strings.Join(b, "\n") {
			return
		}
	}
	t.Errorf("%s: netlink has\n%s\n/proc/net has\n%s", what, strings.Join(a, "\n"), strings.Join(b, "\n"))
}

func procLines(t *T, path string, header int) []string {
	raw, err := os.ReadFile(path)
	t.Must(path, err)
	all := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	if len(raw) == 0 {
		return nil
	}
	return all[header:]
}

func nlDump(t *T, kind uint16, family byte) []syscall.NetlinkMessage {
	fd, done := netlinkSocket(t)
	defer done()
	body := make([]byte, 16)
	body[0] = family
	return nlAsk(t, fd, nlMessage(kind, syscall.NLM_F_DUMP, 1, body))
}

// nlAttributesFrom is for messages that package syscall does not know.
func nlAttributesFrom(t *T, raw []byte) map[uint16][]byte {
	all := map[uint16][]byte{}
	for len(raw) >= 4 {
		n := int(binary.LittleEndian.Uint16(raw))
		if n < 4 || n > len(raw) {
			t.Fatalf("an attribute of %d bytes, %d left", n, len(raw))
		}
		all[binary.LittleEndian.Uint16(raw[2:])] = raw[4:n]
		raw = raw[min((n+3)&^3, len(raw)):]
	}
	return all
}

func interfaceName(index uint32) string {
	i, err := net.InterfaceByIndex(int(index))
	if err != nil {
		return fmt.Sprint(index)
	}
	return i.Name
}

func netlinkAddresses6(t *T) {
	own := false
	for _, m := range nlDump(t, syscall.RTM_GETADDR, syscall.AF_INET6) {
		a := nlAttributes(t, m)
		flags, life := a[8 /* IFA_FLAGS */], a[syscall.IFA_CACHEINFO]
		if len(flags) != 4 || len(life) != 16 {
			t.Fatalf("flags %v, lifetimes %v", flags, life)
		}
		preferred, valid := binary.LittleEndian.Uint32(life), binary.LittleEndian.Uint32(life[4:])
		t.Want("flags in both places", flags[0], m.Data[2])
		t.Want("preferred no longer than valid", preferred <= valid, true)
		t.Want("for ever, when permanent", m.Data[2]&syscall.IFA_F_PERMANENT == 0 || valid == 1<<32-1, true)
		if net.IP(a[syscall.IFA_ADDRESS]).IsLoopback() {
			own = true
			t.Want("::1: prefix", m.Data[1], byte(128))
			t.Want("::1: flags", m.Data[2], byte(syscall.IFA_F_PERMANENT))
			t.Want("::1: scope", m.Data[3], byte(syscall.RT_SCOPE_HOST))
		}
	}
	t.Want("::1 is there", own, true)
	eventuallySame(t, "addresses", func() (a, b []string) {
		for _, m := range nlDump(t, syscall.RTM_GETADDR, syscall.AF_INET6) {
			index := binary.LittleEndian.Uint32(m.Data[4:])
			a = append(a, fmt.Sprintf("%x %02x %02x %02x %s", nlAttributes(t, m)[syscall.IFA_ADDRESS],
				index, m.Data[1], m.Data[2], interfaceName(index)))
		}
		for _, l := range procLines(t, "/proc/net/if_inet6", 0) {
			f := strings.Fields(l)
			b = append(b, strings.Join([]string{f[0], f[1], f[2], f[4], f[5]}, " "))
		}
		return a, b
	})
}

// orZeros is an address that a message may leave out.
func orZeros(address []byte) string {
	if address == nil {
		address = make([]byte, 16)
	}
	return hex.EncodeToString(address)
}

// netlinkRoutes6: /proc has a row for what refuses, too, and a metric and a flag in each.
func netlinkRoutes6(t *T) {
	const reject, gateway = 0x200, 2
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	own := false
	for _, m := range nlDump(t, syscall.RTM_GETROUTE, syscall.AF_INET6) {
		a := nlAttributes(t, m)
		t.Want("type", m.Header.Type, uint16(syscall.RTM_NEWROUTE))
		t.Want("family", m.Data[0], byte(syscall.AF_INET6))
		if len(a[syscall.RTA_TABLE]) != 4 || len(a[syscall.RTA_PRIORITY]) != 4 {
			t.Fatalf("table %v, metric %v", a[syscall.RTA_TABLE], a[syscall.RTA_PRIORITY])
		}
		if net.IP(a[syscall.RTA_DST]).IsLoopback() && m.Data[1] == 128 {
			own = true
			t.Want("::1: table", m.Data[4], byte(syscall.RT_TABLE_LOCAL))
			t.Want("::1: from", m.Data[5], byte(syscall.RTPROT_KERNEL))
			t.Want("::1: type", m.Data[7], byte(syscall.RTN_LOCAL))
			t.Want("::1: interface", binary.LittleEndian.Uint32(a[syscall.RTA_OIF]), uint32(lo.Index))
		}
	}
	t.Want("::1 is there", own, true)
	eventuallySame(t, "routes", func() (a, b []string) {
		for _, m := range nlDump(t, syscall.RTM_GETROUTE, syscall.AF_INET6) {
			x := nlAttributes(t, m)
			if m.Data[7] == syscall.RTN_UNREACHABLE || x[9 /* RTA_MULTIPATH */] != nil {
				continue
			}
			a = append(a, fmt.Sprintf("%s/%02x by %s metric %08x %s", orZeros(x[syscall.RTA_DST]), m.Data[1],
				orZeros(x[syscall.RTA_GATEWAY]), binary.LittleEndian.Uint32(x[syscall.RTA_PRIORITY]),
				interfaceName(binary.LittleEndian.Uint32(x[syscall.RTA_OIF]))))
		}
		for _, l := range procLines(t, "/proc/net/ipv6_route", 0) {
			f := strings.Fields(l)
			var flags uint32
			fmt.Sscanf(f[8], "%x", &flags)
			t.Want("up, or refused", flags&(1|reject) != 0, true)
			t.Want("a gateway, and its flag", strings.Trim(f[4], "0") != "", flags&gateway != 0)
			if flags&reject == 0 {
				b = append(b, fmt.Sprintf("%s/%s by %s metric %s %s", f[0], f[1], f[4], f[5], f[9]))
			}
		}
		return a, b
	})
}

func netlinkWay6(t *T) {
	fd, done := netlinkSocket(t)
	defer done()
	lo, err := net.InterfaceByName("lo")
	t.Must("lo", err)
	body := make([]byte, 12)
	body[0], body[1] = syscall.AF_INET6, 128
	m := nlAsk(t, fd, nlMessage(syscall.RTM_GETROUTE, 0, 1, append(body, nlAttribute(syscall.RTA_DST, net.IPv6loopback)...)))
	if len(m) != 1 || m[0].Header.Type != syscall.RTM_NEWROUTE {
		t.Fatalf("to ::1: %+v", m)
	}
	a := nlAttributes(t, m[0])
	t.Want("destination", hex.EncodeToString(a[syscall.RTA_DST]), hex.EncodeToString(net.IPv6loopback))
	t.Want("source", hex.EncodeToString(a[syscall.RTA_PREFSRC]), hex.EncodeToString(net.IPv6loopback))
	t.Want("interface", binary.LittleEndian.Uint32(a[syscall.RTA_OIF]), uint32(lo.Index))
	t.Want("length of the destination", m[0].Data[1], byte(128))
	t.Want("table", m[0].Data[4], byte(syscall.RT_TABLE_LOCAL))
	t.Want("from", m[0].Data[5], byte(syscall.RTPROT_KERNEL))
	t.Want("type of the route", m[0].Data[7], byte(syscall.RTN_LOCAL))
}

// netlinkNeighboursAgree: those whose hardware address is known.
func netlinkNeighboursAgree(t *T) {
	const complete, noARP = 2, 0x40
	eventuallySame(t, "neighbours", func() (a, b []string) {
		for _, m := range nlDump(t, syscall.RTM_GETNEIGH, syscall.AF_INET) {
			x := nlAttributesFrom(t, m.Data[12:])
			state := binary.LittleEndian.Uint16(m.Data[8:])
			if hardware := x[2 /* NDA_LLADDR */]; len(hardware) == 6 && state&noARP == 0 {
				a = append(a, fmt.Sprint(net.IP(x[1 /* NDA_DST */]), " ", net.HardwareAddr(hardware), " ",
					interfaceName(binary.LittleEndian.Uint32(m.Data[4:]))))
			}
		}
		for _, l := range procLines(t, "/proc/net/arp", 1) {
			f := strings.Fields(l)
			var flags uint32
			fmt.Sscanf(f[2], "0x%x", &flags)
			if flags&complete != 0 {
				b = append(b, f[0]+" "+f[3]+" "+f[5])
			}
		}
		return a, b
	})
}
