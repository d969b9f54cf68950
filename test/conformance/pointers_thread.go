package main

import (
	"sync/atomic"
	"syscall"
)

//go:noescape
func cloneBare(flags, stack, parent, child, tls uintptr, done *uint32) (result uintptr)

// beginBare makes a thread that stores 1 and ends, and waits until it is gone: what clone answered.
func beginBare(t *T, flags, stack, parent, child, tls uintptr) syscall.Errno {
	const bare = 0x50f00 // VM FS FILES SIGHAND THREAD SYSVSEM
	done := new(uint32)
	ptr(done)
	var tid uintptr
	withoutSignals(func() { tid = cloneBare(bare|flags, stack, parent, child, tls, done) })
	if tid > ^uintptr(4095) {
		return syscall.Errno(-tid)
	}
	for atomic.LoadUint32(done) == 0 || tgkill(int(tid), 0) == 0 {
		raw(syscall.SYS_SCHED_YIELD)
	}
	return 0
}

// nestedThreadBegins: a thread begins although its number cannot be told, and with any stack: it is the
// program that would touch that. What FS may be is looked at.
func nestedThreadBegins(t *T) {
	const parentSettid, childCleartid, childSettid, settls = 1 << 20, 1 << 21, 1 << 24, 1 << 19
	edge, closed := newEdge(t)
	defer closed()
	good := edge.end - 64
	word := edge.end - page
	for _, bad := range []uintptr{1, badPointer, edge.end - 2, notCanonical, 0x200000, 0x7ffffffff000,
		0xffff888000001000, 0xfffffffffffff000} {
		if bad != notCanonical { // not all CPUs return to one
			t.Want("a stack", beginBare(t, 0, bad, 0, 0, 0), syscall.Errno(0))
		}
		t.Want("the parent's word", beginBare(t, parentSettid, good, bad, word, 0), syscall.Errno(0))
		t.Want("the child's word", beginBare(t, childSettid, good, word, bad, 0), syscall.Errno(0))
		t.Want("the word of its end", beginBare(t, childCleartid, good, word, bad, 0), syscall.Errno(0))
		want := syscall.Errno(0)
		if bad >= 0x7ffffffff000 {
			want = syscall.EPERM
		}
		t.Want("FS", beginBare(t, settls, good, word, word, bad), want)
	}
}
