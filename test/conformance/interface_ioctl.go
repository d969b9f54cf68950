package main

import (
	"encoding/binary"
	"net"
	"syscall"
)

// What ioctl tells of interfaces, against what the package net found by netlink.
var interfaceIoctlChecks = []check{
	{"interface-by-name", interfaceByName},
	{"interface-addresses", interfaceAddresses},
	{"interface-list", interfaceList},
}

// ifreq is a name, and something of 24 bytes.
type ifreq struct {
	name  [16]byte
	value [24]byte
}

func interfaceAsk(fd int, command uintptr, name string, value uint32) (r ifreq, e syscall.Errno) {
	copy(r.name[:], name)
	binary.LittleEndian.PutUint32(r.value[:], value)
	_, e = call(syscall.SYS_IOCTL, uintptr(fd), command, ptr(&r))
	return r, e
}

func interfaceByName(t *T) {
	all, err := net.Interfaces()
	t.Must("interfaces", err)
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6, syscall.AF_UNIX, syscall.AF_NETLINK} {
		fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		t.Must("socket", err)
		for _, i := range all {
			r, e := interfaceAsk(fd, syscall.SIOCGIFINDEX, i.Name, 0)
			t.Want(i.Name+": index", [2]any{e, int(binary.LittleEndian.Uint32(r.value[:]))}, [2]any{syscall.Errno(0), i.Index})
			r, e = interfaceAsk(fd, syscall.SIOCGIFNAME, "", uint32(i.Index))
			t.Want(i.Name+": name", [2]any{e, string(r.name[:len(i.Name)])}, [2]any{syscall.Errno(0), i.Name})
			r, e = interfaceAsk(fd, syscall.SIOCGIFMTU, i.Name, 0)
			t.Want(i.Name+": MTU", [2]any{e, int(binary.LittleEndian.Uint32(r.value[:]))}, [2]any{syscall.Errno(0), i.MTU})
			r, e = interfaceAsk(fd, syscall.SIOCGIFFLAGS, i.Name, 0)
			flags := binary.LittleEndian.Uint16(r.value[:])
			t.Want(i.Name+": flags", [4]any{e, flags&1 != 0, flags&8 != 0, flags&0x1000 != 0}, [4]any{syscall.Errno(0),
				i.Flags&net.FlagUp != 0, i.Flags&net.FlagLoopback != 0, i.Flags&net.FlagMulticast != 0})
			r, e = interfaceAsk(fd, syscall.SIOCGIFHWADDR, i.Name, 0)
			kind := uint16(1)
			if i.Flags&net.FlagLoopback != 0 {
				kind = 772
			}
			if e != 0 || len(i.HardwareAddr) == 6 && (string(r.value[2:8]) != string(i.HardwareAddr) || binary.LittleEndian.Uint16(r.value[:]) != kind) {
				t.Errorf("%s: hardware % x, %v, want %v", i.Name, r.value[:8], e, i.HardwareAddr)
			}
		}
		for _, command := range []uintptr{syscall.SIOCGIFINDEX, syscall.SIOCGIFFLAGS, syscall.SIOCGIFMTU, syscall.SIOCGIFHWADDR} {
			_, e := interfaceAsk(fd, command, "nowhere0", 0)
			t.Want("no such interface", e, syscall.ENODEV)
		}
		_, e := interfaceAsk(fd, syscall.SIOCGIFNAME, "", 999)
		t.Want("no such index", e, syscall.ENODEV)
		_, e = call(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCGIFINDEX, badPointer)
		t.Want("a bad pointer", e, syscall.EFAULT)
		closeAll(fd)
	}
}

func interfaceAddresses(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	other := open6(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
	defer closeAll(fd, other)
	for command, want := range map[uintptr][4]byte{
		syscall.SIOCGIFADDR: {127, 0, 0, 1}, syscall.SIOCGIFNETMASK: {255, 0, 0, 0},
		syscall.SIOCGIFDSTADDR: {127, 0, 0, 1}, syscall.SIOCGIFBRDADDR: {},
	} {
		r, e := interfaceAsk(fd, command, "lo", 0xffffffff)
		if e != 0 || [4]byte(r.value[:4]) != [4]byte{syscall.AF_INET, 0, 0, 0} || [4]byte(r.value[4:8]) != want {
			t.Errorf("%#x of lo: % x, %v; want %v", command, r.value[:8], e, want)
		}
		_, e = interfaceAsk(fd, command, "nowhere0", 0)
		t.Want("of no interface", e, syscall.ENODEV)
		_, e = interfaceAsk(other, command, "lo", 0)
		t.Want("on an IPv6 socket", e, syscall.ENOTTY)
	}
}

func interfaceList(t *T) {
	fd := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(fd)
	list := make([]ifreq, 200)
	conf := struct {
		bytes, pad int32
		list       uintptr
	}{0, 0, 0}
	_, e := call(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCGIFCONF, ptr(&conf))
	length := conf.bytes
	if e != 0 || length < 40 || length%40 != 0 {
		t.Errorf("the length: %d, %v", length, e)
	}
	for _, room := range []int32{39, 40, 8000} {
		conf.bytes, conf.list = room, ptr(&list[0])
		_, e = call(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCGIFCONF, ptr(&conf))
		t.Want("room, error, bytes", [3]any{room, e, conf.bytes}, [3]any{room, syscall.Errno(0), min(room/40*40, length)})
	}
	found := false
	for _, r := range list[:length/40] {
		found = found || string(r.name[:3]) == "lo\x00" && [4]byte(r.value[4:8]) == [4]byte{127, 0, 0, 1}
	}
	t.Want("the loopback is among them", found, true)
}
