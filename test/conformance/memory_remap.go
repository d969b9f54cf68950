package main

import (
	"syscall"
	"unsafe"
)

var memoryRemapChecks = []check{
	{"remap-grows-in-place", remapGrowsInPlace},
	{"remap-moves", remapMoves},
	{"remap-shrinks", remapShrinks},
	{"remap-shrinks-more-than-one", remapShrinksMoreThanOne},
	{"remap-to-a-fixed-address", remapFixed},
	{"remap-keeps-the-old-range", remapKeepsOld},
	{"remap-of-old-size-0", remapOldSize0},
	{"remap-of-a-large-range", remapLarge},
	{"bad-arguments-of-mremap", badRemap},
	{"remap-keeps-rdx", remapKeepsRDX},
}

const (
	mayMove   = 1
	moveFixed = 2
	dontUnmap = 4
)

func remap(old, oldLength, newLength, flags, to uintptr) (uintptr, syscall.Errno) {
	return call(syscall.SYS_MREMAP, old, oldLength, newLength, flags, to)
}

// mapWithRoom maps pages with nothing behind them for room more.
func mapWithRoom(t *T, pages, room uintptr) uintptr {
	a := mapPages(t, pages+room, rw)
	unmap(t, a+pages*page, room)
	for i := uintptr(0); i < pages; i++ {
		*at(a + i*page) = byte(i + 1)
	}
	return a
}

func wantNumbered(t *T, a, pages uintptr) {
	for i := uintptr(0); i < pages; i++ {
		if got := *at(a + i*page); got != byte(i+1) {
			t.Fatalf("page %d holds %d", i, got)
		}
	}
}

func remapGrowsInPlace(t *T) {
	a := mapWithRoom(t, 4, 4)
	b, e := remap(a, 4*page, 6*page, 0, 0)
	t.Want("mremap", e, syscall.Errno(0))
	t.Want("address", b, a)
	wantNumbered(t, a, 4)
	t.Want("new page", *at(a + 5*page), byte(0))
	t.Want("mappings", mapsOf(t, a, a+6*page) <= 1, true)
	if _, e = mmap(a+6*page, page, ro, private|syscall.MAP_FIXED); e != 0 {
		t.Fatalf("mmap: %v", e)
	}
	_, e = remap(a, 6*page, 7*page, 0, 0)
	t.Want("mremap against a neighbour", e, syscall.ENOMEM)
	unmap(t, a, 7)
}

func remapMoves(t *T) {
	a := mapWithRoom(t, 4, 1)
	if _, e := mmap(a+4*page, page, ro, private|syscall.MAP_FIXED); e != 0 {
		t.Fatalf("mmap: %v", e)
	}
	b, e := remap(a, 4*page, 900*page, mayMove, 0)
	t.Want("mremap", e, syscall.Errno(0))
	if b == a {
		t.Fatalf("grew over its neighbour")
	}
	wantNumbered(t, b, 4)
	t.Want("new page", *at(b + 899*page), byte(0))
	t.Want("the old place", loadFaults(a), true)
	unmap(t, b, 900)
	unmap(t, a, 5)
}

func remapShrinks(t *T) {
	a := mapWithRoom(t, 8, 1)
	b, e := remap(a, 8*page, 3*page, 0, 0)
	t.Want("mremap", e, syscall.Errno(0))
	t.Want("address", b, a)
	wantNumbered(t, a, 3)
	t.Want("what was cut off", loadFaults(a+3*page), true)
	unmap(t, a, 8)
}

// remapShrinksMoreThanOne: what goes may be more than one mapping, and hold nothing.
func remapShrinksMoreThanOne(t *T) {
	a := mapWithRoom(t, 6, 1)
	defer unmap(t, a, 6)
	if _, e := call(syscall.SYS_MPROTECT, a+2*page, page, ro); e != 0 {
		t.Fatalf("mprotect: %v", e)
	}
	unmap(t, a+4*page, 1)
	b, e := remap(a, 6*page, 6*page, 0, 0)
	t.Want("same size", b == a && e == 0, true)
	_, e = remap(a, 6*page, 7*page, mayMove, 0)
	t.Want("larger", e, syscall.EFAULT)
	b, e = remap(a, 6*page, page, 0, 0)
	t.Want("smaller", b == a && e == 0, true)
	wantNumbered(t, a, 1)
	t.Want("mappings left", mapsOf(t, a, a+6*page), 1)
}

func remapFixed(t *T) {
	a := mapWithRoom(t, 6, 1)
	to := mapPages(t, 10, rw)
	*at(to), *at(to + 2*page), *at(to + 9*page) = 91, 92, 93
	b, e := remap(a, 6*page, 6*page, mayMove|moveFixed, to+page)
	t.Want("mremap", e, syscall.Errno(0))
	t.Want("address", b, to+page)
	wantNumbered(t, to+page, 6)
	t.Want("in front of it", *at(to), byte(91))
	t.Want("behind it", *at(to + 9*page), byte(93))
	t.Want("the old place", loadFaults(a+page), true)
	unmap(t, to, 10)
}

// MREMAP_DONTUNMAP: the pages go, the mapping stays and reads as zero.
func remapKeepsOld(t *T) {
	a := mapWithRoom(t, 5, 1)
	b, e := remap(a, 5*page, 5*page, mayMove|dontUnmap, 0)
	t.Want("mremap", e, syscall.Errno(0))
	if b == a {
		t.Fatalf("nothing moved")
	}
	wantNumbered(t, b, 5)
	t.Want("old place", *at(a + 2*page), byte(0))
	*at(a + 2*page) = 50
	wantNumbered(t, b, 5)
	unmap(t, b, 5)
	to := mapPages(t, 5, rw)
	b, e = remap(a, 5*page, 5*page, mayMove|dontUnmap|moveFixed, to)
	t.Want("mremap to a fixed address", e, syscall.Errno(0))
	t.Want("address", b, to)
	t.Want("contents", *at(to + 2*page), byte(50))
	t.Want("old place", *at(a + 2*page), byte(0))
	_, e = remap(a, 5*page, 6*page, mayMove|dontUnmap, 0)
	t.Want("with another size", e, syscall.EINVAL)
	_, e = remap(a, 5*page, 5*page, dontUnmap, 0)
	t.Want("without MREMAP_MAYMOVE", e, syscall.EINVAL)
	unmap(t, to, 5)
	unmap(t, a, 5)
}

// Old size 0 of a shared mapping: a second view of the same pages.
func remapOldSize0(t *T) {
	a, e := mmap(0, 4*page, rw, sharedAnon)
	t.Want("mmap", e, syscall.Errno(0))
	*at(a + page) = 1
	b, e := remap(a, 0, 4*page, mayMove, 0)
	t.Want("mremap", e, syscall.Errno(0))
	if b == a {
		t.Fatalf("no second view")
	}
	t.Want("seen there", *at(b + page), byte(1))
	*at(b + 2*page) = 2
	t.Want("seen here", *at(a + 2*page), byte(2))
	unmap(t, a, 4)
	t.Want("after the first is gone", *at(b + 2*page), byte(2))
	unmap(t, b, 4)
	a = mapPages(t, 1, rw)
	_, e = remap(a, 0, page, mayMove, 0)
	t.Want("of a private mapping", e, syscall.EINVAL)
	unmap(t, a, 1)
}

func remapLarge(t *T) {
	const bytes = 24 << 20
	a := mapPages(t, bytes/page, rw)
	words := func(a uintptr) []uint64 { return unsafe.Slice((*uint64)(unsafe.Pointer(at(a))), bytes/8) }
	for i := 0; i < bytes/8; i += 256 {
		words(a)[i] = uint64(i) * 7
	}
	to := mapPages(t, 2*bytes/page, none)
	for _, off := range []uintptr{3 * page, 0} { // neither aligned alike nor apart by 2 MiB; then anywhere
		b, e := remap(a, bytes, bytes, mayMove|moveFixed, to+off)
		if e != 0 {
			t.Fatalf("mremap: %v", e)
		}
		for i := 0; i < bytes/8; i += 256 {
			if words(b)[i] != uint64(i)*7 {
				t.Fatalf("word %d is %d", i, words(b)[i])
			}
		}
		t.Want("the old place", loadFaults(a+page), true)
		a = b
		to = mapPages(t, 2*bytes/page, none)
	}
	unmap(t, a, bytes/page)
	unmap(t, to, 2*bytes/page)
}

func badRemap(t *T) {
	a := mapPages(t, 4, rw)
	defer unmap(t, a, 4)
	for _, c := range []struct {
		what                             string
		old, oldLength, newLength, flags uintptr
		to                               uintptr
		want                             syscall.Errno
	}{
		{"odd address", a + 1, page, page, mayMove, 0, syscall.EINVAL},
		{"new length 0", a, page, 0, mayMove, 0, syscall.EINVAL},
		{"unknown flags", a, page, page, 8, 0, syscall.EINVAL},
		{"fixed without may move", a, page, page, moveFixed, a + 8*page, syscall.EINVAL},
		{"fixed at an odd address", a, page, page, mayMove | moveFixed, a + 1, syscall.EINVAL},
		{"onto itself", a, 2 * page, 2 * page, mayMove | moveFixed, a + page, syscall.EINVAL},
		{"nothing there", a - 2*page, page, 2 * page, mayMove, 0, syscall.EFAULT},
		{"growing more than one mapping", a, 5 * page, 6 * page, mayMove, 0, syscall.EFAULT},
		{"longer than the address space", a, page, 1 << 48, mayMove, 0, syscall.EINVAL},
	} {
		_, e := remap(c.old, c.oldLength, c.newLength, c.flags, c.to)
		t.Want(c.what, e, c.want)
	}
}

// badger looks at the second result of mremap: RDX must come back as it went in.
func remapKeepsRDX(t *T) {
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	_, r2, e := syscall.Syscall6(syscall.SYS_MREMAP, a, 2*page, 2*page, mayMove, 0, 0)
	t.Want("mremap", e, syscall.Errno(0))
	t.Want("RDX", r2, uintptr(2*page))
}
