package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// What /sys/class/net and /proc/net/softnet_stat tell of interfaces, against what the package net found
// by netlink.
var interfaceFileChecks = []check{
	{"class", interfaceClass},
	{"facts", interfaceFacts},
	{"counters", interfaceCounters},
	{"softnet", interfaceSoftnet},
	{"counters-by-netlink", interfaceCountersByNetlink},
}

func interfaceFile(t *T, name, fact string) string {
	data, err := os.ReadFile("/sys/class/net/" + name + "/" + fact)
	t.Must(fact, err)
	return strings.TrimSuffix(string(data), "\n")
}

func interfaceClass(t *T) {
	all, err := net.Interfaces()
	t.Must("interfaces", err)
	names := listedOnce(t, "/sys/class/net/")
	for _, i := range all {
		t.Want(i.Name+" is listed", names[i.Name], true)
		where, err := filepath.EvalSymlinks("/sys/class/net/" + i.Name)
		t.Must("link", err)
		t.Want(i.Name+" is below devices", strings.HasPrefix(where, "/sys/devices/"), true)
		t.Want(where+": name", filepath.Base(where), i.Name)
		if i.Flags&net.FlagLoopback != 0 {
			t.Want("loopback is virtual", where, "/sys/devices/virtual/net/"+i.Name)
		}
		t.Want("facts are listed", listedOnce(t, where+"/")["address"], true)
		t.Want("counters are listed", listedOnce(t, where+"/statistics/")["rx_bytes"], true)
		up, err := os.ReadDir("/sys/class/net/" + i.Name + "/statistics/../..")
		t.Must("parent", err)
		found := false
		for _, e := range up {
			found = found || e.Name() == i.Name
		}
		t.Want("is in its parent", found, true)
	}
	_, err = os.Stat("/sys/class/net/nowhere0")
	t.Want("no such interface", errnoOf(err), syscall.ENOENT)
	_, err = os.Stat("/sys/class/net/lo/nothing")
	t.Want("no such fact", errnoOf(err), syscall.ENOENT)
	t.Want("a new file", openError("/sys/class/net/lo/new", syscall.O_CREAT|syscall.O_RDWR) != 0, true)
	t.Want("unlink", syscall.Unlink("/sys/class/net/lo/mtu") != nil, true)
}

func interfaceFacts(t *T) {
	all, err := net.Interfaces()
	t.Must("interfaces", err)
	for _, i := range all {
		loop := i.Flags&net.FlagLoopback != 0
		if !loop && i.HardwareAddr == nil {
			continue // a tunnel
		}
		t.Want(i.Name+": index", interfaceFile(t, i.Name, "ifindex"), itoa(i.Index))
		t.Want(i.Name+": MTU", interfaceFile(t, i.Name, "mtu"), itoa(i.MTU))
		flags, err := strconv.ParseUint(interfaceFile(t, i.Name, "flags"), 0, 32)
		t.Must("flags", err)
		t.Want(i.Name+": flags", [3]bool{flags&1 != 0, flags&8 != 0, flags&0x1000 != 0},
			[3]bool{i.Flags&net.FlagUp != 0, loop, i.Flags&net.FlagMulticast != 0})
		if loop {
			t.Want("loopback's type", interfaceFile(t, i.Name, "type"), "772")
			t.Want("loopback's address", interfaceFile(t, i.Name, "address"), "00:00:00:00:00:00")
			t.Want("loopback's state", interfaceFile(t, i.Name, "operstate"), "unknown")
		} else {
			t.Want(i.Name+": address", interfaceFile(t, i.Name, "address"), i.HardwareAddr.String())
		}
		t.Want(i.Name+": length", interfaceFile(t, i.Name, "addr_len"), "6")
		t.Want(i.Name+": event", interfaceFile(t, i.Name, "uevent")[:10], "INTERFACE=")
		if i.Flags&net.FlagRunning != 0 {
			t.Want(i.Name+": carrier", interfaceFile(t, i.Name, "carrier"), "1")
		}
	}
}

// interfaceCount is what a counter of the loopback says.
func interfaceCount(t *T, name string) int {
	n, err := strconv.Atoi(interfaceFile(t, "lo", "statistics/"+name))
	t.Must(name, err)
	return n
}

func interfaceCounters(t *T) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	t.Must("listen", err)
	defer c.Close()
	for _, name := range []string{"rx", "tx"} {
		bytes, packets := interfaceCount(t, name+"_bytes"), interfaceCount(t, name+"_packets")
		for i := 0; i < 10; i++ {
			c.WriteTo(make([]byte, 1000), c.LocalAddr())
		}
		t.Want(name+" bytes", interfaceCount(t, name+"_bytes")-bytes >= 10*(1000+28), true)
		t.Want(name+" packets", interfaceCount(t, name+"_packets")-packets >= 10, true)
	}
	entries, err := os.ReadDir("/sys/class/net/lo/statistics")
	t.Must("statistics", err)
	for _, e := range entries {
		interfaceCount(t, e.Name())
	}
	t.Want("how many", len(entries) >= 23, true)
}

func interfaceSoftnet(t *T) {
	rows := lines(t, "/proc/net/softnet_stat")
	t.Want("a row for each CPU", len(rows) >= runtime.NumCPU(), true)
	for n, row := range rows {
		fields := strings.Fields(row)
		if len(fields) < 13 {
			t.Errorf("%q", row)
			continue
		}
		for _, f := range fields {
			if b, err := hex.DecodeString(f); err != nil || len(b) != 4 {
				t.Errorf("row %d: %q", n, f)
			}
		}
		if len(rows) == runtime.NumCPU() {
			t.Want("CPU", fields[12], fmt.Sprintf("%08x", n))
		}
	}
}

// interfaceCountersByNetlink: what the loopback sent and took, by netlink in 64 and in 32 bits.
func interfaceCountersByNetlink(t *T) {
	const stats64 = 23 // IFLA_STATS64
	count := func() (wide [4]uint64, narrow [4]uint32) {
		for _, m := range nlDump(t, syscall.RTM_GETLINK, syscall.AF_UNSPEC) {
			a := nlAttributes(t, m)
			if string(a[syscall.IFLA_IFNAME]) != "lo\x00" {
				continue
			}
			if len(a[stats64]) < 23*8 || len(a[syscall.IFLA_STATS]) < 23*4 {
				t.Errorf("counters of %d and %d bytes", len(a[stats64]), len(a[syscall.IFLA_STATS]))
				return
			}
			for i := range wide {
				wide[i] = binary.LittleEndian.Uint64(a[stats64][8*i:])
				narrow[i] = binary.LittleEndian.Uint32(a[syscall.IFLA_STATS][4*i:])
			}
		}
		return wide, narrow
	}
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	t.Must("listen", err)
	defer c.Close()
	wide, narrow := count()
	for i := 0; i < 10; i++ {
		c.WriteTo(make([]byte, 1000), c.LocalAddr())
	}
	wide2, narrow2 := count()
	for i, least := range []uint64{10, 10, 10 * 1028, 10 * 1028} { // packets in and out, bytes in and out
		t.Want("64 bits", wide2[i]-wide[i] >= least, true)
		t.Want("32 bits", narrow2[i]-narrow[i] >= uint32(least), true)
	}
}
