package main

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Threads: made, placed, ended; what each has of its own.
var threadChecks = []check{}

//go:noescape
func cloneCall(number, stack uintptr, result, tid unsafe.Pointer)

// withoutSignals runs f with all signals blocked, as threads that Go does not know must be made.
func withoutSignals(f func()) {
	all, old := ^uint64(0), uint64(0)
	raw4(syscall.SYS_RT_SIGPROCMASK, 2 /* SIG_SETMASK */, ptr(&all), ptr(&old), 8)
	f()
	raw4(syscall.SYS_RT_SIGPROCMASK, 2, ptr(&old), 0, 8)
}

func raw4(number uintptr, a0, a1, a2, a3 uintptr) (uintptr, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(number, a0, a1, a2, a3, 0, 0)
	return r, e
}

// cloneAndAsk makes a bare thread by clone, which makes one system call and ends: its result.
func cloneAndAsk(t *T, number uintptr) uintptr {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var result uintptr
	var tid uint32 = 1
	stack := mapPages(t, 4, rw)
	withoutSignals(func() {
		cloneCall(number, stack+4*page, unsafe.Pointer(&result), unsafe.Pointer(&tid))
	})
	for atomic.LoadUint32(&tid) != 0 {
		raw(syscall.SYS_SCHED_YIELD)
	}
	unmap(t, stack, 4)
	return result
}

// tgkill sends a signal, or with 0 none, to a thread of this process.
func tgkill(tid int, signo uintptr) syscall.Errno {
	_, e := call(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(tid), signo)
	return e
}
