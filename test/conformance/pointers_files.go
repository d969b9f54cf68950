package main

import (
	"syscall"
	"unsafe"
)

// The calls on files that take pointers.

// Descriptors of the place.
var (
	theFile     = of(func(p *pointerPlace) uintptr { return p.file })
	theOther    = of(func(p *pointerPlace) uintptr { return p.other })
	theDir      = of(func(p *pointerPlace) uintptr { return p.dir })
	thePipe     = of(func(p *pointerPlace) uintptr { return p.pipe })
	thePipeEnd  = of(func(p *pointerPlace) uintptr { return p.pipeEnd })
	theEpoll    = of(func(p *pointerPlace) uintptr { return p.epoll })
	theTimerfd  = of(func(p *pointerPlace) uintptr { return p.timerfd })
	theInotify  = of(func(p *pointerPlace) uintptr { return p.inotify })
	theUDP      = of(func(p *pointerPlace) uintptr { return p.udp })
	theDgram    = of(func(p *pointerPlace) uintptr { return p.dgram })
	theListener = of(func(p *pointerPlace) uintptr { return p.listener })
	theStream   = of(func(p *pointerPlace) uintptr { return p.stream })
)

var (
	none32  = n(0xffffffff)
	cwd     = n(0xffffffffffffff9c) // AT_FDCWD
	missing = aText("/missing")
	present = aText("/proc")
	link_   = aText("/proc/self/exe")
	mine    = textOf(func(p *pointerPlace) string { return p.filePath })
	attr    = aText("user.name")
)

const (
	statBytes, statfsBytes, statxBytes = 144, 120, 256
	iovecBytes, specBytes, itsBytes    = 16, 16, 32
	timexBytes                         = 208
)

// pathRows are the calls on names.
var pathRows = []pointerRow{
	{call: "open", number: 2, args: []pointerArg{missing, n(0), n(0)}},
	{call: "stat", number: 4, args: []pointerArg{present, out(statBytes)}},
	{call: "lstat", number: 6, args: []pointerArg{present, out(statBytes)}},
	{call: "access", number: 21, args: []pointerArg{missing, n(0)}},
	{call: "truncate", number: 76, args: []pointerArg{missing, n(0)}},
	{call: "getcwd", number: 79, args: []pointerArg{out(0), n(4096)}},
	{call: "chdir", number: 80, args: []pointerArg{missing}},
	{call: "rename", number: 82, args: []pointerArg{missing, missing}},
	{call: "mkdir", number: 83, args: []pointerArg{missing, n(0)}},
	{call: "rmdir", number: 84, args: []pointerArg{missing}},
	{call: "creat", number: 85, args: []pointerArg{missing, n(0)}},
	{call: "link", number: 86, args: []pointerArg{present, missing}},
	{call: "unlink", number: 87, args: []pointerArg{missing}},
	{call: "symlink", number: 88, args: []pointerArg{missing, missing}},
	{call: "readlink", number: 89, args: []pointerArg{link_, out(0), n(64)}},
	{call: "chmod", number: 90, args: []pointerArg{missing, n(0)}},
	{call: "chown", number: 92, args: []pointerArg{missing, n(0), n(0)}},
	{call: "lchown", number: 94, args: []pointerArg{missing, n(0), n(0)}},
	{call: "mknod", number: 133, args: []pointerArg{missing, n(0x8000), n(0)}},
	{call: "statfs", number: 137, args: []pointerArg{present, out(statfsBytes)}},
	{call: "openat", number: 257, args: []pointerArg{cwd, missing, n(0), n(0)}},
	{call: "mkdirat", number: 258, args: []pointerArg{cwd, missing, n(0)}},
	{call: "mknodat", number: 259, args: []pointerArg{cwd, missing, n(0x8000), n(0)}},
	{call: "fchownat", number: 260, args: []pointerArg{cwd, missing, n(0), n(0), n(0)}},
	{call: "newfstatat", number: 262, args: []pointerArg{cwd, present, out(statBytes), n(0)}},
	{call: "unlinkat", number: 263, args: []pointerArg{cwd, missing, n(0)}},
	{call: "renameat", number: 264, args: []pointerArg{cwd, missing, cwd, missing}},
	{call: "linkat", number: 265, args: []pointerArg{cwd, present, cwd, missing, n(0)}},
	{call: "symlinkat", number: 266, args: []pointerArg{missing, cwd, missing}},
	{call: "readlinkat", number: 267, args: []pointerArg{cwd, link_, out(0), n(64)}},
	{call: "fchmodat", number: 268, args: []pointerArg{cwd, missing, n(0)}},
	{call: "faccessat", number: 269, args: []pointerArg{cwd, missing, n(0)}},
	{call: "utimensat", number: 280, args: []pointerArg{cwd, missing, orNull(in(2 * specBytes)), n(0)}},
	{call: "renameat2", number: 316, args: []pointerArg{cwd, missing, cwd, missing, n(0)}},
	{call: "memfd_create", number: 319, args: []pointerArg{missing, n(0)}},
	{call: "statx", number: 332, args: []pointerArg{cwd, present, n(0), n(0x7ff), out(statxBytes)}},
	{call: "openat2", number: 437, args: []pointerArg{cwd, missing, in(24), n(24)}},
	{call: "faccessat2", number: 439, args: []pointerArg{cwd, missing, n(0), n(0)}},
	{call: "fchmodat2", number: 452, args: []pointerArg{cwd, missing, n(0), n(0)}},
	{call: "inotify_add_watch", number: 254, args: []pointerArg{theInotify, missing, n(2)}},
	{call: "setxattr", number: 188, args: []pointerArg{missing, attr, in(8), n(8), n(0)}},
	{call: "lsetxattr", number: 189, args: []pointerArg{missing, attr, in(8), n(8), n(0)}},
	{call: "getxattr", number: 191, args: []pointerArg{mine, attr, out(8), n(8)}, prepare: setAttribute},
	{call: "lgetxattr", number: 192, args: []pointerArg{mine, attr, out(8), n(8)}, prepare: setAttribute},
	{call: "listxattr", number: 194, args: []pointerArg{mine, out(0), n(64)}, prepare: setAttribute},
	{call: "llistxattr", number: 195, args: []pointerArg{mine, out(0), n(64)}, prepare: setAttribute},
	{call: "removexattr", number: 197, args: []pointerArg{missing, attr}},
	{call: "lremovexattr", number: 198, args: []pointerArg{missing, attr}},
}

func setAttribute(p *pointerPlace) {
	if err := syscall.Setxattr(p.filePath, "user.name", make([]byte, 8), 0); err != nil {
		p.t.Skipf("no attributes here: %v", err)
	}
}

// fileRows are the calls on open files.
var fileRows = []pointerRow{
	{call: "read", number: 0, args: []pointerArg{theFile, bytesOut(), n(64)}},
	{call: "read", number: 0, args: []pointerArg{thePipe, bytesOut(), n(8)}, variant: "pipe"},
	{call: "read", number: 0, args: []pointerArg{of(func(p *pointerPlace) uintptr { return p.event }), out(0), n(8)}, variant: "eventfd", prepare: addOne},
	{call: "write", number: 1, args: []pointerArg{theFile, bytesIn(), n(64)}},
	{call: "write", number: 1, args: []pointerArg{thePipeEnd, bytesIn(), n(8)}, variant: "pipe"},
	{call: "write", number: 1, args: []pointerArg{of(func(p *pointerPlace) uintptr { return p.event }), in(8), n(8)}, variant: "eventfd"},
	{call: "fstat", number: 5, args: []pointerArg{theFile, out(statBytes)}},
	{call: "ioctl", number: 16, args: []pointerArg{thePipe, n(0x541b), out(4)}, variant: "FIONREAD"},
	{call: "ioctl", number: 16, args: []pointerArg{thePipe, n(0x5421), in(4)}, variant: "FIONBIO", done: nonblockPipe},
	{call: "pread64", number: 17, args: []pointerArg{theFile, bytesOut(), n(64), n(0)}},
	{call: "pwrite64", number: 18, args: []pointerArg{theFile, bytesIn(), n(64), n(0)}},
	{call: "readv", number: 19, args: []pointerArg{theFile, in(iovecBytes), n(1)}},
	{call: "writev", number: 20, args: []pointerArg{theFile, in(iovecBytes), n(1)}},
	{call: "pipe", number: 22, args: []pointerArg{out(8)}, makes: 2},
	{call: "pipe2", number: 293, args: []pointerArg{out(8), n(0)}, makes: 2},
	{call: "sendfile", number: 40, args: []pointerArg{theFile, theFile, orNull(both(8)), n(4)}},
	{call: "fcntl", number: 72, args: []pointerArg{theFile, n(5), both(32)}, variant: "F_GETLK"},
	{call: "fcntl", number: 72, args: []pointerArg{theFile, n(6), in(32)}, variant: "F_SETLK"},
	{call: "fcntl", number: 72, args: []pointerArg{theFile, n(7), in(32)}, variant: "F_SETLKW"},
	{call: "fcntl", number: 72, args: []pointerArg{theFile, n(36), both(32)}, variant: "F_OFD_GETLK"},
	{call: "fcntl", number: 72, args: []pointerArg{theFile, n(37), in(32)}, variant: "F_OFD_SETLK"},
	{call: "fstatfs", number: 138, args: []pointerArg{theFile, out(statfsBytes)}},
	{call: "fsetxattr", number: 190, args: []pointerArg{theFile, attr, in(8), n(8), n(0)}, prepare: setAttribute},
	{call: "fgetxattr", number: 193, args: []pointerArg{theFile, attr, out(8), n(8)}, prepare: setAttribute},
	{call: "flistxattr", number: 196, args: []pointerArg{theFile, out(0), n(64)}, prepare: setAttribute},
	{call: "fremovexattr", number: 199, args: []pointerArg{theFile, attr}, prepare: setAttribute},
	{call: "getdents64", number: 217, args: []pointerArg{theDir, out(0), n(1024)}},
	{call: "splice", number: 275, args: []pointerArg{theFile, orNull(both(8)), thePipeEnd, n(0), n(1), n(2)}},
	{call: "splice", number: 275, args: []pointerArg{thePipe, n(0), theFile, orNull(both(8)), n(1), n(2)}},
	{call: "vmsplice", number: 278, args: []pointerArg{thePipeEnd, in(iovecBytes), n(1), n(2)}},
	{call: "preadv", number: 295, args: []pointerArg{theFile, in(iovecBytes), n(1), n(0)}},
	{call: "pwritev", number: 296, args: []pointerArg{theFile, in(iovecBytes), n(1), n(0)}},
	{call: "copy_file_range", number: 326, args: []pointerArg{theFile, orNull(both(8)), theOther, orNull(both(8)), n(1), n(0)}},
	{call: "preadv2", number: 327, args: []pointerArg{theFile, in(iovecBytes), n(1), n(0), n(0), n(0)}},
	{call: "pwritev2", number: 328, args: []pointerArg{theFile, in(iovecBytes), n(1), n(0), n(0), n(0)}},
}

// addOne makes the eventfd readable, which a read that failed has emptied.
func addOne(p *pointerPlace) { syscall.Write(int(p.event), []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func nonblockPipe(p *pointerPlace, _ uintptr) { syscall.SetNonblock(int(p.pipe), true) }

// waitRows are the calls that wait for files.
var waitRows = []pointerRow{
	{call: "poll", number: 7, args: []pointerArg{both(8), n(1), n(0)}},
	{call: "select", number: 23, args: []pointerArg{n(1), orNull(both(8)), orNull(both(8)), orNull(both(8)), noTime()}},
	{call: "pselect6", number: 270, args: []pointerArg{n(1), orNull(both(8)), orNull(both(8)), orNull(both(8)), noTime(), orNull(in(16))}},
	{call: "ppoll", number: 271, args: []pointerArg{both(8), n(1), noTime(), orNull(in(8)), n(8)}},
	{call: "epoll_wait", number: 232, args: []pointerArg{theEpoll, out(12), n(1), n(0)}},
	{call: "epoll_ctl", number: 233, args: []pointerArg{theEpoll, n(1), thePipe, in(12)}},
	{call: "epoll_pwait", number: 281, args: []pointerArg{theEpoll, out(12), n(1), n(0), orNull(in(8)), n(8)}},
	{call: "epoll_pwait2", number: 441, args: []pointerArg{theEpoll, out(12), n(1), given(orNull(in(specBytes)), scratchIn), orNull(in(8)), n(8)}},
	{call: "timerfd_settime", number: 286, args: []pointerArg{theTimerfd, n(0), in(itsBytes), orNull(out(itsBytes))}},
	{call: "timerfd_gettime", number: 287, args: []pointerArg{theTimerfd, out(itsBytes)}},
	{call: "signalfd", number: 282, args: []pointerArg{none32, in(8), n(8)}, makes: 1},
	{call: "signalfd4", number: 289, args: []pointerArg{none32, in(8), n(8), n(0)}, makes: 1},
}

// lengthOf is a length of 110 that a call reads and writes.
func lengthOf(p *pointerPlace) uintptr { return p.scratch + 2*page }

func aLength() pointerArg { return given(both(4), lengthOf) }

const msgDontWait, msgPeek = 0x40, 2

// socketRows are the calls on sockets.
var socketRows = []pointerRow{
	{call: "connect", number: 42, args: []pointerArg{theUDP, in(16), n(16)}},
	{call: "accept", number: 43, args: []pointerArg{theListener, orNull(out(2)), aLength()}, only: 2, makes: 1, prepare: (*pointerPlace).visit},
	{call: "accept", number: 43, args: []pointerArg{theListener, out(2), aLength()}, only: 3, makes: 1, prepare: (*pointerPlace).visit},
	{call: "accept4", number: 288, args: []pointerArg{theListener, orNull(out(2)), aLength(), n(0)}, only: 2, makes: 1, prepare: (*pointerPlace).visit},
	{call: "accept4", number: 288, args: []pointerArg{theListener, out(2), aLength(), n(0)}, only: 3, makes: 1, prepare: (*pointerPlace).visit},
	{call: "sendto", number: 44, args: []pointerArg{theDgram, bytesIn(), n(8), n(msgDontWait), n(0), n(0)}},
	{call: "sendto", number: 44, args: []pointerArg{theUDP, bytesIn(), n(8), n(msgDontWait), orNull(in(16)), n(16)}, only: 5},
	{call: "recvfrom", number: 45, args: []pointerArg{theDgram, bytesOut(), n(8), n(msgPeek | msgDontWait), n(0), n(0)}},
	{call: "recvfrom", number: 45, args: []pointerArg{theUDP, bytesOut(), n(8), n(msgPeek | msgDontWait), orNull(out(16)), aLength()}, only: 5},
	{call: "recvfrom", number: 45, args: []pointerArg{theUDP, bytesOut(), n(8), n(msgPeek | msgDontWait), out(16), aLength()}, only: 6},
	{call: "sendmsg", number: 46, args: []pointerArg{theDgram, in(56), n(msgDontWait)}},
	{call: "recvmsg", number: 47, args: []pointerArg{theDgram, both(56), n(msgPeek | msgDontWait)}},
	{call: "bind", number: 49, args: []pointerArg{theStream, in(16), n(16)}},
	{call: "getsockname", number: 51, args: []pointerArg{theUDP, out(16), aLength()}},
	{call: "getpeername", number: 52, args: []pointerArg{theDgram, out(2), aLength()}},
	{call: "socketpair", number: 53, args: []pointerArg{n(1), n(1), n(0), out(8)}, makes: 2},
	{call: "setsockopt", number: 54, args: []pointerArg{theDgram, n(1), n(8), in(4), n(4)}},
	{call: "getsockopt", number: 55, args: []pointerArg{theDgram, n(1), n(3), out(4), aLength()}},
	{call: "recvmmsg", number: 299, args: []pointerArg{theDgram, both(60), n(1), n(msgPeek | msgDontWait), orNull(both(specBytes))}},
	{call: "sendmmsg", number: 307, args: []pointerArg{theDgram, both(60), n(1), n(msgDontWait)}},
}

// header is what capget and capset want to see first.
func capabilityHeader(p *pointerPlace) uintptr {
	at := p.scratch + page + 2048
	*(*capHeader)(unsafe.Pointer(atAddress(at))) = capHeader{version: capVersion3}
	return at
}

func atAddress(a uintptr) *byte { return at(a) }
