package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"unsafe"
)

// Memory: mappings, and what Go's runtime and databases do to them.
var memoryChecks = slices.Concat(memoryMapChecks, memoryProtectChecks, memoryRemapChecks,
	memoryAdviceChecks, memoryLimitChecks, memoryFileChecks)

const (
	none       = syscall.PROT_NONE
	ro         = syscall.PROT_READ
	rw         = syscall.PROT_READ | syscall.PROT_WRITE
	private    = syscall.MAP_ANON | syscall.MAP_PRIVATE
	sharedAnon = syscall.MAP_ANON | syscall.MAP_SHARED
	noFd       = ^uintptr(0)

	mapFixedNoReplace = 0x100000
	mapNoReserve      = 0x4000
	map32Bit          = 0x40
	mapGrowsDown      = 0x100
	mapSharedValidate = 3

	hugePage = 2 << 20
)

// mmap maps memory of no file, as the arguments say.
func mmap(addr, length, prot, flags uintptr) (uintptr, syscall.Errno) {
	return call(syscall.SYS_MMAP, addr, length, prot, flags, noFd, 0)
}

// nextPlace is where mapPages maps next: far from where the kernel puts what comes without a hint, so
// that a hole which a check makes stays one, whatever Go's runtime maps meanwhile.
var nextPlace uintptr = 0x600000000000

// mapPages maps memory of no file where nothing is, with room around it.
func mapPages(t *T, pages uintptr, prot int) uintptr {
	a, e := mmap(nextPlace, pages*page, uintptr(prot), private)
	if e != 0 || a != nextPlace {
		t.Fatalf("mmap of %d pages: %#x, %v", pages, a, e)
	}
	nextPlace += (pages*page + 1<<30) &^ (1<<28 - 1)
	return a
}

func unmap(t *T, addr, pages uintptr) {
	if _, e := call(syscall.SYS_MUNMAP, addr, pages*page); e != 0 {
		t.Errorf("munmap: %v", e)
	}
}

func protect(addr, length, prot uintptr) syscall.Errno {
	_, e := call(syscall.SYS_MPROTECT, addr, length, prot)
	return e
}

func advise(addr, length, advice uintptr) syscall.Errno {
	_, e := call(syscall.SYS_MADVISE, addr, length, advice)
	return e
}

// resident is what mincore says of a range.
func resident(t *T, addr, pages uintptr) []byte {
	vec := make([]byte, pages)
	if _, e := call(syscall.SYS_MINCORE, addr, pages*page, ptr(&vec[0])); e != 0 {
		t.Fatalf("mincore: %v", e)
	}
	for i := range vec {
		vec[i] &= 1
	}
	return vec
}

// countResident counts the pages of a range that are there.
func countResident(t *T, addr, pages uintptr) (n int) {
	for _, b := range resident(t, addr, pages) {
		n += int(b)
	}
	return n
}

// faultAt does an access that may fault: the address of the fault, and whether there was one.
func faultAt(access func()) (addr uintptr, faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			faulted = true
			if e, ok := r.(interface{ Addr() uintptr }); ok {
				addr = e.Addr()
			}
		}
	}()
	access()
	return 0, false
}

var sink byte

func loadFaults(addr uintptr) bool {
	at, faulted := faultAt(func() { sink = *at(addr) })
	return faulted && at == addr
}

func storeFaults(addr uintptr) bool {
	at, faulted := faultAt(func() { *at(addr) = 1 })
	return faulted && at == addr
}

// mapsOf counts the lines of /proc/self/maps that lie in a range.
func mapsOf(t *T, start, end uintptr) (n int) {
	text, err := os.ReadFile("/proc/self/maps")
	t.Must("maps", err)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var low, high uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &low, &high); err != nil {
			t.Fatalf("maps: %q: %v", line, err)
		}
		if low < end && high > start {
			n++
		}
	}
	return n
}

// residentPages is the second number of /proc/self/statm.
func residentPages(t *T) (n int) {
	text, err := os.ReadFile("/proc/self/statm")
	t.Must("statm", err)
	var size int
	if _, err := fmt.Sscan(string(text), &size, &n); err != nil {
		t.Fatalf("statm %q: %v", text, err)
	}
	return n
}

var memoryMapChecks = []check{
	{"unmap-in-the-middle", unmapInTheMiddle},
	{"fresh-memory-is-zero", freshMemoryIsZero},
	{"length-is-rounded-up", lengthIsRoundedUp},
	{"free-hint-is-honoured", freeHintIsHonoured},
	{"taken-hint-gives-another", takenHintGivesAnother},
	{"hint-in-the-image-gives-another", hintInTheImage},
	{"fixed-replaces", fixedReplaces},
	{"fixed-noreplace", fixedNoReplace},
	{"bad-arguments-of-mmap", badMmap},
	{"neighbours-become-one", neighboursBecomeOne},
	{"below-2-gib", below2GiB},
	{"populate-fills", populateFills},
	{"shared-without-file", sharedWithoutFile},
	{"grows-down", growsDown},
	{"low-pages-are-never-mapped", lowPages},
}

func unmapInTheMiddle(t *T) {
	a := mapPages(t, 3, rw)
	*at(a), *at(a + 2*page) = 1, 2
	unmap(t, a+page, 1)
	t.Want("first page", *at(a), byte(1))
	t.Want("last page", *at(a + 2*page), byte(2))
	t.Want("the hole faults", loadFaults(a+page), true)
	var vec [3]byte
	_, e := call(syscall.SYS_MINCORE, a, 3*page, ptr(&vec[0]))
	t.Want("mincore over the hole", e, syscall.ENOMEM)
	unmap(t, a, 3) // the hole is no error
	_, e = call(syscall.SYS_MUNMAP, a+1, page)
	t.Want("munmap of an odd address", e, syscall.EINVAL)
	_, e = call(syscall.SYS_MUNMAP, a, 0)
	t.Want("munmap of nothing", e, syscall.EINVAL)
}

// Go uses what it maps without clearing it: also what others have just given back.
func freshMemoryIsZero(t *T) {
	const pages = 700 // more than 2 MiB
	for round := 0; round < 4; round++ {
		a := mapPages(t, pages, rw)
		b := unsafe.Slice((*uint64)(unsafe.Pointer(at(a))), pages*page/8)
		for i, v := range b {
			if v != 0 {
				t.Fatalf("round %d: word %d is %#x", round, i, v)
			}
			b[i] = ^uint64(0)
		}
		unmap(t, a, pages)
	}
}

func lengthIsRoundedUp(t *T) {
	a, e := mmap(0, 69648, rw, private) // Go 1.26 asks for that
	t.Want("mmap", e, syscall.Errno(0))
	*at(a + 17*page + page - 1) = 1
	unmap(t, a, 18)
}

func freeHintIsHonoured(t *T) {
	a := mapPages(t, 64, none)
	unmap(t, a, 64)
	b, e := mmap(a+page, 4*page, none, private)
	t.Want("mmap", e, syscall.Errno(0))
	t.Want("address", b, a+page)
	c, _ := mmap(a+5*page+123, page, none, private)
	t.Want("address of an odd hint", c, a+5*page)
	unmap(t, a, 64)
	for i := uintptr(0); i < 8; i++ { // aligned as those of Go 1.26
		hint := 0x610004000000 + i<<38
		b, e := mmap(hint, 64<<20, none, private)
		t.Want("mmap", e, syscall.Errno(0))
		t.Want("address", b, hint)
		unmap(t, b, 64<<20/page)
	}
}

func takenHintGivesAnother(t *T) {
	a := mapPages(t, 4, rw)
	defer unmap(t, a, 4)
	*at(a + 2*page) = 7
	b, e := mmap(a+page, 2*page, rw, private)
	t.Want("mmap", e, syscall.Errno(0))
	if b < a+4*page && b+2*page > a {
		t.Fatalf("placed over what was there")
	}
	*at(b), *at(b + page) = 1, 1
	t.Want("old contents", *at(a + 2*page), byte(7))
	unmap(t, b, 2)
}

func hintInTheImage(t *T) {
	const text, length = 0x400000, 64 << 20
	a, e := mmap(text, length, none, private)
	t.Want("mmap", e, syscall.Errno(0))
	if a < text+length && a+length > text {
		t.Errorf("placed over the program: %#x", a)
	}
	unmap(t, a, length/page)
}

func fixedReplaces(t *T) {
	a := mapPages(t, 5, rw)
	for i := uintptr(0); i < 5; i++ {
		*at(a + i*page) = byte(i + 1)
	}
	b, e := mmap(a+page, 2*page, rw, private|syscall.MAP_FIXED)
	t.Want("mmap", e, syscall.Errno(0))
	t.Want("address", b, a+page)
	for i, want := range []byte{1, 0, 0, 4, 5} {
		t.Want(fmt.Sprint("page ", i), *at(a + uintptr(i)*page), want)
	}
	_, e = mmap(a+page, 2*page, none, private|syscall.MAP_FIXED)
	t.Want("mmap of PROT_NONE", e, syscall.Errno(0))
	t.Want("load", loadFaults(a+2*page), true)
	t.Want("the page behind", *at(a + 3*page), byte(4))
	unmap(t, a, 5)
}

func fixedNoReplace(t *T) {
	a := mapPages(t, 4, rw)
	*at(a) = 9
	_, e := mmap(a-page, 2*page, rw, private|mapFixedNoReplace)
	t.Want("over a mapping", e, syscall.EEXIST)
	t.Want("contents", *at(a), byte(9))
	unmap(t, a+page, 2)
	b, e := mmap(a+page, 2*page, rw, private|mapFixedNoReplace)
	t.Want("into the hole", e, syscall.Errno(0))
	t.Want("address", b, a+page)
	unmap(t, a, 4)
}

func badMmap(t *T) {
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	for _, c := range []struct {
		what                           string
		addr, length, prot, flags, off uintptr
		want                           syscall.Errno
	}{
		{"length 0", 0, 0, rw, private, 0, syscall.EINVAL},
		{"neither shared nor private", 0, page, rw, syscall.MAP_ANON, 0, syscall.EINVAL},
		{"MAP_SHARED_VALIDATE without a file", 0, page, rw, syscall.MAP_ANON | mapSharedValidate, 0, syscall.EINVAL},
		{"odd offset", 0, page, rw, private, 1, syscall.EINVAL},
		{"odd fixed address", a + 1, page, rw, private | syscall.MAP_FIXED, 0, syscall.EINVAL},
		{"beyond the address space", 1 << 47, page, rw, private | syscall.MAP_FIXED, 0, syscall.ENOMEM},
		{"longer than the address space", 0, 1 << 47, none, private, 0, syscall.ENOMEM},
		{"length that wraps", 0, ^uintptr(0) - 100, none, private, 0, syscall.ENOMEM},
	} {
		_, e := call(syscall.SYS_MMAP, c.addr, c.length, c.prot, c.flags, noFd, c.off)
		t.Want(c.what, e, c.want)
	}
	_, e := call(syscall.SYS_MMAP, 0, page, ro, syscall.MAP_PRIVATE, 12345, 0)
	t.Want("a descriptor that is none", e, syscall.EBADF)
}

// Go's heap grows by thousands of small mappings: they must not stay thousands.
func neighboursBecomeOne(t *T) {
	a := mapPages(t, 256, none)
	defer unmap(t, a, 256)
	for i := uintptr(0); i < 256; i++ {
		if _, e := mmap(a+(i*7%256)*page, page, rw, private|syscall.MAP_FIXED); e != 0 {
			t.Fatalf("mmap: %v", e)
		}
	}
	t.Want("mappings", mapsOf(t, a+page, a+255*page), 1)
	t.Want("mprotect", protect(a+100*page, page, ro), syscall.Errno(0))
	t.Want("mappings with another in the middle", mapsOf(t, a+page, a+255*page), 3)
	t.Want("mprotect back", protect(a+100*page, page, rw), syscall.Errno(0))
	t.Want("mappings again", mapsOf(t, a+page, a+255*page), 1)
}

func below2GiB(t *T) {
	var got []uintptr
	for i := 0; i < 16; i++ {
		a, e := mmap(0, 3*page, rw, private|map32Bit)
		t.Want("mmap", e, syscall.Errno(0))
		if a+3*page > 1<<31 {
			t.Fatalf("at %#x", a)
		}
		*at(a) = byte(i)
		got = append(got, a)
	}
	for i, a := range got {
		t.Want("contents", *at(a), byte(i))
		unmap(t, a, 3)
	}
	_, e := mmap(0, 2<<30, none, private|map32Bit)
	t.Want("too long for there", e, syscall.ENOMEM)
}

func populateFills(t *T) {
	a, e := mmap(0, 20*page, rw, private|syscall.MAP_POPULATE)
	t.Want("mmap", e, syscall.Errno(0))
	t.Want("resident", countResident(t, a, 20), 20)
	unmap(t, a, 20)
}

func sharedWithoutFile(t *T) {
	a, e := mmap(0, 4*page, rw, sharedAnon)
	t.Want("mmap", e, syscall.Errno(0))
	*at(a + page) = 5
	t.Want("contents", *at(a + page), byte(5))
	unmap(t, a, 4)
}

func growsDown(t *T) {
	const room = 600 // more than the gap that is kept below
	hole := mapPages(t, room+4, none)
	unmap(t, hole, room+4)
	a, e := mmap(hole+room*page, 4*page, rw, private|mapGrowsDown|syscall.MAP_FIXED)
	t.Want("mmap", e, syscall.Errno(0))
	*at(a - 1) = 3
	*at(a - 9*page) = 4
	t.Want("just below", *at(a - 1), byte(3))
	t.Want("what lies between", *at(a - 5*page), byte(0))
	t.Want("mappings", mapsOf(t, a-9*page, a+page), 1)
	_, e = mmap(hole, page, ro, private|syscall.MAP_FIXED)
	t.Want("mmap below", e, syscall.Errno(0))
	t.Want("too near to the next", loadFaults(hole+20*page), true)
	unmap(t, hole, room+4)
}

// A nil pointer with an offset must fault, and so must what the runtime stores to on purpose.
func lowPages(t *T) {
	for _, a := range []uintptr{8, 0xf1, 0x1006, 0x1ff8} {
		_, faulted := faultAt(func() { sink = *at(a) })
		t.Want(fmt.Sprintf("load at %#x faults", a), faulted, true)
	}
}
