package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"gosolo/progs/prog"
)

// Programs that go wrong in ways that Go code alone cannot.

func onStack(top uintptr)
func faultyHandlerAddress() uintptr

func mapBytes(n, protection int) uintptr {
	b, err := syscall.Mmap(-1, 0, n, protection, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	prog.Must(err)
	return uintptr(unsafe.Pointer(&b[0]))
}

// stackOverrunMain overruns a stack of 16 KiB; what lies below may not be touched.
func stackOverrunMain([]string) {
	a := mapBytes(32<<10, syscall.PROT_NONE)
	_, _, e := syscall.Syscall(syscall.SYS_MPROTECT, a+16<<10, 16<<10, syscall.PROT_READ|syscall.PROT_WRITE)
	if e != 0 {
		panic(e)
	}
	runtime.LockOSThread()
	onStack(a + 32<<10)
}

// callAddress calls code at an address.
func callAddress(a uintptr) {
	p := &a
	(*(*func())(unsafe.Pointer(&p)))()
}

func executeDataMain([]string) {
	const at = 0x7e1234560000 // fixed, as it is shown
	_, _, e := syscall.Syscall6(syscall.SYS_MMAP, at, 4096, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_FIXED, ^uintptr(0), 0)
	if e != 0 {
		panic(e)
	}
	callAddress(at)
}

func executeNowhereMain([]string)   { callAddress(unmapped) }
func jumpNonCanonicalMain([]string) { callAddress(nonCanonical) }

// defaultActionMain sends itself a signal whose action is the default.
func defaultActionMain(args []string) {
	signo := prog.Int(args, 0, 10)
	prog.Must(setAction(signo, 0, 0))
	fmt.Println("default action of", signo)
	prog.Must(syscall.Kill(syscall.Getpid(), syscall.Signal(signo)))
	for {
		runtime.Gosched()
	}
}

func setAction(signo int, handler, flags uintptr) error {
	act := [4]uintptr{handler, flags, handler, ^uintptr(0)}
	_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

const saOnstack, saRestorer = 0x08000000, 0x04000000

// faultInHandlerMain faults while the fault's signal is blocked: nothing can be told, so it ends.
func faultInHandlerMain([]string) {
	prog.Must(setAction(10, faultyHandlerAddress(), saOnstack|saRestorer))
	fmt.Println("a handler that faults")
	prog.Must(syscall.Kill(syscall.Getpid(), 10))
	for {
		runtime.Gosched()
	}
}

// badAltstackMain gets a signal while its stack for signals is nowhere.
func badAltstackMain([]string) {
	runtime.LockOSThread()
	st := struct {
		sp    uintptr
		flags uint64
		size  uint64
	}{unmapped, 0, 32768}
	fmt.Println("no stack for signals")
	_, _, e := syscall.RawSyscall(syscall.SYS_SIGALTSTACK, uintptr(unsafe.Pointer(&st)), 0, 0)
	if e != 0 {
		panic(e)
	}
	syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(syscall.Gettid()), 10)
	fmt.Println("not reached")
}

// threadLimitMain makes more threads than Go allows.
func threadLimitMain([]string) {
	debug.SetMaxThreads(30)
	for i := 0; i < 60; i++ {
		go func() {
			runtime.LockOSThread()
			select {}
		}()
	}
	for {
		runtime.Gosched()
	}
}

// threadRlimitMain makes more threads than its user may have.
func threadRlimitMain([]string) {
	const threads, user = 40, 1234567 // nobody's
	limit := syscall.Rlimit{Cur: threads, Max: threads}
	_, _, e := syscall.RawSyscall(syscall.SYS_SETRLIMIT, 6 /* RLIMIT_NPROC */, uintptr(unsafe.Pointer(&limit)), 0)
	if e != 0 {
		panic(e)
	}
	if os.Getuid() == 0 { // who is not the super-user has too many already
		prog.Must(syscall.Setuid(user))
	}
	lockThreads(2 * threads)
}

func lockThreads(n int) {
	for i := 0; i < n; i++ {
		started := make(chan bool)
		go func() {
			runtime.LockOSThread()
			started <- true
			select {}
		}()
		<-started
	}
	fmt.Println("threads", n)
}

// threadsForeverMain makes threads until there can be no more.
func threadsForeverMain([]string) {
	debug.SetMaxThreads(1 << 30)
	lockThreads(1 << 30)
}

// hugeAllocationMain asks for more memory than there can be.
func hugeAllocationMain([]string) {
	huge = make([]byte, prog.Int(os.Args, 2, 1<<46))
}

var huge []byte

// outOfMappingsMain takes all mappings that a process may have, so that the heap gets none.
func outOfMappingsMain([]string) {
	const pages = 140_000
	a := mapBytes(pages<<12, syscall.PROT_NONE)
	for i := uintptr(1); i < pages; i += 2 {
		if _, _, e := syscall.RawSyscall(syscall.SYS_MPROTECT, a+i<<12, 4096, syscall.PROT_READ); e != 0 {
			fmt.Println("mprotect:", e)
			break
		}
	}
	for { // that are joined to no other
		if _, _, e := syscall.RawSyscall6(syscall.SYS_MMAP, 0, 4096, syscall.PROT_READ,
			syscall.MAP_SHARED|syscall.MAP_ANON, ^uintptr(0), 0); e != 0 {
			fmt.Println("mmap:", e)
			break
		}
	}
	growForever()
}

// growForever ends for want of memory: Go's collector, without the memory that it wants, may fault instead.
func growForever() {
	debug.SetGCPercent(-1)
	for {
		more = append(more, make([]byte, 64<<20))
	}
}

var more [][]byte

// addressLimitMain grows beyond RLIMIT_AS.
func addressLimitMain([]string) {
	prog.Must(syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 1 << 30, Max: 1 << 30}))
	growForever()
}

// cpuLimitMain computes beyond RLIMIT_CPU: cpu-limit SOFT HARD, in seconds. The runtime ignores SIGXCPU.
func cpuLimitMain(args []string) {
	prog.Must(syscall.Setrlimit(syscall.RLIMIT_CPU,
		&syscall.Rlimit{Cur: uint64(prog.Int(args, 0, 1)), Max: uint64(prog.Int(args, 1, 1))}))
	fmt.Println("limited")
	for {
	}
}
