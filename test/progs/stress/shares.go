package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"gosolo/progs/prog"
)

// threadTime is the CPU time of the calling thread.
func threadTime() time.Duration {
	var ts syscall.Timespec
	const clockThreadCPUTime = 3
	_, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&ts)), 0)
	prog.Check(e == 0, "clock_gettime: %v", e)
	return time.Duration(ts.Nano())
}

// sharesMain lets one thread sleep N times for a millisecond while eight threads a CPU never do: it
// is not kept waiting for them, and they get a like share each. The bounds are wide, since hosts stop
// CPUs: a sleeper behind a queue of eight would wait 30 ms, and one that is starved has no share.
func sharesMain(args []string) {
	n := prog.Int(args, 0, 100)
	spinners := 8 * runtime.NumCPU()
	runtime.GOMAXPROCS(spinners + 2)
	var stop atomic.Bool
	var started, wg sync.WaitGroup
	got := make([]time.Duration, spinners)
	for w := range got {
		wg.Add(1)
		started.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			started.Done()
			for begun := threadTime(); !stop.Load(); got[w] = threadTime() - begun {
				spend(20_000)
			}
		}()
	}
	started.Wait()
	runtime.LockOSThread()
	var late []time.Duration
	for start := time.Now(); len(late) < n || time.Since(start) < 2*time.Second; {
		before, ts := time.Now(), syscall.NsecToTimespec(int64(time.Millisecond))
		for syscall.Nanosleep(&ts, &ts) == syscall.EINTR {
		}
		late = append(late, time.Since(before)-time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	slices.Sort(late)
	slices.Sort(got)
	median := late[len(late)/2]
	prog.Check(median < 15*time.Millisecond, "half of %d sleeps are more than %v late", len(late), median)
	share := got[len(got)/2] // the largest may be of a thread whose CPU the host stopped
	prog.Check(got[0] > share/5, "half of %d spinners have %v or less, one has %v", spinners, share, got[0])
	fmt.Println("sleeps", n, "spinners", spinners/runtime.NumCPU(), "a CPU")
}

// timerInterrupts is how many there were so far, as the kernel counts them; in the machine only.
func timerInterrupts() (n int) {
	counters, err := os.ReadFile("/proc/gosolo/stats")
	prog.Check(err == nil, "%v", err)
	_, after, found := strings.Cut(string(counters), "\ntimer_interrupts ")
	prog.Check(found, "no timer_interrupts in /proc/gosolo/stats")
	fmt.Sscan(after, &n)
	return n
}

// sleepMain tells how many timer interrupts N milliseconds of sleep take, once the program is calm.
func sleepMain(args []string) {
	n := prog.Int(args, 0, 1000)
	time.Sleep(time.Second)
	before := timerInterrupts()
	time.Sleep(time.Duration(n) * time.Millisecond)
	fmt.Println("timer interrupts", timerInterrupts()-before)
}

// profiledMain is sleepMain while a CPU profile is taken, whose timers count the CPU time of each of
// many threads that have run before, and of the process.
func profiledMain(args []string) {
	err := pprof.StartCPUProfile(io.Discard)
	prog.Check(err == nil, "%v", err)
	defer pprof.StopCPUProfile()
	var ran sync.WaitGroup
	sleeps := make(chan bool)
	for i := 0; i < 16; i++ {
		ran.Add(1)
		go func() {
			runtime.LockOSThread()
			spend(20_000)
			ran.Done()
			<-sleeps
		}()
	}
	ran.Wait()
	sleepMain(args)
}

// computeMain is the same for one thread that computes.
func computeMain(args []string) {
	n := prog.Int(args, 0, 1000)
	runtime.GOMAXPROCS(1)
	compute := func(duration time.Duration) {
		for start := time.Now(); time.Since(start) < duration; {
			spend(20_000)
		}
	}
	compute(time.Second)
	before := timerInterrupts()
	compute(time.Duration(n) * time.Millisecond)
	fmt.Println("timer interrupts", timerInterrupts()-before)
}
