// Ethdump prints a line for every Ethernet frame that the machine receives or sends, like a small tcpdump:
//
//	gosolo run --net tap=tap0 --ip 10.77.0.2/24 ./ethdump
//	arping -I tap0 10.77.0.2
//
// With -n it ends after so many frames, with -x it shows the bytes, too.
package main

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"net"
	"net/netip"
	"syscall"
)

const allProtocols = 0x0300 // ETH_P_ALL, in network byte order

// directions are what Linux says of a frame (PACKET_HOST and its kin).
var directions = map[uint8]string{0: "in ", 1: "in ", 2: "in ", 3: "for others", 4: "out"}

func main() {
	count := flag.Int("n", 0, "end after this many frames; 0: never")
	dump := flag.Bool("x", false, "show the bytes")
	flag.Parse()
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, allProtocols)
	if err != nil {
		log.Fatal("a packet socket: ", err)
	}
	fmt.Println("listening")
	names := map[int]string{}
	buf := make([]byte, 65536)
	for i := 0; *count == 0 || i < *count; i++ {
		n, from, err := syscall.Recvfrom(fd, buf, 0)
		if err != nil {
			log.Fatal("receiving: ", err)
		}
		link := from.(*syscall.SockaddrLinklayer)
		fmt.Println(name(names, link.Ifindex), directions[link.Pkttype], describe(buf[:n]))
		if *dump {
			fmt.Print(hex.Dump(buf[:n]))
		}
	}
}

func name(names map[int]string, index int) string {
	if names[index] == "" {
		names[index] = fmt.Sprint("interface ", index)
		if i, err := net.InterfaceByIndex(index); err == nil {
			names[index] = i.Name
		}
	}
	return names[index]
}

func describe(frame []byte) string {
	if len(frame) < 14 {
		return fmt.Sprint("cut off: ", len(frame), " bytes")
	}
	kind, payload := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	text := fmt.Sprintf("%v > %v %d bytes ", net.HardwareAddr(frame[6:12]), net.HardwareAddr(frame[:6]), len(frame))
	switch {
	case kind == 0x0806 && len(payload) >= 28:
		return text + describeARP(payload)
	case kind == 0x0800 && len(payload) >= 20:
		return text + fmt.Sprintf("IPv4 %v > %v protocol %d", address(payload[12:16]), address(payload[16:20]), payload[9])
	case kind == 0x86dd && len(payload) >= 40:
		return text + fmt.Sprintf("IPv6 %v > %v protocol %d", address(payload[8:24]), address(payload[24:40]), payload[6])
	}
	return text + fmt.Sprintf("type %#04x", kind)
}

func describeARP(p []byte) string {
	sender, target := address(p[14:18]), address(p[24:28])
	switch binary.BigEndian.Uint16(p[6:]) {
	case 1:
		return fmt.Sprintf("ARP who has %v? tell %v", target, sender)
	case 2:
		return fmt.Sprintf("ARP %v is at %v", sender, net.HardwareAddr(p[8:14]))
	}
	return "ARP of an unknown kind"
}

func address(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}
