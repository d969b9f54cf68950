// Abi asks the kernel directly, call by call, and prints what it answers: results, errors, edge
// cases. A test compares what it prints on Linux with what it prints in the machine. Only what Go
// and Go programs rely on is asked; what varies between machines is judged here, not printed.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

var families = map[string]func(){
	"memory": memory, "files": files, "pipes": pipes, "epoll": epoll, "futex": futexes,
	"signals": signals, "time": times, "sockets": sockets, "process": process, "registers": registers,
	"restart": restart, "alarms": alarms,
}

func main() {
	if len(os.Args) != 2 || families[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: abi FAMILY")
		os.Exit(64)
	}
	runtime.LockOSThread()
	families[os.Args[1]]()
}

// badPointer is an address where nothing ever is.
const badPointer = 0x7eadbeef0000

// call makes a system call and returns its result, or minus the error.
func call(number uintptr, args ...uintptr) int {
	var a [6]uintptr
	copy(a[:], args)
	r, _, e := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if e != 0 {
		return -int(e)
	}
	return int(r)
}

// show prints what was asked and the answer: an error by name, or the value.
func show(what string, r int) {
	if r < 0 {
		fmt.Printf("%s: -%d %s\n", what, -r, syscall.Errno(-r))
		return
	}
	fmt.Printf("%s: %d\n", what, r)
}

// done prints the answer where only success or its error matters (a new fd, an address).
func done(what string, r int) int {
	if r > 0 {
		show(what, 0)
	} else {
		show(what, r)
	}
	return r
}

func fact(what string, ok bool) { fmt.Printf("%s: %v\n", what, ok) }

func ptr[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// path makes a NUL-terminated copy of s that stays where it is.
func path(s string) uintptr {
	b := append([]byte(s), 0)
	kept = append(kept, b)
	return ptr(&b[0])
}

var kept [][]byte

const atFdcwd = 0xffffffffffffff9c
