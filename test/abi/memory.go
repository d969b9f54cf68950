package main

import (
	"runtime/debug"
	"syscall"
	"unsafe"
)

const (
	page    = 4096
	rw      = syscall.PROT_READ | syscall.PROT_WRITE
	private = syscall.MAP_ANON | syscall.MAP_PRIVATE
	noFd    = ^uintptr(0)
)

func mmap(addr, length uintptr, prot, flags int) int {
	return call(syscall.SYS_MMAP, addr, length, uintptr(prot), uintptr(flags), noFd, 0)
}

func munmap(addr, length int) int {
	return call(syscall.SYS_MUNMAP, uintptr(addr), uintptr(length))
}

func protect(addr, length, prot int) int {
	return call(syscall.SYS_MPROTECT, uintptr(addr), uintptr(length), uintptr(prot))
}

func advise(addr, length, advice int) int {
	return call(syscall.SYS_MADVISE, uintptr(addr), uintptr(length), uintptr(advice))
}

func at(addr int) *byte { return *(**byte)(unsafe.Pointer(&addr)) }

// touch says what an access does: "r"ead or "w"rite at an address.
func touch(what string, addr int, write bool) {
	debug.SetPanicOnFault(true)
	defer func() {
		fact(what+" faults", recover() != nil)
	}()
	if write {
		*at(addr) = 1
	} else {
		sunk = *at(addr)
	}
}

var sunk byte

func memory() {
	mapping()
	splitting()
	zeroing()
	badMappings()
}

func mapping() {
	fact("aligned", done("map anywhere", mmap(0, 1, rw, private))%page == 0)
	// Far from where others' mappings go: nobody takes the place when it is free again.
	a := done("map one page", mmap(0x7_2234_0000_000, 1, rw, private))
	*at(a + page - 1) = 9 // the whole page is there
	show("unmap", munmap(a, page))
	touch("read after unmap", a, false)
	show("unmap again", munmap(a, page))

	hint := uintptr(0x7_1234_0000_000)
	a = mmap(hint, 10*page, rw, private)
	fact("a free hint is taken", a == int(hint))
	b := mmap(hint, page, rw, private)
	fact("a hint in use is not", b > 0 && b != int(hint))
	*at(a) = 1
	fact("fixed replaces", mmap(hint, page, rw, private|syscall.MAP_FIXED) == int(hint))
	fact("and is zero", *at(a) == 0)
	const noReplace = 0x100000
	show("fixed-noreplace in use", mmap(hint, page, rw, private|noReplace))
	show("unmap both", munmap(a, 10*page)+munmap(b, page))

	a = done("reserve 64 GiB", mmap(0, 64<<30, syscall.PROT_NONE, private|syscall.MAP_NORESERVE))
	touch("read of a reservation", a+32<<30, false)
	show("open a part", protect(a+33<<30, 3*page, rw))
	touch("write inside", a+33<<30+page, true)
	touch("read before", a+33<<30-1, false)
	touch("read behind", a+33<<30+3*page, false)
	fact("commit a part", mmap(uintptr(a+40<<30), page, rw, private|syscall.MAP_FIXED) == a+40<<30)
	touch("write there", a+40<<30, true)
	show("release it", munmap(a, 64<<30))
}

func splitting() {
	a := mmap(0, 8*page, rw, private)
	for i := 0; i < 8; i++ {
		*at(a + i*page) = byte(i + 1)
	}
	show("unmap the middle", munmap(a+3*page, 2*page))
	touch("read left", a+2*page, false)
	touch("read hole", a+3*page, false)
	touch("read hole end", a+5*page-1, false)
	touch("read right", a+5*page, false)
	show("protect over the hole", protect(a, 8*page, syscall.PROT_READ))
	show("protect left", protect(a, 3*page, rw))
	show("protect right", protect(a+5*page, 3*page, syscall.PROT_READ))
	touch("write right", a+5*page, true)
	show("protect one back", protect(a+6*page, page, rw))
	touch("write it", a+6*page, true)
	touch("write behind it", a+7*page, true)
	fact("contents", *at(a + page) == 2 && *at(a + 5*page) == 6 && *at(a + 7*page) == 8)
	show("unmap over the hole", munmap(a, 8*page))
	touch("read last", a+7*page, false)
}

func zeroing() {
	a := mmap(0, 16*page, rw, private)
	zero := true
	for i := 0; i < 16*page; i++ {
		zero = zero && *at(a + i) == 0
		*at(a + i) = 0xff
	}
	fact("new pages are zero", zero)
	show("dontneed", advise(a+4*page, 4*page, syscall.MADV_DONTNEED))
	zero = true
	for i := 4 * page; i < 8*page; i++ {
		zero = zero && *at(a + i) == 0
	}
	fact("dropped pages are zero", zero)
	fact("neighbours stay", *at(a + 4*page - 1) == 0xff && *at(a + 8*page) == 0xff)
	show("protect none", protect(a, page, syscall.PROT_NONE))
	show("dontneed there", advise(a, page, syscall.MADV_DONTNEED))
	show("protect rw", protect(a, page, rw))
	fact("zero too", *at(a + 5) == 0)
	show("nohugepage", advise(a, 16*page, 15))
	show("unmap", munmap(a, 16*page))
}

func badMappings() {
	show("map nothing", mmap(0, 0, rw, private))
	show("map too much", mmap(0, 1<<62, rw, private))
	show("fixed, unaligned", mmap(0x10001, page, rw, private|syscall.MAP_FIXED))
	show("no kind", mmap(0, page, rw, syscall.MAP_ANON))
	show("bad fd", call(syscall.SYS_MMAP, 0, page, rw, syscall.MAP_PRIVATE, 999, 0))
	show("unmap unaligned", munmap(1, page))
	show("unmap nothing", munmap(0x10000, 0))
	show("protect a hole", protect(badPointer, page, rw))
	show("protect unaligned", protect(badPointer+1, page, rw))
	show("advise a hole", advise(badPointer, page, syscall.MADV_DONTNEED))
	show("unknown advice", advise(badPointer, page, 77))
	show("advise unaligned", advise(badPointer+1, page, syscall.MADV_DONTNEED))
}
