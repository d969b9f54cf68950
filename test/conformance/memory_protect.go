package main

import (
	"reflect"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var memoryProtectChecks = []check{
	{"rights-are-kept", rightsAreKept},
	{"protect-splits", protectSplits},
	{"protect-over-a-hole", protectOverAHole},
	{"bad-arguments-of-mprotect", badProtect},
	{"protect-reaches-all-cpus", protectReachesAllCPUs},
	{"text-is-not-writable", textIsNotWritable},
	{"text-can-be-made-writable", textCanBeMadeWritable},
	{"constants-are-not-writable", constantsAreNotWritable},
	{"data-can-be-protected", dataCanBeProtected},
	{"discarded-text-is-still-there", discardedText},
}

func rightsAreKept(t *T) {
	a := mapPages(t, 1, rw)
	defer unmap(t, a, 1)
	*at(a) = 1
	t.Want("to PROT_READ", protect(a, page, ro), syscall.Errno(0))
	t.Want("store faults", storeFaults(a), true)
	t.Want("load", *at(a), byte(1))
	t.Want("to PROT_NONE", protect(a, page, none), syscall.Errno(0))
	t.Want("load faults", loadFaults(a), true)
	t.Want("to both", protect(a, page, rw), syscall.Errno(0))
	t.Want("contents", *at(a), byte(1))
	t.Want("PROT_WRITE alone", protect(a, page, syscall.PROT_WRITE), syscall.Errno(0))
	t.Want("can be read", *at(a), byte(1)) // no page of this processor is only written
}

func protectSplits(t *T) {
	a := mapPages(t, 5, rw)
	defer unmap(t, a, 5)
	for i := uintptr(0); i < 5; i++ {
		*at(a + i*page) = byte(i)
	}
	t.Want("mprotect", protect(a+page, 3*page, ro), syscall.Errno(0))
	t.Want("mprotect of its middle", protect(a+2*page, page, none), syscall.Errno(0))
	*at(a), *at(a + 4*page) = 10, 14
	t.Want("store", storeFaults(a+page), true)
	t.Want("load of the middle", loadFaults(a+2*page), true)
	t.Want("store behind it", storeFaults(a+3*page), true)
	t.Want("mprotect of all", protect(a, 5*page, rw), syscall.Errno(0))
	for i, want := range []byte{10, 1, 2, 3, 14} {
		t.Want("contents", *at(a + uintptr(i)*page), want)
	}
}

// Linux changes what lies before the hole, and says ENOMEM.
func protectOverAHole(t *T) {
	a := mapPages(t, 6, rw)
	defer unmap(t, a, 6)
	unmap(t, a+3*page, 1)
	*at(a), *at(a + 4*page) = 1, 1
	t.Want("mprotect", protect(a+page, 5*page, ro), syscall.ENOMEM)
	*at(a) = 2
	t.Want("before the hole", storeFaults(a+2*page), true)
	*at(a + 4*page) = 2 // behind it: as it was
	t.Want("beginning in the hole", protect(a+3*page, 2*page, ro), syscall.ENOMEM)
	*at(a + 4*page) = 3
	t.Want("ending in the hole", protect(a+2*page, 2*page, none), syscall.ENOMEM)
	t.Want("load", loadFaults(a+2*page), true)
}

func badProtect(t *T) {
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	t.Want("odd address", protect(a+1, page, ro), syscall.EINVAL)
	t.Want("length 0", protect(a, 0, none), syscall.Errno(0))
	t.Want("length 0 at an odd address", protect(a+1, 0, none), syscall.EINVAL)
	t.Want("a length that wraps", protect(a, ^uintptr(0)-2*page, ro), syscall.ENOMEM)
	t.Want("bits that are none", protect(a, page, 0x40), syscall.EINVAL)
	t.Want("both ways to grow", protect(a, page, 0x03000000), syscall.EINVAL)
	t.Want("growing down what does not", protect(a, page, ro|0x01000000), syscall.EINVAL)
	t.Want("half a page", protect(a, 1, ro), syscall.Errno(0))
	t.Want("is a page", storeFaults(a+page-1), true)
	*at(a + page) = 1
}

// A store by another CPU that comes after mprotect has returned would break Go's and databases'
// write barriers made of page protection.
func protectReachesAllCPUs(t *T) {
	t.NeedCPUs(2)
	a := mapPages(t, 1, rw)
	defer unmap(t, a, 1)
	word := (*atomic.Uint64)(unsafe.Pointer(at(a)))
	for round := 0; round < 10; round++ {
		var running atomic.Bool
		done := make(chan bool)
		go func() {
			defer close(done)
			faultAt(func() {
				for {
					word.Add(1)
					running.Store(true)
				}
			})
		}()
		for !running.Load() {
			time.Sleep(time.Millisecond)
		}
		t.Want("mprotect", protect(a, page, ro), syscall.Errno(0))
		before := word.Load()
		time.Sleep(2 * time.Millisecond)
		t.Want("the word afterwards", word.Load(), before)
		<-done
		t.Want("mprotect back", protect(a, page, rw), syscall.Errno(0))
	}
}

func textAddr() uintptr { return reflect.ValueOf(textAddr).Pointer() }

var constant = "a string of the program's constants"
var variable = [3 * page]byte{page: 1, 2*page - 1: 2}

func textIsNotWritable(t *T) {
	t.Want("store to text", storeFaults(textAddr()), true)
}

func constantsAreNotWritable(t *T) {
	t.Want("store to a constant", storeFaults(uintptr(unsafe.Pointer(unsafe.StringData(constant)))), true)
}

// Programs that patch themselves (test doubles, live probes) do this.
func textCanBeMadeWritable(t *T) {
	a := textAddr()
	start := a &^ (page - 1)
	t.Want("mprotect", protect(start, page, rw|syscall.PROT_EXEC), syscall.Errno(0))
	old := *at(a)
	*at(a) = old ^ 1
	t.Want("what was written", *at(a), old^1)
	*at(a) = old
	t.Want("mprotect back", protect(start, page, ro|syscall.PROT_EXEC), syscall.Errno(0))
	t.Want("store to text", storeFaults(a), true)
}

func dataCanBeProtected(t *T) {
	a := (uintptr(unsafe.Pointer(&variable[0])) + page - 1) &^ (page - 1)
	*at(a + 1) = 77
	t.Want("mprotect", protect(a, page, ro), syscall.Errno(0))
	t.Want("store", storeFaults(a+1), true)
	t.Want("load", *at(a + 1), byte(77))
	t.Want("mprotect to none", protect(a, page, none), syscall.Errno(0))
	t.Want("load faults", loadFaults(a+1), true)
	t.Want("mprotect back", protect(a, page, rw), syscall.Errno(0))
	t.Want("contents", *at(a + 1), byte(77))
	*at(a + 1) = 0
}

func discardedText(t *T) {
	a := reflect.ValueOf(reflect.Copy).Pointer() // far from textAddr, which has been written to
	old := *at(a)
	t.Want("MADV_DONTNEED", advise(a&^(page-1), page, 4), syscall.Errno(0))
	t.Want("text", *at(a), old)
}
