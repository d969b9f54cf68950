package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// chanPingPong is a round trip over unbuffered channels, within Go's own scheduler.
func chanPingPong() {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			b <- v
		}
	}()
	perOp("chan-pingpong", 20_000, func(n int) { bounce(a, b, n) })
	close(a)
}

// threadPingPong is the same between two goroutines locked to threads: each step wakes a thread.
func threadPingPong() {
	a, b := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for v := range a {
			b <- v
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	perOp("thread-pingpong", 5_000, func(n int) { bounce(a, b, n) })
	close(a)
}

func bounce(a, b chan int, n int) {
	for i := 0; i < n; i++ {
		a <- i
		<-b
	}
}

func futex(word *uint32, op, value uintptr) {
	// Syscall, not RawSyscall: it gives the P away while it sleeps, as the runtime itself does.
	syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), op|128, value, 0, 0, 0)
}

// futexWake is a round trip of two threads that sleep on one word each.
func futexWake() {
	var words [64]uint32 // two of them, on cache lines of their own
	mine, other := &words[0], &words[32]
	var stop atomic.Bool
	finished := make(chan bool)
	pass := func(from, to *uint32) {
		for atomic.LoadUint32(from) == 0 {
			futex(from, 0, 0)
		}
		atomic.StoreUint32(from, 0)
		atomic.StoreUint32(to, 1)
		futex(to, 1, 1)
	}
	go func() {
		runtime.LockOSThread()
		for !stop.Load() {
			pass(other, mine)
		}
		close(finished)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	atomic.StoreUint32(mine, 1)
	perOp("futex-wake", 5_000, func(n int) {
		for i := 0; i < n; i++ {
			pass(mine, other)
		}
	})
	stop.Store(true)
	for atomic.LoadUint32(mine) == 0 { // its answer to the last round
		futex(mine, 0, 0)
	}
	atomic.StoreUint32(other, 1) // it may wait for one more
	futex(other, 1, 1)
	<-finished
}

// mutexContention is a lock and an unlock with four goroutines that all want it.
func mutexContention() {
	var mu sync.Mutex
	count := 0
	perOp("mutex", 40_000, func(n int) {
		var wg sync.WaitGroup
		for w := 0; w < 4; w++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; i < n/4; i++ {
					mu.Lock()
					count++
					mu.Unlock()
				}
			}()
		}
		wg.Wait()
	})
}

// threads is the start and the end of one thread.
func threads() {
	perOp("thread", 300, func(n int) {
		for i := 0; i < n; i++ {
			done := make(chan bool)
			go func() {
				runtime.LockOSThread() // the thread ends with the goroutine
				close(done)
			}()
			<-done
		}
	})
}
