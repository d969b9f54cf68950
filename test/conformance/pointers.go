package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// A bad pointer to every call that takes one, at every place where it takes one: the answer is Linux's,
// never a fault in the kernel and never success. In the machine the kernel shares the program's privilege
// level, so it must look itself. A check is named after the call and the argument, "pointers/fstat.2";
// test/e2e holds the names against the table of calls, so that none is forgotten.

// What an argument is. A number is given as it is; pointers are put to the test one at a time.
const (
	aNumber    = iota
	aStruct    // read
	aResult    // written
	aBoth      // read and written
	aString    // read up to a 0
	aRead      // bytes that are read; some may do
	aWritten   // bytes that are written; some may do
	aNothing   // not looked at, as long as nothing happens that it would be told
	aWord      // a futex: its address must be aligned
	aFutexName // a futex that is named, and not looked at
)

// pointerArg is one argument of a call.
type pointerArg struct {
	kind     int
	bytes    uintptr // of a structure; 0: not known, or it would act where it fits
	optional bool    // NULL is no error
	noNull   bool    // NULL would be for ever
	einval   bool    // NULL is -EINVAL
	good     func(p *pointerPlace) uintptr
}

func n(v uintptr) pointerArg {
	return pointerArg{good: func(*pointerPlace) uintptr { return v }}
}

// of is a number that the place knows.
func of(good func(p *pointerPlace) uintptr) pointerArg { return pointerArg{good: good} }

func in(bytes uintptr) pointerArg        { return pointerArg{kind: aStruct, bytes: bytes, good: scratchIn} }
func out(bytes uintptr) pointerArg       { return pointerArg{kind: aResult, bytes: bytes, good: scratchOut} }
func both(bytes uintptr) pointerArg      { return pointerArg{kind: aBoth, bytes: bytes, good: scratchIn} }
func notLookedAt() pointerArg            { return pointerArg{kind: aNothing, good: scratchOut} }
func bytesIn() pointerArg                { return pointerArg{kind: aRead, good: scratchIn} }
func bytesOut() pointerArg               { return pointerArg{kind: aWritten, good: scratchOut} }
func futexWord() pointerArg              { return pointerArg{kind: aWord, bytes: 4, good: scratchIn} }
func aText(s string) pointerArg          { return textOf(func(*pointerPlace) string { return s }) }
func scratchIn(p *pointerPlace) uintptr  { return p.scratch }
func scratchOut(p *pointerPlace) uintptr { return p.scratch + page }

func textOf(of func(p *pointerPlace) string) pointerArg {
	return pointerArg{kind: aString, good: func(p *pointerPlace) uintptr {
		b := append([]byte(of(p)), 0)
		p.kept = append(p.kept, b)
		return ptr(&b[0])
	}}
}

// noTime is a time limit, none at all.
func noTime() pointerArg { return pointerArg{kind: aStruct, bytes: 16, noNull: true, good: scratchIn} }

func nullIsEinval(a pointerArg) pointerArg {
	a.einval = true
	return a
}

// orNull says that NULL may be given, and gives it while others are tested.
func orNull(a pointerArg) pointerArg {
	a.optional = true
	a.good = func(*pointerPlace) uintptr { return 0 }
	return a
}

// given is a with another good value.
func given(a pointerArg, good func(p *pointerPlace) uintptr) pointerArg {
	a.good = good
	return a
}

// pointerRow is a call with arguments that are all right. Only those numbered in only are tested, if it
// is not empty: others are in another row.
type pointerRow struct {
	call    string
	number  uintptr
	args    []pointerArg
	variant string // which of the call's forms
	only    int
	makes   int                                   // descriptors when it succeeds: 1 in the result, 2 where argument 'only' points
	prepare func(p *pointerPlace)                 // before each call
	around  func(t *T, f func())                  // the check runs in it: on a thread of its own, say
	done    func(p *pointerPlace, result uintptr) // after success
}

func (r pointerRow) name(i int) string {
	name := fmt.Sprintf("%s.%d", r.call, i+1)
	if r.variant != "" {
		name += "-" + r.variant
	}
	return name
}

// badPointer is an address with what it is, and what the answer must be.
type badAddress struct {
	what string
	at   uintptr
	want func(e syscall.Errno) bool
}

func isEfault(e syscall.Errno) bool  { return e == syscall.EFAULT }
func isEinval(e syscall.Errno) bool  { return e == syscall.EINVAL }
func noEfault(e syscall.Errno) bool  { return e != syscall.EFAULT }
func isNoError(e syscall.Errno) bool { return e == 0 || e == syscall.EAGAIN || e == syscall.ETIMEDOUT }

// nowhere are addresses where no kernel and no program has anything to read.
func (p *pointerPlace) nowhere() []badAddress {
	list := []badAddress{
		{"page 0", 8, isEfault},
		{"nothing mapped", badPointer, isEfault},
		{"PROT_NONE", p.noAccess, isEfault},
		{"the last page of the program's half", 0x7ffffffff000, isEfault},
		{"not canonical, just beyond", 0x800000000000, isEfault},
		{"not canonical", notCanonical, isEfault},
		{"the first page of the kernel's half", 0xffff800000000000, isEfault},
		{"Linux's direct map", 0xffff888000001000, isEfault},
		{"Linux's text", 0xffffffff81000000, isEfault},
		{"the last page", 0xfffffffffffff000, isEfault},
		{"in front of the program", 0x200000, isEfault},
		{"there, 100 KiB on", 0x200000 + 100<<10, isEfault},
	}
	return list
}

// bad are the addresses that an argument is tested with.
func (p *pointerPlace) bad(a pointerArg) []badAddress {
	list := p.nowhere()
	if a.kind == aNothing {
		for i := range list {
			list[i].want = isNoError
		}
		return list
	}
	switch {
	case a.optional:
		list = append(list, badAddress{"NULL", 0, noEfault})
	case a.einval:
		list = append(list, badAddress{"NULL", 0, isEinval})
	case !a.noNull:
		list = append(list, badAddress{"NULL", 0, isEfault})
	}
	switch a.kind {
	case aWord, aFutexName:
		list = append(list, badAddress{"1", 1, isEinval}, badAddress{"the last byte of a page", p.edge - 1, isEinval})
		if a.kind == aFutexName {
			for i := range list {
				if list[i].at%4 == 0 && list[i].at <= 0x7ffffffff000 {
					list[i].want = noEfault
				}
			}
		}
		return list
	case aStruct, aResult, aBoth, aString:
		if a.bytes != 1 {
			list = append(list, badAddress{"the last byte of a page", p.edge - 1, isEfault})
		}
	}
	list = append(list, badAddress{"1", 1, isEfault})
	if a.bytes > 1 {
		list = append(list, badAddress{"all but the last byte", p.edge - a.bytes + 1, isEfault},
			badAddress{"just fitting", p.edge - a.bytes, noEfault})
	}
	if a.kind == aStruct && a.bytes > 0 {
		list = append(list, badAddress{"read-only", p.readOnly, noEfault})
	}
	if a.kind == aResult || a.kind == aWritten || a.kind == aBoth {
		list = append(list, badAddress{"read-only", p.readOnly, isEfault})
	}
	return list
}

// pointerPlace is what the calls work on.
type pointerPlace struct {
	t                                             *T
	dirPath, filePath                             string
	file, other, dir, pipe, pipeEnd, epoll, event uintptr
	dgram, dgramEnd, udp, listener, stream        uintptr
	timerfd, inotify                              uintptr
	timer                                         int32
	scratch                                       uintptr // four pages
	readOnly, noAccess, edge                      uintptr // a page, a page, the first byte without access
	kept                                          [][]byte
	closers                                       []func()
}

func (p *pointerPlace) keep(what string, fd uintptr, e error) uintptr {
	p.t.Must(what, e)
	p.closers = append(p.closers, func() { syscall.Close(int(fd)) })
	return fd
}

func (p *pointerPlace) makes(what string, number uintptr, args ...uintptr) uintptr {
	fd, e := call(number, args...)
	if e != 0 {
		p.t.Fatalf("%s: %v", what, e)
	}
	return p.keep(what, fd, nil)
}

func newPointerPlace(t *T) *pointerPlace {
	p := &pointerPlace{t: t, dirPath: tempDir(t)}
	p.filePath = p.dirPath + "/file"
	t.Must("WriteFile", os.WriteFile(p.filePath, make([]byte, 8192), 0o600))
	p.file = uintptr(open(t, p.filePath, syscall.O_RDWR, 0))
	p.other = uintptr(open(t, p.dirPath+"/other", syscall.O_RDWR|syscall.O_CREAT, 0o600))
	p.dir = uintptr(open(t, p.dirPath, syscall.O_RDONLY|syscall.O_DIRECTORY, 0))
	r, w := pipe(t, syscall.O_NONBLOCK)
	syscall.Write(w, make([]byte, 64))
	p.pipe, p.pipeEnd = uintptr(r), uintptr(w)
	p.sockets()
	p.epoll = p.makes("epoll_create1", syscall.SYS_EPOLL_CREATE1, 0)
	p.event = p.makes("eventfd2", syscall.SYS_EVENTFD2, 1, syscall.O_NONBLOCK)
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN}
	t.Must("EpollCtl", syscall.EpollCtl(int(p.epoll), syscall.EPOLL_CTL_ADD, int(p.event), &ev))
	p.timerfd = p.makes("timerfd_create", syscall.SYS_TIMERFD_CREATE, 1, 0)
	p.inotify = p.makes("inotify_init1", syscall.SYS_INOTIFY_INIT1, 0)
	_, e := call(syscall.SYS_TIMER_CREATE, 1, ptr(&sigevent{notify: sigevNone}), ptr(&p.timer))
	t.Want("timer_create", e, syscall.Errno(0))
	p.scratch = mapPages(t, 4, rw)
	p.readOnly = mapPages(t, 1, ro)
	p.noAccess = mapPages(t, 1, none)
	p.edge = mapPages(t, 2, rw) + page
	protect(p.edge, page, none)
	return p
}

func (p *pointerPlace) sockets() {
	t := p.t
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	t.Must("socketpair", err)
	for i := 0; i < 2; i++ {
		syscall.Write(pair[1], []byte("datagram"))
	}
	p.dgram, p.dgramEnd = uintptr(pair[0]), uintptr(pair[1])
	udp, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	t.Must("socket", err)
	t.Must("bind", syscall.Bind(udp, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	here, err := syscall.Getsockname(udp)
	t.Must("getsockname", err)
	t.Must("sendto", syscall.Sendto(udp, []byte("datagram"), 0, here))
	p.udp = uintptr(udp)
	listener, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	t.Must("socket", err)
	t.Must("bind", syscall.Bind(listener, &syscall.SockaddrUnix{Name: p.dirPath + "/socket"}))
	t.Must("listen", syscall.Listen(listener, 8))
	p.listener = uintptr(listener)
	stream, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	t.Must("socket", err)
	p.stream = uintptr(stream)
	p.visit()
}

// visit makes a connection that waits to be accepted.
func (p *pointerPlace) visit() {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	p.t.Must("socket", err)
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: p.dirPath + "/socket"}); err != nil && err != syscall.EAGAIN {
		p.t.Fatalf("connect: %v", err)
	}
	syscall.Close(fd)
}

func (p *pointerPlace) close() {
	for _, f := range p.closers {
		f()
	}
	for _, fd := range []uintptr{p.file, p.other, p.dir, p.pipe, p.pipeEnd, p.dgram, p.dgramEnd, p.udp, p.listener, p.stream} {
		syscall.Close(int(fd))
	}
	call(syscall.SYS_TIMER_DELETE, uintptr(p.timer))
	os.RemoveAll(p.dirPath)
	unmap(p.t, p.scratch, 4)
	unmap(p.t, p.readOnly, 1)
	unmap(p.t, p.noAccess, 1)
	unmap(p.t, p.edge-page, 2)
}

// reset makes what the arguments point to what it was: zeroes; at the third page, a length; and a page
// that ends in what is not the end of a string.
func (p *pointerPlace) reset() {
	for _, at := range []uintptr{p.scratch, p.scratch + page} {
		clear(bytesAt(at, 1024))
	}
	*(*uint32)(unsafe.Pointer(at(p.scratch + 2*page))) = 110
	clear(bytesAt(p.edge-1024, 1024))
}

func openDescriptors(t *T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	t.Must("ReadDir", err)
	return len(entries)
}

// finish undoes what a call did that succeeded.
func (r pointerRow) finish(p *pointerPlace, result, where uintptr) {
	switch {
	case r.done != nil:
		r.done(p, result)
	case r.makes == 1:
		syscall.Close(int(result))
	case r.makes == 2:
		pair := (*[2]int32)(unsafe.Pointer(at(where)))
		syscall.Close(int(pair[0]))
		syscall.Close(int(pair[1]))
	}
}

// try makes the call with one argument bad.
func (r pointerRow) try(p *pointerPlace, i int, b badAddress) {
	p.reset()
	if r.args[i].kind == aString {
		*at(p.edge - 1) = 'x'
	}
	if r.prepare != nil {
		r.prepare(p)
	}
	var args [6]uintptr
	for j, a := range r.args {
		args[j] = a.good(p)
	}
	args[i] = b.at
	var result uintptr
	var e syscall.Errno
	ask := func() {
		result, _, e = syscall.Syscall6(r.number, args[0], args[1], args[2], args[3], args[4], args[5])
	}
	if r.args[i].kind == aNothing {
		withoutSignals(ask) // the runtime's would make it look
	} else {
		ask()
	}
	if !b.want(e) {
		p.t.Errorf("%s, %s: %d, %v", r.name(i), b.what, result, e)
	}
	if e == 0 {
		r.finish(p, result, args[i])
	}
}

func (r pointerRow) check(i int) check {
	return check{r.name(i), func(t *T) {
		run := func() {
			p := newPointerPlace(t)
			defer p.close()
			before := openDescriptors(t)
			for _, b := range p.bad(r.args[i]) {
				r.try(p, i, b)
			}
			t.Want("descriptors more", openDescriptors(t)-before, 0)
		}
		if r.around != nil {
			r.around(t, run)
		} else {
			run()
		}
	}}
}

// pointerChecks are those of the tables, and those that follow pointers behind pointers.
func pointerChecks() (checks []check) {
	for _, rows := range [][]pointerRow{pathRows, fileRows, waitRows, socketRows, signalRows, timeRows, processRows} {
		for _, r := range rows {
			for i, a := range r.args {
				if a.kind != aNumber && (r.only == 0 || r.only == i+1) {
					checks = append(checks, r.check(i))
				}
			}
		}
	}
	return append(append(checks, rangeChecks()...), nestedChecks...)
}
