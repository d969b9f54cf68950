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

// take sleeps until the word is not 0, empties it, and returns what it held.
func take(word *uint32) uint32 {
	for {
		if v := atomic.SwapUint32(word, 0); v != 0 {
			return v
		}
		futex(word, 0, 0)
	}
}

func give(word *uint32, v uint32) {
	atomic.StoreUint32(word, v)
	futex(word, 1, 1)
}

// futexWake is a round trip of two threads that sleep on one word each.
func futexWake() {
	const token, end = 1, 2
	var words [64]uint32 // two of them, on cache lines of their own
	mine, other := &words[0], &words[32]
	finished := make(chan bool)
	go func() {
		runtime.LockOSThread()
		for take(other) == token {
			give(mine, token)
		}
		close(finished)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	perOp("futex-wake", 5_000, func(n int) {
		for i := 0; i < n; i++ {
			give(other, token)
			take(mine)
		}
	})
	give(other, end)
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
