package main

import (
	"syscall"
	"unsafe"
)

// Addresses that are not looked at, but name a range of the program's memory.

// Where a range can be that is not all right.
const (
	atZero = iota
	atOne
	atNothing // nothing is mapped there
	atNoAccess
	atTop    // the last page of the program's half, which nobody has
	atBeyond // from here on not the program's
	atNotCanonical
	atKernel
	atLast // the last page of all: its end is 0
	rangePlaces
)

var rangeNames = [rangePlaces]string{"page 0", "1", "nothing mapped", "PROT_NONE", "the last page of the program's half",
	"just beyond", "not canonical", "Linux's direct map", "the last page"}

// rangeRow is a call on a range of one page, with what it answers for each place.
type rangeRow struct {
	name string
	call func(t *T, at uintptr) syscall.Errno
	want [rangePlaces]syscall.Errno
}

const (
	enomem, einval, efault = syscall.ENOMEM, syscall.EINVAL, syscall.EFAULT
	notAsked               = syscall.Errno(9999) // it would act
)

// onRange is a call whose first two arguments are the range.
func onRange(number uintptr, more ...uintptr) func(t *T, at uintptr) syscall.Errno {
	return func(_ *T, at uintptr) syscall.Errno {
		_, e := call(number, append([]uintptr{at, page}, more...)...)
		return e
	}
}

var rangeRows = []rangeRow{
	{"mprotect.1", onRange(syscall.SYS_MPROTECT, 3),
		[rangePlaces]syscall.Errno{enomem, einval, enomem, 0, enomem, enomem, enomem, enomem, enomem}},
	{"munmap.1", onRange(syscall.SYS_MUNMAP),
		[rangePlaces]syscall.Errno{0, einval, 0, 0, einval, einval, einval, einval, einval}},
	{"mremap.1", onRange(syscall.SYS_MREMAP, 2*page, 1),
		[rangePlaces]syscall.Errno{efault, einval, efault, 0, efault, efault, efault, efault, efault}},
	{"mremap.5", moveTo, [rangePlaces]syscall.Errno{notAsked, einval, 0, 0, einval, einval, einval, einval, einval}},
	{"msync.1", onRange(syscall.SYS_MSYNC, 4),
		[rangePlaces]syscall.Errno{enomem, einval, enomem, 0, enomem, enomem, enomem, enomem, enomem}},
	{"mincore.1", inCore, [rangePlaces]syscall.Errno{enomem, einval, enomem, 0, enomem, enomem, enomem, enomem, enomem}},
	{"madvise.1", onRange(syscall.SYS_MADVISE, advDontNeed),
		[rangePlaces]syscall.Errno{enomem, einval, enomem, 0, enomem, enomem, enomem, enomem, einval}},
	{"mlock.1", onRange(syscall.SYS_MLOCK),
		[rangePlaces]syscall.Errno{enomem, enomem, enomem, enomem, enomem, enomem, enomem, enomem, einval}},
	{"munlock.1", onRange(syscall.SYS_MUNLOCK),
		[rangePlaces]syscall.Errno{enomem, enomem, enomem, 0, enomem, enomem, enomem, enomem, einval}},
	{"mlock2.1", onRange(325, 1),
		[rangePlaces]syscall.Errno{enomem, enomem, enomem, 0, enomem, enomem, enomem, enomem, einval}},
	{"mmap.1", mapAt, [rangePlaces]syscall.Errno{notAsked, einval, 0, 0, enomem, enomem, enomem, enomem, enomem}},
	{"brk.1", breakAt, [rangePlaces]syscall.Errno{}},
}

func moveTo(t *T, to uintptr) syscall.Errno {
	from := mapPages(t, 1, rw)
	_, e := call(syscall.SYS_MREMAP, from, page, page, 3 /* MREMAP_MAYMOVE, MREMAP_FIXED */, to)
	unmap(t, from, 1)
	return e
}

func inCore(_ *T, at uintptr) syscall.Errno {
	var vec byte
	_, e := call(syscall.SYS_MINCORE, at, page, ptr(&vec))
	return e
}

func mapAt(_ *T, at uintptr) syscall.Errno {
	_, e := mmap(at, page, rw, private|syscall.MAP_FIXED)
	return e
}

// breakAt: a break that cannot be is not set.
func breakAt(t *T, at uintptr) syscall.Errno {
	before, _ := call(syscall.SYS_BRK, 0)
	after, _ := call(syscall.SYS_BRK, at)
	t.Want("the break", after, before)
	return 0
}

func (r rangeRow) check(t *T) {
	noAccess := mapPages(t, 1, none)
	places := [rangePlaces]uintptr{0, 1, badPointer, noAccess, 0x7ffffffff000, 0x800000000000, notCanonical,
		0xffff888000001000, ^uintptr(page - 1)}
	for i, at := range places {
		if r.want[i] == notAsked {
			continue
		}
		t.Want(rangeNames[i], r.call(t, at), r.want[i])
	}
	unmap(t, badPointer, 1)
	unmap(t, noAccess, 1)
}

func rangeChecks() (checks []check) {
	for _, r := range rangeRows {
		checks = append(checks, check{r.name, r.check})
	}
	return checks
}

// ------------------------------------------------------------------ pointers behind pointers

var nestedChecks = []check{
	{"vectors-with-a-bad-part", nestedVectors},
	{"vectors-of-bad-lengths", nestedVectorLengths},
	{"what-fits-is-read-and-written", nestedPartial},
	{"a-message-with-a-bad-part", nestedMessage},
	{"messages-with-a-bad-part", nestedMessages},
	{"descriptors-in-a-message-that-fails", nestedRights},
	{"a-datagram-is-lost-with-its-reader", nestedLostDatagram},
	{"lengths-of-addresses", nestedLengths},
	{"events-that-fit", nestedEvents},
	{"directory-entries-that-fit", nestedEntries},
	{"sets-that-end-early", nestedSets},
	{"a-mask-behind-pselect", nestedPselectMask},
	{"the-rest-of-a-sleep", nestedSleepRest},
	{"the-signal-that-was-waited-for", onSignalThread(nestedSignalInfo)},
	{"threads-that-begin", nestedThreadBegins},
	{"threads-that-end", nestedThreadEnds},
	{"the-old-comes-after-the-new", nestedOldAfterNew},
}

// edges are pages whose next one cannot be touched.
type edges struct{ end uintptr }

func newEdge(t *T) (e edges, done func()) {
	a := mapPages(t, 2, rw)
	protect(a+page, page, none)
	return edges{a + page}, func() { unmap(t, a, 2) }
}

// vectorPlace is a file, a pipe or a socket with bytes to be read.
type vectorPlace struct {
	name     string
	from, to int
}

func vectorPlaces(t *T) (places []vectorPlace, done func()) {
	dir := tempDir(t)
	write(t, dir+"/file", "0123456789")
	f := open(t, dir+"/file", syscall.O_RDWR, 0)
	r, w := pipe(t, syscall.O_NONBLOCK)
	syscall.Write(w, []byte("0123456789"))
	s, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	t.Must("socketpair", err)
	syscall.Write(s[1], []byte("0123456789"))
	return []vectorPlace{{"file", f, f}, {"pipe", r, w}, {"socket", s[0], s[1]}}, func() {
		for _, fd := range []int{f, r, w, s[0], s[1]} {
			syscall.Close(fd)
		}
		removeAll(dir)
	}
}

// nestedVectors: what stands in front of a bad part is read from a file and written to it. Pipes and sockets
// transfer what they hold as one, or nothing.
func nestedVectors(t *T) {
	places, done := vectorPlaces(t)
	defer done()
	good := make([]byte, 4)
	bad := []iovec{{badPointer, 4}, iovecOf(good)}
	vec := []iovec{iovecOf(good), {badPointer, 4}, iovecOf(good)}
	kernel := []iovec{iovecOf(good), {0xffff888000001000, 4}} // Linux looks at once whether it can be
	for _, p := range places {
		for _, c := range []struct {
			name   string
			number uintptr
			fd     int
		}{{"readv of a ", syscall.SYS_READV, p.from}, {"writev to a ", syscall.SYS_WRITEV, p.to}} {
			what := c.name + p.name
			got, e := call(c.number, uintptr(c.fd), ptr(&vec[0]), 3)
			if p.name == "file" {
				t.Want(what, e, syscall.Errno(0))
				t.Want(what, got, uintptr(4))
			} else {
				t.Want(what, e, efault)
			}
			_, e = call(c.number, uintptr(c.fd), ptr(&bad[0]), 2)
			t.Want(what+", first part bad", e, efault)
			_, e = call(c.number, uintptr(c.fd), ptr(&kernel[0]), 2)
			t.Want(what+", kernel's memory", e, efault)
		}
		if p.name != "file" {
			buf := make([]byte, 16)
			got, _ := syscall.Read(p.from, buf)
			t.Want("what is left in a "+p.name, string(buf[:max(got, 0)]), "0123456789")
		}
	}
	for name, number := range map[string]uintptr{"preadv": 295, "pwritev": 296, "preadv2": 327, "pwritev2": 328} {
		got, e := call(number, uintptr(places[0].from), ptr(&vec[0]), 2, 0, 0, 0)
		t.Want(name, e, syscall.Errno(0))
		t.Want(name, got, uintptr(4))
	}
}

// nestedVectorLengths: a negative length is EINVAL; an array that is cut off is EFAULT.
func nestedVectorLengths(t *T) {
	places, done := vectorPlaces(t)
	defer done()
	edge, closed := newEdge(t)
	defer closed()
	for _, p := range places {
		b := make([]byte, 4)
		vec := []iovec{iovecOf(b), {uintptr(unsafe.Pointer(&b[0])), ^uintptr(0)}}
		_, e := call(syscall.SYS_READV, uintptr(p.from), ptr(&vec[0]), 2)
		t.Want("readv with length -1 of a "+p.name, e, einval)
		_, e = call(syscall.SYS_WRITEV, uintptr(p.to), ptr(&vec[0]), 2)
		t.Want("writev with length -1 to a "+p.name, e, einval)
		*(*iovec)(unsafe.Pointer(at(edge.end - iovecBytes))) = iovecOf(b)
		_, e = call(syscall.SYS_READV, uintptr(p.from), edge.end-iovecBytes, 2)
		t.Want("readv with half of the array of a "+p.name, e, efault)
		_, e = call(syscall.SYS_READV, uintptr(p.from), edge.end-iovecBytes, 1025)
		t.Want("readv with 1025 parts of a "+p.name, e, einval)
		_, e = call(syscall.SYS_READV, uintptr(p.from), 0, 0)
		t.Want("readv with no part of a "+p.name, e, syscall.Errno(0))
	}
}
