package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"gosolo/progs/prog"
)

const (
	churnWorkers    = 8
	churnWarmRounds = 3
)

// churnMain is N rounds of garbage, of threads that begin and end, of signals to threads and of
// mappings, all at once. When it is over there is no more of anything than after the first rounds.
func churnMain(args []string) {
	n := prog.Int(args, 0, 20)
	usr1 := make(chan os.Signal, 64)
	signal.Notify(usr1, syscall.SIGUSR1)
	for i := 0; i < churnWarmRounds; i++ { // what is made once is there now
		churnRound(usr1)
	}
	before := takeCounts()
	for i := 0; i < n; i++ {
		churnRound(usr1)
	}
	mustReturnTo(before, fmt.Sprint(n, " rounds"))
	fmt.Println("rounds", n, "nothing left over")
}

func churnRound(usr1 chan os.Signal) {
	var wg sync.WaitGroup
	churnProfile(1000) // microseconds of CPU time from SIGPROF to SIGPROF
	for w := 0; w < churnWorkers; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			churnGarbage(w)
			for i := 0; i < 8; i++ {
				churnThread(w, i)
			}
			churnMappings(w)
		}()
	}
	wg.Wait()
	churnProfile(0)
	select {
	case <-usr1:
	case <-time.After(time.Minute):
		prog.Check(false, "no SIGUSR1 came")
	}
	for len(usr1) > 0 {
		<-usr1
	}
}

// churnProfile has SIGPROF sent to whoever computes. Not by the runtime's profiler: that leaves the
// timer of a thread that ends, on Linux too (/proc/self/timers).
func churnProfile(microseconds int64) {
	every := [2]syscall.Timeval{{Usec: microseconds}, {Usec: microseconds}}
	_, _, e := syscall.RawSyscall(syscall.SYS_SETITIMER, 2, uintptr(unsafe.Pointer(&every)), 0)
	prog.Check(e == 0, "setitimer: %v", e)
}

// churnGarbage is a tree that grows and is dropped, with its sums checked.
func churnGarbage(seed int) {
	type node struct {
		left, right *node
		value       int
	}
	var grow func(depth, value int) *node
	grow = func(depth, value int) *node {
		if depth == 0 {
			return &node{value: value}
		}
		return &node{grow(depth-1, value), grow(depth-1, value), value}
	}
	var sum func(n *node) int
	sum = func(n *node) int {
		if n == nil {
			return 0
		}
		return n.value + sum(n.left) + sum(n.right)
	}
	for i := 1; i <= 4; i++ {
		tree := grow(10, seed+i)
		runtime.GC()
		got := sum(tree)
		prog.Check(got == (1<<11-1)*(seed+i), "the tree of %d sums up to %d", seed+i, got)
	}
}

var churnHits atomic.Int64

// churnThread is a thread that is told signals while it computes and sleeps, and ends.
func churnThread(worker, i int) {
	tids := make(chan int)
	told, done := make(chan bool), make(chan bool)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		defer close(done)
		tids <- syscall.Gettid()
		for waiting := true; waiting; {
			spend(2000)
			select {
			case <-told:
				waiting = false
			default:
			}
		}
		churnHits.Add(1)
		runtime.Goexit()
	}()
	tid := <-tids
	for _, s := range []syscall.Signal{syscall.SIGURG, syscall.SIGUSR1, syscall.SIGPROF, syscall.SIGURG} {
		_, _, e := syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(tid), uintptr(s))
		prog.Check(e == 0, "worker %d: signal %d to thread %d of round %d: %v", worker, s, tid, i, e)
	}
	close(told)
	<-done
}

// churnMappings maps, fills, protects in pieces, moves and unmaps.
func churnMappings(seed int) {
	const pages = 64
	for i := 0; i < 8; i++ {
		addr, _, e := syscall.RawSyscall6(syscall.SYS_MMAP, 0, pages*4096, syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_ANON|syscall.MAP_PRIVATE, ^uintptr(0), 0)
		prog.Check(e == 0, "mmap: %v", e)
		b := unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), pages*4096)
		for p := 0; p < pages; p++ {
			b[p*4096] = byte(seed + i + p)
		}
		for p := 0; p < pages; p += 2 { // 32 pieces of one page, 32 of others
			prog.Must(syscall.Mprotect(b[p*4096:(p+1)*4096], syscall.PROT_READ))
		}
		prog.Must(syscall.Madvise(b[:4096], syscall.MADV_DONTNEED))
		b[4096]++
		for p := 2; p < pages; p++ {
			prog.Check(b[p*4096] == byte(seed+i+p), "page %d holds %d, not %d", p, b[p*4096], byte(seed+i+p))
		}
		prog.Check(b[0] == 0, "a dropped page holds %d", b[0])
		for _, half := range []uintptr{1, 0} {
			_, _, e := syscall.RawSyscall(syscall.SYS_MUNMAP, addr+half*pages/2*4096, pages/2*4096, 0)
			prog.Check(e == 0, "munmap: %v", e)
		}
	}
}
