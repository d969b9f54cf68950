package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"gosolo/progs/prog"
)

type point struct{ x, y int }

var (
	nowhere *point // stays nil; global so that the compiler cannot know
	zero    int
	sink    any
)

func panicMain([]string)      { panic("as asked") }
func panicErrorMain([]string) { panic(fmt.Errorf("wrapped: %w", errors.New("inner"))) }

func panicGoroutineMain([]string) {
	defer fmt.Println("main's deferred call does not run")
	go func() { panic(point{3, 4}) }()
	select {}
}

func panicAgainMain([]string) {
	defer func() { panic("second") }()
	panic("first")
}

func nilMain([]string) { nowhere.y = 1 }

// try calls f and prints the run-time error it panicked with.
func try(name string, f func()) {
	defer func() {
		r := recover()
		_, isRuntime := r.(runtime.Error)
		fmt.Println(name, isRuntime, r)
	}()
	f()
}

//go:noinline
func load(p *point) int { return p.y }

func recoverMain([]string) {
	try("nil load", func() { sink = load(nowhere) })
	try("nil store", func() { nowhere.x = 1 })
	try("divide", func() { sink = 1 / zero })
	try("index", func() { sink = os.Args[len(os.Args)+zero] })
	try("assert", func() { sink = any("text").(int) })
	try("nil map", func() { var m map[string]int; m["a"] = 1 })
	try("nil func", func() { var f func(); f() })
	try("closed", func() { c := make(chan int); close(c); close(c) })
	for i := 0; i < 1000; i++ { // faults must leave nothing behind
		func() {
			defer func() { recover() }()
			sink = load(nowhere)
		}()
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		try("in a goroutine", func() { sink = load(nowhere) })
	}()
	<-done
	fmt.Println("still here")
}

func deadlockMain([]string) {
	fmt.Println("waiting")
	<-make(chan int)
}

//go:noinline
func descend(depth int) int {
	var pad [64]int
	pad[depth%64] = depth
	return descend(depth+1) + pad[(depth+1)%64]
}

// overflowMain lowers the limit from 1 GB so that a small machine reaches it.
func overflowMain([]string) {
	debug.SetMaxStack(16 << 20)
	fmt.Println(descend(0))
}

// mapRaceMain needs threads that the kernel takes the CPU from in the middle of a map's code, where
// Go itself does not switch.
func mapRaceMain([]string) {
	runtime.GOMAXPROCS(4)
	m := map[int]int{}
	for i := 0; i < 4; i++ {
		go func() {
			for {
				m[1]++
				runtime.Gosched()
			}
		}()
	}
	for { // the first of them to see another inside ends the program
		for i := 0; i < 1000; i++ {
			m[2]++
		}
		runtime.Gosched()
	}
}

//go:noinline
func peek(addr uintptr) byte { return *(*byte)(unsafe.Pointer(addr)) }

func poke(addr uintptr) { *(*byte)(unsafe.Pointer(addr)) = 1 }

// An address that is never mapped, one that is not canonical, and read-only data.
const (
	unmapped     = 0x7eadbeef0000
	nonCanonical = 0xdead000000000000
)

func faultMain([]string)     { peek(unmapped) }
func faultHighMain([]string) { peek(nonCanonical) }

const constant = "a constant string in read-only data"

func faultRodataMain([]string) {
	poke(uintptr(unsafe.Pointer(unsafe.StringData(constant))))
	fmt.Println("read-only data was written")
}

func faultRecoverMain([]string) {
	debug.SetPanicOnFault(true)
	attempt := func(name string, f func()) {
		defer func() {
			r := recover()
			text := fmt.Sprint(r)
			if e, ok := r.(interface{ Addr() uintptr }); ok && strings.Contains(name, "address") {
				text += fmt.Sprintf(" %#x", e.Addr())
			}
			fmt.Println(name, text)
		}()
		f()
	}
	attempt("read address", func() { peek(unmapped) })
	attempt("write address", func() { poke(unmapped + 4096) })
	attempt("write constant", func() { poke(uintptr(unsafe.Pointer(unsafe.StringData(constant)))) })
	attempt("write text", func() { poke(textAddress()) })
	b, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	prog.Must(err)
	fmt.Println("fresh page", b[17])
	attempt("write fresh", func() { b[0] = 1 })
	prog.Must(syscall.Mprotect(b, syscall.PROT_NONE))
	attempt("read none", func() { sink = b[0] })
	prog.Must(syscall.Mprotect(b, syscall.PROT_READ|syscall.PROT_WRITE))
	b[0] = 7
	fmt.Println("writable", b[0])
}

// textAddress is the first instruction of load.
func textAddress() uintptr {
	f := load
	return **(**uintptr)(unsafe.Pointer(&f))
}

func breakpointMain([]string) { runtime.Breakpoint() }

func goexitMain([]string) {
	go func() { time.Sleep(20 * time.Millisecond); fmt.Println("other goroutine"); os.Exit(5) }()
	runtime.Goexit()
}

// killSelfMain sends itself the signal of that number.
func killSelfMain(args []string) {
	fmt.Println("before")
	prog.Must(syscall.Kill(os.Getpid(), syscall.Signal(prog.Int(args, 0, 15))))
	time.Sleep(20 * time.Second)
	fmt.Println("after")
}

// outOfMemoryMain touches more memory than any test machine has.
func outOfMemoryMain([]string) {
	var keep [][]byte
	for i := 0; i < 1<<16; i++ {
		b := make([]byte, 1<<20)
		for j := 0; j < len(b); j += 4096 {
			b[j] = 1
		}
		keep = append(keep, b)
	}
	fmt.Println(len(keep))
}
