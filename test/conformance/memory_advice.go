package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

var memoryAdviceChecks = []check{
	{"dontneed-reads-zero", dontneedReadsZero},
	{"dontneed-gives-back", dontneedGivesBack},
	{"dontneed-in-small-pieces", dontneedInSmallPieces},
	{"free-keeps-or-zeroes", freeKeepsOrZeroes},
	{"advice-over-a-hole", adviceOverAHole},
	{"answers-of-madvise", answersOfMadvise},
	{"populate-by-advice", populateByAdvice},
	{"huge-pages", hugePages},
	{"mincore-tells", mincoreTells},
	{"lock-fills", lockFills},
	{"lock-on-fault", lockOnFault},
	{"lock-of-the-future", lockFuture},
	{"bad-arguments-of-msync", badMsync},
}

const (
	advDontNeed      = 4
	advFree          = 8
	advRemove        = 9
	advHugePage      = 14
	advNoHugePage    = 15
	advCold          = 20
	advPageOut       = 21
	advPopulateRead  = 22
	advPopulateWrite = 23
	advCollapse      = 25
)

func dontneedReadsZero(t *T) {
	a := mapPages(t, 64, rw)
	defer unmap(t, a, 64)
	for i := range bytesAt(a, 64*page) {
		bytesAt(a, 64*page)[i] = 0xaa
	}
	t.Want("madvise", advise(a+page, 62*page, advDontNeed), syscall.Errno(0))
	for i, b := range bytesAt(a, 64*page) {
		want := byte(0)
		if i < page || i >= 63*page {
			want = 0xaa
		}
		if b != want {
			t.Fatalf("byte %d is %#x, want %#x", i, b, want)
		}
	}
}

// What is given back is no longer this program's.
func dontneedGivesBack(t *T) {
	const pages = 2000
	a := mapPages(t, pages, rw)
	defer unmap(t, a, pages)
	before := residentPages(t)
	for i := uintptr(0); i < pages; i++ {
		*at(a + i*page) = 1
	}
	if got := residentPages(t) - before; got < pages*9/10 {
		t.Errorf("%d pages resident of %d that were touched", got, pages)
	}
	t.Want("madvise", advise(a, pages*page, advDontNeed), syscall.Errno(0))
	t.Want("resident", countResident(t, a, pages), 0)
	if got := residentPages(t) - before; got > pages/10 {
		t.Errorf("%d pages still resident", got)
	}
}

// As the scavenger does: 8 KiB here and there, inside what may be a 2 MiB page.
func dontneedInSmallPieces(t *T) {
	const pages = 2048
	a := mapPages(t, pages, rw)
	defer unmap(t, a, pages)
	for i := uintptr(0); i < pages; i++ {
		*at(a + i*page) = byte(i | 1)
	}
	for i := uintptr(6); i < pages; i += 64 {
		if e := advise(a+i*page, 2*page, advDontNeed); e != 0 {
			t.Fatalf("madvise: %v", e)
		}
	}
	for i := uintptr(0); i < pages; i++ {
		want := byte(i | 1)
		if i%64 == 6 || i%64 == 7 {
			want = 0
		}
		if *at(a + i*page) != want {
			t.Fatalf("page %d holds %d, want %d", i, *at(a + i*page), want)
		}
	}
}

func freeKeepsOrZeroes(t *T) {
	a := mapPages(t, 4, rw)
	defer unmap(t, a, 4)
	*at(a) = 5
	t.Want("madvise", advise(a, 4*page, advFree), syscall.Errno(0))
	if v := *at(a); v != 0 && v != 5 {
		t.Errorf("holds %d", v)
	}
	*at(a) = 6
	t.Want("a store afterwards", *at(a), byte(6))
}

func adviceOverAHole(t *T) {
	a := mapPages(t, 5, rw)
	defer unmap(t, a, 5)
	for i := uintptr(0); i < 5; i++ {
		*at(a + i*page) = 1
	}
	unmap(t, a+2*page, 1)
	t.Want("MADV_DONTNEED", advise(a, 5*page, advDontNeed), syscall.ENOMEM)
	t.Want("before the hole", *at(a + page), byte(0))
	t.Want("behind it", *at(a + 3*page), byte(0))
	t.Want("MADV_NORMAL", advise(a, 5*page, 0), syscall.ENOMEM)
	t.Want("MADV_NOHUGEPAGE", advise(a, 5*page, advNoHugePage), syscall.ENOMEM)
}

func answersOfMadvise(t *T) {
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	for _, advice := range []uintptr{0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23} {
		t.Want(fmt.Sprint("advice ", advice), advise(a, 2*page, advice), syscall.Errno(0))
	}
	for _, advice := range []uintptr{5, 6, 7, 26, 99, 0xffffffff} {
		t.Want(fmt.Sprint("advice ", advice), advise(a, 2*page, advice), syscall.EINVAL)
	}
	t.Want("MADV_REMOVE of private memory", advise(a, page, advRemove), syscall.EINVAL)
	t.Want("odd address", advise(a+1, page, advDontNeed), syscall.EINVAL)
	t.Want("length 0", advise(a, 0, advDontNeed), syscall.Errno(0))
	t.Want("length 0, unknown", advise(a, 0, 99), syscall.EINVAL)
	t.Want("a length that wraps", advise(a, ^uintptr(0)-10*page, advDontNeed), syscall.EINVAL)
}

func populateByAdvice(t *T) {
	a := mapPages(t, 16, rw)
	defer unmap(t, a, 16)
	t.Want("MADV_POPULATE_WRITE", advise(a, 8*page, advPopulateWrite), syscall.Errno(0))
	t.Want("resident", countResident(t, a, 16), 8)
	t.Want("MADV_POPULATE_READ", advise(a+8*page, 8*page, advPopulateRead), syscall.Errno(0))
	t.Want("resident", countResident(t, a, 16), 16)
	t.Want("mprotect", protect(a, 16*page, ro), syscall.Errno(0))
	t.Want("MADV_POPULATE_WRITE of what is read-only", advise(a, page, advPopulateWrite), syscall.EINVAL)
	t.Want("mprotect", protect(a, 16*page, none), syscall.Errno(0))
	t.Want("MADV_POPULATE_READ of PROT_NONE", advise(a, page, advPopulateRead), syscall.EINVAL)
	unmap(t, a+page, 1)
	t.Want("over a hole", advise(a+page, page, advPopulateRead), syscall.ENOMEM)
}

// With huge pages or without: what is in memory is the same after every kind of change.
func hugePages(t *T) {
	const pages = 3 * hugePage / page
	for _, advice := range []uintptr{advHugePage, advNoHugePage} {
		a := mapPages(t, pages+hugePage/page, rw)
		start := (a + hugePage - 1) &^ (hugePage - 1)
		t.Want("madvise", advise(start, pages*page, advice), syscall.Errno(0))
		words := unsafe.Slice((*uint64)(unsafe.Pointer(at(start))), pages*page/8)
		for i := 0; i < len(words); i += 512 {
			words[i] = uint64(i) + 1
		}
		if advice == advHugePage {
			t.Want("MADV_COLLAPSE", advise(start, pages*page, advCollapse), syscall.Errno(0))
		} else {
			t.Want("MADV_COLLAPSE", advise(start, pages*page, advCollapse), syscall.EINVAL)
		}
		t.Want("mprotect inside", protect(start+5*page, 7*page, ro), syscall.Errno(0))
		t.Want("store there", storeFaults(start+6*page), true)
		*at(start + 4*page + 8), *at(start + 12*page + 8) = 1, 1
		unmap(t, start+hugePage+100*page, 3)
		t.Want("load of the hole", loadFaults(start+hugePage+101*page), true)
		t.Want("MADV_DONTNEED", advise(start+2*hugePage, page, advDontNeed), syscall.Errno(0))
		moved, e := remap(start+2*hugePage+10*page, 20*page, 20*page, mayMove|dontUnmap, 0)
		t.Want("mremap", e, syscall.Errno(0))
		for i := uintptr(0); i < pages; i++ {
			want := uint64(i)*512 + 1
			switch {
			case i >= 612 && i < 615:
				continue
			case i == 1024, i >= 1034 && i < 1054:
				want = 0
			}
			if words[i*512] != want {
				t.Fatalf("advice %d: page %d holds %d, want %d", advice, i, words[i*512], want)
			}
		}
		t.Want("what moved", *(*uint64)(unsafe.Pointer(at(moved + 5*page))), uint64(1039*512+1))
		unmap(t, moved, 20)
		unmap(t, a, pages+hugePage/page)
	}
}

func mincoreTells(t *T) {
	a := mapPages(t, 6, rw)
	defer unmap(t, a, 6)
	*at(a + page), *at(a + 4*page) = 1, 1
	t.Want("resident", string(resident(t, a, 6)), "\x00\x01\x00\x00\x01\x00")
	var vec [8]byte
	_, e := call(syscall.SYS_MINCORE, a+1, page, ptr(&vec[0]))
	t.Want("odd address", e, syscall.EINVAL)
	_, e = call(syscall.SYS_MINCORE, a, 2*page, badPointer)
	t.Want("bad vector", e, syscall.EFAULT)
	_, e = call(syscall.SYS_MINCORE, a, 0, ptr(&vec[0]))
	t.Want("length 0", e, syscall.Errno(0))
}

func lockFills(t *T) {
	a := mapPages(t, 8, rw)
	defer unmap(t, a, 8)
	_, e := call(syscall.SYS_MLOCK, a+page+10, 2*page)
	t.Want("mlock", e, syscall.Errno(0))
	t.Want("resident", string(resident(t, a, 8)), "\x00\x01\x01\x01\x00\x00\x00\x00")
	t.Want("MADV_DONTNEED of what is locked", advise(a+page, page, advDontNeed), syscall.EINVAL)
	_, e = call(syscall.SYS_MUNLOCK, a, 8*page)
	t.Want("munlock", e, syscall.Errno(0))
	t.Want("MADV_DONTNEED afterwards", advise(a+page, page, advDontNeed), syscall.Errno(0))
	unmap(t, a+7*page, 1)
	_, e = call(syscall.SYS_MLOCK, a+6*page, 2*page)
	t.Want("mlock over a hole", e, syscall.ENOMEM)
}

func lockOnFault(t *T) {
	const sysMlock2, onFault = 325, 1
	a := mapPages(t, 4, rw)
	defer unmap(t, a, 4)
	_, e := call(sysMlock2, a, 4*page, onFault)
	t.Want("mlock2", e, syscall.Errno(0))
	t.Want("resident", countResident(t, a, 4), 0)
	_, e = call(sysMlock2, a, 4*page, 2)
	t.Want("unknown flag", e, syscall.EINVAL)
	_, e = call(syscall.SYS_MUNLOCK, a, 4*page)
	t.Want("munlock", e, syscall.Errno(0))
}

func lockFuture(t *T) {
	const future, onFault = 2, 4
	_, e := call(syscall.SYS_MLOCKALL, 0)
	t.Want("no flags", e, syscall.EINVAL)
	_, e = call(syscall.SYS_MLOCKALL, onFault)
	t.Want("MCL_ONFAULT alone", e, syscall.EINVAL)
	_, e = call(syscall.SYS_MLOCKALL, future)
	t.Want("mlockall", e, syscall.Errno(0))
	a := mapPages(t, 9, rw)
	t.Want("resident", countResident(t, a, 9), 9)
	_, e = call(syscall.SYS_MUNLOCKALL)
	t.Want("munlockall", e, syscall.Errno(0))
	unmap(t, a, 9)
	a = mapPages(t, 9, rw)
	t.Want("resident afterwards", countResident(t, a, 9), 0)
	unmap(t, a, 9)
}

func badMsync(t *T) {
	a := mapPages(t, 3, rw)
	defer unmap(t, a, 3)
	sync := func(addr, length, flags uintptr) syscall.Errno {
		_, e := call(syscall.SYS_MSYNC, addr, length, flags)
		return e
	}
	t.Want("MS_SYNC", sync(a, 3*page, 4), syscall.Errno(0))
	t.Want("MS_SYNC and MS_ASYNC", sync(a, page, 5), syscall.EINVAL)
	t.Want("unknown flag", sync(a, page, 8), syscall.EINVAL)
	t.Want("odd address", sync(a+1, page, 4), syscall.EINVAL)
	unmap(t, a+page, 1)
	t.Want("over a hole", sync(a, 3*page, 4), syscall.ENOMEM)
	t.Want("over a hole, later", sync(a, 3*page, 1), syscall.ENOMEM)
}
