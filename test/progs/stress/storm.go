package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gosolo/progs/prog"
	"gosolo/progs/registers"
)

const stormThreads = 12

var garbage [stormThreads]atomic.Pointer[[]byte]

// stormMain lets a thread send SIGURG to every other one a thousand times a second, while these fill
// and check all their registers N times or more, make calls and garbage between, and the collector runs.
func stormMain(args []string) {
	n := prog.Int(args, 0, 200)
	runtime.GOMAXPROCS(stormThreads + 2)
	var stop atomic.Bool
	var workers, others sync.WaitGroup
	var tids [stormThreads]atomic.Int64
	var sent atomic.Int64
	fds := make([]int, 2)
	prog.Must(syscall.Pipe2(fds, syscall.O_NONBLOCK))
	for w := range tids {
		workers.Add(1)
		go func() {
			defer workers.Done()
			runtime.LockOSThread()
			tids[w].Store(int64(syscall.Gettid()))
			b := make([]byte, 64)
			for round := 0; round < n || sent.Load() == 0; round++ {
				registers.Hold(uint64(w), uint64(round))
				_, err := syscall.Read(fds[0], b)
				prog.Check(err == syscall.EAGAIN, "reading an empty pipe: %v", err)
				fresh := make([]byte, 1000+100*w)
				garbage[w].Store(&fresh)
			}
			tids[w].Store(0) // before the thread ends: no signal to another that gets its number
		}()
	}
	others.Add(2)
	go func() {
		defer others.Done()
		for ; !stop.Load(); time.Sleep(100 * time.Microsecond) {
			runtime.GC()
		}
	}()
	var refused int64
	go func() {
		defer others.Done()
		runtime.LockOSThread()
		for pid := syscall.Getpid(); !stop.Load(); {
			for w := range tids {
				tid := tids[w].Load()
				if tid == 0 {
					continue
				}
				sent.Add(1)
				if _, _, e := syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(pid), uintptr(tid), uintptr(syscall.SIGURG)); e != 0 {
					refused++
				}
			}
			ts := syscall.Timespec{Nsec: int64(time.Millisecond)}
			syscall.Nanosleep(&ts, nil)
		}
	}()
	workers.Wait()
	stop.Store(true)
	others.Wait()
	// A thread may end between the look at its number and the signal: each of them once.
	prog.Check(refused <= stormThreads, "%d of %d signals were refused", refused, sent.Load())
	fmt.Println("threads", stormThreads, "rounds", n)
}
