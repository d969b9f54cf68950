package main

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// call makes a system call: its result, and its error or 0. Pointers are kept alive by the caller.
func call(number uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, e := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return r, e
}

// again calls f undisturbed, and once more after an error EINTR, which calls with a time limit may have.
func again[E error](f func() E) (err E) {
	undisturbed(func() {
		for err = f(); error(err) == error(syscall.EINTR); err = f() {
		}
	})
	return err
}

// callAgain is call, repeated.
func callAgain(number uintptr, args ...uintptr) (r uintptr, e syscall.Errno) {
	again(func() syscall.Errno {
		r, e = call(number, args...)
		return e
	})
	return r, e
}

// undisturbed runs f on a thread that the runtime's own signal does not reach: that would end what f calls, with
// a part of what it waits for.
func undisturbed(f func()) { blocking(bit(syscall.SIGURG), f) }

// blocking runs f on a thread that has those signals blocked, beside what was.
func blocking(set uint64, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old uint64
	raw4(syscall.SYS_RT_SIGPROCMASK, 0 /* SIG_BLOCK */, ptr(&set), ptr(&old), 8)
	defer setMask(old)
	f()
}

// readAgain is read(2), for a socket with SO_RCVTIMEO.
func readAgain(fd int, b []byte) (n int, err error) {
	err = again(func() error {
		n, err = syscall.Read(fd, b)
		return err
	})
	return n, err
}

// ptr is p as an argument. What it points to is on the heap then: a stack may move before the call.
func ptr[T any](p *T) uintptr {
	atomic.StorePointer(&escapes, unsafe.Pointer(p))
	return uintptr(unsafe.Pointer(p))
}

var escapes unsafe.Pointer

// at makes a pointer from an address that a call gave.
func at(addr uintptr) *byte { return *(**byte)(unsafe.Pointer(&addr)) }

// bytesAt is the memory at an address that a call gave.
func bytesAt(addr, length uintptr) []byte { return unsafe.Slice(at(addr), length) }

// badPointer is an address where nothing ever is.
const badPointer = 0x7eadbeef0000

const page = 4096
