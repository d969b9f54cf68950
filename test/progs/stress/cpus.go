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

type cpuSet [128]byte // of 1024 CPUs: enough for Linux hosts

func (s *cpuSet) has(cpu int) bool { return s[cpu/8]>>(cpu%8)&1 != 0 }

func oneCPU(cpu int) *cpuSet {
	s := new(cpuSet)
	s[cpu/8] = 1 << (cpu % 8)
	return s
}

func affinity(number uintptr, tid int, s *cpuSet) syscall.Errno {
	_, _, e := syscall.RawSyscall(number, uintptr(tid), unsafe.Sizeof(*s), uintptr(unsafe.Pointer(s)))
	return e
}

// allowedCPUs are those that this process may use.
func allowedCPUs() (list []int) {
	var s cpuSet
	prog.Check(affinity(syscall.SYS_SCHED_GETAFFINITY, 0, &s) == 0, "sched_getaffinity")
	for cpu := 0; cpu < len(s)*8; cpu++ {
		if s.has(cpu) {
			list = append(list, cpu)
		}
	}
	return list
}

func currentCPU() int {
	var cpu uint32
	_, _, e := syscall.RawSyscall(309, uintptr(unsafe.Pointer(&cpu)), 0, 0) // getcpu
	prog.Check(e == 0, "getcpu: %v", e)
	return int(cpu)
}

// cpusMain prints how many CPUs Go sees.
func cpusMain([]string) {
	prog.Check(len(allowedCPUs()) == runtime.NumCPU(), "%d CPUs are allowed, Go sees %d", len(allowedCPUs()), runtime.NumCPU())
	fmt.Println("CPUs", runtime.NumCPU())
}

// affinityMain moves N times itself, and with each a thread that does nothing but compute.
func affinityMain(args []string) {
	n := prog.Int(args, 0, 200)
	runtime.LockOSThread() // never unlocked: its affinity ends with it
	cpus := allowedCPUs()
	var at, tid atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		runtime.LockOSThread()
		tid.Store(int64(syscall.Gettid()))
		for i := 0; !stop.Load(); i++ {
			if i%1000 == 0 {
				at.Store(int64(currentCPU()) + 1)
			}
		}
	}()
	for tid.Load() == 0 {
		runtime.Gosched()
	}
	for i := 0; i < n; i++ {
		cpu := cpus[i%len(cpus)]
		e := affinity(syscall.SYS_SCHED_SETAFFINITY, 0, oneCPU(cpu))
		prog.Check(e == 0 && currentCPU() == cpu, "moved to CPU %d: %v, on %d", cpu, e, currentCPU())
		other := cpus[(i+i/len(cpus))%len(cpus)]
		e = affinity(syscall.SYS_SCHED_SETAFFINITY, int(tid.Load()), oneCPU(other))
		prog.Check(e == 0, "moving a thread: %v", e)
		at.Store(0)
		for deadline := time.Now().Add(20 * time.Second); at.Load() != int64(other)+1; {
			prog.Check(time.Now().Before(deadline), "the thread stays on CPU %d, not %d", at.Load()-1, other)
			time.Sleep(50 * time.Microsecond)
		}
	}
	stop.Store(true)
	wg.Wait()
	e := affinity(syscall.SYS_SCHED_SETAFFINITY, 0, new(cpuSet))
	fmt.Println("moves", n, "to no CPU:", e, "no such thread:", affinity(syscall.SYS_SCHED_SETAFFINITY, 1<<30, oneCPU(cpus[0])))
}

// hopsMain goes from CPU to CPU N times: they agree on the time. No hop takes five seconds, while a
// counter that started at another number is off by more; and on each CPU time goes on.
func hopsMain(args []string) {
	n := prog.Int(args, 0, 200)
	runtime.LockOSThread() // never unlocked: its affinity ends with it
	cpus := allowedCPUs()
	last := time.Now()
	for i := 0; i < n; i++ {
		e := affinity(syscall.SYS_SCHED_SETAFFINITY, 0, oneCPU(cpus[i%len(cpus)]))
		prog.Check(e == 0, "moving: %v", e)
		now := time.Now()
		d := now.Sub(last)
		prog.Check(d >= 0 && d < 5*time.Second, "hop %d took %v", i, d)
		last = time.Now()
		for tries := 0; tries < 500 && !last.After(now); tries++ {
			spend(50_000)
			last = time.Now()
		}
		prog.Check(last.After(now), "time stands still on CPU %d", cpus[i%len(cpus)])
		prog.Check(last.After(now), "time stands still on CPU %d", cpus[i%len(cpus)])
	}
	fmt.Println("hops", n)
}

// blockAll blocks every signal in the calling thread.
func blockAll() {
	all := ^uint64(0)
	_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, 0, uintptr(unsafe.Pointer(&all)), 0, 8, 0, 0)
	prog.Check(e == 0, "rt_sigprocmask: %v", e)
}

// signalsMain sends N signals to the process while threads that block them compute and sleep on all
// CPUs: each must find one that does not.
func signalsMain(args []string) {
	n := prog.Int(args, 0, 200)
	got := make(chan os.Signal, 16)
	signal.Notify(got, syscall.SIGUSR1)
	runtime.GOMAXPROCS(8)
	var stop atomic.Bool
	for w := 0; w < 6; w++ {
		go func() {
			runtime.LockOSThread()
			blockAll()
			for !stop.Load() {
				if w < 3 {
					spend(20_000)
				} else {
					syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 300})
				}
			}
			select {} // the thread is not for others: it blocks preemption, too
		}()
	}
	for i := 0; i < n; i++ {
		prog.Must(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		select {
		case <-got:
		case <-time.After(30 * time.Second):
			prog.Check(false, "signal %d did not come", i)
		}
	}
	stop.Store(true)
	fmt.Println("signals", n)
}

var spent atomic.Uint64

// spend computes for a while, with calls between that let the garbage collector stop it.
func spend(rounds int) {
	x := uint64(1)
	for i := 0; i < rounds; i++ {
		x = x*6364136223846793005 + 1
	}
	spent.Add(x)
}

// sleepersMain lets 16 threads sleep N times in the kernel, on timers of all CPUs, and re-arm one
// timer descriptor that another thread reads.
func sleepersMain(args []string) {
	n := prog.Int(args, 0, 100)
	fd, _, e := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, 1, 0, 0)
	prog.Check(e == 0, "timerfd_create: %v", e)
	var wg sync.WaitGroup
	for w := 0; w < 16; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			for i := 0; i < n; i++ {
				d := time.Duration((w*7919+i*104729)%400) * time.Microsecond
				start, ts := time.Now(), syscall.NsecToTimespec(int64(d))
				for syscall.Nanosleep(&ts, &ts) == syscall.EINTR {
				}
				prog.Check(time.Since(start) >= d, "a sleep of %v took %v", d, time.Since(start))
				soon := [2]syscall.Timespec{{}, {Nsec: int64(1 + i%50*1000)}}
				_, _, e := syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&soon)), 0, 0, 0)
				prog.Check(e == 0, "timerfd_settime: %v", e)
			}
		}()
	}
	var reads atomic.Int64
	go func() {
		for b := make([]byte, 8); ; reads.Add(1) {
			_, err := syscall.Read(int(fd), b)
			prog.Check(err == nil || err == syscall.EINTR, "reading the timer: %v", err)
		}
	}()
	wg.Wait()
	soon := [2]syscall.Timespec{{}, {Nsec: 1000}}
	for was := reads.Load(); reads.Load() == was; time.Sleep(time.Millisecond) {
		syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&soon)), 0, 0, 0)
	}
	fmt.Println("sleeps", 16*n)
}
