package main

import (
	"bytes"
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// Calls for many datagrams at once.
var udpManyChecks = []check{
	{"sendmmsg", udpSendMany},
	{"recvmmsg", udpReceiveMany},
	{"recvmmsg-waitforone", udpWaitForOne},
	{"recvmmsg-timeout", udpManyTimeout},
}

// mmsg is struct mmsghdr.
type mmsg struct {
	name       uintptr
	nameLen, _ uint32
	iov        *syscall.Iovec
	iovLen     uint64
	control    uintptr
	controlLen uint64
	flags      int32
	_          uint32
	bytes      uint32
	_          uint32
}

const sysSendmmsg = 307

func mmsgs(texts ...[]byte) []mmsg {
	all := make([]mmsg, len(texts))
	for i, text := range texts {
		v := &syscall.Iovec{Len: uint64(len(text))}
		if len(text) > 0 {
			v.Base = &text[0]
		}
		all[i].iov, all[i].iovLen = v, 1
	}
	return all
}

func udpSendMany(t *T) {
	a, b, done := udpPair(t)
	defer done()
	all := mmsgs([]byte("one"), nil, []byte("three"))
	n, e := call(sysSendmmsg, uintptr(a), ptr(&all[0]), 3, 0)
	if n != 3 || e != 0 {
		t.Fatalf("sendmmsg: %d, %v", n, e)
	}
	for i, want := range []string{"one", "", "three"} {
		t.Want("bytes told", all[i].bytes, uint32(len(want)))
		unixWantRead(t, "read", b, 9, want, nil)
	}
	all = mmsgs([]byte("good"), make([]byte, 65508), []byte("never"))
	n, e = call(sysSendmmsg, uintptr(a), ptr(&all[0]), 3, 0)
	if n != 1 || e != 0 {
		t.Errorf("the second one too long: %d, %v", n, e)
	}
	n, e = call(sysSendmmsg, uintptr(a), ptr(&all[1]), 1, 0)
	t.Want("the first one too long", e, syscall.EMSGSIZE)
	n, e = call(sysSendmmsg, uintptr(a), badPointer, 1, 0)
	t.Want("no headers", e, syscall.EFAULT)
	n, e = call(sysSendmmsg, uintptr(a), badPointer, 0, 0)
	if n != 0 || e != 0 {
		t.Errorf("none: %d, %v", n, e)
	}
}

func udpReceiveMany(t *T) {
	a, b, done := udpPair(t)
	defer done()
	unixWrite(t, a, "one")
	unixWrite(t, a, "a long one")
	udpSend0(t, a)
	all := mmsgs(make([]byte, 5), make([]byte, 5), make([]byte, 5), make([]byte, 5))
	var from [16]byte
	all[0].name, all[0].nameLen = ptr(&from), 16
	n, e := call(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 4, syscall.MSG_DONTWAIT, 0)
	if e != 0 || n != 3 {
		t.Fatalf("recvmmsg: %d, %v", n, e)
	}
	t.Want("length of the first", all[0].bytes, uint32(3))
	t.Want("length of its sender", all[0].nameLen, uint32(16))
	t.Want("family of its sender", from[0], byte(syscall.AF_INET))
	t.Want("length of the second", all[1].bytes, uint32(5))
	t.Want("MSG_TRUNC of the second", all[1].flags, int32(syscall.MSG_TRUNC))
	t.Want("length of the third", all[2].bytes, uint32(0))
	_, e = call(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 4, syscall.MSG_DONTWAIT, 0)
	t.Want("none left", e, syscall.EAGAIN)
}

// udpSend0 sends an empty datagram.
func udpSend0(t *T, fd int) {
	if _, e := call(syscall.SYS_SENDTO, uintptr(fd), 0, 0, 0, 0, 0); e != 0 {
		t.Fatalf("send of nothing: %v", e)
	}
}

func udpWaitForOne(t *T) {
	a, b, done := udpPair(t)
	defer done()
	go func() {
		time.Sleep(10 * time.Millisecond)
		syscall.Write(a, []byte("x"))
	}()
	all := mmsgs(make([]byte, 5), make([]byte, 5))
	n, e := call(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 2, 0x10000 /* MSG_WAITFORONE */, 0)
	if n != 1 || e != 0 {
		t.Errorf("recvmmsg: %d, %v", n, e)
	}
}

// udpManyTimeout: looked at after each datagram only; what is left is stored.
func udpManyTimeout(t *T) {
	a, b, done := udpPair(t)
	defer done()
	unixWrite(t, a, "x")
	all := mmsgs(make([]byte, 5), make([]byte, 5))
	none := syscall.Timespec{}
	n, e := call(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 2, 0, ptr(&none))
	if n != 1 || e != 0 {
		t.Errorf("a timeout of 0: %d, %v", n, e)
	}
	unixWrite(t, a, "x")
	unixWrite(t, a, "y")
	long := syscall.Timespec{Sec: 100}
	n, e = call(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 2, 0, ptr(&long))
	if n != 2 || e != 0 || long.Sec < 50 || long.Sec > 99 {
		t.Errorf("a long timeout: %d, %v, %v left", n, e, long)
	}
	bad := syscall.Timespec{Nsec: 1_000_000_000}
	_, e = call(syscall.SYS_RECVMMSG, uintptr(b), ptr(&all[0]), 2, 0, ptr(&bad))
	t.Want("a bad timeout", e, syscall.EINVAL)
}

// udpSegment: one send, several datagrams; what quic-go looks for.
func udpSegment(t *T) {
	r, s := open6(t, syscall.AF_INET, syscall.SOCK_DGRAM), open6(t, syscall.AF_INET, syscall.SOCK_DGRAM)
	defer closeAll(r, s)
	t.Must("bind", syscall.Bind(r, to4(own4, 0)))
	to := to4(own4, localPort(t, r))
	optWant(t, "UDP_SEGMENT at first", s, syscall.IPPROTO_UDP, udpSegmentOpt, 0)
	for _, v := range []int{-1, 65536} {
		t.Want(fmt.Sprint("UDP_SEGMENT ", v), setInt(s, syscall.IPPROTO_UDP, udpSegmentOpt, v), error(syscall.EINVAL))
	}
	long := bytes.Repeat([]byte("0123456789"), 50)
	receive := func(what string, sizes ...int) {
		rest := long
		for _, n := range sizes {
			wantDatagram(t, what, r, string(rest[:n]))
			rest = rest[n:]
		}
		wantDatagram(t, what+", no more", r, "")
	}
	optSet(t, "UDP_SEGMENT", s, syscall.IPPROTO_UDP, udpSegmentOpt, 200)
	optWant(t, "UDP_SEGMENT", s, syscall.IPPROTO_UDP, udpSegmentOpt, 200)
	t.Must("send", syscall.Sendto(s, long, 0, to))
	receive("cut", 200, 200, 100)
	t.Must("send little", syscall.Sendto(s, long[:200], 0, to))
	receive("whole", 200)
	optSet(t, "UDP_SEGMENT off", s, syscall.IPPROTO_UDP, udpSegmentOpt, 0)
	oob := make([]byte, syscall.CmsgSpace(2))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = syscall.IPPROTO_UDP, udpSegmentOpt
	h.SetLen(syscall.CmsgLen(2))
	oob[syscall.CmsgLen(0)], oob[syscall.CmsgLen(0)+1] = 0x2c, 0x01
	t.Must("sendmsg", syscall.Sendmsg(s, long, oob, to, 0))
	receive("cut by a message", 300, 200)
	h.SetLen(syscall.CmsgLen(1))
	t.Want("too short a message", syscall.Sendmsg(s, long, oob, to, 0), error(syscall.EINVAL))
	optSet(t, "UDP_SEGMENT 1", s, syscall.IPPROTO_UDP, udpSegmentOpt, 1)
	t.Want("too many", syscall.Sendto(s, long, 0, to), error(syscall.EINVAL))
	tcp := open6(t, syscall.AF_INET, syscall.SOCK_STREAM)
	defer closeAll(tcp)
	_, err := syscall.GetsockoptInt(tcp, syscall.IPPROTO_UDP, udpSegmentOpt)
	if err != syscall.EOPNOTSUPP && err != syscall.ENOPROTOOPT {
		t.Errorf("on TCP: %v", err)
	}
}
