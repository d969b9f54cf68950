package main

import "syscall"

// Memory: mappings of no file, and advice.
var memoryChecks = []check{
	{"dontneed-reads-zero", dontneedReadsZero},
	{"unmap-in-the-middle", unmapInTheMiddle},
}

const (
	rw      = syscall.PROT_READ | syscall.PROT_WRITE
	private = syscall.MAP_ANON | syscall.MAP_PRIVATE
	noFd    = ^uintptr(0)
)

// mapPages maps memory of no file anywhere.
func mapPages(t *T, pages uintptr, prot int) uintptr {
	a, e := call(syscall.SYS_MMAP, 0, pages*page, uintptr(prot), private, noFd, 0)
	if e != 0 {
		t.Fatalf("mmap of %d pages: %v", pages, e)
	}
	return a
}

func unmap(t *T, addr, pages uintptr) {
	if _, e := call(syscall.SYS_MUNMAP, addr, pages*page); e != 0 {
		t.Errorf("munmap: %v", e)
	}
}

func dontneedReadsZero(t *T) {
	a := mapPages(t, 64, rw)
	defer unmap(t, a, 64)
	for i := range bytesAt(a, 64*page) {
		bytesAt(a, 64*page)[i] = 0xaa
	}
	if _, e := call(syscall.SYS_MADVISE, a+page, 62*page, 4 /* MADV_DONTNEED */); e != 0 {
		t.Fatalf("madvise: %v", e)
	}
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

func unmapInTheMiddle(t *T) {
	a := mapPages(t, 3, rw)
	*at(a), *at(a + 2*page) = 1, 2
	unmap(t, a+page, 1)
	t.Want("first page", *at(a), byte(1))
	t.Want("last page", *at(a + 2*page), byte(2))
	var vec [3]byte
	_, e := call(syscall.SYS_MINCORE, a, 3*page, ptr(&vec[0]))
	t.Want("mincore over the hole", e, syscall.ENOMEM)
	unmap(t, a, 3) // the hole is no error
}
